//! The one thread that touches the database: writes what waits, answers what is asked, gets over trouble.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringfence_event::{Moment, Span};
use rusqlite::Connection;

use super::error::StoreError;
use super::file::{self, Opened, Trouble, is_damage};
use super::history::HistoryEntry;
use super::places::{self, Latest, Unwritten};
use super::queue::Pending;
use super::rows;
use super::settings::StoreSettings;

/// Rows in one transaction at most: it fits even where little space is left.
const BATCH: usize = 1000;
/// Pause after a write, in which more gathers: at most 50 commits a second. The first one after a quiet time is at once.
const PAUSE: Duration = Duration::from_millis(20);
/// The first wait after a failed write; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// How often old rows are removed.
const PRUNE_EVERY: Span = Span::from_secs(10);
/// Rows removed at a time, and how many times in a row.
const PRUNE: (u32, u32) = (1000, 50);

/// What callers and the writer share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something for the writer.
    pub(super) wake: Condvar,
    /// Something from the writer.
    pub(super) done: Condvar,
}

/// What waits, what is asked, how it goes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pending: Pending,
    /// Where readers of logs stopped.
    pub(super) places: Latest,
    pub(super) questions: Vec<Question>,
    /// Calls that handed something over, and how many of them are on disk.
    pub(super) handed: u64,
    pub(super) durable: u64,
    /// A write attempt is under way.
    pub(super) attempting: bool,
    /// Write attempts that ended, well or not.
    pub(super) attempts: u64,
    /// Somebody waits for everything to be written.
    pub(super) flush: bool,
    pub(super) stop: bool,
    pub(super) stopped: bool,
    /// Why the latest attempt failed.
    pub(super) trouble: Option<String>,
    /// What is on disk may lack bans: all of them should be handed over again.
    pub(super) incomplete: bool,
}

/// Somebody wants to know what happened to an address.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) addr: IpAddr,
    pub(super) limit: usize,
    pub(super) reply: SyncSender<Result<Vec<HistoryEntry>, StoreError>>,
}

impl Shared {
    /// The state; a panic elsewhere while it was held leaves it usable.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn urgent(&self) -> bool {
        self.stop || self.flush || !self.questions.is_empty()
    }
}

/// The thread's own.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: StoreSettings,
    /// `None` while the file can't be opened.
    pub(super) open: Option<(Connection, u64)>,
    pub(super) next_prune: Moment,
}

/// What the writer took over for one round.
struct Round {
    pending: Pending,
    places: Vec<Unwritten>,
    questions: Vec<Question>,
    handed: u64,
    stop: bool,
}

