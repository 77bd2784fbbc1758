//! Follows log files through every kind of rotation and hands over their lines, each once.
//!
//! Each source has a thread of its own, since a file system may hang: nothing else waits for it. It knows no grammar; a
//! [`LineSink`] takes the lines.
//!
//! What is followed: files that are renamed and made anew, copied and truncated, deleted and made anew, written to after
//! they were renamed, replaced through symbolic links, in directories that come, go and are replaced, and in as many of them as
//! wildcards stand for. A restart goes on
//! where reading stopped, in the rotated files first. The place of a line is kept after the line was handed over, about once a
//! second and at an orderly stop: after a crash the lines of the last second are handed over again, none is lost.
//!
//! Known defect: in the test of restarts amid fast rotations, on an overloaded machine, a reader was rarely seen not to stop within
//! eight seconds. The cause is not known.
//!
//! What can't be had:
//! - Lines written between the copy and the truncation of `copytruncate` are lost for everybody; logrotate's manual says so.
//! - A file that is truncated without a copy loses what was not read by then. The next line says so
//!   ([`Line::after_gap`]) where this can be seen.
//! - A file that is truncated and then, before it is looked at again, begins with the same bytes and is at least as long as
//!   before is not known to be another one. Time stamps make sure that no log does.
//! - A file that begins with everything that was read of its predecessor of the same name is taken for its copy, as an editor makes
//!   it, and read on from there.
//! - While the daemon is away, rotated files that are compressed, deleted or moved to another directory are lost; the next
//!   line of the same log is flagged.
//! - Of a directory that a wildcard stands for and that is renamed while the daemon is away, everything is read anew.

mod bytes;
mod docker;
mod folder;
mod found;
mod glob;
mod group;
pub(crate) mod handle;
mod head;
mod line;
mod listing;
mod pattern;
mod problem;
mod reader;
mod settings;
pub(crate) mod splitter;
mod tail;
mod watch;

use std::io;
use std::sync::Arc;

use crate::clock::Clock;
use crate::health::Health;
use crate::place::Places;
pub(crate) use bytes::before;
pub use docker::DockerLines;
pub(crate) use docker::printed;
pub use handle::Handle;
pub use line::{Ending, LONGEST_LINE, Line, LineSink, Taken};
pub use pattern::{Pattern, PatternError};
use reader::Reader;
pub use settings::{LogfileSettings, Pace, Start};

/// Why a source can't be started.
#[derive(Debug, thiserror::Error)]
pub enum LogfileError {
    /// The admin must write the path differently.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The system refuses a thread or a pipe.
    #[error("the reader of log files can't be started: {0}")]
    Thread(#[from] io::Error),
}

/// Starts a thread that follows the files of `settings` for ever and hands their lines to `sink`.
///
/// `places` keeps where it stopped, under the source's name. A second start under the same name waits until the first one
/// has stopped, so that no line is handed over twice.
pub fn start<P: Places + ?Sized>(
    settings: LogfileSettings,
    health: Health,
    clock: Clock,
    places: Arc<P>,
    sink: Box<dyn LineSink>,
) -> Result<Handle, LogfileError> {
    let patterns = settings
        .paths
        .iter()
        .map(|path| Pattern::new(path))
        .collect::<Result<Vec<_>, _>>()?;
    let name = settings.name.clone();
    let handle = handle::spawn(&name, move |stop| {
        Reader::new(settings, patterns, health, clock, places, sink).run(&stop);
    })?;
    Ok(handle)
}
