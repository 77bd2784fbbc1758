//! The whole way, measured on the real program and the real kernel: `cargo bench --bench way` (as root).
//!
//! A fake Asterisk writes events to the AMI socket, a fake FreeSWITCH to the event socket; a netlink listener sees the
//! elements appear in the kernel's sets. All of it happens in a network namespace of its own. The table it prints is the
//! one in docs/performance.md.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench that can't measure has to stop"
)]

#[path = "way/written.rs"]
mod written;

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr as NetlinkAddr};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::Pid;
use ringfence::clock::{Clock, iso};
use ringfence_testkit::{FakeAmi, FakeFreeswitch, events};
use written::{failed_line, refused_attempt};

/// Single bans measured, each with an idle daemon before it.
const SINGLE: u32 = 1000;
/// Bans in one burst.
const BURST: u32 = 2000;
/// Bans restored at start.
const RESTORED: u32 = 100_000;
/// Addresses tracked for the memory figure.
const TRACKED: u32 = 1_000_000;
/// NFNLGRP_NFTABLES: everything that changes in nf_tables.
const GROUP: u32 = 7;
/// NFT_MSG_NEWSETELEM of nfnetlink's subsystem 10.
const NEW_ELEMENT: [u8; 2] = [0x0c, 0x0a];

fn main() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run this as root");
    assert!(
        Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status()
            .unwrap()
            .success()
    );
    let home = tempfile::tempdir().unwrap();
    println!("| what | figure |\n|---|---|");
    let mut ami = FakeAmi::start(None, "ringfence", "bench");
    // `cargo bench --bench way -- restore` measures that part alone
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = |part: &str| only.is_empty() || only.iter().any(|name| name == part);
    if wanted("bans") {
        bans(&mut ami, home.path());
    }
    if wanted("freeswitch") {
        freeswitch(home.path());
    }
    if wanted("lines") {
        lines(home.path());
    }
    if wanted("restore") {
        restore(&ami, home.path());
    }
    if wanted("memory") {
        memory(&ami, home.path());
    }
}

/// Start with an empty store, idle memory, single bans, a burst.
fn bans(ami: &mut FakeAmi, home: &Path) {
    let mut starts = Vec::new();
    for _ in 0..20 {
        let _ = std::fs::remove_file(home.join("ringfence.db"));
        let (_daemon, took) = Daemon::start(home, &watch_asterisk(ami), 1);
        starts.push(took);
        assert!(delete_table(), "the daemon has left its table");
    }
    let (median, _) = percentiles(&mut starts);
    row(
        "start → enforcing, empty store (median of 20)",
        &format!("{:.1} ms", median.as_secs_f64() * 1e3),
    );

    let _ = std::fs::remove_file(home.join("ringfence.db"));
    let (daemon, _) = Daemon::start(home, &watch_asterisk(ami), 1);
    ami.wait_for_session();
    std::thread::sleep(Duration::from_millis(1500));
    row("resident memory, idle", &format!("{:.1} MB", daemon.resident()));
    let listener = Listener::open();
    singles(
        "event written to the AMI socket",
        &daemon,
        &listener,
        |n, peer| {
            let text = events::wrong_password(&events::now(), "alice", &format!("single-{n}"), peer);
            let start = Instant::now();
            assert_eq!(ami.inject(text.as_bytes()), 1);
            start
        },
    );
    let mut bursts: Vec<Duration> = (0..5)
        .map(|round| {
            let mut text = String::new();
            let first = 2 * SINGLE + round * BURST;
            let at = events::now();
            for n in first..first + BURST {
                text += &events::wrong_password(
                    &at,
                    "alice",
                    &format!("burst-{n}"),
                    SocketAddr::new(address(n), 5060),
                );
            }
            let start = Instant::now();
            assert_eq!(ami.inject(text.as_bytes()), 1);
            listener.wait_for(address(first + BURST - 1));
            start.elapsed()
        })
        .collect();
    let (median, _) = percentiles(&mut bursts);
    row(
        &format!("{BURST} bans in one burst, socket → all in the kernel (median of 5)"),
        &format!(
            "{:.1} ms, {:.0} bans/s",
            median.as_secs_f64() * 1e3,
            f64::from(BURST) / median.as_secs_f64()
        ),
    );
}

