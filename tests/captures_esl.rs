//! Recordings of real FreeSWITCH servers under attack, each with what it must say: `captures/freeswitch/expected.txt`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use ringfence::cli::recording::{Format, Outcome, Recording};
use ringfence_ami::Counts;
use ringfence_event::{Cause, SecurityEvent};

/// The recording that FreeSWITCH ended by splicing a notice into a frame.
const SPLICED: &str = "proto-slow_listener_A";

/// How many tries failed, from the scenario table; every other recording has none.
const FAILURES: [(&str, usize); 43] = [
    ("hostile_auth.narrow", 9),
    ("hostile_auth_nomatch.narrow", 5),
    ("hostile_callid.narrow", 6),
    ("hostile_contact.narrow", 5),
    ("hostile_ua.narrow", 17),
    ("hostile_users.narrow", 15),
    ("hostile_via.narrow", 1),
    ("invite_badpw-ipv6.narrow", 1),
    ("invite_badpw-quiet.narrow", 1),
    ("invite_badpw-tcp.narrow", 1),
    ("invite_badpw.narrow", 1),
    ("invite_badpw.plain", 1),
    ("invite_badpw_12s.narrow", 1),
    ("invite_respond407.narrow", 1),
    ("invite_respond407.plain", 1),
    ("invite_unknown_user.narrow", 1),
    ("nonce_reuse_badpw.narrow", 5),
    ("register_badpw-ipv6-tcp.narrow", 1),
    ("register_badpw-ipv6.narrow", 1),
    ("register_badpw-quiet.narrow", 1),
    ("register_badpw-tcp.narrow", 1),
    ("register_badpw-ws.narrow", 1),
    ("register_badpw.narrow", 1),
    ("register_badpw.plain", 1),
    ("register_badpw_noqop.narrow", 1),
    ("register_forbidden_user.narrow", 1),
    ("register_forced_domain.narrow", 1),
    ("register_from_to_differ.narrow", 1),
    ("register_ip_domain.narrow", 1),
    ("register_maxreg.narrow", 1),
    ("register_pointer_user.narrow", 1),
    ("register_uafilter.narrow", 1),
    ("register_unknown_domain.narrow", 1),
    ("register_unknown_user-quiet.narrow", 1),
    ("register_unknown_user.narrow", 1),
    ("register_user_acl_deny.narrow", 1),
    ("register_user_mismatch.narrow", 1),
    ("register_userscan.narrow", 20),
    ("verto_badpw-ipv6.narrow", 1),
    ("verto_badpw.narrow", 1),
    ("verto_nopasswd.narrow", 1),
    ("verto_unknown.narrow", 1),
    // the probe of an unroutable number, which is told by the end of its call
    ("invite_external_noroute.plain", 1),
];

/// The addresses that really sent packets in these recordings.
const SENDERS: [&str; 3] = ["127.0.0.2", "127.0.0.3", "::1"];

fn recordings() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/freeswitch");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".raw")?.to_owned();
            // tests/captures_freeswitch_log.rs reads those that hold log records
            (!name.ends_with(".logwarning")).then(|| (name, fs::read(path).unwrap()))
        })
        .collect();
    found.sort();
    assert!(found.len() > 90);
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

/// The events, what was not believed, and the error that ended it.
fn read(left: &[u8], step: usize) -> (Vec<SecurityEvent>, Counts, Option<String>) {
    let mut recording = Recording::of(Pieces { left, step }, Format::Esl);
    let mut events = Vec::new();
    let mut end = None;
    for record in recording.by_ref() {
        match record {
            Ok(record) => {
                if let Outcome::Event(event) = record.outcome {
                    events.push(event);
                }
            }
            Err(error) => {
                end = Some(error.to_string());
                break;
            }
        }
    }
    (events, recording.counts(), end)
}

fn line(name: &str, count: usize, event: &SecurityEvent) -> String {
    format!(
        "{name} {count} {} {} {} {} {} [{}] [{}]",
        event.service.name(),
        event.cause.name(),
        event.peer.addr(),
        event.peer.transport().name(),
        event.proof.name(),
        event.account,
        event.tenant
    )
}

fn fails(event: &SecurityEvent) -> bool {
    matches!(event.cause, Cause::WrongPassword | Cause::UnknownExtension)
}

#[test]
fn every_recording_says_what_it_must() {
    let mut said = Vec::new();
    for (name, bytes) in recordings() {
        let (events, _, end) = read(&bytes, usize::MAX);
        assert_eq!(end.is_some(), name == SPLICED, "{name}: {end:?}");
        let mut groups: BTreeMap<String, (usize, &SecurityEvent)> = BTreeMap::new();
        for event in &events {
            groups.entry(line(&name, 0, event)).or_insert((0, event)).0 += 1;
        }
        said.extend(groups.values().map(|(count, event)| line(&name, *count, event)));
    }
    let mut expected: Vec<_> = include_str!("captures/freeswitch/expected.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            // only what stands before the account is aligned with spaces
            let (columns, texts) = line.split_once('[').unwrap();
            let columns: Vec<_> = columns.split_whitespace().collect();
            format!("{} [{texts}", columns.join(" "))
        })
        .collect();
    said.sort();
    expected.sort();
    for line in &said {
        assert!(expected.contains(line), "not expected: {line}");
    }
    assert_eq!(said, expected);
}

#[test]
fn failures_per_try() {
    let expected = BTreeMap::from(FAILURES);
    for (name, bytes) in recordings() {
        let failures = read(&bytes, usize::MAX)
            .0
            .iter()
            .filter(|event| fails(event))
            .count();
        let wanted = expected.get(name.as_str()).copied().unwrap_or(0);
        assert_eq!(failures, wanted, "{name}");
    }
}

#[test]
fn nobody_else_is_ever_blamed() {
    for (name, bytes) in recordings() {
        for event in read(&bytes, usize::MAX).0 {
            let addr = event.peer.addr().to_string();
            assert!(SENDERS.contains(&addr.as_str()), "{name}: {addr}");
        }
    }
}

#[test]
fn an_event_that_a_client_made_up_is_counted_and_blames_nobody() {
    let bytes = include_bytes!("captures/freeswitch/proto-sendevent_spoof.raw");
    let (events, counts, end) = read(bytes, usize::MAX);
    assert_eq!((events.len(), counts.withheld, end), (0, 1, None));
}

#[test]
fn how_the_network_cut_the_stream_changes_nothing() {
    for (name, bytes) in recordings() {
        let whole = read(&bytes, usize::MAX);
        for step in [1, 7, 1448] {
            assert_eq!(read(&bytes, step), whole, "{name} by {step}");
        }
    }
}
