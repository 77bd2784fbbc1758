//! Reads `[[freeswitch]]`: the FreeSWITCH nodes to watch.

use std::path::Path;

use ringfence_event::Span;

use super::findings::Issue;
use super::logs;
use super::pbx::{self, Names};
use super::place::At;
use super::secret;
use super::section::Section;
use super::tree::Value;
use crate::source::esl::EslSettings;
use crate::source::log::{Grammar, WatchedLog};

/// FreeSWITCH's port for the event socket.
const PORT: u16 = 8021;
/// How long events may be absent before a probe asks for one.
const PROBE: Span = Span::from_secs(10);
/// What FreeSWITCH installs with; everybody knows it.
const WELL_KNOWN: &str = "ClueCon";

/// Reads every `[[freeswitch]]`, whichever file it stands in.
pub(super) fn read(
    top: &mut Section<'_>,
    credentials: Option<&Path>,
    names: &mut Names,
) -> Vec<(EslSettings, Option<WatchedLog>)> {
    pbx::read(top, "freeswitch", |section| one(section, credentials, names))
}

fn one(
    mut section: Section<'_>,
    credentials: Option<&Path>,
    names: &mut Names,
) -> Option<(EslSettings, Option<WatchedLog>)> {
    let name = pbx::name(&mut section, names);
    let place = section.place();
    let address = pbx::address(&mut section, PORT);
    let user = section.text("user").map(|text| user_of(&section, text));
    let password = secret::read(&mut section, &secret::PASSWORD, credentials);
    let (stream, log) = log(&mut section, name.as_deref());
    let probe = pbx::pulse(&mut section, "probe", Span::from_secs(1));
    if let (Some((host, _)), Some(password)) = (&address, &password)
        && !pbx::is_loopback(host)
    {
        let place = section.entry("address").map_or(place, |entry| entry.node.place);
        let issue = Issue::warning(
            "the event socket has no encryption: the password goes over the network in clear text",
            place,
        );
        section.findings.push(issue.help(
            "let both ends meet in a tunnel (WireGuard, ssh -L), or run ringfence beside this FreeSWITCH",
        ));
        if secrecy::ExposeSecret::expose_secret(password) == WELL_KNOWN {
            let issue = Issue::warning(
                "the event socket has the password that FreeSWITCH is installed with",
                place,
            );
            section.findings.push(issue.help(
                "choose another one in event_socket.conf.xml: whoever reaches the port can run programs",
            ));
        }
    }
    section.finish();
    let (host, port) = address?;
    let user = match user {
        None => None,
        Some(user) => Some(user?),
    };
    let settings = EslSettings {
        name: name?,
        host,
        port: port.unwrap_or(PORT),
        user,
        password: password?,
        log: stream,
        probe: probe.map_or(PROBE, |probe| probe.value),
    };
    Some((settings, log))
}

/// Whether the log is read over the connection, and which files of it are read besides: `log = false` or `log = { … }`.
fn log(section: &mut Section<'_>, name: Option<&str>) -> (bool, Option<WatchedLog>) {
    let table = section.entry("log").and_then(|entry| match &entry.node.value {
        Value::Table(table) => Some(table),
        _ => None,
    });
    let Some(table) = table else {
        return (section.flag("log").is_none_or(|log| log.value), None);
    };
    // what else stands there is read with the files
    let mut inside = Section::new(section.findings, table, format!("log in {}", section.title()));
    let stream = inside.flag("stream").is_none_or(|stream| stream.value);
    (stream, logs::of_pbx(section, name, Grammar::Freeswitch))
}

/// A user of the directory; the protocol gives it no way to hold a colon or a space.
fn user_of(section: &Section<'_>, text: At<String>) -> Option<String> {
    let (user, domain) = text.value.split_once('@').unwrap_or_default();
    let fine = !user.is_empty()
        && !domain.is_empty()
        && text.value.len() <= 255
        && !text
            .value
            .contains(|c: char| c.is_control() || c == ' ' || c == ':');
    if fine {
        return Some(text.value);
    }
    let issue = Issue::error(format!("`user` is not user@domain: `{}`", text.value), text.place);
    section.findings.push(issue.help(
        "name a user of FreeSWITCH's directory and its domain, as in \"ringfence@default\"; leave `user` out to log in with \
         event_socket.conf.xml's own password",
    ));
    None
}
