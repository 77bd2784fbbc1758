//! Logs of real Asterisk servers under attack, each with what it must say: `captures/asterisk/log_expected.txt`; and beside
//! what the manager interface said of the same attack.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use ringfence::cli::recording::{Format, Outcome, Recording};
use ringfence::engine::{Engine, Policy, Target, Verdict};
use ringfence_event::{SecurityEvent, SourceId};
use ringfence_seclog::asterisk::{Assembler, Mapped, Said, Told};
use ringfence_seclog::time::Clock;

/// The addresses that really sent packets.
const SENDERS: [&str; 13] = [
    "192.0.2.66",
    "192.0.2.101",
    "192.0.2.103",
    "192.0.2.104",
    "192.0.2.105",
    "192.0.2.106",
    "192.0.2.107",
    "192.0.2.108",
    "192.0.2.110",
    "192.0.2.117",
    "192.0.2.150",
    "127.0.0.1",
    "2001:db8:22::101",
];
/// Asterisk's own test of all event types invents its addresses.
const INVENTED: &str = "22-zz-alltypes";

/// Where the two differ: Asterisk takes escape sequences out of its log, and an empty line in a name tears an event of the
/// manager interface apart, but not a line of the log.
const ONLY: [&str; 16] = [
    r"16-ami-m9-inject log only [x]",
    r"16-ami-m9-inject manager only [x\x1b[31m]",
    r"16-cs-q-inject log only [x\x0d\x0aFoo: bar]",
    r"16-cs-q-inject log only [x\x0d\x0a\x0d\x0aEvent: SuccessfulAuth]",
    r"16-cs-q-inject log only [x\x0d\x0a\x0d\x0aResponse: Goodbye\x0d\x0a\x0d\x0a]",
    r"16-cs-q-inject log only [x\x0d\x0a\x0d\x0aResponse:Error\x0d\x0aActionID:1]",
    r"16-cs-q-inject log only [xy]",
    r"16-cs-q-inject manager only [x\x1b[31my]",
    r"16-pj-q-inject log only [x\x0d\x0a\x0d\x0aEvent: SuccessfulAuth]",
    r"16-pj-q-inject log only [x\x0d\x0a\x0d\x0aResponse: Goodbye\x0d\x0a\x0d\x0a]",
    r"16-pj-q-inject log only [x\x0d\x0a\x0d\x0aResponse:Error\x0d\x0aActionID:1]",
    r"22-ami-m9-inject log only [x]",
    r"22-ami-m9-inject manager only [x\x1b[31m]",
    r"22-pj-q-inject log only [x\x0d\x0a\x0d\x0aEvent: SuccessfulAuth]",
    r"22-pj-q-inject log only [x\x0d\x0a\x0d\x0aResponse: Goodbye\x0d\x0a\x0d\x0a]",
    r"22-pj-q-inject log only [x\x0d\x0a\x0d\x0aResponse:Error\x0d\x0aActionID:1]",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/asterisk")
}

/// The logs that end so, by scenario.
fn logs(ending: &str) -> BTreeMap<String, Vec<u8>> {
    let found: BTreeMap<_, _> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(ending)?.to_owned();
            Some((name, fs::read(path).unwrap()))
        })
        .collect();
    assert!(found.len() > 70, "{ending}: {}", found.len());
    found
}

fn told(bytes: &[u8], step: usize) -> Vec<Told> {
    let (mut assembler, clock) = (Assembler::new(), Clock::default());
    let mut records = Vec::new();
    for mut piece in bytes.chunks(step) {
        while let Some(record) = assembler.take(&mut piece, &clock) {
            records.push(record);
        }
    }
    while let Some(record) = assembler.finish() {
        records.push(record);
    }
    records
}

fn said(bytes: &[u8]) -> Vec<Said> {
    let records = told(bytes, bytes.len().max(1)).into_iter();
    records
        .filter_map(|record| match record.mapped {
            Mapped::Said(said) => Some(said),
            _ => None,
        })
        .collect()
}

/// What the manager interface said, without the logins of who listened there.
fn manager(scenario: &str) -> Vec<SecurityEvent> {
    let bytes = fs::read(folder().join(format!("{scenario}.ami.raw"))).unwrap();
    let records = Recording::of(&bytes[..], Format::Ami);
    records
        .filter_map(|record| match record.unwrap().outcome {
            Outcome::Event(event) if event.account.as_bytes() != b"ringfence" => Some(event),
            _ => None,
        })
        .collect()
}

