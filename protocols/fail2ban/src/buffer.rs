//! The lines that a pattern over several lines may still match.

use std::collections::VecDeque;
use std::ops::Range;

use crate::pattern::{Hit, Pattern};

/// A line in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole line.
    full: String,
    /// The line without its date.
    text: String,
    /// The date.
    pub date: Option<String>,
}

impl Entry {
    /// The line without its date.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line without a date in it.
    pub fn undated(line: &str) -> Self {
        Self {
            full: line.to_owned(),
            text: line.to_owned(),
            date: None,
        }
    }

    /// A line whose date stands at `date`.
    pub fn dated(line: &str, date: Range<usize>) -> Self {
        let before = line.get(..date.start).unwrap_or_default();
        let behind = line.get(date.end..).unwrap_or_default();
        Self {
            full: line.to_owned(),
            text: format!("{before}{behind}"),
            date: line.get(date).map(str::to_owned),
        }
    }
}

/// The last lines.
#[derive(Clone, Debug)]
pub struct Buffer {
    lines: VecDeque<Entry>,
    most: usize,
}

/// Bytes that the buffered lines may have together; the oldest go first.
const LARGEST: usize = 1 << 20;

impl Buffer {
    /// A buffer of `most` lines.
    pub fn new(most: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            most: most.max(1),
        }
    }

    /// Adds a line; the earlier lines that are still there.
    pub fn push(&mut self, entry: Entry) -> Vec<Entry> {
        if self.most == 1 {
            self.lines.clear();
        }
        let mut size: usize = self.lines.iter().map(|line| line.full.len()).sum::<usize>() + entry.full.len();
        while self.lines.len() >= self.most || size > LARGEST {
            match self.lines.pop_front() {
                Some(gone) => size -= gone.full.len(),
                None => break,
            }
        }
        let before = self.lines.iter().cloned().collect();
        self.lines.push_back(entry);
        before
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// All lines without their dates, each with a line feed.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&line.text);
            text.push('\n');
        }
        // fail2ban's empty buffer is an empty line.
        if text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// A copy of the lines where a pattern may take several; just the last where it can't.
    pub fn lines(&self) -> Vec<Entry> {
        if self.most == 1 {
            Vec::new()
        } else {
            self.lines.iter().cloned().collect()
        }
    }

    /// Replaces the lines by what the prefix found.
    pub fn replace(&mut self, content: String) {
        self.keep(vec![Entry {
            full: content.clone(),
            text: content,
            date: None,
        }]);
    }

    /// Replaces the lines.
    pub fn keep(&mut self, lines: Vec<Entry>) {
        self.lines = lines.into();
    }

    /// Those of `before` that are gone, in full.
    pub fn missing(&self, before: &[Entry]) -> Vec<String> {
        let gone = before.iter().filter(|line| !self.lines.contains(line));
        gone.map(|line| line.full.clone()).collect()
    }
}

/// Which lines of the buffer a match took, and which it left.
#[derive(Clone, Debug)]
pub struct Taken {
    matched: Vec<Entry>,
    /// What stays in the buffer.
    pub left: Vec<Entry>,
}

impl Taken {
    /// The lines among `lines` that `hit` in `text` covers; lines that `<SKIPLINES>` passed over are left.
    pub fn of(pattern: &Pattern, hit: &Hit, text: &str, lines: &[Entry]) -> Self {
        if lines.len() <= 1 {
            return Self {
                matched: lines.to_vec(),
                left: Vec::new(),
            };
        }
        let place = hit.whole();
        let feeds = |range: Range<usize>| text.get(range).unwrap_or_default().matches('\n').count();
        let start = text
            .get(..=place.start)
            .unwrap_or(text)
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let from = place.end.saturating_sub(1);
        let end = text
            .get(from..)
            .and_then(|rest| rest.find('\n'))
            .map_or(text.len(), |at| from + at + 1);
        let (first, last) = (feeds(0..start), feeds(0..end));
        let mut matched: Vec<Entry> = lines
            .get(first..last.min(lines.len()))
            .unwrap_or_default()
            .to_vec();
        let mut left: Vec<Entry> = lines.get(..first.min(lines.len())).unwrap_or_default().to_vec();
        let skipped = pattern
            .names()
            .iter()
            .filter(|(_, name)| name.starts_with("skiplines"));
        let skipped = skipped.filter_map(|(at, _)| text.get(hit.groups.get(*at).cloned().flatten()?));
        let mut from = 0;
        for line in skipped.flat_map(str::lines) {
            let rest = matched.get(from..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|entry| entry.text == line) {
                left.push(matched.remove(from + at));
                from += at;
            }
        }
        left.extend(
            lines
                .get(last.min(lines.len())..)
                .unwrap_or_default()
                .iter()
                .cloned(),
        );
        Self { matched, left }
    }

    /// The matched lines without their dates.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.matched {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }
}
