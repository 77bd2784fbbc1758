//! Addresses as Asterisk prints them, and finding the one in a message that can't be a peer's own words.

use std::net::{IpAddr, Ipv4Addr};

use memchr::memmem::Finder;
use ringfence_event::{Peer, Transport};

/// The longest address in bytes, with a scope; anything longer is none.
const MAX_ADDRESS: usize = 96;

/// `192.0.2.1`, `2001:db8::1`, with `%scope`, which is dropped.
pub(super) fn bare(text: &[u8]) -> Option<IpAddr> {
    if let Some(addr) = v4(text) {
        return (!addr.is_unspecified()).then_some(IpAddr::V4(addr));
    }
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
    let (&family, address) = text.strip_prefix(b"IPV")?.split_first()?;
    let address = address.strip_prefix(b"/")?;
    let capitals = address.iter().position(|byte| !byte.is_ascii_uppercase())?;
    // Asterisk leaves a transport out that it doesn't know
    let (word, address) = match address.split_at(capitals) {
        (word, [b'/', address @ ..]) if !word.is_empty() => (transport(word), address),
        _ => (Transport::Unknown, address),
    };
    let slash = address.iter().rposition(|byte| *byte == b'/')?;
    let (addr, port) = (address.get(..slash)?, address.get(slash + 1..)?);
    // the PBX's own address may be unspecified
    let addr = v4(addr).map(IpAddr::V4).or_else(|| {
        let text = std::str::from_utf8(addr).ok()?;
        let text = text.split_once('%').map_or(text, |(text, _)| text);
        text.parse::<IpAddr>().ok()
    })?;
    let port = self::port(port)?;
    let fits = family == if addr.is_ipv4() { b'4' } else { b'6' };
    fits.then_some((Peer::new(addr, port, word), rest))
}

/// Four decimal octets without leading zeros.
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut addr, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            if digits > 0 && octet == 0 {
                return None;
            }
            octet = octet * 10 + u32::from(digit);
            digits += 1;
            if octet > 255 {
                return None;
            }
        } else if *byte == b'.' && digits > 0 && dots < 3 {
            addr = addr << 8 | octet;
            (octet, digits) = (0, 0);
            dots += 1;
        } else {
            return None;
        }
    }
    (dots == 3 && digits > 0).then(|| Ipv4Addr::from(addr << 8 | octet))
}

/// A number and what follows its digits.
fn digits(text: &[u8]) -> Option<(u16, &[u8])> {
    let (mut number, mut rest) = (0_u16, text);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        number = number.checked_mul(10)?.checked_add(u16::from(digit - b'0'))?;
        rest = behind;
    }
    (rest.len() < text.len()).then_some((number, rest))
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

fn port(text: &[u8]) -> Option<u16> {
    digits(text)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(port, _)| port)
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
    before: &Finder<'_>,
    after: &Finder<'_>,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<Found<'a, T>>, Ambiguous> {
    let mut found: Option<Found<'a, T>> = None;
    let (before_len, after_len) = (before.needle().len(), after.needle().len());
    for at in before.find_iter(message) {
        let Some(start) = message.get(at + before_len..) else {
            continue;
        };
        let near = start.get(..MAX_ADDRESS + after_len).unwrap_or(start);
        let Some(end) = after.find(near) else {
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
                let right = start.get(end + after_len..).unwrap_or_default();
                found = Some(Found { left, value, right });
            }
        }
    }
    Ok(found)
}

/// More than one address could be the PBX's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;
