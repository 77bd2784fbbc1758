//! The sentences of chan_sip and PJSIP.
//!
//! No line break stands in a SIP header that they print, but quotes, brackets and whole sentences do.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder, FinderRev};
use nom::Parser;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{all_consuming, opt};
use nom::sequence::{preceded, terminated};
use ringfence_event::{Cause, Proof, SecurityEvent, Service, Text};

use super::address::{Ambiguous, bare, sole, with_port, with_transport};
use super::said::{Kind, Reach, Read, Said, blank, peer};
use super::uri::{pjsip_user, user};

/// Words that many messages are searched for.
type Words = LazyLock<Finder<'static>>;
/// Words that are searched for from the end.
type LastWords = LazyLock<FinderRev<'static>>;

static REGISTRATION_FAILED: LastWords = LazyLock::new(|| FinderRev::new("' failed for '"));
static REQUEST_FAILED: Words = LazyLock::new(|| Finder::new("' failed for '"));
static FROM: Words = LazyLock::new(|| Finder::new("' from '"));
static CALL_ID: Words = LazyLock::new(|| Finder::new("' (callid: "));
static REASON: LastWords = LazyLock::new(|| FinderRev::new(") - "));
static TRIES: LastWords = LazyLock::new(|| FinderRev::new(" after "));
static CALLER: Words = LazyLock::new(|| Finder::new("' ("));
static CALL: Words = LazyLock::new(|| Finder::new(": Call ("));
static TO_EXTENSION: Words = LazyLock::new(|| Finder::new(") to extension '"));
static REJECTED: LastWords = LazyLock::new(|| FinderRev::new("' rejected because extension not found"));
static PARENTHESIS: Words = LazyLock::new(|| Finder::new(")"));
static PACKET: Words = LazyLock::new(|| Finder::new("packet from"));

/// chan_sip.c, any version.
pub(super) fn chan_sip(message: &[u8]) -> Read {
    if let Some(rest) = message.strip_prefix(b"Registration from '") {
        return registration(rest);
    }
    if message.starts_with(b"Call from '") {
        return chan_sip_call(message);
    }
    if message.starts_with(b"Failed to authenticate ")
        || message.starts_with(b"Sending fake auth rejection for ")
    {
        return claimed(message);
    }
    chan_sip_others(message)
}

/// `Registration from '"x" <sip:alice@h>' failed for '192.0.2.1:5060' - Wrong password`: nothing of a peer stands behind
/// the address, so the last one is the PBX's own.
fn registration(rest: &[u8]) -> Read {
    let mark = &REGISTRATION_FAILED;
    let Some(at) = mark.rfind(rest) else {
        return Read::Other;
    };
    let (to, behind) = rest.split_at(at);
    let behind = behind.get(mark.needle().len()..).unwrap_or_default();
    let Some(end) = memmem::find(behind, b"' - ") else {
        return Read::Other;
    };
    let (addr, reason) = behind.split_at(end);
    let reason = reason.get(4..).unwrap_or_default();
    let (Some(from), Some((cause, proof))) = (with_port(addr), reason_of(reason)) else {
        return Read::Other;
    };
    let mut event = blank(cause, Service::ChanSip, peer(from));
    event.account = Text::new(&user(to));
    event.proof = proof;
    event.detail = Text::new(reason);
    said(event, Kind::Registration)
}

/// What chan_sip gives as a reason, in any version. It compares the nonce before the password.
fn reason_of(reason: &[u8]) -> Option<(Cause, Proof)> {
    Some(match reason.to_ascii_lowercase().as_slice() {
        b"wrong password" => (Cause::WrongPassword, Proof::Answered),
        b"username/auth name mismatch" | b"peer name mismatch" => (Cause::WrongPassword, Proof::None),
        b"no matching peer found" => (Cause::UnknownAccount, Proof::None),
        b"device does not match acl"
        | b"acl error (permit/deny)"
        | b"peer is not supposed to register"
        | b"contact acl check failed" => (Cause::AclDenied, Proof::None),
        b"device not configured to use this transport type" => (Cause::BadTransport, Proof::None),
        b"not a local domain" => (Cause::Refused, Proof::None),
        _ => return None,
    })
}

