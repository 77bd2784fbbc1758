//! What an admin orders on the command line.

use std::time::Duration;

use ringfence_testkit::{Answer, Daemon, Request, Transport, Version, kernel, until};

use crate::site::{PBX, RINGFENCE, SILENCE, Site, assert_answered, guess_five};

const BOUND: Duration = Duration::from_secs(5);

#[test]
fn ban_and_unban() {
    let site = Site::new(Version::V22);
    let (first, second) = (
        site.caller("192.0.2.101", Transport::Udp),
        site.caller("192.0.2.102", Transport::Tcp),
    );
    assert_answered(&first);
    site.daemon.must(&["ban", "192.0.2.101", "--for", "1h"]);
    site.daemon.must(&["ban", "192.0.2.102"]);
    site.daemon.must(&["ban", "2001:db8:22::101", "--for", "1h"]);
    for banned in [&first, &second, &site.caller("2001:db8:22::101", Transport::Udp)] {
        site.assert_silent(banned);
    }
    site.daemon.must(&["unban", "192.0.2.101"]);
    assert_answered(&first);
    site.assert_silent(&second);
    site.daemon.must(&["unban", "--all"]);
    assert_answered(&second);
    assert_answered(&site.caller("2001:db8:22::101", Transport::Udp));
    assert_eq!(kernel::elements(site.net.pbx()), [""; 0]);
    assert!(site.daemon.banned().is_empty());
}

#[test]
fn a_ban_by_order_ends_by_itself() {
    let site = Site::new(Version::V22);
    let caller = site.caller("192.0.2.101", Transport::Udp);
    site.daemon.must(&["ban", "192.0.2.101", "--for", "2s"]);
    site.assert_silent(&caller);
    assert_answered(&caller);
    until(BOUND, "the ban to leave the list", || {
        site.daemon.banned().is_empty().then_some(())
    });
}

#[test]
fn unban_after_an_attack_starts_afresh() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
    site.daemon.must(&["unban", "192.0.2.101"]);
    assert_answered(&attacker);
    for _ in 0..4 {
        assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    }
    assert_eq!(attacker.register("alice", "alice-secret"), Answer::Status(200));
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}

#[test]
fn why_tells_the_events_behind_a_ban() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    let why = site
        .daemon
        .must(&["why", "192.0.2.101", "--json"])
        .json()
        .to_string();
    for part in ["192.0.2.101", "auth", "wrong-password", "alice"] {
        assert!(why.contains(part), "no {part} in {why}");
    }
    let ban = site.daemon.ban_of("192.0.2.101").unwrap();
    assert_eq!(
        (&ban["jail"], &ban["scope"], &ban["attempts"]),
        (&"auth".into(), &"address".into(), &5.into()),
        "{ban}"
    );
    let remaining = ban["remaining_s"].as_u64().unwrap();
    assert!((3590..=3600).contains(&remaining), "{ban}");
}

#[test]
fn names_chosen_by_attackers_do_not_reach_the_terminal_as_they_are() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp).patience(SILENCE);
    for number in 0..3 {
        attacker.send(&Request::register("alice").from_user(format!("{number}%1b%5b31m%07%0d%0aroot")));
    }
    site.wait_for_ban(&attacker);
    let why = site.daemon.cli(&["why", "192.0.2.101"]).stdout;
    assert!(why.contains("\\x1b[31m"), "{why}");
    for printed in [
        why,
        site.daemon.log(),
        site.daemon.cli(&["why", "192.0.2.101", "--json"]).stdout,
    ] {
        assert!(!printed.contains(['\u{1b}', '\u{7}', '\r']), "{printed:?}");
    }
}

#[test]
fn a_dry_run_touches_nothing() {
    let mut site = Site::new(Version::V22);
    site.daemon.stop();
    site.daemon.must(&["purge"]);
    site.daemon.run(&["--dry-run"]);
    site.daemon.wait_until_watching();
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    until(BOUND, "the verdict", || site.daemon.ban_of("192.0.2.101"));
    assert_answered(&attacker);
    assert_eq!(site.net.pbx().nft("list tables"), "", "a dry run made a table");
}

