//! A node that serves several customers, the daemon beside it with the real kernel, and people outside.

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use ringfence_testkit::fake_freeswitch::{Block, Event};
use ringfence_testkit::fs_events::Try;
use ringfence_testkit::{Daemon, FakeAmi, FakeFreeswitch, Net, events, until};
use serde_json::Value;

use crate::site::{RINGFENCE, SILENCE};

/// How long events may take to be judged, and a ban to reach the kernel.
const SOON: Duration = Duration::from_secs(10);

/// One more tenant with values of its own; `more` are further keys of its table.
pub(super) fn tenant(name: &str, matching: &str, more: &str, auth: &str) -> String {
    format!(
        "[[tenant]]\nname = \"{name}\"\nmatch = {{ {matching} }}\n{more}\n[tenant.jail.auth]\n{auth}\nincrement = false\n"
    )
}

/// Bans the third, for two hours.
pub(super) fn strict() -> String {
    tenant(
        "strict",
        "domain = [\"strict.example\", \"*.strict.example\"]",
        "",
        "maxretry = 3\nbantime = \"2h\"",
    )
}

/// Bans the twentieth, and trusts 192.0.2.48 to .55.
pub(super) fn lenient() -> String {
    tenant(
        "lenient",
        "domain = \"*lenient.example\"",
        "ignoreip = [\"192.0.2.48/29\"]",
        "maxretry = 20",
    )
}

/// The fields end in this order.
pub(super) struct Cluster {
    pub(super) daemon: Daemon,
    fs: FakeFreeswitch,
    ami: FakeAmi,
    /// What listens on the node's SIP port.
    listener: UdpSocket,
    calls: Cell<u32>,
    net: Net,
}

impl Cluster {
    /// A FreeSWITCH and an Asterisk, and a daemon that watches both; `top` stands before every table.
    pub(super) fn new(top: &str, tenants: &str) -> Self {
        let net = Net::new();
        let fs = FakeFreeswitch::start(Some(net.pbx()), "ClueCon");
        let ami = FakeAmi::start(Some(net.pbx()), "ringfence", "fake-secret");
        let listener = net
            .pbx()
            .enter(|| UdpSocket::bind(SocketAddr::new(Net::PBX, 5060)).unwrap());
        listener.set_read_timeout(Some(SILENCE)).unwrap();
        let config = config(&fs, &ami, top, tenants);
        Self {
            daemon: Daemon::start(&net, RINGFENCE, &config),
            fs,
            ami,
            listener,
            calls: Cell::new(0),
            net,
        }
    }

    /// Other tenants from now on.
    pub(super) fn reload(&self, tenants: &str) {
        self.daemon.configure(&config(&self.fs, &self.ami, "", tenants));
        self.daemon.must(&["reload"]);
    }

    /// The daemon is killed, and started with these tenants.
    pub(super) fn crash(&mut self, tenants: &str) {
        self.daemon.kill();
        self.daemon.configure(&config(&self.fs, &self.ami, "", tenants));
        self.daemon.run(&[]);
        self.daemon.wait_until_watching();
    }

    /// As many wrong passwords for accounts of `domain`, judged when this returns.
    pub(super) fn guess(&self, source: &str, domain: &str, times: u32) {
        self.told(times, |call| {
            let tried = Try::register(at(source), "1000", domain, call);
            assert!(self.fs.inject(&tried.wrong_password()) > 0);
        });
    }

    /// The same where the node puts `domain` in place of what the phone named, which the digest's realm still says.
    pub(super) fn guess_forced(
        &self,
        source: &str,
        profile: &str,
        (realm, domain): (&str, &str),
        times: u32,
    ) {
        self.told(times, |call| {
            let tried = Try {
                profile: profile.to_owned(),
                ..Try::register(at(source), "1000", domain, call)
            };
            let origin = ("sofia_reg.c", "sofia_reg_parse_auth", 1606);
            let judged = Event::custom("sofia::register_attempt", origin)
                .with("profile-name", profile)
                .with("from-user", "1000")
                .with("from-host", domain)
                .with("call-id", call)
                .with("to-user", "1000")
                .with("to-host", domain)
                .with("network-ip", source)
                .with("network-port", "5060")
                .with("username", "1000")
                .with("realm", realm)
                .with("user-agent", "Lab-UA/1.0")
                .with("auth-result", "FORBIDDEN");
            let blocks: [Block; 2] = [tried.pre_register().into(), judged.into()];
            assert!(self.fs.inject(&blocks) > 0);
        });
    }

