//! The directories that a path with wildcards stands for at the moment.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::glob::{glob, is_wild};
use super::head::FileId;

/// Directories that are looked at for each part of a path.
const MOST_LOOKED_AT: usize = 10_000;

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Each directory once, by the names' order; not through a symbolic link where it is found without.
    pub(super) folders: Vec<Found>,
    /// Where others may appear.
    pub(super) parents: Vec<PathBuf>,
    /// Why some could not be looked for.
    pub(super) error: Option<(PathBuf, io::Error)>,
}

/// Looks for the directories that `pattern` stands for.
pub(super) fn folders(pattern: &Path) -> Findings {
    let mut findings = Findings::default();
    let mut paths: Vec<(PathBuf, bool)> = vec![(PathBuf::new(), false)];
    for part in pattern {
        if !is_wild(part) {
            for (path, _) in &mut paths {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for (parent, linked) in paths {
            match children(&parent, part) {
                Ok(children) => {
                    next.extend(children.into_iter().map(|(path, link)| (path, link || linked)));
                    findings.parents.push(parent);
                }
                // only a part that is written out must be there
                Err(error) if is_absent(&error) && !findings.parents.is_empty() => {}
                Err(error) => findings.error = Some((parent, error)),
            }
        }
        next.sort();
        next.truncate(MOST_LOOKED_AT);
        paths = next;
    }
    paths.sort_by_key(|(_, linked)| *linked);
    let mut known = BTreeSet::new();
    for (path, _) in paths {
        if let Ok(metadata) = fs::metadata(&path)
            && metadata.is_dir()
            && known.insert(FileId::of(&metadata))
        {
            let id = FileId::of(&metadata);
            findings.folders.push(Found { path, id });
        }
    }
    findings.folders.sort_by(|one, other| one.path.cmp(&other.path));
    findings
}

/// Whether a directory's `name` fits one part of a pattern. A wildcard never matches hidden ones unless it begins with a dot.
pub(super) fn fits(part: &OsStr, name: &OsStr) -> bool {
    if !is_wild(part) {
        return part == name;
    }
    let (part, name) = (part.as_bytes(), name.as_bytes());
    (!name.starts_with(b".") || part.starts_with(b".")) && glob(part, name)
}

/// What in `parent` may be a directory that fits, and whether it is a symbolic link.
fn children(parent: &Path, part: &OsStr) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut children = Vec::new();
    for entry in fs::read_dir(parent)?.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if (kind.is_dir() || kind.is_symlink()) && fits(part, &entry.file_name()) {
            children.push((entry.path(), kind.is_symlink()));
        }
    }
    Ok(children)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
