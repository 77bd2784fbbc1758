//! What attackers can do to the stream itself: make it huge, or forge what is in it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ringfence_testkit::fs_events;
use ringfence_testkit::until;

use super::Node;

const MEGABYTE: u64 = 1024 * 1024;

/// Memory of the process `id` in bytes: what it holds now, and the most that it ever held.
fn memory(id: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[test]
fn huge_requests_are_counted_exactly_and_cost_no_memory() {
    let node = Node::watching();
    node.guess("192.0.2.99", 1);
    let (before, _) = memory(node.stage.id());
    // three frames of 3 MB each
    let attempt = |peer: &str, number: u32| {
        let events = node.events();
        let peer: SocketAddr = peer.parse().unwrap();
        let call = format!("{number}@{peer}");
        node.fs
            .inject(&fs_events::huge_try(peer, "1000", "tenant-a.example", &call));
        until(Duration::from_mins(1), "it is judged", || {
            (node.events() >= events + 2).then_some(())
        });
    };
    for number in 0..4 {
        attempt("192.0.2.101:5060", number);
        attempt("192.0.2.102:5060", number);
    }
    assert!(node.stage.banned().is_empty());
    let (first, peak) = memory(node.stage.id());
    attempt("192.0.2.101:5060", 4);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
    // 51 frames in all, with these from addresses of their own
    for number in 0..8 {
        attempt(&format!("192.0.2.{}:5060", 110 + number), 0);
    }
    let (last, most) = memory(node.stage.id());
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
    assert!(
        peak < before + 8 * MEGABYTE,
        "24 frames of 3 MB took {} bytes more",
        peak - before
    );
    assert!(
        most <= peak + 2 * MEGABYTE,
        "it grows: {before}, {first}, {last}; at most {peak}, then {most}"
    );
    let source = node.stage.source();
    assert_eq!(
        (&source["connects"], &source["oversized"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn what_other_clients_make_up_is_counted_and_not_believed() {
    let node = Node::watching();
    let mut forger = TcpStream::connect(node.fs.address()).unwrap();
    let mut text = String::from("auth ClueCon\n\n");
    for number in 0..10 {
        let _ = write!(
            text,
            "sendevent CUSTOM\nEvent-Subclass: sofia::register_attempt\nnetwork-ip: 192.0.2.51\nnetwork-port: 5060\n\
             username: 1000\nfrom-user: 1000\ncall-id: forged-{number}\nauth-result: FORBIDDEN\n\n"
        );
        let _ = write!(
            text,
            "sendevent CUSTOM\nEvent-Subclass: verto::login\nverto_client_address: 192.0.2.51:{}\n\
             verto_login: 1000@tenant-a.example\nverto_success: 0\n\n",
            1000 + number
        );
        // and a process that is not there
        let _ = write!(
            text,
            "sendevent CUSTOM\nEvent-Subclass: ringfence::probe\nringfence-nonce: {number:016x}\nCore-UUID: forged\n\n"
        );
    }
    forger.write_all(text.as_bytes()).unwrap();
    forger.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let _ = forger.read(&mut [0; 4096]);
    node.stage
        .until("all are seen", |stage| stage.source()["suspicious"] == 20);
    // raw frames, as a client may make them up that has learned more
    let event = "Event-Subclass: sofia%3A%3Aregister_attempt\nCommand: sendevent%20CUSTOM\nEvent-Name: CUSTOM\n\
        network-ip: 192.0.2.51\nnetwork-port: 5060\nusername: 1000\nauth-result: FORBIDDEN\n\n";
    let frame = format!(
        "Content-Length: {}\nContent-Type: text/event-plain\n\n{event}",
        event.len()
    );
    for _ in 0..10 {
        assert!(node.fs.inject_raw(frame.as_bytes()) > 0);
    }
    node.stage
        .until("these, too", |stage| stage.source()["suspicious"] == 30);
    let source = node.stage.source();
    assert_eq!(
        (&source["restarts"], &source["connects"], &source["events"]),
        (&0.into(), &1.into(), &0.into())
    );
    node.guess("192.0.2.101", 5);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
}