/// Without what the server does by itself every ten seconds, which one of the two may just miss.
fn of_attackers(events: Vec<SecurityEvent>) -> Vec<SecurityEvent> {
    let own =
        |event: &SecurityEvent| event.peer.addr().is_loopback() || event.account.as_bytes() == b"ringfence";
    events.into_iter().filter(|event| !own(event)).collect()
}

#[test]
fn the_security_log_says_what_the_manager_interface_says() {
    let (mut compared, mut more) = (0, BTreeSet::new());
    for (scenario, bytes) in logs(".security.log") {
        let log = of_attackers(said(&bytes).into_iter().map(|said| said.event).collect());
        let mut left = log.clone();
        for event in of_attackers(manager(&scenario)) {
            let at = left.iter().position(|other| {
                SecurityEvent {
                    detail: event.detail,
                    ..other.clone()
                } == event
            });
            let Some(at) = at else {
                more.insert(format!("{scenario} manager only [{}]", event.account));
                continue;
            };
            left.remove(at);
            compared += 1;
        }
        for event in left {
            more.insert(format!("{scenario} log only [{}]", event.account));
        }
    }
    let only: BTreeSet<_> = ONLY.iter().map(|row| (*row).to_owned()).collect();
    assert_eq!(more, only);
    assert!(compared > 1400, "{compared}");
}

#[test]
fn nobody_is_named_who_sent_no_packet() {
    for ending in [".messages.log", ".security.log"] {
        for (scenario, bytes) in logs(ending).iter().filter(|(scenario, _)| *scenario != INVENTED) {
            for said in said(bytes) {
                let addr = said.event.peer.addr().to_string();
                assert!(SENDERS.contains(&addr.as_str()), "{scenario}{ending}: {said:?}");
            }
        }
    }
}

#[test]
fn where_the_reads_cut_changes_nothing() {
    for ending in [".messages.log", ".security.log"] {
        for (scenario, bytes) in logs(ending) {
            let whole = told(&bytes, bytes.len().max(1));
            for step in [1, 7, 1448] {
                assert_eq!(
                    told(&bytes, step),
                    whole,
                    "{scenario}{ending} in pieces of {step}"
                );
            }
        }
    }
}

/// scenario, how often, kind, cause, address, account; the table stands in order
fn rows() -> Vec<String> {
    let mut rows = BTreeMap::new();
    for (scenario, bytes) in logs(".messages.log") {
        for record in told(&bytes, bytes.len().max(1)) {
            let row = match &record.mapped {
                Mapped::Said(said) => row(said),
                Mapped::Claimed(said) => format!("claimed-{}", row(said)),
                Mapped::Doubtful => "doubtful".to_owned(),
                Mapped::Other => continue,
            };
            *rows.entry((scenario.clone(), row)).or_insert(0) += 1;
        }
    }
    rows.into_iter()
        .map(|((scenario, row), count): (_, usize)| format!("{scenario} {count} {row}"))
        .collect()
}

fn row(said: &Said) -> String {
    let event = &said.event;
    let account =
        if event.account.as_bytes().iter().all(u8::is_ascii_digit) && event.account.as_bytes().len() == 4 {
            "4 digits".to_owned()
        } else {
            event.account.to_string()
        };
    format!(
        "{} {} {} {} [{account}]",
        said.kind.name(),
        event.cause.name(),
        event.peer.addr(),
        event.proof.name()
    )
}

#[test]
fn every_message_says_what_it_must() {
    let wanted = include_str!("captures/asterisk/log_expected.txt");
    let wanted: Vec<_> = wanted
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let rows = rows();
    for (row, wanted) in rows.iter().zip(&wanted) {
        assert_eq!(row, wanted);
    }
    assert_eq!(rows.len(), wanted.len());
}

/// What the engine decides: who was banned, by which jail; and how much each jail counts in the end.
fn verdicts(events: &[SecurityEvent]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut engine = Engine::new(Policy::default(), 7);
    engine.watch_together(vec![vec![SourceId(0), SourceId(1)]]);
    let (mut out, mut counts) = (Vec::new(), BTreeSet::new());
    for event in events {
        engine.observe(event.at.unwrap(), event, &mut out);
    }
    let Some(end) = events.last().and_then(|event| event.at) else {
        return Default::default();
    };
    for event in events {
        let addr = event.peer.addr();
        for count in engine.dossier(end, addr).counts {
            if count.count > 0 {
                counts.insert(format!("{addr} {} {}", count.jail, count.count));
            }
        }
    }
    let bans = out.iter().filter_map(|verdict| match verdict {
        Verdict::Ban(ban) => match ban.target {
            Target::Address(addr) => Some(format!("{addr} {}", ban.jail)),
            _ => None,
        },
        _ => None,
    });
    (bans.collect(), counts)
}

