//! Logs of real FreeSWITCH servers under attack, each with what it must say: `captures/freeswitch/log_expected.txt`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

#[path = "captures_freeswitch_log/beside.rs"]
mod beside;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bytes::BytesMut;
use ringfence::cli::recording::{Format, Outcome, Recording};
use ringfence_esl::{EslCodec, Kind as FrameKind};
use ringfence_event::{Cause, SecurityEvent};
use ringfence_seclog::freeswitch::{Assembler, Kind, Layout, Mapped, Said, Whole, map_log_data};
use tokio_util::codec::Decoder;

/// The addresses that really sent packets.
const SENDERS: [&str; 4] = ["127.0.0.2", "127.0.0.3", "127.0.0.9", "::1"];

/// Scenarios in which nobody did wrong, or gave an answer that says nothing about a password.
const HONEST: [&str; 22] = [
    "auth_basic",
    "auth_header_incomplete",
    "invite_acl_allow",
    "invite_cidr_user",
    "invite_external_ok",
    "invite_noauth",
    "invite_ok",
    "invite_ok_noroute",
    "kick",
    "message_ok_nobody",
    "nonce_fabricated",
    "nonce_replay",
    "options_scan",
    "register_acl_auto",
    "register_expire",
    "register_fetch",
    "register_noauth",
    "register_ok",
    "register_ok_noqop",
    "register_retransmit",
    "subscribe_ok",
    "verto_ok",
];

/// How a recording was made, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Socket,
    File(Layout),
}

fn recordings() -> Vec<(String, Where, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/freeswitch");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let (scenario, place) = if let Some(scenario) = name.strip_suffix(".logwarning.raw") {
                (scenario, Where::Socket)
            } else if let Some(scenario) = name.strip_suffix(".fslog") {
                (scenario, Where::File(Layout::Log))
            } else {
                (name.strip_suffix(".f2b")?, Where::File(Layout::Fail2ban))
            };
            Some((scenario.to_owned(), place, fs::read(&path).unwrap()))
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() > 200);
    found
}

fn records(layout: Layout, bytes: &[u8], step: usize) -> Vec<Whole> {
    let mut assembler = Assembler::new(layout);
    let mut records = Vec::new();
    for mut piece in bytes.chunks(step) {
        while let Some(whole) = assembler.take(&mut piece) {
            records.push(whole);
        }
    }
    records.extend(assembler.finish());
    records
}

fn said(place: Where, bytes: &[u8]) -> Vec<Said> {
    let layout = match place {
        Where::Socket => return said_on_socket(bytes),
        Where::File(layout) => layout,
    };
    let judged = records(layout, bytes, bytes.len().max(1))
        .into_iter()
        .map(|whole| whole.map(0));
    judged
        .filter_map(|mapped| match mapped {
            Mapped::Said(said) => Some(said),
            Mapped::Other | Mapped::Doubtful => None,
        })
        .collect()
}

fn said_on_socket(bytes: &[u8]) -> Vec<Said> {
    let (mut codec, mut buffer) = (EslCodec::new(), BytesMut::from(bytes));
    let mut said = Vec::new();
    while let Some(block) = codec.decode(&mut buffer).unwrap() {
        let frame = block.frame();
        if frame.kind() == FrameKind::LogData {
            let (file, function) = (
                frame.header(b"Log-File").unwrap(),
                frame.header(b"Log-Func").unwrap(),
            );
            said.extend(map_log_data(file, function, frame.body()));
        }
    }
    said
}

fn line(scenario: &str, place: &str, said: &Said) -> String {
    let event = &said.event;
    format!(
        "{scenario} {place} {} {} [{}] [{}]",
        said.kind.name(),
        event.peer.addr(),
        event.account,
        event.tenant
    )
}

fn place(place: Where) -> &'static str {
    match place {
        Where::Socket => "socket",
        Where::File(Layout::Log) => "fslog",
        Where::File(Layout::Fail2ban) => "f2b",
    }
}

/// The table, each line once for every recording it speaks of.
fn expected() -> BTreeMap<String, usize> {
    let mut expected = BTreeMap::new();
    let table = include_str!("captures/freeswitch/log_expected.txt");
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let (columns, texts) = row.split_once('[').unwrap();
        let columns: Vec<_> = columns.split_whitespace().collect();
        let [scenario, place, count, kind, addr] = columns[..] else {
            panic!("{row}");
        };
        let places: &[&str] = match place {
            "both" => &["socket", "fslog"],
            "fslog" => &["fslog"],
            "f2b" => &["f2b"],
            other => panic!("{other}"),
        };
        for place in places {
            let line = format!("{scenario} {place} {kind} {addr} [{texts}");
            assert_eq!(expected.insert(line, count.parse().unwrap()), None, "{row}");
        }
    }
    expected
}

#[test]
fn every_log_says_what_it_must() {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for (scenario, from, bytes) in recordings() {
        for said in said(from, &bytes) {
            *counted.entry(line(&scenario, place(from), &said)).or_default() += 1;
        }
    }
    let expected = expected();
    for (line, count) in &counted {
        assert_eq!(expected.get(line), Some(count), "{line}");
    }
    for line in expected.keys() {
        assert!(counted.contains_key(line), "missing: {line}");
    }
}

