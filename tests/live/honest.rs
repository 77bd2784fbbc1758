//! People who make mistakes, and machines that only look suspicious: never banned.

use ringfence_testkit::{Answer, Request, Transport, Version, kernel};

use crate::site::{PBX, SILENCE, Site, guess_five};

/// After all that was sent before has been judged, nobody is banned. An attacker elsewhere shows that judging goes on.
fn assert_nobody_else_is_banned(site: &Site) {
    let attacker = site.caller("192.0.2.130", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
    assert_eq!(kernel::elements(site.net.pbx()), ["192.0.2.130"]);
}

#[test]
fn a_phone_whose_owner_mistypes_twice_and_then_succeeds() {
    let site = Site::new(Version::V22);
    let phone = site.caller("192.0.2.51", Transport::Udp);
    for _ in 0..4 {
        for password in ["alice-secrte", "Alice-secret"] {
            assert_eq!(phone.register("alice", password), Answer::Status(401));
        }
        assert_eq!(phone.register("alice", "alice-secret"), Answer::Status(200));
    }
    assert_nobody_else_is_banned(&site);
    assert_eq!(phone.register("alice", "alice-secret"), Answer::Status(200));
}

#[test]
fn a_phone_that_keeps_its_connection_alive() {
    let site = Site::new(Version::V22);
    let phone = site.caller("192.0.2.51", Transport::Udp);
    let mut line = phone.line().unwrap();
    // More than a phone sends in half an hour, within the time that the flood jail looks at.
    for _ in 0..40 {
        assert_eq!(line.send(&Request::options("alice")), Answer::Status(401));
    }
    assert_nobody_else_is_banned(&site);
    assert_eq!(line.send(&Request::options("alice")), Answer::Status(401));
}

#[test]
fn a_call_center_that_registers_all_its_phones_at_once() {
    let site = Site::new(Version::V22);
    let office = site.caller("192.0.2.51", Transport::Udp);
    // Each is challenged once and then answers.
    for _ in 0..30 {
        for name in ["alice", "bob"] {
            assert_eq!(
                office.register(name, &format!("{name}-secret")),
                Answer::Status(200)
            );
        }
    }
    assert_nobody_else_is_banned(&site);
    assert_eq!(office.register("alice", "alice-secret"), Answer::Status(200));
}

#[test]
fn a_trunk_that_needs_no_password() {
    let site = Site::new(Version::V22);
    let trunk = site.caller("192.0.2.150", Transport::Udp);
    for _ in 0..60 {
        assert_eq!(trunk.send(&Request::options("100")), Answer::Status(200));
    }
    assert_nobody_else_is_banned(&site);
    assert_eq!(trunk.send(&Request::options("100")), Answer::Status(200));
}

#[test]
fn addresses_in_ignoreip() {
    let config = format!("ignoreip = [\"192.0.2.52\", \"203.0.113.0/29\", \"2001:db8:22::/112\"]\n{PBX}");
    let site = Site::configured(Version::V22, &[], &config);
    for source in ["192.0.2.52", "203.0.113.5", "2001:db8:22::105"] {
        let phone = site.caller(source, Transport::Udp);
        for _ in 0..20 {
            assert_eq!(phone.register("alice", "wrong"), Answer::Status(401), "{source}");
        }
    }
    assert_nobody_else_is_banned(&site);
    for source in ["192.0.2.52", "203.0.113.5", "2001:db8:22::105"] {
        let phone = site.caller(source, Transport::Udp).patience(SILENCE);
        assert_eq!(phone.register("alice", "wrong"), Answer::Status(401), "{source}");
    }
}
