//! How banned packets are stopped: prefixes, rejection, full sets, packets that are counted.

use std::time::Duration;

use ringfence_testkit::{Answer, Request, Transport, Version, kernel, until};

use crate::site::{PBX, SILENCE, Site, assert_answered, guess_five};

#[test]
fn prefixes_stop_everybody_inside_and_nobody_else() {
    let site = Site::new(Version::V22);
    site.daemon.must(&["ban", "192.0.2.96/29"]);
    site.daemon.must(&["ban", "2001:db8:22::100/125"]);
    // Inside the first prefix: order and overlap don't matter.
    site.daemon.must(&["ban", "192.0.2.102"]);
    site.daemon.must(&["ban", "192.0.2.100/31"]);
    for source in ["192.0.2.101", "192.0.2.102", "192.0.2.103", "2001:db8:22::105"] {
        site.assert_silent(&site.caller(source, Transport::Udp));
    }
    for source in ["192.0.2.104", "203.0.113.5", "2001:db8:22::108"] {
        assert_answered(&site.caller(source, Transport::Udp));
    }
    // An address can't be let out of a prefix that stays banned, and the answer says so.
    let cli = site.daemon.cli(&["unban", "192.0.2.103"]);
    assert!(
        (cli.stdout.clone() + &cli.stderr).contains("192.0.2.96/29"),
        "{cli:?}"
    );
    site.assert_silent(&site.caller("192.0.2.103", Transport::Udp));
    site.daemon.must(&["unban", "192.0.2.96/29"]);
    for source in ["192.0.2.101", "192.0.2.102", "192.0.2.103"] {
        assert_answered(&site.caller(source, Transport::Udp));
    }
    site.assert_silent(&site.caller("2001:db8:22::105", Transport::Udp));
    site.daemon.must(&["unban", "--all"]);
    assert_answered(&site.caller("2001:db8:22::105", Transport::Udp));
    assert_eq!(kernel::elements(site.net.pbx()), [""; 0]);
}

#[test]
fn rejected_packets_are_answered_by_the_firewall_and_not_by_the_pbx() {
    let site = Site::configured(
        Version::V22,
        &[],
        &format!("{PBX}\n[fence]\nblock = \"reject\"\n"),
    );
    for (source, transport) in [
        ("192.0.2.101", Transport::Udp),
        ("192.0.2.102", Transport::Tcp),
        ("2001:db8:22::101", Transport::Udp),
    ] {
        let attacker = site.caller(source, transport);
        guess_five(&attacker, "alice", 401);
        site.wait_for_ban(&attacker);
        let answer = attacker.send(&Request::register("alice"));
        assert_eq!(answer, Answer::Closed, "{source} {transport:?}");
    }
    site.assert_phone_works();
}

#[test]
fn packets_of_the_banned_are_counted() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    site.daemon.must(&["ban", "192.0.2.101"]);
    let mut line = attacker.patience(SILENCE).line().unwrap();
    for _ in 0..7 {
        line.throw(&Request::register("alice"));
    }
    let ban = until(Duration::from_secs(3), "the packets to be counted", || {
        site.daemon
            .ban_of("192.0.2.101")
            .filter(|ban| ban["packets"].as_u64() >= Some(7))
    });
    assert_eq!(ban["packets"], 7, "{ban}");
}

#[test]
fn what_is_never_banned_can_not_be_banned_by_order_either() {
    let site = Site::configured(Version::V22, &[], &format!("ignoreip = [\"192.0.2.52\"]\n{PBX}"));
    for target in ["192.0.2.52", "192.0.2.22", "127.0.0.1", "2001:db8:22::22"] {
        let cli = site.daemon.cli(&["ban", target]);
        assert_ne!(cli.code, Some(0), "{target}: {cli:?}");
        assert!(!cli.stderr.is_empty(), "{target}: {cli:?}");
    }
    assert_eq!(kernel::elements(site.net.pbx()), [""; 0]);
    assert_eq!(
        site.caller("192.0.2.52", Transport::Udp)
            .register("bob", "bob-secret"),
        Answer::Status(200)
    );
}

#[test]
fn a_full_set_is_said_and_what_fits_stays() {
    let site = Site::configured(Version::V22, &[], &format!("{PBX}\n[fence]\ncapacity = 1000\n"));
    // Nobody lives in this network.
    for number in 0..=1001_u32 {
        let target = format!("198.51.{}.{}", 100 + number / 250, number % 250);
        let cli = site.daemon.cli(&["ban", &target]);
        assert!(cli.code == Some(0) || number >= 1000, "{target}: {cli:?}");
    }
    let status = until(Duration::from_secs(5), "the full set to be reported", || {
        site.daemon
            .status()
            .filter(|status| !status["fence"]["problem"].is_null())
    });
    let problem = status["fence"]["problem"].as_str().unwrap();
    assert!(
        problem.contains("full") && problem.contains("capacity"),
        "{problem}"
    );
    assert_eq!(kernel::elements(site.net.pbx()).len(), 1000);
    site.assert_phone_works();
}
