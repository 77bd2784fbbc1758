//! A pattern, compiled: linear where it can be, bounded where it can't.

pub mod cases;
mod class;
pub mod expand;
mod flags;
mod linear;
mod names;
mod repeats;
pub mod room;
mod translate;

use std::ops::Range;

use linear::Linear;
use room::Room;
use translate::translate;
pub use translate::{LONGEST, Lines};

/// Steps back that a search of the backtracking engine may take before it gives up.
pub const BACKTRACK_LIMIT: usize = 100_000;
/// Bytes that one part of a pattern for the backtracking engine may take; all parts were measured together before.
const SIZE_LIMIT: usize = 32 << 20;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    engine: Engine,
    names: Vec<(usize, String)>,
}

#[derive(Clone, Debug)]
enum Engine {
    Linear(Linear),
    Backtracking(Box<Backtracking>),
}

#[derive(Clone, Debug)]
struct Backtracking {
    /// What matches wherever the exact one does, where it compiles: looked at first.
    loose: Option<Linear>,
    exact: fancy_regex::Regex,
    /// The linear patterns that it is made of, if it is.
    cases: Vec<Linear>,
    /// A linear pattern that finds the same in ASCII.
    same: Option<Linear>,
}

/// Where a pattern matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// Every group, the whole match first.
    pub groups: Vec<Option<Range<usize>>>,
}

impl Hit {
    /// The whole match.
    pub fn whole(&self) -> Range<usize> {
        self.groups.first().cloned().flatten().unwrap_or(0..0)
    }
}

/// A search that took too many steps: the text was made to be expensive, and nothing is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern took more than {BACKTRACK_LIMIT} steps back")]
pub struct TooHard;

impl Pattern {
    /// Compiles a pattern in Python's syntax whose tags are expanded, within what `room` leaves.
    ///
    /// # Errors
    /// What can't be honoured, in words.
    pub fn new(expanded: &str, lines: Lines, room: &Room) -> Result<Self, String> {
        Self::build(expanded, lines, None, room)
    }

    /// The same, where the character `half` stands for a place that is not inside a word.
    ///
    /// # Errors
    /// What can't be honoured, in words.
    pub fn with_half_boundaries(
        expanded: &str,
        half: char,
        lines: Lines,
        room: &Room,
    ) -> Result<Self, String> {
        Self::build(expanded, lines, Some(half), room)
    }

    #[cfg(test)]
    fn without_cases(expanded: &str, lines: Lines) -> Result<Self, String> {
        let mut pattern = Self::new(expanded, lines, &Room::default())?;
        if let Engine::Backtracking(engine) = &mut pattern.engine {
            engine.cases.clear();
            engine.same = None;
        }
        Ok(pattern)
    }

    fn build(expanded: &str, lines: Lines, half: Option<char>, room: &Room) -> Result<Self, String> {
        let translated = translate(expanded, lines, half)?;
        let engine = if translated.linear {
            Engine::Linear(Linear::new(translated.exact, room)?)
        } else {
            // the engine compiles its parts one by one: how large they are together is seen without look-around
            room.compile(|limit| {
                regex::RegexBuilder::new(&translated.flat)
                    .size_limit(limit)
                    .build()
            })?;
            let exact = fancy_regex::RegexBuilder::new(&translated.exact)
                .backtrack_limit(BACKTRACK_LIMIT)
                .delegate_size_limit(SIZE_LIMIT)
                .build()
                .map_err(|error| error.to_string())?;
            Engine::Backtracking(Box::new(Backtracking {
                loose: Linear::new(translated.loose, room).ok(),
                exact,
                cases: linear_cases(expanded, lines, half, room).unwrap_or_default(),
                same: names::without_lookahead(expanded)
                    .and_then(|pattern| translate(&pattern, lines, half).ok())
                    .filter(|translated| translated.linear)
                    .and_then(|translated| Linear::new(translated.exact, room).ok()),
            }))
        };
        let mut pattern = Self {
            engine,
            names: Vec::new(),
        };
        pattern.names = pattern.capture_names();
        Ok(pattern)
    }

    /// Whether its search takes time linear in the text, whatever the text.
    pub fn is_linear(&self) -> bool {
        matches!(self.engine, Engine::Linear(_))
    }

    /// Its named groups and their numbers.
    pub fn names(&self) -> &[(usize, String)] {
        &self.names
    }

    fn capture_names(&self) -> Vec<(usize, String)> {
        match &self.engine {
            Engine::Linear(linear) => linear.names(),
            Engine::Backtracking(engine) => {
                let named = |(at, name): (usize, Option<&str>)| name.map(|name| (at, name.to_owned()));
                engine
                    .exact
                    .capture_names()
                    .enumerate()
                    .filter_map(named)
                    .collect()
            }
        }
    }

    /// The first match in `text`.
    pub fn search(&self, text: &str) -> Result<Option<Hit>, TooHard> {
        self.search_from(text, 0)
    }

    /// The first match that begins at byte `from` of `text` or later.
    pub fn search_from(&self, text: &str, from: usize) -> Result<Option<Hit>, TooHard> {
        match &self.engine {
            Engine::Linear(linear) => linear.search(text, from),
            Engine::Backtracking(engine) => engine.search(text, from),
        }
    }

    /// Where the first match lies; `None` also where the pattern is not linear.
    pub fn find(&self, text: &str) -> Result<Option<Range<usize>>, TooHard> {
        match &self.engine {
            Engine::Linear(linear) => linear.find(text, 0),
            Engine::Backtracking(..) => Ok(None),
        }
    }

    /// Whether it matches anywhere.
    pub fn is_match(&self, text: &str) -> Result<bool, TooHard> {
        match &self.engine {
            Engine::Linear(linear) => linear.is_match(text, 0),
            Engine::Backtracking(..) => Ok(self.search(text)?.is_some()),
        }
    }
}

impl Backtracking {
    fn search(&self, text: &str, from: usize) -> Result<Option<Hit>, TooHard> {
        if let Some(same) = self.same.as_ref().filter(|_| text.is_ascii()) {
            return same.search(text, from);
        }
        let mut matching = Vec::new();
        for case in &self.cases {
            if case.is_match(text, from)? {
                matching.push(case);
            }
        }
        match matching.as_slice() {
            [] if !self.cases.is_empty() => return Ok(None),
            [only] => return only.groups(text, from),
            _ => {}
        }
        if let Some(loose) = &self.loose
            && !loose.is_match(text, from)?
        {
            return Ok(None);
        }
        let found = self.exact.captures_from_pos(text, from).map_err(|_| TooHard)?;
        Ok(found.map(|captures| Hit {
            groups: (0..captures.len())
                .map(|n| captures.get(n).map(|m| m.range()))
                .collect(),
        }))
    }
}

/// Empty if one of them is not linear.
fn linear_cases(expanded: &str, lines: Lines, half: Option<char>, room: &Room) -> Option<Vec<Linear>> {
    let linear = |case: String| {
        let translated = translate(&case, lines, half).ok()?;
        translated
            .linear
            .then(|| Linear::new(translated.exact, room).ok())?
    };
    cases::cases(expanded)?.into_iter().map(linear).collect()
}
