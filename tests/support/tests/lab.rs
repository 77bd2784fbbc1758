//! The laboratory itself: servers boot, answer on every transport and report who failed; drops are seen as silence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::net::SocketAddr;
use std::time::Duration;

use ringfence_testkit::{
    AmiClient, Answer, Asterisk, Caller, FakeAmi, Net, Request, Transport, Version, events, kernel,
};

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(5);

/// Every way to PJSIP: transport, server, from where.
fn ways() -> [(Transport, SocketAddr, &'static str); 5] {
    let (v4, v6) = (Net::PBX, Net::PBX6);
    [
        (Transport::Udp, (v4, 5060).into(), "192.0.2.101"),
        (Transport::Tcp, (v4, 5060).into(), "192.0.2.102"),
        (Transport::Tls, (v4, 5061).into(), "192.0.2.103"),
        (Transport::Udp, (v6, 5060).into(), "2001:db8:22::101"),
        (Transport::Tcp, (v6, 5060).into(), "2001:db8:22::102"),
    ]
}

fn pjsip_answers_and_reports(version: Version) {
    let net = Net::new();
    let _asterisk = Asterisk::start(version, net.pbx(), net.dir(), &[]);
    let mut watch = AmiClient::connect(net.pbx(), "127.0.0.1:5038".parse().unwrap(), None, LONG).unwrap();
    assert!(watch.login("ringfence", "ringfence-secret"));
    for (transport, server, source) in ways() {
        let caller = Caller::new(net.outside(), source, server, transport);
        let way = format!("{version:?} {transport:?} from {source}");
        assert_eq!(
            caller.register("alice", "alice-secret"),
            Answer::Status(200),
            "{way}"
        );
        assert_eq!(caller.register("alice", "wrong"), Answer::Status(401), "{way}");
        assert_eq!(caller.register("nobody", "wrong"), Answer::Status(401), "{way}");
        let invite = Request::invite("alice", "100").password("wrong");
        assert_eq!(caller.send(&invite), Answer::Status(401), "{way}");
        assert_eq!(
            caller.send(&Request::options("alice")),
            Answer::Status(401),
            "{way}"
        );
        let family = if source.contains(':') { "IPV6" } else { "IPV4" };
        let wire = format!("{transport:?}").to_uppercase();
        watch.send("Action: Ping\r\n\r\n");
        let address = format!("RemoteAddress: {family}/{wire}/{source}/");
        assert!(watch.wait_for(&address, LONG), "{way}: {}", watch.received());
    }
    assert!(watch.wait_for("Event: ChallengeResponseFailed", LONG));
    assert!(watch.wait_for("Event: InvalidAccountID", LONG));
    let trunk = Caller::new(
        net.outside(),
        "192.0.2.150",
        (Net::PBX, 5060).into(),
        Transport::Udp,
    );
    assert_eq!(
        trunk.send(&Request::options("100")),
        Answer::Status(200),
        "the trunk needs no password"
    );
}

#[test]
fn pjsip_of_22_answers_and_reports() {
    pjsip_answers_and_reports(Version::V22);
}

#[test]
fn pjsip_of_16_answers_and_reports() {
    pjsip_answers_and_reports(Version::V16);
}

#[test]
fn chan_sip_of_16_answers_and_reports() {
    let net = Net::new();
    let _asterisk = Asterisk::start(Version::V16, net.pbx(), net.dir(), &[]);
    let mut watch = AmiClient::connect(net.pbx(), "127.0.0.1:5038".parse().unwrap(), None, LONG).unwrap();
    assert!(watch.login("ringfence", "ringfence-secret"));
    for transport in [Transport::Udp, Transport::Tcp] {
        let caller = Caller::new(net.outside(), "192.0.2.101", (Net::PBX, 5160).into(), transport);
        assert_eq!(
            caller.register("dave", "dave-secret"),
            Answer::Status(200),
            "{transport:?}"
        );
        assert_eq!(
            caller.register("dave", "wrong"),
            Answer::Status(403),
            "{transport:?}"
        );
    }
    assert!(
        watch.wait_for("Event: InvalidPassword", LONG),
        "{}",
        watch.received()
    );
    assert!(watch.wait_for("Service: SIP", LONG));
}

#[test]
fn the_manager_interface_can_be_guessed_from_outside_and_restarts() {
    let net = Net::new();
    let mut asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &["quiet"]);
    let server = (Net::PBX, 5038).into();
    let connect = || AmiClient::connect(net.outside(), server, Some("192.0.2.101".parse().unwrap()), SHORT);
    assert!(!connect().unwrap().login("ringfence", "wrong"));
    assert!(connect().unwrap().login("probe", "probe-secret"));
    asterisk.stop();
    assert!(connect().is_err(), "a stopped server takes no connection");
    asterisk.boot();
    assert!(connect().unwrap().login("probe", "probe-secret"));
    asterisk.kill();
    assert!(connect().is_err(), "a killed server takes no connection");
    assert!(
        !asterisk.logs().join("messages").exists(),
        "the quiet variant logs nothing"
    );
}

