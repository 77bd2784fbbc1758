//! The sentences in which FreeSWITCH names an address, each read to its last byte.

use std::net::IpAddr;

use memchr::memmem;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_until, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{eof, map_opt, map_res, rest, value};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::map::Kind;
use super::record::trimmed;

/// `SIP auth failure (REGISTER) on sofia profile 'internal' for [1000@example.com] from ip 192.0.2.1`
pub(super) struct Authentication<'a> {
    pub(super) kind: Kind,
    pub(super) method: &'a [u8],
    pub(super) profile: &'a [u8],
    /// What stands between the brackets; a peer chose all of it.
    pub(super) name: &'a [u8],
    pub(super) addr: IpAddr,
}

impl<'a> Authentication<'a> {
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        let kind = alt((
            value(Kind::Challenge, tag("challenge")),
            value(Kind::Failure, tag("failure")),
        ));
        let method = alt((tag("REGISTER"), tag("INVITE")));
        let mut beginning = (
            delimited(tag("SIP auth "), kind, tag(" (")),
            terminated(method, tag(") on sofia profile '")),
            // The name of a profile is the admin's own, so the first quote that fits ends it.
            terminated(take_until("' for ["), tag("' for [")),
        );
        let read: IResult<_, _> = beginning.parse(message);
        let (rest, (kind, method, profile)) = read.ok()?;
        let (name, addr) = name_and_address(rest)?;
        Some(Self {
            kind,
            method,
            profile,
            name,
            addr,
        })
    }

    /// Whether a record that ends so is whole.
    pub(super) fn is_closed_by(end: &[u8]) -> bool {
        name_and_address(trimmed(end)).is_some()
    }
}

/// What stands before the last `] from ip `, which is FreeSWITCH's own: a name may hold as many as its peer likes.
fn name_and_address(rest: &[u8]) -> Option<(&[u8], IpAddr)> {
    let mark = b"] from ip ";
    let (name, behind) = rest.split_at(memmem::rfind(rest, mark)?);
    Some((name, address(behind.get(mark.len()..)?)?))
}

/// `user@host`, split at the last `@`: no host has one. What is no host behind it leaves both unknown.
pub(super) fn account_and_host(name: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = memchr::memrchr(b'@', name) else {
        return (b"", b"");
    };
    let (user, host) = name.split_at(at);
    let host = host.get(1..).unwrap_or_default();
    let inside = host
        .strip_prefix(b"[")
        .and_then(|host| host.strip_suffix(b"]"))
        .unwrap_or(host);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte) || !byte.is_ascii();
    if !inside.is_empty() && inside.iter().all(plain) {
        (user, host)
    } else {
        (b"", b"")
    }
}

/// `IP 192.0.2.1 Rejected by register acl "trusted"`
pub(super) fn register_acl(message: &[u8]) -> Option<(IpAddr, &[u8])> {
    let list = delimited(tag(" Rejected by register acl \""), quoted, tag("\""));
    whole((rejected, list), message)
}

/// `IP 192.0.2.1 Rejected by acl "trusted"`
pub(super) fn acl(message: &[u8]) -> Option<(IpAddr, &[u8])> {
    let list = delimited(tag(" Rejected by acl \""), quoted, tag("\""));
    whole((rejected, list), message)
}

/// `IP 192.0.2.1 Rejected by user acl [list] and no proxy acl present`; with another end the address might be what a header
/// said, so that is not read.
pub(super) fn user_acl(message: &[u8]) -> Option<(IpAddr, &[u8])> {
    let end = tag("] and no proxy acl present");
    let list = delimited(tag(" Rejected by user acl ["), take_until("]"), end);
    whole((rejected, list), message)
}

/// `IP/Port 192.0.2.1 5060 Rejected by acls and auth-calls-acl-only flag is set, rejecting call`
pub(super) fn acl_only(message: &[u8]) -> Option<(IpAddr, u16)> {
    let words = tag(" Rejected by acls and auth-calls-acl-only flag is set, rejecting call");
    let addr = delimited(tag("IP/Port "), bare, char(' '));
    whole((addr, terminated(port, words)), message)
}

/// `Can not do authorization without a complete header in REGISTER request from 192.0.2.1:5060`
pub(super) fn incomplete(message: &[u8]) -> Option<(IpAddr, u16)> {
    let method = alt((tag("REGISTER"), tag("INVITE")));
    let words = (
        tag("Can not do authorization without a complete header in "),
        method,
        tag(" request from "),
    );
    whole(preceded(words, map_opt(rest, address_and_port)), message)
}

/// `192.0.2.1:5066 Client Connect from 192.0.2.1:5066 refused by ACL trusted`
pub(super) fn verto_acl(message: &[u8]) -> Option<(IpAddr, u16, &[u8])> {
    let word = || take_while1(|byte| byte != b' ');
    let from = preceded(
        (word(), tag(" Client Connect from ")),
        map_opt(word(), address_and_port),
    );
    let ((addr, port), list) = whole((from, preceded(tag(" refused by ACL "), word())), message)?;
    Some((addr, port, list))
}

/// What the parser makes of the whole message, with nothing behind it.
fn whole<'a, O>(
    inner: impl Parser<&'a [u8], Output = O, Error = nom::error::Error<&'a [u8]>>,
    message: &'a [u8],
) -> Option<O> {
    terminated(inner, eof).parse(message).ok().map(|(_, said)| said)
}

fn rejected(input: &[u8]) -> IResult<&[u8], IpAddr> {
    preceded(tag("IP "), bare).parse(input)
}

fn bare(input: &[u8]) -> IResult<&[u8], IpAddr> {
    map_opt(take_while1(|byte| byte != b' '), address).parse(input)
}

fn port(input: &[u8]) -> IResult<&[u8], u16> {
    map_res(digit1, |digits: &[u8]| {
        std::str::from_utf8(digits).unwrap_or_default().parse()
    })
    .parse(input)
}

fn quoted(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_until("\"").parse(input)
}

/// A bare IPv4 or IPv6 address and nothing else; a scope is dropped, since packets carry none.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    match text.split_once('%') {
        Some((bare, scope))
            if bare.contains(':') && scope.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            bare.parse().ok()
        }
        _ => text.parse().ok(),
    }
}

/// `192.0.2.1:5060`, `[2001:db8::1]:5060`, and `2001:db8::1:5060` as FreeSWITCH writes an IPv6 address without brackets: what
/// follows the last colon is the port.
fn address_and_port(bytes: &[u8]) -> Option<(IpAddr, u16)> {
    let colon = memchr::memrchr(b':', bytes)?;
    let (addr, port) = bytes.split_at(colon);
    let addr = addr
        .strip_prefix(b"[")
        .and_then(|addr| addr.strip_suffix(b"]"))
        .unwrap_or(addr);
    let port = std::str::from_utf8(port.get(1..)?).ok()?.parse().ok()?;
    Some((address(addr)?, port))
}
