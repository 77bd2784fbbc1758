//! Attacks on the manager interface itself.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use ringfence_testkit::{AmiClient, Net, Transport, Version};

use crate::site::{SILENCE, Site};

#[test]
fn password_guessing_at_the_manager_interface() {
    let site = Site::new(Version::V22);
    let server = SocketAddr::new(Net::PBX, 5038);
    let connect = |source: &str, patience| {
        AmiClient::connect(
            site.net.outside(),
            server,
            Some(source.parse().unwrap()),
            patience,
        )
    };
    thread::scope(|scope| {
        for (username, secret) in [("probe", "1234"), ("admin", "admin"), ("probe", "asterisk")] {
            scope.spawn(move || {
                let mut guesser = connect("192.0.2.101", Duration::from_secs(2)).unwrap();
                assert!(!guesser.login(username, secret));
            });
        }
    });
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    site.wait_for_ban(&attacker);
    let refused = connect("192.0.2.101", SILENCE).unwrap_err();
    assert_eq!(
        refused.kind(),
        std::io::ErrorKind::TimedOut,
        "the packets are dropped"
    );
    assert_eq!(site.daemon.ban_of("192.0.2.101").unwrap()["jail"], "management");
    // The whole address is banned, not the port; an admin elsewhere gets in.
    site.assert_silent(&attacker);
    assert!(
        connect("192.0.2.55", Duration::from_secs(2))
            .unwrap()
            .login("probe", "probe-secret")
    );
}

#[test]
fn guessing_from_the_machine_itself_bans_nobody() {
    let site = Site::new(Version::V22);
    let local = "127.0.0.1:5038".parse().unwrap();
    for _ in 0..4 {
        let mut guesser = AmiClient::connect(site.net.pbx(), local, None, Duration::from_secs(2)).unwrap();
        assert!(!guesser.login("probe", "wrong"));
    }
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    crate::site::guess_five(&attacker, "alice", 401);
    site.wait_for_ban(&attacker);
    assert!(!site.held("127.0.0.1".parse().unwrap()));
    let mut admin = AmiClient::connect(site.net.pbx(), local, None, Duration::from_secs(2)).unwrap();
    assert!(admin.login("probe", "probe-secret"));
}
