//! How fast the engine decides and how much memory it needs. `cargo bench --bench engine`
//!
//! Figures are times on the processor, the longest call apart: events a second for several mixes, resident memory with a million tracked addresses, the
//! longest single call while the table grows, and the time to take over 100,000 bans.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "figures for people"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ringfence::engine::{Ban, Engine, Evidence, Policy, Target};
use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, SourceId, Span, Text, Transport};

fn main() {
    if std::env::args().any(|arg| arg == "mix") {
        return mix("mix, 100,000 addresses", 100_000);
    }
    println!("resident before anything: {} kB", resident());
    million_spoofed();
    mix("mix, 1,000 addresses", 1_000);
    mix("mix, 100,000 addresses", 100_000);
    mix("mix, 1,000,000 addresses", 1_000_000);
    one_attacker();
    restore();
}

fn address(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | n))
}

fn event(n: u32, cause: Cause, account: &str, dialogue: &str) -> SecurityEvent {
    SecurityEvent {
        at: None,
        source: SourceId(0),
        service: Service::PjSip,
        cause,
        peer: Peer::new(address(n), 5060, Transport::Udp),
        account: Text::from(account),
        tenant: Text::EMPTY,
        domain: Text::EMPTY,
        profile: Text::EMPTY,
        dialogue: Text::from(dialogue),
        proof: Proof::None,
        detail: Text::EMPTY,
    }
}

/// A million addresses with one event each.
fn million_spoofed() {
    let mut engine = Engine::new(Policy::default(), 1);
    let (mut out, before) = (Vec::new(), resident());
    let mut at = Moment::from_millis(1_795_000_000_000);
    let mut longest = Duration::ZERO;
    let start = Watch::start();
    for n in 0..1_000_000_u32 {
        let event = event(n, Cause::WrongPassword, "alice", "a84b4c76e66710@192.0.2.1");
        at = at + Span::from_millis(u64::from(n.is_multiple_of(8)));
        let call = Instant::now();
        engine.observe(at, &event, &mut out);
        longest = longest.max(call.elapsed());
    }
    let spent = start.elapsed();
    let grown = resident() - before;
    println!(
        "1,000,000 spoofed addresses: {} tracked, {} kB resident in all, {:.1} bytes each, {:.0} ns each, longest call {:.0} µs",
        engine.totals().tracked,
        resident(),
        grown as f64 * 1024.0 / 1e6,
        spent.as_nanos() as f64 / 1e6,
        longest.as_secs_f64() * 1e6,
    );
    let start = Watch::start();
    engine.totals();
    println!(
        "  totals over them: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Watch::start();
    for n in 1_000_000..1_200_000_u32 {
        engine.observe(
            at,
            &event(n, Cause::WrongPassword, "alice", "a84b4c76e66710@192.0.2.1"),
            &mut out,
        );
    }
    let each = start.elapsed().as_nanos() / 200_000;
    println!(
        "  200,000 more with the table full: {each} ns each, {} verdicts",
        out.len()
    );
}

/// Of ten logins seven are good, one has a wrong password, one an unknown account, one is never answered; from addresses
/// in changing order, 300,000 events a second.
fn mix(name: &str, addresses: u32) {
    const EVENTS: u32 = 3_000_000;
    // Few enough to stay in the processor's cache, as an event that was just parsed is.
    let mut script = Vec::new();
    for n in 0..512 {
        let (call, account) = (
            format!("a84b4c76e66710-{n}@192.0.2.1"),
            format!("10{:02}", n % 64),
        );
        script.push(event(0, Cause::Challenged, &account, &call));
        match n % 10 {
            0 => script.push(event(0, Cause::WrongPassword, &account, &call)),
            1 => script.push(event(0, Cause::UnknownAccount, &account, &call)),
            2 => script.push(event(0, Cause::Challenged, &account, &format!("{call}-2"))),
            _ => script.push(event(0, Cause::Succeeded, &account, &call)),
        }
    }
    let mut engine = Engine::new(Policy::default(), 1);
    let mut out = Vec::new();
    let mut at = Moment::from_millis(1_795_000_000_000);
    for n in 0..addresses {
        engine.observe(at, &event(n, Cause::Challenged, "1000", "warm"), &mut out);
    }
    out.clear();
    let mut verdicts = 0;
    let mut random = 1_u64;
    let mut peer = Peer::new(address(0), 5060, Transport::Udp);
    let length = script.len();
    let start = Watch::start();
    for n in 0..EVENTS as usize {
        if n % 2 == 0 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            peer = Peer::new(
                address(((random >> 33) % u64::from(addresses)) as u32),
                5060,
                Transport::Udp,
            );
            at = at + Span::from_millis(u64::from(n % 300 == 0));
        }
        let event = &mut script[n % length];
        event.peer = peer;
        engine.observe(at, event, &mut out);
        if !out.is_empty() {
            verdicts += out.drain(..).len();
        }
    }
    let spent = start.elapsed();
    println!(
        "{name}: {:.2} M events/s, {:.0} ns each, {verdicts} verdicts",
        f64::from(EVENTS) / spent.as_secs_f64() / 1e6,
        spent.as_nanos() as f64 / f64::from(EVENTS),
    );
}

/// One address that fails as fast as it can.
fn one_attacker() {
    const EVENTS: u32 = 2_000_000;
    let mut engine = Engine::new(Policy::default(), 1);
    let mut out = Vec::new();
    let mut at = Moment::from_millis(1_795_000_000_000);
    let script: Vec<SecurityEvent> = (0..8192)
        .map(|n| event(1, Cause::Challenged, "1000", &format!("call-{n}")))
        .collect();
    let start = Watch::start();
    for (n, event) in script.iter().cycle().take(EVENTS as usize).enumerate() {
        at = at + Span::from_millis(u64::from(n % 100 == 0));
        engine.observe(at, event, &mut out);
    }
    let each = start.elapsed().as_nanos() / u128::from(EVENTS);
    println!(
        "challenge flood of one address: {each} ns each, {} verdicts",
        out.len()
    );
}

/// What the store hands over at start.
fn restore() {
    let at = Moment::from_millis(1_795_000_000_000);
    let ban = |n| Ban {
        target: Target::Address(address(n)),
        since: at,
        until: at + Span::from_secs(3600 + u64::from(n)),
        jail: "auth".to_owned(),
        count: 1,
        evidence: Evidence::default(),
    };
    let bans: Vec<Ban> = (0..100_000).map(ban).collect();
    let memories: Vec<_> = bans
        .iter()
        .enumerate()
        .map(|(n, ban)| (address(n as u32), 1, ban.until))
        .collect();
    let mut engine = Engine::new(Policy::default(), 1);
    let mut out = Vec::new();
    let start = Watch::start();
    engine.restore_bans(at, bans, memories, &mut out);
    println!(
        "100,000 bans and memories taken over: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(engine.bans().count(), 100_000, "every ban is in force");
}

/// Measures time on the processor, which a busy machine disturbs less than the wall clock.
struct Watch(u64);

impl Watch {
    fn start() -> Self {
        Self(on_cpu())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(on_cpu() - self.0)
    }
}

fn on_cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .unwrap_or(0)
}

/// Resident memory in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