fn from(source: u16, events: &[SecurityEvent]) -> Vec<SecurityEvent> {
    let from = |event: &SecurityEvent| SecurityEvent {
        source: SourceId(source),
        ..event.clone()
    };
    events.iter().map(from).collect()
}

/// Both in the order of time; of two at the same moment the one of `first` comes first.
fn merged(first: &[SecurityEvent], second: &[SecurityEvent]) -> Vec<SecurityEvent> {
    let mut all = [first, second].concat();
    all.sort_by_key(|event| event.at);
    all
}

/// One attempt is one attempt, whoever tells of it and in whichever order.
#[test]
fn the_manager_interface_and_the_security_log_tell_of_the_same_attempts() {
    let mut banned = BTreeSet::new();
    for (scenario, bytes) in logs(".security.log") {
        // where they differ, see `ONLY`
        if scenario.contains("inject") || scenario == INVENTED {
            continue;
        }
        let log: Vec<_> = said(&bytes).into_iter().map(|said| said.event).collect();
        let (log, manager) = (of_attackers(log), of_attackers(manager(&scenario)));
        let (log, manager) = (from(1, &log), from(0, &manager));
        let wanted = verdicts(&manager);
        assert_eq!(verdicts(&log), wanted, "{scenario}: the log alone");
        assert_eq!(
            verdicts(&merged(&manager, &log)),
            wanted,
            "{scenario}: the log second"
        );
        assert_eq!(
            verdicts(&merged(&log, &manager)),
            wanted,
            "{scenario}: the log first"
        );
        banned.extend(wanted.0);
    }
    assert!(banned.len() >= 3, "{banned:?}");
}

/// Tries of which the manager interface says nothing: all of IAX2, packets that PJSIP's own access list refused, WebSockets,
/// a second guess in one session of the manager interface, guesses at its page in version 22.
const LOG_TELLS_MORE: [&str; 6] = [
    "iax-o1-register",
    "iax-o2-new",
    "pj-g3-global-acl",
    "pj-w-ws-handshake",
    "ami-m4-md5",
    "http-n2-ami",
];

/// Messages hold no challenges, and those of chan_sip and of the manager interface no dialogue.
#[test]
fn messages_tell_of_attempts_that_the_manager_interface_tells_of() {
    let mut compared = BTreeMap::new();
    for (scenario, bytes) in logs(".messages.log") {
        let log: Vec<_> = said(&bytes).into_iter().map(|said| said.event).collect();
        let (log, manager) = (of_attackers(log), of_attackers(manager(&scenario)));
        let services: BTreeSet<_> = log.iter().map(|event| format!("{:?}", event.service)).collect();
        let (log, manager) = (from(1, &log), from(0, &manager));
        // what only the log knows of: bytes that the manager interface can't write, see `s1-evade`
        if log.is_empty() || scenario.contains("inject") || scenario.contains("evade") {
            continue;
        }
        let both = verdicts(&merged(&manager, &log));
        assert_eq!(
            verdicts(&merged(&log, &manager)),
            both,
            "{scenario}: the log first"
        );
        let more = LOG_TELLS_MORE.iter().any(|name| scenario.ends_with(name));
        assert_eq!(
            both != verdicts(&manager),
            more && scenario != "16-http-n2-ami",
            "{scenario}: the log second"
        );
        for service in services {
            *compared.entry(service).or_insert(0) += 1;
        }
    }
    assert!(compared["PjSip"] > 20, "{compared:?}");
}

#[test]
fn what_the_manager_interface_can_not_write_the_messages_tell() {
    let bytes = &logs(".messages.log")["22-pj-s1-evade-nonutf8"];
    let events: Vec<_> = said(bytes).into_iter().map(|said| said.event).collect();
    assert_eq!(of_attackers(manager("22-pj-s1-evade-nonutf8")), []);
    assert_eq!(
        verdicts(&events).0,
        BTreeSet::from(["192.0.2.101 auth".to_owned()])
    );
}
