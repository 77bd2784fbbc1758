//! Whether a log can be read and is what it is said to be, for `ringfence check --live`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ringfence_seclog::{asterisk, freeswitch};

use super::{Grammar, Origin, WatchedLog};
use crate::source::logfile::Pattern;

/// Bytes of a file's end that are looked at.
const END: u64 = 64 * 1024;
/// Files of one pattern that are looked at.
const MOST: usize = 100;

impl WatchedLog {
    /// Opens it and looks at its latest lines: `Ok` says what was seen, `Err` what is wrong and what to do about it.
    pub fn check(&self) -> Result<String, String> {
        match &self.origin {
            Origin::Files { paths, docker } => {
                let mut files = Vec::new();
                for path in paths {
                    let pattern = Pattern::new(path).map_err(|error| error.to_string())?;
                    let found = pattern.files(MOST);
                    if found.is_empty() {
                        return Err(format!(
                            "there is no {}: it is read as soon as it appears. Does the PBX log there?",
                            path.display()
                        ));
                    }
                    files.extend(found);
                }
                let mut seen = Vec::new();
                for file in &files {
                    seen.push(look_at(file, &self.grammar, *docker)?);
                }
                let known = seen.iter().filter(|known| **known).count();
                Ok(format!(
                    "{} readable, {known} with lines of its kind",
                    count(files.len())
                ))
            }
            Origin::Journal { matches } => journal(matches),
            Origin::Fifo(path) => fifo(path),
            Origin::Stdin => Ok("it is read once the daemon runs".to_owned()),
        }
    }
}

fn count(files: usize) -> String {
    let plural = if files == 1 { "" } else { "s" };
    format!("{files} file{plural}")
}

/// Whether the end of a file holds a line as the grammar's program writes them; a file with other lines is not the right one.
fn look_at(path: &Path, grammar: &Grammar, docker: bool) -> Result<bool, String> {
    let unreadable = |error| {
        format!(
            "{}: {error}. Let the user that ringfence runs as read it",
            path.display()
        )
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))
        .map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes).map_err(unreadable)?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if length > END {
        // the first is the rest of one
        lines.next();
    }
    let mut lines = lines.filter(|line| !line.is_empty()).peekable();
    if lines.peek().is_none() {
        return Ok(false);
    }
    let known = |line: &[u8]| match grammar {
        _ if docker => line.starts_with(b"{\"log\":"),
        Grammar::Asterisk => asterisk::looks_like(line),
        Grammar::Freeswitch => freeswitch::Layout::guess(line).is_some(),
        Grammar::Filter { .. } => true,
    };
    if lines.any(known) {
        return Ok(true);
    }
    let wanted = match grammar {
        _ if docker => "docker's json file",
        Grammar::Freeswitch => "a log of FreeSWITCH",
        _ => "a log of Asterisk",
    };
    Err(format!(
        "{}: not one of its latest lines is of {wanted}: is it the right file?",
        path.display()
    ))
}

fn fifo(path: &Path) -> Result<String, String> {
    let kind = std::fs::metadata(path)
        .map_err(|error| format!("{}: {error}. Make it with mkfifo", path.display()))?
        .file_type();
    if kind.is_fifo() {
        return Ok("it is a named pipe".to_owned());
    }
    Err(format!(
        "{} is no named pipe: name a file under `files`, or make a pipe with mkfifo",
        path.display()
    ))
}

fn journal(matches: &[String]) -> Result<String, String> {
    let output = Command::new("journalctl")
        .args(["--quiet", "--no-pager", "--lines=1", "--output=cat"])
        .args(matches)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("journalctl: {error}. Is systemd's journal on this machine?"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("journalctl: {}", said.trim()));
    }
    Ok(if output.stdout.is_empty() {
        "readable, no entry matches yet".to_owned()
    } else {
        "readable, with entries that match".to_owned()
    })
}
