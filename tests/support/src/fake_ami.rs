//! A manager interface that speaks like Asterisk 22.10 and can misbehave on demand.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::events;
use crate::net::Space;
use crate::sip::md5;
use crate::wait::until;

/// The challenge of every session; nobody has to guess it here.
const CHALLENGE: &str = "240610708";

/// How the server treats its clients from now on.
#[derive(Clone, Debug)]
pub struct Manners {
    /// The user has `read = security`: its sessions get events.
    pub security: bool,
    /// Nothing is read or answered any more, connections stay open.
    pub stalled: bool,
    /// Connections are closed without a word, as with too many unauthenticated ones.
    pub refusing: bool,
    /// How long a wrong secret is thought about.
    pub refusal: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            security: true,
            stalled: false,
            refusing: false,
            refusal: Duration::from_secs(1),
        }
    }
}

/// A server with one user; it ends when dropped.
#[derive(Debug)]
pub struct FakeAmi {
    shared: Arc<Shared>,
    space: Option<Space>,
    address: SocketAddr,
    listener: Option<Arc<Socket>>,
}

#[derive(Debug)]
struct Shared {
    username: String,
    secret: String,
    manners: Mutex<Manners>,
    sessions: Mutex<Vec<Session>>,
    connections: AtomicUsize,
    logins: AtomicUsize,
}

#[derive(Debug)]
struct Session {
    peer: SocketAddr,
    /// To cut it, even while somebody writes.
    stream: TcpStream,
    writer: Writer,
    listening: bool,
}

/// What one session is told through; locked so that an answer never lands in the middle of what is injected.
type Writer = Arc<Mutex<TcpStream>>;

impl FakeAmi {
    /// Listens on a free port of 127.0.0.1, in `space` or where the caller is, for one user.
    pub fn start(space: Option<&Space>, username: &str, secret: &str) -> Self {
        let mut server = Self {
            shared: Arc::new(Shared {
                username: username.to_owned(),
                secret: secret.to_owned(),
                manners: Mutex::default(),
                sessions: Mutex::default(),
                connections: AtomicUsize::new(0),
                logins: AtomicUsize::new(0),
            }),
            space: space.cloned(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            listener: None,
        };
        server.open();
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens again after [`close`](Self::close), on the same port.
    pub fn open(&mut self) {
        let address = self.address;
        let listen = || {
            let socket =
                Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&address.into()).unwrap();
            socket.listen(64).unwrap();
            socket
        };
        let socket = Arc::new(match &self.space {
            Some(space) => space.enter(listen),
            None => listen(),
        });
        self.address = socket.local_addr().unwrap().as_socket().unwrap();
        let (shared, listener) = (Arc::clone(&self.shared), Arc::clone(&socket));
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(&socket.into()));
            }
        });
        self.listener = Some(socket);
    }

    /// Cuts all sessions and refuses new connections, as a server that stopped.
    pub fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            // This wakes the thread that accepts; the port is free when it has let go of its socket.
            let _ = listener.shutdown(Shutdown::Both);
            until(Duration::from_secs(5), "the listener to end", || {
                (Arc::strong_count(&listener) == 1).then_some(())
            });
        }
        self.cut();
    }

    /// Cuts all sessions.
    pub fn cut(&self) {
        for session in lock(&self.shared.sessions).drain(..) {
            let _ = session.stream.shutdown(Shutdown::Both);
        }
    }

    /// Changes how clients are treated.
    pub fn behave(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut lock(&self.shared.manners));
    }

    /// Writes `bytes` to every session that is logged in; how many there are.
    pub fn inject(&self, bytes: &[u8]) -> usize {
        let sessions = lock(&self.shared.sessions);
        let writers: Vec<Writer> = sessions
            .iter()
            .filter(|session| session.listening)
            .map(|session| Arc::clone(&session.writer))
            .collect();
        drop(sessions);
        for writer in &writers {
            // A client that just left is not there to hear it.
            let _ = lock(writer).write_all(bytes);
        }
        writers.len()
    }

    /// Waits until somebody is logged in.
    pub fn wait_for_session(&self) {
        until(Duration::from_secs(10), "a manager session", || {
            lock(&self.shared.sessions)
                .iter()
                .any(|session| session.listening)
                .then_some(())
        });
    }

    /// Connections accepted since the start.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Logins accepted since the start.
    pub fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::Relaxed)
    }
}

