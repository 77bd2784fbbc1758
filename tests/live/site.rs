//! What most tests stand on: a PBX with the daemon beside it, phones and attackers outside.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringfence_testkit::{
    Answer, Asterisk, Caller, Daemon, Net, Request, Transport, Version, kernel, until, within,
};

/// The program under test.
pub(crate) const RINGFENCE: &str = env!("CARGO_BIN_EXE_ringfence");

/// Long enough for a packet to be answered that will be.
pub(crate) const SILENCE: Duration = Duration::from_millis(400);

/// How long a ban may take from the last failure to the kernel. The servers of the tests may be slow to wake (their events
/// can wait for the next ping, a second later); the daemon's own share is measured by benches.
const BAN: Duration = Duration::from_secs(5);

/// The daemon's way to the server beside it, with the user that the documentation recommends.
pub(crate) const PBX: &str = r#"
[[asterisk]]
name = "pbx"
address = "127.0.0.1:5038"
username = "ringfence"
secret = "ringfence-secret"
"#;

/// A PBX with the daemon beside it; the fields end in this order.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    pub(crate) asterisk: Asterisk,
    pub(crate) net: Net,
}

impl Site {
    /// Asterisk `version` and a daemon that watches it, with default jails.
    pub(crate) fn new(version: Version) -> Self {
        Self::configured(version, &[], PBX)
    }

    /// The same with variants of the server's configuration and the daemon's own.
    pub(crate) fn configured(version: Version, variants: &[&str], config: &str) -> Self {
        let net = Net::new();
        let asterisk = Asterisk::start(version, net.pbx(), net.dir(), variants);
        let daemon = Daemon::start(&net, RINGFENCE, config);
        Self {
            daemon,
            asterisk,
            net,
        }
    }

    /// Somebody at `source` who talks PJSIP, over IPv6 if that is what the address is.
    pub(crate) fn caller(&self, source: &str, transport: Transport) -> Caller {
        let server = if source.contains(':') { Net::PBX6 } else { Net::PBX };
        let port = if transport == Transport::Tls { 5061 } else { 5060 };
        Caller::new(
            self.net.outside(),
            source,
            SocketAddr::new(server, port),
            transport,
        )
    }

    /// Somebody at `source` who talks to chan_sip.
    pub(crate) fn chan_sip(&self, source: &str, transport: Transport) -> Caller {
        Caller::new(
            self.net.outside(),
            source,
            SocketAddr::new(Net::PBX, 5160),
            transport,
        )
    }

    /// Waits until the kernel holds the caller's address.
    pub(crate) fn wait_for_ban(&self, caller: &Caller) {
        until(BAN, &format!("{} to be banned", caller.source()), || {
            self.held(caller.source()).then_some(())
        });
    }

    /// Whether the kernel holds `address` now.
    pub(crate) fn held(&self, address: IpAddr) -> bool {
        kernel::holds(self.net.pbx(), address)
    }

    /// What the caller sends gets no answer, while a phone elsewhere registers as ever.
    #[track_caller]
    pub(crate) fn assert_silent(&self, caller: &Caller) {
        let sixth = Request::register("alice").password("alice-secret");
        let answer = caller.clone().patience(SILENCE).send(&sixth);
        assert_eq!(answer, Answer::Silence, "{} is still answered", caller.source());
        self.assert_phone_works();
    }

    /// A phone that never did anything wrong registers: its 200 comes.
    #[track_caller]
    pub(crate) fn assert_phone_works(&self) {
        for source in ["192.0.2.50", "2001:db8:50::50"] {
            let phone = self.caller(source, Transport::Udp);
            assert_eq!(
                phone.register("bob", "bob-secret"),
                Answer::Status(200),
                "the phone at {source}"
            );
        }
    }
}

/// Five wrong passwords for the phone `user`, each refused with `status`.
#[track_caller]
pub(crate) fn guess_five(attacker: &Caller, user: &str, status: u16) {
    for guess in 1..=5 {
        let answer = attacker.register(user, "wrong");
        assert_eq!(
            answer,
            Answer::Status(status),
            "guess {guess} from {}",
            attacker.source()
        );
    }
}

/// The caller gets answers, at the latest when the kernel has caught up.
#[track_caller]
pub(crate) fn assert_answered(caller: &Caller) {
    let register = Request::register("alice");
    let caller = caller.clone().patience(SILENCE);
    let answered = within(BAN, || {
        (caller.send(&register) == Answer::Status(401)).then_some(())
    });
    assert!(answered.is_some(), "{} gets no answer", caller.source());
}
