//! Says of one frame after the other who failed or succeeded.
//!
//! - **Attempts.** FreeSWITCH tells a refused login twice, as `register_attempt` with FORBIDDEN and as
//!   `register_failure`. The first names account, realm and agent and is handed on at once; the second is its other half.
//!   When only one arrives, in any order, it counts alone. FORBIDDEN does not say why: a wrong password, an unknown account
//!   and a right password that a limit refuses look the same, and all are [`Cause::WrongPassword`].
//! - **STALE** answers say nothing about a password and are followed by a new challenge: they are nobody's failure.
//! - **Names are swapped** in challenges and attempts: `from-user` is the To user, the dialled number of a call. The account
//!   of a challenge is therefore read from `to-user`.
//! - **`wrong_call_state`** is a call whose challenge stayed unanswered for 10 s: [`Cause::Refused`]. The challenge itself
//!   was handed on when it was sent; a second [`Cause::Challenged`] would count one call twice.
//! - **Calls without a route** that neither a password nor an access list let in are [`Cause::UnknownExtension`]; the account
//!   is the number. A profile that lets a carrier in by its own access list leaves no mark on the call: carriers belong on
//!   the list of addresses that are never banned.
//! - **Proof.** SIP events name no transport that can be relied on (`status` and the Via are the client's own words), so
//!   they prove nothing. Verto runs over TCP.

use std::net::IpAddr;

use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, SourceId, Text, Transport};

use crate::event::Event;
use crate::frame::{Frame, Kind};
use crate::pairs::{Half, Pairs};
use crate::value::{address, address_and_port, decode};

/// What a frame turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is a value of bounded size and is never allocated"
)]
pub enum Mapped {
    /// Nothing new that says who failed or succeeded.
    Other,
    /// A security event, its `source` still to be set.
    Event(SecurityEvent),
    /// Something that is not believed; counted, and nobody is blamed or freed by it.
    Suspicious(Suspicion),
}

/// Why an event is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// A client of the event socket made it up with `sendevent`.
    Forged,
    /// It says two different things about the same.
    Contradictory,
}

/// What a [`Mapper`] did not believe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Security events that a client of the event socket made up.
    pub forged: u64,
    /// Security events that contradict themselves.
    pub contradictory: u64,
}

/// Turns the frames of one connection into security events; every frame goes through it, in order.
#[derive(Clone, Debug, Default)]
pub struct Mapper {
    pairs: Pairs,
    counts: Counts,
}

impl Mapper {
    /// A mapper for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was not believed so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Judges the next frame. Never waits for another one.
    pub fn map(&mut self, frame: &Frame<'_>) -> Mapped {
        if frame.kind() != Kind::EventPlain {
            return Mapped::Other;
        }
        let event = Event::read(frame.body());
        let Some(subject) = Subject::of(&event) else {
            return Mapped::Other;
        };
        if event.is_forged() {
            self.counts.forged += 1;
            return Mapped::Suspicious(Suspicion::Forged);
        }
        if event.is_contradictory() {
            self.counts.contradictory += 1;
            return Mapped::Suspicious(Suspicion::Contradictory);
        }
        let said = match subject {
            Subject::Challenge => challenge(&event),
            Subject::Attempt => self.attempt(&event),
            Subject::Failure => self.failure(&event),
            Subject::Abandoned => abandoned(&event),
            Subject::Verto => verto(&event),
            // What says that a password let a call in stands in front of its profile: it may be among the lines thrown away
            // only when the profile is.
            Subject::Call if frame.is_cut() && event.profile.is_empty() => None,
            Subject::Call => call(&event),
        };
        said.map_or(Mapped::Other, Mapped::Event)
    }

    fn attempt(&mut self, event: &Event<'_>) -> Option<SecurityEvent> {
        let cause = match event.result {
            b"FORBIDDEN" => Cause::WrongPassword,
            b"SUCCESS" | b"RENEWED" => Cause::Succeeded,
            _ => return None,
        };
        let peer = sip_peer(event)?;
        if cause == Cause::WrongPassword && !self.pairs.attempt(half(event, peer)) {
            return None;
        }
        // "unknown" stands for a digest that was not read: the To user is then all that is known.
        let account = match event.username {
            b"" | b"unknown" => event.from_user,
            username => username,
        };
        let realm = if event.realm.is_empty() {
            event.from_host
        } else {
            event.realm
        };
        let detail = words(&[b"register_attempt", event.result, event.agent]);
        Some(SecurityEvent {
            account: text(account),
            tenant: text(realm),
            domain: text(event.from_host),
            dialogue: text(event.call_id),
            detail,
            ..blank(event, Service::Sofia, cause, peer)
        })
    }

    fn failure(&mut self, event: &Event<'_>) -> Option<SecurityEvent> {
        let peer = sip_peer(event)?;
        if !self.pairs.failure(half(event, peer)) {
            return None;
        }
        // Of a call it names the dialled number, which is no account.
        let account = if event.method == b"REGISTER" {
            event.to_user
        } else {
            b""
        };
        Some(SecurityEvent {
            account: text(account),
            tenant: text(event.to_host),
            domain: text(event.to_host),
            detail: words(&[b"register_failure", event.method, event.agent]),
            ..blank(event, Service::Sofia, Cause::WrongPassword, peer)
        })
    }
}

