//! How many security events a second are parsed and judged on one core, for each protocol.
//!
//! `cargo bench --bench judge` prints events a second; `-- --only NAME` measures one recording alone, and `-- --only NAME --once`
//! judges a fixed number of events once, for counting instructions with callgrind (`tests/run gate` does, and compares with
//! its bounds). `--exact N` or `--wild N` adds as many tenants, by exact domains or by patterns; none has any of the attempts.

#![expect(clippy::unwrap_used, reason = "a bench that can't measure has to stop")]

#[path = "judge/ami.rs"]
mod ami;
#[path = "judge/esl.rs"]
mod esl;

use std::time::Instant;

use ringfence::engine::{Engine, Names, Pattern, Policy, Tenant};
use ringfence_event::{Moment, Span};

/// Addresses that attack or register in turn.
const PEERS: u32 = 100_000;
/// Events in one pass over the recording.
const EVENTS: u32 = 200_000;
/// Events judged once for counting instructions; `--make` only makes their recording, to be subtracted.
const ONCE: u32 = 40_000;
/// What one read from a socket brings.
const READ: usize = 64 * 1024;

/// Parses and judges a recording from a moment on; how many events it had.
type Pass = fn(&[u8], &mut Engine, Moment) -> u32;

/// One recording and what reads it.
struct Subject {
    name: &'static str,
    make: fn(u32) -> Vec<u8>,
    pass: Pass,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "ami",
        make: ami::recording,
        pass: ami::pass,
    },
    Subject {
        name: "esl",
        make: esl::attempts,
        pass: esl::pass,
    },
    Subject {
        name: "esl-failures",
        make: esl::failures,
        pass: esl::pass,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (once, make) = (given("--once"), given("--make"));
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        Some(arguments.get(at + 1).unwrap().as_str())
    };
    let only = value("--only");
    let number = |flag: &str| value(flag).map_or(0, |number| number.parse().unwrap());
    let policy = || Policy {
        tenants: tenants(number("--exact"), number("--wild")),
        ..Policy::default()
    };
    for subject in SUBJECTS
        .iter()
        .filter(|subject| only.is_none_or(|name| name == subject.name))
    {
        let events = if once || make { ONCE } else { EVENTS };
        let recording = (subject.make)(events);
        println!(
            "{}: {events} events of {} bytes on average, {PEERS} addresses",
            subject.name,
            recording.len() / events as usize
        );
        if once {
            let judged = (subject.pass)(
                &recording,
                &mut Engine::new(policy(), 1),
                Moment::from_millis(1_800_000_000_000),
            );
            println!("judged      {judged}");
        } else if !make {
            repeat(subject, &recording, policy());
        }
    }
}

/// Tenants with a domain each, and tenants with every name below a domain.
fn tenants(exact: u32, wild: u32) -> Vec<Tenant> {
    let exact = (0..exact).map(|n| format!("customer{n}.pbx.example"));
    let wild = (0..wild).map(|n| format!("*.customer{n}.example"));
    let named = exact.chain(wild).map(|domain| Tenant {
        name: domain.replace('*', "all"),
        names: Names {
            domain: vec![Pattern::folded(&domain)],
            ..Names::default()
        },
        ignore: Vec::new(),
        jails: Vec::new(),
    });
    named.collect()
}

/// Seven passes over one recording, with one engine that goes on.
fn repeat(subject: &Subject, recording: &[u8], policy: Policy) {
    let mut engine = Engine::new(policy, 1);
    let mut at = Moment::from_millis(1_800_000_000_000);
    let mut best = 0.0_f64;
    for _ in 0..7 {
        let start = Instant::now();
        let judged = (subject.pass)(recording, &mut engine, at);
        let rate = f64::from(judged) / start.elapsed().as_secs_f64();
        println!("parse and judge  {rate:>9.0} events/s");
        best = best.max(rate);
        at = at + Span::from_secs(60);
    }
    println!("best        {best:.0} events/s on one core");
}