impl Drop for FakeAmi {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        if lock(&self.manners).refusing {
            return;
        }
        let (Ok(peer), Ok(copy), Ok(out)) = (stream.peer_addr(), stream.try_clone(), stream.try_clone())
        else {
            return;
        };
        let _ = stream.set_nodelay(true);
        let writer = Arc::new(Mutex::new(out));
        lock(&self.sessions).push(Session {
            peer,
            stream: copy,
            writer: Arc::clone(&writer),
            listening: false,
        });
        // The client may leave at any moment: a failed write or read ends the session, whatever was being said.
        let _ = self.converse(stream, &writer, peer);
        lock(&self.sessions).retain(|session| session.peer != peer);
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn converse(&self, stream: &TcpStream, writer: &Writer, peer: SocketAddr) -> std::io::Result<()> {
        let say = |text: &str| lock(writer).write_all(text.as_bytes());
        let mut reader = BufReader::new(stream);
        say("Asterisk Call Manager/11.0.0\r\n")?;
        let mut known = false;
        while let Some(action) = Action::read(&mut reader) {
            while lock(&self.manners).stalled {
                thread::sleep(Duration::from_millis(5));
            }
            let reply = |response: &str, rest: &str| {
                let id = action
                    .get("actionid")
                    .map_or(String::new(), |id| format!("ActionID: {id}\r\n"));
                format!("Response: {response}\r\n{id}{rest}\r\n")
            };
            let name = action.get("action").unwrap_or_default().to_ascii_lowercase();
            let answer = match name.as_str() {
                "challenge" => reply("Success", &format!("Challenge: {CHALLENGE}\r\n")),
                "login" if self.accepts(&action) => {
                    known = true;
                    self.logins.fetch_add(1, Ordering::Relaxed);
                    self.listen(peer, &action);
                    let mut answer = reply("Success", "Message: Authentication accepted\r\n");
                    if lock(&self.manners).security && action.wants_events() {
                        answer.push_str(&events::manager_login(&events::now(), &self.username, peer));
                    }
                    answer
                }
                "login" => {
                    let refusal = lock(&self.manners).refusal;
                    thread::sleep(refusal);
                    return say(&reply("Error", "Message: Authentication failed\r\n"));
                }
                "logoff" => {
                    return say(&reply("Goodbye", "Message: Thanks for all the fish.\r\n"));
                }
                "ping" if known => reply("Success", "Ping: Pong\r\nTimestamp: 1795289077.5\r\n"),
                "events" if known => {
                    self.listen(peer, &action);
                    reply("Success", "Events: On\r\n")
                }
                _ if known => reply("Error", "Message: Invalid/unknown command\r\n"),
                _ => reply("Error", "Message: Permission denied\r\n"),
            };
            say(&answer)?;
        }
        Ok(())
    }

    fn accepts(&self, login: &Action) -> bool {
        let right = login.get("secret") == Some(&self.secret)
            || login.get("key") == Some(md5(&format!("{CHALLENGE}{}", self.secret)).as_str());
        right && login.get("username") == Some(&self.username)
    }

    /// Whether the session of `peer` gets what is injected, as its login or `Events` action asks.
    fn listen(&self, peer: SocketAddr, action: &Action) {
        for session in lock(&self.sessions).iter_mut() {
            if session.peer == peer {
                session.listening = action.wants_events();
            }
        }
    }
}

/// One action of a client: headers until an empty line.
struct Action(Vec<(String, String)>);

impl Action {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None if !headers.is_empty() => return Some(Self(headers)),
                None => {}
            }
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }

    fn wants_events(&self) -> bool {
        let mask = self
            .get("events")
            .or_else(|| self.get("eventmask"))
            .unwrap_or("on");
        matches!(mask.to_ascii_lowercase().as_str(), "on" | "all") || mask.contains("security")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
