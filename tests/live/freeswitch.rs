//! FreeSWITCH nodes, played by a fake event socket, and the real kernel: who attacks them is stopped, who works with them
//! is not.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use ringfence_testkit::fake_freeswitch::Block;
use ringfence_testkit::fs_events::{self, AuthResult, Try};
use ringfence_testkit::{Daemon, FakeFreeswitch, Net, kernel, until, within};

use crate::site::{RINGFENCE, SILENCE};

mod attacks;
mod honest;
mod nodes;

/// How long anything may take on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);
/// The port where the PBX's phones would talk.
const SIP: u16 = 5060;
const DOMAIN: &str = "tenant-a.example";

/// A PBX with the daemon beside it, which watches one node or several; the fields end in this order.
struct Nodes {
    daemon: Daemon,
    fs: Vec<FakeFreeswitch>,
    net: Net,
}

impl Nodes {
    /// `count` nodes fs1, fs2, …, watched; `config` stands behind their tables.
    fn new(count: usize, config: &str) -> Self {
        let net = Net::new();
        echo(&net);
        let fs: Vec<_> = (0..count)
            .map(|_| FakeFreeswitch::start(Some(net.pbx()), "ClueCon"))
            .collect();
        let tables: String = fs.iter().enumerate().map(|(at, fs)| table(at + 1, fs)).collect();
        let daemon = Daemon::start(&net, RINGFENCE, &format!("{tables}{config}"));
        Self { daemon, fs, net }
    }

    /// Fires `blocks` at node `at` (from 0), and waits until as many events as `events` more were judged.
    fn tell(&self, at: usize, blocks: &[Block], events: u64) {
        let before = self.judged();
        let frames = self.fs[at].inject(blocks);
        assert!(frames > 0, "nobody listens");
        until(PATIENCE, &format!("{events} events to be judged"), || {
            (self.judged() >= before + events).then_some(())
        });
    }

    /// One wrong password for `user` from `peer` at node `at`.
    fn guess(&self, at: usize, peer: SocketAddr, user: &str, call: &str) {
        let told = fs_events::brute_force_try(peer, user, DOMAIN, call);
        self.tell(at, &told, 2);
    }

    /// Wrong passwords for one user, each in a call of its own, the `numbers`th.
    fn guesses(&self, peer: SocketAddr, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.guess(0, peer, "1000", &format!("{number}@{peer}"));
        }
    }

    fn judged(&self) -> u64 {
        let status = self.daemon.status().unwrap();
        status["engine"]["events"].as_u64().unwrap()
    }

    fn held(&self, address: IpAddr) -> bool {
        kernel::holds(self.net.pbx(), address)
    }

    fn wait_for_ban(&self, address: IpAddr) {
        until(PATIENCE, &format!("{address} to be banned"), || {
            self.held(address).then_some(())
        });
    }

    /// Packets from `source` are dropped, while those of phones elsewhere pass.
    #[track_caller]
    fn assert_dropped(&self, source: IpAddr) {
        assert!(!self.answers(source), "{source} is still answered");
        for phone in ["192.0.2.50", "2001:db8:50::50"] {
            self.assert_passes(phone.parse().unwrap());
        }
    }

    #[track_caller]
    fn assert_passes(&self, source: IpAddr) {
        let passed = within(PATIENCE, || self.answers(source).then_some(()));
        assert!(passed.is_some(), "{source} gets no answer");
    }

    /// Whether a packet from `source` comes back.
    fn answers(&self, source: IpAddr) -> bool {
        let socket = self.net.outside().enter(|| UdpSocket::bind((source, 0)).unwrap());
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        socket.send_to(b"hello", (server(source), SIP)).unwrap();
        match socket.recv(&mut [0; 16]) {
            Ok(_) => true,
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                    "{error}"
                );
                false
            }
        }
    }

    /// Whether a new connection over TCP from `source` comes about.
    fn connects(&self, source: IpAddr) -> bool {
        self.net.outside().enter(|| {
            let domain = socket2::Domain::for_address(SocketAddr::new(source, 0));
            let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
            let server = SocketAddr::new(server(source), SIP);
            socket.connect_timeout(&server.into(), SILENCE).is_ok()
        })
    }

    /// Nobody is banned: an attacker, who is judged after all before, is the only one in the kernel.
    #[track_caller]
    fn assert_nobody_else_is_banned(&self) {
        let attacker = "192.0.2.130:5060".parse().unwrap();
        self.guesses(attacker, 0..5);
        self.wait_for_ban(attacker.ip());
        assert_eq!(kernel::elements(self.net.pbx()), ["192.0.2.130"]);
    }
}

fn table(number: usize, fs: &FakeFreeswitch) -> String {
    format!(
        "[[freeswitch]]\nname = \"fs{number}\"\naddress = \"{}\"\npassword = \"ClueCon\"\n",
        fs.address()
    )
}

/// The PBX's address of the same family.
fn server(source: IpAddr) -> IpAddr {
    if source.is_ipv4() { Net::PBX } else { Net::PBX6 }
}

/// What answers at the PBX in place of a SIP server: each packet comes back, and connections are accepted. It ends with the
/// test's process.
fn echo(net: &Net) {
    for address in [Net::PBX, Net::PBX6] {
        let (socket, listener): (UdpSocket, TcpListener) = net.pbx().enter(|| {
            (
                UdpSocket::bind((address, SIP)).unwrap(),
                TcpListener::bind((address, SIP)).unwrap(),
            )
        });
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(&buffer[..length], peer);
            }
        });
        thread::spawn(move || {
            let connections: Vec<TcpStream> = listener.incoming().flatten().take(64).collect();
            drop(connections);
        });
    }
}
