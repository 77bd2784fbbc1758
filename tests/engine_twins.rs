//! Several sources of one PBX: each try counts once, whichever of them tells of it first.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::{event, ip, start};
use proptest::prelude::*;
use ringfence::engine::{Engine, Policy};
use ringfence_event::{Cause, Moment, Peer, SecurityEvent, Service, SourceId, Span, Text, Transport};

const SOCKET: SourceId = SourceId(0);
const SECURITY: SourceId = SourceId(1);
const MESSAGES: SourceId = SourceId(2);

/// What somebody tries.
#[derive(Clone, Debug)]
struct Try {
    pause: u64,
    host: u8,
    account: u8,
    service: Service,
    unknown: bool,
    /// How long after the try each source tells of it, in milliseconds.
    lags: [u64; 3],
}

fn any_tries() -> impl Strategy<Value = Vec<Try>> {
    let service = prop::sample::select(vec![Service::PjSip, Service::ChanSip, Service::Ami]);
    let lag = || prop_oneof![4 => Just(0_u64), 4 => 0..20_u64, 1 => 0..2_000_u64];
    let one = (
        prop_oneof![2 => Just(0_u64), 2 => 0..50_u64, 1 => 0..700_u64],
        0..2_u8,
        0..2_u8,
        service,
        any::<bool>(),
        [lag(), lag(), lag()],
    );
    let one = one.prop_map(|(pause, host, account, service, unknown, lags)| Try {
        pause,
        host,
        account,
        service,
        unknown,
        lags,
    });
    prop::collection::vec(one, 0..30)
}

/// What the manager interface says of it; the security log says the same.
fn in_full(one: &Try, id: usize) -> Vec<SecurityEvent> {
    let (addr, name, call) = (
        format!("198.51.100.{}", one.host),
        format!("user{}", one.account),
        format!("call{id}"),
    );
    let tell = |cause, name: &str| SecurityEvent {
        service: one.service,
        ..event(&addr, cause, name, &call)
    };
    match (one.service, one.unknown) {
        (Service::Ami, false) => vec![tell(Cause::WrongPassword, &name)],
        (Service::Ami, true) => vec![tell(Cause::UnknownAccount, &name)],
        (Service::PjSip, true) => vec![
            tell(Cause::UnknownAccount, &name),
            tell(Cause::Challenged, &name),
            tell(Cause::UnknownAccount, &name),
            tell(Cause::UnknownAccount, ""),
        ],
        _ => vec![tell(Cause::Challenged, &name), tell(Cause::WrongPassword, &name)],
    }
}

/// What the messages say of it: no challenge, and at most services no dialogue and no port.
fn in_words(one: &Try, id: usize) -> Vec<SecurityEvent> {
    let full = in_full(one, id).into_iter();
    let mut events: Vec<_> = full.filter(|event| event.cause != Cause::Challenged).collect();
    for event in &mut events {
        if one.service != Service::PjSip {
            event.dialogue = Text::EMPTY;
        }
        if one.service == Service::Ami {
            event.peer = Peer::new(event.peer.addr(), 0, Transport::Tcp);
        }
    }
    events
}

/// What each place at FreeSWITCH says of it: the socket with Call-ID, port and the name in the answer; the log with the name of the
/// request and sometimes an access list as the reason; mod_fail2ban with the number that was dialled.
fn at_freeswitch(one: &Try, id: usize, source: SourceId) -> Vec<SecurityEvent> {
    let addr = format!("198.51.100.{}", one.host);
    let tell = |cause, name: &str, call: &str| SecurityEvent {
        service: Service::Sofia,
        ..event(&addr, cause, name, call)
    };
    let (name, call) = (format!("user{}", one.account), format!("call{id}"));
    let answer = if one.unknown { "digest" } else { &name };
    let mut events = match source {
        SOCKET => {
            return vec![
                tell(Cause::Challenged, &name, &call),
                tell(Cause::WrongPassword, answer, &call),
            ];
        }
        SECURITY if one.service == Service::Ami => {
            vec![
                tell(Cause::AclDenied, "", ""),
                tell(Cause::WrongPassword, &name, ""),
            ]
        }
        SECURITY => vec![tell(Cause::WrongPassword, &name, "")],
        _ => vec![tell(Cause::WrongPassword, "9196", "")],
    };
    for event in &mut events {
        event.peer = Peer::new(event.peer.addr(), 0, Transport::Unknown);
    }
    events
}

