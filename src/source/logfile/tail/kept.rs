//! What is kept of a file for a restart.

use serde::{Deserialize, Serialize};

use super::super::head::{FileId, Head, KeptHead};
use super::super::splitter::Splitter;
use super::Tail;

/// A file's place as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Mark {
    path: String,
    base: String,
    id: FileId,
    at: u64,
    #[serde(default)]
    skip: bool,
    #[serde(flatten)]
    head: KeptHead,
    #[serde(default)]
    successors: Vec<KeptHead>,
    #[serde(default)]
    gap: bool,
    #[serde(default)]
    aside: bool,
    #[serde(default)]
    searching: bool,
    #[serde(default)]
    unsure: bool,
    #[serde(default)]
    done: bool,
    /// Rotated or deleted, and read to its end.
    #[serde(default)]
    read: bool,
}

impl Tail {
    pub(in super::super) fn from_mark(mark: Mark) -> Self {
        let mut tail = Self::new(mark.id, mark.path.into(), mark.base.into(), mark.at);
        tail.splitter = Splitter::at(mark.at, mark.skip);
        tail.head = mark.head.into();
        tail.successors = mark.successors.into_iter().map(Head::from).collect();
        tail.gap = mark.gap;
        tail.present = false;
        tail.lost = true;
        (tail.known, tail.read_when_kept) = (false, mark.read);
        (tail.aside, tail.searching) = (mark.aside, mark.searching);
        (tail.unsure, tail.done) = (mark.unsure, mark.done);
        tail
    }

    pub(in super::super) fn mark(&self) -> Mark {
        let (at, skip) = self.place();
        Mark {
            path: self.path.to_string_lossy().into_owned(),
            base: self.base.to_string_lossy().into_owned(),
            id: self.id,
            at,
            skip,
            head: KeptHead::from(&self.head),
            successors: self.successors.iter().map(KeptHead::from).collect(),
            gap: self.gap,
            aside: self.aside,
            searching: self.searching,
            unsure: self.unsure,
            done: self.done,
            read: if self.lost {
                self.read_when_kept
            } else {
                !self.current && self.place().0 == self.size
            },
        }
    }
}
