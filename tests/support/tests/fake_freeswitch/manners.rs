//! Each of its bad manners, and what it measures.

use std::thread;
use std::time::Duration;

use ringfence_testkit::fake_freeswitch::{Block, Ending};
use ringfence_testkit::fs_events::{self, Try};
use ringfence_testkit::{FakeFreeswitch, until};

use crate::client::{Client, PASSWORD};

fn server() -> FakeFreeswitch {
    FakeFreeswitch::start(None, PASSWORD)
}

fn failure() -> Block {
    let peer = "192.0.2.7:5060".parse().unwrap();
    Try::register(peer, "100", "pbx.example", "c1")
        .register_failure()
        .into()
}

fn listener(server: &FakeFreeswitch) -> Client {
    let mut client = Client::log_in(server.address());
    client.ask("event plain CUSTOM sofia::pre_register sofia::register_attempt sofia::register_failure");
    client
}

#[test]
fn a_stalled_server_answers_when_it_goes_on() {
    let server = server();
    let mut client = listener(&server);
    server.behave(|manners| manners.stalled = true);
    client.send(b"api version\n\n");
    let mut late = Client::connect(server.address());
    assert!(client.hears_nothing());
    assert!(late.hears_nothing());
    server.behave(|manners| manners.stalled = false);
    assert!(client.frame().has("api/response"));
    assert!(late.frame().has("auth/request"));
}

#[test]
fn a_stalled_server_ends_when_dropped() {
    let server = server();
    let mut client = listener(&server);
    server.behave(|manners| manners.stalled = true);
    drop(server);
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_blind_server_says_yes_and_tells_nothing() {
    let server = server();
    server.behave(|manners| manners.silent_events = true);
    let mut client = listener(&server);
    assert_eq!(server.inject(&[failure()]), 0);
    assert!(client.ask("sendevent HEARTBEAT").starts_with("+OK "));
    assert!(client.hears_nothing());
    server.behave(|manners| manners.silent_events = false);
    assert_eq!(server.inject(&[failure()]), 1);
}

#[test]
fn whom_the_access_list_refuses_is_told_to_the_others() {
    let server = server();
    let mut client = Client::log_in(server.address());
    client.ask("log warning");
    server.behave(|manners| manners.refused_by_acl = true);
    Client::connect(server.address()).rest();
    assert!(client.frame().has("IP 127.0.0.1 Rejected by acl \"esl-acl\"\n"));
}

#[test]
fn a_notice_lands_in_the_middle_of_a_frame() {
    let server = server();
    let mut client = listener(&server);
    assert_eq!(server.splice(&failure()), 1);
    let rest = String::from_utf8(client.rest()).unwrap();
    let (event, notice) = rest.split_once("Content-Type: text/disconnect-notice\n").unwrap();
    assert!(event.starts_with("Content-Length: "));
    assert!(!event.contains("registration-type"));
    assert_eq!(
        notice,
        "Content-Length: 39\n\nkilled listener because of lost events\n"
    );
}

#[test]
fn a_frame_breaks_off() {
    let server = server();
    let mut client = listener(&server);
    assert_eq!(server.truncate(&failure()), 1);
    let rest = String::from_utf8(client.rest()).unwrap();
    assert!(rest.starts_with("Content-Length: ") && !rest.contains("registration-type"));
    assert!(!server.reports()[0].open);
}

#[test]
fn a_huge_frame_is_three_megabytes() {
    let server = server();
    let mut client = listener(&server);
    let blocks = fs_events::huge_try("192.0.2.7:5060".parse().unwrap(), "100", "pbx.example", "c1");
    let lengths: Vec<usize> = thread::scope(|scope| {
        scope.spawn(|| server.inject(&blocks));
        (0..3).map(|_| client.frame().body().len()).collect()
    });
    for length in lengths {
        assert!(
            length > 3 * 1024 * 1024 && length < 3 * 1024 * 1024 + 2048,
            "{length}"
        );
    }
}

#[test]
fn another_process_counts_from_one() {
    let mut server = server();
    let mut client = listener(&server);
    server.inject(&[failure(), failure()]);
    let before = server.core_uuid();
    let address = server.address();
    server.restart(Ending::Killed, Duration::from_millis(20));
    client.rest();
    assert_eq!(server.address(), address);
    assert_ne!(server.core_uuid(), before);
    let mut client = listener(&server);
    server.inject(&[failure()]);
    assert!(client.frame().has("\nEvent-Sequence: 1\n"));
    server.reload();
    assert!(client.frame().has("The system is being shut down.\n"));
    let mut client = listener(&server);
    server.inject(&[failure()]);
    assert!(client.frame().has("\nEvent-Sequence: 2\n"));
}

#[test]
fn a_closed_server_lets_nobody_in() {
    let mut server = server();
    let mut client = listener(&server);
    server.close();
    assert_eq!(client.rest(), b"");
    assert!(std::net::TcpStream::connect(server.address()).is_err());
    server.open();
    listener(&server);
    assert_eq!(server.logins(), 2);
}

#[test]
fn a_flood_is_counted_and_every_event_comes() {
    let server = server();
    let mut client = listener(&server);
    let events = 5000;
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(server.flood(events, |_| failure()), events));
        for sequence in 1..=events {
            assert!(client.frame().has(&format!("\nEvent-Sequence: {sequence}\n")));
        }
    });
    let report = server.reports().pop().unwrap();
    assert_eq!((report.events, report.lost), (events, 0));
    assert!(report.bytes > 600 * events);
    assert_eq!(server.flood(10, |_| fs_events::heartbeat().into()), 0);
}

#[test]
fn a_client_that_does_not_read_is_seen_and_holds_up_only_its_own_flood() {
    let server = server();
    let deaf = listener(&server);
    thread::scope(|scope| {
        let flood = scope.spawn(|| server.flood(u64::from(u16::MAX), |_| failure()));
        until(Duration::from_secs(20), "the kernel to be full", || {
            (server.reports()[0].longest_wait > Duration::from_millis(200)).then_some(())
        });
        // others are served all the same
        let mut other = Client::log_in(server.address());
        assert!(other.api("version").starts_with("FreeSWITCH"));
        server.cut();
        assert!(flood.join().unwrap() < u64::from(u16::MAX));
    });
    drop(deaf);
    assert!(server.reports()[0].longest_wait > Duration::from_millis(200));
}

#[test]
fn a_client_that_reads_never_lets_a_write_wait() {
    let server = server();
    let mut client = listener(&server);
    for _ in 0..50 {
        server.inject(&[failure()]);
        client.frame();
    }
    assert!(server.reports()[0].longest_wait < Duration::from_millis(50));
}

#[test]
fn raw_bytes_reach_those_who_are_logged_in() {
    let server = server();
    let mut client = Client::log_in(server.address());
    let mut stranger = Client::connect(server.address());
    stranger.frame();
    assert_eq!(server.inject_raw(b"Content-Type: x\n\n"), 1);
    assert_eq!(client.frame().text(), "Content-Type: x\n\n");
    assert!(stranger.hears_nothing());
}

#[test]
fn what_was_asked_is_remembered() {
    let server = server();
    let mut client = listener(&server);
    client.ask("log warning");
    client.api("version");
    let report = &server.reports()[0];
    assert!(report.logged_in && report.open);
    assert_eq!(
        report.commands,
        [
            "auth",
            "event plain CUSTOM sofia::pre_register sofia::register_attempt sofia::register_failure",
            "log warning",
            "api version"
        ]
    );
}