impl Writer {
    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let mut wait = if self.open.is_some() {
            Duration::ZERO
        } else {
            FIRST_RETRY
        };
        let mut retry = FIRST_RETRY;
        loop {
            let mut round = self.next(wait);
            let now = round.pending.now;
            let mut result = self.write(&mut round.pending, &mut round.places);
            if result.is_ok() {
                result = self.prune(now);
            }
            (wait, retry) = match &result {
                Ok(()) => (PAUSE, FIRST_RETRY),
                Err(_) => (retry, (retry * 2).min(LONGEST_RETRY)),
            };
            self.report(round.pending, round.places, round.handed, result.err());
            self.answer(round.questions);
            if round.stop {
                break;
            }
        }
        // Closing writes the log back into the database.
        self.open = None;
        self.shared.state().stopped = true;
        self.shared.done.notify_all();
    }

    /// Waits for `pause`, then until there is something to do, and takes it.
    fn next(&self, pause: Duration) -> Round {
        let shared = &self.shared;
        let unpoisoned = PoisonError::into_inner;
        let (state, _) = shared
            .wake
            .wait_timeout_while(shared.state(), pause, |state| !state.urgent())
            .unwrap_or_else(unpoisoned);
        let mut state = shared
            .wake
            .wait_while(state, |state| {
                !state.urgent()
                    && state.pending.is_empty()
                    && state.places.is_written()
                    && state.trouble.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.flush = false;
        state.attempting = true;
        let (now, dropped) = (state.pending.now, state.pending.dropped);
        let rest = Pending {
            dropped,
            now,
            ..Pending::default()
        };
        let mut pending = std::mem::replace(&mut state.pending, rest);
        pending.dropped = 0;
        Round {
            pending,
            places: state.places.take_unwritten(),
            questions: std::mem::take(&mut state.questions),
            handed: state.handed,
            stop: state.stop,
        }
    }

    /// Gives back what was not written, and says how it went.
    fn report(&self, left: Pending, places: Vec<Unwritten>, handed: u64, failed: Option<String>) {
        let mut state = self.shared.state();
        if left.is_empty() && places.is_empty() {
            state.durable = handed;
        }
        state.places.put_back(places);
        state.pending.put_back(left);
        match &failed {
            None if state.trouble.is_some() => tracing::warn!("the store can be written again"),
            Some(why) if state.trouble.as_ref() != Some(why) => {
                let waiting = state.pending.bans.len();
                tracing::error!(%why, waiting, "the store can't be written; banning goes on, and it is tried again");
            }
            _ => {}
        }
        if failed.is_some() {
            state
                .pending
                .forget_over(self.settings.memory, self.settings.memories);
        }
        state.trouble = failed;
        state.attempting = false;
        state.attempts += 1;
        drop(state);
        self.shared.done.notify_all();
    }

    /// Writes everything; what is on disk is removed from `pending`.
    fn write(&mut self, pending: &mut Pending, places: &mut Vec<Unwritten>) -> Result<(), String> {
        self.ensure_open(pending.now)?;
        let Err(error) = self.write_all(pending, places) else {
            return Ok(());
        };
        if is_damage(&error) {
            self.rebuild(pending.now, &error.to_string())?;
            return self.write_all(pending, places).map_err(|error| error.to_string());
        }
        if error.sqlite_error_code() != Some(rusqlite::ErrorCode::DiskFull) {
            // After an I/O error only a new connection knows what is on disk.
            self.open = None;
        }
        Err(error.to_string())
    }

    fn write_all(&mut self, pending: &mut Pending, places: &mut Vec<Unwritten>) -> rusqlite::Result<()> {
        let Some((db, _)) = self.open.as_mut() else {
            return Ok(());
        };
        // In order, so that a batch touches few pages.
        let mut targets: Vec<_> = pending.bans.keys().copied().collect();
        targets.sort_unstable();
        for batch in targets.chunks(BATCH) {
            let change = db.transaction()?;
            for target in batch {
                let Some(wanted) = pending.bans.get(target) else {
                    continue;
                };
                if wanted.wipe {
                    rows::delete(&change, &target.to_string())?;
                }
                if let Some(kept) = &wanted.put {
                    rows::put(&change, kept)?;
                }
            }
            change.commit()?;
            for target in batch {
                pending.bans.remove(target);
            }
        }
        pending.bans = HashMap::new();
        while !pending.history.is_empty() {
            let change = db.transaction()?;
            let count = pending.history.len().min(BATCH);
            for entry in pending.history.iter().take(count) {
                rows::add_history(&change, entry)?;
            }
            change.commit()?;
            pending.history.drain(..count);
        }
        places::write(db, places)?;
        places.clear();
        Ok(())
    }

    fn ensure_open(&mut self, now: Moment) -> Result<(), String> {
        if self.open.is_some() {
            return Ok(());
        }
        let opened = file::open(&self.settings, now);
        self.adopt(opened)
    }

    fn rebuild(&mut self, now: Moment, why: &str) -> Result<(), String> {
        self.open = None;
        let rebuilt = file::rebuild(&self.settings, now, why);
        self.adopt(rebuilt)
    }

    fn adopt(&mut self, opened: Result<Opened, Trouble>) -> Result<(), String> {
        let opened = opened.map_err(|trouble| match trouble {
            Trouble::Passing(why) => why,
            Trouble::Lasting(error) => error.to_string(),
        })?;
        for note in &opened.notes {
            tracing::error!("{note}");
        }
        if opened.incomplete {
            let mut state = self.shared.state();
            state.incomplete = true;
            state.places.rewrite();
        }
        self.open = Some((opened.db, opened.inode));
        Ok(())
    }

    /// Removes what is too old, and notices when the file was taken away.
    fn prune(&mut self, now: Moment) -> Result<(), String> {
        let due = now >= self.next_prune;
        let Some((db, inode)) = self.open.as_ref().filter(|_| due) else {
            return Ok(());
        };
        self.next_prune = now + PRUNE_EVERY;
        if std::fs::metadata(&self.settings.path).map_or(0, |metadata| metadata.ino()) != *inode {
            self.open = None;
            let mut state = self.shared.state();
            state.incomplete = true;
            state.places.rewrite();
            return Err(format!(
                "{} was removed or replaced; a new one is made",
                self.settings.path.display()
            ));
        }
        match prune_rows(db, now, &self.settings) {
            Ok(()) => Ok(()),
            Err(error) if is_damage(&error) => self.rebuild(now, &error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Answers from what is on disk and what still waits.
    fn answer(&mut self, questions: Vec<Question>) {
        for question in questions {
            let stored = match &self.open {
                None => {
                    let why = self.shared.state().trouble.clone().unwrap_or_default();
                    Err(StoreError::Unwritten(why))
                }
                Some((db, _)) => match rows::history(db, question.addr, question.limit) {
                    Ok(entries) => Ok(entries),
                    Err(error) => {
                        let why = error.to_string();
                        if is_damage(&error) {
                            let now = self.shared.state().pending.now;
                            if let Err(why) = self.rebuild(now, &why) {
                                self.shared.state().trouble = Some(why);
                            }
                        }
                        Err(StoreError::Unwritten(why))
                    }
                },
            };
            let state = self.shared.state();
            let mut entries: Vec<_> = state.pending.history_of(question.addr).cloned().collect();
            drop(state);
            let answer = match stored {
                Err(error) if entries.is_empty() => Err(error),
                stored => {
                    entries.extend(stored.unwrap_or_default());
                    entries.truncate(question.limit);
                    Ok(entries)
                }
            };
            // Whoever asked may have stopped waiting.
            let _ = question.reply.try_send(answer);
        }
    }
}

fn prune_rows(db: &Connection, now: Moment, settings: &StoreSettings) -> rusqlite::Result<()> {
    rows::prune_bans(db, now, settings.memory)?;
    let surplus = rows::surplus_memories(db, now, settings.memories, PRUNE.0 * PRUNE.1)?;
    for batch in surplus.chunks(PRUNE.0 as usize) {
        let change = db.unchecked_transaction()?;
        for target in batch {
            rows::delete(&change, target)?;
        }
        change.commit()?;
    }
    let before = if settings.history == Span::FOREVER {
        Moment::EPOCH
    } else {
        now - settings.history
    };
    for _ in 0..PRUNE.1 {
        if rows::prune_history(db, before, settings.history_rows, PRUNE.0)? < PRUNE.0 as usize {
            break;
        }
    }
    Ok(())
}
