//! What an admin asks and orders.

use nix::sys::signal::Signal;

use super::stage::Stage;

#[test]
fn five_guesses_are_banned_and_explained() {
    let stage = Stage::watching();
    stage.guess("192.0.2.101", "alice", 4);
    assert!(stage.banned().is_empty());
    stage.guess("192.0.2.101", "alice", 1);
    assert_eq!(stage.banned(), ["192.0.2.101"]);

    let why = stage.json(&["why", "192.0.2.101"]);
    assert_eq!(why["now"]["bans"][0]["jail"], "auth");
    assert_eq!(why["now"]["bans"][0]["evidence"]["attempts"], 5);
    let event = &why["now"]["bans"][0]["evidence"]["events"][0];
    assert_eq!(
        (event["account"].as_str(), event["cause"].as_str()),
        (Some("alice"), Some("wrong-password"))
    );
    let said = String::from_utf8(stage.cli(&["why", "192.0.2.101"]).stdout).unwrap();
    assert!(
        said.contains("192.0.2.101 is banned") && said.contains("alice"),
        "{said}"
    );

    let other = stage.cli(&["why", "192.0.2.102"]);
    assert_eq!(other.status.code(), Some(1), "not banned");
    assert!(String::from_utf8(other.stdout).unwrap().contains("is not banned"));
}

#[test]
fn orders_are_carried_out_and_mistakes_refused() {
    let mut stage = Stage::new();
    stage.top = "ignoreip = [\"203.0.113.10\"]".into();
    stage.start();
    stage.wait_for_state("watching");
    assert!(
        stage
            .cli(&["ban", "198.51.100.7", "--for", "90s"])
            .status
            .success()
    );
    let ban = &stage.json(&["banned"])[0];
    assert_eq!(
        (ban["target"].as_str(), ban["jail"].as_str()),
        (Some("198.51.100.7"), Some("manual"))
    );
    assert!(ban["remaining_s"].as_u64().unwrap() <= 90);

    let refused = stage.cli(&["ban", "203.0.113.0/24"]);
    assert_eq!(refused.status.code(), Some(77), "it holds an address of ignoreip");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("203.0.113.0/24 holds 203.0.113.10, which is in ignoreip"),
        "{said}"
    );
    let own = stage.cli(&["ban", "127.0.0.1"]);
    assert_eq!(own.status.code(), Some(77));

    assert_eq!(
        stage.cli(&["unban", "198.51.100.8"]).status.code(),
        Some(1),
        "it was not banned"
    );
    assert!(stage.cli(&["unban", "198.51.100.7"]).status.success());
    assert!(stage.banned().is_empty());

    stage.cli(&["ban", "198.51.100.7", "2001:db8::7"]);
    assert_eq!(stage.banned().len(), 2);
    assert_eq!(stage.json(&["unban", "--all"])["changed"], 2);
    assert!(stage.banned().is_empty());

    for (wrong, word) in [
        ("198.51.100.7/24", "198.51.100.0/24"),
        ("office", "neither an address"),
    ] {
        let output = stage.cli(&["ban", wrong]);
        assert_eq!(output.status.code(), Some(64));
        assert!(String::from_utf8(output.stderr).unwrap().contains(word));
    }
}

#[test]
fn ignoreip_is_never_banned_however_often_it_fails() {
    let mut stage = Stage::new();
    stage.top = "ignoreip = [\"192.0.2.0/28\", \"localhost\"]".into();
    stage.start();
    stage.wait_for_state("watching");
    stage.guess("192.0.2.9", "alice", 40);
    stage.guess("127.0.0.1", "alice", 40);
    stage.guess("192.0.2.16", "alice", 5);
    assert_eq!(stage.banned(), ["192.0.2.16"]);
    assert!(stage.json(&["why", "192.0.2.9"])["now"]["ignored"].is_string());
}

#[test]
fn a_reload_loses_nothing_and_a_wrong_one_changes_nothing() {
    let mut stage = Stage::watching();
    stage.guess("192.0.2.101", "alice", 4);
    stage.cli(&["ban", "198.51.100.7"]);
    let connects = stage.source()["connects"].clone();

    stage.tables = "[jail.auth]\nmaxretyr = 1\n".into();
    stage.configure();
    let refused = stage.cli(&["reload"]);
    assert_eq!(refused.status.code(), Some(78));
    assert!(
        String::from_utf8(refused.stderr).unwrap().contains("maxretry"),
        "the nearest right name"
    );

    stage.tables = "[jail.auth]\nmaxretry = 6\n".into();
    stage.configure();
    assert!(stage.cli(&["reload"]).status.success());
    stage.guess("192.0.2.101", "alice", 1);
    assert_eq!(stage.banned(), ["198.51.100.7"], "five of six");
    stage.guess("192.0.2.101", "alice", 1);
    assert_eq!(
        stage.banned(),
        ["198.51.100.7", "192.0.2.101"],
        "the four before the reload count"
    );

    stage.top = "ignoreip = [\"198.51.100.0/24\"]".into();
    stage.configure();
    stage.signal(Signal::SIGHUP);
    stage.until("what is trusted now is free", |stage| {
        stage.banned() == ["192.0.2.101"]
    });
    assert_eq!(stage.source()["connects"], connects, "the connection was kept");
}

#[test]
fn without_a_daemon_the_answer_is_clear() {
    let stage = Stage::new();
    stage.configure();
    let output = stage.cli(&["status"]);
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no daemon listens") && said.contains("--socket"),
        "{said}"
    );
}

#[test]
fn a_second_daemon_does_not_fight_the_first() {
    let stage = Stage::watching();
    let second = stage.cli(&["run"]);
    assert_eq!(second.status.code(), Some(75));
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("another daemon")
    );
    assert_eq!(stage.source()["state"], "watching");
}

#[test]
fn a_stop_in_order_leaves_no_socket() {
    let mut stage = Stage::watching();
    assert_eq!(stage.end(Signal::SIGTERM), Some(0));
    assert!(!stage.home.path().join("ringfence.sock").exists());
}
