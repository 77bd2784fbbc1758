//! What is wrong with a log, and what to do about it.

use std::io;
use std::path::Path;

use super::pattern::Pattern;

pub(super) fn folder(folder: &Path, error: &io::Error) -> String {
    let folder = folder.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("the directory {folder} does not exist; it is read as soon as it does")
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "the directory {folder} can't be read: permission denied. Let the daemon's user or group read it"
            )
        }
        _ => format!("the directory {folder} can't be read: {error}. It is tried again"),
    }
}

pub(super) fn nothing(pattern: &Pattern) -> String {
    format!(
        "no file is called {}; it is read as soon as there is one. Does the PBX log there?",
        pattern.path.display()
    )
}

pub(super) fn file(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{path} can't be read: permission denied. Add the daemon's user to the group that owns the file, and check the \
             `create` line of logrotate"
        ),
        io::ErrorKind::InvalidInput => format!("{path} is not a regular file and is not read"),
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => {
            format!("{path} can't be opened: too many open files. Raise LimitNOFILE of the service")
        }
        _ => format!("{path} can't be read: {error}. It is tried again"),
    }
}

pub(super) fn too_many(pattern: &Pattern, most: usize) -> String {
    format!(
        "more than {most} files are called {}: some are not read. Name fewer",
        pattern.path.display()
    )
}

pub(super) fn too_many_folders(pattern: &Pattern, most: usize) -> String {
    format!(
        "{} stands for more than {most} directories: some are not read. Write it so that it stands for fewer",
        pattern.path.display()
    )
}
