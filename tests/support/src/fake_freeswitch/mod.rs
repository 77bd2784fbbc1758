//! An event socket that speaks like FreeSWITCH 1.11 and can misbehave on demand.
//!
//! It says what a real server was heard to say, byte by byte; what was not heard but read in FreeSWITCH's source is the
//! reply to `userauth` and the answer to `api log`.

mod api;
mod commands;
mod connection;
mod frames;
pub mod fs_events;
mod manners;
mod node;
mod session;
mod shared;
mod subscription;

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

pub use connection::Report;
pub use frames::{Block, Event, Format, LogRecord, Origin};
pub use manners::{Ending, Manners, User};
use shared::{Shared, delivers, lock};

use crate::net::Space;
use crate::wait::{until, within};

/// Bytes that a flood hands to the kernel at once.
const BATCH: usize = 64 * 1024;

/// A server with one password and any number of users; it ends when dropped.
#[derive(Debug)]
pub struct FakeFreeswitch {
    shared: Arc<Shared>,
    space: Option<Space>,
    address: SocketAddr,
    listener: Option<Arc<Socket>>,
}

impl FakeFreeswitch {
    /// Listens on a free port of 127.0.0.1, in `space` or where the caller is; `auth PASSWORD` may do everything.
    pub fn start(space: Option<&Space>, password: &str) -> Self {
        let mut server = Self {
            shared: Arc::new(Shared::new(password)),
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

    /// Lets a user of the directory in, or changes what one may do from the next login on.
    pub fn admit(&self, user: User) {
        let mut users = lock(&self.shared.users);
        users.retain(|known| known.name != user.name);
        users.push(user);
    }

    /// What `api COMMAND` answers from now on, line end included.
    pub fn answer(&self, command: &str, body: &str) {
        lock(&self.shared.answers).insert(command.to_owned(), body.to_owned());
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
        let time = shared.closed.load(Ordering::SeqCst);
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                shared.accept(socket.into(), time);
            }
        });
        self.listener = Some(socket);
    }

    /// Cuts all connections and refuses new ones, as a server that was killed.
    pub fn close(&mut self) {
        self.end(&[]);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for connection in self.shared.open_ones() {
            connection.cut();
        }
    }

    /// Ends, and after `pause` is another process: a new Core-UUID, Event-Sequence from 1.
    pub fn restart(&mut self, ending: Ending, pause: Duration) {
        match ending {
            Ending::Notice => self.end(&frames::notice(frames::SHUTDOWN)),
            Ending::Killed => self.end(&[]),
        }
        thread::sleep(pause);
        self.shared.node.restart();
        *lock(&self.shared.started) = Instant::now();
        self.open();
    }

    /// `reload mod_event_socket`: every client is told to go and may come back at once, to the same process.
    pub fn reload(&mut self) {
        self.end(&frames::notice(frames::SHUTDOWN));
        self.open();
    }

    /// Writes one half of a block to everybody who would get it, then a notice, and ends these connections: what
    /// FreeSWITCH does to a client that read too slowly. How many there were.
    pub fn splice(&self, block: &Block) -> usize {
        self.halve(block, &frames::notice(frames::KILLED))
    }

    /// Writes one half of a block to everybody who would get it and ends these connections. How many there were.
    pub fn truncate(&self, block: &Block) -> usize {
        self.halve(block, &[])
    }

    /// Changes how clients are treated.
    pub fn behave(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut lock(&self.shared.manners));
    }

    /// Fires each block at the connections that asked for such ones, and returns when the kernel has taken them all; a
    /// client that does not read holds up this call alone. How many frames were written.
    pub fn inject(&self, blocks: &[Block]) -> usize {
        let mut written = 0;
        for block in blocks {
            for (connection, frame) in self.shared.frames(block) {
                // A client that just left is not there to hear it.
                written += usize::from(connection.write(&frame, 1).is_ok());
            }
        }
        written
    }

    /// Fires `count` blocks as fast as the slowest client reads; `block` makes the one with a number, from 0 on. How many
    /// frames were written.
    pub fn flood(&self, count: u64, mut block: impl FnMut(u64) -> Block) -> u64 {
        let (mut next, mut written) = (0, 0);
        while next < count {
            let listeners: Vec<_> = self.shared.open_ones();
            let (stamp, manners) = (self.shared.node.stamp(), lock(&self.shared.manners).clone());
            let mut batches = vec![(Vec::with_capacity(BATCH + 8192), 0); listeners.len()];
            while next < count && batches.iter().all(|(bytes, _)| bytes.len() < BATCH) {
                let block = block(next);
                let sequence = self.shared.number(&block);
                next += 1;
                for (connection, (bytes, events)) in listeners.iter().zip(&mut batches) {
                    let subscription = &lock(&connection.state).subscription;
                    if delivers(&manners, &block) && subscription.wants(&block) {
                        bytes.extend_from_slice(&block.frame(subscription.format, &stamp, sequence));
                        *events += 1;
                    }
                }
                if batches.is_empty() {
                    break;
                }
            }
            for (connection, (bytes, events)) in listeners.iter().zip(&batches) {
                if *events > 0 && connection.write(bytes, *events).is_ok() {
                    written += events;
                }
            }
        }
        written
    }

    /// Writes `bytes` as they are to everybody who is logged in; how many there are.
    pub fn inject_raw(&self, bytes: &[u8]) -> usize {
        let mut written = 0;
        for connection in self.shared.open_ones() {
            let logged_in = lock(&connection.state).logged_in;
            written += usize::from(logged_in && connection.write(bytes, 0).is_ok());
        }
        written
    }

    /// Waits until somebody listens for events or log records.
    pub fn wait_for_session(&self) {
        until(Duration::from_secs(10), "a session on the event socket", || {
            self.shared
                .open_ones()
                .iter()
                .any(|connection| {
                    let subscription = &lock(&connection.state).subscription;
                    subscription.listening || subscription.log.is_some()
                })
                .then_some(())
        });
    }

    /// Waits until somebody would get `block`.
    pub fn wait_for_listener(&self, block: &Block) {
        until(Duration::from_secs(10), "a listener on the event socket", || {
            (!self.shared.listeners(block).is_empty()).then_some(())
        });
    }

    /// This process's Core-UUID.
    pub fn core_uuid(&self) -> String {
        self.shared.node.core_uuid()
    }

    /// Connections accepted since the start.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Logins accepted since the start.
    pub fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::Relaxed)
    }

    /// Logins refused since the start.
    pub fn refused(&self) -> usize {
        self.shared.refusals.load(Ordering::Relaxed)
    }

    /// What is known of each connection in the order of their coming, the last thousand closed ones included.
    pub fn reports(&self) -> Vec<Report> {
        lock(&self.shared.connections)
            .iter()
            .map(|connection| connection.report())
            .collect()
    }

    fn end(&mut self, last: &[u8]) {
        if let Some(listener) = self.listener.take() {
            self.shared.closed.fetch_add(1, Ordering::SeqCst);
            // This wakes the thread that accepts; the port is free when it has let go of its socket.
            let _ = listener.shutdown(Shutdown::Both);
            within(Duration::from_secs(5), || {
                (Arc::strong_count(&listener) == 1).then_some(())
            });
        }
        for connection in self.shared.open_ones() {
            let logged_in = lock(&connection.state).logged_in;
            connection.end(if logged_in { last } else { &[] });
        }
    }

    fn halve(&self, block: &Block, last: &[u8]) -> usize {
        let listeners = self.shared.frames(block);
        for (connection, frame) in &listeners {
            connection.end(&[&frame[..frame.len() / 2], last].concat());
        }
        listeners.len()
    }
}

impl Drop for FakeFreeswitch {
    fn drop(&mut self) {
        self.close();
        within(Duration::from_secs(5), || {
            (self.shared.threads.load(Ordering::SeqCst) == 0).then_some(())
        });
    }
}
