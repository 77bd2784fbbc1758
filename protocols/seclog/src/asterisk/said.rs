//! What a record says of one peer.

use std::net::IpAddr;

use crate::time::{Clock, Stamp};
use ringfence_event::{Cause, Peer, SecurityEvent, Service, Transport};

/// Which of its sentences Asterisk wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A line of the security log.
    Security,
    /// chan_sip refused a registration.
    Registration,
    /// PJSIP refused a request.
    Request,
    /// A number was called that does not exist.
    Extension,
    /// An access list refused a packet.
    Acl,
    /// PJSIP's registrar refused after the password was right.
    Registrar,
    /// A packet that can't be read.
    Malformed,
    /// IAX2 refused a registration or a call.
    Iax2,
    /// The manager interface refused a login.
    Manager,
    /// The HTTP server refused a WebSocket.
    WebSocket,
    /// A dialplan or an old chan_sip announced a scanner.
    Scanner,
    /// chan_sip refused somebody who is only known by the caller's own words.
    Device,
}

impl Kind {
    /// The name used in tests and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Registration => "registration",
            Self::Request => "request",
            Self::Extension => "extension",
            Self::Acl => "acl",
            Self::Registrar => "registrar",
            Self::Malformed => "malformed",
            Self::Iax2 => "iax2",
            Self::Manager => "manager",
            Self::WebSocket => "websocket",
            Self::Scanner => "scanner",
            Self::Device => "device",
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

/// What a message turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// No statement about a peer.
    Other,
    /// Raw text of a peer follows, which may hold anything; the statement is about whoever sent it.
    Dump(Option<Said>),
    /// A statement, and how far a peer's words may reach behind it.
    Said(Said, Reach),
    /// A statement whose only address is the caller's own claim.
    Claimed(Said),
    /// It reads like a statement, but more than one address could be the PBX's own.
    Ambiguous,
    /// It begins like a statement and lacks its end, which may stand in the next line.
    Open,
}

/// How far a peer's words may reach behind a sentence that looks whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// No line break fits in.
    None,
    /// This many bytes may be the peer's that the sentence names at its beginning.
    Behind(u64),
    /// The address stands at the end, so within this many bytes another end may follow, and that would be the true one.
    Ahead(u64),
}

pub(super) fn blank(cause: Cause, service: Service, peer: Peer) -> SecurityEvent {
    SecurityEvent {
        proof: peer.transport().proof(),
        ..SecurityEvent::blank(cause, service, peer)
    }
}

pub(super) fn peer((addr, port): (IpAddr, u16)) -> Peer {
    Peer::new(addr, port, Transport::Unknown)
}

pub(super) fn over_tcp((addr, port): (IpAddr, u16)) -> Peer {
    Peer::new(addr, port, Transport::Tcp)
}

/// With the moment of its stamp, where it carries none itself.
pub(super) fn timed(mut said: Said, stamp: Option<Stamp>, clock: &Clock) -> Said {
    said.event.at = said
        .event
        .at
        .or_else(|| stamp.and_then(|stamp| stamp.moment(clock)));
    said
}
