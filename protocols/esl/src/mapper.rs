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
//! - **Calls into nowhere** that neither a password nor an access list let in are [`Cause::UnknownExtension`]; the account is
//!   the number. So are those that the dialplan turned away, unless it asked for a password or had tried to reach somebody:
//!   then the refusal is that of whom it reached. A profile that lets a carrier in by its own access list leaves no mark on
//!   the call: carriers belong on the list of addresses that are never banned.
//! - **Proof.** SIP events name no transport that can be relied on (`status` and the Via are the client's own words), so
//!   they prove nothing. Verto runs over TCP.

use std::net::IpAddr;

use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, Text, Transport};

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
        let mut said = BLANK;
        said.at = event.millis().map(Moment::from_millis);
        let told = match subject {
            Subject::Challenge => challenge(&event, &mut said),
            Subject::Attempt => self.attempt(&event, &mut said),
            Subject::Failure => self.failure(&event, &mut said),
            Subject::Abandoned => abandoned(&event, &mut said),
            Subject::Verto => verto(&event, &mut said),
            // What says that a password let a call in stands in front of its profile: it may be among the lines thrown away
            // only when the profile is.
            Subject::Call if frame.is_cut() && event.profile.is_empty() => None,
            Subject::Call => call(&event, &mut said),
        };
        match told {
            Some(()) => Mapped::Event(said),
            None => Mapped::Other,
        }
    }

    fn attempt(&mut self, event: &Event<'_>, said: &mut SecurityEvent) -> Option<()> {
        said.cause = match event.result {
            b"FORBIDDEN" => Cause::WrongPassword,
            b"SUCCESS" | b"RENEWED" => Cause::Succeeded,
            _ => return None,
        };
        said.peer = sip_peer(event)?;
        said.profile = text(event.profile);
        if said.cause == Cause::WrongPassword && !self.pairs.attempt(half(event, said)) {
            return None;
        }
        // "unknown" stands for a digest that was not read: the To user is then all that is known.
        said.account = text(match event.username {
            b"" | b"unknown" => event.from_user,
            username => username,
        });
        said.domain = text(event.from_host);
        said.tenant = if event.realm.is_empty() {
            said.domain
        } else {
            text(event.realm)
        };
        said.dialogue = text(event.call_id);
        said.detail = words("register_attempt", &[event.result, event.agent]);
        Some(())
    }

    fn failure(&mut self, event: &Event<'_>, said: &mut SecurityEvent) -> Option<()> {
        said.peer = sip_peer(event)?;
        said.profile = text(event.profile);
        if !self.pairs.failure(half(event, said)) {
            return None;
        }
        said.cause = Cause::WrongPassword;
        // Of a call it names the dialled number, which is no account.
        if event.method == b"REGISTER" {
            said.account = text(event.to_user);
        }
        said.domain = text(event.to_host);
        said.tenant = said.domain;
        said.detail = words("register_failure", &[event.method, event.agent]);
        Some(())
    }
}

/// What every event begins with.
const BLANK: SecurityEvent = SecurityEvent::blank(Cause::Challenged, Service::Sofia, Peer::UNKNOWN);

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

fn challenge(event: &Event<'_>, said: &mut SecurityEvent) -> Option<()> {
    said.peer = sip_peer(event)?;
    said.cause = Cause::Challenged;
    said.account = text(if event.to_user.is_empty() {
        event.from_user
    } else {
        event.to_user
    });
    said.domain = text(event.from_host);
    said.tenant = said.domain;
    said.profile = text(event.profile);
    said.dialogue = text(event.call_id);
    said.detail = words("pre_register", &[event.agent]);
    Some(())
}

fn abandoned(event: &Event<'_>, said: &mut SecurityEvent) -> Option<()> {
    said.peer = sip_peer(event)?;
    said.cause = Cause::Refused;
    said.account = text(event.from_user);
    said.detail = Text::from("wrong_call_state");
    Some(())
}

