//! How the daemon watches its PBXes, and what it says when it can't.

use std::time::{Duration, Instant};

use ringfence_testkit::{Asterisk, Daemon, FakeAmi, Net, Transport, Version, events, kernel, until};

use crate::site::{PBX, RINGFENCE, Site, guess_five};

/// A source for a server that the test plays itself.
fn fake_source(name: &str, server: &FakeAmi) -> String {
    format!(
        "[[asterisk]]\nname = \"{name}\"\naddress = \"{}\"\nusername = \"ringfence\"\nsecret = \"fake-secret\"\n",
        server.address()
    )
}

#[test]
fn a_manager_user_without_the_security_class_is_named() {
    let net = Net::new();
    let _asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    let config = PBX
        .replace("\"ringfence\"", "\"deaf\"")
        .replace("ringfence-secret", "deaf-secret");
    let daemon = Daemon::spawn(&net, RINGFENCE, &config);
    let source = daemon.wait_for_source("pbx", "blindness to be noticed", |source| {
        source["state"] == "blind"
    });
    let problem = source["problem"].as_str().unwrap();
    for part in ["manager.conf", "security"] {
        assert!(problem.contains(part), "no {part} in: {problem}");
    }
    let check = daemon.cli(&["check", "--live"]);
    assert_ne!(check.code, Some(0), "{check:?}");
    let words = check.stdout + &check.stderr;
    for part in ["manager.conf", "security"] {
        assert!(words.contains(part), "no {part} in: {words}");
    }
}

#[test]
fn check_live_proves_a_right_set_up() {
    let site = Site::new(Version::V22);
    let check = site.daemon.must(&["check", "--live"]);
    assert!(check.stdout.contains("pbx"), "{check:?}");
    // The check tests the same kernel that the daemon bans in, and must not disturb it.
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    site.daemon.must(&["ban", "192.0.2.101"]);
    site.daemon.must(&["check", "--live"]);
    site.assert_silent(&attacker);
    assert_eq!(kernel::elements(site.net.pbx()), ["192.0.2.101"]);
}

#[test]
fn a_wrong_secret_is_said_and_not_hammered() {
    let net = Net::new();
    let server = FakeAmi::start(Some(net.pbx()), "ringfence", "another-secret");
    let daemon = Daemon::spawn(&net, RINGFENCE, &fake_source("pbx", &server));
    let start = Instant::now();
    let source = daemon.wait_for_source("pbx", "the refusal to be noticed", |source| {
        source["state"] == "refused"
    });
    let problem = source["problem"].as_str().unwrap();
    assert!(problem.contains("secret"), "{problem}");
    assert!(!daemon.log().contains("fake-secret"), "the secret is in the log");
    until(Duration::from_secs(12), "ten seconds", || {
        (start.elapsed() > Duration::from_secs(10)).then_some(())
    });
    let connections = server.connections();
    assert!(
        (1..=3).contains(&connections),
        "{connections} connections within ten seconds"
    );
}

#[test]
fn a_wrong_secret_at_a_real_pbx_is_said() {
    let net = Net::new();
    let _asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    let daemon = Daemon::spawn(&net, RINGFENCE, &PBX.replace("ringfence-secret", "wrong"));
    let source = daemon.wait_for_source("pbx", "the refusal to be noticed", |source| {
        source["state"] == "refused"
    });
    assert!(source["problem"].as_str().unwrap().contains("secret"), "{source}");
    // Its own refused logins come from the PBX's machine: they ban nobody.
    assert_eq!(kernel::elements(net.pbx()), [""; 0]);
}

#[test]
fn a_pbx_that_closes_every_connection_is_not_hammered() {
    let net = Net::new();
    let server = FakeAmi::start(Some(net.pbx()), "ringfence", "fake-secret");
    server.behave(|manners| manners.refusing = true);
    let mut daemon = Daemon::spawn(&net, RINGFENCE, &fake_source("pbx", &server));
    let start = Instant::now();
    let source = daemon.wait_for_source("pbx", "the closing to be noticed", |source| {
        source["problem"] != ""
    });
    assert!(
        source["problem"].as_str().unwrap().contains("authlimit"),
        "{source}"
    );
    until(Duration::from_secs(6), "five seconds", || {
        (start.elapsed() > Duration::from_secs(5)).then_some(())
    });
    let connections = server.connections();
    assert!(
        (2..=8).contains(&connections),
        "{connections} connections within five seconds"
    );
    server.behave(|manners| manners.refusing = false);
    daemon.wait_until_watching();
}

#[test]
fn a_pbx_that_comes_later_is_found() {
    let net = Net::new();
    let daemon = Daemon::spawn(&net, RINGFENCE, PBX);
    let source = daemon.wait_for_source("pbx", "the absence to be noticed", |source| {
        source["problem"] != ""
    });
    assert_eq!(source["state"], "connecting", "{source}");
    let asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    let mut site = Site {
        daemon,
        asterisk,
        net,
    };
    site.daemon.wait_until_watching();
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    site.assert_silent(&attacker);
}

