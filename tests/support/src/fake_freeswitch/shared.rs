//! What the server and the threads of its clients share.

use std::collections::{BTreeMap, VecDeque};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::connection::Connection;
use super::frames::{Block, Format};
use super::manners::{Manners, User};
use super::node::Node;

/// Connections that are remembered, as far as they have ended.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) password: String,
    pub(super) node: Node,
    pub(super) started: Mutex<Instant>,
    pub(super) users: Mutex<Vec<User>>,
    pub(super) answers: Mutex<BTreeMap<String, String>>,
    pub(super) manners: Mutex<Manners>,
    /// The open ones, and the last of those that ended.
    pub(super) connections: Mutex<VecDeque<Arc<Connection>>>,
    /// How often the server was closed: who was accepted before that is not let in after it.
    pub(super) closed: AtomicU64,
    pub(super) accepted: AtomicUsize,
    pub(super) logins: AtomicUsize,
    pub(super) refusals: AtomicUsize,
    /// Threads that serve clients.
    pub(super) threads: AtomicUsize,
}

impl Shared {
    pub(super) fn new(password: &str) -> Self {
        Self {
            password: password.to_owned(),
            node: Node::new(),
            started: Mutex::new(Instant::now()),
            users: Mutex::default(),
            answers: Mutex::default(),
            manners: Mutex::default(),
            connections: Mutex::default(),
            closed: AtomicU64::new(0),
            accepted: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            threads: AtomicUsize::new(0),
        }
    }

    /// Serves a client on a thread of its own, unless the server has been closed since `time`.
    pub(super) fn accept(self: &Arc<Self>, stream: TcpStream, time: u64) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let Ok(connection) = Connection::new(&stream).map(Arc::new) else {
            return;
        };
        let mut connections = lock(&self.connections);
        if self.closed.load(Ordering::SeqCst) != time {
            return;
        }
        if connections.len() >= REMEMBERED
            && let Some(oldest) = connections.iter().position(|connection| connection.ended())
        {
            connections.remove(oldest);
        }
        connections.push_back(Arc::clone(&connection));
        drop(connections);
        self.threads.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(self);
        thread::spawn(move || {
            shared.serve(&connection, &stream);
            drop(stream);
            shared.threads.fetch_sub(1, Ordering::SeqCst);
        });
    }

    pub(super) fn open_ones(&self) -> Vec<Arc<Connection>> {
        let connections = lock(&self.connections);
        connections
            .iter()
            .filter(|connection| !connection.ended())
            .map(Arc::clone)
            .collect()
    }

    /// Who gets `block`, and in which format.
    pub(super) fn listeners(&self, block: &Block) -> Vec<(Arc<Connection>, Format)> {
        if !delivers(&lock(&self.manners), block) {
            return Vec::new();
        }
        self.open_ones()
            .into_iter()
            .filter_map(|connection| {
                let subscription = &lock(&connection.state).subscription;
                let format = subscription.wants(block).then_some(subscription.format)?;
                Some((Arc::clone(&connection), format))
            })
            .collect()
    }

    /// Who gets `block`, and the bytes; an event is counted even if nobody does.
    pub(super) fn frames(&self, block: &Block) -> Vec<(Arc<Connection>, Vec<u8>)> {
        let stamp = self.node.stamp();
        let sequence = self.number(block);
        self.listeners(block)
            .into_iter()
            .map(|(connection, format)| (connection, block.frame(format, &stamp, sequence)))
            .collect()
    }

    /// The number that `block` carries; log records carry none.
    pub(super) fn number(&self, block: &Block) -> u64 {
        match block {
            Block::Event(_) => self.node.next(),
            Block::Log(_) => 0,
        }
    }

    /// Fires `block` from the thread of a connection, which must not wait for another client.
    pub(super) fn post(&self, block: &Block) {
        for (connection, frame) in self.frames(block) {
            connection.post(frame);
        }
    }
}

/// Whether anybody gets such a block at all.
pub(super) fn delivers(manners: &Manners, block: &Block) -> bool {
    match block {
        Block::Event(_) => !manners.silent_events,
        Block::Log(record) => record.level <= manners.core_loglevel,
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
