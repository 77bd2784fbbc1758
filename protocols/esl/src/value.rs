//! The values of plain events: percent-decoded after the lines were split, then bytes like any others.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

/// Decodes `%XX`; everything else stays as it is, a `+` and an incomplete escape too.
///
/// FreeSWITCH does not encode a `%XX` that a peer already wrote, so the result can hold line feeds and NUL: it is never
/// split again.
pub fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = percent(value) else {
        return Cow::Borrowed(value);
    };
    let mut decoded = Vec::with_capacity(value.len());
    let (mut plain, mut rest) = value.split_at(first);
    loop {
        decoded.extend_from_slice(plain);
        let byte = match rest {
            [_, high, low, behind @ ..] => hex(*high).zip(hex(*low)).map(|digits| (digits, behind)),
            _ => None,
        };
        if let Some(((high, low), behind)) = byte {
            decoded.push(high << 4 | low);
            rest = behind;
        } else if let Some((percent, behind)) = rest.split_first() {
            decoded.push(*percent);
            rest = behind;
        }
        let next = memchr::memchr(b'%', rest).unwrap_or(rest.len());
        (plain, rest) = rest.split_at(next);
        if rest.is_empty() {
            decoded.extend_from_slice(plain);
            return Cow::Owned(decoded);
        }
    }
}

/// The first `%`; most values are too short for a search routine to pay.
fn percent(value: &[u8]) -> Option<usize> {
    if value.len() < 16 {
        value.iter().position(|byte| *byte == b'%')
    } else {
        memchr::memchr(b'%', value)
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A bare IPv4 or IPv6 address, as it was sent; a scope is dropped, since packets carry none.
pub(crate) fn address(value: &[u8]) -> Option<IpAddr> {
    // an IPv4 address holds nothing that is escaped
    if let Ok(v4) = std::str::from_utf8(value).unwrap_or_default().parse::<Ipv4Addr>() {
        return Some(v4.into());
    }
    let decoded = decode(value);
    let text = std::str::from_utf8(&decoded).ok()?;
    let bare = match text.split_once('%') {
        Some((bare, _)) if bare.contains(':') => bare,
        _ => text,
    };
    bare.parse().ok()
}

/// Address and port of `192.0.2.1:5066` or `[2001:db8::1]:5066`.
pub(crate) fn address_and_port(value: &[u8]) -> Option<(IpAddr, u16)> {
    let decoded = decode(value);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (addr, port) = text.rsplit_once(':')?;
    let bare = match addr.strip_prefix('[') {
        Some(v6) => IpAddr::V6(v6.strip_suffix(']')?.parse().ok()?),
        None => IpAddr::V4(addr.parse().ok()?),
    };
    Some((bare, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once_and_a_plus_stays() {
        assert_eq!(&*decode(b"a%3A%3a+%2525%zz%4"), b"a::+%25%zz%4");
        assert_eq!(&*decode(b"1000%0A%0Anetwork-ip"), b"1000\n\nnetwork-ip");
        assert_eq!(&*decode(b"%\xc3\xbc%00"), b"%\xc3\xbc\0");
        for (sent, meant) in [
            ("", ""),
            ("%", "%"),
            ("%%41", "%A"),
            ("%4%41", "%4A"),
            ("%41%", "A%"),
            ("%41b", "Ab"),
            ("b%41", "bA"),
        ] {
            assert_eq!(&*decode(sent.as_bytes()), meant.as_bytes(), "{sent}");
        }
    }

    #[test]
    fn addresses_are_read_as_they_are_sent() {
        assert_eq!(address(b"fd00%3A%3A2"), "fd00::2".parse().ok());
        assert_eq!(address(b"fe80%3A%3A1%25eth0"), "fe80::1".parse().ok());
        assert_eq!(address(b"192.0.2.1%20"), None);
        assert_eq!(address(b"host.example"), None);
        assert_eq!(address(b""), None);
        let v6 = ("::1".parse().unwrap(), 55181);
        assert_eq!(address_and_port(b"%5B%3A%3A1%5D%3A55181"), Some(v6));
        assert_eq!(
            address_and_port(b"192.0.2.1%3A7"),
            Some(("192.0.2.1".parse().unwrap(), 7))
        );
        assert_eq!(address_and_port(b"::1:7"), None);
        assert_eq!(address_and_port(b"192.0.2.1"), None);
    }
}