/// Single bans, all that FreeSWITCH is measured on: what comes behind the event is the same.
fn freeswitch(home: &Path) {
    forget(home);
    let fs = FakeFreeswitch::start(None, "bench");
    let watch = format!(
        "[[freeswitch]]\nname = \"bench\"\naddress = \"{}\"\npassword = \"bench\"\n",
        fs.address()
    );
    let (daemon, _) = Daemon::start(home, &watch, 1);
    fs.wait_for_session();
    std::thread::sleep(Duration::from_millis(1500));
    let listener = Listener::open();
    singles(
        "refused `register_attempt` written to the event socket",
        &daemon,
        &listener,
        |n, peer| {
            let frame = refused_attempt(n, peer);
            let start = Instant::now();
            assert_eq!(fs.inject_raw(frame.as_bytes()), 1);
            start
        },
    );
}

/// Lines of Asterisk's messages, written to a file.
fn lines(home: &Path) {
    forget(home);
    let path = home.join("messages");
    let mut file = std::fs::File::create(&path).unwrap();
    let watch = format!(
        "[[logfile]]\nname = \"bench\"\nfiles = [\"{}\"]\nformat = \"asterisk\"\n",
        path.display()
    );
    let (daemon, _) = Daemon::start(home, &watch, 1);
    std::thread::sleep(Duration::from_millis(1500));
    let listener = Listener::open();
    let (file, clock) = (std::cell::RefCell::new(&mut file), Clock::start());
    singles("line written to the log file", &daemon, &listener, |n, peer| {
        let line = failed_line(&iso(clock.now()), n, peer);
        let start = Instant::now();
        file.borrow_mut().write_all(line.as_bytes()).unwrap();
        start
    });
}

/// Bans one after the other, with silence before each and almost without; `write` writes the event and says when it began
/// to.
fn singles(written: &str, daemon: &Daemon, listener: &Listener, write: impl Fn(u32, SocketAddr) -> Instant) {
    for (first, gap) in [(0, 3000), (SINGLE, 100)] {
        let gap = Duration::from_micros(gap);
        let mut times: Vec<Duration> = (first..first + SINGLE)
            .map(|n| {
                std::thread::sleep(gap);
                let peer = SocketAddr::new(address(n), 5060);
                let start = write(n, peer);
                listener.wait_for(peer.ip());
                start.elapsed()
            })
            .collect();
        let (median, worst) = percentiles(&mut times);
        let most = times[times.len() * 9 / 10];
        row(
            &format!("{written} → element in the kernel, {gap:?} after the one before ({SINGLE} times)"),
            &format!(
                "p50 {} µs, p90 {} µs, p99 {} µs",
                median.as_micros(),
                most.as_micros(),
                worst.as_micros()
            ),
        );
    }
    let inside = daemon.status()["latency_us"].clone();
    row(
        "the same, inside the daemon alone: read from the socket → confirmed by the kernel",
        &format!("p50 {} µs, p99 {} µs", inside[0], inside[1]),
    );
}

/// A start with 100,000 bans in the store and none in the kernel.
fn restore(ami: &FakeAmi, home: &Path) {
    forget(home);
    {
        let (_daemon, _) = Daemon::start(home, &watch_asterisk(ami), 1);
        ami.wait_for_session();
        let listener = Listener::open();
        let at = events::now();
        // the inbox is bounded: the next ones are sent when these are banned
        for first in (0..RESTORED).step_by(5000) {
            let mut text = String::new();
            for n in first..first + 5000 {
                let peer = SocketAddr::new(address(n), 5060);
                text += &events::wrong_password(&at, "alice", &format!("fill-{n}"), peer);
            }
            ami.inject(text.as_bytes());
            listener.wait_for(address(first + 4999));
        }
    }
    let mut times = Vec::new();
    for _ in 0..5 {
        assert!(delete_table(), "the daemon has left its table");
        // after a reboot no kernel is still busy freeing 100,000 old elements, as this one is now
        std::thread::sleep(Duration::from_secs(1));
        let (daemon, took) = Daemon::start(home, &watch_asterisk(ami), 1);
        assert_eq!(elements(), RESTORED as usize, "every ban is back");
        drop(daemon);
        times.push(took);
    }
    let (median, _) = percentiles(&mut times);
    row(
        &format!("start → {RESTORED} bans restored and enforced (median of 5)"),
        &format!("{:.0} ms", median.as_secs_f64() * 1e3),
    );
}

