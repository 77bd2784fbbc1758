//! A client of the manager interface: guesses passwords, or watches what the server says.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::Space;

/// A connection to a manager interface.
#[derive(Debug)]
pub struct AmiClient {
    stream: TcpStream,
    received: Vec<u8>,
}

impl AmiClient {
    /// Connects from inside `space`, from the address `source` if given, and waits for the banner; `patience` bounds both.
    pub fn connect(
        space: &Space,
        server: SocketAddr,
        source: Option<IpAddr>,
        patience: Duration,
    ) -> io::Result<Self> {
        let stream = connect(space, server, source, patience)?;
        let mut client = Self {
            stream,
            received: Vec::new(),
        };
        if client.wait_for("\r\n", patience) {
            Ok(client)
        } else {
            Err(io::ErrorKind::TimedOut.into())
        }
    }

    /// Logs in with the secret in the clear; whether the server accepted.
    pub fn login(&mut self, username: &str, secret: &str) -> bool {
        self.send(&format!(
            "Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\nEvents: on\r\n\r\n"
        ));
        // A refusal comes after a second.
        self.wait_for("Message: Authentication accepted", Duration::from_secs(4))
    }

    /// Sends `text` as it is.
    pub fn send(&mut self, text: &str) {
        // The server may have closed: then nothing will be received, which is what the caller looks at.
        let _ = self.stream.write_all(text.as_bytes());
    }

    /// Reads until `text` has been received at any time since the connection was made, for at most `bound`.
    pub fn wait_for(&mut self, text: &str, bound: Duration) -> bool {
        let end = Instant::now() + bound;
        let mut buffer = [0; 4096];
        while !self.has(text) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return self.has(text),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
            }
        }
        true
    }

    /// All that the server has sent so far.
    pub fn received(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    fn has(&self, text: &str) -> bool {
        self.received
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

/// Opens a TCP connection from inside `space`.
pub(crate) fn connect(
    space: &Space,
    server: SocketAddr,
    source: Option<IpAddr>,
    patience: Duration,
) -> io::Result<TcpStream> {
    space.enter(|| {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect_timeout(&server.into(), patience)?;
        Ok(socket.into())
    })
}