/// `Call from 'alice' (192.0.2.1:5060) to extension '9' rejected because extension not found in context 'internal'.`
fn chan_sip_call(message: &[u8]) -> Read {
    let read = |text: &[u8]| with_port(text).map(peer);
    match sole(message, &CALLER, &TO_EXTENSION, read) {
        Ok(Some(found)) if found.left.len() >= 11 => call(Service::ChanSip, found.value, b"", found.right),
        Ok(_) => Read::Other,
        Err(Ambiguous) => Read::Ambiguous,
    }
}

/// ` alice: Call (UDP:192.0.2.1:5060) to extension '9' rejected because extension not found in context 'internal'.`
pub(super) fn pjsip_session(message: &[u8]) -> Read {
    match sole(message, &CALL, &TO_EXTENSION, with_transport) {
        Ok(Some(found)) => {
            let endpoint = found.left.strip_prefix(b" ").unwrap_or(found.left);
            call(Service::PjSip, found.value, endpoint, found.right)
        }
        Ok(None) => Read::Other,
        Err(Ambiguous) => Read::Ambiguous,
    }
}

fn call(service: Service, from: ringfence_event::Peer, account: &[u8], rest: &[u8]) -> Read {
    let words = &REJECTED;
    let Some(at) = words.rfind(rest) else {
        return Read::Open;
    };
    let end = rest.get(at + words.needle().len()..).unwrap_or_default();
    if !(end == b"." || (end.starts_with(b" in context '") && end.ends_with(b"'."))) {
        return Read::Open;
    }
    let mut event = blank(Cause::UnknownExtension, service, from);
    event.account = Text::new(account);
    event.detail = Text::new(&[b"extension ", rest.get(..at).unwrap_or_default()].concat());
    said(event, Kind::Extension)
}

/// The only address is the one in the From header.
fn claimed(message: &[u8]) -> Read {
    let Some(at) = memchr::memchr(b'@', message) else {
        return Read::Other;
    };
    let host = message.get(at + 1..).unwrap_or_default();
    let end = host
        .iter()
        .position(|byte| !(byte.is_ascii_hexdigit() || b".:[]".contains(byte)))
        .unwrap_or(host.len());
    let Some(from) = with_port(host.get(..end).unwrap_or_default()) else {
        return Read::Other;
    };
    let fake = message.starts_with(b"Sending fake");
    let cause = if fake {
        Cause::UnknownAccount
    } else {
        Cause::WrongPassword
    };
    let mut event = blank(cause, Service::ChanSip, peer(from));
    event.account = Text::new(&user(message));
    event.detail = Text::from(if fake {
        "fake auth rejection"
    } else {
        "failed to authenticate"
    });
    Read::Claimed(Said {
        event,
        kind: Kind::Device,
    })
}

fn chan_sip_others(message: &[u8]) -> Read {
    if let Some(rest) = message.strip_prefix(b"Unknown SIP command '") {
        // nothing of a peer stands behind the address
        let mark = b"' from '";
        let from = memmem::rfind(rest, mark).and_then(|at| rest.get(at + mark.len()..)?.strip_suffix(b"'"));
        return from.and_then(with_port).map_or(Read::Other, |from| {
            let mut event = blank(Cause::Malformed, Service::ChanSip, peer(from));
            event.detail = Text::from("unknown SIP command");
            said(event, Kind::Malformed)
        });
    }
    if let Some(rest) = message.strip_prefix(b"Domain '") {
        let mark = b"' disallowed by contact ACL (violating IP ";
        let from = memmem::rfind(rest, mark).and_then(|at| rest.get(at + mark.len()..)?.strip_suffix(b")"));
        return from.and_then(bare).map_or(Read::Other, |addr| {
            let mut event = blank(Cause::AclDenied, Service::ChanSip, peer((addr, 0)));
            event.detail = Text::from("contact acl");
            // chan_sip's idea of where the Contact header leads
            Read::Claimed(Said {
                event,
                kind: Kind::Acl,
            })
        });
    }
    let too_large = message
        .strip_prefix(b"Rejecting TCP/TLS packet from '")
        .and_then(|rest| rest.get(..memmem::find(rest, b"' because way too large: ")?))
        .and_then(with_port);
    if let Some(from) = too_large {
        let event = SecurityEvent {
            detail: Text::from("packet too large"),
            ..blank(Cause::Malformed, Service::ChanSip, super::said::over_tcp(from))
        };
        return said(event, Kind::Malformed);
    }
    scanner(message)
}

