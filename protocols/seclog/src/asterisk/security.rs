//! Reads a line of the security log: `SecurityEvent="InvalidPassword",EventTV="…",…`, its values never escaped.
//!
//! A peer chooses the account, the session (PJSIP's Call-ID) and what answers a challenge, quotes included. What is certain:
//! the fields before the account come first; then, once in the whole record, stands `",LocalAddress="…",RemoteAddress="…"`
//! with two whole addresses; then only the fields of that event, in their order, to the last quote. A record in which the
//! local address is named twice blames nobody, nor does one that is as long as Asterisk writes at most, since its end may be
//! missing. What a peer's quotes add elsewhere is part of a name; a success is never read from such a record.

use memchr::memmem;
use nom::bytes::complete::{tag, take_while};
use nom::sequence::delimited;
use nom::{IResult, Parser};
use ringfence_event::{Moment, Peer, Service, Transport};

use super::address::of_event;
use super::event::Event;
use crate::time::{Clock, stamp};

/// How such a message begins.
pub(super) const START: &[u8] = b"SecurityEvent=\"";

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
        let (rest, head) = head(message).map_err(|_| Unread::Broken)?;
        let event = Event::from_name(head.event).ok_or(Unread::Broken)?;
        let mark = b"\",LocalAddress=\"";
        let mut marks = memmem::find_iter(rest, mark);
        let Some(at) = marks.next() else {
            return Err(Unread::Open);
        };
        if marks.next().is_some() {
            return Err(Unread::Broken);
        }
        let (named, behind) = rest.split_at(at);
        let (local, behind) = behind
            .get(mark.len()..)
            .and_then(of_event)
            .ok_or(Unread::Broken)?;
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
    let mark = b"\",SessionID=\"";
    let mut marks = memmem::find_iter(named, mark);
    let at = marks.next()?;
    if marks.next().is_some() {
        return None;
    }
    let (account, session) = named.split_at(at);
    Some((account, session.get(mark.len()..)?))
}

struct Head<'a> {
    event: &'a [u8],
    time: &'a [u8],
    service: &'a [u8],
}

/// Everything in front of the first value that a peer can choose.
fn head(input: &[u8]) -> IResult<&[u8], Head<'_>> {
    let value = || take_while(|byte: u8| byte.is_ascii_graphic() && byte != b'"');
    let (input, event) = delimited(tag(START), value(), tag("\",EventTV=\"")).parse(input)?;
    let (input, time) = value().parse(input)?;
    let (input, _severity) = delimited(tag("\",Severity=\""), value(), tag("\",Service=\"")).parse(input)?;
    let (input, service) = value().parse(input)?;
    let (input, _version) = delimited(tag("\",EventVersion=\""), value(), tag("\",")).parse(input)?;
    Ok((input, Head { event, time, service }))
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
