//! What was said to a real server, said to the fake: the same bytes come back.

use std::thread;
use std::time::Duration;

use ringfence_testkit::FakeFreeswitch;
use ringfence_testkit::fake_freeswitch::Ending;

use crate::client::{Client, NARROW, PASSWORD, mask, recording};

/// Says what was recorded, one paragraph after the other, and after each waits for so many frames; then for the end
/// if the recording has one.
fn replay(server: &FakeFreeswitch, name: &str, frames: &[usize]) {
    let sent = recording(&format!("{name}.sent"));
    let mut paragraphs = Vec::new();
    let mut rest = sent.as_slice();
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\n\n") {
        let (paragraph, others) = rest.split_at(at + 2);
        paragraphs.push(paragraph);
        rest = others;
    }
    paragraphs.push(rest);
    let mut client = Client::connect(server.address());
    let mut heard = Vec::new();
    for (at, paragraph) in paragraphs.iter().enumerate() {
        client.send(paragraph);
        for _ in 0..frames.get(at).copied().unwrap_or(0) {
            heard.extend_from_slice(&client.frame().raw);
        }
    }
    let expected = recording(&format!("{name}.raw"));
    if expected.ends_with(b"http://www.cluecon.com/\n") {
        heard.extend_from_slice(&client.rest());
    }
    assert_eq!(mask(&heard), mask(&expected), "{name}");
}

fn server() -> FakeFreeswitch {
    FakeFreeswitch::start(None, PASSWORD)
}

#[test]
fn commands_are_answered_as_by_a_real_server() {
    let server = server();
    for name in [
        "api",
        "auth_bad",
        "auth_ok",
        "content_length_bad",
        "event_reserve_unknown_subclass",
        "linger_divert",
        "log",
        "split_command",
        "unknown_cmd",
    ] {
        replay(&server, name, &[]);
    }
}

#[test]
fn commands_with_answers_that_change_are_answered_as_by_a_real_server() {
    let server = server();
    for (name, up) in [
        ("auth_then_pipelined", "45\n"),
        ("leading_newlines", "113\n"),
        ("nixevent", "64\n"),
    ] {
        server.answer("uptime", up);
        replay(&server, name, &[]);
    }
    for name in ["auth_crlf", "bgapi_xml", "bgapi_json"] {
        let recorded = String::from_utf8(recording(&format!("{name}.raw"))).unwrap();
        let recorded = recorded.replace("\\n", "\n");
        let last = "240K/8192K\n";
        let status =
            &recorded[recorded.find("UP 0 years").unwrap()..recorded.find(last).unwrap() + last.len()];
        server.answer("status", status);
        // with the greeting: login, subscription, reply and job
        replay(&server, name, if name == "auth_crlf" { &[] } else { &[2, 1, 2] });
    }
}

#[test]
fn events_of_commands_come_as_from_a_real_server() {
    let server = server();
    replay(&server, "sendevent", &[2, 1, 0, 0, 3]);
    replay(&server, "sendevent_noncustom", &[2, 1, 2]);
    replay(&server, "sendevent_spoof", &[2, 1, 2]);
    replay(&server, "all_then_subclass_registered_later", &[2, 1, 1, 1, 2]);
}

#[test]
fn the_last_format_wins() {
    let server = server();
    let mut client = Client::connect(server.address());
    let mut heard = client.frame().raw;
    let says = [
        "auth ClueCon",
        "event plain HEARTBEAT",
        "event json API",
        "api uptime",
        "event xml API",
        "api uptime",
    ];
    for (command, (up, frames)) in
        says.into_iter()
            .zip([("", 1), ("", 1), ("", 1), ("85\n", 2), ("", 1), ("86\n", 2)])
    {
        server.answer("uptime", up);
        client.send(format!("{command}\n\n").as_bytes());
        for _ in 0..frames {
            heard.extend_from_slice(&client.frame().raw);
        }
    }
    client.send(b"exit\n\n");
    heard.extend_from_slice(&client.rest());
    assert_eq!(mask(&heard), mask(&recording("format_switch.raw")));
}

#[test]
fn a_command_may_come_byte_by_byte() {
    let server = server();
    let mut client = Client::connect(server.address());
    for byte in recording("split_command.sent") {
        client.send(&[byte]);
        thread::yield_now();
    }
    assert_eq!(mask(&client.rest()), mask(&recording("split_command.raw")));
}

#[test]
fn who_is_refused_or_silent_hears_what_a_real_server_says() {
    let server = server();
    server.behave(|manners| manners.refused_by_acl = true);
    let refused = Client::connect(server.address()).rest();
    assert_eq!(mask(&refused), mask(&recording("rude_rejection.raw")));
    server.behave(|manners| {
        manners.refused_by_acl = false;
        manners.login_limit = Duration::from_millis(50);
    });
    let silent = Client::connect(server.address()).rest();
    assert_eq!(mask(&silent), mask(&recording("noauth_26s.raw")));
}

#[test]
fn the_end_of_a_server_looks_as_it_does() {
    let mut server = server();
    for name in ["reload_mod_event_socket", "shutdown_sigterm", "kill9"] {
        let mut client = Client::connect(server.address());
        let mut heard = client.frame().raw;
        for command in [&format!("auth {PASSWORD}"), NARROW] {
            client.send(format!("{command}\n\n").as_bytes());
            heard.extend_from_slice(&client.frame().raw);
        }
        let before = server.core_uuid();
        match name {
            "kill9" => server.restart(Ending::Killed, Duration::ZERO),
            "shutdown_sigterm" => server.restart(Ending::Notice, Duration::ZERO),
            _ => server.reload(),
        }
        heard.extend_from_slice(&client.rest());
        let recorded = recording(&format!("{name}.narrow.raw"));
        assert_eq!(mask(&heard), mask(&recorded), "{name}");
        let same_process = name == "reload_mod_event_socket";
        assert_eq!(server.core_uuid() == before, same_process, "{name}");
    }
}