#[test]
fn tls_with_an_authority_and_with_a_pinned_certificate() {
    let net = Net::new();
    let asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    let ca = net.dir().join("ca.pem");
    std::fs::write(&ca, &asterisk.certificates().ca).unwrap();
    let authority = format!("tls = true\nca_file = \"{}\"", ca.display());
    let pinned = |fingerprint: &[u8]| {
        let hex: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("tls = true\nfingerprint = \"{}\"", hex.join(":"))
    };
    let source = |tls: &str| PBX.replace("5038\"", &format!("5039\"\n{tls}"));
    let fingerprint = asterisk.certificates().fingerprint;
    let daemon = Daemon::start(&net, RINGFENCE, &source(&authority));
    let mut site = Site {
        daemon,
        asterisk,
        net,
    };
    for (number, tls) in [(101, authority.clone()), (102, pinned(&fingerprint))] {
        site.daemon.stop();
        site.daemon.configure(&source(&tls));
        site.daemon.run(&[]);
        site.daemon.wait_until_watching();
        let attacker = site.caller(&format!("192.0.2.{number}"), Transport::Udp);
        guess_five(&attacker, "alice", 401);
        site.wait_for_ban(&attacker);
        site.assert_silent(&attacker);
    }
    // Another certificate, and a name that it does not carry.
    for tls in [
        pinned(&[7; 32]),
        format!("{authority}\nserver_name = \"elsewhere.example\""),
    ] {
        site.daemon.stop();
        site.daemon.configure(&source(&tls));
        site.daemon.run(&[]);
        let source = site
            .daemon
            .wait_for_source("pbx", "the certificate to be refused", |source| {
                source["problem"] != ""
            });
        assert_ne!(source["state"], "watching", "{source}");
        assert!(
            source["problem"].as_str().unwrap().contains("certificate"),
            "{source}"
        );
    }
}

#[test]
fn a_server_that_stalls_or_is_cut_off_is_noticed_and_watched_again() {
    let net = Net::new();
    let server = FakeAmi::start(Some(net.pbx()), "ringfence", "fake-secret");
    let mut daemon = Daemon::start(&net, RINGFENCE, &fake_source("pbx", &server));
    server.behave(|manners| manners.stalled = true);
    daemon.wait_for_source("pbx", "the stall to be noticed", |source| {
        source["state"] != "watching"
    });
    server.behave(|manners| manners.stalled = false);
    daemon.wait_until_watching();
    server.cut();
    daemon.wait_for_source("pbx", "a second connection", |source| {
        source["state"] == "watching" && source["connects"].as_u64().is_some_and(|connects| connects > 1)
    });
    let attacker = "192.0.2.101:5060".parse().unwrap();
    for guess in 0..5 {
        let attempt = events::wrong_password(&events::now(), "alice", &format!("call-{guess}"), attacker);
        assert_eq!(server.inject(attempt.as_bytes()), 1);
    }
    until(Duration::from_secs(5), "the ban", || {
        kernel::holds(net.pbx(), attacker.ip()).then_some(())
    });
}

#[test]
fn guesses_at_several_pbxes_add_up() {
    let net = Net::new();
    let servers = [0, 1, 2].map(|_| FakeAmi::start(Some(net.pbx()), "ringfence", "fake-secret"));
    let sources = servers
        .iter()
        .enumerate()
        .map(|(index, server)| fake_source(&format!("pbx{index}"), server));
    let daemon = Daemon::start(&net, RINGFENCE, &sources.collect::<String>());
    let attacker = "192.0.2.101:5060".parse().unwrap();
    for guess in 0..5 {
        let attempt = events::wrong_password(&events::now(), "alice", &format!("call-{guess}"), attacker);
        assert_eq!(servers[guess % 3].inject(attempt.as_bytes()), 1);
    }
    until(Duration::from_secs(5), "the ban", || {
        kernel::holds(net.pbx(), attacker.ip()).then_some(())
    });
    assert_eq!(daemon.ban_of("192.0.2.101").unwrap()["attempts"], 5);
}

#[test]
fn garbage_from_a_pbx_does_not_end_the_watch() {
    let net = Net::new();
    let server = FakeAmi::start(Some(net.pbx()), "ringfence", "fake-secret");
    let mut daemon = Daemon::start(&net, RINGFENCE, &fake_source("pbx", &server));
    let huge = format!(
        "Event: VarSet\r\nPrivilege: dialplan,all\r\nValue: {}\r\n\r\n",
        "x".repeat(120_000)
    );
    let garbage: [&[u8]; 6] = [
        b"\r\n\r\n\r\n",
        b"\xff\xfe\x00\x00garbage without any colon\r\n\r\n",
        b"Event: TestEvent\r\nPrivilege: reporting,all\r\nType: StateChange\r\n\r\n",
        b"Event: InvalidPassword\r\nRemoteAddress: IPV4/UDP/192.0.2.9/1\r\n\r\n",
        b"Event: SuccessfulAuth\rPrivilege: security,all\rRemoteAddress: IPV4/UDP/192.0.2.9/1\r\r",
        huge.as_bytes(),
    ];
    for _ in 0..10 {
        for bytes in garbage {
            server.inject(bytes);
        }
    }
    let attacker = "192.0.2.101:5060".parse().unwrap();
    for guess in 0..5 {
        let attempt = events::wrong_password(&events::now(), "alice", &format!("call-{guess}"), attacker);
        server.inject(attempt.as_bytes());
    }
    until(Duration::from_secs(5), "the ban", || {
        kernel::holds(net.pbx(), attacker.ip()).then_some(())
    });
    assert_eq!(kernel::elements(net.pbx()), ["192.0.2.101"]);
    daemon.wait_until_watching();
}
