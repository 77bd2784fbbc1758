//! A second reader of recordings, small and tolerant, that shares nothing with the program: it only lists the headers of
//! the security events, of plain events and of JSON ones.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::table::Outcome;

/// The first value of each header of one event.
pub type Headers = BTreeMap<String, Vec<u8>>;

/// The headers of every plain event in a recording.
pub fn of_plain(recording: &[u8]) -> Vec<Headers> {
    bodies(recording, "text/event-plain")
        .into_iter()
        .map(|body| {
            let mut headers = Headers::new();
            for line in body
                .split(|byte| *byte == b'\n')
                .take_while(|line| !line.is_empty())
            {
                let text = String::from_utf8_lossy(line).into_owned();
                let name = text.split(": ").next().unwrap().to_owned();
                let value = line.get(name.len() + 2..).unwrap_or_default();
                headers.entry(name).or_insert_with(|| percent_decoded(value));
            }
            headers
        })
        .collect()
}

/// The headers of every JSON event in a recording; FreeSWITCH writes invalid UTF-8 and turns `ARRAY::a|:b` into an array
/// (`ARRAY::a` into one of a single value, which plain events write as `a`).
pub fn of_json(recording: &[u8]) -> Vec<Headers> {
    bodies(recording, "text/event-json")
        .into_iter()
        .map(|body| {
            let text = String::from_utf8_lossy(body);
            let Value::Object(object) = serde_json::from_str(&text).unwrap() else {
                panic!("{text}");
            };
            let text = |value: Value| match value {
                Value::String(text) => text,
                Value::Array(parts) => {
                    let parts: Vec<_> = parts.iter().map(|part| part.as_str().unwrap()).collect();
                    match parts[..] {
                        [only] => only.to_owned(),
                        _ => format!("ARRAY::{}", parts.join("|:")),
                    }
                }
                other => panic!("{other}"),
            };
            object
                .into_iter()
                .map(|(name, value)| (name, text(value).into_bytes()))
                .collect()
        })
        .collect()
}

fn bodies<'a>(mut recording: &'a [u8], content_type: &str) -> Vec<&'a [u8]> {
    let mut bodies = Vec::new();
    while let Some(end) = recording.windows(2).position(|pair| pair == b"\n\n") {
        let head = String::from_utf8_lossy(&recording[..end]).into_owned();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length: usize = value("Content-Length: ").map_or(0, |length| length.parse().unwrap());
        let body = &recording[end + 2..][..length];
        if value("Content-Type: ") == Some(content_type) {
            bodies.push(body);
        }
        recording = &recording[end + 2 + length..];
    }
    bodies
}

/// Decodes `%XX` wherever it stands.
pub fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let digits = value
            .get(at..at + 3)
            .and_then(|escape| escape.strip_prefix(b"%"))
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .map(|digits| String::from_utf8_lossy(digits));
        if let Some(digits) = digits {
            decoded.push(u8::from_str_radix(&digits, 16).unwrap());
            at += 3;
        } else {
            decoded.push(value[at]);
            at += 1;
        }
    }
    decoded
}

/// A value as both formats agree on it: as UTF-8, with every escape taken away. In plain events an escape in upper case that
/// a peer wrote can't be told from one of FreeSWITCH's own, in JSON it is never decoded.
pub fn settled(value: &[u8]) -> Vec<u8> {
    let decoded = percent_decoded(value);
    if decoded == value {
        String::from_utf8_lossy(value).into_owned().into_bytes()
    } else {
        settled(&decoded)
    }
}

