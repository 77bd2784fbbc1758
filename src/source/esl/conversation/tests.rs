//! A conversation is told frames in any order: it never panics and never takes one answer for another.

use proptest::collection::vec;
use proptest::prelude::*;
use ringfence_event::Span;
use secrecy::SecretString;

use super::*;

fn settings() -> EslSettings {
    EslSettings {
        name: "fs1".into(),
        host: "127.0.0.1".into(),
        port: 8021,
        user: None,
        password: SecretString::from("s3cret"),
        log: true,
        probe: Span::from_secs(10),
    }
}

/// Shows one frame, and says what it told about anybody.
fn show(talk: &mut Conversation<'_>, kind: Kind, head: &str, body: &str) -> Result<Vec<SecurityEvent>, End> {
    let mut events = Vec::new();
    talk.take(
        &Frame::new(kind, head.as_bytes(), body.as_bytes(), false),
        &mut events,
    )?;
    Ok(events)
}

fn reply(talk: &mut Conversation<'_>, text: &str) -> Result<Vec<SecurityEvent>, End> {
    show(talk, Kind::CommandReply, &format!("Reply-Text: {text}\n"), "")
}

/// Logs in and gets every stream; the commands that follow.
fn ready(talk: &mut Conversation<'_>) -> Vec<String> {
    show(talk, Kind::AuthRequest, "", "").unwrap();
    for _ in 0..6 {
        reply(talk, "+OK").unwrap();
    }
    let commands: Vec<_> = talk
        .outgoing()
        .map(|command| String::from_utf8(command.as_ref().to_vec()).unwrap())
        .collect();
    commands[6..].to_vec()
}

fn probe(nonce: &str) -> String {
    format!("Event-Subclass: ringfence%3A%3Aprobe\nringfence-nonce: {nonce}\nCore-UUID: c0ffee\n\n")
}

fn nonce_of(command: &str) -> &str {
    command.trim().rsplit(": ").next().unwrap()
}

const FAILED: &str = "Event-Name: CUSTOM\nEvent-Subclass: sofia%3A%3Aregister_attempt\nnetwork-ip: 192.0.2.1\n\
    network-port: 5060\nusername: 1000\nauth-result: FORBIDDEN\n\n";

#[test]
fn only_our_own_probe_proves_and_names_the_process() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    let commands = ready(&mut talk);
    assert!(commands[0].starts_with("api version") && commands[1].starts_with("sendevent CUSTOM"));
    let nonce = nonce_of(&commands[1]);
    for other in ["0000000000000000", "ffffffffffffffff", "", "zz"] {
        show(&mut talk, Kind::EventPlain, "", &probe(other)).unwrap();
        assert_eq!((talk.state(), talk.core), (None, None), "{other}");
    }
    show(&mut talk, Kind::EventPlain, "", &probe(nonce)).unwrap();
    assert_eq!(talk.state(), Some(StreamState::Flowing));
    assert_eq!(talk.core, Some(Text::from("c0ffee")));
}

#[test]
fn an_attack_under_way_does_not_hide_which_process_it_is() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    let commands = ready(&mut talk);
    assert_eq!(show(&mut talk, Kind::EventPlain, "", FAILED).unwrap().len(), 1);
    assert_eq!(talk.state(), Some(StreamState::Flowing));
    show(&mut talk, Kind::EventPlain, "", &probe(nonce_of(&commands[1]))).unwrap();
    assert_eq!(talk.core, Some(Text::from("c0ffee")));
    assert!(talk.round_trip.is_some());
}

#[test]
fn an_answer_of_another_kind_is_not_taken_for_the_one_that_is_due() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    ready(&mut talk);
    // the version is printed; a plain +OK is no answer to that
    reply(&mut talk, "+OK").unwrap();
    assert_eq!(talk.asked.front(), Some(&Asked::Version));
    let printed = "FreeSWITCH Version 1.10.12-release~64bit (-release 64bit)\n";
    show(&mut talk, Kind::ApiResponse, "", printed).unwrap();
    assert_eq!(talk.version, Some(Text::from("1.10.12-release")));
    // and a probe is never answered by something printed
    show(&mut talk, Kind::ApiResponse, "", "FreeSWITCH Version 6.6.6\n").unwrap();
    assert_eq!(talk.asked.front(), Some(&Asked::Probe));
    assert_eq!(talk.version, Some(Text::from("1.10.12-release")));
}

#[test]
fn a_probe_that_is_refused_is_said_and_not_waited_for() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    ready(&mut talk);
    show(&mut talk, Kind::ApiResponse, "", "").unwrap();
    reply(&mut talk, "-ERR no way").unwrap();
    assert_eq!(talk.state(), Some(StreamState::Unproven));
    assert!(talk.problem().contains("-ERR no way"), "{}", talk.problem());
    // a log that may not be written to is asked once, too
    reply(&mut talk, "-ERR permission denied").unwrap();
    assert!(talk.is_settled() && talk.asked.is_empty());
    show(
        &mut talk,
        Kind::LogData,
        "Log-File: a.c\n",
        "[WARNING] a.c:1 hello\n",
    )
    .unwrap();
    assert_eq!(talk.log.state(), StreamState::Flowing);
    talk.beat().unwrap();
    assert_eq!(talk.outgoing().count(), 0);
}

