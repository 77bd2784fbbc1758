//! Attackers who write manager-interface text into SIP headers: it never decides about anybody but themselves.

use std::time::Duration;

use ringfence_testkit::{AmiClient, Answer, Request, Transport, Version, kernel, until};

use crate::site::{SILENCE, Site, guess_five};

/// Lives where the forged headers point to.
const VICTIM: &str = "192.0.2.9";

/// From users that PJSIP decodes and puts into its events unescaped, at most 36 bytes of each. Between `%0d%0a` stand whole
/// forged headers; the first two name the victim, and fill the 36 bytes.
const FORGED: [&str; 10] = [
    "%0d%0aRemoteAddress%3aIPV4/UDP/192.0.2.9/1",
    "%0aRemoteAddress%3a%20IPV4/UDP/192.0.2.9/1",
    "x%0d%0aRemoteAddress%3a%20IPV4/UDP/0.0.0.0/1",
    "x%0d%0a%0d%0aEvent%3a%20SuccessfulAuth",
    "x%0d%0a%0d%0aEvent%3a%20InvalidPassword",
    "%0d%0aSessionID%3a%200x7f112c002a40",
    "x%0d%0aService%3a%20AMI",
    "x%0d%0a%0d%0aResponse%3a%20Goodbye%0d%0a",
    "x%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0a",
    "x%00%0d%0aEventTV%3a%200-0",
];

#[test]
fn forged_headers_neither_ban_others_nor_free_anybody() {
    let site = Site::new(Version::V22);
    forge(&site);
}

#[test]
fn forged_headers_at_16() {
    let site = Site::new(Version::V16);
    forge(&site);
}

fn forge(site: &Site) {
    let mut watch = AmiClient::connect(
        site.net.pbx(),
        "127.0.0.1:5038".parse().unwrap(),
        None,
        Duration::from_secs(2),
    )
    .unwrap();
    assert!(watch.login("ringfence", "ringfence-secret"));
    let already = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&already, "alice", 401);
    site.wait_for_ban(&already);
    let victim = site.caller(VICTIM, Transport::Udp);
    assert_eq!(victim.register("alice", "alice-secret"), Answer::Status(200));

    // Each from an address of its own, so that none is banned before it has sent all its forms.
    for (index, user) in FORGED.iter().enumerate() {
        let forger = site
            .caller(&format!("192.0.2.{}", 110 + index), Transport::Udp)
            .patience(SILENCE);
        for _ in 0..5 {
            let request = Request::register("alice").from_user(*user).password("wrong");
            // What is wrong with it is Asterisk's affair; some forms are refused, some ignored.
            forger.send(&request);
        }
    }
    watch.send("Action: Ping\r\n\r\n");
    let forged = "\r\nRemoteAddress:IPV4/UDP/192.0.2.9/1";
    assert!(
        watch.wait_for(forged, Duration::from_secs(3)),
        "the forgery got through Asterisk"
    );

    // One who forges pardons for himself between his guesses.
    let pardoner = site.caller("192.0.2.102", Transport::Udp);
    for guess in 0..5 {
        assert_eq!(
            pardoner.register("alice", "wrong"),
            Answer::Status(401),
            "guess {guess}"
        );
        let pardon = Request::register("alice").from_user("alice%0d%0a%0d%0aEvent%3a%20SuccessfulAuth%0d%0a");
        if guess < 4 {
            pardoner.clone().patience(SILENCE).send(&pardon);
        }
    }
    site.wait_for_ban(&pardoner);
    site.assert_silent(&pardoner);

    site.assert_silent(&already);
    for _ in 0..3 {
        assert_eq!(
            victim.register("alice", "alice-secret"),
            Answer::Status(200),
            "the victim is banned"
        );
    }
    let held = kernel::elements(site.net.pbx());
    for other in ["192.0.2.9", "0.0.0.0", "127.0.0.1", "192.0.2.22", "192.0.2.50"] {
        assert!(
            !held.iter().any(|element| element == other),
            "{other} is banned: {held:?}"
        );
    }
    assert!(site.daemon.ban_of(VICTIM).is_none());
    let source = site
        .daemon
        .wait_for_source("pbx", "the injections to be noticed", |source| {
            source["suspicious"].as_u64().is_some_and(|count| count >= 5)
        });
    assert_eq!(source["state"], "watching", "{source}");
}

#[test]
fn odd_call_ids_neither_break_nor_blind_the_daemon() {
    let site = Site::new(Version::V22);
    let odd = site.caller("192.0.2.101", Transport::Udp).patience(SILENCE);
    let mut long = vec![b'a'; 2000];
    long.extend_from_slice(b"@b");
    let forms: [&[u8]; 5] = [
        b"RemoteAddress: IPV4/UDP/192.0.2.9/5060",
        b"a\xffb",
        b"\"quoted\" <tag>",
        b"%0d%0aRemoteAddress%3a%20IPV4/UDP/192.0.2.9/1",
        &long,
    ];
    for call_id in forms {
        for _ in 0..2 {
            odd.send(&Request::register("alice").call_id(call_id).password("wrong"));
        }
    }
    let attacker = site.caller("192.0.2.102", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
    until(Duration::from_secs(5), "the victim to be free", || {
        (!site.held(VICTIM.parse().unwrap())).then_some(())
    });
    let victim = site.caller(VICTIM, Transport::Udp);
    assert_eq!(victim.register("alice", "alice-secret"), Answer::Status(200));
}
