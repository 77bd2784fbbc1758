//! The daemon dies, the PBX restarts: what was decided holds.

use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_testkit::{Answer, Transport, Version, until};

use crate::site::{PBX, SILENCE, Site, assert_answered, guess_five};

/// Seconds since 1970 of a time stamp in a report.
fn seconds(value: &serde_json::Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("no time stamp: {value}"));
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
fn a_killed_daemon_leaves_its_bans_and_knows_them_again() {
    let mut site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    // Listed bans are stored: what the store still has in hand is written within moments.
    let before = until(Duration::from_secs(5), "the ban to be listed", || {
        site.daemon.ban_of("192.0.2.101")
    });
    until(Duration::from_secs(5), "the ban to be stored", || {
        let why = site.daemon.must(&["why", "192.0.2.101", "--json"]).json();
        why["history"]
            .as_array()
            .is_some_and(|history| !history.is_empty())
            .then_some(())
    });
    site.daemon.kill();
    site.assert_silent(&attacker);
    site.daemon.run(&[]);
    site.daemon.wait_until_watching();
    site.assert_silent(&attacker);
    let after = site.daemon.ban_of("192.0.2.101").expect("the ban is known again");
    let (was, is) = (seconds(&before["until"]), seconds(&after["until"]));
    assert!((was - is).abs() <= 2, "{before} became {after}");
    assert_eq!(
        (&after["jail"], &after["attempts"]),
        (&before["jail"], &before["attempts"])
    );
}

#[test]
fn bans_are_restored_where_the_kernel_lost_them() {
    let mut site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.daemon.stop();
    // As after a reboot.
    site.net.pbx().nft("flush ruleset");
    assert_answered(&attacker);
    site.daemon.run(&[]);
    site.daemon.wait_until_watching();
    site.assert_silent(&attacker);
}

#[test]
fn a_ban_ends_on_time_without_the_daemon_and_the_next_is_twice_as_long() {
    let config = format!("{PBX}\n[jail.auth]\nbantime = \"5s\"\n");
    let mut site = Site::configured(Version::V22, &[], &config);
    // TCP: an address that is proven.
    let attacker = site.caller("192.0.2.101", Transport::Tcp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    let first = site.daemon.ban_of("192.0.2.101").expect("the first ban");
    assert_eq!(seconds(&first["until"]) - seconds(&first["since"]), 5, "{first}");
    until(Duration::from_secs(3), "the ban to be stored", || {
        let why = site.daemon.cli(&["why", "192.0.2.101", "--json"]).json();
        why["history"]
            .as_array()
            .is_some_and(|history| !history.is_empty())
            .then_some(())
    });
    site.daemon.kill();
    assert_eq!(
        attacker.clone().patience(SILENCE).register("alice", "wrong"),
        Answer::Silence
    );
    assert_answered(&attacker);
    site.daemon.run(&[]);
    site.daemon.wait_until_watching();
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    let second = site.daemon.ban_of("192.0.2.101").expect("the second ban");
    assert_eq!(
        seconds(&second["until"]) - seconds(&second["since"]),
        10,
        "{second}"
    );
    site.assert_silent(&attacker);
}

#[test]
fn a_pbx_that_restarts_is_watched_again() {
    let mut site = Site::new(Version::V22);
    let (first, second) = (
        site.caller("192.0.2.101", Transport::Udp),
        site.caller("192.0.2.102", Transport::Udp),
    );
    guess_five(&first, "alice", 401);
    site.wait_for_ban(&first);
    for crash in [false, true] {
        if crash {
            site.asterisk.kill();
        } else {
            site.asterisk.stop();
        }
        let lost = site
            .daemon
            .wait_for_source("pbx", "the loss of the PBX", |source| {
                source["state"] != "watching"
            });
        assert_ne!(lost["problem"], "", "{lost}");
        site.asterisk.boot();
        site.daemon.wait_until_watching();
        site.assert_silent(&first);
    }
    guess_five(&second, "alice", 401);
    site.wait_for_ban(&second);
    site.assert_silent(&second);
}

#[test]
fn bans_outlive_the_store() {
    let mut site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.daemon.stop();
    for file in ["ringfence.db", "ringfence.db-wal", "ringfence.db-shm"] {
        // Which of them exist is SQLite's affair.
        let _ = std::fs::remove_file(site.net.dir().join(file));
    }
    site.daemon.run(&[]);
    site.daemon.wait_until_watching();
    site.assert_silent(&attacker);
    let ban = site
        .daemon
        .ban_of("192.0.2.101")
        .expect("what the kernel holds is known");
    let remaining = ban["remaining_s"].as_u64().unwrap();
    assert!((3500..=3600).contains(&remaining), "{ban}");
    site.daemon.must(&["unban", "192.0.2.101"]);
    assert_answered(&attacker);
}

#[test]
fn a_daemon_that_had_no_time_catches_up() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    site.daemon.signal(Signal::SIGSTOP);
    for _ in 0..20 {
        assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    }
    site.daemon.signal(Signal::SIGCONT);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}
