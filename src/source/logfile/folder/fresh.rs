//! Files that were not there before: new ones, copies of known ones, and those of which that can't be said yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::super::bytes::{beginning, open_regular};
use super::super::head::{Alike, FileId, Head};
use super::super::listing::{self, Known, Seen};
use super::super::problem;
use super::super::settings::Start;
use super::super::tail::Tail;
use super::{Folder, MOST_HURRIED, MOST_OPEN, race};
use crate::clock::Stopwatch;

/// What a file is that was not there before.
enum Kind {
    /// It is read from the beginning.
    New(File, Head),
    /// It has the contents of the one with this id.
    Copy(FileId, Head),
    /// That can't be said yet.
    Open,
}

impl Folder {
    /// The first time: what is there is read as the admin said; rotated files that the path doesn't name are only known.
    pub(super) fn take_first(&mut self, fresh: &[Seen], start: Start) {
        for seen in fresh {
            if !seen.regular {
                self.refuse(seen, &io::Error::from(io::ErrorKind::InvalidInput));
                continue;
            }
            let whole = seen.meant && start != Start::End;
            let at = if whole { 0 } else { seen.size };
            let mut tail = Tail::new(seen.id, seen.path.clone(), seen.base.clone(), at);
            (tail.current, tail.order) = (seen.current, seen.order());
            tail.done = !seen.meant;
            tail.searching = whole && start == Start::Search;
            self.tails.push(tail);
        }
        self.make_room();
    }

    /// Later: what is new is read from its beginning, unless it is a copy.
    pub(super) fn take_fresh(
        &mut self,
        fresh: Vec<Seen>,
        waiting: &BTreeMap<FileId, (PathBuf, u64, Stopwatch)>,
        known: &Known,
        files: &[Seen],
    ) {
        // what is known already at once, since names change
        self.open(files);
        // what is written to first: a copy of it may have come together with it
        if !fresh.is_empty() || self.tails.iter().any(Tail::is_unknown) {
            for tail in &mut self.tails {
                race();
                self.again |= !tail.peek();
            }
        }
        let mut kinds: Vec<(Seen, Option<Tail>)> = Vec::new();
        let (mut replaced, mut copies) = (Vec::new(), BTreeMap::new());
        for seen in fresh.into_iter().rev() {
            let since = waiting
                .get(&seen.id)
                .map_or_else(Stopwatch::start, |(.., since)| *since);
            let kind = match self.kind(&seen, &kinds, since) {
                Ok(kind) => kind,
                Err(error) => {
                    self.refuse(&seen, &error);
                    continue;
                }
            };
            let mut tail = Tail::new(seen.id, seen.path.clone(), seen.base.clone(), 0);
            (tail.current, tail.order) = (seen.current, seen.order());
            match kind {
                Kind::Open => {
                    self.held.insert(seen.id, (seen.path.clone(), seen.size, since));
                    continue;
                }
                Kind::New(file, head) => {
                    tail.head = head;
                    if let Err(error) = tail.adopt(file) {
                        self.refuse(&seen, &error);
                        continue;
                    }
                }
                Kind::Copy(of, head) => {
                    (tail.aside, tail.head) = (true, head);
                    copies.insert(seen.id, of);
                    let original = self.tails.iter().find(|tail| tail.id == of);
                    if let Some(original) = original.filter(|tail| seen.current && !tail.current) {
                        // it took the place of the original, as when an editor saves a file
                        tail.go_on_from(original);
                        replaced.push(of);
                    }
                }
            }
            kinds.push((seen, Some(tail)));
        }
        if self.again && self.hurried < MOST_HURRIED {
            // one of them may be missing: none is read before all of them are known
            return;
        }
        if !kinds.is_empty() && self.has_changed(known, files) {
            // what a rotated file holds is known. One that is written to may have been copied before it was looked into, and
            // the copy not been listed: it must be read before
            let mut waiting = BTreeSet::new();
            kinds.retain(|(seen, _)| {
                let of = copies.get(&seen.id);
                let waits =
                    (seen.current && !self.has_waited(seen.id)) || of.is_some_and(|of| waiting.contains(of));
                if waits {
                    waiting.insert(seen.id);
                }
                !waits
            });
            replaced.retain(|of| !waiting.iter().any(|id| copies.get(id) == Some(of)));
            self.soon = true;
        }
        for tail in self.tails.iter_mut().filter(|tail| replaced.contains(&tail.id)) {
            tail.aside = true;
            tail.close();
        }
        kinds.reverse();
        for mut tail in kinds.into_iter().filter_map(|(_, tail)| tail) {
            tail.gap |= !tail.aside && self.gaps.remove(&tail.base);
            self.tails.push(tail);
        }
        self.make_room();
    }

    /// Whether a file that was not there before is a copy of one that was.
    fn kind(&mut self, seen: &Seen, fresh: &[(Seen, Option<Tail>)], since: Stopwatch) -> io::Result<Kind> {
        if !seen.regular {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        if seen.size == 0 && !seen.current {
            return Ok(Kind::Open);
        }
        let file = self.pin(seen)?;
        if seen.size == 0 {
            // opened at once: it may be deleted while it is written to
            return Ok(Kind::New(file, Head::default()));
        }
        let start = beginning(&file)?;
        let mut perhaps = false;
        let fresh = fresh.iter().filter_map(|(_, tail)| tail.as_ref());
        for tail in self
            .tails
            .iter()
            .chain(fresh)
            .filter(|tail| tail.base == seen.base && !(seen.current && tail.is_rotated()))
        {
            match tail.compare(&start) {
                Alike::Yes if seen.current && !tail.current && seen.size < tail.next() => perhaps = true,
                Alike::Yes if !seen.current && tail.goes_on_otherwise(&start) => {}
                Alike::Yes => return Ok(Kind::Copy(tail.id, Head::new(&start))),
                Alike::Perhaps => perhaps = true,
                Alike::No => {}
            }
        }
        if perhaps && since.elapsed() <= self.pace.hold {
            return Ok(Kind::Open);
        }
        Ok(Kind::New(file, Head::new(&start)))
    }

    /// Opens a file, or finds it open from the last scan.
    fn pin(&mut self, seen: &Seen) -> io::Result<File> {
        if let Some((file, scans)) = self.pinned.get_mut(&seen.id) {
            *scans += 1;
            return file.try_clone();
        }
        race();
        let (file, id) = open_regular(&seen.path)?;
        race();
        if id != seen.id {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        if self.pinned.len() < MOST_OPEN {
            self.pinned.insert(seen.id, (file.try_clone()?, 0));
        }
        Ok(file)
    }

    /// Whether a new file was found so often that it is read whatever else comes.
    fn has_waited(&self, id: FileId) -> bool {
        self.pinned
            .get(&id)
            .is_none_or(|(_, scans)| *scans >= MOST_HURRIED)
    }

    /// Whether files came since they were listed: one of them may be a copy of what a file held before it was looked into.
    fn has_changed(&self, known: &Known, files: &[Seen]) -> bool {
        listing::list(&self.pattern, known).map_or(true, |now| {
            let ids: BTreeSet<_> = files.iter().map(|seen| seen.id).collect();
            now.unsettled || now.files.iter().any(|seen| !ids.contains(&seen.id))
        })
    }

    pub(super) fn refuse(&mut self, seen: &Seen, error: &io::Error) {
        match error.kind() {
            // renamed or removed meanwhile
            io::ErrorKind::NotFound => self.again = true,
            io::ErrorKind::InvalidInput if !seen.meant => {}
            _ => self.problem = Some(problem::file(&seen.path, error)),
        }
    }
}