#[test]
fn without_the_events_of_logins_there_is_nothing_to_watch() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    show(&mut talk, Kind::AuthRequest, "", "").unwrap();
    reply(&mut talk, "+OK accepted").unwrap();
    reply(&mut talk, "-ERR permission denied").unwrap();
    for _ in 0..3 {
        reply(&mut talk, "+OK").unwrap();
    }
    let end = reply(&mut talk, "+OK").unwrap_err();
    let End::Refused(problem) = end else {
        panic!("{end}")
    };
    assert!(
        problem.contains("sofia::register_attempt") && problem.contains("esl-allowed-events"),
        "{problem}"
    );
}

/// A conversation whose events are blind, with the number of the probe under way.
fn blind(talk: &mut Conversation<'_>) -> String {
    ready(talk);
    talk.events.doubt(Duration::ZERO, "blind");
    assert_eq!(talk.state(), Some(StreamState::Blind));
    talk.events.probe(7);
    format!("{:016x}", 7)
}

fn line(talk: &mut Conversation<'_>) -> usize {
    let body = "2026-11-21 19:34:22.269825 62.10% [WARNING] sofia_reg.c:1792 SIP auth failure (REGISTER) on sofia profile \
                'internal' for [1000@tenant-a.example] from ip 192.0.2.1\n";
    show(
        talk,
        Kind::LogData,
        "Log-File: sofia_reg.c\nLog-Func: sofia_reg_handle_register_token\n",
        body,
    )
    .unwrap()
    .len()
}

fn failed(talk: &mut Conversation<'_>) -> usize {
    show(talk, Kind::EventPlain, "", FAILED).unwrap().len()
}

#[test]
fn events_that_were_only_late_do_not_repeat_what_the_log_told() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    let nonce = blind(&mut talk);
    assert_eq!((line(&mut talk), line(&mut talk)), (1, 1), "the log tells all");
    // one of the two events comes late, and makes the stream flow
    assert_eq!(failed(&mut talk), 0);
    assert_eq!(talk.state(), Some(StreamState::Flowing));
    assert_eq!(line(&mut talk), 0, "events tell it again");
    // the other one was between the probe and now
    assert_eq!((failed(&mut talk), failed(&mut talk)), (0, 1));
    show(&mut talk, Kind::EventPlain, "", &probe(&nonce)).unwrap();
    assert_eq!(failed(&mut talk), 1);
}

#[test]
fn events_that_were_lost_leave_nothing_behind() {
    let settings = settings();
    let mut talk = Conversation::new(&settings);
    blind(&mut talk);
    assert_eq!((line(&mut talk), line(&mut talk)), (1, 1));
    // this probe was sent after both
    talk.events.probe(8);
    show(&mut talk, Kind::EventPlain, "", &probe("0000000000000008")).unwrap();
    assert_eq!(talk.state(), Some(StreamState::Flowing));
    assert_eq!(failed(&mut talk), 1, "a new attempt");
}

/// One frame that a server could send at any moment.
fn anything() -> impl Strategy<Value = (Kind, String, String)> {
    let kind = prop_oneof![
        3 => Just(Kind::CommandReply),
        2 => Just(Kind::ApiResponse),
        3 => Just(Kind::EventPlain),
        2 => Just(Kind::LogData),
        1 => Just(Kind::AuthRequest),
        1 => Just(Kind::Other),
    ];
    let head = prop_oneof![
        Just("Reply-Text: +OK\n".to_owned()),
        Just("Reply-Text: -ERR permission denied\n".to_owned()),
        Just("Log-File: sofia_reg.c\nLog-Func: f\n".to_owned()),
        ".{0,40}",
    ];
    let body = prop_oneof![
        Just(FAILED.to_owned()),
        Just(FAILED.replace("Event-Name", "Command: sendevent%20CUSTOM\nEvent-Name")),
        (0..u64::MAX).prop_map(|nonce| probe(&format!("{nonce:016x}"))),
        Just("[WARNING] sofia_reg.c:1 IP 192.0.2.1 Rejected by register acl \"lan\"\n".to_owned()),
        Just("FreeSWITCH Version 1.10.12\n".to_owned()),
        ".{0,80}",
    ];
    (kind, head, body)
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order(frames in vec(anything(), 0..60)) {
        let settings = settings();
        let mut talk = Conversation::new(&settings);
        ready(&mut talk);
        for (kind, head, body) in frames {
            let asked = talk.asked.len();
            let known = talk.version;
            for event in show(&mut talk, kind, &head, &body).unwrap() {
                prop_assert_eq!(event.peer.addr().to_string(), "192.0.2.1");
            }
            prop_assert!(talk.beat().is_ok());
            let answer = matches!(kind, Kind::CommandReply | Kind::ApiResponse);
            prop_assert!(answer || talk.asked.len() >= asked, "only an answer answers");
            prop_assert!(kind == Kind::ApiResponse || talk.version == known);
            prop_assert_eq!(talk.core, None, "no number was guessed");
            prop_assert!(talk.asked.len() <= 8);
        }
    }
}
