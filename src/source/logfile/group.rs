//! The directories of one path: one, or as many as its wildcards stand for, which come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::folder::{Folder, Look};
use super::found::{self, Found};
use super::head::FileId;
use super::pattern::Pattern;
use super::problem;
use super::settings::{Pace, Start};
use super::tail::{Desk, Mark};
use crate::clock::Stopwatch;

/// Directories that one path may stand for.
const MOST_FOLDERS: usize = 1000;

/// One directory.
#[derive(Debug)]
struct Member {
    folder: Folder,
    /// `None` until it was found.
    id: Option<FileId>,
    /// Since when it is not there; its files may be open still.
    absent: Option<Stopwatch>,
}

/// What one path of the admin's stands for.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) pattern: Pattern,
    /// How files are read that are there already; `None` once that was decided.
    start: Option<Start>,
    pace: Pace,
    members: Vec<Member>,
    parents: Vec<PathBuf>,
    problem: Option<String>,
}

impl Group {
    /// A path that is read for the first time, or on from where it was read to: what belongs to it is taken from `kept`.
    pub(super) fn new(
        pattern: Pattern,
        start: Start,
        pace: Pace,
        kept: &mut BTreeMap<String, Vec<Mark>>,
    ) -> Self {
        let key = pattern.path.to_string_lossy().into_owned();
        let marks = kept.remove(&key);
        let mut group = Self {
            start: marks.is_none().then_some(start),
            pace,
            members: Vec::new(),
            parents: Vec::new(),
            problem: None,
            pattern,
        };
        if !group.pattern.has_wild_folder() {
            let folder = Folder::new(group.pattern.clone(), start, pace, marks);
            group.add(folder, None);
            return group;
        }
        let known = kept.extract_if(.., |path, _| group.pattern.stands_for(path.as_ref()));
        let known: Vec<_> = known.take(MOST_FOLDERS).collect();
        for (path, marks) in known {
            if let Some(folder) = PathBuf::from(path).parent() {
                let pattern = group.pattern.within(folder);
                group.add(Folder::new(pattern, start, pace, Some(marks)), None);
            }
        }
        group
    }

    fn add(&mut self, folder: Folder, id: Option<FileId>) {
        self.members.push(Member {
            folder,
            id,
            absent: None,
        });
    }

    /// What is kept for a restart, under the path of each directory.
    pub(super) fn marks(&self) -> Vec<(String, Vec<Mark>)> {
        let marks = |folder: &Folder| {
            let path = folder.pattern.path.to_string_lossy().into_owned();
            Some((path, folder.marks()?))
        };
        let members = self.members.iter().filter_map(|member| marks(&member.folder));
        // a directory that appears later is new
        let own = (self.pattern.has_wild_folder() && self.start.is_none())
            .then(|| (self.pattern.path.to_string_lossy().into_owned(), Vec::new()));
        own.into_iter().chain(members).collect()
    }

    /// Looks which directories and files there are. What is in `taken` is read for another path already.
    pub(super) fn scan(&mut self, taken: &mut BTreeSet<PathBuf>) {
        if self.pattern.has_wild_folder() {
            self.find(taken);
        }
        for member in &mut self.members {
            taken.insert(member.folder.pattern.path.clone());
            member.folder.scan();
        }
    }

    /// Looks which directories there are.
    fn find(&mut self, taken: &BTreeSet<PathBuf>) {
        let findings = found::folders(&self.pattern.folder);
        self.parents = findings.parents;
        self.parents.truncate(MOST_FOLDERS);
        self.problem = findings
            .error
            .as_ref()
            .map(|(folder, error)| problem::folder(folder, error));
        let there: BTreeMap<PathBuf, FileId> = findings
            .folders
            .iter()
            .map(|found| (found.path.clone(), found.id))
            .collect();
        for member in &mut self.members {
            let id = there.get(&member.folder.pattern.folder);
            member.id = id.copied().or(member.id);
            member.absent = match id {
                Some(_) => None,
                None => member.absent.or_else(|| Some(Stopwatch::start())),
            };
        }
        let linger = self.pace.linger_nameless;
        self.members.retain(|member| {
            let is_over = |absent: &Stopwatch| absent.elapsed() >= linger && !member.folder.has_open();
            !member.absent.as_ref().is_some_and(is_over)
        });
        let known: BTreeSet<PathBuf> = self
            .members
            .iter()
            .map(|member| member.folder.pattern.folder.clone())
            .collect();
        for found in findings.folders {
            let pattern = self.pattern.within(&found.path);
            if known.contains(&found.path) || taken.contains(&pattern.path) {
                continue;
            }
            self.welcome(&found, pattern);
        }
        let is_decided = |(_, error): &(PathBuf, io::Error)| error.kind() == io::ErrorKind::NotFound;
        if findings.error.as_ref().is_none_or(is_decided) {
            // whatever comes is new
            self.start = None;
        }
    }

    /// Takes in a directory that was not there before: a new one, or a known one that was renamed.
    fn welcome(&mut self, found: &Found, pattern: Pattern) {
        let renamed = |member: &&mut Member| member.absent.is_some() && member.id == Some(found.id);
        if let Some(member) = self.members.iter_mut().find(renamed) {
            member.folder.pattern = pattern;
            member.absent = None;
            return;
        }
        if self.members.len() >= MOST_FOLDERS {
            let spare = |member: &Member| member.absent.is_some() && member.folder.is_read();
            let Some(at) = self.members.iter().position(spare) else {
                self.problem = Some(problem::too_many_folders(&self.pattern, MOST_FOLDERS));
                return;
            };
            self.members.remove(at);
        }
        let marks = self.start.is_none().then(Vec::new);
        let folder = Folder::new(pattern, self.start.unwrap_or_default(), self.pace, marks);
        self.add(folder, Some(found.id));
    }

    /// Reads what there is, `budget` bytes of each directory at most.
    pub(super) fn look(&mut self, desk: &mut Desk, budget: usize, stop: &AtomicBool) -> Look {
        let mut all = Look::Done;
        for member in &mut self.members {
            desk.budget = budget;
            if member.folder.look(desk, stop) == Look::More {
                all = Look::More;
            }
        }
        all
    }

    /// Whether a file that is written to is read.
    pub(super) fn flows(&self) -> bool {
        self.members.iter().any(|member| member.folder.flows())
    }

    /// Whether a file that waited has grown, or a directory was changing.
    pub(super) fn is_due(&self) -> bool {
        self.members.iter().any(|member| member.folder.is_due())
    }

    /// Why the path, or one of its files, can't be read.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.pattern.has_wild_folder() {
            return self
                .members
                .first()
                .and_then(|member| member.folder.problem.clone());
        }
        let there = self.members.iter().filter(|member| member.absent.is_none());
        // a directory without such a file is none of ours
        let mut problems = there.filter(|member| !member.folder.bare);
        let problem = problems.find_map(|member| member.folder.problem.clone());
        let nothing = || (!self.flows()).then(|| problem::nothing(&self.pattern));
        self.problem.clone().or(problem).or_else(nothing)
    }

    /// Directories to watch.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let there = self.members.iter().filter(|member| member.absent.is_none());
        let mut folders: BTreeSet<_> = there.flat_map(|member| member.folder.folders()).collect();
        folders.extend(self.parents.iter().cloned());
        folders
    }

    /// How soon something is to be done without being woken.
    pub(super) fn patience(&self) -> Duration {
        let members = self.members.iter().map(|member| member.folder.patience());
        members.min().unwrap_or(self.pace.poll)
    }
}
