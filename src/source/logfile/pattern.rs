//! Which files an admin means: a path, whose parts may hold `*`, `?` and `[…]`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::found;
use super::glob::{glob, is_wild};

/// Endings of files that are compressed: they are never read.
const COMPRESSED: [&[u8]; 7] = [b".gz", b".bz2", b".xz", b".zst", b".lz4", b".Z", b".zip"];

/// What is wrong with a path; the admin must change it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not clear where to look.
    #[error("{} is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// Directories are not searched to any depth.
    #[error("{}: ** is not known; * stands for one part of a path, between two slashes", .0.display())]
    Deep(PathBuf),
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
    wild_folder: bool,
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
        if path
            .iter()
            .any(|part| part.as_bytes().windows(2).any(|two| two == b"**"))
        {
            return Err(PatternError::Deep(owned()));
        }
        Ok(Self {
            path: owned(),
            folder: folder.to_owned(),
            name: name.as_bytes().to_vec(),
            wild: is_wild(name),
            wild_folder: is_wild(folder.as_os_str()),
        })
    }

    /// The same names in `folder`, which this one's directory stands for.
    pub(super) fn within(&self, folder: &Path) -> Self {
        Self {
            path: folder.join(OsStr::from_bytes(&self.name)),
            folder: folder.to_owned(),
            wild_folder: false,
            ..self.clone()
        }
    }

    /// Whether it may stand for several directories.
    pub(super) fn has_wild_folder(&self) -> bool {
        self.wild_folder
    }

    /// Whether `path` is what [`Pattern::within`] makes of it for some directory.
    pub(super) fn stands_for(&self, path: &Path) -> bool {
        let Some(folder) = path.parent().filter(|_| self.wild_folder) else {
            return false;
        };
        path.file_name().is_some_and(|name| name.as_bytes() == self.name)
            && folder.iter().count() == self.folder.iter().count()
            && self
                .folder
                .iter()
                .zip(folder)
                .all(|(part, name)| found::fits(part, name))
    }

    /// The files that it names now, in the order of their names, `most` at most.
    pub fn files(&self, most: usize) -> Vec<PathBuf> {
        if self.wild_folder {
            let folders = found::folders(&self.folder).folders;
            let files = folders
                .iter()
                .flat_map(|folder| self.within(&folder.path).files(most));
            return files.take(most).collect();
        }
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
    fn a_path_that_names_no_file_is_refused() {
        let wrong = |path: &str| Pattern::new(Path::new(path)).unwrap_err();
        assert_eq!(wrong("messages"), PatternError::Relative("messages".into()));
        assert_eq!(wrong("/a/**/b"), PatternError::Deep("/a/**/b".into()));
        assert_eq!(wrong("/"), PatternError::NoName("/".into()));
        assert_eq!(wrong("/a/b/"), PatternError::NoName("/a/b/".into()));
    }

    #[test]
    fn a_directory_may_be_wild() {
        let pattern = Pattern::new(Path::new("/var/*/c[0-9]/*.log")).unwrap();
        let within = pattern.within(Path::new("/var/a/c1"));
        assert!(!within.has_wild_folder() && within.matches(OsStr::new("x.log")));
        assert_eq!(within.path, Path::new("/var/a/c1/*.log"));
        assert!(pattern.stands_for(&within.path));
        for other in [
            "/var/a/cx/*.log",
            "/var/a/b/c1/*.log",
            "/var/c1/*.log",
            "/var/a/c1/x.log",
            "/var/.a/c1/*.log",
        ] {
            assert!(!pattern.stands_for(Path::new(other)), "{other}");
        }
        let literal = Pattern::new(Path::new("/var/a")).unwrap();
        assert!(!literal.has_wild_folder() && !literal.stands_for(Path::new("/var/a")));
    }
}
