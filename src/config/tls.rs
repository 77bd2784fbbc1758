//! Reads how the certificate of one PBX is checked: `tls`, `ca_file`, `fingerprint`, `server_name`.

use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;

use super::findings::Issue;
use super::ignoreip::is_name;
use super::place::{At, Place};
use super::section::Section;
use crate::source::ami::TlsSettings;

/// How to learn a certificate's fingerprint.
const OPENSSL: &str = "`openssl x509 -in asterisk.pem -noout -fingerprint -sha256` prints it";

/// `Ok(None)` without TLS; `Err` when what is said about it can't be used, which has been complained about.
pub(super) fn read(section: &mut Section<'_>) -> Result<Option<TlsSettings>, ()> {
    let asked = section.entry("tls").is_some();
    let wanted = section.flag("tls");
    let options = Options {
        ca_file: section.entry("ca_file").map(|entry| entry.key_place),
        fingerprint: section.entry("fingerprint").map(|entry| entry.key_place),
        server_name: section.entry("server_name").map(|entry| entry.key_place),
    };
    match wanted {
        None if asked => Err(()),
        Some(tls) if tls.value => with_tls(section, tls.place, &options).ok_or(()).map(Some),
        _ => without_tls(section, &options).map(|()| None),
    }
}

/// Which options stand there, and where.
struct Options {
    ca_file: Option<Place>,
    fingerprint: Option<Place>,
    server_name: Option<Place>,
}

fn without_tls(section: &Section<'_>, options: &Options) -> Result<(), ()> {
    let given = [
        ("ca_file", options.ca_file),
        ("fingerprint", options.fingerprint),
        ("server_name", options.server_name),
    ];
    let mut result = Ok(());
    for (key, place) in given {
        if let Some(place) = place {
            let issue = Issue::error(format!("`{key}` has no effect without `tls = true`"), place);
            section
                .findings
                .push(issue.help("add `tls = true`, or remove it"));
            result = Err(());
        }
    }
    result
}

fn with_tls(section: &mut Section<'_>, tls: Place, options: &Options) -> Option<TlsSettings> {
    let server_name = match options.server_name {
        Some(_) => section
            .text("server_name")
            .and_then(|name| server_name_of(section, name))
            .map(Some),
        None => Some(None),
    };
    match (options.ca_file, options.fingerprint) {
        (Some(first), Some(second)) => {
            let issue = Issue::error("`fingerprint` and `ca_file` exclude each other", second);
            section
                .findings
                .push(issue.also(first, "the other way").help("keep one of them"));
            None
        }
        (Some(_), None) => {
            let path = section.path("ca_file")?;
            let ca_file = Some(readable(section, path)?);
            Some(TlsSettings {
                ca_file,
                pinned: None,
                server_name: server_name?,
            })
        }
        (None, Some(_)) => {
            let text = section.text("fingerprint")?;
            let pinned = Some(fingerprint_of(section, &text)?);
            Some(TlsSettings {
                ca_file: None,
                pinned,
                server_name: server_name?,
            })
        }
        (None, None) => {
            let issue = Issue::error("`tls` needs a way to check the server's certificate", tls);
            section.findings.push(
                issue
                    .help(
                        "`ca_file = \"/etc/asterisk/keys/ca.crt\"`: the authority that signed it, a PEM file",
                    )
                    .help(format!("or `fingerprint`, its SHA-256: {OPENSSL}")),
            );
            None
        }
    }
}

fn server_name_of(section: &Section<'_>, name: At<String>) -> Option<String> {
    if is_name(&name.value) || name.value.parse::<IpAddr>().is_ok() {
        return Some(name.value);
    }
    let issue = Issue::error(
        format!("`server_name`: `{}` is no DNS name or address", name.value),
        name.place,
    );
    section
        .findings
        .push(issue.help("write the name that the certificate carries"));
    None
}

fn readable(section: &Section<'_>, path: At<PathBuf>) -> Option<PathBuf> {
    let error = match std::fs::metadata(&path.value) {
        Ok(metadata) if !metadata.is_file() => "it is not a file".to_owned(),
        Ok(_) => match File::open(&path.value) {
            Ok(_) => return Some(path.value),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    let issue = Issue::error(
        format!("`ca_file` {} can't be read: {error}", path.value.display()),
        path.place,
    );
    section
        .findings
        .push(issue.help("name a PEM file with the certificate of the authority"));
    None
}

fn fingerprint_of(section: &Section<'_>, text: &At<String>) -> Option<[u8; 32]> {
    let pin = parse_fingerprint(&text.value);
    if pin.is_none() {
        let issue = Issue::error("`fingerprint` is no SHA-256 fingerprint", text.place);
        section.findings.push(
            issue
                .help("it has 64 hexadecimal digits, with or without colons")
                .help(OPENSSL),
        );
    }
    pin
}

fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0_u32, |byte, digit| byte * 16 + digit))
        .map(u8::try_from)
        .collect::<Result<_, _>>()
        .ok()?;
    if digits.len() == 64 {
        bytes.try_into().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_come_with_and_without_colons() {
        let plain = "00ff".repeat(16);
        let colons = vec!["00:FF"; 16].join(":");
        let mut expected = [0; 32];
        expected
            .iter_mut()
            .skip(1)
            .step_by(2)
            .for_each(|byte| *byte = 0xff);
        assert_eq!(parse_fingerprint(&plain), Some(expected));
        assert_eq!(parse_fingerprint(&colons), Some(expected));
        for wrong in [
            "",
            "00ff",
            &plain[1..],
            &format!("{plain}00"),
            &format!("{}zz", &plain[2..]),
        ] {
            assert_eq!(parse_fingerprint(wrong), None, "{wrong}");
        }
    }
}
