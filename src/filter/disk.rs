//! Finds the files of a filter.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use ringfence_fail2ban::{Definition, Files, LoadError, Written, load, load_file, split_options};

/// Where fail2ban keeps its configuration; filters are in `filter.d` below it.
pub const DEFAULT_FOLDER: &str = "/etc/fail2ban";
/// Bytes read of one file: one more than a filter's file may have, so that a larger one is refused.
const MOST: u64 = (1 << 20) + 1;

/// Files as they are on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut bytes = Vec::new();
        file.take(MOST)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(Some(bytes))
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// The filter that `text` names, or the pattern that it is.
///
/// A name (`sshd`, `sshd[mode=aggressive]`) is looked for in `folder`/filter.d; a path is read as it is, and with all
/// its overrides if it lies in a folder `filter.d`. Anything else is a pattern.
///
/// # Errors
/// [`LoadError`] when a filter is there and can't be loaded.
pub fn open(text: &str, folder: &Path) -> Result<Definition, LoadError> {
    let plain = |c: char| c.is_alphanumeric() || "/_-.".contains(c);
    let name = text.split('[').next().unwrap_or_default();
    let may_name =
        !name.is_empty() && name.chars().all(plain) && (name == text || text.trim_end().ends_with(']'));
    if may_name {
        let (name, given) = split_options(text).map_err(LoadError::Given)?;
        if let Some(file) = find(&name, folder) {
            let overridden = file.parent().is_some_and(|folder| folder.ends_with("filter.d"));
            return if overridden {
                load(&Disk, &file.with_extension(""), &given)
            } else {
                load_file(&Disk, &file, &given)
            };
        }
        // What looks like a name and holds no tag can't say whom it is about: it was meant as a name.
        return Err(LoadError::Missing(if name.contains('/') {
            PathBuf::from(name)
        } else {
            folder.join("filter.d").join(name)
        }));
    }
    Ok(Definition {
        failregex: vec![Written::given(text)],
        ..Definition::default()
    })
}

/// A filter's file in the current directory, written so that it is not taken for a filter's name.
pub fn here(text: &str) -> String {
    let path = Path::new(text);
    let named = path
        .extension()
        .is_some_and(|end| end == "conf" || end == "local");
    if named && !text.contains('/') && path.is_file() {
        return format!("./{text}");
    }
    text.to_owned()
}

fn find(name: &str, folder: &Path) -> Option<PathBuf> {
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        folder.join("filter.d").join(name)
    };
    let with = |suffix: &str| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    [path.clone(), with(".conf"), with(".local")]
        .into_iter()
        .find(|path| path.is_file())
}
