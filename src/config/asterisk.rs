//! Reads `[[asterisk]]`: the PBXes to watch.

use std::path::Path;

use ringfence_event::Span;

use super::findings::Issue;
use super::logs;
use super::pbx::{self, Names};
use super::place::At;
use super::secret;
use super::section::Section;
use super::tls;
use crate::source::ami::{AmiSettings, AuthMethod};
use crate::source::log::{Grammar, WatchedLog};

/// Asterisk's port for the manager interface.
const PORT: u16 = 5038;
/// The same with TLS.
const TLS_PORT: u16 = 5039;
/// Reads every `[[asterisk]]`, whichever file it stands in.
pub(super) fn read(
    top: &mut Section<'_>,
    credentials: Option<&Path>,
    names: &mut Names,
) -> Vec<(AmiSettings, Option<WatchedLog>)> {
    pbx::read(top, "asterisk", |section| one(section, credentials, names))
}

fn one(
    mut section: Section<'_>,
    credentials: Option<&Path>,
    names: &mut Names,
) -> Option<(AmiSettings, Option<WatchedLog>)> {
    let name = pbx::name(&mut section, names);
    let address = pbx::address(&mut section, PORT);
    let tls = tls::read(&mut section);
    let username = section.required(
        "username",
        "name the user of manager.conf that ringfence logs in as",
    );
    let username = username.and_then(|text| username_of(&section, text));
    let secret = secret::read(&mut section, &secret::SECRET, credentials);
    let auth = section.choice("auth", &[("md5", AuthMethod::Md5), ("plain", AuthMethod::Plain)]);
    let ping = pbx::pulse(&mut section, "ping", Span::from_millis(100));
    if let (Some(auth), Ok(None), Some((host, _))) = (&auth, &tls, &address)
        && auth.value == AuthMethod::Plain
        && !pbx::is_loopback(host)
    {
        let issue = Issue::warning("the secret goes over the network in clear text", auth.place);
        section
            .findings
            .push(issue.help("use `auth = \"md5\"`, or `tls = true`"));
    }
    let log = logs::of_pbx(&mut section, name.as_deref(), Grammar::Asterisk);
    section.finish();
    let (host, port) = address?;
    let tls = tls.ok()?;
    let settings = AmiSettings {
        name: name?,
        host,
        port: port.unwrap_or(if tls.is_some() { TLS_PORT } else { PORT }),
        tls,
        username: username?,
        secret: secret?,
        auth: auth.map_or_else(AuthMethod::default, |auth| auth.value),
        ping: ping.map_or(Span::from_secs(1), |ping| ping.value),
    };
    Some((settings, log))
}

fn username_of(section: &Section<'_>, text: At<String>) -> Option<String> {
    if text.value.len() <= 255 && !text.value.contains(char::is_control) {
        return Some(text.value);
    }
    let issue = Issue::error("`username` can't be sent to Asterisk", text.place);
    section
        .findings
        .push(issue.help("use up to 255 characters on one line"));
    None
}
