//! The demonstration's Asterisk: an AMI server that lets one manager in and then says what it is told to say.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::session::{Session, field};

/// The user that may log in, and its secret.
pub const USER: (&str, &str) = ("ringfence", "demonstration");

/// A listening Asterisk.
#[derive(Debug)]
pub struct Asterisk {
    listener: TcpListener,
}

/// A manager that has logged in.
#[derive(Debug)]
pub struct Manager {
    session: Session,
}

impl Asterisk {
    /// Listens on a free port of the loopback address.
    pub async fn listen() -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(("127.0.0.1", 0)).await?,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for a manager and lets it log in, with the event that a real Asterisk sends about it.
    pub async fn admit(&self) -> io::Result<Manager> {
        let (session, peer) = Session::accept(&self.listener, b"\r\n\r\n").await?;
        let mut manager = Manager { session };
        manager.say(b"Asterisk Call Manager/11.0.0\r\n").await?;
        loop {
            let action = manager.session.asked().await?;
            let id = field(&action, "ActionID");
            match field(&action, "Action").to_ascii_lowercase().as_str() {
                // the demonstration's daemon is configured to present the secret itself
                "login" if field(&action, "Secret") == USER.1 => {
                    manager
                        .answer(id, "Response: Success", "Message: Authentication accepted")
                        .await?;
                    manager.say(login_event(peer).as_bytes()).await?;
                    return Ok(manager);
                }
                _ => {
                    manager
                        .answer(id, "Response: Error", "Message: Authentication failed")
                        .await?;
                }
            }
        }
    }
}

impl Manager {
    /// Sends bytes as they are.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.session.say(bytes).await
    }

    /// Answers what the manager asks, Ping for the most part, until `done`.
    pub async fn attend(&mut self, done: impl Future<Output = ()>) -> io::Result<()> {
        tokio::pin!(done);
        loop {
            let action = tokio::select! {
                () = &mut done => return Ok(()),
                action = self.session.asked() => action?,
            };
            let id = field(&action, "ActionID");
            if field(&action, "Action").eq_ignore_ascii_case("ping") {
                self.answer(id, "Response: Success", "Ping: Pong").await?;
            } else {
                self.answer(id, "Response: Error", "Message: Permission denied")
                    .await?;
            }
        }
    }

    async fn answer(&mut self, id: &str, response: &str, line: &str) -> io::Result<()> {
        self.say(format!("{response}\r\nActionID: {id}\r\n{line}\r\n\r\n").as_bytes())
            .await
    }
}

fn login_event(peer: SocketAddr) -> String {
    format!(
        "Event: SuccessfulAuth\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T19:24:36.671+0000\r\n\
         Severity: Informational\r\nService: AMI\r\nEventVersion: 1\r\nAccountID: {}\r\nSessionID: 0x7f112c002a40\r\n\
         LocalAddress: IPV4/TCP/0.0.0.0/5038\r\nRemoteAddress: IPV4/TCP/{}/{}\r\nUsingPassword: 0\r\n\
         SessionTV: 2026-11-21T19:24:36.671+0000\r\n\r\n",
        USER.0,
        peer.ip(),
        peer.port()
    )
}
