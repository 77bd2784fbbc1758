//! The sentences of IAX2, the manager interface and the HTTP server.

use std::net::IpAddr;

use memchr::memmem;
use ringfence_event::{Cause, Service, Text};

use super::address::{bare, with_port};
use super::said::{Kind, Reach, Read, Said, blank, over_tcp, peer};

/// Bytes that one value of IAX2 can hold, twice: none of its sentences shows more than a number and a context.
const IAX2_REACH: u64 = 512;
/// The longest message that Asterisk writes.
const MESSAGE_REACH: u64 = super::assemble::MAX_MESSAGE as u64;

/// chan_iax2.c. What a peer sends may hold line breaks.
pub(super) fn iax2(message: &[u8]) -> Read {
    if let Some(rest) = message.strip_prefix(b"No registration for peer '") {
        return at_end(rest, Cause::UnknownAccount, "no registration");
    }
    if let Some(rest) = message.strip_prefix(b"Peer '") {
        return static_peer(rest);
    }
    if let Some(rest) = message.strip_prefix(b"Host ") {
        return host(rest);
    }
    for (start, end) in [
        (&b"Rejected connect attempt from "[..], &b", "[..]),
        (b"Rejected dial attempt from ", b", "),
    ] {
        if let Some(rest) = message.strip_prefix(start) {
            return rejected(rest, end);
        }
    }
    if let Some(from) = message.strip_prefix(b"Empty registration from ").and_then(bare) {
        return said(
            (from, 0),
            Cause::Malformed,
            b"",
            "empty registration",
            Reach::None,
        );
    }
    let token = message
        .strip_prefix(b"Address ")
        .and_then(|rest| rest.strip_suffix(b" failed CallToken hash inspection"));
    if let Some(from) = token.and_then(with_port) {
        return said(from, Cause::Malformed, b"", "call token", Reach::None);
    }
    let words = b"Call rejected, CallToken Support required. If unexpected, resolve by placing address ";
    let required = message
        .strip_prefix(words)
        .and_then(|rest| rest.get(..memchr::memchr(b' ', rest)?));
    if let Some(from) = required.and_then(with_port) {
        return said(
            from,
            Cause::Refused,
            b"",
            "call token required",
            Reach::Behind(IAX2_REACH),
        );
    }
    Read::Other
}

/// The address in `(from 192.0.2.1)` at the end of a line, whatever stands before it: the true end of a sentence whose peer
/// wrote an end of his own.
pub(super) fn end(line: &[u8]) -> Option<IpAddr> {
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b")")?;
    let mark = b" (from ";
    let tail = line.get(line.len().saturating_sub(128)..)?;
    bare(tail.get(memmem::rfind(tail, mark)? + mark.len()..)?)
}

/// `x' (from 192.0.2.1)`
fn at_end(rest: &[u8], cause: Cause, detail: &str) -> Read {
    let Some(at) = memmem::rfind(rest, b"' (from ") else {
        return Read::Open;
    };
    let Some(from) = end(rest) else {
        return Read::Open;
    };
    let account = rest.get(..at).unwrap_or_default();
    said((from, 0), cause, account, detail, Reach::Ahead(IAX2_REACH))
}

fn static_peer(rest: &[u8]) -> Read {
    let mark = b"' is not dynamic (from ";
    let Some(at) = memmem::rfind(rest, mark) else {
        return Read::Other;
    };
    let from = rest
        .get(at + mark.len()..)
        .and_then(|rest| bare(rest.strip_suffix(b")")?));
    let account = rest.get(..at).unwrap_or_default();
    from.map_or(Read::Other, |from| {
        said(
            (from, 0),
            Cause::AclDenied,
            account,
            "not dynamic",
            Reach::Ahead(IAX2_REACH),
        )
    })
}

