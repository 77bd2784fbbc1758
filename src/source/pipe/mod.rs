//! A named pipe or the standard input, as a log: `docker logs -f pbx >/run/ringfence.fifo`, syslog's `|/run/ringfence.fifo`.
//!
//! The pipe is made by the admin (`mkfifo`). Its writers may come and go: when the last one leaves, its unfinished line ends there,
//! and the next writer begins a new one. No write end is held here, since a pipe that never ends would glue the halves of
//! two writers together. A pipe that is replaced is read on for as long as somebody still writes into it, because closing
//! it would kill that writer.
//!
//! What can't be had:
//! - What is written while the daemon is away is lost, and most writers die of it (SIGPIPE). A log file has neither
//!   problem; use a pipe where there is no file.
//! - Where two writers write at once, or one opens the pipe before all of another was read, the kernel tells nobody
//!   whose bytes they are. Lines up to 4096 bytes that are written in one piece stay whole.
//! - No place is kept: what was read is gone from the pipe.

mod desk;
mod fifo;
mod named;
mod stdin;

use std::path::PathBuf;

use crate::clock::Clock;
use crate::health::Health;
use crate::source::logfile::handle::{self, Lease};
use crate::source::logfile::{Handle, LineSink, LogfileError};

/// Where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A named pipe, by its absolute path.
    Fifo(PathBuf),
    /// The standard input, until it ends.
    Stdin,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeSettings {
    /// The source's name in reports.
    pub name: String,
    /// Where the bytes come from.
    pub from: From,
}

/// Starts a thread that reads the pipe and hands its lines to `sink`: a named pipe for ever, the standard input until it ends.
///
/// Two readers of one pipe would tear its lines apart, so a second start waits until the first one has stopped.
/// [`LogfileError::Thread`] when the system refuses a thread or a pipe.
pub fn start(
    settings: PipeSettings,
    health: Health,
    clock: Clock,
    sink: Box<dyn LineSink>,
) -> Result<Handle, LogfileError> {
    let handle = handle::spawn(&settings.name, move |stop| match settings.from {
        From::Fifo(path) => {
            let lease = Lease::take(0, &format!("pipe {}", path.display()));
            named::Reader::new(path, health, clock, sink, lease).run(&stop);
        }
        From::Stdin => {
            let lease = Lease::take(0, "standard input");
            stdin::run(&health, clock, sink, &lease, &stop);
        }
    })?;
    Ok(handle)
}
