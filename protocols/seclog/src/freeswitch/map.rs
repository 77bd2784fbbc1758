//! Says of one record who failed, was challenged or was turned away.

use std::net::IpAddr;

use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, Text, Transport};

use super::record::Record;
use super::sentence::{
    Authentication, account_and_host, acl, acl_only, incomplete, register_acl, user_acl, verto_acl,
};

/// The source file and function that wrote a record, as the event socket's Log-File and Log-Func headers name them.
pub type Origin<'a> = (&'a [u8], &'a [u8]);

/// Which of its sentences FreeSWITCH wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Credentials were asked for.
    Challenge,
    /// Credentials were wrong, or right and refused for another reason.
    Failure,
    /// An access list refused a registration.
    RegisterAcl,
    /// An access list refused a call.
    CallAcl,
    /// No access list let a call in, on a profile that takes calls by access list only; written at level debug.
    CallAclOnly,
    /// The access list of an account refused its user; a [`Kind::Failure`] of the same try follows, unless the profile logs none.
    UserAcl,
    /// The access list of the event socket refused a client.
    EslAcl,
    /// The access list of Verto refused a client; written at level debug.
    VertoAcl,
    /// An answer to a challenge that lacks what every telephone sends.
    Incomplete,
    /// A call whose challenge stayed unanswered; only mod_fail2ban writes it with an address.
    Abandoned,
}

impl Kind {
    /// The name used in tests and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Failure => "failure",
            Self::RegisterAcl => "register-acl",
            Self::CallAcl => "call-acl",
            Self::CallAclOnly => "call-acl-only",
            Self::UserAcl => "user-acl",
            Self::EslAcl => "esl-acl",
            Self::VertoAcl => "verto-acl",
            Self::Incomplete => "incomplete",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether the event socket tells the same try as an event, too: then the record is only its echo.
    pub fn has_event(self) -> bool {
        match self {
            Self::Challenge | Self::Failure | Self::UserAcl | Self::Abandoned => true,
            Self::RegisterAcl
            | Self::CallAcl
            | Self::CallAclOnly
            | Self::EslAcl
            | Self::VertoAcl
            | Self::Incomplete => false,
        }
    }
}

/// What a record says of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The statement, its `source` still to be set.
    pub event: SecurityEvent,
    /// Which sentence it was.
    pub kind: Kind,
}

/// Judges a record, its time taken as UTC.
///
/// `origin` is what the event socket says beside the record and is believed before the record's own prefix; `None` for
/// a record from a file. `None` is returned for whatever is no statement about a peer, or doesn't fit exactly.
pub fn map(record: &Record<'_>, origin: Option<Origin<'_>>) -> Option<Said> {
    map_at(record, origin, 0)
}

/// Like [`map`], for a host whose clock is `offset` seconds ahead of UTC.
pub fn map_at(record: &Record<'_>, origin: Option<Origin<'_>>, offset: i32) -> Option<Said> {
    let message = record.message();
    // FreeSWITCH writes no NUL: a file that holds one was damaged.
    if memchr::memchr(0, message).is_some() {
        return None;
    }
    let author = match origin {
        Some((file, _)) => Author::of(file)?,
        // Lines of a call carry its uuid, and a session description in one of them is a peer's own lines, each behind that uuid.
        None if record.uuid().is_some() => return None,
        None => match (record.file(), record.tag()) {
            (Some(file), _) => Author::of(file)?,
            (None, Some(b"SOFIA")) => Author::Sofia,
            (None, _) => return None,
        },
    };
    let at = record.time().map(|time| time.moment(offset));
    match author {
        Author::Registrar => registrar(message, at),
        Author::Calls => calls(message, at),
        Author::Sofia => registrar(message, at).or_else(|| calls(message, at)),
        Author::EventSocket => event_socket(message, at),
        Author::Verto => verto(message, at),
    }
}

/// Judges the body of a `log/data` frame of the event socket, by its Log-File and Log-Func headers; its time is taken as UTC.
pub fn map_log_data(file: &[u8], function: &[u8], body: &[u8]) -> Option<Said> {
    map(&Record::read(body)?, Some((file, function)))
}

