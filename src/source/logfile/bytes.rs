//! Bytes of files: opened with care, and only believed while the file still is the one it was.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::unistd::{Whence, lseek64};

use super::head::{Alike, FileId, HEAD, Head};

/// Reads at `at`; `None` when the file does not begin with `head` any more.
pub(super) fn read_chunk(
    file: &File,
    head: &mut Head,
    at: u64,
    chunk: &mut [u8],
) -> io::Result<Option<usize>> {
    let got = loop {
        match file.read_at(chunk, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            got => break got?,
        }
    };
    if got == 0 && file.metadata()?.len() < at {
        return Ok(None);
    }
    Ok(is_alike(file, head)?.then_some(got))
}

/// Whether a file still begins with `head`.
pub(super) fn is_alike(file: &File, head: &mut Head) -> io::Result<bool> {
    if head.len() == 0 {
        return Ok(true);
    }
    let start = beginning(file)?;
    head.learn(&start);
    Ok(head.compare(&start) == Alike::Yes)
}

/// How many bytes from `at` on were never written.
pub(super) fn hole(file: &File, at: u64, size: u64) -> u64 {
    i64::try_from(at)
        .ok()
        .and_then(|from| lseek64(file, from, Whence::SeekData).ok())
        .and_then(|data| u64::try_from(data).ok())
        .map_or(0, |data| data.min(size).saturating_sub(at))
}

/// Opens a file for reading if it is a regular one; never waits for a FIFO's writer, never takes a terminal.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, FileId)> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(not_a_log());
    }
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_a_log());
    }
    Ok((file, FileId::of(&metadata)))
}

/// Whole lines that stand in a file in front of the one at `offset`.
pub(crate) struct Before {
    /// Their bytes, with line feeds.
    pub(crate) lines: Vec<u8>,
    /// The file's first bytes, 256 at most.
    pub(crate) start: Vec<u8>,
    /// Whether there are more lines before them.
    pub(crate) more: bool,
}

/// Reads at most `most` bytes in front of the line at `offset`. An error when no line begins there.
pub(crate) fn before(path: &Path, offset: u64, most: u64) -> io::Result<Before> {
    let (file, _) = open_regular(path)?;
    let from = offset.saturating_sub(most);
    let mut lines = vec![0; usize::try_from(offset - from).unwrap_or_default()];
    file.read_exact_at(&mut lines, from)?;
    if lines.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no line begins there"));
    }
    if from > 0 {
        // the rest of a line
        let rest = memchr::memchr(b'\n', &lines).map_or(lines.len(), |end| end + 1);
        lines.drain(..rest);
    }
    let mut start = beginning(&file)?;
    start.truncate(256);
    Ok(Before {
        lines,
        start,
        more: from > 0,
    })
}

fn not_a_log() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// The first bytes of a file.
pub(super) fn beginning(file: &File) -> io::Result<Vec<u8>> {
    let mut start = vec![0; HEAD];
    let mut len = 0;
    while let Some(rest) = start.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, len as u64) {
            Ok(0) => break,
            Ok(got) => len += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    start.truncate(len);
    Ok(start)
}
