//! Which files an admin means: a path, whose last part may hold `*`, `?` and `[…]`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Endings of files that are compressed: they are never read.
const COMPRESSED: [&[u8]; 7] = [b".gz", b".bz2", b".xz", b".zst", b".lz4", b".Z", b".zip"];

/// What is wrong with a path; the admin must change it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not clear where to look.
    #[error("{} is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// Only one directory is watched for each path.
    #[error("{}: only the last part of a path may hold *, ? or [ ]", .0.display())]
    WildFolder(PathBuf),
    /// It names no file.
    #[error("{} names no file", .0.display())]
    NoName(PathBuf),
}

/// The files that a path names, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
    name: Vec<u8>,
    wild: bool,
}

impl Pattern {
    /// Reads a path as an admin writes it. A wildcard never matches compressed files, nor hidden ones unless it begins with a dot.
    pub fn new(path: &Path) -> Result<Self, PatternError> {
        let owned = || path.to_owned();
        if !path.is_absolute() {
            return Err(PatternError::Relative(owned()));
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(PatternError::NoName(owned()));
        };
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(PatternError::NoName(owned()));
        }
        if is_wild(folder.as_os_str()) {
            return Err(PatternError::WildFolder(owned()));
        }
        Ok(Self {
            path: owned(),
            folder: folder.to_owned(),
            name: name.as_bytes().to_vec(),
            wild: is_wild(name),
        })
    }

    /// The files that it names now, in the order of their names, `most` at most.
    pub fn files(&self, most: usize) -> Vec<PathBuf> {
        if !self.wild {
            return if self.path.exists() {
                vec![self.path.clone()]
            } else {
                Vec::new()
            };
        }
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let named = entries.filter(|entry| self.matches(&entry.file_name()));
        let mut files: Vec<_> = named.map(|entry| entry.path()).take(most).collect();
        files.sort();
        files
    }

    /// Whether a file of this name is meant.
    pub(super) fn matches(&self, name: &OsStr) -> bool {
        let name = name.as_bytes();
        if !self.wild {
            return name == self.name;
        }
        !COMPRESSED.iter().any(|end| name.ends_with(end))
            && (!name.starts_with(b".") || self.name.starts_with(b"."))
            && glob(&self.name, name)
    }
}

/// Whether `name` is what becomes of a file called `base` when logs are rotated: `base.1`, `base-20261121`,
/// `base.2026-11-21-19-24-39.1`, `base.old`, and `stem-20261121.log` of `stem.log`. Another log whose name merely begins so is none.
pub(super) fn is_rotation_of(name: &OsStr, base: &OsStr) -> bool {
    rotation(name, base).is_some()
}

/// Sorts the rotated forms of `base`, the oldest first: `.2` is older than `.1`, an earlier date older than a later one.
pub(super) fn rotation_order(name: &OsStr, base: &OsStr) -> (i64, Vec<u8>) {
    let Some(middle) = rotation(name, base) else {
        return (1, Vec::new());
    };
    let number = middle
        .get(1..)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<i64>().ok());
    match number {
        Some(number) if number < 100_000 => (-number, Vec::new()),
        _ if middle == b".old" => (-1, Vec::new()),
        _ => (0, middle.to_vec()),
    }
}

/// What a rotation put into the name.
fn rotation<'a>(name: &'a OsStr, base: &OsStr) -> Option<&'a [u8]> {
    let (name, base) = (name.as_bytes(), base.as_bytes());
    let dated = |middle: &[u8]| {
        matches!(middle.first(), Some(b'.' | b'-' | b'_'))
            && middle.iter().any(u8::is_ascii_digit)
            && middle
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'_' | b':' | b'T' | b'Z'))
    };
    if let Some(end) = name.strip_prefix(base) {
        return (dated(end) || end == b".old").then_some(end);
    }
    let dot = base
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|dot| *dot > 0)?;
    let (stem, extension) = base.split_at(dot);
    let middle = name.strip_prefix(stem)?.strip_suffix(extension)?;
    dated(middle).then_some(middle)
}