#[test]
fn stopping_keeps_the_bans_and_purge_leaves_nothing() {
    let mut site = Site::new(Version::V22);
    let caller = site.caller("192.0.2.101", Transport::Udp);
    site.daemon.must(&["ban", "192.0.2.101"]);
    let status = site.daemon.stop();
    assert!(status.success(), "{status}\n{}", site.daemon.log());
    site.assert_silent(&caller);
    site.daemon.must(&["purge"]);
    assert_answered(&caller);
    assert_eq!(site.net.pbx().nft("list ruleset"), "");
}

#[test]
fn commands_without_a_daemon_say_so() {
    let mut site = Site::new(Version::V22);
    site.daemon.stop();
    for arguments in [
        &["status"][..],
        &["banned"],
        &["ban", "192.0.2.101"],
        &["why", "192.0.2.101"],
        &["reload"],
    ] {
        let cli = site.daemon.cli(arguments);
        assert_eq!(cli.code, Some(69), "{arguments:?}: {cli:?}");
        assert!(cli.stderr.contains("ringfence run"), "{arguments:?}: {cli:?}");
    }
}

#[test]
fn two_daemons_do_not_fight_over_one_socket() {
    let site = Site::new(Version::V22);
    let second = site.daemon.cli(&["run"]);
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    assert!(site.daemon.status().is_some());
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    assert_eq!(
        attacker.patience(SILENCE).send(&Request::register("alice")),
        Answer::Silence
    );
}

#[test]
fn two_daemons_do_not_fight_over_one_kernel() {
    let site = Site::new(Version::V22);
    site.daemon.must(&["ban", "192.0.2.101"]);
    let dir = site.net.dir().join("second");
    std::fs::create_dir(&dir).unwrap();
    // Another configuration, store and socket, in the same network.
    let config = std::fs::read_to_string(site.net.dir().join("ringfence.toml")).unwrap();
    let config = config.replace(&site.net.dir().display().to_string(), &dir.display().to_string());
    let file = dir.join("ringfence.toml");
    std::fs::write(&file, config).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = site.net.pbx().command("timeout");
    let second = command
        .args(["5", RINGFENCE, "run", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(
        second.status.code().is_some_and(|code| code != 0 && code != 124),
        "{second:?}"
    );
    assert!(
        words.contains(&site.daemon.id().to_string()),
        "who is there already: {words}"
    );
    site.assert_silent(&site.caller("192.0.2.101", Transport::Udp));
}

#[test]
fn without_the_right_to_change_the_firewall_it_does_not_pretend() {
    let site = Site::new(Version::V22);
    let config = site.net.dir().join("ringfence.toml");
    drop(site.daemon);
    let output = site
        .net
        .pbx()
        .command("setpriv")
        .args([
            "--bounding-set=-net_admin",
            "--inh-caps=-net_admin",
            RINGFENCE,
            "run",
            "--config",
        ])
        .arg(config)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{words}");
    assert!(words.contains("CAP_NET_ADMIN"), "{words}");
}

#[test]
fn a_foreign_table_of_the_same_name_is_not_touched() {
    let net = ringfence_testkit::Net::new();
    let foreign = "table inet ringfence {\nset mine {\ntype inet_service; elements = { 22 }\n}\n}";
    net.pbx().nft(foreign);
    let before = net.pbx().nft("list ruleset");
    let mut daemon = Daemon::spawn(&net, RINGFENCE, PBX);
    let status = daemon.wait();
    assert_eq!(status.code(), Some(77), "{}", daemon.log());
    assert!(daemon.log().contains("inet ringfence"), "{}", daemon.log());
    assert_eq!(net.pbx().nft("list ruleset"), before);
}