/// What a source says of one try.
fn anywhere(one: &Try, id: usize, source: SourceId) -> Vec<SecurityEvent> {
    if source == MESSAGES {
        in_words(one, id)
    } else {
        in_full(one, id)
    }
}

type Teller = fn(&Try, usize, SourceId) -> Vec<SecurityEvent>;

/// Every source's events in its own order, each with the moment it is told at.
fn told(tries: &[Try], sources: &[SourceId], tell: Teller) -> Vec<(Moment, SecurityEvent)> {
    let mut all = Vec::new();
    for source in sources {
        let (mut at, mut latest) = (start(), start());
        for (id, one) in tries.iter().enumerate() {
            at = at + Span::from_millis(one.pause);
            let lag = one.lags[usize::from(source.0)];
            latest = latest.max(at + Span::from_millis(lag));
            for event in tell(one, id, *source) {
                all.push((
                    latest,
                    SecurityEvent {
                        source: *source,
                        ..event
                    },
                ));
            }
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// How much each jail counts at each address in the end; no jail bans.
fn counts(tries: &[Try], sources: &[SourceId], tell: Teller) -> Vec<String> {
    let mut policy = Policy::default();
    for jail in &mut policy.jails {
        jail.maxretry = 900;
        jail.findtime = Span::from_secs(3600);
    }
    let mut engine = Engine::new(policy, 1);
    engine.watch_together(vec![vec![SOCKET, SECURITY, MESSAGES]]);
    let mut out = Vec::new();
    for (at, event) in told(tries, sources, tell) {
        engine.observe(at, &event, &mut out);
    }
    assert_eq!(out, []);
    let mut counts = Vec::new();
    for host in 0..2 {
        let addr = format!("198.51.100.{host}");
        for count in engine.dossier(start(), ip(&addr)).counts {
            if count.count > 0 {
                counts.push(format!("{addr} {} {}", count.jail, count.count));
            }
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_try_counts_once(tries in any_tries()) {
        let counts = |sources: &[SourceId]| counts(&tries, sources, anywhere);
        let alone = counts(&[SOCKET]);
        prop_assert_eq!(&counts(&[SOCKET, SECURITY]), &alone, "the security log beside");
        prop_assert_eq!(&counts(&[SOCKET, MESSAGES]), &alone, "the messages beside");
        prop_assert_eq!(&counts(&[SOCKET, SECURITY, MESSAGES]), &alone, "all three");
    }

    #[test]
    fn every_try_at_freeswitch_counts_once(tries in any_tries()) {
        let counts = |sources: &[SourceId]| {
            let mut counts = counts(&tries, sources, at_freeswitch);
            counts.retain(|count| !count.contains("flood"));
            counts
        };
        let alone = counts(&[SOCKET]);
        for sources in [
            &[SECURITY][..],
            &[MESSAGES],
            &[SOCKET, SECURITY],
            &[SOCKET, MESSAGES],
            &[SECURITY, MESSAGES],
            &[SOCKET, SECURITY, MESSAGES],
        ] {
            prop_assert_eq!(&counts(sources), &alone, "{:?}", sources);
        }
    }
}

#[test]
fn what_happened_before_counts_where_it_belongs() {
    let mut engine = Engine::new(Policy::default(), 1);
    let mut out = Vec::new();
    let now = start() + Span::from_secs(3600);
    let guess = |id: u64| event("198.51.100.7", Cause::WrongPassword, "bob", &format!("call{id}"));
    // ten tries in an hour, the last of them in the last ten minutes
    for id in 0..10 {
        let happened = start() + Span::from_secs(90 + id * 360);
        engine.observe_late(now, happened, &guess(id), &mut out);
    }
    assert_eq!(out, [], "ten minutes hold one of them");
    for id in 10..14 {
        engine.observe_late(now, now, &guess(id), &mut out);
    }
    assert_eq!(out.len(), 1, "with four more they are five");
}

/// FreeSWITCH: the socket says it with port, Call-ID and the name of the answer, a log without.
fn refused(source: SourceId, seconds: u64, cause: Cause, account: &str, call: &str) -> SecurityEvent {
    let mut event = SecurityEvent {
        source,
        service: Service::Sofia,
        at: Some(start() + Span::from_millis(seconds * 1000 + u64::from(source.0) * 300)),
        ..event("198.51.100.7", cause, account, call)
    };
    if source == SOCKET {
        event.tenant = Text::from("a.example");
    } else {
        event.peer = Peer::new(event.peer.addr(), 0, Transport::Unknown);
    }
    event
}

fn counted_in_order(events: &[SecurityEvent]) -> u64 {
    let mut policy = Policy::default();
    for jail in &mut policy.jails {
        jail.maxretry = 900;
    }
    let mut engine = Engine::new(policy, 1);
    engine.watch_together(vec![vec![SOCKET, SECURITY, MESSAGES]]);
    for event in events {
        engine.observe(start() + Span::from_secs(40), event, &mut Vec::new());
    }
    let counts = engine
        .dossier(start() + Span::from_secs(40), ip("198.51.100.7"))
        .counts;
    counts.iter().map(|count| u64::from(count.count)).sum()
}

#[test]
fn names_that_differ_do_not_make_two_tries_of_one() {
    let told = |source, name: &str, call: &str| refused(source, 0, Cause::WrongPassword, name, call);
    // the number that was dialled, the name of the request, and that of the answer
    let all = [
        told(SOCKET, "digest", "call"),
        told(SECURITY, "1000", ""),
        told(MESSAGES, "9196", ""),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let events = order.map(|at: usize| all[at].clone());
        assert_eq!(counted_in_order(&events), 1, "{order:?}");
        let twice = [&events[..], &events[..]].concat();
        assert_eq!(counted_in_order(&twice), 2, "{order:?} twice");
    }
}

#[test]
fn the_reason_and_the_failure_are_two_lines_of_one_try() {
    let reason = refused(SECURITY, 0, Cause::AclDenied, "", "");
    let failure = refused(SECURITY, 0, Cause::WrongPassword, "1004", "");
    let event = refused(SOCKET, 0, Cause::WrongPassword, "1004", "call");
    let lines = [reason.clone(), failure.clone()];
    assert_eq!(counted_in_order(&lines), 1);
    assert_eq!(counted_in_order(&[&lines[..], &lines[..]].concat()), 2);
    for at in 0..=2 {
        let mut all = lines.to_vec();
        all.insert(at, event.clone());
        assert_eq!(counted_in_order(&all), 1, "the socket tells of it at {at}");
    }
    // no second line where the profile logs no authentication
    assert_eq!(counted_in_order(&[reason.clone(), event.clone()]), 1);
    assert_eq!(counted_in_order(&[event, reason]), 1);
}

#[test]
fn tries_before_and_after_a_break_are_told_apart_by_their_times() {
    let lines: Vec<_> = (0..3)
        .map(|n| refused(SECURITY, n, Cause::WrongPassword, "1000", ""))
        .collect();
    let events: Vec<_> = (0..2)
        .map(|n| refused(SOCKET, 8 + n, Cause::WrongPassword, "1000", &format!("call{n}")))
        .collect();
    assert_eq!(counted_in_order(&[&lines[..], &events[..]].concat()), 5);
    // a log in another time zone than it is read in still tells of the same tries
    let mut shifted = events.clone();
    for event in &mut shifted {
        event.source = SECURITY;
        event.dialogue = Text::EMPTY;
        event.at = event.at.map(|at| at + Span::from_secs(3600));
    }
    assert_eq!(counted_in_order(&[&events[..], &shifted[..]].concat()), 2);
}
