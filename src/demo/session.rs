//! One client's connection, as the demonstration's PBXes hold it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a client asks is a few short lines.
const LONGEST: usize = 4096;

/// A connected client.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    pending: Vec<u8>,
    end: &'static [u8],
}

impl Session {
    /// Waits for the next client of `listener`, who ends what it asks with `end`.
    pub async fn accept(listener: &TcpListener, end: &'static [u8]) -> io::Result<(Self, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pending = Vec::new();
        Ok((Self { stream, pending, end }, peer))
    }

    /// Sends bytes as they are.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The lines of what is asked next. Safe to drop half-way: what was read stays.
    pub async fn asked(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.pending, self.end) {
                let lines: Vec<u8> = self.pending.drain(..at + self.end.len()).collect();
                return Ok(String::from_utf8_lossy(&lines).into_owned());
            }
            if self.pending.len() > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a client's request without end",
                ));
            }
            if self.stream.read_buf(&mut self.pending).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The value of a header of what was asked, empty when it is missing.
pub fn field<'a>(lines: &'a str, name: &str) -> &'a str {
    let value = lines
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    value.map_or("", |(_, value)| value.trim())
}
