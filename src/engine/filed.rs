//! Tenants by one kind of name, so that a name is compared with few of many patterns.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::Pattern;

/// Only the admin chooses what stands in it, so that its hash needs no secret.
type Places = HashMap<Box<[u8]>, Vec<u16>, BuildHasherDefault<DefaultHasher>>;

/// Which tenants a name may lead to; whether it does, their patterns say.
#[derive(Debug, Default)]
pub(super) struct Filed {
    /// By whole names.
    names: Places,
    /// By how names end, from a dot on: `*.acme.example`.
    endings: Places,
    /// The most dots that one of those endings has: names with more are no dearer.
    deepest: usize,
    /// By how names begin: `acme-*`.
    beginnings: Places,
    /// How long those beginnings are, each once.
    lengths: Vec<usize>,
    /// By patterns that say neither.
    others: Vec<u16>,
}

/// What of a pattern every name that fits it has.
enum Key<'p> {
    Name(&'p [u8]),
    Ending(&'p [u8]),
    Beginning(&'p [u8]),
    None,
}

impl<'p> Key<'p> {
    fn of(pattern: &'p Pattern) -> Self {
        if let Some(name) = pattern.name() {
            return Self::Name(name);
        }
        let (head, tail) = (pattern.head(), pattern.tail());
        let dot = tail.iter().position(|byte| *byte == b'.');
        match dot.and_then(|dot| tail.get(dot..)) {
            Some(ending) => Self::Ending(ending),
            None if head.is_empty() => Self::None,
            None => Self::Beginning(head),
        }
    }
}

impl Filed {
    /// How dear a list is to look up: patterns that every name is compared with, then patterns.
    pub(super) fn burden(list: &[Pattern]) -> (usize, usize) {
        let count =
            |what: fn(&Key<'_>) -> bool| list.iter().filter(|pattern| what(&Key::of(pattern))).count();
        (
            count(|key| matches!(key, Key::None)),
            count(|key| !matches!(key, Key::Name(_))),
        )
    }

    /// Files a tenant; those before it were filed earlier.
    pub(super) fn add(&mut self, index: u16, list: &[Pattern]) {
        for pattern in list {
            let places = match Key::of(pattern) {
                Key::Name(name) => self.names.entry(name.into()).or_default(),
                Key::Ending(ending) => {
                    self.deepest = self.deepest.max(dots(ending).count());
                    self.endings.entry(ending.into()).or_default()
                }
                Key::Beginning(beginning) => {
                    if !self.lengths.contains(&beginning.len()) {
                        self.lengths.push(beginning.len());
                    }
                    self.beginnings.entry(beginning.into()).or_default()
                }
                Key::None => &mut self.others,
            };
            if places.last() != Some(&index) {
                places.push(index);
            }
        }
    }

    /// Shows lists, each ascending, that together hold every tenant to which the name may lead; no name leads nowhere.
    pub(super) fn each(&self, name: &[u8], mut show: impl FnMut(&[u16])) {
        if name.is_empty() {
            return;
        }
        let mut look = |places: &Places, key: &[u8]| {
            if let Some(found) = places.get(key) {
                show(found);
            }
        };
        if !self.names.is_empty() {
            look(&self.names, name);
        }
        for ending in dots(name)
            .rev()
            .take(self.deepest)
            .filter_map(|dot| name.get(dot..))
        {
            look(&self.endings, ending);
        }
        for beginning in self.lengths.iter().filter_map(|length| name.get(..*length)) {
            look(&self.beginnings, beginning);
        }
        if !self.others.is_empty() {
            show(&self.others);
        }
    }
}

/// Where the dots are.
fn dots(name: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
    name.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'.')
        .map(|(at, _)| at)
}
