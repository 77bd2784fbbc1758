//! What is in a directory of the files that a pattern means, and of those that they became when they were rotated.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::folder::race;
use super::head::FileId;
use super::pattern::{Pattern, is_rotation_of, rotation_order};

/// How often a directory is read at most until it stands still.
const TRIES: usize = 20;

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    changed: i128,
    /// The admin's pattern means it.
    pub(super) meant: bool,
    /// It is not the rotated form of another one.
    pub(super) current: bool,
    /// Its own name, or that of the file it was before its rotation.
    pub(super) base: OsString,
    /// Where a symbolic link stands under that name: what its target is called.
    link: Option<OsString>,
    pub(super) regular: bool,
}

/// What was found, and where else to watch.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<Seen>,
    /// The directories of symbolic links' targets.
    pub(super) elsewhere: Vec<PathBuf>,
    /// The directory changed all the time.
    pub(super) unsettled: bool,
}

/// What is known already.
pub(super) struct Known {
    /// Inodes that are found under any name.
    pub(super) inodes: BTreeSet<u64>,
    /// Names that were written to.
    pub(super) bases: BTreeSet<OsString>,
}

/// Lists until two lists agree: while files are renamed, one of them may be missing from a list.
pub(super) fn list(pattern: &Pattern, known: &Known) -> io::Result<Listing> {
    let mut before = once(pattern, known)?;
    for _ in 1..TRIES {
        let now = once(pattern, known)?;
        let same = now.files.len() == before.files.len()
            && now
                .files
                .iter()
                .zip(&before.files)
                .all(|(one, other)| one.id == other.id && one.path == other.path);
        before = now;
        if same {
            return Ok(before);
        }
    }
    before.unsettled = true;
    Ok(before)
}

fn once(pattern: &Pattern, known: &Known) -> io::Result<Listing> {
    let names = match fs::read_dir(&pattern.folder) {
        Ok(entries) => names(entries),
        // a directory that may be passed through but not listed
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let name = pattern.path.file_name().map(OsStr::to_owned);
            name.into_iter().map(|name| (name, 0, true)).collect()
        }
        Err(error) => return Err(error),
    };
    let meant: Vec<&OsStr> = names
        .iter()
        .map(|(name, ..)| name.as_os_str())
        .filter(|name| pattern.matches(name))
        .collect();
    let mut bases: Vec<&OsStr> = known.bases.iter().map(OsString::as_os_str).collect();
    bases.extend(&meant);
    bases.sort_unstable_by_key(|base| base.len());
    bases.dedup();
    let mut listing = Listing::default();
    for (name, inode, link) in &names {
        let meant = pattern.matches(name);
        let base = bases.iter().find(|base| is_rotation_of(name, base));
        if !meant && base.is_none() && !known.inodes.contains(inode) {
            continue;
        }
        let current = meant && base.is_none();
        race();
        let path = pattern.folder.join(name);
        if let Some(seen) = look(&path, base.map_or(name, |base| *base), meant, current) {
            listing.files.push(seen);
        }
        if *link && current {
            follow(&path, name, known, &pattern.folder, &mut listing);
        }
    }
    // a link and its target are one file
    listing.files.sort_by_cached_key(Seen::age);
    let mut ids = BTreeSet::new();
    listing.files.reverse();
    listing.files.retain(|seen| ids.insert(seen.id));
    listing.files.reverse();
    Ok(listing)
}

impl Seen {
    /// Sorts the oldest first: of rotated files the one that was made first, then what is written to.
    pub(super) fn age(&self) -> (bool, (i64, Vec<u8>), u64, i128) {
        (self.current, self.order(), self.id.born, self.changed)
    }

    /// Its place among the rotated files.
    pub(super) fn order(&self) -> (i64, Vec<u8>) {
        let name = self.path.file_name().unwrap_or_default();
        rotation_order(name, self.link.as_deref().unwrap_or(&self.base))
    }
}

/// Lists what the target of a symbolic link became.
fn follow(link: &Path, base: &OsStr, known: &Known, folder: &Path, listing: &mut Listing) {
    let Ok(target) = fs::canonicalize(link) else {
        return;
    };
    let (Some(elsewhere), Some(target)) = (target.parent(), target.file_name()) else {
        return;
    };
    if elsewhere == folder {
        return;
    }
    if !listing.elsewhere.iter().any(|known| known == elsewhere) {
        listing.elsewhere.push(elsewhere.to_owned());
    }
    for (name, inode, _) in fs::read_dir(elsewhere).map(names).unwrap_or_default() {
        if (is_rotation_of(&name, target) || known.inodes.contains(&inode))
            && let Some(seen) = look(&elsewhere.join(&name), base, false, false)
        {
            let link = Some(target.to_owned());
            listing.files.push(Seen { link, ..seen });
        }
    }
}

/// Names, inodes, and which are symbolic links.
fn names(entries: fs::ReadDir) -> Vec<(OsString, u64, bool)> {
    let is_link = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| (entry.file_name(), entry.ino(), is_link(&entry)))
        .collect();
    names.sort_unstable();
    names
}

fn look(path: &Path, base: &OsStr, meant: bool, current: bool) -> Option<Seen> {
    let metadata = fs::metadata(path).ok()?;
    Some(Seen {
        path: path.to_owned(),
        id: FileId::of(&metadata),
        size: metadata.len(),
        changed: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        meant,
        current,
        base: base.to_owned(),
        link: None,
        regular: metadata.is_file(),
    })
}
