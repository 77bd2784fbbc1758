//! The events that tests fire, against the same events of real servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use ringfence_testkit::fake_freeswitch::{Block, Event};
use ringfence_testkit::fs_events::{self, AuthResult, Try};
use ringfence_testkit::{FakeFreeswitch, until};

use crate::client::{Client, Frame, PASSWORD, frames, mask, recording};

/// What a client that listens to everything hears of `blocks`.
fn heard(blocks: &[Block]) -> Vec<Frame> {
    let server = FakeFreeswitch::start(None, PASSWORD);
    let mut client = Client::log_in(server.address());
    client.ask("event plain ALL");
    client.ask("log debug");
    assert_eq!(server.inject(blocks), blocks.len());
    blocks.iter().map(|_| client.frame()).collect()
}

/// Asserts that `blocks` come as the frames of a recording that hold `needle`.
fn same(name: &str, needle: &str, blocks: &[Block]) {
    let recorded: Vec<_> = frames(recording(name))
        .into_iter()
        .filter(|frame| frame.has(needle))
        .collect();
    assert_eq!(recorded.len(), blocks.len(), "{name}: frames with {needle}");
    for (ours, theirs) in heard(blocks).iter().zip(&recorded) {
        assert_eq!(mask(&ours.raw), mask(&theirs.raw), "{name}");
    }
}

fn peer(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_wrong_password_reads_as_on_a_real_server() {
    let guess = Try::register(
        peer("127.0.0.2:57269"),
        "1000",
        "tenant-a.example",
        "44e48a3059fd2956a0b2@lab",
    );
    same(
        "register_badpw.plain.raw",
        "sofia%3A%3A",
        &[
            guess.pre_register().into(),
            guess.register_attempt(AuthResult::Forbidden).into(),
            guess.register_failure().into(),
        ],
    );
    same(
        "register_badpw.logwarning.raw",
        "log/data",
        &[guess.challenge_log().into(), guess.failure_log().into()],
    );
    let whole =
        fs_events::brute_force_try(guess.peer, "1000", "tenant-a.example", "44e48a3059fd2956a0b2@lab");
    let events: Vec<Block> = whole
        .into_iter()
        .filter(|block| matches!(block, Block::Event(_)))
        .collect();
    same("register_badpw.plain.raw", "sofia%3A%3A", &events);
}

#[test]
fn a_wrong_password_over_tcp_and_ipv6_reads_as_on_a_real_server() {
    let recorded = frames(recording("register_badpw-ipv6-tcp.narrow.raw"));
    let call_id = value(&recorded, "call-id").replace("%40", "@");
    let guess = Try {
        profile: "internal-ipv6".to_owned(),
        transport: "TCP",
        ..Try::register(peer("[::1]:51855"), "1000", "tenant-a.example", &call_id)
    };
    same(
        "register_badpw-ipv6-tcp.narrow.raw",
        "sofia%3A%3Aregister_",
        &[
            guess.register_attempt(AuthResult::Forbidden).into(),
            guess.register_failure().into(),
        ],
    );
}

#[test]
fn an_invite_with_a_wrong_password_reads_as_on_a_real_server() {
    let guess = Try::invite(
        peer("127.0.0.2:59056"),
        "1000",
        "tenant-a.example",
        "9196",
        "95fa1890cdf2d525deed@lab",
    );
    same(
        "invite_badpw.plain.raw",
        "sofia%3A%3A",
        &[
            guess.pre_register().into(),
            guess.register_attempt(AuthResult::Forbidden).into(),
            guess.register_failure().into(),
        ],
    );
    same(
        "invite_badpw.logwarning.raw",
        "log/data",
        &[guess.challenge_log().into(), guess.failure_log().into()],
    );
}

#[test]
fn logins_that_did_not_fail_read_as_on_a_real_server() {
    let mut recorded = frames(recording("register_ok.plain.raw"));
    recorded.retain(|frame| frame.has("sofia%3A%3Aregister"));
    let expires = value(&recorded, "expires").parse().unwrap();
    let phone = Try {
        expires,
        ..Try::register(
            peer("127.0.0.2:46389"),
            "1000",
            "tenant-a.example",
            "52a5f69a8432f56ad3fc@lab",
        )
    };
    let ours = heard(&[
        phone.register_attempt(AuthResult::Renewed).into(),
        phone.registered().into(),
    ]);
    for (ours, theirs) in ours.iter().zip(&recorded) {
        assert_eq!(mask(&ours.raw), mask(&theirs.raw));
    }
    for (name, result) in [
        ("auth_basic.plain.raw", AuthResult::Stale),
        ("register_ok_noqop.narrow.raw", AuthResult::Success),
    ] {
        let mut recorded = frames(recording(name));
        recorded.retain(|frame| frame.has("register_attempt"));
        let at = format!("127.0.0.2:{}", value(&recorded, "network-port"));
        let call_id = value(&recorded, "call-id").replace("%40", "@");
        let phone = Try::register(peer(&at), "1000", "tenant-a.example", &call_id);
        same(name, "register_attempt", &[phone.register_attempt(result).into()]);
    }
}

#[test]
fn the_other_events_read_as_on_a_real_server() {
    let caller = peer("127.0.0.2:43586");
    same(
        "invite_noauth.narrow.raw",
        "wrong_call_state",
        &[fs_events::wrong_call_state(caller, "1000").into()],
    );
    for (name, at, success) in [
        ("verto_badpw.narrow.raw", "127.0.0.2:50571", false),
        ("verto_badpw-ipv6.narrow.raw", "[::1]:55181", false),
        ("verto_ok.narrow.raw", "127.0.0.2:57259", true),
    ] {
        let login = fs_events::verto_login(peer(at), "1000@tenant-a.example", success);
        same(name, "verto%3A%3Alogin", &[login.into()]);
    }
    let registrar = Some(peer("127.0.0.21:5090"));
    same(
        "auth_basic.plain.raw",
        "gateway_state",
        &[
            fs_events::gateway_state("carrier2", "REGISTER", registrar).into(),
            fs_events::gateway_state("carrier2", "REGED", registrar).into(),
        ],
    );
    same(
        "esl_garbage.plain.raw",
        "Event-Name: HEARTBEAT",
        &[fs_events::heartbeat().into()],
    );
}

#[test]
fn refusals_by_access_lists_read_as_on_a_real_server() {
    let nine = "127.0.0.9".parse().unwrap();
    let two = "127.0.0.2".parse().unwrap();
    for (name, record) in [
        ("register_acl_deny", fs_events::register_acl(nine, "regallow")),
        ("invite_acl_deny", fs_events::inbound_acl(nine, "carriers")),
        ("esl_acl_deny", fs_events::esl_acl(two)),
    ] {
        let name = format!("{name}.logwarning.raw");
        let recorded: Vec<_> = frames(recording(&name))
            .into_iter()
            .filter(|frame| frame.has("log/data"))
            .collect();
        let ours = heard(&[record.into()]);
        assert_eq!(ours.len(), recorded.len());
        // the idle CPU before the level has a digit more or less
        assert_eq!(mask(&ours[0].raw), mask(&recorded[0].raw), "{name}");
    }
}

#[test]
fn the_end_of_a_call_has_every_header_of_a_real_one() {
    let name = "invite_external_noroute.plain.raw";
    let mut recorded = frames(recording(name));
    recorded.retain(|frame| frame.has("Event-Name: CHANNEL_HANGUP_COMPLETE"));
    let ours = heard(&[fs_events::hangup_complete(
        peer("127.0.0.2:35136"),
        "100",
        "127.0.0.1",
        "900972599000000",
        "NO_ROUTE_DESTINATION",
    )
    .into()]);
    let calm = |frame: &Frame| {
        let text = mask(&frame.raw);
        text.lines()
            .map(|line| match line.split_once(": ") {
                // the times and the Call-ID of the one call
                Some((name, value))
                    if (name.ends_with("-Time") || name.ends_with("epoch")) && value != "0"
                        || name.ends_with("_stamp")
                        || name == "variable_sip_call_id" =>
                {
                    format!("{name}: *\n")
                }
                _ => format!("{line}\n"),
            })
            .collect::<String>()
    };
    assert_eq!(calm(&ours[0]), calm(&recorded[0]));
}

/// Every event of every recording, taken apart and built again: order, repetitions and encoding stay.
#[test]
fn hostile_values_are_encoded_as_by_a_real_server() {
    let server = FakeFreeswitch::start(None, PASSWORD);
    let mut client = Client::log_in(server.address());
    client.ask("event plain ALL");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures/freeswitch");
    let mut rebuilt = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with("narrow.raw") {
            continue;
        }
        for theirs in frames(fs::read(&path).unwrap()) {
            if !theirs.has("text/event-plain") {
                continue;
            }
            server.inject(&[rebuild(&theirs).into()]);
            let ours = client.frame();
            assert_eq!(mask(&ours.raw), mask(&theirs.raw), "{name}");
            rebuilt += 1;
        }
    }
    assert!(rebuilt > 300, "only {rebuilt} events were found");
}

