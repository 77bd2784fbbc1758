//! The log that a filter is tested on: opened, or why it can't be and what to do instead.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use ringfence_fail2ban::Definition;

use crate::cli::{CliError, Exit};

/// How compressed files begin, and what reads them.
const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "zcat"),
    (b"BZh", "bzcat"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xzcat"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstdcat"),
];

/// Bytes to read, and how many there are if that is known.
type Source = (Box<dyn BufRead>, Option<u64>);

/// Opens the log that `text` names, or is.
///
/// [`Exit::NoInput`] when it can't be opened, [`Exit::Data`] when it is compressed, [`Exit::Unavailable`] for the journal.
pub(super) fn open(text: &str, filter: &str, definition: &Definition) -> Result<Source, CliError> {
    let named = |text: &str| text == "systemd-journal" || text.starts_with("systemd-journal[");
    if text == "-" {
        let mut source = BufReader::with_capacity(1 << 16, io::stdin());
        plain(&mut source, "the standard input", "COMMAND |", filter)?;
        return Ok((Box::new(source), None));
    }
    let wrong = |error: &io::Error| {
        let what = match error.kind() {
            ErrorKind::NotFound => format!(
                "there is no log {text}. A line of a log can be given itself, in quotes, if it has a space in it"
            ),
            ErrorKind::PermissionDenied => {
                format!("{text} can't be read: permission denied. Try it with sudo")
            }
            _ => format!("{text} can't be read: {error}"),
        };
        CliError::new(Exit::NoInput, what)
    };
    match File::open(text) {
        Ok(file) => {
            let about = file.metadata().map_err(|error| wrong(&error))?;
            if about.is_dir() {
                let what = format!("{text} is a directory: name a file in it");
                return Err(CliError::new(Exit::NoInput, what));
            }
            let mut source = BufReader::with_capacity(1 << 16, file);
            plain(&mut source, text, &quoted(text), filter)?;
            Ok((Box::new(source), about.is_file().then_some(about.len())))
        }
        Err(_) if named(text) => Err(CliError::new(Exit::Unavailable, journal(filter, definition))),
        // A line of a log has a space in it; what has none is a file that is not there.
        Err(_) if text.contains([' ', '\n']) && !Path::new(text).exists() => {
            Ok((Box::new(io::Cursor::new(text.as_bytes().to_vec())), None))
        }
        Err(error) => Err(wrong(&error)),
    }
}

/// Refuses what is compressed: no pattern would match, and nobody would know why.
fn plain(source: &mut impl BufRead, name: &str, input: &str, filter: &str) -> Result<(), CliError> {
    // what can't be read is said by whoever reads it
    let beginning = source.fill_buf().unwrap_or_default();
    let Some((_, reader)) = COMPRESSED.iter().find(|(magic, _)| beginning.starts_with(magic)) else {
        return Ok(());
    };
    let what = format!(
        "{name} is compressed: {}",
        match input.strip_suffix('|') {
            Some(command) => format!("{command}| {reader} | ringfence regex - {}", quoted(filter)),
            None => format!("{reader} {input} | ringfence regex - {}", quoted(filter)),
        }
    );
    Err(CliError::new(Exit::Data, what))
}

/// How to test the filter on the journal: with the entries that it asks for.
fn journal(filter: &str, definition: &Definition) -> String {
    let matches = definition.journalmatch.join(" + ");
    let matches = match matches.as_str() {
        "" => "_SYSTEMD_UNIT=THE-UNIT.service",
        matches => matches,
    };
    format!(
        "the journal is tested through a pipe: journalctl --no-pager -o short-iso {matches} | ringfence regex - {}",
        quoted(filter)
    )
}

/// `text` as a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.,=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
