//! Where a piece of configuration stands, so that every complaint can point at it.

use std::ops::Range;
use std::path::PathBuf;

/// A range of bytes in one of the [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    source: usize,
    start: usize,
    end: usize,
}

impl Place {
    pub(super) fn new(source: usize, range: &Range<usize>) -> Self {
        Self {
            source,
            start: range.start,
            end: range.end.max(range.start),
        }
    }

    pub(super) fn source(self) -> usize {
        self.source
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Something found, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One file, or one variable of the environment.
#[derive(Debug)]
pub(super) struct Source {
    /// As the admin knows it: the path as it was given, or `environment`.
    pub(super) name: String,
    /// Relative paths in it start here.
    pub(super) folder: PathBuf,
    /// All of it.
    pub(super) text: String,
    /// The file's permission bits; `None` for the environment.
    pub(super) mode: Option<u32>,
    /// Whether it has syntax errors: what was understood of it is then too little to complain about more.
    pub(super) broken: bool,
}

/// Everything that was read, in the order in which later ones win.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Adds one and gives its index.
    pub(super) fn add(&mut self, source: Source) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    pub(super) fn at(&self, index: usize) -> Option<&Source> {
        self.0.get(index)
    }

    pub(super) fn mark_broken(&mut self, index: usize) {
        if let Some(source) = self.0.get_mut(index) {
            source.broken = true;
        }
    }

    pub(super) fn is_broken(&self, place: Place) -> bool {
        self.at(place.source).is_some_and(|source| source.broken)
    }

    pub(super) fn any_broken(&self) -> bool {
        self.0.iter().any(|source| source.broken)
    }

    /// Line and column, both from 1, the column in characters.
    pub(super) fn line_column(&self, place: Place) -> (usize, usize) {
        let text = self.at(place.source).map_or("", |source| source.text.as_str());
        let before = text.get(..place.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
        (before.matches('\n').count() + 1, column)
    }
}