#[test]
fn each_event_says_which_process_and_in_which_order() {
    let server = FakeFreeswitch::start(None, PASSWORD);
    let mut client = Client::log_in(server.address());
    client.ask("event json HEARTBEAT");
    for sequence in 1..4 {
        until(std::time::Duration::from_secs(1), "the event", || {
            (server.inject(&[fs_events::heartbeat().into()]) == 1).then_some(())
        });
        let frame = client.frame();
        assert!(frame.has(&format!("\"Core-UUID\":\"{}\"", server.core_uuid())));
        assert!(frame.has(&format!("\"Event-Sequence\":\"{sequence}\"")));
    }
}

/// An event as it was before it was encoded.
fn rebuild(frame: &Frame) -> Event {
    let text = String::from_utf8(frame.body().to_vec()).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut headers = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect::<Vec<_>>();
    let first = headers
        .iter()
        .position(|(name, _)| *name == "Event-Sequence")
        .unwrap();
    let own = headers.split_off(first + 1);
    let find = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let origin = (
        leak(find("Event-Calling-File")),
        leak(find("Event-Calling-Function")),
        find("Event-Calling-Line-Number").parse().unwrap(),
    );
    let event = match find("Event-Name") {
        "CUSTOM" => Event::custom(decode(find("Event-Subclass")), origin),
        name => Event::new(name.to_owned(), origin),
    };
    let own = own.into_iter().filter(|(name, _)| *name != "Content-Length");
    let event = own.fold(event, |event, (name, value)| {
        event.with(name.to_owned(), decode(value))
    });
    event.body(body)
}

fn decode(value: &str) -> Vec<u8> {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// The first value of a header in a recording, as it stands there.
fn value(recorded: &[Frame], name: &str) -> String {
    let key = format!("\n{name}: ");
    let text = recorded
        .iter()
        .map(Frame::text)
        .find(|text| text.contains(&key))
        .unwrap();
    let rest = &text[text.find(&key).unwrap() + key.len()..];
    rest.lines().next().unwrap().to_owned()
}
