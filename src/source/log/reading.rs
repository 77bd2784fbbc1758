//! Takes the lines of one log and hands on what they say.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ringfence_event::{Moment, Proof, SecurityEvent, SourceId, Span};
use ringfence_seclog::time;

use super::gate::Gate;
use super::grammar::{Ear, Heard};
use super::lateness::{Lateness, Written};
use super::recall::recall;
use super::{Grammar, Origin, WatchedLog};
use crate::clock::{Clock, Stopwatch};
use crate::health::Health;
use crate::source::EventSink;
use crate::source::logfile::{Ending, Line, LineSink, Taken};

/// After this long without a line, what waits for more is judged. Whoever writes a log writes a record at once.
const QUIET: Duration = Duration::from_millis(50);
/// The same where somebody passes the lines on one by one: a container's runtime, the journal, what writes into a pipe. How
/// long it may be kept from its work between two lines of a record is its machine's affair, and a peer's, who can flood it.
const QUIET_RELAYED: Duration = Duration::from_secs(1);
/// How long the zone's offset is taken for the same.
const OFFSET: Duration = Duration::from_mins(1);
/// Files of one log that are understood at the same time; the one that was silent longest gives way.
const MOST_FILES: usize = 512;

/// Takes the lines of one log.
pub(super) struct Reading<S: EventSink> {
    name: String,
    grammar: Grammar,
    ids: [SourceId; 2],
    gate: Arc<Gate<S>>,
    health: Health,
    clock: Clock,
    zone: TimeZone,
    count_claimed: bool,
    from_files: bool,
    docker: bool,
    quiet: Duration,
    /// By file, the latest last.
    ears: Vec<(PathBuf, Ear)>,
    /// Files of whose next line some is there: it may belong to what waits.
    unfinished: Vec<PathBuf>,
    /// What is being read was written before we came, at `began`.
    behind: bool,
    began: Moment,
    /// Lines that are missing may hold the beginning of somebody's words that go on.
    torn: bool,
    /// Of a first reading: what was written before is left out.
    since: Option<Moment>,
    offset: Option<(Stopwatch, i32)>,
    /// When the latest line came, while something may wait for more.
    heard: Option<Stopwatch>,
    events: Vec<SecurityEvent>,
    late: Vec<SecurityEvent>,
    lateness: Lateness,
    books: Books,
}

/// What the health is told of.
#[derive(Debug, Default)]
struct Books {
    events: u64,
    doubtful: u64,
    latest: Option<Moment>,
}

impl<S: EventSink> Reading<S> {
    pub(super) fn new(
        log: &WatchedLog,
        ids: [SourceId; 2],
        gate: Arc<Gate<S>>,
        health: Health,
        (clock, since): (Clock, Option<Span>),
    ) -> Self {
        Self {
            name: log.name.clone(),
            grammar: log.grammar.clone(),
            ids,
            gate,
            health,
            clock,
            zone: log.zone.clone(),
            count_claimed: log.count_claimed,
            from_files: matches!(log.origin, Origin::Files { .. }),
            docker: matches!(log.origin, Origin::Files { docker: true, .. }),
            quiet: if matches!(log.origin, Origin::Files { docker: false, .. }) {
                QUIET
            } else {
                QUIET_RELAYED
            },
            ears: Vec::new(),
            unfinished: Vec::new(),
            behind: true,
            began: clock.now(),
            torn: !matches!(log.origin, Origin::Fifo(_) | Origin::Stdin),
            since: since.map(|since| clock.now() - since),
            offset: None,
            heard: None,
            events: Vec::new(),
            late: Vec::new(),
            lateness: Lateness::default(),
            books: Books::default(),
        }
    }

    /// How stamps are to be read now.
    fn time(&mut self) -> time::Clock {
        let now = self.clock.now();
        let offset = match &self.offset {
            Some((since, offset)) if since.elapsed() < OFFSET => *offset,
            _ => {
                let at = i64::try_from(now.as_millis() / 1000).unwrap_or_default();
                let at = Timestamp::from_second(at).unwrap_or_default();
                let offset = self.zone.to_offset(at).seconds();
                self.offset = Some((Stopwatch::start(), offset));
                offset
            }
        };
        time::Clock {
            offset,
            now: Some(now),
        }
    }

    /// The position of what understands this file.
    fn ear(&mut self, line: &Line<'_>, clock: &time::Clock) -> usize {
        let path = line.path;
        if let Some(at) = self.ears.iter().rposition(|(known, _)| known == path) {
            if at + 1 < self.ears.len() {
                let known = self.ears.remove(at);
                self.ears.push(known);
            }
        } else {
            let mut ear = Ear::new(&self.grammar);
            let full = self.ears.len() >= MOST_FILES;
            if full {
                self.ears.remove(0);
            }
            if line.offset > 0 && !line.after_gap {
                if full {
                    // files that take turns would be read again and again
                    ear.gap();
                } else {
                    recall(&mut ear, line, self.docker, clock);
                }
            }
            self.ears.push((path.to_owned(), ear));
        }
        self.ears.len() - 1
    }

