//! An open socket to a SIP server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::message::{Ends, Request, Response};
use super::{Answer, Caller, Transport};
use crate::ami::connect;
use crate::tls::trusting_client;

/// How often an unanswered request is sent again over UDP.
const AGAIN: Duration = Duration::from_millis(250);

/// An open socket to a SIP server; requests on it come from one port.
#[derive(Debug)]
pub struct Line {
    wire: Wire,
    ends: Ends,
    patience: Duration,
    received: Vec<u8>,
}

impl Line {
    pub(super) fn open(caller: &Caller) -> Result<Self, Answer> {
        let server = caller.server;
        let wire = match caller.transport {
            Transport::Udp => Wire::udp(caller),
            Transport::Tcp => Wire::tcp(caller),
            Transport::Tls => Wire::tls(caller),
        }
        .map_err(|error| failed(&error))?;
        let via = match caller.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        let ends = Ends {
            local: wire.local(),
            server,
            via,
        };
        Ok(Self {
            wire,
            ends,
            patience: caller.patience,
            received: Vec::new(),
        })
    }

    /// Where its packets come from.
    pub fn local(&self) -> SocketAddr {
        self.ends.local
    }

    /// Sends `request`, answers a challenge if it has a password, and returns what finally came back.
    pub fn send(&mut self, request: &Request) -> Answer {
        let id = unique();
        let response = match self.exchange(request, &id, 1, None) {
            Ok(response) => response,
            Err(answer) => return answer,
        };
        let (Some(password), Some(challenge)) = (&request.password, &response.challenge) else {
            return Answer::Status(response.status);
        };
        let uri = request.uri(self.ends.server);
        let header = challenge.answer_header;
        let credentials = challenge.answer(&request.user, password, request.method, &uri);
        match self.exchange(request, &id, 2, Some(&format!("{header}: {credentials}"))) {
            Ok(response) => Answer::Status(response.status),
            Err(answer) => answer,
        }
    }

    /// Sends `request` once and waits for nothing.
    pub fn throw(&mut self, request: &Request) {
        let bytes = request.bytes(&self.ends, &unique(), 1, None);
        // A connection that was cut shows at the next request that waits for an answer.
        let _ = self.wire.write(&bytes);
    }

    fn exchange(
        &mut self,
        request: &Request,
        id: &str,
        sequence: u32,
        credentials: Option<&str>,
    ) -> Result<Response, Answer> {
        let bytes = request.bytes(&self.ends, id, sequence, credentials);
        let end = Instant::now() + self.patience;
        loop {
            self.wire.write(&bytes).map_err(|error| failed(&error))?;
            let pause = match self.wire {
                Wire::Udp(_) => end.min(Instant::now() + AGAIN),
                Wire::Stream(..) => end,
            };
            if let Some(response) = self.final_response(id, sequence, pause)? {
                if request.method == "INVITE" && response.status >= 300 {
                    let ack = request.ack(&self.ends, id, sequence, &response);
                    self.wire.write(&ack).map_err(|error| failed(&error))?;
                }
                return Ok(response);
            }
            if Instant::now() >= end {
                return Err(Answer::Silence);
            }
        }
    }

    fn final_response(&mut self, id: &str, sequence: u32, end: Instant) -> Result<Option<Response>, Answer> {
        loop {
            while let Some((length, response)) = Response::take(&self.received) {
                self.received.drain(..length);
                if let Some(response) = response.filter(|response| response.answers(id, sequence))
                    && response.status >= 200
                {
                    return Ok(Some(response));
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.wire.read(&mut self.received, left) {
                Ok(()) => {}
                Err(error) if waited(&error) => return Ok(None),
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}

/// What carries the bytes.
#[derive(Debug)]
enum Wire {
    Udp(UdpSocket),
    Stream(TcpStream, Box<dyn Duplex>),
}

impl Wire {
    fn udp(caller: &Caller) -> io::Result<Self> {
        caller.space.enter(|| {
            let socket = UdpSocket::bind((caller.source, 0))?;
            socket.connect(caller.server)?;
            Ok(Self::Udp(socket))
        })
    }

    fn tcp(caller: &Caller) -> io::Result<Self> {
        let stream = connect(&caller.space, caller.server, Some(caller.source), caller.patience)?;
        stream.set_nodelay(true)?;
        Ok(Self::Stream(stream.try_clone()?, Box::new(stream)))
    }

    fn tls(caller: &Caller) -> io::Result<Self> {
        let stream = connect(&caller.space, caller.server, Some(caller.source), caller.patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(caller.patience))?;
        let name = ServerName::from(caller.server.ip());
        let session = ClientConnection::new(trusting_client(), name).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(session, stream.try_clone()?);
        // The handshake, here and not at the first byte: a dropped packet of it shows as a connection that can't be had.
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(Self::Stream(stream, Box::new(tls)))
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Stream(socket, _) => socket.local_addr(),
        }
        .unwrap()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(bytes).map(drop),
            Self::Stream(_, stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Appends what arrives next to `buffer`.
    fn read(&mut self, buffer: &mut Vec<u8>, patience: Duration) -> io::Result<()> {
        let mut chunk = vec![0; 65_536];
        let length = match self {
            Self::Udp(socket) => {
                socket.set_read_timeout(Some(patience))?;
                let length = socket.recv(&mut chunk)?;
                // A datagram is a message: what an earlier one left unread is of no use.
                buffer.clear();
                length
            }
            Self::Stream(socket, stream) => {
                socket.set_read_timeout(Some(patience))?;
                match stream.read(&mut chunk)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => length,
                }
            }
        };
        buffer.extend_from_slice(&chunk[..length]);
        Ok(())
    }
}

trait Duplex: Read + Write + Send + std::fmt::Debug {}
impl<T: Read + Write + Send + std::fmt::Debug> Duplex for T {}

fn waited(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn failed(error: &io::Error) -> Answer {
    if waited(error) {
        Answer::Silence
    } else {
        Answer::Closed
    }
}

/// A token that no other request of this or another test run has.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("lab{}x{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