/// Who writes the sentences that are known. A dialplan can write any sentence, with a peer's text at its beginning, but it
/// can't write them from these files.
#[derive(Clone, Copy, Debug)]
enum Author {
    Registrar,
    Calls,
    /// `[SOFIA]`, without a file.
    Sofia,
    EventSocket,
    Verto,
}

impl Author {
    fn of(file: &[u8]) -> Option<Self> {
        match file {
            b"sofia_reg.c" => Some(Self::Registrar),
            b"sofia.c" => Some(Self::Calls),
            b"mod_event_socket.c" => Some(Self::EventSocket),
            b"mod_verto.c" => Some(Self::Verto),
            _ => None,
        }
    }
}

fn registrar(message: &[u8], at: Option<Moment>) -> Option<Said> {
    if let Some(sentence) = Authentication::read(message) {
        return Some(authentication(&sentence, at));
    }
    if let Some((addr, list)) = register_acl(message) {
        return Some(refused(Kind::RegisterAcl, addr, 0, list, at));
    }
    if let Some((addr, list)) = user_acl(message) {
        return Some(refused(Kind::UserAcl, addr, 0, list, at));
    }
    incomplete(message).map(|(addr, port)| {
        let event = SecurityEvent {
            detail: Text::from("no complete Authorization header"),
            ..blank(Cause::Malformed, Service::Sofia, sip_peer(addr, port), at)
        };
        Said {
            event,
            kind: Kind::Incomplete,
        }
    })
}

fn calls(message: &[u8], at: Option<Moment>) -> Option<Said> {
    if let Some((addr, list)) = acl(message) {
        return Some(refused(Kind::CallAcl, addr, 0, list, at));
    }
    let (addr, port) = acl_only(message)?;
    Some(refused(Kind::CallAclOnly, addr, port, b"auth-calls-acl-only", at))
}

fn event_socket(message: &[u8], at: Option<Moment>) -> Option<Said> {
    let (addr, list) = acl(message)?;
    let mut said = refused(Kind::EslAcl, addr, 0, list, at);
    over_tcp(&mut said, Service::Esl);
    Some(said)
}

fn verto(message: &[u8], at: Option<Moment>) -> Option<Said> {
    let (addr, port, list) = verto_acl(message)?;
    let mut said = refused(Kind::VertoAcl, addr, port, list, at);
    over_tcp(&mut said, Service::Verto);
    Some(said)
}

/// Somebody who got as far as an access list of these has finished a handshake.
fn over_tcp(said: &mut Said, service: Service) {
    let peer = said.event.peer;
    said.event.service = service;
    said.event.proof = Proof::Handshake;
    said.event.peer = Peer::new(peer.addr(), peer.port(), Transport::Tcp);
}

fn authentication(sentence: &Authentication<'_>, at: Option<Moment>) -> Said {
    let (user, host) = account_and_host(sentence.name);
    // Of a call it is the number that was dialled, which is nobody's account.
    let account = if sentence.method == b"REGISTER" { user } else { b"" };
    let (cause, word): (_, &[u8]) = match sentence.kind {
        Kind::Challenge => (Cause::Challenged, b"challenge"),
        _ => (Cause::WrongPassword, b"failure"),
    };
    let event = SecurityEvent {
        account: Text::new(account),
        tenant: Text::new(host),
        domain: Text::new(host),
        profile: Text::new(sentence.profile),
        detail: Text::new(&[b"SIP auth ", word, b" (", sentence.method, b")"].concat()),
        ..blank(cause, Service::Sofia, sip_peer(sentence.addr, 0), at)
    };
    Said {
        event,
        kind: sentence.kind,
    }
}

fn refused(kind: Kind, addr: IpAddr, port: u16, list: &[u8], at: Option<Moment>) -> Said {
    let event = SecurityEvent {
        detail: Text::new(&[b"acl ", list].concat()),
        ..blank(Cause::AclDenied, Service::Sofia, sip_peer(addr, port), at)
    };
    Said { event, kind }
}

fn sip_peer(addr: IpAddr, port: u16) -> Peer {
    Peer::new(addr, port, Transport::Unknown)
}

pub(super) fn blank(cause: Cause, service: Service, peer: Peer, at: Option<Moment>) -> SecurityEvent {
    SecurityEvent {
        at,
        ..SecurityEvent::blank(cause, service, peer)
    }
}