#[test]
fn a_drop_in_the_kernel_is_silence_and_is_seen() {
    let net = Net::new();
    let _asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    let caller = |source, transport| {
        Caller::new(net.outside(), source, (Net::PBX, 5060).into(), transport).patience(SHORT)
    };
    let mut line = caller("192.0.2.101", Transport::Tcp).line().unwrap();
    assert_eq!(line.send(&Request::register("alice")), Answer::Status(401));
    net.pbx().nft(
        "table inet ringfence {
            set v4 { type ipv4_addr; flags timeout; counter; }
            chain in { type filter hook prerouting priority raw; ip saddr @v4 drop; }
        }
        add element inet ringfence v4 { 192.0.2.101 timeout 1h }",
    );
    assert_eq!(kernel::elements(net.pbx()), ["192.0.2.101"]);
    assert!(kernel::holds(net.pbx(), "192.0.2.101".parse().unwrap()));
    assert_eq!(line.send(&Request::register("alice")), Answer::Silence);
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let answer = caller("192.0.2.101", transport).send(&Request::register("alice"));
        assert_eq!(answer, Answer::Silence, "{transport:?}");
    }
    assert_eq!(
        caller("192.0.2.102", Transport::Udp).send(&Request::register("alice")),
        Answer::Status(401)
    );
}

#[test]
fn nothing_is_left_when_a_network_is_dropped() {
    let net = Net::new();
    let dir = net.dir().to_owned();
    let asterisk = Asterisk::start(Version::V22, net.pbx(), net.dir(), &[]);
    // As after a panic elsewhere: nobody stops the server.
    std::mem::forget(asterisk);
    let outside = net.outside().clone();
    drop(net);
    assert!(!dir.exists());
    assert!(
        !outside.command("true").status().unwrap().success(),
        "the namespace still exists"
    );
}

#[test]
fn the_fake_manager_interface_speaks_like_asterisk() {
    let net = Net::new();
    let mut server = FakeAmi::start(Some(net.pbx()), "ringfence", "secret");
    let connect = |server: &FakeAmi| AmiClient::connect(net.pbx(), server.address(), None, SHORT);
    let mut client = connect(&server).unwrap();
    assert!(client.login("ringfence", "secret"));
    assert!(
        client.wait_for("AccountID: ringfence\r\n", LONG),
        "{}",
        client.received()
    );
    client.send("Action: Ping\r\nActionID: 7\r\n\r\n");
    assert!(client.wait_for("Response: Success\r\nActionID: 7\r\nPing: Pong\r\n", LONG));
    let attack = events::wrong_password(
        &events::now(),
        "alice",
        "call",
        "192.0.2.101:5060".parse().unwrap(),
    );
    assert_eq!(server.inject(attack.as_bytes()), 1);
    assert!(client.wait_for("RemoteAddress: IPV4/UDP/192.0.2.101/5060", LONG));
    server.behave(|manners| manners.refusal = Duration::ZERO);
    assert!(!connect(&server).unwrap().login("ringfence", "wrong"));
    assert_eq!((server.connections(), server.logins()), (2, 1));
    server.behave(|manners| manners.refusing = true);
    assert!(connect(&server).is_err());
    server.close();
    assert!(connect(&server).is_err());
    server.behave(|manners| *manners = ringfence_testkit::Manners::default());
    server.open();
    assert!(connect(&server).unwrap().login("ringfence", "secret"));
}
