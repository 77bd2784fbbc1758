//! Reads a line of the security log: `SecurityEvent="InvalidPassword",EventTV="…",…`, its values never escaped.
//!
//! A peer chooses the account, the session (PJSIP's Call-ID) and what answers a challenge, quotes included. What is certain:
//! the fields before the account come first; then, once in the whole record, stands `",LocalAddress="…",RemoteAddress="…"`
//! with two whole addresses; then only the fields of that event, in their order, to the last quote. A record in which the
//! local address is named twice blames nobody, nor does one that is as long as Asterisk writes at most, since its end may be
//! missing. What a peer's quotes add elsewhere is part of a name; a success is never read from such a record.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use ringfence_event::{Moment, Peer, Service, Transport};

use super::address::of_event;
use super::event::Event;
use crate::time::{Clock, stamp};

/// How such a message begins.
pub(super) const START: &[u8] = b"SecurityEvent=\"";

/// In front of the session, behind the account.
static SESSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\",SessionID=\""));
/// In front of the PBX's own address.
static LOCAL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\",LocalAddress=\""));

/// What one security event says, its address read and its order checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement<'a> {
    pub(super) event: Event,
    pub(super) at: Option<Moment>,
    pub(super) service: Service,
    pub(super) account: &'a [u8],
    pub(super) session: &'a [u8],
    pub(super) remote: Peer,
    pub(super) acl_name: &'a [u8],
    pub(super) request_type: &'a [u8],
    pub(super) using_password: &'a [u8],
    pub(super) challenge: &'a [u8],
    pub(super) received_challenge: &'a [u8],
}

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Its end is missing and may stand in the next line.
    Open,
    /// It can't be believed.
    Broken,
}

impl<'a> Statement<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Unread> {
        let (head, rest) = head(message).ok_or(Unread::Broken)?;
        let event = Event::from_name(head.event).ok_or(Unread::Broken)?;
        let Some((named, behind)) = cut(rest, &LOCAL) else {
            return Err(Unread::Open);
        };
        if LOCAL.find(behind).is_some() {
            return Err(Unread::Broken);
        }
        let (local, behind) = of_event(behind).ok_or(Unread::Broken)?;
        let behind = behind.strip_prefix(b"\",RemoteAddress=\"").ok_or(Unread::Open)?;
        let (remote, behind) = of_event(behind).ok_or(Unread::Open)?;
        let (account, session) = names(event, named).ok_or(Unread::Broken)?;
        let mut statement = Self {
            event,
            at: event_time(head.time),
            service: service(head.service),
            account,
            session,
            remote,
            acl_name: b"",
            request_type: b"",
            using_password: b"",
            challenge: b"",
            received_challenge: b"",
        };
        statement.tail(behind)?;
        if remote.addr().is_unspecified() || !statement.is_plausible(local) {
            return Err(Unread::Broken);
        }
        let quoted = memchr::memchr2(
            b'"',
            b'\n',
            named.get(named.len() - session.len()..).unwrap_or_default(),
        )
        .is_some()
            || memchr::memchr2(b'"', b'\n', account).is_some();
        if quoted && event == Event::SuccessfulAuth {
            return Err(Unread::Broken);
        }
        Ok(statement)
    }

    /// chan_sip and the manager always know their transport and name a pointer: too much for the 79 bytes that chan_sip keeps
    /// of a name.
    fn is_plausible(&self, local: Peer) -> bool {
        if !matches!(self.service, Service::ChanSip | Service::Ami) {
            return true;
        }
        let known = |peer: Peer| peer.transport() != Transport::Unknown;
        let pointer = self
            .session
            .strip_prefix(b"0x")
            .is_some_and(|digits| digits.len() >= 6 && digits.iter().all(u8::is_ascii_hexdigit));
        known(self.remote) && known(local) && pointer
    }

    /// The fields behind the remote address; the quote that closes it comes first.
    fn tail(&mut self, mut rest: &'a [u8]) -> Result<(), Unread> {
        for name in self.event.required() {
            rest = after(rest, name).ok_or(Unread::Open)?;
            let value;
            (value, rest) = self.value(rest)?;
            self.keep(name, value);
        }
        for name in self.event.optional() {
            if let Some(behind) = after(rest, name) {
                let value;
                (value, rest) = self.value(behind)?;
                self.keep(name, value);
            }
        }
        if rest == b"\"" { Ok(()) } else { Err(Unread::Open) }
    }

    /// A value, which ends where the next field of this event begins, or with the record.
    fn value(&self, rest: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Unread> {
        let names = self.event.required().iter().chain(self.event.optional());
        let mut quotes = memchr::memchr_iter(b'"', rest);
        let end = quotes.find(|at| {
            let behind = rest.get(*at..).unwrap_or_default();
            behind.len() == 1 || names.clone().any(|name| after(behind, name).is_some())
        });
        Ok(rest.split_at(end.ok_or(Unread::Open)?))
    }

    fn keep(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"ACLName" => self.acl_name = value,
            b"RequestType" => self.request_type = value,
            b"UsingPassword" => self.using_password = value,
            b"Challenge" => self.challenge = value,
            b"ReceivedChallenge" => self.received_challenge = value,
            b"AccountID" => self.account = value,
            _ => {}
        }
    }
}

