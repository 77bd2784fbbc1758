//! Opens a named pipe for reading, or says what stands in the way and what to do about it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Bytes that a pipe is asked to hold, so that its writer goes on while the sink is busy: what any user may ask for.
const ROOM: i32 = 1 << 20;

/// Which pipe it is: its device and inode.
pub(super) type Identity = (u64, u64);

/// The pipe that `path` names now.
pub(super) fn find(path: &Path) -> Result<Identity, String> {
    let about = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    identity(path, &about)
}

/// Opens the pipe without waiting for a writer.
pub(super) fn open(path: &Path) -> Result<(File, Identity), String> {
    // looked at first: opening some devices does something
    find(path)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(|error| unreadable(path, &error))?;
    let about = file.metadata().map_err(|error| unreadable(path, &error))?;
    let identity = identity(path, &about)?;
    if about.mode() & 0o002 != 0 {
        tracing::warn!(
            path = %path.display(),
            "every user may write into this pipe, and so have others banned: chmod o-w"
        );
    }
    // as much as the kernel gives; less works too
    let _ = fcntl(&file, FcntlArg::F_SETPIPE_SZ(ROOM));
    Ok((file, identity))
}

fn identity(path: &Path, about: &Metadata) -> Result<Identity, String> {
    let kind = about.file_type();
    if kind.is_fifo() {
        return Ok((about.dev(), about.ino()));
    }
    let shown = path.display();
    Err(if kind.is_file() {
        format!("{shown} is a regular file, not a pipe: read it as a log file, with `files`")
    } else if kind.is_socket() {
        format!(
            "{shown} is a socket, not a pipe: let the program write into a log file and read that with `files`, or into a \
             pipe made with mkfifo"
        )
    } else if kind.is_dir() {
        format!("{shown} is a directory, not a pipe: name the pipe in it, or its log files with `files`")
    } else {
        format!("{shown} is a device, not a pipe: make a pipe with mkfifo elsewhere")
    })
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => {
            format!("the pipe {path} does not exist: make it with mkfifo; it is read as soon as it is there")
        }
        ErrorKind::PermissionDenied => format!(
            "the pipe {path} can't be read: permission denied. Let the daemon's user or group read it (chgrp, chmod g+r)"
        ),
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => {
            format!("the pipe {path} can't be opened: too many open files. Raise LimitNOFILE of the service")
        }
        _ => format!("the pipe {path} can't be read: {error}. It is tried again"),
    }
}
