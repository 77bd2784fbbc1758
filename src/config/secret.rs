//! Finds the secret of one PBX: written inline, in a file of its own, or handed over by systemd.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::findings::Issue;
use super::place::{At, Place};
use super::section::Section;

/// Asterisk reads lines of up to 1024 bytes; a longer secret can't be sent.
const LONGEST: usize = 1000;

/// What a kind of PBX calls its secret, and where an admin finds it.
pub(super) struct Kind {
    inline: &'static str,
    file: &'static str,
    credential: &'static str,
    /// What it is in a sentence: `secret`.
    word: &'static str,
    /// Where the PBX keeps it.
    home: &'static str,
    /// Whom a secret is sent to.
    to: &'static str,
}

/// Of a user of manager.conf.
pub(super) const SECRET: Kind = Kind {
    inline: "secret",
    file: "secret_file",
    credential: "secret_credential",
    word: "secret",
    home: "write the secret of this user in manager.conf",
    to: "Asterisk",
};

/// Of an event socket, or of one of its users.
pub(super) const PASSWORD: Kind = Kind {
    inline: "password",
    file: "password_file",
    credential: "password_credential",
    word: "password",
    home: "write the password of event_socket.conf.xml, or the esl-password of this user",
    to: "FreeSWITCH",
};

/// Reads whichever of a kind's three keys is there; exactly one must be. One from the environment takes the place of what
/// the file says.
pub(super) fn read(
    section: &mut Section<'_>,
    kind: &Kind,
    credentials: Option<&Path>,
) -> Option<SecretString> {
    let mut given: Vec<(&str, Place)> = [kind.inline, kind.file, kind.credential]
        .into_iter()
        .filter_map(|key| Some((key, section.entry(key)?.key_place)))
        .collect();
    let sources = section.findings.sources;
    let in_file = |place: Place| {
        sources
            .at(place.source())
            .is_some_and(|source| source.mode.is_some())
    };
    if given.iter().any(|(_, place)| !in_file(*place)) {
        given.retain(|(_, place)| !in_file(*place));
    }
    match given.as_slice() {
        [] => {
            let ways = format!(
                "add `{} = \"/etc/ringfence/NAME.secret\"` (mode 0640), `{}` for a systemd credential, or `{}`",
                kind.file, kind.credential, kind.inline
            );
            section.missing(&format!("a {}", kind.word), &ways);
            None
        }
        [(key, _)] if *key == kind.inline => inline(section, kind),
        [(key, _)] if *key == kind.file => {
            let path = section.path(kind.file)?;
            file(section, kind, &path, true)
        }
        [_] => credential(section, kind, credentials),
        [(first, first_place), (second, place), ..] => {
            let message = format!("{} has both `{first}` and `{second}`", section.title());
            let issue = Issue::error(message, *place).also(*first_place, "the first one");
            section.findings.push(issue.help("keep one of them"));
            None
        }
    }
}

fn inline(section: &mut Section<'_>, kind: &Kind) -> Option<SecretString> {
    let secret = section.text(kind.inline)?;
    section.findings.hide(secret.place);
    let source = section.findings.sources.at(secret.place.source())?;
    if let Some(mode) = source.mode.filter(|mode| mode & 0o007 != 0) {
        let message = format!(
            "{} holds a {} and everybody on this machine may {}",
            source.name,
            kind.word,
            may(mode)
        );
        let issue = Issue::error(message, secret.place).label(format!("the {}", kind.word));
        let chmod = format!("run `chmod 0640 {}`", source.name);
        section.findings.push(issue.help(chmod).help(format!(
            "or move the {} to a file of its own and name it in `{}`",
            kind.word, kind.file
        )));
    }
    checked(
        section,
        kind,
        secret.value,
        secret.place,
        &format!("`{}`", kind.inline),
    )
}