/// What stands behind `",name="`.
fn after<'a>(rest: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    rest.strip_prefix(b"\",")?
        .strip_prefix(name)?
        .strip_prefix(b"=\"")
}

/// The account and the session in `AccountID="x",SessionID="y`.
fn names(event: Event, named: &[u8]) -> Option<(&[u8], &[u8])> {
    if !event.account_comes_first() {
        return Some((b"", named.strip_prefix(b"SessionID=\"")?));
    }
    let named = named.strip_prefix(b"AccountID=\"")?;
    let (account, session) = cut(named, &SESSION)?;
    SESSION.find(session).is_none().then_some((account, session))
}

/// What stands before and behind the first mark.
fn cut<'a>(text: &'a [u8], mark: &Finder<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let at = mark.find(text)?;
    Some((text.get(..at)?, text.get(at + mark.needle().len()..)?))
}

struct Head<'a> {
    event: &'a [u8],
    time: &'a [u8],
    service: &'a [u8],
}

/// Everything in front of the first value that a peer can choose.
fn head(message: &[u8]) -> Option<(Head<'_>, &[u8])> {
    let (event, rest) = value(message.strip_prefix(START)?)?;
    let (time, rest) = value(rest.strip_prefix(b"\",EventTV=\"")?)?;
    let (_severity, rest) = value(rest.strip_prefix(b"\",Severity=\"")?)?;
    let (service, rest) = value(rest.strip_prefix(b"\",Service=\"")?)?;
    let (_version, rest) = value(rest.strip_prefix(b"\",EventVersion=\"")?)?;
    let rest = rest.strip_prefix(b"\",")?;
    let head = message.get(..message.len() - rest.len())?;
    // without a branch for each byte
    let plain = head
        .iter()
        .fold(true, |plain, byte| plain & byte.is_ascii_graphic());
    plain.then_some((Head { event, time, service }, rest))
}

/// Up to the next quote, which comes first in what follows.
fn value(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    rest.split_at_checked(memchr::memchr(b'"', rest)?)
}

fn service(name: &[u8]) -> Service {
    match name {
        b"PJSIP" => Service::PjSip,
        b"SIP" => Service::ChanSip,
        b"AMI" => Service::Ami,
        b"IAX2" => Service::Iax2,
        _ => Service::Other,
    }
}

/// `2026-11-21T16:24:48.225-0330`, or `1795289079-140999` from older servers.
fn event_time(value: &[u8]) -> Option<Moment> {
    if let Some(at) = memchr::memchr(b'-', value).filter(|at| *at > 4) {
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
        let (seconds, micros) = (number(value.get(..at)?)?, number(value.get(at + 1..)?)?);
        let millis = seconds.checked_mul(1000)?.checked_add(micros / 1000)?;
        return (micros < 1_000_000).then_some(Moment::from_millis(millis));
    }
    let (rest, stamp) = stamp(value).ok()?;
    rest.is_empty().then(|| stamp.moment(&Clock::default())).flatten()
}
