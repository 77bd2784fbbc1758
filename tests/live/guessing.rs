//! Attackers who guess passwords and names, or flood: the packet after the last tolerated one gets no answer.

use ringfence_testkit::{Answer, Request, Transport, Version};

use crate::site::{PBX, SILENCE, Site, guess_five};

/// Five wrong passwords from `source`; the sixth packet gets no answer, also on a connection that was there before.
fn five_wrong_passwords(version: Version, source: &str, transport: Transport) {
    let site = Site::new(version);
    let attacker = site.caller(source, transport);
    let mut before = attacker.clone().patience(SILENCE).line().unwrap();
    assert_eq!(before.send(&Request::register("alice")), Answer::Status(401));
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
    assert_eq!(
        before.send(&Request::register("alice")),
        Answer::Silence,
        "the open socket"
    );
}

#[test]
fn wrong_passwords_over_udp() {
    five_wrong_passwords(Version::V22, "192.0.2.101", Transport::Udp);
}

#[test]
fn wrong_passwords_over_tcp() {
    five_wrong_passwords(Version::V22, "192.0.2.101", Transport::Tcp);
}

#[test]
fn wrong_passwords_over_tls() {
    five_wrong_passwords(Version::V22, "192.0.2.101", Transport::Tls);
}

#[test]
fn wrong_passwords_over_ipv6() {
    five_wrong_passwords(Version::V22, "2001:db8:22::101", Transport::Udp);
}

#[test]
fn wrong_passwords_over_ipv6_and_tcp() {
    five_wrong_passwords(Version::V22, "2001:db8:22::101", Transport::Tcp);
}

#[test]
fn wrong_passwords_at_pjsip_of_16() {
    five_wrong_passwords(Version::V16, "192.0.2.101", Transport::Udp);
}

#[test]
fn wrong_passwords_in_calls() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    for _ in 0..5 {
        let call = Request::invite("alice", "00441234567").password("wrong");
        assert_eq!(attacker.send(&call), Answer::Status(401));
    }
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}

#[test]
fn wrong_passwords_from_changing_ports_and_transports_add_up() {
    let site = Site::new(Version::V22);
    let udp = site.caller("192.0.2.101", Transport::Udp);
    let tcp = site.caller("192.0.2.101", Transport::Tcp);
    for attacker in [&udp, &tcp, &udp, &tcp, &udp] {
        assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    }
    site.wait_for_ban(&udp);
    site.assert_silent(&udp);
    site.assert_silent(&tcp);
}

#[test]
fn wrong_passwords_at_chan_sip_of_16() {
    let site = Site::new(Version::V16);
    for (source, transport) in [("192.0.2.101", Transport::Udp), ("192.0.2.102", Transport::Tcp)] {
        let attacker = site.chan_sip(source, transport);
        guess_five(&attacker, "dave", 403);
        site.wait_for_ban(&attacker);
        let sixth = Request::register("dave").password("dave-secret");
        assert_eq!(
            attacker.patience(SILENCE).send(&sixth),
            Answer::Silence,
            "{transport:?}"
        );
    }
    let phone = site.chan_sip("192.0.2.50", Transport::Udp);
    assert_eq!(phone.register("dave", "dave-secret"), Answer::Status(200));
}

#[test]
fn nothing_has_to_be_logged() {
    let site = Site::configured(Version::V22, &["quiet"], PBX);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
    assert!(!site.asterisk.logs().join("messages").exists());
    assert!(!site.asterisk.logs().join("security").exists());
}

#[test]
fn names_that_do_not_exist() {
    let site = Site::new(Version::V22);
    let prober = site.caller("192.0.2.101", Transport::Udp);
    for name in ["1000", "1001", "1002"] {
        assert_eq!(prober.send(&Request::register(name)), Answer::Status(401));
    }
    site.wait_for_ban(&prober);
    site.assert_silent(&prober);
    let ban = site.daemon.ban_of("192.0.2.101").unwrap();
    assert_eq!(ban["jail"], "enumeration", "{ban}");
}

#[test]
fn names_that_do_not_exist_with_passwords() {
    let site = Site::new(Version::V22);
    let guesser = site.caller("192.0.2.101", Transport::Tcp).patience(SILENCE);
    for name in ["1000", "1001"] {
        assert_eq!(guesser.register(name, "1234"), Answer::Status(401));
    }
    // The third name is known to be unknown before the password comes.
    guesser.register("1002", "1234");
    site.wait_for_ban(&guesser);
    site.assert_silent(&guesser);
}

#[test]
fn a_flood_of_requests_that_never_answer_the_challenge() {
    let site = Site::new(Version::V22);
    let flooder = site.caller("192.0.2.101", Transport::Udp);
    let mut line = flooder.line().unwrap();
    for _ in 0..50 {
        assert_eq!(line.send(&Request::register("alice")), Answer::Status(401));
    }
    site.wait_for_ban(&flooder);
    site.assert_silent(&flooder);
    let ban = site.daemon.ban_of("192.0.2.101").unwrap();
    assert_eq!(ban["jail"], "flood", "{ban}");
}

#[test]
fn a_phone_that_may_not_come_from_there() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp).patience(SILENCE);
    for _ in 0..4 {
        assert_eq!(attacker.register("carol", "wrong"), Answer::Status(401));
    }
    // The fifth fails before the password comes.
    attacker.register("carol", "wrong");
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}

#[test]
fn guesses_that_all_pretend_to_be_one_call() {
    let site = Site::new(Version::V22);
    let guess = Request::register("alice").password("wrong").call_id("one-call");
    for (source, transport) in [("192.0.2.101", Transport::Udp), ("192.0.2.102", Transport::Tcp)] {
        let attacker = site.caller(source, transport).patience(SILENCE);
        let stopped = (0..20).any(|_| attacker.send(&guess) == Answer::Silence);
        assert!(stopped, "twenty guesses over {transport:?}");
        site.assert_silent(&attacker);
    }
    // All on one connection.
    let attacker = site.caller("192.0.2.103", Transport::Tcp).patience(SILENCE);
    let mut line = attacker.line().unwrap();
    assert!(
        (0..20).any(|_| line.send(&guess) == Answer::Silence),
        "twenty guesses"
    );
    site.assert_silent(&attacker);
}

#[test]
fn guesses_between_logins_to_an_account_of_their_own() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp).patience(SILENCE);
    for _ in 0..5 {
        assert_eq!(attacker.register("bob", "bob-secret"), Answer::Status(200));
        assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    }
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}

#[test]
fn floods_from_thirty_addresses_at_once() {
    let site = Site::new(Version::V22);
    let flooders: Vec<_> = (101..=130)
        .map(|last| site.caller(&format!("192.0.2.{last}"), Transport::Udp))
        .collect();
    std::thread::scope(|scope| {
        for flooder in &flooders {
            scope.spawn(move || {
                // Each waits for its challenge, so that Asterisk's socket takes them all, and never answers it.
                let mut line = flooder.line().unwrap();
                let stopped = (0..200).any(|_| line.send(&Request::register("alice")) == Answer::Silence);
                assert!(stopped, "two hundred challenges for {}", flooder.source());
            });
        }
    });
    for flooder in &flooders {
        site.wait_for_ban(flooder);
    }
    site.assert_silent(&flooders[0]);
    site.assert_silent(&flooders[29]);
}
