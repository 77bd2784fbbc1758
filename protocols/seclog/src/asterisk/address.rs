//! Addresses as Asterisk prints them, and finding the one in a message that can't be a peer's own words.

use std::net::IpAddr;

use memchr::memmem;
use nom::Parser;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::{preceded, terminated};
use ringfence_event::{Peer, Transport};

/// The longest address in bytes, with a scope; anything longer is none.
const MAX_ADDRESS: usize = 96;

/// `192.0.2.1`, `2001:db8::1`, with `%scope`, which is dropped.
pub(super) fn bare(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.len() <= MAX_ADDRESS)?;
    let (text, scope) = text
        .split_once('%')
        .map_or((text, None), |(text, scope)| (text, Some(scope)));
    let plain =
        scope.is_none_or(|scope| scope.bytes().all(|byte| byte.is_ascii_graphic()) && text.contains(':'));
    let addr: IpAddr = text.parse().ok()?;
    (plain && !addr.is_unspecified()).then_some(addr)
}

/// `192.0.2.1:5060`, `[2001:db8::1]:5060`, or without a port, which is 0 then.
pub(super) fn with_port(text: &[u8]) -> Option<(IpAddr, u16)> {
    if text.first() == Some(&b'[') {
        let end = memchr::memchr(b']', text)?;
        let addr = bare(text.get(1..end)?).filter(IpAddr::is_ipv6)?;
        return match text.get(end + 1..)? {
            b"" => Some((addr, 0)),
            rest => Some((addr, port(rest.strip_prefix(b":")?)?)),
        };
    }
    match memchr::memchr(b':', text) {
        Some(at) if memchr::memrchr(b':', text) == Some(at) => {
            let addr = bare(text.get(..at)?)?;
            Some((addr, port(text.get(at + 1..)?)?))
        }
        _ => Some((bare(text)?, 0)),
    }
}

/// `UDP:192.0.2.1:5060`, as PJSIP's session names it.
pub(super) fn with_transport(text: &[u8]) -> Option<Peer> {
    let at = memchr::memchr(b':', text)?;
    let (word, rest) = text.split_at(at);
    let transport = transport(&word.to_ascii_uppercase());
    // res_pjsip_session prints an IPv6 address without brackets: what follows the last colon is the port
    let rest = rest.get(1..)?;
    let (addr, port) = with_port(rest).filter(|(_, port)| *port != 0).or_else(|| {
        let colon = memchr::memrchr(b':', rest)?;
        Some((bare(rest.get(..colon)?)?, port(rest.get(colon + 1..)?)?))
    })?;
    Some(Peer::new(addr, port, transport))
}

/// `IPV4/UDP/192.0.2.1/5060` to the next quote, as security events name it.
pub(super) fn of_event(input: &[u8]) -> Option<(Peer, &[u8])> {
    let end = memchr::memchr(b'"', input.get(..MAX_ADDRESS + 1).unwrap_or(input))?;
    let (text, rest) = input.split_at(end);
    let capitals = take_while1(|byte: u8| byte.is_ascii_uppercase());
    let family = preceded(tag("IPV"), nom::character::complete::one_of("46"));
    let mut parts = (
        terminated(family, char('/')),
        opt(terminated(capitals, char('/'))),
    );
    let read: nom::IResult<_, _> = parts.parse(text);
    let (address, (family, word)) = read.ok()?;
    let slash = memchr::memrchr(b'/', address)?;
    let addr = address.get(..slash).and_then(|text| {
        // the PBX's own address may be unspecified
        let text = std::str::from_utf8(text).ok()?;
        let text = text.split_once('%').map_or(text, |(text, _)| text);
        text.parse::<IpAddr>().ok()
    })?;
    let port = port(address.get(slash + 1..)?)?;
    let fits = addr.is_ipv4() == (family == '4');
    fits.then_some((
        Peer::new(addr, port, word.map_or(Transport::Unknown, transport)),
        rest,
    ))
}

fn transport(word: &[u8]) -> Transport {
    match word {
        b"UDP" => Transport::Udp,
        b"TCP" => Transport::Tcp,
        b"TLS" => Transport::Tls,
        b"WS" => Transport::Ws,
        b"WSS" => Transport::Wss,
        _ => Transport::Unknown,
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// Where the only address between `before` and `after` stands, with what lies on both sides.
pub(super) struct Found<'a, T> {
    pub(super) left: &'a [u8],
    pub(super) value: T,
    pub(super) right: &'a [u8],
}

/// Finds what `read` makes of the bytes between `before` and `after`. A peer's text may hold the same words, so every place
/// is looked at: when two of them name different values, nobody can say which is the PBX's own.
pub(super) fn sole<'a, T: PartialEq>(
    message: &'a [u8],
    before: &[u8],
    after: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<Found<'a, T>>, Ambiguous> {
    let mut found: Option<Found<'a, T>> = None;
    for at in memmem::find_iter(message, before) {
        let Some(start) = message.get(at + before.len()..) else {
            continue;
        };
        let near = start.get(..MAX_ADDRESS + after.len()).unwrap_or(start);
        let Some(end) = memmem::find(near, after) else {
            continue;
        };
        let Some(value) = start.get(..end).and_then(&read) else {
            continue;
        };
        match &found {
            Some(first) if first.value != value => return Err(Ambiguous),
            Some(_) => {}
            None => {
                let left = message.get(..at).unwrap_or_default();
                let right = start.get(end + after.len()..).unwrap_or_default();
                found = Some(Found { left, value, right });
            }
        }
    }
    Ok(found)
}

/// More than one address could be the PBX's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;