/// `Rejecting unknown SIP connection from 192.0.2.1`, `hacking attempt detected '192.0.2.1'`: what dialplans of
/// distributions say, with the address at the end.
fn scanner(message: &[u8]) -> Read {
    let starts: [(&[u8], Cause); 3] = [
        (b"Rejecting unknown SIP connection from ", Cause::Refused),
        (b"hacking attempt detected ", Cause::Scanner),
        (b"Hacking attempt detected ", Cause::Scanner),
    ];
    for (start, cause) in starts {
        let Some(rest) = message.strip_prefix(start) else {
            continue;
        };
        let inside = [(b'\'', b'\''), (b'<', b'>'), (b'"', b'"')]
            .iter()
            .find_map(|(open, close)| rest.strip_prefix(&[*open])?.strip_suffix(&[*close]))
            .unwrap_or(rest);
        return with_port(inside).map_or(Read::Other, |from| {
            let event = SecurityEvent {
                detail: Text::new(message),
                ..blank(cause, Service::ChanSip, peer(from))
            };
            said(event, Kind::Scanner)
        });
    }
    Read::Other
}

/// `Request 'REGISTER' from '"x" <sip:9@h>' failed for '192.0.2.1:5060' (callid: y) - No matching endpoint found`. A peer's
/// words stand on both sides of the address.
pub(super) fn pjsip_distributor(message: &[u8]) -> Read {
    let Some(rest) = message.strip_prefix(b"Request '") else {
        return Read::Other;
    };
    let found = match sole(rest, &REQUEST_FAILED, &CALL_ID, with_port) {
        Ok(Some(found)) => found,
        Ok(None) => return Read::Other,
        Err(Ambiguous) => return Read::Ambiguous,
    };
    let Some(at) = REASON.rfind(found.right) else {
        return Read::Other;
    };
    let (call_id, reason) = found.right.split_at(at);
    let reason = reason.get(4..).unwrap_or_default();
    let cause = match without_tries(reason) {
        b"No matching endpoint found" => Cause::UnknownAccount,
        b"Not match Endpoint ACL" | b"Not match Endpoint Contact ACL" => Cause::AclDenied,
        b"Failed to authenticate" | b"Error to authenticate" => Cause::WrongPassword,
        _ => return Read::Other,
    };
    let method = FROM.find(found.left).unwrap_or(0);
    let from = found.left.get(method..).unwrap_or_default();
    let mut event = blank(cause, Service::PjSip, peer(found.value));
    event.account = Text::new(&pjsip_user(from));
    event.dialogue = Text::new(call_id);
    event.detail = Text::new(reason);
    said(event, Kind::Request)
}

/// Without ` after 5 tries in 2.310 ms`.
fn without_tries(reason: &[u8]) -> &[u8] {
    let Some(at) = TRIES.rfind(reason) else {
        return reason;
    };
    let (before, tries) = reason.split_at(at);
    let number = || take_while1(|byte: u8| byte.is_ascii_digit() || byte == b'.');
    let words = (tag(" after "), digit1, tag(" tries in "), number(), tag(" ms"));
    let read: nom::IResult<_, _> = all_consuming(words).parse(tries);
    if read.is_ok() { before } else { reason }
}

