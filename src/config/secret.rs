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
/// Ways to give a secret, for the help below an error.
const WAYS: &str = "add `secret_file = \"/etc/ringfence/NAME.secret\"` (mode 0640), `secret_credential` for a systemd \
     credential, or `secret`";

/// Reads whichever of `secret`, `secret_file` and `secret_credential` is there; exactly one must be. One from the
/// environment takes the place of what the file says.
pub(super) fn read(section: &mut Section<'_>, credentials: Option<&Path>) -> Option<SecretString> {
    let mut given: Vec<(&str, Place)> = ["secret", "secret_file", "secret_credential"]
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
            section.missing("a secret", WAYS);
            None
        }
        [("secret", _)] => inline(section),
        [("secret_file", _)] => {
            let path = section.path("secret_file")?;
            file(section, &path, true)
        }
        [_] => credential(section, credentials),
        [(first, first_place), (second, place), ..] => {
            let message = format!("{} has both `{first}` and `{second}`", section.title());
            let issue = Issue::error(message, *place).also(*first_place, "the first one");
            section.findings.push(issue.help("keep one of them"));
            None
        }
    }
}

fn inline(section: &mut Section<'_>) -> Option<SecretString> {
    let secret = section.text("secret")?;
    section.findings.hide(secret.place);
    let source = section.findings.sources.at(secret.place.source())?;
    if let Some(mode) = source.mode.filter(|mode| mode & 0o007 != 0) {
        let message = format!(
            "{} holds a secret and everybody on this machine may {}",
            source.name,
            may(mode)
        );
        let issue = Issue::error(message, secret.place).label("the secret");
        let chmod = format!("run `chmod 0640 {}`", source.name);
        section.findings.push(
            issue
                .help(chmod)
                .help("or move the secret to a file of its own and name it in `secret_file`"),
        );
    }
    checked(section, secret.value, secret.place, "`secret`")
}

fn credential(section: &mut Section<'_>, credentials: Option<&Path>) -> Option<SecretString> {
    let name = section.text("secret_credential")?;
    let fine = !name.value.is_empty()
        && !name.value.contains(['/', '\0'])
        && name.value != "."
        && name.value != "..";
    if !fine {
        let issue = Issue::error("`secret_credential` is no name of a credential", name.place);
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
            "add `LoadCredential={}:/path/to/secret` to the unit, or use `secret_file`",
            name.value
        );
        section
            .findings
            .push(Issue::error(message, name.place).help(help));
        return None;
    };
    file(
        section,
        &At {
            value: folder.join(&name.value),
            place: name.place,
        },
        false,
    )
}

/// Reads a secret's file; `strict` about who else may read it (systemd guards its credentials by their folder).
fn file(section: &mut Section<'_>, path: &At<PathBuf>, strict: bool) -> Option<SecretString> {
    let shown = path.value.display();
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
                    format!("the secret's file {shown} does not exist"),
                    format!("create it: `install -m 0640 /dev/null {shown}`, then write the secret into it"),
                ),
                ErrorKind::PermissionDenied => complain(
                    format!("the secret's file {shown} can't be read: permission denied"),
                    "the user the daemon runs as must be able to read it, for instance through its group"
                        .into(),
                ),
                ErrorKind::InvalidInput => complain(
                    format!("{shown} is not a file"),
                    "name a file that holds nothing but the secret".into(),
                ),
                _ => complain(
                    format!("the secret's file {shown} can't be read: {error}"),
                    "check the disk".into(),
                ),
            };
        }
    };
    if strict && mode & 0o007 != 0 {
        return complain(
            format!(
                "the secret's file {shown}: everybody on this machine may {} it (mode {:04o})",
                may(mode),
                mode & 0o7777
            ),
            format!("run `chmod 0640 {shown}`; for a Docker secret set `mode: 0440`"),
        );
    }
    if strict && mode & 0o020 != 0 {
        return complain(
            format!(
                "the secret's file {shown}: its group may change it (mode {:04o})",
                mode & 0o7777
            ),
            format!("run `chmod 0640 {shown}`"),
        );
    }
    let Ok(mut text) = String::from_utf8(secret) else {
        return complain(
            format!("the secret's file {shown} is not text"),
            "it must hold nothing but the secret".into(),
        );
    };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    checked(section, text, path.place, &format!("the secret in {shown}"))
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

fn checked(section: &Section<'_>, secret: String, place: Place, what: &str) -> Option<SecretString> {
    let (message, help) = if secret.is_empty() {
        (
            format!("{what} is empty"),
            "write the secret of this user in manager.conf",
        )
    } else if secret.contains(['\n', '\r']) {
        (
            format!("{what} has more than one line"),
            "it must be one line with nothing but the secret",
        )
    } else if secret.contains(char::is_control) {
        (
            format!("{what} contains control characters"),
            "Asterisk can't be sent such a secret: choose another",
        )
    } else if secret.len() > LONGEST {
        (
            format!("{what} is longer than {LONGEST} bytes"),
            "Asterisk reads no longer lines: choose a shorter secret",
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
