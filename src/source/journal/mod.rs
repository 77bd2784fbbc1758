//! The systemd journal, through one long-lived `journalctl` that follows it.
//!
//! It is started anew with growing pauses when it ends, after the last entry that was handed over: the entry's cursor is kept as
//! the place of the source. A message is one line, whatever bytes it holds.

mod child;
mod entry;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringfence_event::Moment;

use self::child::{Child, Heard};
use self::entry::{Entry, LONGEST_ENTRY};
use crate::clock::{Clock, Stopwatch};
use crate::health::{Health, State};
use crate::place::Places;
use crate::source::backoff::{Backoff, chance};
use crate::source::logfile::handle::{self, Lease, Stop};
use crate::source::logfile::splitter::Splitter;
use crate::source::logfile::{Ending, Handle, Line, LineSink, LogfileError};

/// How often the place is kept while entries come.
const KEEP: Duration = Duration::from_secs(1);

/// What is read of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// The source's name: in reports, and the key under which its cursor is kept.
    pub name: String,
    /// The program: `journalctl`, or the path of one.
    pub program: PathBuf,
    /// What entries must match, as on the command line of journalctl: `_SYSTEMD_UNIT=asterisk.service`, `+`. What begins with a
    /// dash is refused, since it would be an option.
    pub matches: Vec<String>,
    /// How far back a first start begins, as `--since` takes it, `-1h` for instance; `None` for entries from now on.
    pub since: Option<String>,
}

/// Starts a thread that follows the journal for ever and hands its messages to `sink`; see [`crate::source::logfile::start`].
pub fn start<P: Places + ?Sized>(
    settings: JournalSettings,
    health: Health,
    clock: Clock,
    places: Arc<P>,
    sink: Box<dyn LineSink>,
) -> Result<Handle, LogfileError> {
    let name = settings.name.clone();
    let handle = handle::spawn(&name, move |stop| {
        let keeper = Arc::as_ptr(&places).cast::<()>() as usize;
        let lease = Lease::take(keeper, &settings.name);
        let cursor = places.kept(&settings.name);
        let reader = Reader {
            kept: cursor.clone(),
            settings,
            health,
            clock,
            places,
            lease,
            sink,
            cursor,
            gap: false,
            saved: Stopwatch::start(),
        };
        reader.run(&stop);
    })?;
    Ok(handle)
}

/// Follows the journal.
struct Reader<P: ?Sized> {
    settings: JournalSettings,
    health: Health,
    clock: Clock,
    places: Arc<P>,
    lease: Lease,
    sink: Box<dyn LineSink>,
    /// The last entry that was handed over.
    cursor: Option<String>,
    kept: Option<String>,
    gap: bool,
    saved: Stopwatch,
}

impl<P: Places + ?Sized> Reader<P> {
    fn run(mut self, stop: &Stop) {
        let mut backoff = Backoff::default();
        while !stop.is_told() {
            let (came, why) = self.follow(stop);
            self.keep();
            if stop.is_told() {
                break;
            }
            if came {
                backoff.reset();
            } else if why.contains("cursor") && self.cursor.take().is_some() {
                // the journal was cleared: the place is in none of its files
                self.gap = true;
            }
            self.health.enter(self.clock.now(), State::Blind, &why);
            child::pause(stop, backoff.away(chance()));
        }
        self.health.enter(self.clock.now(), State::Stopped, "");
    }

    /// Reads from one child until it ends: whether entries came, and why it ended.
    fn follow(&mut self, stop: &Stop) -> (bool, String) {
        let mut child = match Child::start(&self.settings, self.cursor.as_deref()) {
            Ok(child) => child,
            Err(why) => return (false, why),
        };
        self.health.update(|report| report.connects += 1);
        let mut splitter = Splitter::with_longest(0, false, LONGEST_ENTRY);
        let mut came = false;
        loop {
            let mut lines = Vec::new();
            let patience = self.sink.patience().map_or(KEEP, |patience| patience.min(KEEP));
            match child.hear(stop, patience) {
                Heard::Bytes(bytes) => {
                    splitter.push(bytes, |line, _, ending| {
                        lines.push((Entry::parse(line), ending));
                    });
                }
                Heard::Nothing if stop.is_told() => return (came, String::new()),
                Heard::Nothing => {
                    self.health.enter(self.clock.now(), State::Watching, "");
                    self.sink.pause();
                }
                Heard::End(why) => return (came, why),
            }
            for (entry, ending) in lines {
                self.take(entry, ending);
                came = true;
            }
            if came {
                self.health.enter(self.clock.now(), State::Watching, "");
                self.sink.pause();
            }
            if self.saved.elapsed() >= KEEP {
                self.keep();
                self.saved = Stopwatch::start();
            }
        }
    }

    fn take(&mut self, entry: Option<Entry>, ending: Ending) {
        let Some(entry) = entry.filter(|_| ending == Ending::Whole) else {
            // too large, or not JSON: what it said is lost
            self.health.update(|report| report.oversized += 1);
            self.gap = true;
            return;
        };
        if let Some(message) = &entry.message {
            let longest = crate::source::logfile::LONGEST_LINE;
            let cut = message.get(..longest).filter(|_| message.len() > longest);
            let _ = self.sink.line(&Line {
                bytes: cut.unwrap_or(message),
                path: Path::new("journal"),
                offset: 0,
                ending: if cut.is_some() { Ending::Cut } else { Ending::Whole },
                after_gap: std::mem::take(&mut self.gap),
                time: entry.micros.map(|micros| Moment::from_millis(micros / 1000)),
            });
        }
        self.cursor = Some(entry.cursor);
    }

    fn keep(&mut self) {
        if self.cursor == self.kept || !self.lease.is_mine() {
            return;
        }
        self.sink.pause();
        if let Some(cursor) = &self.cursor {
            self.places
                .keep(self.clock.now(), &self.settings.name, cursor.clone());
        }
        self.kept.clone_from(&self.cursor);
    }
}