/// `Incoming SIP message from 192.0.2.1:5060 did not pass ACL test`. The access list for contacts says the same of the address
/// that stands in the Contact header, whose port it leaves out: anybody's claim.
pub(super) fn pjsip_acl(message: &[u8]) -> Read {
    let from = message
        .strip_prefix(b"Incoming SIP message from ")
        .and_then(|rest| rest.strip_suffix(b" did not pass ACL test"))
        .and_then(with_port);
    from.map_or(Read::Other, |from| {
        let mut event = blank(Cause::AclDenied, Service::PjSip, peer(from));
        event.detail = Text::from("did not pass ACL test");
        if from.1 == 0 {
            return Read::Claimed(Said {
                event,
                kind: Kind::Acl,
            });
        }
        said(event, Kind::Acl)
    })
}

/// The registrar's own refusals, all of them after a good password: `AOR 'x' not found for endpoint 'alice' (192.0.2.1:5060)`.
pub(super) fn pjsip_registrar(message: &[u8]) -> Read {
    let starts: [&[u8]; 3] = [b"AOR '", b"Endpoint '", b"Registration attempt from endpoint '"];
    if !starts.iter().any(|start| message.starts_with(start)) {
        return Read::Other;
    }
    // an address without brackets, then the port
    let read = |text: &[u8]| {
        let colon = memchr::memrchr(b':', text)?;
        with_transport(&[b"UDP:", text].concat()).filter(|_| colon > 0)
    };
    let found = match sole(message, &CALLER, &PARENTHESIS, read) {
        Ok(Some(found)) => found,
        Ok(None) => return Read::Other,
        Err(Ambiguous) => return Read::Ambiguous,
    };
    let quote = memchr::memrchr(b'\'', found.left).map_or(0, |at| at + 1);
    let endpoint = found.left.get(quote..).unwrap_or_default();
    let from = (found.value.addr(), found.value.port());
    let mut event = blank(Cause::AfterAuth, Service::PjSip, peer(from));
    event.account = Text::new(endpoint);
    event.detail = Text::from("registrar");
    said(event, Kind::Registrar)
}

/// `sip_endpoint.c Error processing packet from 192.0.2.1:5060: Missing required header(s) …:`, and the packet behind it as
/// it came; or `sip_transport.c Dropping 336 bytes packet from UDP 192.0.2.1:5060 : …`, where only PJSIP's words follow.
pub(super) fn pjproject(message: &[u8]) -> Read {
    let message = super::prefix::unpadded(message);
    let file = take_while1(|byte: u8| byte.is_ascii_graphic());
    let blanks = || take_while1(|byte: u8| byte == b' ' || byte == b'\t');
    let read: nom::IResult<_, _> = terminated(file, blanks()).parse(message);
    let Ok((words, file)) = read else {
        return if PACKET.find(message).is_some() {
            Read::Dump(None)
        } else {
            Read::Other
        };
    };
    let address = || take_while1(|byte: u8| byte.is_ascii_hexdigit() || b".:[]%".contains(&byte));
    let malformed = |text: &[u8]| {
        let from = with_port(text.strip_suffix(b":").unwrap_or(text))?;
        let mut event = blank(Cause::Malformed, Service::PjSip, peer(from));
        event.detail = Text::from("packet that PJSIP can't read");
        Some(Said {
            event,
            kind: Kind::Malformed,
        })
    };
    if let Some(rest) = words.strip_prefix(b"Error processing packet from ") {
        let read: nom::IResult<_, _> = terminated(address(), char(' ')).parse(rest);
        return Read::Dump(read.ok().and_then(|(_, text)| malformed(text)));
    }
    let transport = preceded(
        (tag("Dropping "), digit1, tag(" bytes packet from ")),
        take_while1(|b: u8| b.is_ascii_uppercase()),
    );
    let read: nom::IResult<_, _> = (transport, char(' '), address(), opt(char(' ')), char(':')).parse(words);
    if let (Ok((_, (_, _, text, _, _))), b"sip_transport.c") = (read, file) {
        return malformed(text).map_or(Read::Other, |said| Read::Said(said, Reach::None));
    }
    if PACKET.find(words).is_some() {
        Read::Dump(None)
    } else {
        Read::Other
    }
}

fn said(event: SecurityEvent, kind: Kind) -> Read {
    Read::Said(Said { event, kind }, Reach::None)
}