    /// As many wrong passwords at the Asterisk.
    pub(super) fn guess_at_asterisk(&self, source: &str, account: &str, times: u32) {
        self.told(times, |call| {
            let told = events::wrong_password(&events::now(), account, call, at(source));
            assert_eq!(self.ami.inject(told.as_bytes()), 1);
        });
    }

    /// The caller gets through, and the kernel holds nothing against it.
    #[track_caller]
    pub(super) fn assert_free(&self, source: &str) {
        assert!(
            self.daemon.ban_of(source).is_none(),
            "{source} is banned: {:?}",
            self.daemon.banned()
        );
        assert_eq!(self.left(source), None, "{source}");
        assert!(self.gets_through(source), "packets of {source} vanish");
    }

    /// The kernel holds the caller for `hours` (less than a minute of them is over), and its packets vanish.
    #[track_caller]
    pub(super) fn assert_banned(&self, source: &str, hours: u64) {
        let left = until(SOON, &format!("{source} to be banned"), || self.left(source));
        let whole = hours * 3600;
        assert!(
            (whole - 60..=whole).contains(&left),
            "{source} is held for {left} s, not {whole} s"
        );
        assert!(!self.gets_through(source), "packets of {source} get through");
    }

    /// The caller was let go.
    #[track_caller]
    pub(super) fn assert_lifted(&self, source: &str) {
        until(SOON, &format!("{source} to be let go"), || {
            self.left(source).is_none().then_some(())
        });
        self.assert_free(source);
    }

    /// The tenants that a ban names.
    pub(super) fn labels(&self, source: &str) -> Vec<String> {
        let ban = self.daemon.ban_of(source).unwrap();
        let labels = ban["tenants"].as_array().cloned().unwrap_or_default();
        labels
            .iter()
            .map(|label| label.as_str().unwrap().to_owned())
            .collect()
    }

    /// What `why` says to people.
    pub(super) fn why(&self, source: &str) -> String {
        self.daemon.cli(&["why", source]).stdout
    }

    /// Tells of `times` attempts with two events each, and waits until they are judged.
    fn told(&self, times: u32, mut tell: impl FnMut(&str)) {
        let judged = || {
            self.daemon.status().unwrap()["engine"]["events"]
                .as_u64()
                .unwrap()
        };
        let before = judged();
        for _ in 0..times {
            self.calls.set(self.calls.get() + 1);
            tell(&format!("call-{}@lab", self.calls.get()));
        }
        until(SOON, "the attempts to be judged", || {
            (judged() >= before + 2 * u64::from(times)).then_some(())
        });
    }

    /// For how many seconds the kernel still holds an address.
    fn left(&self, source: &str) -> Option<u64> {
        let mut list = self.net.pbx().command("nft");
        let output = list
            .args(["-j", "list", "table", "inet", "ringfence"])
            .output()
            .unwrap();
        let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
        let sets = listing["nftables"].as_array().unwrap().iter();
        let elements = sets.filter_map(|item| item["set"]["elem"].as_array()).flatten();
        let held = elements
            .map(|element| &element["elem"])
            .find(|element| element["val"] == source)?;
        Some(held["expires"].as_u64().expect("a ban that ends"))
    }

    fn gets_through(&self, source: &str) -> bool {
        let address: IpAddr = source.parse().unwrap();
        self.calls.set(self.calls.get() + 1);
        let packet = format!("probe {} of {source}", self.calls.get());
        let sender = self
            .net
            .outside()
            .enter(|| UdpSocket::bind(SocketAddr::new(address, 0)).unwrap());
        sender
            .send_to(packet.as_bytes(), SocketAddr::new(Net::PBX, 5060))
            .unwrap();
        let mut buffer = [0; 128];
        while let Ok((length, _)) = self.listener.recv_from(&mut buffer) {
            if buffer[..length] == *packet.as_bytes() {
                return true;
            }
        }
        false
    }
}

fn config(fs: &FakeFreeswitch, ami: &FakeAmi, top: &str, tenants: &str) -> String {
    let mut text = format!("{top}\n");
    let _ = write!(
        text,
        "[[freeswitch]]\nname = \"fs1\"\naddress = \"{}\"\npassword = \"ClueCon\"\n\
         [[asterisk]]\nname = \"pbx\"\naddress = \"{}\"\nusername = \"ringfence\"\nsecret = \"fake-secret\"\n\
         [jail.auth]\nincrement = false\n{tenants}",
        fs.address(),
        ami.address()
    );
    text
}

fn at(source: &str) -> SocketAddr {
    SocketAddr::new(source.parse().unwrap(), 5060)
}
