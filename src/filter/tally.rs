//! Counts what a filter did with the lines of a log, as `fail2ban-regex` counts.

use ringfence_fail2ban::{Filter, Outcome};
use serde::Serialize;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A pattern matched.
    Matched,
    /// No pattern matched.
    Missed,
    /// A pattern said to ignore it, or it only helps to understand other lines.
    Ignored,
    /// It was not judged.
    Skipped,
}

/// The counts so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Lines in all.
    pub total: u64,
    /// Lines that a pattern matched, also as one of several.
    pub matched: u64,
    /// Lines that none matched.
    pub missed: u64,
    /// Lines that count for nothing.
    pub ignored: u64,
    /// Lines that were not judged: too long, or made to be expensive.
    pub skipped: u64,
    /// Lines that the prefix matched.
    #[serde(skip)]
    pub prefix: u64,
    /// Hits of each pattern.
    #[serde(skip)]
    pub fail: Vec<u64>,
    /// Hits of each pattern to ignore.
    #[serde(skip)]
    pub ignore: Vec<u64>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(filter: &Filter) -> Self {
        Self {
            fail: vec![0; filter.fail.len()],
            ignore: vec![0; filter.ignore.len()],
            ..Self::default()
        }
    }

    /// Counts a line.
    pub fn count(&mut self, outcome: &Outcome) -> Fate {
        self.total += 1;
        self.prefix += u64::from(outcome.prefix);
        for found in &outcome.found {
            if let Some(hits) = self.fail.get_mut(found.pattern) {
                *hits += 1;
            }
        }
        for ignored in &outcome.ignored_by {
            if let Some(hits) = self.ignore.get_mut(*ignored) {
                *hits += 1;
            }
        }
        let earlier = (outcome.also.len() as u64).min(self.missed);
        self.missed -= earlier;
        self.matched += earlier;
        let (counter, fate) = if outcome.skipped.is_some() {
            (&mut self.skipped, Fate::Skipped)
        } else if !outcome.ignored_by.is_empty() || outcome.found.iter().any(|found| found.nofail) {
            (&mut self.ignored, Fate::Ignored)
        } else if outcome.found.is_empty() {
            (&mut self.missed, Fate::Missed)
        } else {
            (&mut self.matched, Fate::Matched)
        };
        *counter += 1;
        fate
    }
}