fn credential(section: &mut Section<'_>, kind: &Kind, credentials: Option<&Path>) -> Option<SecretString> {
    let name = section.text(kind.credential)?;
    let fine = !name.value.is_empty()
        && !name.value.contains(['/', '\0'])
        && name.value != "."
        && name.value != "..";
    if !fine {
        let issue = Issue::error(
            format!("`{}` is no name of a credential", kind.credential),
            name.place,
        );
        section
            .findings
            .push(issue.help("write the name that stands before the colon in the unit's `LoadCredential=`"));
        return None;
    }
    let Some(folder) = credentials else {
        let message = format!(
            "the systemd credential `{}` is not there: $CREDENTIALS_DIRECTORY is not set",
            name.value
        );
        let help = format!(
            "add `LoadCredential={}:/path/to/secret` to the unit, or use `{}`",
            name.value, kind.file
        );
        section
            .findings
            .push(Issue::error(message, name.place).help(help));
        return None;
    };
    file(
        section,
        kind,
        &At {
            value: folder.join(&name.value),
            place: name.place,
        },
        false,
    )
}

/// Reads a secret's file; `strict` about who else may read it (systemd guards its credentials by their folder).
fn file(section: &mut Section<'_>, kind: &Kind, path: &At<PathBuf>, strict: bool) -> Option<SecretString> {
    let shown = path.value.display();
    let word = kind.word;
    let complain = |message: String, help: String| {
        section
            .findings
            .push(Issue::error(message, path.place).help(help));
        None
    };
    let (secret, mode) = match contents(&path.value) {
        Ok(read) => read,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound => complain(
                    format!("the {word}'s file {shown} does not exist"),
                    format!("create it: `install -m 0640 /dev/null {shown}`, then write the {word} into it"),
                ),
                ErrorKind::PermissionDenied => complain(
                    format!("the {word}'s file {shown} can't be read: permission denied"),
                    "the user the daemon runs as must be able to read it, for instance through its group"
                        .into(),
                ),
                ErrorKind::InvalidInput => complain(
                    format!("{shown} is not a file"),
                    format!("name a file that holds nothing but the {word}"),
                ),
                _ => complain(
                    format!("the {word}'s file {shown} can't be read: {error}"),
                    "check the disk".into(),
                ),
            };
        }
    };
    if strict && mode & 0o007 != 0 {
        return complain(
            format!(
                "the {word}'s file {shown}: everybody on this machine may {} it (mode {:04o})",
                may(mode),
                mode & 0o7777
            ),
            format!("run `chmod 0640 {shown}`; for a Docker secret set `mode: 0440`"),
        );
    }
    if strict && mode & 0o020 != 0 {
        return complain(
            format!(
                "the {word}'s file {shown}: its group may change it (mode {:04o})",
                mode & 0o7777
            ),
            format!("run `chmod 0640 {shown}`"),
        );
    }
    let Ok(mut text) = String::from_utf8(secret) else {
        return complain(
            format!("the {word}'s file {shown} is not text"),
            format!("it must hold nothing but the {word}"),
        );
    };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    checked(section, kind, text, path.place, &format!("the {word} in {shown}"))
}

fn contents(path: &Path) -> std::io::Result<(Vec<u8>, u32)> {
    // Asked before opening: opening a FIFO would wait for a writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut secret = Vec::new();
    file.take(LONGEST as u64 + 3).read_to_end(&mut secret)?;
    Ok((secret, mode))
}

fn checked(
    section: &Section<'_>,
    kind: &Kind,
    secret: String,
    place: Place,
    what: &str,
) -> Option<SecretString> {
    let (message, help) = if secret.is_empty() {
        (format!("{what} is empty"), kind.home.to_owned())
    } else if secret.contains(['\n', '\r']) {
        (
            format!("{what} has more than one line"),
            format!("it must be one line with nothing but the {}", kind.word),
        )
    } else if secret.contains(char::is_control) {
        (
            format!("{what} contains control characters"),
            format!("{} can't be sent such a {}: choose another", kind.to, kind.word),
        )
    } else if secret.len() > LONGEST {
        (
            format!("{what} is longer than {LONGEST} bytes"),
            format!(
                "{} reads no longer lines: choose a shorter {}",
                kind.to, kind.word
            ),
        )
    } else {
        return Some(SecretString::from(secret));
    };
    section.findings.push(Issue::error(message, place).help(help));
    None
}

fn may(mode: u32) -> &'static str {
    match mode & 0o006 {
        0o006 => "read and change",
        0o002 => "change",
        0o004 => "read",
        _ => "run",
    }
}
