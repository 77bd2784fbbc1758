//! The files of one path: which there are, in which order they are read, and what a rotation made of them.

mod fresh;
mod handles;
#[cfg(test)]
mod model;

#[cfg(test)]
pub(super) use model::race;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::bytes::{beginning, open_regular};
use super::head::{Alike, FileId};
use super::listing::{self, Known, Seen};
use super::pattern::Pattern;
use super::problem;
use super::settings::{Pace, Start};
use super::tail::{Desk, Mark, Progress, Tail};
use crate::clock::Stopwatch;

/// Files that are known of at most, for each path; rotated ones that were read are forgotten first.
const MOST_FILES: usize = 512;
/// Files that are open at most, for each path: others are closed that were read and to which nothing was written for a while.
/// Twice as many, when something was written to all of them.
const MOST_OPEN: usize = 64;
/// How often in a row a directory may be found changing before what was found is taken as it is.
const MOST_HURRIED: u32 = 50;
/// Forgotten files that are remembered not to be read again.
const MOST_PASSED: usize = 4096;

/// Here others may do something: the model lets them.
#[cfg(not(test))]
pub(super) const fn race() {}

/// What a look at the files gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Everything was read.
    Done,
    /// There is more.
    More,
}

/// The files of one path.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) pattern: Pattern,
    /// How files are read that are there already; `None` once that was decided.
    start: Option<Start>,
    pace: Pace,
    /// Oldest first: in this order they are read.
    tails: Vec<Tail>,
    /// Files that are empty, or may become copies of others: since when, and how long they were.
    held: BTreeMap<FileId, (PathBuf, u64, Stopwatch)>,
    passed: VecDeque<FileId>,
    /// New files that can't be read before the others are known: open, so that they may be renamed or deleted meanwhile.
    pinned: BTreeMap<FileId, (File, u32)>,
    /// Names whose next file comes after a gap.
    gaps: BTreeSet<OsString>,
    pub(super) elsewhere: Vec<PathBuf>,
    /// Why the path, or one of its files, can't be read.
    pub(super) problem: Option<String>,
    /// There is no such file.
    pub(super) bare: bool,
    /// The directory changed while it was looked at.
    again: bool,
    /// A new file waits for another scan; what is older may be read.
    soon: bool,
    /// How often in a row.
    hurried: u32,
}

impl Folder {
    /// A path that is read for the first time, or on from where it was read to.
    pub(super) fn new(pattern: Pattern, start: Start, pace: Pace, marks: Option<Vec<Mark>>) -> Self {
        Self {
            pattern,
            start: marks.is_none().then_some(start),
            pace,
            tails: marks.into_iter().flatten().map(Tail::from_mark).collect(),
            held: BTreeMap::new(),
            passed: VecDeque::new(),
            pinned: BTreeMap::new(),
            gaps: BTreeSet::new(),
            elsewhere: Vec::new(),
            problem: None,
            bare: false,
            again: false,
            soon: false,
            hurried: 0,
        }
    }

    /// What is kept for a restart; `None` before anything is known.
    pub(super) fn marks(&self) -> Option<Vec<Mark>> {
        self.start
            .is_none()
            .then(|| self.tails.iter().map(Tail::mark).collect())
    }

    /// Whether a file that is written to is read.
    pub(super) fn flows(&self) -> bool {
        self.tails.iter().any(|tail| tail.current && tail.is_open())
    }

    /// Whether a file is open.
    pub(super) fn has_open(&self) -> bool {
        self.tails.iter().any(Tail::is_open)
    }

    /// Whether everything was read, as far as is known.
    pub(super) fn is_read(&self) -> bool {
        let is_read = |tail: &Tail| tail.aside || tail.done || tail.is_read();
        self.held.is_empty() && self.tails.iter().all(is_read)
    }

    /// Whether a file that waited has grown, or the directory was changing.
    pub(super) fn is_due(&self) -> bool {
        self.again || self.soon || self.has_grown()
    }

    /// Whether a file that waited has grown.
    fn has_grown(&self) -> bool {
        self.held.iter().any(|(id, (path, size, since))| {
            let grown = std::fs::metadata(path).map_or(true, |metadata| {
                metadata.len() != *size || metadata.ino() != id.ino
            });
            grown || (*size > 0 && since.elapsed() > self.pace.hold)
        })
    }