/// The outcomes that the headers of one event stand for, by the facts alone. The second half of a refused try,
/// `register_failure`, is none of its own: [`halves`] compares the two.
pub fn outcome(headers: &Headers) -> Option<Outcome> {
    let text = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let or = |first: Vec<u8>, second: Vec<u8>| if first.is_empty() { second } else { first };
    let said = |service: &str, cause: &str, address: &[u8], port_known: bool| Outcome {
        service: service.to_owned(),
        cause: cause.to_owned(),
        address: String::from_utf8(address.to_vec()).unwrap(),
        port_known,
        account: Vec::new(),
        tenant: Vec::new(),
        domain: Vec::new(),
        profile: text("profile-name"),
    };
    let sofia = |cause: &str| {
        said(
            "sofia",
            cause,
            &text("network-ip"),
            !text("network-port").is_empty(),
        )
    };
    match &*subclass(headers) {
        b"sofia::pre_register" => Some(Outcome {
            account: or(text("to-user"), text("from-user")),
            tenant: text("from-host"),
            domain: text("from-host"),
            ..sofia("challenged")
        }),
        b"sofia::register_attempt" => {
            let cause = match &*text("auth-result") {
                b"FORBIDDEN" => "wrong-password",
                b"RENEWED" | b"SUCCESS" => "succeeded",
                b"STALE" => return None,
                other => panic!("{}", other.escape_ascii()),
            };
            let username = text("username");
            Some(Outcome {
                account: if username == b"unknown" {
                    text("from-user")
                } else {
                    username
                },
                tenant: or(text("realm"), text("from-host")),
                domain: text("from-host"),
                ..sofia(cause)
            })
        }
        b"sofia::wrong_call_state" if headers.contains_key("network_ip") => Some(Outcome {
            account: text("from_user"),
            ..said(
                "sofia",
                "refused",
                &text("network_ip"),
                text("network_port") != b"0",
            )
        }),
        b"verto::login" => {
            let (login, address) = (text("verto_login"), text("verto_client_address"));
            let at = login.iter().position(|byte| *byte == b'@').unwrap();
            let colon = address.iter().rposition(|byte| *byte == b':').unwrap();
            let bare: Vec<u8> = address[..colon]
                .iter()
                .copied()
                .filter(|byte| !b"[]".contains(byte))
                .collect();
            let cause = if text("verto_success") == b"1" {
                "succeeded"
            } else {
                "wrong-password"
            };
            Some(Outcome {
                account: login[..at].to_vec(),
                tenant: login[at + 1..].to_vec(),
                domain: login[at + 1..].to_vec(),
                profile: text("verto_profile_name"),
                ..said("verto", cause, &bare, true)
            })
        }
        _ => probe(headers),
    }
}

/// A call that ended without a route and was let in by nothing.
fn probe(headers: &Headers) -> Option<Outcome> {
    let text = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let told = text("Event-Name") == b"CHANNEL_HANGUP_COMPLETE"
        && text("Hangup-Cause") == b"NO_ROUTE_DESTINATION"
        && !headers.contains_key("variable_sip_authorized");
    told.then(|| Outcome {
        service: "sofia".to_owned(),
        cause: "unknown-extension".to_owned(),
        address: String::from_utf8(text("variable_sip_network_ip")).unwrap(),
        port_known: headers.contains_key("variable_sip_network_port"),
        account: text("Caller-Destination-Number"),
        tenant: text("variable_sofia_profile_name"),
        domain: Vec::new(),
        profile: text("variable_sofia_profile_name"),
    })
}

/// Who a refused try and its failure are about, as each of the two events says: address, port, profile, To user.
pub fn halves(events: &[Headers]) -> [Vec<[Vec<u8>; 4]>; 2] {
    let of = |kind: &[u8], result: Option<&[u8]>, user: &str| {
        events
            .iter()
            .filter(|headers| subclass(headers) == kind)
            .filter(|headers| headers.get("auth-result").map(Vec::as_slice) == result)
            .map(|headers| {
                ["network-ip", "network-port", "profile-name", user]
                    .map(|name| settled(headers.get(name).map(Vec::as_slice).unwrap_or_default()))
            })
            .collect()
    };
    [
        of(b"sofia::register_attempt", Some(b"FORBIDDEN"), "from-user"),
        of(b"sofia::register_failure", None, "to-user"),
    ]
}

fn subclass(headers: &Headers) -> Vec<u8> {
    headers.get("Event-Subclass").cloned().unwrap_or_default()
}
