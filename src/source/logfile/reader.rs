//! The thread that reads the files of one source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::folder::Look;
use super::group::Group;
use super::handle::{Lease, Stop};
use super::line::LineSink;
use super::pattern::Pattern;
use super::settings::LogfileSettings;
use super::tail::{Desk, Mark};
use super::watch::Watch;
use crate::clock::{Clock, Stopwatch};
use crate::health::{Health, State, StreamReport, StreamState};
use crate::place::Places;

/// Bytes that are read before other things have their turn.
const TURN: usize = 1024 * 1024;
/// Looking which files there are takes at most one in so many parts of the time.
const SHARE: u32 = 4;

/// The place of a source, as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    paths: BTreeMap<String, Vec<Mark>>,
}

/// Reads the files of one source.
pub(super) struct Reader<P: ?Sized> {
    settings: LogfileSettings,
    health: Health,
    clock: Clock,
    places: Arc<P>,
    lease: Lease,
    groups: Vec<Group>,
    desk: Desk,
    watch: Watch,
    kept: String,
}

impl<P: Places + ?Sized> Reader<P> {
    pub(super) fn new(
        settings: LogfileSettings,
        mut patterns: Vec<Pattern>,
        health: Health,
        clock: Clock,
        places: Arc<P>,
        sink: Box<dyn LineSink>,
    ) -> Self {
        let keeper = Arc::as_ptr(&places).cast::<()>() as usize;
        let lease = Lease::take(keeper, &settings.name);
        let kept = places.kept(&settings.name).unwrap_or_default();
        let mut marks = serde_json::from_str::<Kept>(&kept).unwrap_or_default().paths;
        // what is written out goes before what a wildcard stands for
        patterns.sort_by_key(Pattern::has_wild_folder);
        let groups = patterns
            .into_iter()
            .map(|pattern| Group::new(pattern, settings.start, settings.pace, &mut marks))
            .collect();
        Self {
            settings,
            health,
            clock,
            places,
            lease,
            groups,
            desk: Desk::new(sink),
            watch: Watch::new(),
            kept,
        }
    }

    /// Reads until told to stop.
    pub(super) fn run(mut self, stop: &Stop) {
        let mut scan = true;
        let (mut scanned, mut cost) = (Stopwatch::start(), Duration::ZERO);
        let mut saved = Stopwatch::start();
        while !stop.is_told() {
            scan |= self.watch.these(&self.wanted()) && cost < Duration::from_millis(100);
            scan |= self.groups.iter().any(Group::is_due);
            scan |= scanned.elapsed() >= self.settings.pace.poll;
            if scan && scanned.elapsed() >= cost * SHARE {
                let began = Stopwatch::start();
                self.scan();
                (scanned, cost, scan) = (Stopwatch::start(), began.elapsed(), false);
            }
            let more = self.look(stop);
            if stop.is_told() {
                break;
            }
            self.report();
            if !more || saved.elapsed() >= self.settings.pace.keep {
                self.desk.sink.pause();
            }
            if !more {
                self.desk.sink.caught_up();
            }
            if saved.elapsed() >= self.settings.pace.keep {
                self.keep();
                saved = Stopwatch::start();
            }
            let patience = if more {
                Duration::ZERO
            } else {
                self.groups
                    .iter()
                    .map(Group::patience)
                    .min()
                    .unwrap_or(self.settings.pace.poll)
            };
            let patience = if scan {
                patience.min((cost * SHARE).saturating_sub(scanned.elapsed()))
            } else {
                patience
            };
            let patience = patience.min(self.desk.sink.patience().unwrap_or(patience));
            scan |= self.watch.wait(&stop.wake, patience).folder;
        }
        if self.lease.is_mine() {
            self.desk.sink.pause();
            self.keep();
        }
        self.health.enter(self.clock.now(), State::Stopped, "");
    }

    fn scan(&mut self) {
        let mut taken = BTreeSet::new();
        for group in &mut self.groups {
            group.scan(&mut taken);
        }
    }

    fn look(&mut self, stop: &Stop) -> bool {
        let mut more = false;
        for group in &mut self.groups {
            more |= group.look(&mut self.desk, TURN, &stop.told) == Look::More;
        }
        more
    }

    fn wanted(&self) -> Vec<PathBuf> {
        let folders: BTreeSet<_> = self.groups.iter().flat_map(Group::folders).collect();
        folders.into_iter().collect()
    }

    /// Keeps the place, if it changed.
    fn keep(&mut self) {
        let paths = self.groups.iter().flat_map(Group::marks).collect();
        if let Ok(kept) = serde_json::to_string(&Kept { paths })
            && kept != self.kept
            && self.lease.is_mine()
        {
            self.places
                .keep(self.clock.now(), &self.settings.name, kept.clone());
            self.kept = kept;
        }
    }

    fn report(&self) {
        let streams: Vec<StreamReport> = self
            .groups
            .iter()
            .map(|group| StreamReport {
                name: group.pattern.path.display().to_string(),
                state: if group.flows() {
                    StreamState::Flowing
                } else {
                    StreamState::Blind
                },
                problem: group
                    .problem()
                    .or_else(|| self.watch.trouble.clone())
                    .unwrap_or_default(),
            })
            .collect();
        let blind = !streams.iter().any(|stream| stream.state == StreamState::Flowing);
        let problem = streams
            .iter()
            .map(|stream| stream.problem.as_str())
            .find(|problem| !problem.is_empty())
            .unwrap_or_default()
            .to_owned();
        let cut = self.desk.cut;
        self.health.update(|report| {
            report.streams = streams;
            report.oversized = cut;
        });
        let state = if blind { State::Blind } else { State::Watching };
        self.health.enter(self.clock.now(), state, &problem);
    }
}