    /// Looks which files there are.
    pub(super) fn scan(&mut self) {
        let hurried = std::mem::take(&mut self.again);
        self.soon = false;
        self.problem = None;
        let known = Known {
            inodes: self.tails.iter().map(|tail| tail.id.ino).collect(),
            bases: self.tails.iter().map(|tail| tail.base.clone()).collect(),
        };
        let listing = match listing::list(&self.pattern, &known) {
            Ok(listing) => listing,
            Err(error) => {
                self.problem = Some(problem::folder(&self.pattern.folder, &error));
                if error.kind() == io::ErrorKind::NotFound {
                    // whatever comes is new
                    self.start = None;
                    self.recognise(&[]);
                }
                return;
            }
        };
        self.elsewhere = listing.elsewhere;
        let fresh = self.recognise(&listing.files);
        self.again = listing.unsettled;
        self.bare = !listing.files.iter().any(|seen| seen.meant);
        if self.bare {
            self.problem = Some(problem::nothing(&self.pattern));
        }
        let held = std::mem::take(&mut self.held);
        match self.start.take() {
            Some(start) => self.take_first(&fresh, start),
            None => self.take_fresh(fresh, &held, &known, &listing.files),
        }
        if !self.again && !self.soon {
            self.pinned.clear();
        }
        self.hurried = if self.again || hurried {
            self.hurried + 1
        } else {
            0
        };
        self.tails.sort_by_cached_key(|tail| {
            let order = if tail.present {
                tail.order.clone()
            } else {
                (i64::MIN, Vec::new())
            };
            (tail.current, order)
        });
        if !self.again || self.hurried >= MOST_HURRIED {
            self.drop_lost();
        }
        self.open(&listing.files);
    }

    /// Finds the known files among those seen; gives the others.
    fn recognise(&mut self, files: &[Seen]) -> Vec<Seen> {
        for tail in &mut self.tails {
            (tail.present, tail.current) = (false, false);
        }
        let mut fresh = Vec::new();
        for seen in files {
            let exact = self.tails.iter().position(|tail| tail.id == seen.id);
            let found = exact.or_else(|| {
                let may_be = |tail: &Tail| tail.lost && tail.id.may_be(&seen.id);
                self.tails.iter().position(may_be)
            });
            let Some(tail) = found.and_then(|at| self.tails.get_mut(at)) else {
                if !self.passed.contains(&seen.id) {
                    fresh.push(seen.clone());
                }
                continue;
            };
            tail.id = seen.id;
            (tail.present, tail.current, tail.lost) = (true, seen.current, false);
            tail.path.clone_from(&seen.path);
            tail.order = seen.order();
            tail.is_seen(seen.size);
            if seen.current {
                tail.base.clone_from(&seen.base);
            }
        }
        fresh
    }

    /// Lets go of files that have no name any more and are not open.
    fn drop_lost(&mut self) {
        let gone: Vec<_> = {
            let is_gone = |tail: &mut Tail| !tail.present && !tail.is_open();
            self.tails.extract_if(.., is_gone).collect()
        };
        for tail in gone {
            if tail.aside || tail.done || tail.is_read() {
                continue;
            }
            match self.continue_in_copy(&tail) {
                Some(true) => continue,
                Some(false) => {}
                None => {
                    self.tails.insert(0, tail);
                    continue;
                }
            }
            let next = |next: &&mut Tail| next.current && next.base == tail.base;
            match self.tails.iter_mut().find(next) {
                Some(next) => next.gap = true,
                None => drop(self.gaps.insert(tail.base)),
            }
        }
    }

    /// Goes on in the longest copy of `tail`, if there is one that has what was not read of it; `None` when that can only be
    /// said after another scan.
    fn continue_in_copy(&mut self, tail: &Tail) -> Option<bool> {
        let mut best: Option<(usize, File, u64)> = None;
        for (at, copy) in self.tails.iter().enumerate() {
            if !copy.aside || copy.base != tail.base || copy.id == tail.id || tail.head.len() == 0 {
                continue;
            }
            race();
            let (file, id) = match open_regular(&copy.path) {
                Ok((file, id)) if id == copy.id => (file, id),
                Err(error) if error.kind() != io::ErrorKind::NotFound => continue,
                // renamed since it was seen
                _ if self.hurried < MOST_HURRIED => {
                    self.again = true;
                    return None;
                }
                _ => continue,
            };
            let (Ok(start), Ok(metadata)) = (beginning(&file), file.metadata()) else {
                continue;
            };
            let size = metadata.len();
            if id == copy.id
                && tail.head.compare(&start) == Alike::Yes
                && size >= tail.place().0
                && best.as_ref().is_none_or(|(_, _, longest)| size > *longest)
            {
                best = Some((at, file, size));
            }
        }
        let Some((at, file, _)) = best else {
            return Some(false);
        };
        let copy = self.tails.get_mut(at)?;
        copy.go_on_from(tail);
        Some(copy.adopt(file).is_ok())
    }

