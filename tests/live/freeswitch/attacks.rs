//! Who guesses, floods or is refused by an access list: banned with the attempt that is one too many, not before.

use super::{
    AuthResult, Block, DOMAIN, Duration, IpAddr, Nodes, PATIENCE, SocketAddr, Try, fs_events, kernel, until,
};

/// Four wrong passwords do nothing, the fifth bans.
fn the_fifth_bans(source: &str, transport: &'static str) {
    let nodes = Nodes::new(1, "");
    let peer = SocketAddr::new(source.parse().unwrap(), 40_000);
    let other = match peer.ip() {
        IpAddr::V4(_) => "192.0.2.110",
        IpAddr::V6(_) => "2001:db8:22::110",
    };
    for number in 1..=5 {
        let attempt = Try {
            transport,
            ..Try::register(peer, "1000", DOMAIN, &format!("call-{number}"))
        };
        nodes.tell(0, &attempt.wrong_password(), 2);
        if number == 4 {
            // the failure of each was told four times, by two events and two lines of the log
            assert!(!nodes.held(peer.ip()), "the fourth bans");
            nodes.assert_passes(peer.ip());
        }
    }
    nodes.wait_for_ban(peer.ip());
    nodes.assert_dropped(peer.ip());
    assert!(!nodes.connects(peer.ip()), "over TCP it still comes through");
    nodes.assert_passes(other.parse().unwrap());
    assert!(nodes.connects(other.parse().unwrap()));
    let ban = nodes.daemon.ban_of(source).unwrap();
    assert_eq!((&ban["jail"], &ban["attempts"]), (&"auth".into(), &5.into()));
    let why = nodes.daemon.must(&["why", source]).stdout;
    for part in ["fs1", "1000", "sofia", "wrong-password"] {
        assert!(why.contains(part), "no {part} in {why}");
    }
}

#[test]
fn wrong_passwords() {
    the_fifth_bans("192.0.2.101", "UDP");
}

#[test]
fn wrong_passwords_over_tcp() {
    the_fifth_bans("192.0.2.102", "TCP");
}

#[test]
fn wrong_passwords_over_ipv6() {
    the_fifth_bans("2001:db8:22::101", "UDP");
}

#[test]
fn wrong_passwords_in_calls_and_for_many_users() {
    let nodes = Nodes::new(1, "");
    let peer: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    for number in 0..4 {
        nodes.guess(0, peer, &format!("10{number}"), &format!("scan-{number}"));
    }
    assert!(!nodes.held(peer.ip()), "four users");
    nodes.guess(0, peer, "104", "scan-4");
    nodes.wait_for_ban(peer.ip());
    let caller: SocketAddr = "192.0.2.102:5060".parse().unwrap();
    for number in 0..5 {
        let call = Try::invite(caller, "1000", DOMAIN, "00441234567", &format!("call-{number}"));
        nodes.tell(0, &call.wrong_password(), 2);
    }
    nodes.wait_for_ban(caller.ip());
    nodes.assert_dropped(caller.ip());
}

#[test]
fn challenges_that_nobody_answers() {
    let nodes = Nodes::new(1, "");
    let peer: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    let challenge = |number: u32| {
        let register = Try::register(peer, "1000", DOMAIN, &format!("flood-{number}"));
        [register.challenge_log().into(), register.pre_register().into()]
    };
    let first: Vec<Block> = (0..49).flat_map(challenge).collect();
    nodes.tell(0, &first, 49);
    assert!(!nodes.held(peer.ip()), "49 are none too many");
    nodes.tell(0, &challenge(49), 1);
    nodes.wait_for_ban(peer.ip());
    let timeout = kernel::timeout(nodes.net.pbx(), peer.ip()).unwrap();
    assert!(
        (6000 - 60..=6000).contains(&timeout.as_secs()),
        "100 minutes, not {timeout:?}"
    );
    assert_eq!(nodes.daemon.ban_of("192.0.2.101").unwrap()["jail"], "flood");
    nodes.assert_dropped(peer.ip());
}

#[test]
fn challenges_that_come_slowly_are_no_flood() {
    let nodes = Nodes::new(1, "[jail.flood]\nmaxretry = 10\nfindtime = \"2s\"\n");
    let peer: SocketAddr = "192.0.2.51:5060".parse().unwrap();
    for round in 0..3 {
        let challenges: Vec<Block> = (0..6)
            .map(|number| {
                Try::register(peer, "1000", DOMAIN, &format!("slow-{round}-{number}"))
                    .pre_register()
                    .into()
            })
            .collect();
        nodes.tell(0, &challenges, 6);
        std::thread::sleep(Duration::from_millis(2100));
    }
    nodes.assert_nobody_else_is_banned();
}

