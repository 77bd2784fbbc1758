//! What every kind of PBX has in common: `[[asterisk]]` and `[[freeswitch]]`.

use ringfence_event::Span;

use super::findings::Issue;
use super::ignoreip::is_name;
use super::place::{At, Place};
use super::section::Section;
use super::tree::{Table, Value, list_of_named};

/// A connection is looked at no less often.
const SLOWEST: Span = Span::from_secs(300);

/// The names of the PBXes read so far: each may stand once, whatever kind of PBX has it.
pub(super) type Names = Vec<At<String>>;

/// Reads every `[[key]]` with `one`, whichever file it stands in.
pub(super) fn read<T>(
    top: &mut Section<'_>,
    key: &'static str,
    mut one: impl FnMut(Section<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(entry) = top.entry(key) else {
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
            let issue = Issue::error(format!("`{key}` must be a list of tables"), entry.key_place);
            top.findings
                .push(issue.help(format!("write `[[{key}]]` with two brackets, once for each PBX")));
            return Vec::new();
        }
    };
    let mut read = Vec::new();
    for node in nodes {
        let Value::Table(table) = &node.value else {
            let message = format!("`{key}` holds {}, not a table", node.value.kind());
            let issue = Issue::error(message, node.place);
            top.findings
                .push(issue.help(format!("write `[[{key}]]` and its keys below")));
            continue;
        };
        read.extend(one(section(top, table, key)));
    }
    read
}

/// How often a connection is proven to be alive; a dead one would go unnoticed for as long.
pub(super) fn pulse(section: &mut Section<'_>, key: &'static str, least: Span) -> Option<At<Span>> {
    let span = section.span(key, least, false)?;
    if span.value <= SLOWEST {
        return Some(span);
    }
    let issue = Issue::error(format!("`{key}` is too long"), span.place);
    section.findings.push(issue.help(format!(
        "the longest is {SLOWEST}: a dead connection goes unnoticed for as long"
    )));
    None
}

fn section<'a>(top: &Section<'a>, table: &'a Table, key: &str) -> Section<'a> {
    Section::new(top.findings, table, format!("[[{key}]]"))
}

/// The PBX's name in reports.
pub(super) fn name(section: &mut Section<'_>, names: &mut Names) -> Option<String> {
    let earlier = |name: &str| {
        let mut same = names
            .iter()
            .filter(|other| other.value.eq_ignore_ascii_case(name));
        same.next().map(|other| other.place)
    };
    let name = unique_name(section, ("pbx1", "sources"), earlier)?;
    names.push(name.clone());
    Some(name.value)
}

/// A name for reports that nothing else of its kind has: an example of one, the kind, and where the same name stood `earlier`.
pub(super) fn unique_name(
    section: &mut Section<'_>,
    (example, kind): (&str, &str),
    earlier: impl Fn(&str) -> Option<Place>,
) -> Option<At<String>> {
    let help = format!("give it a name for reports: `name = \"{example}\"`");
    let name = section.required("name", &help)?;
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
    if let Some(first) = earlier(&name.value) {
        let issue = Issue::error(format!("two {kind} are called `{}`", name.value), name.place);
        section
            .findings
            .push(issue.also(first, "the first one").help("give each its own name"));
        return None;
    }
    Some(name)
}

/// Host and port as the admin wrote them; `port` is the one that such PBXes usually have, for the help below an error.
pub(super) fn address(section: &mut Section<'_>, port: u16) -> Option<(String, Option<u16>)> {
    let forms = format!("write \"127.0.0.1:{port}\", \"pbx.example.net\" or \"[2001:db8::1]:{port}\"");
    let text = section.required("address", &forms)?;
    let parsed = split_address(&text.value);
    if parsed.is_none() {
        let issue = Issue::error(format!("`{}` is no address of a PBX", text.value), text.place);
        section.findings.push(issue.help(forms));
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

fn is_environment(top: &Section<'_>, place: Place) -> bool {
    top.findings
        .sources
        .at(place.source())
        .is_some_and(|source| source.mode.is_none())
}

/// Whether what is said to `host` stays on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
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
