//! A million forged addresses cost a bounded amount of memory. A program of its own, so that nothing else is counted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringfence::engine::{Engine, Policy};
use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, SourceId, Text, Transport};

/// Bytes a tracked address may cost, index and slack included.
const EACH: u64 = 118;

fn forged(addr: IpAddr, account: &str) -> SecurityEvent {
    SecurityEvent {
        at: None,
        source: SourceId(0),
        service: Service::PjSip,
        cause: Cause::WrongPassword,
        peer: Peer::new(addr, 5060, Transport::Udp),
        account: Text::from(account),
        tenant: Text::EMPTY,
        domain: Text::EMPTY,
        profile: Text::EMPTY,
        dialogue: Text::from("a84b4c76e66710"),
        proof: Proof::None,
        detail: Text::EMPTY,
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn v4(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | n))
}

fn v6(n: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(n)))
}

#[test]
fn a_million_forged_addresses_cost_at_most_118_bytes_each() {
    let mut engine = Engine::new(Policy::default(), 1);
    let (before, mut out) = (resident(), Vec::new());
    let at = Moment::from_millis(1_795_000_000_000);
    for n in 0..500_000 {
        engine.observe(at, &forged(v4(n), "1000"), &mut out);
        engine.observe(at, &forged(v6(n), "1000"), &mut out);
    }
    let grown = resident() - before;
    assert_eq!(engine.totals().tracked, 1_000_000);
    assert!(grown <= 1_000_000 * EACH, "{} bytes each", grown / 1_000_000);
    // A second attempt of each costs more, so that fewer are kept: all in all it stays within bounds.
    for n in 0..500_000 {
        engine.observe(at, &forged(v4(n), "1001"), &mut out);
    }
    let grown = resident() - before;
    assert!(engine.totals().tracked <= 1_000_000);
    assert!(grown <= 128 << 20, "{grown} bytes");
    assert!(engine.totals().forgotten > 0);
    assert_eq!(out.len(), 1, "one alert: {out:?}");
}