/// The address stands first, so it is the PBX's own.
fn host(rest: &[u8]) -> Read {
    let Some(space) = memchr::memchr(b' ', rest) else {
        return Read::Other;
    };
    let (addr, words) = rest.split_at(space);
    let Some(from) = with_port(addr) else {
        return Read::Other;
    };
    let reach = Reach::Behind(IAX2_REACH);
    if let Some(name) = words.strip_prefix(b" failed MD5 authentication for '") {
        let name = memmem::rfind(name, b"' (")
            .and_then(|at| name.get(..at))
            .unwrap_or_default();
        return said(from, Cause::WrongPassword, name, "MD5 authentication", reach);
    }
    if let Some(name) = words.strip_prefix(b" did not provide proper plaintext password for '") {
        return said(
            from,
            Cause::WrongPassword,
            unquoted(name),
            "plaintext password",
            reach,
        );
    }
    if let Some(name) = words.strip_prefix(b" denied access to register peer '") {
        return said(
            from,
            Cause::AclDenied,
            unquoted(name),
            "denied access to register",
            reach,
        );
    }
    if let Some(name) = words.strip_prefix(b" failed to authenticate as ") {
        let name = name.strip_prefix(b"'").map_or(name, unquoted);
        return said(from, Cause::WrongPassword, name, "failed to authenticate", reach);
    }
    Read::Other
}

/// `192.0.2.1:4569, request '9@internal' does not exist`
fn rejected(rest: &[u8], end: &[u8]) -> Read {
    let from = memmem::find(rest, end)
        .and_then(|at| Some((with_port(rest.get(..at)?)?, rest.get(at + end.len()..)?)));
    let Some((from, words)) = from else {
        return Read::Other;
    };
    let (cause, detail) = if words.starts_with(b"request '") {
        (Cause::UnknownExtension, "request does not exist")
    } else if words.starts_with(b"who was trying to reach '") {
        (Cause::Refused, "connect attempt")
    } else {
        // formats that don't fit: an honest telephone's trouble
        return Read::Other;
    };
    said(from, cause, b"", detail, Reach::Behind(IAX2_REACH))
}

fn said(from: (IpAddr, u16), cause: Cause, account: &[u8], detail: &str, reach: Reach) -> Read {
    let mut event = blank(cause, Service::Iax2, peer(from));
    event.account = Text::new(account);
    event.detail = Text::from(detail);
    Read::Said(
        Said {
            event,
            kind: Kind::Iax2,
        },
        reach,
    )
}

/// manager.c: the address stands first. A name may hold line breaks when it came over HTTP, so that what follows may be the
/// same peer's words.
pub(super) fn manager(message: &[u8]) -> Read {
    // 1.4 wrote `Host 192.0.2.1 failed …`
    let rest = message.strip_prefix(b"Host ").unwrap_or(message);
    let Some(space) = memchr::memchr(b' ', rest) else {
        return Read::Other;
    };
    let (addr, words) = rest.split_at(space);
    let found = [
        (
            &b" tried to authenticate with nonexistent user '"[..],
            Cause::UnknownAccount,
        ),
        (
            b" tried to authenticate with non-existant user '",
            Cause::UnknownAccount,
        ),
        (b" failed to pass IP ACL as '", Cause::AclDenied),
        (b" failed to authenticate as '", Cause::WrongPassword),
    ]
    .iter()
    .find_map(|(start, cause)| Some((words.strip_prefix(*start)?, *cause)));
    let Some((name, cause)) = found else {
        return Read::Other;
    };
    // `(null)`: what follows may be the words of somebody who is not named
    let Some(from) = with_port(addr) else {
        return Read::Dump(None);
    };
    let mut event = blank(cause, Service::Ami, over_tcp(from));
    event.account = Text::new(unquoted(name));
    event.detail = Text::from(match cause {
        Cause::UnknownAccount => "nonexistent user",
        Cause::AclDenied => "failed to pass IP ACL",
        _ => "failed to authenticate",
    });
    Read::Said(
        Said {
            event,
            kind: Kind::Manager,
        },
        Reach::Behind(MESSAGE_REACH),
    )
}

/// `WebSocket connection from '192.0.2.1:5060' could not be accepted - …`
pub(super) fn websocket(message: &[u8]) -> Read {
    let from = message
        .strip_prefix(b"WebSocket connection from '")
        .and_then(|rest| with_port(rest.get(..memmem::find(rest, b"' could not be accepted")?)?));
    from.map_or(Read::Other, |from| {
        let mut event = blank(Cause::Refused, Service::Http, over_tcp(from));
        event.detail = Text::from("WebSocket not accepted");
        let said = Said {
            event,
            kind: Kind::WebSocket,
        };
        Read::Said(said, Reach::Behind(MESSAGE_REACH))
    })
}

/// A name with its closing quote; without it the name goes on in the next line.
fn unquoted(name: &[u8]) -> &[u8] {
    name.strip_suffix(b"'").unwrap_or(name)
}
