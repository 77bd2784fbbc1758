//! Judges lines, one after the other, as fail2ban does.

use std::borrow::Cow;
use std::sync::Arc;

use crate::buffer::{Buffer, Entry, Taken};
use crate::connection::Connections;
use crate::date::{Detector, read};
use crate::fields::{Fields, Who, fields, filled, text};
use crate::filter::{Filter, Rule};
use crate::pattern::TooHard;

/// Bytes of a line that are looked at: longer lines are skipped, and said to be.
pub const LONGEST_LINE: usize = 16 * 1024;
/// Seconds that the date of one line also stands for following lines without one.
const DATE_LASTS: i64 = 60;

/// Judges the lines of one log.
#[derive(Clone, Debug)]
pub struct Judge {
    filter: Arc<Filter>,
    dates: Detector,
    buffer: Buffer,
    connections: Connections,
    last_date: Option<i64>,
}

/// What one line came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was found; several where a filter tries every pattern.
    pub found: Vec<Found>,
    /// The patterns that said to ignore it, by number from 0.
    pub ignored_by: Vec<usize>,
    /// Whether the filter's prefix matched.
    pub prefix: bool,
    /// Why it was not judged.
    pub skipped: Option<Skipped>,
    /// Earlier lines that turned out to belong to this match.
    pub also: Vec<String>,
    /// The date in it, as it is written.
    pub date: Option<String>,
}

/// Why a line was not judged; nobody is blamed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// It is longer than [`LONGEST_LINE`].
    TooLong,
    /// A pattern or a date template took too many steps on it.
    TooHard,
}

/// A match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The pattern, by number from 0.
    pub pattern: usize,
    /// Whom it is about.
    pub who: Who,
    /// When, in seconds since 1970; `None` when no line says.
    pub at: Option<i64>,
    /// The account.
    pub user: Option<String>,
    /// Whether it is no failure by itself (`<F-NOFAIL>`), only something to remember.
    pub nofail: bool,
}

impl Judge {
    /// A judge that has seen nothing yet.
    pub fn new(filter: Arc<Filter>) -> Self {
        Self {
            dates: filter.dates.clone(),
            buffer: Buffer::new(filter.maxlines),
            connections: Connections::default(),
            last_date: None,
            filter,
        }
    }

    /// Forgets every line so far: what follows has nothing to do with them.
    pub fn forget(&mut self) {
        *self = Self::new(Arc::clone(&self.filter));
    }

    /// The filter.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Names of the date templates and the lines each was found in.
    pub fn date_hits(&self) -> impl Iterator<Item = (&str, u64)> {
        self.dates.hits()
    }

    /// `line` without its date, found as if no line had come before; `None` when that can't be told.
    #[must_use]
    pub fn without_date(&self, line: &str) -> Option<String> {
        let mut dates = self.filter.dates.clone();
        let found = dates.find(line, 0).ok()?;
        let range = found.and_then(|found| found.hit.groups.get(1).cloned().flatten());
        Some(match range {
            Some(range) => Entry::dated(line, range).text().to_owned(),
            None => line.to_owned(),
        })
    }

    /// Judges a line without its end, which arrived at `now` (seconds since 1970).
    pub fn line(&mut self, line: &[u8], now: i64) -> Outcome {
        if line.len() > LONGEST_LINE {
            return Outcome {
                skipped: Some(Skipped::TooLong),
                ..Outcome::default()
            };
        }
        // far faster where it is text, as it nearly always is
        let line = std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
        let mut outcome = Outcome::default();
        if let Err(TooHard) = self.judge(&line, now, &mut outcome) {
            self.buffer.clear();
            return Outcome {
                skipped: Some(Skipped::TooHard),
                ..Outcome::default()
            };
        }
        outcome
    }

    fn judge(&mut self, line: &str, now: i64, outcome: &mut Outcome) -> Result<(), TooHard> {
        let (entry, at) = self.dated(line, now)?;
        outcome.date.clone_from(&entry.date);
        let filter = Arc::clone(&self.filter);
        let before = self.buffer.push(entry);
        let mut text = self.buffer.text();
        let judged = self.patterns(&filter, &mut text, at, now, outcome);
        outcome.also = self.buffer.missing(&before);
        judged
    }

    /// Cuts the date out of a line.
    fn dated(&mut self, line: &str, now: i64) -> Result<(Entry, Option<i64>), TooHard> {
        let filter = Arc::clone(&self.filter);
        let found = self.dates.find(line, now)?;
        let Some(found) = found else {
            return Ok((Entry::undated(line), self.recent(now)));
        };
        let Some(range) = found.hit.groups.get(1).cloned().flatten() else {
            return Ok((Entry::undated(line), self.recent(now)));
        };
        let entry = Entry::dated(line, range.clone());
        if range.is_empty() {
            return Ok((entry, self.recent(now).or(Some(now))));
        }
        let template = found.template;
        let zone = &filter.settings.zone;
        let at = read(line, &found.hit, template.names(), template.reading, now, zone);
        if at.is_some() {
            self.last_date = at;
            return Ok((entry, at));
        }
        // The text stays cut out even if it is no moment, as long as no earlier date stands in for it.
        match self.recent(now) {
            Some(recent) => Ok((Entry::undated(line), Some(recent))),
            None => Ok((entry, None)),
        }
    }

