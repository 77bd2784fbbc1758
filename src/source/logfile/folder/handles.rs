//! Which files are open.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::super::head::FileId;
use super::super::listing::Seen;
use super::super::problem;
use super::super::tail::{Desk, Tail};
use super::{Folder, MOST_OPEN, race};

impl Folder {
    /// Opens what is to be read.
    pub(super) fn open(&mut self, files: &[Seen]) {
        let sizes: BTreeMap<FileId, u64> = files.iter().map(|seen| (seen.id, seen.size)).collect();
        let mut open = self.tails.iter().filter(|tail| tail.is_open()).count();
        for tail in self.tails.iter_mut().rev() {
            let Some(size) = sizes.get(&tail.id).filter(|size| tail.wants_open(**size)) else {
                continue;
            };
            if open >= MOST_OPEN && *size == tail.next() {
                continue;
            }
            race();
            match tail.open() {
                Ok(true) => open += 1,
                Ok(false) => self.again = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.again = true,
                Err(error) => self.problem = Some(problem::file(&tail.path, &error)),
            }
        }
        let mut idle: Vec<_> = self.tails.iter_mut().filter(|tail| tail.is_open()).collect();
        if idle.len() > MOST_OPEN {
            // measured once for each: time goes on while they are sorted
            idle.sort_by_cached_key(|tail| std::cmp::Reverse(tail.quiet()));
            let surplus = idle.len() - MOST_OPEN;
            // whoever wrote to it a moment ago may do so again, and then to a newer file: seen only while it is open
            let patience = if surplus > MOST_OPEN {
                Duration::ZERO
            } else {
                self.pace.hold
            };
            let is_idle = |tail: &&mut Tail| tail.present && tail.is_read() && tail.quiet() >= patience;
            let idle = idle.into_iter().filter(is_idle);
            idle.take(surplus).for_each(Tail::close);
        }
    }

    /// Closes rotated files to which nothing was written for a long time.
    pub(super) fn close_quiet(&mut self, desk: &mut Desk) {
        for tail in &mut self.tails {
            let patience = if tail.present {
                self.pace.linger
            } else {
                self.pace.linger_nameless
            };
            if tail.is_open() && !tail.current && tail.quiet() >= patience {
                tail.finish(desk);
            }
        }
        self.tails
            .retain(|tail| tail.present || tail.is_open() || tail.lost);
    }
}
