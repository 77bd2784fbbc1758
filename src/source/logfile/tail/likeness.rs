//! Whether a file begins as it did, and whether others begin like it: so copies are told from new files.

use std::io;

use super::super::bytes::{beginning, open_regular};
use super::super::head::{Alike, Head};
use super::Tail;

/// Beginnings that are remembered of a file that began anew again before it was read.
const MOST_SUCCESSORS: usize = 8;

impl Tail {
    /// Whether it was not looked into since the start.
    pub(in super::super) fn is_unknown(&self) -> bool {
        !self.known && !self.aside
    }

    /// Sees whether it still begins as it did, before other files are compared with it. `false` when it must be looked for
    /// again.
    ///
    /// One that is not open changes only while nobody reads: when it grows it is opened.
    pub(in super::super) fn peek(&mut self) -> bool {
        if self.aside || (self.known && !self.is_open()) {
            return true;
        }
        let start = match self.start() {
            Ok(start) => start,
            // renamed since it was listed
            Err(error) if error.kind() == io::ErrorKind::NotFound => return !self.present || self.known,
            Err(_) => return true,
        };
        self.known = true;
        self.head.learn(&start);
        if self.head.len() == 0 {
            if self.next() == 0 {
                self.head = Head::new(&start);
            }
            // only now it is known: a copy may have been made since the files were listed
            return self.head.len() == 0;
        }
        while self.successors.back().is_some_and(|head| head.len() == 0) {
            self.successors.pop_back();
        }
        if let Some(last) = self.successors.back_mut() {
            last.learn(&start);
        }
        let last = self.successors.back().unwrap_or(&self.head);
        if last.compare(&start) != Alike::Yes {
            self.successors.truncate(MOST_SUCCESSORS - 1);
            self.successors.push_back(Head::new(&start));
        }
        true
    }

    /// What it begins with now.
    fn start(&self) -> io::Result<Vec<u8>> {
        if let Some(file) = &self.file {
            return beginning(file);
        }
        match open_regular(&self.path)? {
            (file, id) if id == self.id => beginning(&file),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether a file that was found to begin with `start` can't be a copy of this one, although it begins with what was read of
    /// it: this one was not truncated, and does not begin so.
    pub(in super::super) fn goes_on_otherwise(&self, start: &[u8]) -> bool {
        self.start()
            .is_ok_and(|now| self.head.compare(&now) == Alike::Yes && !now.starts_with(start))
    }

    /// Whether a file that begins with `start` may have its contents, or those it has now.
    pub(in super::super) fn compare(&self, start: &[u8]) -> Alike {
        let known = std::iter::once(&self.head).chain(&self.successors);
        let known = known.filter(|head| head.len() > 0);
        known.fold(Alike::No, |alike, head| match (alike, head.compare(start)) {
            (Alike::Yes, _) | (_, Alike::Yes) => Alike::Yes,
            (Alike::Perhaps, _) | (_, Alike::Perhaps) => Alike::Perhaps,
            (Alike::No, Alike::No) => Alike::No,
        })
    }
}
