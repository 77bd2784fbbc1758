//! Recordings of real FreeSWITCH servers under attack, each with what it must say: `captures/freeswitch/scenarios.txt`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

#[path = "captures_esl/headers.rs"]
mod headers;
#[path = "captures_esl/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use bytes::BytesMut;
use ringfence::cli::recording::{Format, Outcome as Said, Recording};
use ringfence_ami::Counts;
use ringfence_esl::{Block, EslCodec, Mapped, Mapper};
use ringfence_event::{Cause, Proof, SecurityEvent, Service, Transport};
use table::{Outcome, assert_same, counted, scenarios};
use tokio_util::codec::Decoder;

/// The recording that FreeSWITCH ended by splicing a notice into a frame.
const SPLICED: &str = "proto-slow_listener_A";

/// The addresses that really sent packets, in all the recordings together.
const SENDERS: [&str; 3] = ["127.0.0.2", "127.0.0.3", "::1"];

/// One recording on disk.
struct Capture {
    name: String,
    bytes: Vec<u8>,
}

impl Capture {
    /// The scenario that was recorded, and whether by a connection that had subscribed to the security events alone.
    fn scenario(&self) -> (&str, bool) {
        let suffixes = [".plain", ".json", ".log", ".issuer"];
        match self.name.strip_suffix(".narrow") {
            Some(name) => (name, true),
            None => (
                suffixes
                    .iter()
                    .find_map(|suffix| self.name.strip_suffix(suffix))
                    .unwrap_or(&self.name),
                false,
            ),
        }
    }
}

fn folder(below: &str) -> Vec<Capture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/captures/freeswitch")
        .join(below);
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".raw")?.to_owned();
            // what a subscription to the log hears has its own test
            let ours = !name.ends_with(".logwarning");
            ours.then(|| Capture {
                name,
                bytes: fs::read(path).unwrap(),
            })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The recordings that the program understands: plain events.
fn recordings() -> Vec<Capture> {
    let found = folder("");
    assert!(found.len() > 200);
    found
}

/// The same scenarios at the same moment, heard as JSON.
fn json() -> Vec<Capture> {
    let found = folder("json");
    assert!(found.len() > 80);
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
                if let Said::Event(event) = record.outcome {
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

fn whole(capture: &Capture) -> Vec<SecurityEvent> {
    read(&capture.bytes, usize::MAX).0
}

/// The frames up to the one that can't be read.
fn frames(bytes: &[u8]) -> Vec<Block> {
    let (mut codec, mut buffer) = (EslCodec::new(), BytesMut::from(bytes));
    std::iter::from_fn(|| codec.decode(&mut buffer).ok().flatten()).collect()
}

fn mapped<'a>(frames: impl IntoIterator<Item = &'a Block>) -> Vec<SecurityEvent> {
    let mut mapper = Mapper::new();
    frames
        .into_iter()
        .filter_map(|block| match mapper.map(&block.frame()) {
            Mapped::Event(event) => Some(event),
            Mapped::Other | Mapped::Suspicious(_) => None,
        })
        .collect()
}

/// The refused tries at SIP, which FreeSWITCH tells twice.
fn refused(events: &[SecurityEvent]) -> Vec<String> {
    let mut found: Vec<_> = events
        .iter()
        .filter(|event| event.service == Service::Sofia && event.cause == Cause::WrongPassword)
        .map(|event| format!("{:?}", event.peer))
        .collect();
    found.sort();
    found
}

fn count(bytes: &[u8], line: &str) -> usize {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|found| *found == line.as_bytes())
        .count()
}

#[test]
fn every_recording_says_what_it_must() {
    let table = scenarios();
    let mut seen = BTreeSet::new();
    for capture in recordings() {
        let (scenario, narrow) = capture.scenario();
        let expected = table
            .get(scenario)
            .unwrap_or_else(|| panic!("{} is not in the table", capture.name));
        seen.insert(scenario.to_owned());
        let expected = if narrow { &expected.narrow } else { &expected.plain };
        let expected = expected
            .iter()
            .map(|(outcome, count)| (outcome.bounded(), *count))
            .collect();
        let (events, _, end) = read(&capture.bytes, usize::MAX);
        assert_eq!(
            end.is_some(),
            capture.name == SPLICED,
            "{}: {end:?}",
            capture.name
        );
        assert_same(&capture.name, &counted(events.iter().map(Outcome::of)), &expected);
    }
    let without: Vec<_> = table.keys().filter(|name| !seen.contains(*name)).collect();
    assert!(without.is_empty(), "no recording of {without:?}");
}

/// SIP events name no transport that can be relied on; Verto runs over TCP.
#[test]
fn nothing_is_proven_at_sip() {
    for capture in recordings() {
        for event in whole(&capture) {
            let found = (event.service, event.peer.transport(), event.proof);
            let believed = match event.cause {
                Cause::UnknownExtension => (Service::Sofia, Transport::Udp, Proof::None),
                _ if event.service == Service::Verto => (Service::Verto, Transport::Ws, Proof::Handshake),
                _ => (Service::Sofia, Transport::Unknown, Proof::None),
            };
            assert_eq!(found, believed, "{}", capture.name);
        }
    }
}

