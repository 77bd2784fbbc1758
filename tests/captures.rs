//! Recordings of real Asterisk servers under attack, each with what it must say: `captures/asterisk/expected.txt`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;

use ringfence::cli::recording::{Outcome, Recording};
use ringfence::engine::{Engine, Policy, Verdict};
use ringfence_ami::Counts;
use ringfence_event::SecurityEvent;

/// The addresses that really sent packets in these recordings.
const ATTACKERS: [&str; 12] = [
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

fn recordings() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/asterisk");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".ami.raw")?.to_owned();
            Some((name, fs::read(path).unwrap()))
        })
        .collect();
    found.sort();
    assert_eq!(found.len(), 226);
    found
}

/// Hands out at most `step` bytes at a time.
struct Pieces<'a> {
    left: &'a [u8],
    step: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let count = self.step.min(room.len());
        self.left.read(room.get_mut(..count).unwrap_or_default())
    }
}

fn read(left: &[u8], step: usize) -> (Vec<(u64, SecurityEvent)>, Counts) {
    let mut recording = Recording::new(Pieces { left, step });
    let mut events = Vec::new();
    for record in recording.by_ref() {
        let record = record.unwrap();
        if let Outcome::Event(event) = record.outcome {
            events.push((record.n, event));
        }
    }
    (events, recording.counts())
}

fn events(bytes: &[u8]) -> Vec<SecurityEvent> {
    read(bytes, usize::MAX)
        .0
        .into_iter()
        .map(|(_, event)| event)
        .collect()
}

/// service, cause, address, transport, proof, account
type Row = [String; 6];

fn row(event: &SecurityEvent) -> Row {
    [
        event.service.name().into(),
        event.cause.name().into(),
        event.peer.addr().to_string(),
        event.peer.transport().name().into(),
        event.proof.name().into(),
        format!("[{}]", event.account),
    ]
}

fn expected() -> BTreeMap<String, BTreeMap<Row, usize>> {
    let mut table: BTreeMap<String, BTreeMap<Row, usize>> = BTreeMap::new();
    let lines = include_str!("captures/asterisk/expected.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (columns, account) = line.split_once('[').unwrap();
        let columns: Vec<_> = columns.split_whitespace().collect();
        let [recording, count, service, cause, addr, transport, proof] = columns[..] else {
            panic!("seven columns and an account: {line}");
        };
        let account = account.strip_suffix(']').unwrap();
        let accounts = match account.split_once("..") {
            Some((first, last)) => (first.parse::<u32>().unwrap()..=last.parse().unwrap())
                .map(|number| number.to_string())
                .collect(),
            None => vec![account.to_owned()],
        };
        for account in accounts {
            let row = [service, cause, addr, transport, proof, &format!("[{account}]")].map(str::to_owned);
            let twice = table
                .entry(recording.to_owned())
                .or_default()
                .insert(row, count.parse().unwrap());
            assert_eq!(twice, None, "a group stands once: {line}");
        }
    }
    table
}

#[test]
fn every_recording_says_what_it_must() {
    let mut expected = expected();
    for (name, bytes) in recordings() {
        let mut said: BTreeMap<Row, usize> = BTreeMap::new();
        for event in events(&bytes) {
            *said.entry(row(&event)).or_default() += 1;
        }
        assert_eq!(said, expected.remove(&name).unwrap_or_default(), "{name}");
    }
    assert!(expected.is_empty(), "no such recording: {:?}", expected.keys());
}

#[test]
fn nobody_is_named_who_sent_no_packet() {
    let attackers: BTreeSet<IpAddr> = ATTACKERS.iter().map(|addr| addr.parse().unwrap()).collect();
    let mut seen = BTreeSet::new();
    for (name, bytes) in recordings().into_iter().filter(|(name, _)| name != INVENTED) {
        for ending in [false, true] {
            let bytes = if ending { line_feeds(&bytes) } else { bytes.clone() };
            for event in events(&bytes) {
                assert!(attackers.contains(&event.peer.addr()), "{name}: {event:?}");
                seen.insert(event.peer.addr());
            }
        }
    }
    assert_eq!(seen, attackers);
}