    fn make_room(&mut self) {
        while self.tails.len() > MOST_FILES {
            let spare = |tail: &Tail| !tail.current && (tail.aside || !tail.is_open());
            let at = self.tails.iter().position(spare).unwrap_or(0);
            let tail = self.tails.remove(at);
            self.passed.push_back(tail.id);
            if self.passed.len() > MOST_PASSED {
                self.passed.pop_front();
            }
            if tail.current {
                self.problem = Some(problem::too_many(&self.pattern, MOST_FILES));
            }
        }
    }

    /// Reads what there is.
    ///
    /// The newest file is measured first and read last: whoever wrote to an older file and then to a newer one is read in
    /// that order.
    pub(super) fn look(&mut self, desk: &mut Desk, stop: &AtomicBool) -> Look {
        self.measure();
        if (self.again || self.has_grown()) && self.hurried < MOST_HURRIED {
            // a file that was empty may hold what was written before what was measured
            self.scan();
            return Look::More;
        }
        if let Some(id) = self.begun_anew() {
            self.truncated(id);
            return Look::More;
        }
        let mut at = 0;
        while let Some(tail) = self.tails.get_mut(at) {
            at += 1;
            if tail.aside {
                continue;
            }
            race();
            match tail.read(desk, stop) {
                Progress::Done => {}
                Progress::More => return Look::More,
                Progress::Truncated => {
                    let id = tail.id;
                    self.truncated(id);
                    return Look::More;
                }
                Progress::Failed(error) => {
                    self.problem = Some(problem::file(&tail.path, &error));
                    tail.let_go();
                }
            }
        }
        self.close_quiet(desk);
        Look::Done
    }

    fn measure(&mut self) {
        for tail in self.tails.iter_mut().rev() {
            race();
            match tail.measure() {
                Ok(learnt) => self.again |= learnt,
                Err(error) => {
                    self.problem = Some(problem::file(&tail.path, &error));
                    tail.let_go();
                }
            }
        }
    }

    /// The oldest file that begins anew.
    ///
    /// It must be known before any file is read: what was not read of it is in a copy, and other copies and files were made
    /// after that.
    fn begun_anew(&mut self) -> Option<FileId> {
        for tail in &mut self.tails {
            race();
            match tail.has_begun_anew() {
                Ok(false) => {}
                Ok(true) => return Some(tail.id),
                Err(error) => {
                    self.problem = Some(problem::file(&tail.path, &error));
                    tail.let_go();
                }
            }
        }
        None
    }

    /// A file begins anew: what was not read of it before is in a copy, if whoever truncated it made one.
    fn truncated(&mut self, id: FileId) {
        self.scan();
        if self.again && self.hurried < MOST_HURRIED {
            return;
        }
        let Some(at) = self.tails.iter().position(|tail| tail.id == id) else {
            return;
        };
        let tail = self.tails.remove(at);
        let copied = self.continue_in_copy(&tail);
        let mut tail = tail;
        if let Some(copied) = copied {
            // the copy took over that it comes after a gap
            tail.gap &= !copied;
            tail.begin_anew(!copied && tail.head.len() > 0);
            // another copy may have been made since the directory was listed
            self.again = true;
        }
        self.tails.insert(at.min(self.tails.len()), tail);
    }

    /// Directories to watch.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let own = std::iter::once(&self.pattern.folder);
        own.chain(&self.elsewhere).cloned().collect()
    }

    /// How soon something is to be done without being woken.
    pub(super) fn patience(&self) -> Duration {
        if self.again || self.soon || self.held.values().any(|(_, size, _)| *size > 0) {
            self.pace.poll.min(Duration::from_millis(100))
        } else {
            self.pace.poll
        }
    }
}