fn verto(event: &Event<'_>, said: &mut SecurityEvent) -> Option<()> {
    said.service = Service::Verto;
    said.cause = match event.verto_success {
        b"0" => Cause::WrongPassword,
        b"1" => Cause::Succeeded,
        _ => return None,
    };
    let (addr, port) = address_and_port(event.verto_address)?;
    said.peer = Peer::new(addr, port, Transport::Ws);
    let login = decode(event.verto_login);
    let (account, domain) = match memchr::memrchr(b'@', &login) {
        Some(at) => {
            let (account, domain) = login.split_at(at);
            (account, domain.get(1..).unwrap_or_default())
        }
        None => (&*login, &b""[..]),
    };
    said.account = Text::new(account);
    said.domain = Text::new(domain);
    said.tenant = said.domain;
    said.profile = text(event.profile);
    said.proof = Proof::Handshake;
    said.detail = Text::from("verto::login");
    Some(())
}

fn call(event: &Event<'_>, said: &mut SecurityEvent) -> Option<()> {
    // A client of mod_verto names variables of its calls as it likes, the address of SIP's included.
    if !matches!(event.caller_source, b"mod_sofia" | b"") {
        return None;
    }
    let mine = event.direction == b"inbound" && !event.authorised && is_turned_away(event);
    let addr = address(event.call_ip).filter(|_| mine)?;
    let transport = match event.via {
        b"udp" => Transport::Udp,
        _ => Transport::Unknown,
    };
    said.cause = Cause::UnknownExtension;
    said.peer = peer(addr, event.call_port, transport);
    said.account = text(event.number);
    said.profile = text(event.profile);
    said.tenant = said.profile;
    said.dialogue = text(event.sip_call_id);
    said.detail = words("", &[event.hangup, event.sip_agent]);
    Some(())
}

/// Whether FreeSWITCH itself had nowhere to send the call, or its dialplan refused it. Whoever was called and declined is
/// not FreeSWITCH, and an answer that asks for a password is no refusal.
fn is_turned_away(event: &Event<'_>) -> bool {
    let unanswered = matches!(event.answered, b"" | b"0") && !event.originated;
    match event.hangup {
        b"NO_ROUTE_DESTINATION" | b"UNALLOCATED_NUMBER" | b"INVALID_NUMBER_FORMAT" => unanswered,
        b"CALL_REJECTED" | b"INCOMING_CALL_BARRED" | b"OUTGOING_CALL_BARRED" => {
            let asks =
                event.application_data.starts_with(b"401") || event.application_data.starts_with(b"407");
            let by_us =
                event.disposition == b"send_refuse" && matches!(event.application, b"respond" | b"hangup");
            unanswered && by_us && !asks
        }
        _ => false,
    }
}

fn half(event: &Event<'_>, said: &SecurityEvent) -> Half {
    Half {
        peer: said.peer,
        profile: said.profile,
        number: event.number(),
        millis: said.at.map(Moment::as_millis),
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

/// The event's name and what it says, in one line.
fn words(name: &str, parts: &[&[u8]]) -> Text {
    let mut short = [0; 128];
    let mut used = name.len();
    if let Some(room) = short.get_mut(..used) {
        room.copy_from_slice(name.as_bytes());
    }
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let part = decode(part);
        let space = usize::from(used > 0);
        let Some((gap, room)) = short
            .get_mut(used..used + space + part.len())
            .and_then(|room| room.split_at_mut_checked(space))
        else {
            return long(name, parts);
        };
        gap.fill(b' ');
        room.copy_from_slice(&part);
        used += space + part.len();
    }
    Text::new(short.get(..used).unwrap_or_default())
}

fn long(name: &str, parts: &[&[u8]]) -> Text {
    let name = [name.as_bytes()];
    let parts: Vec<_> = name
        .iter()
        .chain(parts)
        .filter(|part| !part.is_empty())
        .map(|part| decode(part))
        .collect();
    Text::new(&parts.join(&b' '))
}