fn is_wild(name: &OsStr) -> bool {
    name.as_bytes()
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether `name` fits `pattern`. Time is bounded by the product of their lengths.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // where to go back to: after the latest `*`, which then takes one byte more
    let mut back = None;
    while let Some(byte) = name.get(n) {
        let step = match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(pattern.get(p..).unwrap_or_default(), *byte),
            Some(other) => (other == byte).then_some(1),
            None => None,
        };
        match (step, back) {
            (Some(step), _) => {
                p += step;
                n += 1;
            }
            (None, Some((after, from))) => {
                p = after;
                n = from + 1;
                back = Some((after, n));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// How long the class at the beginning of `pattern` is, if `byte` is in it; a `[` without an end stands for itself.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|byte| *byte == b']') else {
        return (byte == b'[').then_some(1);
    };
    let end = end + 2;
    let inner = pattern.get(1..end).unwrap_or_default();
    let (negated, inner) = match inner.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, inner),
    };
    let mut found = false;
    let mut rest = inner;
    while let Some((first, after)) = rest.split_first() {
        if let [b'-', last, more @ ..] = after {
            found |= (*first..=*last).contains(&byte);
            rest = more;
        } else {
            found |= *first == byte;
            rest = after;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, yes, no) in [
            ("messages*", "messages.1", "message"),
            ("*.log", "a.b.log", "a.log.1"),
            ("a?c", "abc", "ac"),
            ("m[0-9]", "m5", "mx"),
            ("m[!0-9]", "mx", "m5"),
            ("a*b*c", "a-b-b-c", "a-b-"),
            ("m[", "m[", "m"),
            ("*-json.log", "0f3a-json.log", "json.log"),
            ("full", "full", "full.1"),
        ] {
            let pattern = Pattern::new(&Path::new("/var/log").join(pattern)).unwrap();
            assert!(pattern.matches(OsStr::new(yes)), "{pattern:?} {yes}");
            assert!(!pattern.matches(OsStr::new(no)), "{pattern:?} {no}");
        }
        let all = Pattern::new(Path::new("/var/log/*")).unwrap();
        assert!(!all.matches(OsStr::new(".hidden")) && !all.matches(OsStr::new("messages.1.gz")));
        let hostile = "*a".repeat(100);
        assert!(!glob(hostile.as_bytes(), "a".repeat(99).as_bytes()));
    }

    #[test]
    fn a_rotated_file_is_known_by_its_name() {
        for (name, base) in [
            ("messages.1", "messages"),
            ("messages-20261121", "messages"),
            ("freeswitch.log.2026-11-21-19-24-39.1", "freeswitch.log"),
            ("freeswitch-20261121.log", "freeswitch.log"),
            ("messages.old", "messages"),
        ] {
            assert!(is_rotation_of(OsStr::new(name), OsStr::new(base)), "{name}");
        }
        for (name, base) in [
            ("messages", "messages"),
            ("messages.1.gz", "messages"),
            ("messages_security", "messages"),
            ("messages.debug", "messages"),
            ("freeswitch_http.log", "freeswitch.log"),
            ("messages1", "messages"),
            ("full.1", "messages"),
        ] {
            assert!(!is_rotation_of(OsStr::new(name), OsStr::new(base)), "{name}");
        }
    }

    #[test]
    fn rotated_files_are_put_in_order() {
        let order = |base: &str, names: [&str; 3]| {
            let keys = names.map(|name| rotation_order(OsStr::new(name), OsStr::new(base)));
            assert!(keys.is_sorted(), "{names:?} {keys:?}");
        };
        order("messages", ["messages.10", "messages.9", "messages"]);
        order("messages", ["messages-20261121", "messages-20261122", "messages"]);
        order(
            "f.log",
            [
                "f.log.2026-11-21-19-24-39.1",
                "f.log.2026-11-21-19-24-40.1",
                "f.log",
            ],
        );
        order("f.log", ["f.2.log", "f.1.log", "f.log"]);
    }

    #[test]
    fn only_the_last_part_is_wild() {
        let wrong = |path: &str| Pattern::new(Path::new(path)).unwrap_err();
        assert_eq!(wrong("messages"), PatternError::Relative("messages".into()));
        assert_eq!(wrong("/a*/b"), PatternError::WildFolder("/a*/b".into()));
        assert_eq!(wrong("/"), PatternError::NoName("/".into()));
        assert_eq!(wrong("/a/b/"), PatternError::NoName("/a/b/".into()));
    }
}
