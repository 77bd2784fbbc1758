//! What the daemon knows about its PBX, and what it says when it sees nothing.

use std::time::Duration;

use super::stage::Stage;

#[test]
fn a_login_that_sees_no_events_is_called_blind() {
    let mut stage = Stage::new();
    stage.ami.behave(|manners| manners.security = false);
    stage.start();
    stage.wait_for_state("blind");
    let source = stage.source();
    let problem = source["problem"].as_str().unwrap();
    assert!(
        problem.contains("read = security") && problem.contains("manager.conf"),
        "{problem}"
    );
    assert_eq!(
        stage.cli(&["status"]).status.code(),
        Some(1),
        "it needs attention"
    );
    let check = stage.cli(&["check", "--live"]);
    assert_eq!(check.status.code(), Some(69));
    assert!(
        String::from_utf8(check.stdout)
            .unwrap()
            .contains("read = security")
    );
}

#[test]
fn a_wrong_secret_is_said_and_not_hammered() {
    let mut stage = Stage::new();
    stage.secret = "wrong".into();
    stage
        .ami
        .behave(|manners| manners.refusal = Duration::from_millis(10));
    stage.start();
    stage.wait_for_state("refused");
    let problem = stage.source()["problem"].to_string();
    assert!(
        problem.contains("secret") && !problem.contains("wrong\""),
        "{problem}"
    );
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stage.ami.connections(), 1, "one try in three seconds");
    assert!(!stage.log().contains("secret = \"wrong\""));

    // the admin corrects it: no waiting for the next try
    stage.secret = "right".into();
    stage.configure();
    assert!(stage.cli(&["reload"]).status.success());
    stage.wait_for_state("watching");
}

#[test]
fn a_pbx_that_is_absent_at_start_is_waited_for() {
    let mut stage = Stage::new();
    stage.ami.close();
    stage.start();
    stage.until("it says why", |stage| {
        let source = stage.source();
        source["state"] == "connecting" && source["problem"].as_str().unwrap().contains("can't be reached")
    });
    stage.ami.open();
    stage.wait_for_state("watching");
}

#[test]
fn a_pbx_that_goes_away_is_found_again() {
    let stage = Stage::watching();
    stage.guess("192.0.2.101", "alice", 3);
    stage.ami.cut();
    stage.until("it is back", |stage| {
        let source = stage.source();
        source["state"] == "watching" && source["connects"] == 2
    });
    stage.guess("192.0.2.101", "alice", 2);
    assert_eq!(
        stage.banned(),
        ["192.0.2.101"],
        "what was counted before still counts"
    );
}

#[test]
fn a_pbx_that_hangs_is_given_up() {
    let stage = Stage::watching();
    stage.ami.behave(|manners| manners.stalled = true);
    stage.until("the silence is noticed", |stage| {
        stage.source()["state"] == "connecting"
    });
    assert!(stage.source()["problem"].as_str().unwrap().contains("Ping"));
    stage.ami.behave(|manners| manners.stalled = false);
    stage.wait_for_state("watching");
}

#[test]
fn a_ping_is_measured() {
    let stage = Stage::watching();
    stage.until("a round trip", |stage| {
        stage.source()["ping_us"]
            .as_u64()
            .is_some_and(|micros| micros > 0)
    });
}

#[test]
fn garbage_in_the_stream_neither_kills_nor_blinds() {
    let stage = Stage::watching();
    let mut garbage = vec![0xff; 400_000];
    garbage.extend_from_slice(b"\r\n\r\nEvent: \x00\r\nRemoteAddress: IPV4/UDP/8.8.8.8/1\r\n\r\n");
    stage.ami.inject(&garbage);
    stage.guess("192.0.2.101", "alice", 5);
    assert_eq!(stage.banned(), ["192.0.2.101"]);
    assert_eq!(stage.source()["oversized"], 1);
}
