//! Which file it is: its inode, and its first bytes, since inodes are reused and files are copied and truncated.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first bytes that tell a file from another.
pub(super) const HEAD: usize = 1024;
/// How many of them are kept as they are.
const BEGINS: usize = 32;

/// A file on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FileId {
    /// The file system. It may have another number after the machine was started anew.
    pub(super) dev: u64,
    pub(super) ino: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not say.
    pub(super) born: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let since = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let born = metadata.created().ok().and_then(since);
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            born: born.map_or(0, |born| u64::try_from(born.as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    /// Whether it may be the same file, seen before and after the machine was started.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.ino == other.ino && (self.born == other.born || self.born == 0 || other.born == 0)
    }
}

/// The first bytes of a file, as far as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    len: usize,
    /// `None` after a restart, until they were read again.
    bytes: Option<Vec<u8>>,
    print: String,
    /// Its first bytes, kept so that a shorter file can be told from it at once.
    begins: Vec<u8>,
}

/// A head as it is kept for a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptHead {
    #[serde(rename = "head")]
    len: usize,
    print: String,
    #[serde(default)]
    begins: Vec<u8>,
}

/// How a file's beginning compares with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alike {
    /// It begins so.
    Yes,
    /// It is shorter, and might.
    Perhaps,
    No,
}

/// Nothing was read so far.
impl Default for Head {
    fn default() -> Self {
        Self::new(b"")
    }
}

impl Head {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..HEAD).unwrap_or(bytes);
        Self {
            len: bytes.len(),
            print: String::new(),
            begins: Vec::new(),
            bytes: Some(bytes.to_vec()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes in `bytes` read at `at`.
    pub(super) fn grow(&mut self, at: u64, bytes: &[u8]) {
        let Some(known) = &mut self.bytes else { return };
        let fresh = (self.len as u64)
            .checked_sub(at)
            .and_then(|skip| bytes.get(usize::try_from(skip).ok()?..));
        known.extend(fresh.unwrap_or_default().iter().take(HEAD - self.len));
        self.len = known.len();
    }

    /// Compares with the first bytes of a file, at most [`HEAD`] of them.
    pub(super) fn compare(&self, start: &[u8]) -> Alike {
        if self.len == 0 {
            return Alike::Perhaps;
        }
        // most files are told apart so, and without a digest
        if self.bytes.is_none() && self.begins.iter().zip(start).any(|(one, other)| one != other) {
            return Alike::No;
        }
        match (&self.bytes, start.get(..self.len)) {
            (Some(known), Some(start)) => Alike::from(known == start),
            (Some(known), None) if !known.starts_with(start) => Alike::No,
            (_, None) => Alike::Perhaps,
            (None, Some(start)) => Alike::from(print_of(start) == self.print),
        }
    }

    /// Remembers the bytes, if they are the ones.
    pub(super) fn learn(&mut self, start: &[u8]) {
        if self.bytes.is_none() && self.compare(start) == Alike::Yes {
            self.bytes = start.get(..self.len).map(<[u8]>::to_vec);
        }
    }
}

impl From<&Head> for KeptHead {
    fn from(head: &Head) -> Self {
        let bytes = head.bytes.as_ref().unwrap_or(&head.begins);
        Self {
            len: head.len,
            print: head.bytes.as_deref().map_or_else(|| head.print.clone(), print_of),
            begins: bytes.iter().take(BEGINS).copied().collect(),
        }
    }
}

impl From<KeptHead> for Head {
    fn from(kept: KeptHead) -> Self {
        let len = kept.len.min(HEAD);
        Self {
            len,
            bytes: (len == 0).then(Vec::new),
            print: kept.print,
            begins: kept.begins,
        }
    }
}

impl From<bool> for Alike {
    fn from(alike: bool) -> Self {
        if alike { Self::Yes } else { Self::No }
    }
}

fn print_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut print = String::new();
    for byte in Sha256::digest(bytes).iter().take(12) {
        let _ = write!(print, "{byte:02x}");
    }
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_compared_as_far_as_they_go() {
        let mut head = Head::new(b"abc");
        head.grow(3, b"d");
        head.grow(2, b"cdef");
        head.grow(0, b"abcd");
        head.grow(9, b"not next to it");
        assert_eq!(head.compare(b"abcdefgh"), Alike::Yes);
        assert_eq!(head.compare(b"abcd"), Alike::Perhaps);
        assert_eq!(head.compare(b"abx"), Alike::No);
        let mut kept = Head::from(KeptHead::from(&head));
        assert_eq!(kept.compare(b"abcdefgh"), Alike::Yes);
        assert_eq!(kept.compare(b"abcdeFgh"), Alike::No);
        assert_eq!(kept.compare(b"ab"), Alike::Perhaps);
        assert_eq!(kept.compare(b"ax"), Alike::No);
        kept.learn(b"abcdefgh");
        assert_eq!((kept.bytes.clone(), kept.len), (head.bytes.clone(), head.len));
        assert_eq!(Head::default().compare(b"anything"), Alike::Perhaps);
    }
}
