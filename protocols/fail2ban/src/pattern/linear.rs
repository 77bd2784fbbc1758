//! Patterns that take time linear in the text.

use std::sync::{Arc, OnceLock};

use super::room::Room;
use super::{Hit, TooHard};

/// A pattern for the linear engine, compiled for ASCII at once and for everything else when such a text comes.
///
/// Both mean the same on ASCII, where the one without Unicode's classes is many times smaller and faster.
#[derive(Clone, Debug)]
pub struct Linear {
    text: String,
    ascii: Option<regex::bytes::Regex>,
    /// Shared with its copies, so that none compiles it again.
    unicode: Arc<OnceLock<Option<regex::Regex>>>,
    room: Room,
}

impl Linear {
    /// Compiles a translated pattern, within what `room` leaves.
    pub fn new(text: String, room: &Room) -> Result<Self, String> {
        let ascii = |limit| {
            regex::bytes::RegexBuilder::new(&text)
                .unicode(false)
                .size_limit(limit)
                .build()
        };
        let ascii = room.compile(ascii).ok();
        let made = Self {
            text,
            ascii,
            unicode: Arc::default(),
            room: room.clone(),
        };
        if made.ascii.is_none() {
            let compiled = made.compile()?;
            // Nothing else has set it: nobody else knows of it yet.
            let _ = made.unicode.set(Some(compiled));
        }
        Ok(made)
    }

    fn compile(&self) -> Result<regex::Regex, String> {
        self.room
            .compile(|limit| regex::RegexBuilder::new(&self.text).size_limit(limit).build())
    }

    fn unicode(&self) -> Result<&regex::Regex, TooHard> {
        let compiled = self.unicode.get_or_init(|| self.compile().ok());
        compiled.as_ref().ok_or(TooHard)
    }

    /// Its named groups and their numbers.
    pub fn names(&self) -> Vec<(usize, String)> {
        let named = |(at, name): (usize, Option<&str>)| name.map(|name| (at, name.to_owned()));
        match &self.ascii {
            Some(ascii) => ascii.capture_names().enumerate().filter_map(named).collect(),
            None => self.unicode().map_or_else(
                |_| Vec::new(),
                |unicode| unicode.capture_names().enumerate().filter_map(named).collect(),
            ),
        }
    }

    /// Whether it matches from byte `from` on.
    pub fn is_match(&self, text: &str, from: usize) -> Result<bool, TooHard> {
        match &self.ascii {
            Some(ascii) if text.is_ascii() => Ok(ascii.is_match_at(text.as_bytes(), from)),
            _ => Ok(self.unicode()?.is_match_at(text, from)),
        }
    }

    /// The first match from byte `from` on.
    pub fn search(&self, text: &str, from: usize) -> Result<Option<Hit>, TooHard> {
        // Most searches find nothing, which is known without places to note groups in.
        if !self.is_match(text, from)? {
            return Ok(None);
        }
        self.groups(text, from)
    }

    /// Where the first match from byte `from` on lies, without its groups.
    pub fn find(&self, text: &str, from: usize) -> Result<Option<std::ops::Range<usize>>, TooHard> {
        Ok(match &self.ascii {
            Some(ascii) if text.is_ascii() => ascii.find_at(text.as_bytes(), from).map(|found| found.range()),
            _ => self.unicode()?.find_at(text, from).map(|found| found.range()),
        })
    }

    /// The same for a text that is known to match.
    pub fn groups(&self, text: &str, from: usize) -> Result<Option<Hit>, TooHard> {
        let groups = match &self.ascii {
            Some(ascii) if text.is_ascii() => {
                let mut places = ascii.capture_locations();
                if ascii
                    .captures_read_at(&mut places, text.as_bytes(), from)
                    .is_none()
                {
                    return Ok(None);
                }
                let range = |n| places.get(n).map(|(start, end)| start..end);
                (0..places.len()).map(range).collect()
            }
            _ => {
                let unicode = self.unicode()?;
                let mut places = unicode.capture_locations();
                if unicode.captures_read_at(&mut places, text, from).is_none() {
                    return Ok(None);
                }
                let range = |n| places.get(n).map(|(start, end)| start..end);
                (0..places.len()).map(range).collect()
            }
        };
        Ok(Some(Hit { groups }))
    }
}
