//! The netlink socket: one transaction or question at a time, answered before the call returns.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::libc::MSG_DONTWAIT;
use nix::sys::socket::{setsockopt, sockopt};
use ringfence_nfnl::{Batch, Message, Reply, messages};

/// Room for the kernel's answers: each refused message of a transaction is answered, and none may be lost.
const RECEIVE_BUFFER: usize = 8 << 20;
/// The largest transaction that the kernel will take in one piece: a table with a million elements.
const SEND_BUFFER: usize = 128 << 20;
/// A dump comes in pieces of at most 32 KiB.
const INBOX: usize = 64 << 10;
/// How often a dump is asked for again because the ruleset changed meanwhile.
const DUMP_ATTEMPTS: usize = 8;

/// One message of a transaction that the kernel refused; nothing of the transaction was carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The message's number; that of the batch's beginning if it was refused as a whole.
    pub(super) seq: u32,
    /// Why.
    pub(super) error: io::Error,
}

/// A socket to nf_tables in the network namespace of the thread that opened it.
pub(super) struct Link {
    socket: Socket,
    port: u32,
    seq: u32,
    batch: Batch,
    inbox: Vec<u8>,
}

impl Link {
    /// Opens a socket; no privilege needed yet.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Beyond the system's limit only with CAP_NET_ADMIN; without it every change is refused anyway.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        if setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &SEND_BUFFER)?;
        }
        Ok(Self {
            socket,
            port,
            seq: 1,
            batch: Batch::default(),
            inbox: Vec::with_capacity(INBOX),
        })
    }

    /// The port under which the kernel announces our changes.
    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// Lets the kernel carry out what `fill` puts into a batch, all or nothing. Returns the number of the first message
    /// and the refusals; none means that everything is in force.
    pub(super) fn transact(&mut self, fill: impl FnOnce(&mut Batch)) -> io::Result<(u32, Vec<Refusal>)> {
        self.batch.restart(self.seq);
        fill(&mut self.batch);
        let (begin, last) = (self.batch.first_seq(), self.batch.last_seq());
        let first = begin.wrapping_add(1);
        if self.batch.is_empty() {
            return Ok((first, Vec::new()));
        }
        let bytes = self
            .batch
            .finish()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let sent = self.socket.send(bytes, 0);
        self.seq = self.batch.end_seq().wrapping_add(1);
        sent?;
        let mut refusals = Vec::new();
        loop {
            receive(&self.socket, &mut self.inbox)?;
            for message in messages(&self.inbox) {
                let message = message.map_err(invalid)?;
                // Answers to earlier transactions that were given up on are of no interest any more.
                if message.seq.wrapping_sub(begin) > last.wrapping_sub(begin) {
                    continue;
                }
                if let Reply::Refused { errno, text } = message.reply().map_err(invalid)? {
                    refusals.push(Refusal {
                        seq: message.seq,
                        error: refused(errno, text),
                    });
                }
                if message.seq == last || (message.seq == begin && !refusals.is_empty()) {
                    return Ok((first, refusals));
                }
            }
        }
    }

    /// Asks for one object; `None` if it isn't there.
    pub(super) fn ask<T>(
        &mut self,
        request: impl FnOnce(u32) -> Vec<u8>,
        mut take: impl FnMut(&Message<'_>) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let seq = self.question(request)?;
        loop {
            receive(&self.socket, &mut self.inbox)?;
            for message in messages(&self.inbox) {
                let message = message.map_err(invalid)?;
                if message.seq != seq {
                    continue;
                }
                match message.reply().map_err(invalid)? {
                    Reply::Object(_) => return take(&message).map(Some),
                    Reply::Refused {
                        errno: nix::libc::ENOENT,
                        ..
                    } => return Ok(None),
                    Reply::Refused { errno, text } => return Err(refused(errno, text)),
                    _ => (),
                }
            }
        }
    }

    /// Asks for many objects; nothing at all if what they are in isn't there. `take` sees them more than once if the
    /// ruleset changes meanwhile: it gets `None` when it must begin anew.
    pub(super) fn dump(
        &mut self,
        request: impl Fn(u32) -> Vec<u8>,
        mut take: impl FnMut(Option<&Message<'_>>) -> io::Result<()>,
    ) -> io::Result<()> {
        for _ in 0..DUMP_ATTEMPTS {
            take(None)?;
            let seq = self.question(&request)?;
            if self.dump_once(seq, &mut take)? {
                return Ok(());
            }
        }
        Err(io::Error::new(
            io::ErrorKind::Interrupted,
            "the ruleset kept changing while it was read",
        ))
    }

    /// Whether the dump is of one piece.
    fn dump_once(
        &mut self,
        seq: u32,
        take: &mut impl FnMut(Option<&Message<'_>>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut whole = true;
        loop {
            receive(&self.socket, &mut self.inbox)?;
            for message in messages(&self.inbox) {
                let message = message.map_err(invalid)?;
                if message.seq != seq {
                    continue;
                }
                whole &= !message.interrupted();
                match message.reply().map_err(invalid)? {
                    Reply::Object(_) if whole => take(Some(&message))?,
                    Reply::Done(0) => return Ok(whole),
                    Reply::Refused {
                        errno: nix::libc::ENOENT,
                        ..
                    }
                    | Reply::Done(nix::libc::ENOENT) => return Ok(true),
                    Reply::Refused {
                        errno: nix::libc::EINTR,
                        ..
                    }
                    | Reply::Done(nix::libc::EINTR) => return Ok(false),
                    Reply::Refused { errno, text } => return Err(refused(errno, text)),
                    Reply::Done(errno) => return Err(refused(errno, None)),
                    _ => (),
                }
            }
        }
    }

    fn question(&mut self, request: impl FnOnce(u32) -> Vec<u8>) -> io::Result<u32> {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        self.socket.send(&request(seq), 0)?;
        Ok(seq)
    }
}

/// Reads one datagram. The kernel answers within the call that asks, so there is nothing to wait for.
fn receive(socket: &Socket, inbox: &mut Vec<u8>) -> io::Result<()> {
    loop {
        inbox.clear();
        match socket.recv(inbox, MSG_DONTWAIT) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the kernel did not answer",
                ));
            }
            Err(error) => return Err(error),
        }
    }
}

/// A refusal with the kernel's own words.
#[derive(Debug, thiserror::Error)]
#[error("{}: {text}", io::Error::from_raw_os_error(*errno))]
struct Worded {
    errno: i32,
    text: String,
}

fn refused(errno: i32, text: Option<&str>) -> io::Error {
    let plain = io::Error::from_raw_os_error(errno);
    match text {
        Some(text) => io::Error::new(
            plain.kind(),
            Worded {
                errno,
                text: text.to_owned(),
            },
        ),
        None => plain,
    }
}

/// The error number of a refusal or failed call.
pub(super) fn errno(error: &io::Error) -> Option<i32> {
    let worded = error.get_ref().and_then(|inner| inner.downcast_ref::<Worded>());
    worded.map(|worded| worded.errno).or_else(|| error.raw_os_error())
}

/// What the kernel said can't be understood.
pub(super) fn invalid(error: ringfence_nfnl::ParseError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
