//! Reads `[[asterisk]]`: the PBXes to watch.

use std::path::Path;

use ringfence_event::Span;

use super::findings::Issue;
use super::ignoreip::is_name;
use super::place::{At, Place};
use super::secret;
use super::section::Section;
use super::tls;
use super::tree::{Node, Value, list_of_named};
use crate::source::ami::{AmiSettings, AuthMethod};

/// Asterisk's port for the manager interface.
const PORT: u16 = 5038;
/// The same with TLS.
const TLS_PORT: u16 = 5039;
/// Host name, bracketed IPv6 address and port, for the help below an error.
const FORMS: &str = "write \"127.0.0.1:5038\", \"pbx.example.net\" or \"[2001:db8::1]:5038\"";

/// Reads every `[[asterisk]]`, whichever file it stands in.
pub(super) fn read(top: &mut Section<'_>, credentials: Option<&Path>) -> Vec<AmiSettings> {
    let Some(entry) = top.entry("asterisk") else {
        return Vec::new();
    };
    let from_variables;
    let nodes = match &entry.node.value {
        Value::List(nodes) => nodes,
        Value::Table(table) if is_environment(top, entry.node.place) => {
            from_variables = list_of_named(table);
            &from_variables
        }
        _ => {
            let issue = Issue::error("`asterisk` must be a list of tables", entry.key_place);
            top.findings
                .push(issue.help("write `[[asterisk]]` with two brackets, once for each PBX"));
            return Vec::new();
        }
    };
    let mut names: Vec<At<String>> = Vec::new();
    nodes
        .iter()
        .filter_map(|node| one(top, node, credentials, &mut names))
        .collect()
}

fn one(
    top: &Section<'_>,
    node: &Node,
    credentials: Option<&Path>,
    names: &mut Vec<At<String>>,
) -> Option<AmiSettings> {
    let Value::Table(table) = &node.value else {
        let issue = Issue::error(
            format!("`asterisk` holds {}, not a table", node.value.kind()),
            node.place,
        );
        top.findings
            .push(issue.help("write `[[asterisk]]` and its keys below"));
        return None;
    };
    let mut section = Section::new(top.findings, table, "[[asterisk]]");
    let name = name(&mut section, names);
    let address = section
        .required("address", FORMS)
        .and_then(|text| address(&section, &text));
    let tls = tls::read(&mut section);
    let username = section.required(
        "username",
        "name the user of manager.conf that ringfence logs in as",
    );
    let username = username.and_then(|text| username_of(&section, text));
    let secret = secret::read(&mut section, credentials);
    let auth = section.choice("auth", &[("md5", AuthMethod::Md5), ("plain", AuthMethod::Plain)]);
    let ping = section.span("ping", Span::from_millis(100), false);
    if let (Some(auth), Ok(None), Some((host, _))) = (&auth, &tls, &address)
        && auth.value == AuthMethod::Plain
        && !is_loopback(host)
    {
        let issue = Issue::warning("the secret goes over the network in clear text", auth.place);
        section
            .findings
            .push(issue.help("use `auth = \"md5\"`, or `tls = true`"));
    }
    section.finish();
    let (host, port) = address?;
    let tls = tls.ok()?;
    Some(AmiSettings {
        name: name?,
        host,
        port: port.unwrap_or(if tls.is_some() { TLS_PORT } else { PORT }),
        tls,
        username: username?,
        secret: secret?,
        auth: auth.map_or_else(AuthMethod::default, |auth| auth.value),
        ping: ping.map_or(Span::from_secs(1), |ping| ping.value),
    })
}

fn name(section: &mut Section<'_>, names: &mut Vec<At<String>>) -> Option<String> {
    let name = section.required("name", "give it a name for reports: `name = \"pbx1\"`")?;
    let fine = name.value.len() <= 64
        && name
            .value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !fine {
        let issue = Issue::error(format!("`{}` can't be a name", name.value), name.place);
        section
            .findings
            .push(issue.help("use up to 64 letters, digits, `-`, `_` and `.`"));
        return None;
    }
    if let Some(first) = names
        .iter()
        .find(|other| other.value.eq_ignore_ascii_case(&name.value))
    {
        let issue = Issue::error(format!("two PBXes are called `{}`", name.value), name.place);
        section.findings.push(
            issue
                .also(first.place, "the first one")
                .help("give each its own name"),
        );
        return None;
    }
    names.push(name.clone());
    Some(name.value)
}

fn address(section: &Section<'_>, text: &At<String>) -> Option<(String, Option<u16>)> {
    let parsed = split_address(&text.value);
    if parsed.is_none() {
        let issue = Issue::error(format!("`{}` is no address of a PBX", text.value), text.place);
        section.findings.push(issue.help(FORMS));
    }
    parsed
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn split_address(text: &str) -> Option<(String, Option<u16>)> {
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some((text.to_owned(), None));
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (
            host,
            if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(':')?)
            },
        )
    } else {
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)));
        if host.parse::<std::net::Ipv4Addr>().is_err() && !is_name(host) {
            return None;
        }
        (host, port)
    };
    let port = match port {
        None => None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
    };
    Some((host.to_owned(), port))
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

fn is_environment(top: &Section<'_>, place: Place) -> bool {
    top.findings
        .sources
        .at(place.source())
        .is_some_and(|source| source.mode.is_none())
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|addr| addr.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_and_without_port() {
        let split = |text: &str| split_address(text).map(|(host, port)| (host, port.unwrap_or(0)));
        assert_eq!(split("127.0.0.1:5038"), Some(("127.0.0.1".into(), 5038)));
        assert_eq!(split("pbx.example.net"), Some(("pbx.example.net".into(), 0)));
        assert_eq!(split("[2001:db8::1]:5039"), Some(("2001:db8::1".into(), 5039)));
        assert_eq!(split("[2001:db8::1]"), Some(("2001:db8::1".into(), 0)));
        assert_eq!(split("2001:db8::1"), Some(("2001:db8::1".into(), 0)));
        for wrong in [
            "",
            ":5038",
            "a:b",
            "a:0",
            "a:70000",
            "a:+1",
            "a:",
            "[::1]5038",
            "[a]:1",
            "192.0.2.300",
            "a b:1",
            "1:2:3",
        ] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
