//! What the admin can say about log files.

use std::path::PathBuf;
use std::time::Duration;

/// Where reading begins in files that are there when they are read for the first time ever. Later it goes on where it
/// stopped; a file that appears later is read from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the end: only what is written from now on.
    #[default]
    End,
    /// At the beginning.
    Beginning,
    /// At the line of which [`super::LineSink::begins`] says that it is the first; asked for each file.
    Search,
}

/// How often and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often files are looked at when the kernel says nothing.
    pub poll: Duration,
    /// How often the place is kept while lines come.
    pub keep: Duration,
    /// How long a rotated file stays open without growing. It is opened again when it grows later.
    pub linger: Duration,
    /// The same for one that has no name any more, or moved away: it can't be opened again.
    pub linger_nameless: Duration,
    /// How long a file waits to be told from a copy that is being made.
    pub hold: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            keep: Duration::from_secs(1),
            linger: Duration::from_mins(1),
            linger_nameless: Duration::from_mins(10),
            hold: Duration::from_secs(5),
        }
    }
}

/// The log files of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogfileSettings {
    /// The source's name: in reports, and the key under which its place is kept.
    pub name: String,
    /// What is read: absolute paths of regular files, whose parts may hold wildcards.
    pub paths: Vec<PathBuf>,
    /// Where a first start begins.
    pub start: Start,
    /// How often and how long.
    pub pace: Pace,
}
