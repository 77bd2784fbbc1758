//! The configuration changes while the daemon runs.

use nix::sys::signal::Signal;
use ringfence_testkit::{Answer, FakeAmi, Transport, Version};

use crate::site::{PBX, Site, assert_answered, guess_five};

#[test]
fn a_reload_takes_the_new_configuration_and_keeps_the_bans() {
    let site = Site::new(Version::V22);
    let (first, second) = (
        site.caller("192.0.2.101", Transport::Udp),
        site.caller("192.0.2.102", Transport::Udp),
    );
    guess_five(&first, "alice", 401);
    site.wait_for_ban(&first);
    site.daemon
        .configure(&format!("{PBX}\n[jail.auth]\nmaxretry = 2\n"));
    site.daemon.must(&["reload"]);
    site.assert_silent(&first);
    for _ in 0..2 {
        assert_eq!(second.register("alice", "wrong"), Answer::Status(401));
    }
    site.wait_for_ban(&second);
    site.assert_silent(&second);
    // An address that becomes ignored is let go, and SIGHUP is a reload too.
    site.daemon
        .configure(&format!("ignoreip = [\"192.0.2.102\"]\n{PBX}"));
    site.daemon.signal(Signal::SIGHUP);
    assert_answered(&second);
    site.assert_silent(&first);
}

#[test]
fn a_wrong_configuration_at_reload_changes_nothing() {
    let mut site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    site.daemon
        .configure(&format!("{PBX}\n[jail.auth]\nmaxrety = 1\n"));
    let cli = site.daemon.cli(&["reload"]);
    assert_eq!(cli.code, Some(78), "{cli:?}");
    assert!(cli.stderr.contains("maxretry"), "the nearest right name: {cli:?}");
    site.daemon.configure(PBX);
    site.daemon.wait_until_watching();
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}

#[test]
fn pbxes_come_and_go() {
    let site = Site::new(Version::V22);
    let server = FakeAmi::start(Some(site.net.pbx()), "ringfence", "fake-secret");
    let second = format!(
        "[[asterisk]]\nname = \"second\"\naddress = \"{}\"\nusername = \"ringfence\"\nsecret = \"fake-secret\"\n",
        server.address()
    );
    let reload = |config: &str| {
        site.daemon.configure(config);
        site.daemon.must(&["reload"]);
    };
    let watching = |source: &serde_json::Value| source["state"] == "watching";
    reload(&format!("{PBX}{second}"));
    site.daemon.wait_for_source("second", "the new PBX", watching);
    let first = site.daemon.wait_for_source("pbx", "the old PBX", watching);
    assert_eq!(first["connects"], 1, "its session went on");

    reload(&second);
    let status = site.daemon.status().unwrap();
    assert_eq!(status["sources"].as_array().unwrap().len(), 1, "{status}");
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);

    reload(&format!("{PBX}{second}"));
    site.daemon
        .wait_for_source("pbx", "the PBX that is back", watching);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}
