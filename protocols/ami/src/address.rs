//! The addresses of security events: `IPV4/UDP/192.0.2.101/5060`, IPv6 without brackets, perhaps with a scope.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{all_consuming, map_res, opt};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};
use ringfence_event::{Peer, Transport};

/// The longest address that Asterisk can write, with a scope, in bytes; anything longer is not one.
const MAX_ADDRESS: usize = 128;

/// Reads an address as security events print it; `None` for anything that is not exactly one.
///
/// The transport is left out when Asterisk does not know it. An IPv4-mapped address is the IPv4 address it is, whatever
/// the family says; a scope (`%eth0`) is dropped, since packets carry none.
pub fn peer(value: &[u8]) -> Option<Peer> {
    if value.len() > MAX_ADDRESS {
        return None;
    }
    let (_, peer) = all_consuming(alt((ipv4, ipv6))).parse(value).ok()?;
    Some(peer)
}

fn ipv4(input: &[u8]) -> IResult<&[u8], Peer, ()> {
    let (input, transport) = preceded(tag("IPV4/"), transport).parse(input)?;
    let (input, addr) = terminated(
        map_res(take_while1(|b: u8| b.is_ascii_digit() || b == b'.'), v4),
        tag("/"),
    )
    .parse(input)?;
    let (input, port) = port(input)?;
    Ok((input, Peer::new(IpAddr::V4(addr), port, transport)))
}

fn ipv6(input: &[u8]) -> IResult<&[u8], Peer, ()> {
    let (input, transport) = preceded(tag("IPV6/"), transport).parse(input)?;
    let digits = take_while1(|b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    let (input, addr) = map_res(digits, v6).parse(input)?;
    let scope = preceded(tag("%"), take_while1(|b: u8| b != b'/'));
    let (input, _) = terminated(opt(scope), tag("/")).parse(input)?;
    let (input, port) = port(input)?;
    Ok((input, Peer::new(IpAddr::V6(addr), port, transport)))
}

/// The word before the address; a word of capitals that is none of ours counts as unknown.
fn transport(input: &[u8]) -> IResult<&[u8], Transport, ()> {
    let word = terminated(take_while(|b: u8| b.is_ascii_uppercase()), tag("/"));
    let (input, word) = opt(word).parse(input)?;
    let transport = match word {
        Some(b"UDP") => Transport::Udp,
        Some(b"TCP") => Transport::Tcp,
        Some(b"TLS") => Transport::Tls,
        Some(b"WS") => Transport::Ws,
        Some(b"WSS") => Transport::Wss,
        _ => Transport::Unknown,
    };
    Ok((input, transport))
}

fn port(input: &[u8]) -> IResult<&[u8], u16, ()> {
    map_res(take_while1(|b: u8| b.is_ascii_digit()), decimal).parse(input)
}

/// Four decimal octets without leading zeros, as `inet_ntop` prints them.
fn v4(text: &[u8]) -> Result<Ipv4Addr, ()> {
    let mut octets = [0; 4];
    let mut parts = text.split(|&b| b == b'.');
    for octet in &mut octets {
        let part = parts.next().ok_or(())?;
        if part.len() > 3 || (part.len() > 1 && part.starts_with(b"0")) {
            return Err(());
        }
        *octet = u8::try_from(decimal(part)?).map_err(drop)?;
    }
    if parts.next().is_some() {
        Err(())
    } else {
        Ok(Ipv4Addr::from(octets))
    }
}

fn decimal(digits: &[u8]) -> Result<u16, ()> {
    let add = |number: u16, digit: &u8| {
        number
            .checked_mul(10)?
            .checked_add(u16::from(digit.checked_sub(b'0')?))
    };
    if digits.is_empty() {
        return Err(());
    }
    digits.iter().try_fold(0, add).ok_or(())
}

fn v6(text: &[u8]) -> Result<Ipv6Addr, ()> {
    str::from_utf8(text).map_err(drop)?.parse().map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, u16, Transport)> {
        peer(value.as_bytes()).map(|p| (p.addr().to_string(), p.port(), p.transport()))
    }

    #[test]
    fn every_form_that_asterisk_prints_is_read() {
        for (value, addr, port, transport) in [
            ("IPV4/UDP/192.0.2.101/5060", "192.0.2.101", 5060, Transport::Udp),
            ("IPV4/192.0.2.101/5060", "192.0.2.101", 5060, Transport::Unknown),
            ("IPV4/FLOW/192.0.2.101/0", "192.0.2.101", 0, Transport::Unknown),
            (
                "IPV6/TCP/2001:db8:22::101/46883",
                "2001:db8:22::101",
                46883,
                Transport::Tcp,
            ),
            ("IPV6/WSS/fe80::1%eth0/1", "fe80::1", 1, Transport::Wss),
            (
                "IPV6/TLS/::ffff:192.0.2.7/65535",
                "192.0.2.7",
                65535,
                Transport::Tls,
            ),
            ("IPV6/WS/::/5038", "::", 5038, Transport::Ws),
        ] {
            assert_eq!(read(value), Some((addr.to_owned(), port, transport)), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_address() {
        for value in [
            "",
            "IPV4",
            "IPV4/UDP/192.0.2.101",
            "IPV4/UDP/192.0.2.101/",
            "IPV4/UDP/192.0.2.101/65536",
            "IPV4/UDP/192.0.2.101/5060 ",
            "IPV4/UDP/192.0.2.101/5060/1",
            "IPV4/UDP/192.0.2.1010/5060",
            "IPV4/UDP/2001:db8::1/5060",
            "IPV6/UDP/192.0.2.1/5060",
            "IPV4/UDP/192.0.2/5060",
            "IPV4/UDP/192.0.2.1.1/5060",
            "IPV4/UDP/192.0.2.256/5060",
            "IPV4/UDP/192.0.2.01/5060",
            "IPV4/UDP/192.0..1/5060",
            "IPV4/UDP/(null)/0",
            "IPV6/UDP/[2001:db8::1]/5060",
            "x IPV4/UDP/192.0.2.101/5060",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