#[test]
fn where_the_reads_cut_changes_nothing() {
    for (name, bytes) in recordings() {
        let whole = read(&bytes, usize::MAX);
        for step in [1, 7, 1448, 65536] {
            if step > 1 || bytes.len() < 100_000 {
                assert_eq!(read(&bytes, step), whole, "{name} in pieces of {step}");
            }
        }
    }
}

#[test]
fn a_recording_with_line_feeds_alone_says_the_same() {
    for (name, bytes) in recordings() {
        // in the injected ones CRLF inside a value becomes the server's own line ending
        if !name.ends_with("q-inject") {
            assert_eq!(events(&line_feeds(&bytes)), events(&bytes), "{name}");
        }
    }
}

fn line_feeds(bytes: &[u8]) -> Vec<u8> {
    let behind = bytes.iter().skip(1).copied().map(Some).chain([None]);
    let ends_line = |(byte, next): &(&u8, Option<u8>)| **byte == b'\r' && *next == Some(b'\n');
    bytes
        .iter()
        .zip(behind)
        .filter(|pair| !ends_line(pair))
        .map(|(byte, _)| *byte)
        .collect()
}

#[test]
fn only_tampered_recordings_are_suspicious() {
    let tampered = |broken, withheld, injected| Counts {
        broken,
        withheld,
        injected,
    };
    for (name, bytes) in recordings() {
        let counts = match name.as_str() {
            // chan_sip writes the challenge alone, so that a fragment and an injected event stand side by side
            "16-cs-q-inject" => tampered(6, 1, 2),
            // an injected `Response:Error` is a piece too: no server leaves out the space
            "16-pj-q-inject" | "22-pj-q-inject" => tampered(6, 0, 3),
            _ => tampered(0, 0, 0),
        };
        assert_eq!(read(&bytes, usize::MAX).1, counts, "{name}");
    }
}

/// Who is banned for what, with the built-in jails; every other recording bans nobody.
const BANS: [(&str, &str, &str); 18] = [
    ("16-ami-m9-inject", "192.0.2.101", "management"),
    ("16-cs-b5-register-wrongpw-5", "192.0.2.101", "auth"),
    ("16-cs-f-challenge-flood", "192.0.2.101", "flood"),
    ("16-cs-f2-challenge-flood-unknown", "192.0.2.101", "flood"),
    ("16-cs-s1-evade-nonutf8", "192.0.2.101", "auth"),
    ("16-http-n2-ami", "192.0.2.101", "management"),
    ("16-pj-b5-register-wrongpw-5", "192.0.2.101", "auth"),
    ("16-pj-f-challenge-flood", "192.0.2.101", "flood"),
    ("16-pj-f2-challenge-flood-unknown", "192.0.2.101", "enumeration"),
    ("16-pj-p-variants", "192.0.2.101", "auth"),
    ("16-pj-q-inject", "192.0.2.110", "enumeration"),
    ("22-ami-m9-inject", "192.0.2.101", "management"),
    ("22-http-n2-ami", "192.0.2.101", "management"),
    ("22-pj-b5-register-wrongpw-5", "192.0.2.101", "auth"),
    ("22-pj-f-challenge-flood", "192.0.2.101", "flood"),
    ("22-pj-f2-challenge-flood-unknown", "192.0.2.101", "enumeration"),
    ("22-pj-p-variants", "192.0.2.101", "auth"),
    ("22-pj-q-inject", "192.0.2.110", "enumeration"),
];

#[test]
fn a_replay_bans_the_attackers_and_nobody_else() {
    let mut bans = Vec::new();
    for (name, bytes) in recordings() {
        let (mut engine, mut verdicts) = (Engine::new(Policy::default(), 0), Vec::new());
        for event in events(&bytes) {
            engine.observe(event.at.unwrap(), &event, &mut verdicts);
        }
        for verdict in verdicts {
            match verdict {
                Verdict::Ban(ban) => bans.push((name.clone(), ban.target.to_string(), ban.jail)),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    let expected = BANS.map(|(name, target, jail)| (name.to_owned(), target.to_owned(), jail.to_owned()));
    assert_eq!(bans, expected);
}
