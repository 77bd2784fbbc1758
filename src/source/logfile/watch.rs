//! Wakes when something happens in a directory; where that can't be had, its user looks once a second.

use std::collections::BTreeMap;
use std::io::PipeReader;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// How often events are read in a row: who writes fast enough would keep the reader here for ever. The rest is heard next time.
const MOST_READS: usize = 64;

/// What is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Woke {
    /// The source is to stop.
    pub(super) stop: bool,
    /// Files came, went, or may be read now.
    pub(super) folder: bool,
}

/// Watches directories.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Option<Inotify>,
    folders: BTreeMap<PathBuf, (WatchDescriptor, (u64, u64))>,
    /// Why some directory is not watched, and what to do about it.
    pub(super) trouble: Option<String>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
        Self {
            trouble: inotify.as_ref().err().map(|error| advice(*error)),
            inotify: inotify.ok(),
            folders: BTreeMap::new(),
        }
    }

    /// Watches exactly `wanted`, as far as they exist. Whether one is watched that was not before: what happened in it until
    /// now was not heard.
    pub(super) fn these(&mut self, wanted: &[PathBuf]) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        self.trouble = None;
        let mut fresh = false;
        let found: BTreeMap<_, _> = wanted
            .iter()
            .filter_map(|folder| Some((folder.clone(), identity(folder)?)))
            .collect();
        self.folders.retain(|folder, (watch, known)| {
            let same = found.get(folder) == Some(known);
            if !same {
                // a directory that is gone took its watch with it
                let _ = inotify.rm_watch(*watch);
            }
            same
        });
        for (folder, identity) in found {
            if self.folders.contains_key(&folder) {
                continue;
            }
            match inotify.add_watch(&folder, interests()) {
                Ok(watch) => {
                    self.folders.insert(folder, (watch, identity));
                    fresh = true;
                }
                Err(Errno::ENOENT) => {}
                Err(error) => self.trouble = Some(advice(error)),
            }
        }
        fresh
    }

    /// Waits until something happens, at most for `timeout`.
    pub(super) fn wait(&mut self, stop: &PipeReader, timeout: Duration) -> Woke {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        if let Some(inotify) = &self.inotify {
            fds.push(PollFd::new(inotify.as_fd(), PollFlags::POLLIN));
        }
        let polled = poll(&mut fds, timeout);
        let stop = fds.first().and_then(PollFd::any) == Some(true);
        if polled.is_err_and(|error| error != Errno::EINTR) {
            // never a busy loop
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut woke = Woke { stop, folder: false };
        for _ in 0..MOST_READS {
            let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) else {
                break;
            };
            let content = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ISDIR;
            woke.folder |= events.iter().any(|event| {
                !content.contains(event.mask) || event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
            });
        }
        woke
    }
}

fn interests() -> AddWatchFlags {
    AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(folder).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn advice(error: Errno) -> String {
    match error {
        Errno::ENOSPC => {
            "files are looked at once a second only: all inotify watches are in use; raise the sysctl \
                          fs.inotify.max_user_watches"
                .into()
        }
        Errno::EMFILE => {
            "files are looked at once a second only: all inotify instances are in use; raise the sysctl \
                          fs.inotify.max_user_instances"
                .into()
        }
        error => format!(
            "files are looked at once a second only: inotify says: {}",
            error.desc()
        ),
    }
}