#[test]
fn nobody_else_is_ever_blamed() {
    for (scenario, from, bytes) in recordings() {
        for said in said(from, &bytes) {
            let addr = said.event.peer.addr().to_string();
            assert!(SENDERS.contains(&addr.as_str()), "{scenario} {from:?}: {addr}");
        }
    }
}

#[test]
fn the_honest_fail_nowhere() {
    let mut seen = 0;
    for (scenario, from, bytes) in recordings() {
        if !HONEST.contains(&scenario.as_str()) {
            continue;
        }
        seen += 1;
        for said in said(from, &bytes) {
            assert!(
                matches!(said.kind, Kind::Challenge | Kind::Abandoned),
                "{scenario}: {said:?}"
            );
        }
    }
    assert_eq!(seen, 3 * HONEST.len());
}

#[test]
fn how_a_file_is_cut_changes_nothing() {
    for (scenario, from, bytes) in recordings() {
        let Where::File(layout) = from else {
            continue;
        };
        let whole = records(layout, &bytes, bytes.len().max(1));
        for step in [1, 7, 1448] {
            assert_eq!(records(layout, &bytes, step), whole, "{scenario} by {step}");
        }
        let bytes_again: usize = whole.iter().map(|whole| whole.bytes().len()).sum();
        let doubtful = whole.iter().filter(|whole| whole.is_doubtful()).count();
        // Only the message that was printed line by line leaves doubt behind.
        assert_eq!(
            doubtful > 0,
            scenario == "message_ok_nobody" && layout == Layout::Log
        );
        assert_eq!(bytes_again, bytes.len(), "{scenario}: bytes lost");
    }
}

fn events(bytes: &[u8], format: Format) -> Vec<(u64, SecurityEvent)> {
    Recording::of(bytes, format)
        .map(Result::unwrap)
        .filter_map(|record| match record.outcome {
            Outcome::Event(event) => Some((record.n, event)),
            Outcome::Unmatched | Outcome::Suspicious(_) => None,
        })
        .collect()
}

#[test]
fn the_command_line_reads_all_of_them_alike() {
    for (scenario, from, bytes) in recordings() {
        let format = match from {
            Where::Socket => Format::Esl,
            Where::File(_) => Format::Freeswitch,
        };
        let read: Vec<_> = events(&bytes, format)
            .into_iter()
            .map(|(_, event)| event)
            .collect();
        let wanted: Vec<_> = said(from, &bytes).into_iter().map(|said| said.event).collect();
        assert_eq!(read, wanted, "{scenario} {from:?}");
    }
}

#[test]
fn a_log_is_numbered_by_its_lines() {
    let lines: Vec<_> = events(
        include_bytes!("captures/freeswitch/invite_unknown_user.fslog"),
        Format::Freeswitch,
    )
    .into_iter()
    .map(|(n, event)| (n, event.cause))
    .collect();
    let text = String::from_utf8_lossy(include_bytes!("captures/freeswitch/invite_unknown_user.fslog"));
    let number = |words: &str| text.lines().position(|line| line.contains(words)).unwrap() as u64 + 1;
    assert_eq!(
        lines,
        [
            (number("SIP auth challenge"), Cause::Challenged),
            (number("SIP auth failure"), Cause::WrongPassword)
        ]
    );
}

/// A connection that asked for events and for the log: the frames of one recording put into another.
fn with_events(scenario: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/freeswitch");
    let read = |end: &str| fs::read(folder.join(format!("{scenario}.{end}"))).unwrap();
    let (mut events, log) = (read("narrow.raw"), read("logwarning.raw"));
    let notice = b"Content-Type: command/reply\nReply-Text: +OK bye";
    let cut = |bytes: &[u8]| bytes.windows(notice.len()).position(|at| at == notice).unwrap();
    let first = b"Content-Type: log/data\n";
    let start = log
        .windows(first.len())
        .position(|at| at == first)
        .unwrap_or(cut(&log));
    events.truncate(cut(&events));
    events.extend_from_slice(&log[start..]);
    events
}

#[test]
fn a_connection_with_events_tells_no_try_twice() {
    for scenario in [
        "register_badpw",
        "register_user_acl_deny",
        "hostile_users",
        "invite_badpw",
    ] {
        let both = events(&with_events(scenario), Format::Esl);
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/freeswitch");
        let alone = events(
            &fs::read(folder.join(format!("{scenario}.narrow.raw"))).unwrap(),
            Format::Esl,
        );
        assert_eq!(both, alone, "{scenario}");
    }
    for scenario in ["register_acl_deny", "invite_acl_deny", "esl_acl_deny"] {
        let denied: Vec<_> = events(&with_events(scenario), Format::Esl)
            .into_iter()
            .map(|(_, event)| event.cause)
            .collect();
        assert_eq!(denied, [Cause::AclDenied], "{scenario}");
    }
}
