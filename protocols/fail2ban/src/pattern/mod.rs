//! A pattern, compiled: linear where it can be, bounded where it can't.

mod class;
pub mod expand;
mod flags;
mod linear;
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
    /// The loose pattern first, where there is one that compiles.
    Backtracking(Option<Linear>, Box<fancy_regex::Regex>),
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
            Engine::Backtracking(Linear::new(translated.loose, room).ok(), Box::new(exact))
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
            Engine::Backtracking(_, regex) => {
                let named = |(at, name): (usize, Option<&str>)| name.map(|name| (at, name.to_owned()));
                regex.capture_names().enumerate().filter_map(named).collect()
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
            Engine::Backtracking(loose, regex) => {
                if let Some(loose) = loose
                    && !loose.is_match(text, from)?
                {
                    return Ok(None);
                }
                let found = regex.captures_from_pos(text, from).map_err(|_| TooHard)?;
                Ok(found.map(|captures| Hit {
                    groups: (0..captures.len())
                        .map(|n| captures.get(n).map(|m| m.range()))
                        .collect(),
                }))
            }
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