/// Counted from the lines of the recordings, without the table: each refused try has one `register_failure`.
#[test]
fn each_try_fails_once() {
    for capture in recordings() {
        let forged = usize::from(capture.name == "proto-sendevent_spoof");
        let tries = count(&capture.bytes, "Event-Subclass: sofia%3A%3Aregister_failure") - forged;
        let verto = count(&capture.bytes, "verto_success: 0");
        let events = whole(&capture);
        let failures = events.iter().filter(|event| event.cause == Cause::WrongPassword);
        assert_eq!(failures.count(), tries + verto, "{}", capture.name);
    }
}

/// Whichever event is lost, and whichever two come in the wrong order, each refused try is told once, of its own peer.
#[test]
fn a_try_is_told_once_though_an_event_is_lost_or_late() {
    for capture in recordings() {
        let frames = frames(&capture.bytes);
        let expected = refused(&mapped(&frames));
        for lost in 0..frames.len() {
            let left = frames.iter().enumerate().filter(|(at, _)| *at != lost);
            let events = mapped(left.map(|(_, block)| block));
            assert_eq!(refused(&events), expected, "{} without {lost}", capture.name);
        }
        for late in 1..frames.len() {
            let mut frames: Vec<_> = frames.iter().collect();
            frames.swap(late - 1, late);
            assert_eq!(
                refused(&mapped(frames)),
                expected,
                "{} swapped at {late}",
                capture.name
            );
        }
        assert_eq!(
            refused(&mapped(frames.iter().rev())),
            expected,
            "{} reversed",
            capture.name
        );
    }
}

#[test]
fn nobody_else_is_ever_blamed() {
    for capture in recordings() {
        for event in whole(&capture) {
            let addr = event.peer.addr().to_string();
            assert!(SENDERS.contains(&addr.as_str()), "{}: {addr}", capture.name);
        }
    }
}

/// So that a call event of which only the beginning was kept still says whether somebody let the call in.
#[test]
fn what_let_a_call_in_stands_in_front_of_its_profile() {
    let marks =
        ["authorized", "auth_username", "acl_authed_by"].map(|mark| format!("\nvariable_sip_{mark}: "));
    let mut found = 0;
    for capture in recordings() {
        for block in frames(&capture.bytes) {
            let body = String::from_utf8_lossy(block.frame().body()).into_owned();
            let hangup = body.contains("Event-Name: CHANNEL_HANGUP_COMPLETE\n");
            let profile = body.find("\nvariable_sofia_profile_name: ").filter(|_| hangup);
            for mark in marks.iter().filter_map(|mark| body.find(mark)).filter(|_| hangup) {
                assert!(Some(mark) < profile, "{}", capture.name);
                found += 1;
            }
        }
    }
    assert_eq!(found, 10, "two for each of five calls");
}

#[test]
fn an_event_that_a_client_made_up_is_counted_and_blames_nobody() {
    let bytes = include_bytes!("captures/freeswitch/proto-sendevent_spoof.raw");
    let (events, counts, end) = read(bytes, usize::MAX);
    assert_eq!((events.len(), counts.withheld, end), (0, 1, None));
}

#[test]
fn how_the_network_cut_the_stream_changes_nothing() {
    for capture in recordings() {
        let whole = read(&capture.bytes, usize::MAX);
        for step in [1, 7, 1448] {
            assert_eq!(read(&capture.bytes, step), whole, "{} by {step}", capture.name);
        }
    }
}

/// The program asks for plain events; should another format come, nobody is blamed.
#[test]
fn json_events_blame_nobody() {
    for capture in json() {
        let (events, _, end) = read(&capture.bytes, usize::MAX);
        assert_eq!((events.len(), end), (0, None), "{}", capture.name);
    }
}

/// A second reader, of a second format, without the program: the table holds for it, too.
#[test]
fn the_json_recordings_tell_the_same_story() {
    let table = scenarios();
    for capture in json() {
        let events = headers::of_json(&capture.bytes);
        let told = events.iter().filter_map(headers::outcome);
        let told = counted(told.map(|outcome| outcome.with_texts(headers::settled)));
        let mut expected = table::Outcomes::new();
        for (outcome, count) in &table.get(capture.scenario().0).unwrap().plain {
            *expected.entry(outcome.with_texts(headers::settled)).or_default() += count;
        }
        assert_same(&capture.name, &told, &expected);
        let [attempts, failures] = headers::halves(&events);
        assert_eq!(attempts, failures, "{}", capture.name);
    }
}

/// An event has one number on all connections: what is recorded of it must be the same in both formats.
#[test]
fn plain_and_json_events_of_one_number_are_the_same() {
    let json: BTreeMap<_, _> = json()
        .into_iter()
        .map(|capture| (capture.scenario().0.to_owned(), headers::of_json(&capture.bytes)))
        .collect();
    let mut compared = 0;
    for capture in recordings() {
        let Some(json) = json.get(capture.scenario().0) else {
            continue;
        };
        for plain in headers::of_plain(&capture.bytes) {
            if headers::outcome(&plain).is_none() && !plain.contains_key("registration-type") {
                continue;
            }
            let number = plain.get("Event-Sequence");
            let twin = json.iter().find(|json| json.get("Event-Sequence") == number);
            let twin = twin.unwrap_or_else(|| panic!("{}: {number:?}", capture.name));
            assert!(plain.keys().eq(twin.keys()), "{}: {number:?}", capture.name);
            for (name, value) in &plain {
                let (value, twin) = (headers::settled(value), headers::settled(&twin[name]));
                assert_eq!(
                    value.escape_ascii().to_string(),
                    twin.escape_ascii().to_string(),
                    "{} {name}",
                    capture.name
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 900, "{compared}");
}
