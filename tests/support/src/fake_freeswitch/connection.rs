//! One client: what is written to it, and what that took.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};

use super::shared::lock;
use super::subscription::{Allowed, Subscription};
use crate::wait::within;

/// Frames that wait for the connection's own thread; what is more is lost and counted.
const OUTBOX: usize = 4096;
/// Command lines that are remembered.
const COMMANDS: usize = 10_000;

/// What a test may know of a connection, closed ones included.
#[derive(Clone, Debug)]
pub struct Report {
    /// The client's address.
    pub peer: SocketAddr,
    /// It is still there.
    pub open: bool,
    /// Its login was accepted.
    pub logged_in: bool,
    /// The longest time one write waited until the kernel had all its bytes, one that still waits included; what the
    /// kernel takes at once waits for nothing, however busy the machine is.
    pub longest_wait: Duration,
    /// Bytes that the kernel took.
    pub bytes: u64,
    /// Events and log records that the kernel took.
    pub events: u64,
    /// Events and log records that found its queue full.
    pub lost: u64,
    /// The first line of every command, without passwords.
    pub commands: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) state: Mutex<State>,
    /// To cut it, even while somebody writes.
    stream: TcpStream,
    /// Locked so that a reply never lands in the middle of what is injected.
    writer: Mutex<TcpStream>,
    outbox: Mutex<VecDeque<Vec<u8>>>,
    ended: AtomicBool,
    born: Instant,
    /// Microseconds after `born` (at least 1) at which the write that goes on began; 0 if none does.
    writing: AtomicU64,
    longest: AtomicU64,
    bytes: AtomicU64,
    events: AtomicU64,
    lost: AtomicU64,
    commands: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) logged_in: bool,
    pub(super) allowed: Allowed,
    pub(super) subscription: Subscription,
}

impl Connection {
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            peer: stream.peer_addr()?,
            state: Mutex::default(),
            stream: stream.try_clone()?,
            writer: Mutex::new(stream.try_clone()?),
            outbox: Mutex::default(),
            ended: AtomicBool::new(false),
            born: Instant::now(),
            writing: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            events: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            commands: Mutex::default(),
        })
    }

    /// Writes `bytes`, which hold `events` events, as soon as the kernel takes them.
    pub(super) fn write(&self, bytes: &[u8], events: u64) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        let rest = &bytes[at_once(&writer, bytes)?..];
        if !rest.is_empty() {
            let began = Instant::now();
            let since = micros(began.duration_since(self.born)).max(1);
            self.writing.store(since, Ordering::Relaxed);
            let written = writer.write_all(rest);
            self.longest.fetch_max(micros(began.elapsed()), Ordering::Relaxed);
            self.writing.store(0, Ordering::Relaxed);
            written?;
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.events.fetch_add(events, Ordering::Relaxed);
        Ok(())
    }

    /// Lets the connection's own thread write `frame` when it has answered what it was asked.
    pub(super) fn post(&self, frame: Vec<u8>) {
        let mut outbox = lock(&self.outbox);
        if outbox.len() < OUTBOX {
            outbox.push_back(frame);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what was posted.
    pub(super) fn flush(&self) -> io::Result<()> {
        loop {
            let Some(frame) = lock(&self.outbox).pop_front() else {
                return Ok(());
            };
            self.write(&frame, 1)?;
        }
    }

    /// Writes `last`, unless the client takes too long to read what comes before it, and ends the connection.
    pub(super) fn end(&self, last: &[u8]) {
        if last.is_empty() {
            return self.cut();
        }
        let bound = Duration::from_millis(500);
        let _ = self.stream.set_write_timeout(Some(bound));
        // Whoever writes now and is not done in time is cut off; while this is locked nobody comes after the last words.
        let mut writer = within(bound, || self.writer.try_lock().ok());
        if let Some(writer) = &mut writer
            && writer.write_all(last).is_ok()
        {
            self.bytes.fetch_add(last.len() as u64, Ordering::Relaxed);
        }
        self.cut();
    }

    /// Ends the connection at once, whoever writes to it.
    pub(super) fn cut(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Its thread is through with it.
    pub(super) fn gone(&self) {
        self.ended.store(true, Ordering::Relaxed);
        lock(&self.outbox).clear();
        lock(&self.state).subscription = Subscription::default();
    }

    pub(super) fn remember(&self, command: String) {
        let mut commands = lock(&self.commands);
        if commands.len() < COMMANDS {
            commands.push(command);
        }
    }

    pub(super) fn report(&self) -> Report {
        let waits = match self.writing.load(Ordering::Relaxed) {
            0 => 0,
            since => micros(self.born.elapsed()).saturating_sub(since),
        };
        Report {
            peer: self.peer,
            open: !self.ended(),
            logged_in: lock(&self.state).logged_in,
            longest_wait: Duration::from_micros(self.longest.load(Ordering::Relaxed).max(waits)),
            bytes: self.bytes.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            commands: lock(&self.commands).clone(),
        }
    }
}

/// Gives the kernel what it takes without waiting; how many bytes that were.
fn at_once(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    match send(stream.as_raw_fd(), bytes, flags) {
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        sent => Ok(sent?),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