/// What an event is about.
#[derive(Clone, Copy)]
enum Subject {
    Challenge,
    Attempt,
    Failure,
    Abandoned,
    Verto,
    Call,
}

impl Subject {
    fn of(event: &Event<'_>) -> Option<Self> {
        if event.name == b"CHANNEL_HANGUP_COMPLETE" {
            return Some(Self::Call);
        }
        if event.name != b"CUSTOM" {
            return None;
        }
        // always written like this: FreeSWITCH encodes colons
        match event.subclass {
            b"sofia%3A%3Apre_register" => Some(Self::Challenge),
            b"sofia%3A%3Aregister_attempt" => Some(Self::Attempt),
            b"sofia%3A%3Aregister_failure" => Some(Self::Failure),
            b"sofia%3A%3Awrong_call_state" => Some(Self::Abandoned),
            b"verto%3A%3Alogin" => Some(Self::Verto),
            _ => None,
        }
    }
}

fn challenge(event: &Event<'_>) -> Option<SecurityEvent> {
    let account = if event.to_user.is_empty() {
        event.from_user
    } else {
        event.to_user
    };
    Some(SecurityEvent {
        account: text(account),
        tenant: text(event.from_host),
        domain: text(event.from_host),
        dialogue: text(event.call_id),
        detail: words(&[b"pre_register", event.agent]),
        ..blank(event, Service::Sofia, Cause::Challenged, sip_peer(event)?)
    })
}

fn abandoned(event: &Event<'_>) -> Option<SecurityEvent> {
    Some(SecurityEvent {
        account: text(event.from_user),
        detail: Text::from("wrong_call_state"),
        ..blank(event, Service::Sofia, Cause::Refused, sip_peer(event)?)
    })
}

fn verto(event: &Event<'_>) -> Option<SecurityEvent> {
    let cause = match event.verto_success {
        b"0" => Cause::WrongPassword,
        b"1" => Cause::Succeeded,
        _ => return None,
    };
    let (addr, port) = address_and_port(event.verto_address)?;
    let login = decode(event.verto_login);
    let (account, tenant) = match memchr::memrchr(b'@', &login) {
        Some(at) => {
            let (account, tenant) = login.split_at(at);
            (account, tenant.get(1..).unwrap_or_default())
        }
        None => (&*login, &b""[..]),
    };
    Some(SecurityEvent {
        account: Text::new(account),
        tenant: Text::new(tenant),
        domain: Text::new(tenant),
        proof: Proof::Handshake,
        detail: Text::from("verto::login"),
        ..blank(event, Service::Verto, cause, Peer::new(addr, port, Transport::Ws))
    })
}

fn call(event: &Event<'_>) -> Option<SecurityEvent> {
    let probe = event.hangup == b"NO_ROUTE_DESTINATION" && event.direction == b"inbound" && !event.authorised;
    let addr = address(event.call_ip).filter(|_| probe)?;
    let transport = match event.via {
        b"udp" => Transport::Udp,
        _ => Transport::Unknown,
    };
    Some(SecurityEvent {
        account: text(event.number),
        tenant: text(event.profile),
        dialogue: text(event.sip_call_id),
        detail: words(&[event.hangup, event.sip_agent]),
        ..blank(
            event,
            Service::Sofia,
            Cause::UnknownExtension,
            peer(addr, event.call_port, transport),
        )
    })
}

fn blank(event: &Event<'_>, service: Service, cause: Cause, peer: Peer) -> SecurityEvent {
    SecurityEvent {
        at: event.millis().map(Moment::from_millis),
        source: SourceId::default(),
        service,
        cause,
        peer,
        account: Text::EMPTY,
        tenant: Text::EMPTY,
        domain: Text::EMPTY,
        profile: text(event.profile),
        dialogue: Text::EMPTY,
        proof: Proof::None,
        detail: Text::EMPTY,
    }
}

fn half(event: &Event<'_>, peer: Peer) -> Half {
    Half {
        peer,
        profile: text(event.profile),
        number: event.number(),
        millis: event.millis(),
    }
}

fn sip_peer(event: &Event<'_>) -> Option<Peer> {
    Some(peer(address(event.ip)?, event.port, Transport::Unknown))
}

fn peer(addr: IpAddr, port: &[u8], transport: Transport) -> Peer {
    let port = crate::head::number(port).and_then(|port| u16::try_from(port).ok());
    Peer::new(addr, port.unwrap_or(0), transport)
}

fn text(value: &[u8]) -> Text {
    Text::new(&decode(value))
}

fn words(parts: &[&[u8]]) -> Text {
    let mut line = Vec::with_capacity(64);
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(&decode(part));
    }
    Text::new(&line)
}