/// Memory with a million addresses that failed once each.
fn memory(ami: &FakeAmi, home: &Path) {
    forget(home);
    let (daemon, _) = Daemon::start(home, &watch_asterisk(ami), 5);
    ami.wait_for_session();
    let at = events::now();
    let start = Instant::now();
    for first in (0..TRACKED).step_by(10_000) {
        let mut text = String::new();
        for n in first..first + 10_000 {
            text += &events::wrong_password(
                &at,
                "alice",
                &format!("spoof-{n}"),
                SocketAddr::new(address(n), 5060),
            );
        }
        ami.inject(text.as_bytes());
    }
    let tracked = loop {
        let status = daemon.status();
        let tracked = status["engine"]["tracked"].as_u64().unwrap();
        if tracked >= u64::from(TRACKED) * 99 / 100 || start.elapsed() > Duration::from_mins(1) {
            assert_eq!(status["dropped"], 0, "nothing was dropped on the way");
            break tracked;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    row(
        &format!("resident memory with {tracked} tracked addresses"),
        &format!("{:.0} MB", daemon.resident()),
    );
}

/// Empties store and kernel: what the kernel holds is taken over at start.
fn forget(home: &Path) {
    let _ = std::fs::remove_file(home.join("ringfence.db"));
    delete_table();
}

/// Deletes the daemon's table as any admin could; `false` when there was none.
fn delete_table() -> bool {
    let mut delete = Command::new("nft");
    delete
        .args(["delete", "table", "inet", "ringfence"])
        .stderr(Stdio::null());
    delete.status().unwrap().success()
}

fn row(what: &str, figure: &str) {
    println!("| {what} | {figure} |");
}

/// The n-th attacker, in 10.0.0.0/8: the addresses are only written, never sent to.
fn address(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0001 + n).into()
}

fn percentiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// Elements of the address set, as the kernel lists them.
fn elements() -> usize {
    let output = Command::new("nft")
        .args(["-j", "list", "set", "inet", "ringfence", "banned4"])
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    json["nftables"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|item| item["set"]["elem"].as_array())
        .map_or(0, Vec::len)
}

/// The table of a configuration that watches the fake Asterisk.
fn watch_asterisk(ami: &FakeAmi) -> String {
    format!(
        "[[asterisk]]\nname = \"bench\"\naddress = \"{}\"\nusername = \"ringfence\"\nsecret = \"bench\"\n",
        ami.address()
    )
}

/// The real program.
struct Daemon {
    child: Child,
    config: PathBuf,
}

impl Daemon {
    /// Starts it; returns the time until it reports that it enforces.
    fn start(home: &Path, watch: &str, maxretry: u32) -> (Self, Duration) {
        let config = home.join("ringfence.toml");
        let text = format!(
            "{watch}[jail.auth]\nmaxretry = {maxretry}\n[jail.flood]\nenabled = false\n\
             [store]\npath = \"{0}/ringfence.db\"\n[control]\nsocket = \"{0}/ringfence.sock\"\n\
             [log]\ntarget = \"file\"\nfile = \"{0}/ringfence.log\"\nlevel = \"error\"\n",
            home.display()
        );
        std::fs::write(&config, text).unwrap();
        std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let notify = home.join("notify.sock");
        let _ = std::fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify).unwrap();
        ready.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let start = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["run", "--config"])
            .arg(&config)
            .env("NOTIFY_SOCKET", &notify)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut word = [0; 64];
        let got = ready
            .recv(&mut word)
            .expect("the daemon reports that it is ready");
        let took = start.elapsed();
        assert!(word[..got].starts_with(b"READY=1"));
        (Self { child, config }, took)
    }

    fn status(&self) -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["status", "--json", "--config"])
            .arg(&self.config)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Resident memory in MB.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Sees what happens in nf_tables.
struct Listener(Socket);

impl Listener {
    fn open() -> Self {
        let mut socket = Socket::new(NETLINK_NETFILTER).unwrap();
        socket.bind(&NetlinkAddr::new(0, 0)).unwrap();
        socket.add_membership(GROUP).unwrap();
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &(256 << 20)).unwrap();
        nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::ReceiveTimeout,
            &TimeVal::seconds(20),
        )
        .unwrap();
        Self(socket)
    }

    /// Waits until an element with this key was added.
    fn wait_for(&self, peer: IpAddr) {
        let IpAddr::V4(peer) = peer else {
            panic!("only IPv4 is measured")
        };
        let mut inbox = Vec::with_capacity(64 << 10);
        loop {
            inbox.clear();
            if let Err(error) = self.0.recv(&mut inbox, 0) {
                panic!("no notification within 20 s: {error}");
            }
            if inbox.get(4..6) == Some(&NEW_ELEMENT) && memchr::memmem::find(&inbox, &peer.octets()).is_some()
            {
                return;
            }
        }
    }
}