#[test]
fn refusals_by_access_lists() {
    let nodes = Nodes::new(1, "[jail.auth]\nmaxretry = 2\n[jail.management]\nmaxretry = 2\n");
    let (phone, caller, client): (IpAddr, IpAddr, IpAddr) = (
        "192.0.2.101".parse().unwrap(),
        "2001:db8:22::102".parse().unwrap(),
        "192.0.2.103".parse().unwrap(),
    );
    let refusals: [Block; 3] = [
        fs_events::register_acl(phone, "lan").into(),
        fs_events::inbound_acl(caller, "domains").into(),
        fs_events::esl_acl(client).into(),
    ];
    nodes.tell(0, &refusals, 3);
    for address in [phone, caller, client] {
        assert!(!nodes.held(address), "{address}: one refusal");
    }
    // without a dialogue, refusals within a second are one attempt
    std::thread::sleep(Duration::from_millis(1100));
    nodes.tell(0, &refusals, 3);
    for address in [phone, caller, client] {
        nodes.wait_for_ban(address);
    }
    let jail = |address: &str| nodes.daemon.ban_of(address).unwrap()["jail"].clone();
    assert_eq!(
        (jail("192.0.2.101"), jail("192.0.2.103")),
        ("auth".into(), "management".into())
    );
    nodes.assert_dropped(caller);
}

#[test]
fn guesses_at_verto() {
    let nodes = Nodes::new(1, "");
    for source in ["192.0.2.101", "2001:db8:22::101"] {
        let address: IpAddr = source.parse().unwrap();
        for port in 40_000..40_005 {
            assert!(!nodes.held(address), "too early, at port {port}");
            let peer = SocketAddr::new(address, port);
            let login = fs_events::verto_login(peer, "1000@tenant-a.example", false);
            nodes.tell(0, &[login.into()], 1);
        }
        nodes.wait_for_ban(address);
        nodes.assert_dropped(address);
        let why = nodes.daemon.must(&["why", source]).stdout;
        assert!(why.contains("verto"), "{why}");
    }
}

#[test]
fn calls_to_numbers_that_lead_nowhere() {
    let call = |peer: SocketAddr, number: u32| -> Block {
        fs_events::hangup_complete(
            peer,
            "anonymous",
            DOMAIN,
            &format!("00972{number}"),
            "NO_ROUTE_DESTINATION",
        )
        .into()
    };
    let peer: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    let calls: Vec<Block> = (0..8).map(|number| call(peer, number)).collect();
    let jail = "[jail.toll-fraud]\ncauses = [\"unknown-extension\"]\nmaxretry = 3\n";
    let mut nodes = Nodes::new(1, "");
    nodes.tell(0, &calls, 8);
    assert!(!nodes.held(peer.ip()), "no jail counts them by itself");
    nodes
        .daemon
        .configure(&format!("{}{jail}", super::table(1, &nodes.fs[0])));
    nodes.daemon.must(&["reload"]);
    nodes.daemon.wait_until_watching();
    nodes.tell(0, &calls[..2], 2);
    assert!(!nodes.held(peer.ip()), "two");
    nodes.tell(0, &calls[2..3], 1);
    nodes.wait_for_ban(peer.ip());
    let why = nodes.daemon.must(&["why", "192.0.2.101"]).stdout;
    for part in ["unknown-extension", "00972", "toll-fraud"] {
        assert!(why.contains(part), "no {part} in {why}");
    }
    nodes.assert_dropped(peer.ip());
}

#[test]
fn a_ban_survives_the_end_of_the_node() {
    let mut nodes = Nodes::new(1, "");
    let peer: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    nodes.guesses(peer, 0..5);
    nodes.wait_for_ban(peer.ip());
    nodes.fs[0].restart(
        ringfence_testkit::fake_freeswitch::Ending::Notice,
        Duration::from_millis(300),
    );
    nodes
        .daemon
        .wait_for_source("fs1", "the restart to be seen", |source| {
            source["state"] == "watching" && source["restarts"] == 1
        });
    nodes.assert_dropped(peer.ip());
    until(PATIENCE, "the restart to be logged", || {
        nodes.daemon.log().contains("started anew").then_some(())
    });
    let half: SocketAddr = "192.0.2.102:5060".parse().unwrap();
    nodes.tell(
        0,
        &[Try::register(half, "1000", DOMAIN, "x")
            .register_attempt(AuthResult::Forbidden)
            .into()],
        1,
    );
    assert!(!nodes.held(half.ip()));
}