    /// Keeps what was heard, if it counts.
    fn keep(&mut self, heard: Heard, time: Option<Moment>) {
        let (mut event, second) = match heard {
            Heard::Event { event, second } => (event, second),
            Heard::Doubtful => {
                self.books.doubtful += 1;
                return;
            }
        };
        if event.proof == Proof::Claimed && !self.count_claimed {
            self.books.doubtful += 1;
            return;
        }
        let now = self.clock.now();
        event.at = time.or(event.at);
        event.source = if second { self.ids[1] } else { self.ids[0] };
        let late = match event.at {
            // what does not say when it happened may be very old
            None if self.behind => return,
            None => false,
            Some(at) if self.behind => {
                if self.since.is_some_and(|since| at < since) {
                    return;
                }
                true
            }
            Some(at) => self.is_late(at, now, &mut event),
        };
        self.books.events += 1;
        self.books.latest = Some(now);
        if late {
            self.late.push(event);
        } else {
            self.events.push(event);
        }
    }

    /// Whether a line was written long before it was read, though we have caught up; corrects the moment it carries.
    fn is_late(&mut self, at: Moment, now: Moment, event: &mut SecurityEvent) -> bool {
        let (written, off) = self.lateness.of(at, now);
        if let Some(off) = off {
            tracing::warn!(
                source = self.name,
                "what is written there now carries times that are {} off: set its timezone. What is written while ringfence does not \
                 run is counted by these times",
                Span::from(off)
            );
        }
        if let Written::Then(at) = written {
            event.at = Some(at);
        }
        written != Written::Now
    }

    fn hand_over(&mut self) {
        if !self.late.is_empty() {
            self.gate.take_late(&mut self.late, self.behind);
        }
        if !self.events.is_empty() {
            self.gate.take(&mut self.events);
        }
    }

    /// Judges what waits for more lines, but not where a line has begun.
    fn finish(&mut self) {
        self.heard = None;
        let clock = self.time();
        let mut heard = Vec::new();
        for (path, ear) in &mut self.ears {
            if !self.unfinished.contains(path) {
                ear.quiet(&clock, |what| heard.push(what));
            }
        }
        for what in heard {
            self.keep(what, None);
        }
        self.hand_over();
    }

    fn report(&mut self) {
        let books = &mut self.books;
        if books.events == 0 && books.doubtful == 0 {
            return;
        }
        let (events, doubtful, latest) = (books.events, books.doubtful, books.latest);
        (books.events, books.doubtful) = (0, 0);
        self.health.update(|report| {
            report.events += events;
            report.suspicious += doubtful;
            report.last_event = latest.or(report.last_event);
        });
    }
}

impl<S: EventSink> LineSink for Reading<S> {
    fn line(&mut self, line: &Line<'_>) -> Taken {
        if line.time.is_some_and(|time| time >= self.began) {
            self.caught_up();
        }
        let clock = self.time();
        self.unfinished.retain(|path| path != line.path);
        let at = self.ear(line, &clock);
        let mut heard = Vec::new();
        if let Some((_, ear)) = self.ears.get_mut(at) {
            if line.after_gap && self.torn && line.offset == 0 && self.from_files {
                ear.begin();
            } else if line.after_gap && self.torn {
                ear.gap();
            } else if line.after_gap {
                *ear = Ear::new(&self.grammar);
            }
            match line.ending {
                Ending::Whole => ear.line(line.bytes, &clock, |what| heard.push(what)),
                Ending::Cut | Ending::Missing => ear.gap(),
            }
        }
        self.heard = Some(Stopwatch::start());
        for what in heard {
            self.keep(what, line.time);
        }
        self.hand_over();
        Taken::Done
    }

    fn within_line(&mut self, path: &Path) {
        if !self.unfinished.iter().any(|known| known == path) && self.unfinished.len() < MOST_FILES {
            self.unfinished.push(path.to_owned());
        }
    }

    fn pause(&mut self) {
        if self.heard.is_some_and(|heard| heard.elapsed() >= self.quiet) {
            self.finish();
        }
        self.hand_over();
        self.report();
    }

    fn caught_up(&mut self) {
        if self.behind {
            self.finish();
            self.behind = false;
        }
    }

    fn patience(&self) -> Option<Duration> {
        let heard = self.heard?;
        Some(self.quiet.saturating_sub(heard.elapsed()))
    }
}

impl<S: EventSink> Drop for Reading<S> {
    fn drop(&mut self) {
        self.finish();
        self.report();
    }
}
