//! Remembers bans, what led to them, and where logs were read to, across restarts, crashes and power failures.
//!
//! A SQLite database, written by one thread of its own: whoever records a verdict only puts it in line and never waits for
//! the disk. The state of bans is never dropped: while the disk is full or broken, the latest state of each target waits in
//! memory and is written as soon as that is possible. History that waits is bounded; what is dropped of it is counted. A
//! damaged file is moved aside, and what can still be read of it is carried over.

mod error;
mod file;
mod history;
mod places;
mod queue;
mod recall;
mod rows;
mod schema;
mod settings;
mod writer;

use std::fs::File;
use std::net::IpAddr;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ringfence_event::Moment;
use serde::Serialize;

use crate::engine::{Ban, Verdict};
use file::{Opened, Trouble};
use places::Latest;
use writer::{Question, Shared, Writer};

pub use error::StoreError;
pub use history::{Happening, HistoryEntry};
pub use settings::StoreSettings;

/// How long a question may take, behind a write that is under way.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long an orderly stop waits for the last write; a disk that hangs must not hang the stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What was known when the store was opened.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Bans in force, without the events of their evidence: those are in the history.
    pub bans: Vec<Ban>,
    /// How often an address was banned before, and when the last of these bans ended or will end. Addresses that are banned
    /// now are among them; of the others no more than [`StoreSettings::memories`].
    pub memories: Vec<(IpAddr, u32, Moment)>,
    /// What the admin should know, a damaged file for instance. Logged already.
    pub notes: Vec<String>,
}

/// How the store is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether the latest write succeeded.
    pub ok: bool,
    /// In words for the admin.
    pub message: String,
    /// Bans whose latest state is not on disk yet.
    pub waiting: usize,
    /// Entries of history that were dropped because the disk was away for too long.
    pub dropped: u64,
}

/// The store of a running daemon. Dropping it writes what waits, within five seconds.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// Held for as long as the store is.
    _lock: Option<File>,
}

impl Store {
    /// Opens the database, makes it if there is none, and reads what was in force at `now`.
    ///
    /// Fails only for what an admin must put right. A damaged file is moved aside. On a disk that is full, read-only or
    /// broken the store works from memory and tries again: [`Store::health`] says so.
    pub fn open(settings: &StoreSettings, now: Moment) -> Result<(Self, Restored), StoreError> {
        let mut trouble = None;
        let mut passing = |result: Trouble| match result {
            Trouble::Lasting(error) => Err(error),
            Trouble::Passing(why) => {
                trouble = Some(why);
                Ok(())
            }
        };
        let lock = match file::lock(&settings.path) {
            Ok(lock) => Some(lock),
            Err(error) => passing(error).map(|()| None)?,
        };
        let (open, (recall, known), mut notes) = match file::open(settings, now) {
            Ok(Opened {
                db,
                recall,
                notes,
                places,
                inode,
                ..
            }) => (Some((db, inode)), (recall, places), notes),
            Err(error) => {
                passing(error)?;
                (None, file::peek(settings, now), Vec::new())
            }
        };
        if let Some(why) = &trouble
            && open.is_none()
        {
            notes.push(format!(
                "the store {} can't be used now: {why}. Banning works, and it is tried again; {} bans could be read",
                settings.path.display(),
                recall.rows
            ));
        }
        for note in &notes {
            tracing::error!("{note}");
        }
        let shared = Arc::new(Shared::default());
        shared.state().trouble = trouble.filter(|_| open.is_none());
        shared.state().pending.now = now;
        shared.state().places = Latest::restored(known);
        let writer = Writer {
            shared: Arc::clone(&shared),
            settings: settings.clone(),
            open,
            next_prune: Moment::EPOCH,
        };
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                // SQLite's work must not keep the processor from what bans; a refusal changes only the pace
                let _ = rustix::process::nice(10);
                writer.run();
            })
            .map_err(StoreError::Thread)?;
        let (bans, memories) = recall.finish();
        let restored = Restored {
            bans,
            memories,
            notes,
        };
        Ok((Self { shared, _lock: lock }, restored))
    }

    /// Puts what the verdicts of `now` change in line to be written; never waits for the disk.
    pub fn record(&self, now: Moment, verdicts: impl IntoIterator<Item = Verdict>) {
        let mut state = self.shared.state();
        for verdict in verdicts {
            state.pending.take(now, verdict);
        }
        state.handed += 1;
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Puts the state of all bans in force in line, without history: after [`Store::take_incomplete`].
    pub fn put_all(&self, bans: &[Ban]) {
        let mut state = self.shared.state();
        for ban in bans {
            state.pending.put(ban);
        }
        state.handed += 1;
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Whether the file was damaged or taken away since the last call, so that bans in force may not be in it: hand them
    /// over with [`Store::put_all`]. Ask now and then.
    pub fn take_incomplete(&self) -> bool {
        std::mem::take(&mut self.shared.state().incomplete)
    }

    /// What happened to an address, its ports and the prefixes around it, latest first; at most `limit` entries. Waits for
    /// the disk, for up to five seconds.
    pub fn history(&self, addr: IpAddr, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.shared.state().questions.push(Question {
            addr: addr.to_canonical(),
            limit,
            reply,
        });
        self.shared.wake.notify_one();
        answer.recv_timeout(ANSWER_WITHIN).map_err(|_| StoreError::Busy)?
    }

    /// Waits until everything recorded before is on disk; at most for `timeout`, and for one attempt.
    pub fn flush(&self, timeout: Duration) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        let wanted = state.handed;
        if state.durable >= wanted {
            return Ok(());
        }
        state.flush = true;
        // An attempt that is under way now may have begun too early.
        let enough = state.attempts + 1 + u64::from(state.attempting);
        self.shared.wake.notify_one();
        let (state, _) = self
            .shared
            .done
            .wait_timeout_while(state, timeout, |state| {
                state.durable < wanted
                    && !(state.trouble.is_some() && state.attempts >= enough)
                    && !state.stopped
            })
            .unwrap_or_else(PoisonError::into_inner);
        match &state.trouble {
            _ if state.durable >= wanted => Ok(()),
            Some(why) => Err(StoreError::Unwritten(why.clone())),
            None => Err(StoreError::Busy),
        }
    }

    /// How the store is doing.
    pub fn health(&self) -> Health {
        let state = self.shared.state();
        let waiting = state.pending.bans.len();
        let message = match &state.trouble {
            None => "written".to_owned(),
            Some(why) => {
                format!("can't be written: {why}; {waiting} changes wait in memory and are tried again")
            }
        };
        Health {
            ok: state.trouble.is_none(),
            message,
            waiting,
            dropped: state.pending.dropped,
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.stop = true;
        self.shared.wake.notify_one();
        let stopped = self
            .shared
            .done
            .wait_timeout_while(state, STOP_WITHIN, |state| !state.stopped);
        let (state, _) = stopped.unwrap_or_else(PoisonError::into_inner);
        if !state.stopped {
            tracing::error!("the store's disk does not answer; the last changes may not be written");
        }
    }
}