    fn recent(&self, now: i64) -> Option<i64> {
        self.last_date.filter(|last| *last > now - DATE_LASTS)
    }

    fn patterns(
        &mut self,
        filter: &Filter,
        buffered: &mut String,
        at: Option<i64>,
        now: i64,
        outcome: &mut Outcome,
    ) -> Result<(), TooHard> {
        let every = filter.settings.every_pattern;
        // Few patterns to ignore are tried before many that match.
        if !filter.ignore.is_empty()
            && filter.ignore.len() + 2 < filter.fail.len()
            && self.ignored(filter, buffered, None, outcome)?
        {
            return Ok(());
        }
        let mut before = Fields::new();
        let mut content = None;
        if let Some(prefix) = &filter.prefix {
            let hit = match &filter.beginning {
                Some(beginning) => beginning.search(&prefix.pattern, buffered)?,
                None => prefix.pattern.search(buffered)?,
            };
            let Some(hit) = hit else {
                return Ok(());
            };
            outcome.prefix = true;
            before = fields(&prefix.pattern, &hit, buffered);
            content = before
                .remove("content")
                .flatten()
                .filter(|content| !content.is_empty());
        }
        let original = self.buffer.lines();
        if let Some(content) = content {
            buffered.clear();
            buffered.push_str(&content);
            buffered.push('\n');
            self.buffer.replace(content);
        }
        for (number, rule) in filter.fail.iter().enumerate() {
            let Some(hit) = rule.pattern.search(buffered)? else {
                continue;
            };
            let taken = Taken::of(&rule.pattern, &hit, buffered, &original);
            let line = fields(&rule.pattern, &hit, buffered);
            if !filter.ignore.is_empty() && self.ignored(filter, buffered, Some(&taken), outcome)? {
                *buffered = self.buffer.text();
                if every {
                    continue;
                }
                break;
            }
            if !every || filter.maxlines > 1 {
                self.buffer.keep(taken.left);
                *buffered = self.buffer.text();
            }
            let mut all = before.clone();
            all.extend(line);
            let found = self.found(number, all, at, now);
            let nofail = found.nofail;
            let pending = found.who == Who::Pending;
            if every || !(nofail || pending) {
                outcome.found.push(found);
            }
            if !every {
                break;
            }
        }
        Ok(())
    }

    fn found(&mut self, pattern: usize, line: Fields, at: Option<i64>, now: i64) -> Found {
        let make = |fields: &Fields, merged: bool| {
            let nofail = merged && filled(fields, "nofail");
            Found {
                pattern,
                who: Who::of(fields),
                at,
                user: text(fields, "user")
                    .filter(|user| !user.is_empty())
                    .map(str::to_owned),
                nofail,
            }
        };
        let Some(id) = text(&line, "mlfid").map(str::to_owned) else {
            let mut found = make(&line, false);
            found.nofail = filled(&line, "nofail");
            return found;
        };
        let every = self.filter.settings.every_pattern;
        self.connections.merge(&id, line, now, |connection| {
            let found = make(&connection.fields, true);
            if found.who == Who::Pending && (every || !found.nofail) {
                connection.pending = true;
            }
            found
        })
    }

    /// Whether a pattern says to ignore the line, or the lines of the match.
    fn ignored(
        &mut self,
        filter: &Filter,
        buffered: &str,
        taken: Option<&Taken>,
        outcome: &mut Outcome,
    ) -> Result<bool, TooHard> {
        let every = filter.settings.every_pattern;
        let matched = taken.filter(|_| filter.maxlines > 1).map(Taken::text);
        let looked_at = matched.as_deref().unwrap_or(buffered);
        let mut any = false;
        for (number, rule) in filter.ignore.iter().enumerate() {
            if rule.pattern.search(looked_at)?.is_none() {
                continue;
            }
            any = true;
            outcome.ignored_by.push(number);
            if (!every || filter.maxlines > 1)
                && let Some(taken) = taken
            {
                self.buffer.keep(taken.left.clone());
            }
            if !every {
                break;
            }
        }
        Ok(any)
    }
}

impl Rule {
    /// Whether the pattern matches `text`, which is one line with its line feed.
    pub fn matches(&self, text: &str) -> bool {
        self.pattern.is_match(text).unwrap_or(false)
    }
}
