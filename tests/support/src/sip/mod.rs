//! A small SIP phone that can also behave badly.

mod digest;
mod line;
mod message;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::net::Space;

pub(crate) use digest::md5;
pub use line::Line;
pub use message::Request;

/// How SIP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP; a request is sent again every 250 ms until answered.
    Udp,
    /// TCP.
    Tcp,
    /// TLS; any certificate is taken.
    Tls,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The final status code.
    Status(u16),
    /// Nothing at all.
    Silence,
    /// The connection was refused or closed.
    Closed,
}

/// Somebody outside, at one address, who talks to one SIP server.
#[derive(Clone, Debug)]
pub struct Caller {
    space: Space,
    source: IpAddr,
    server: SocketAddr,
    transport: Transport,
    patience: Duration,
}

impl Caller {
    /// Somebody in `space` at the address `source`; waits two seconds for answers.
    pub fn new(space: &Space, source: &str, server: SocketAddr, transport: Transport) -> Self {
        Self {
            space: space.clone(),
            source: source.parse().expect("an address"),
            server,
            transport,
            patience: Duration::from_secs(2),
        }
    }

    /// The same with another patience.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The address it calls from.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Opens a socket (UDP) or a connection; what came back instead if that fails.
    pub fn line(&self) -> Result<Line, Answer> {
        Line::open(self)
    }

    /// Sends `request` from a new port and answers a challenge if it has a password.
    pub fn send(&self, request: &Request) -> Answer {
        match self.line() {
            Ok(mut line) => line.send(request),
            Err(answer) => answer,
        }
    }

    /// Registers as `user` from a new port: 200 when the password is right.
    pub fn register(&self, user: &str, password: &str) -> Answer {
        self.send(&Request::register(user).password(password))
    }
}
