//! Several nodes, or nodes of different kinds, in one daemon: what happens at one does not disturb the others, and what
//! happens at all of them adds up.

use ringfence_testkit::fake_freeswitch::Ending;
use ringfence_testkit::{Answer, Asterisk, Caller, Transport, Version};

use super::{Daemon, Duration, FakeFreeswitch, Net, Nodes, RINGFENCE, SIP, SocketAddr, table};
use crate::site::PBX;

#[test]
fn guesses_at_two_nodes_add_up() {
    let nodes = Nodes::new(2, "");
    let peer: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    for number in 0..4 {
        nodes.guess(number % 2, peer, "1000", &format!("{number}"));
    }
    assert!(!nodes.held(peer.ip()), "four");
    nodes.guess(1, peer, "1000", "4");
    nodes.wait_for_ban(peer.ip());
    nodes.assert_dropped(peer.ip());
    assert_eq!(nodes.daemon.ban_of("192.0.2.101").unwrap()["attempts"], 5);
    let why = nodes.daemon.must(&["why", "192.0.2.101"]).stdout;
    assert!(why.contains("fs1") && why.contains("fs2"), "{why}");
    let status = nodes.daemon.must(&["status"]).stdout;
    assert!(status.contains("fs1") && status.contains("fs2"), "{status}");
}

#[test]
fn a_node_that_dies_or_hangs_does_not_disturb_the_other() {
    let mut nodes = Nodes::new(2, "");
    let state = |nodes: &Nodes, name: &str, what: &str, wanted: &'static str| {
        nodes
            .daemon
            .wait_for_source(name, what, |source| source["state"] == wanted)
    };
    // it hangs: nobody knows for some seconds
    nodes.fs[1].behave(|manners| manners.stalled = true);
    let first: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    nodes.guesses(first, 0..5);
    nodes.wait_for_ban(first.ip());
    let other = state(&nodes, "fs1", "the other to be watched", "watching");
    assert_eq!(other["connects"], 1);
    // it is gone
    nodes.fs[1].behave(|manners| manners.stalled = false);
    nodes.fs[1].close();
    state(&nodes, "fs2", "its end to be seen", "connecting");
    let second: SocketAddr = "192.0.2.102:5060".parse().unwrap();
    nodes.guesses(second, 0..5);
    nodes.wait_for_ban(second.ip());
    // it is another process
    nodes.fs[1].restart(Ending::Killed, Duration::ZERO);
    nodes
        .daemon
        .wait_for_source("fs2", "the restart to be seen", |source| {
            source["state"] == "watching" && source["restarts"] == 1
        });
    let status = nodes.daemon.must(&["status"]).stdout;
    assert!(status.contains("fs2: was started anew 1 times"), "{status}");
    let other = state(&nodes, "fs1", "the other to be watched", "watching");
    assert_eq!((&other["connects"], &other["restarts"]), (&1.into(), &0.into()));
    let third: SocketAddr = "192.0.2.103:5060".parse().unwrap();
    for number in 0..5 {
        nodes.guess(1 - number % 2, third, "1000", &format!("third-{number}"));
    }
    nodes.wait_for_ban(third.ip());
    nodes.assert_dropped(third.ip());
}

#[test]
fn an_asterisk_and_a_freeswitch() {
    let net = Net::new();
    let _asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    let fs = FakeFreeswitch::start(Some(net.pbx()), "ClueCon");
    let daemon = Daemon::start(&net, RINGFENCE, &format!("{PBX}{}", table(1, &fs)));
    let nodes = Nodes {
        daemon,
        fs: vec![fs],
        net,
    };
    let peer: SocketAddr = "192.0.2.101:5060".parse().unwrap();
    let attacker = Caller::new(
        nodes.net.outside(),
        "192.0.2.101",
        SocketAddr::new(Net::PBX, SIP),
        Transport::Udp,
    );
    nodes.guesses(peer, 0..3);
    assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    assert!(!nodes.held(peer.ip()), "four");
    assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    nodes.wait_for_ban(peer.ip());
    let phone = Caller::new(
        nodes.net.outside(),
        "192.0.2.50",
        SocketAddr::new(Net::PBX, SIP),
        Transport::Udp,
    );
    assert_eq!(phone.register("bob", "bob-secret"), Answer::Status(200));
    let why = nodes.daemon.must(&["why", "192.0.2.101"]).stdout;
    assert!(why.contains("pbx") && why.contains("fs1"), "{why}");
    // a bad night for one is none for the other
    let mut nodes = nodes;
    nodes.fs[0].close();
    nodes
        .daemon
        .wait_for_source("fs1", "its end to be seen", |source| {
            source["state"] == "connecting"
        });
    let second = Caller::new(
        nodes.net.outside(),
        "192.0.2.102",
        SocketAddr::new(Net::PBX, SIP),
        Transport::Udp,
    );
    for _ in 0..5 {
        assert_eq!(second.register("alice", "wrong"), Answer::Status(401));
    }
    nodes.wait_for_ban(second.source());
}
