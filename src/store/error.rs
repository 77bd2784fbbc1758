//! Why the store can't do what it was asked.

use std::path::PathBuf;

/// What is wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The admin must stop the other one, or give this one its own `[store] path`.
    #[error(
        "{} is in use by another ringfence (process {holder}). Stop it first, or set another `path` in [store]",
        path.display()
    )]
    Locked {
        /// The database.
        path: PathBuf,
        /// The other process's number, as it wrote it down.
        holder: String,
    },
    /// The admin must install the newer program again, or start with another file.
    #[error(
        "{} was written by a newer ringfence: it has version {found}, this program knows up to {known}. Install the newer \
         one, or set another `path` in [store]",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: usize,
        /// The version that this program writes.
        known: usize,
    },
    /// The admin must name another file; this one was not touched.
    #[error("{} is {found}, not ringfence's. It was left alone: set another `path` in [store]", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// The admin must grant access.
    #[error(
        "no permission for {}. Its folder must belong to the user that ringfence runs as (systemd: StateDirectory=ringfence)",
        path.display()
    )]
    Permission {
        /// What can't be read or written.
        path: PathBuf,
    },
    /// The admin must name a possible path.
    #[error("{} can't be the store: {why}. Set another `path` in [store]", path.display())]
    Path {
        /// What can't be made.
        path: PathBuf,
        /// Why, as the operating system says it.
        why: String,
    },
    /// The disk: it is tried again and again, and nothing that waits is lost as long as the daemon runs.
    #[error("the store can't be written now: {0}")]
    Unwritten(String),
    /// The store did not answer in time; it may be busy.
    #[error("the store is busy")]
    Busy,
    /// The operating system gave no thread.
    #[error("the store's thread can't be started: {0}")]
    Thread(std::io::Error),
}
