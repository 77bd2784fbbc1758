//! Two network namespaces, a wire between them, and packets on it.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use ringfence::clock::uptime;
use ringfence::engine::Target;
use ringfence::fence::{Dialect, Fence, FenceSettings, Held, KernelOp, NftFence, open};
use ringfence_event::Span;

pub(crate) const HOUR: Span = Span::from_secs(3600);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The PBX at 192.0.2.1 and 2001:db8::1; others at .9 to .13 and ::9 to ::13 of the same nets.
pub(crate) struct Net {
    pub(crate) pbx: String,
    others: String,
}

impl Net {
    pub(crate) fn new() -> Self {
        let name = format!(
            "rf-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let net = Self {
            pbx: format!("{name}-p"),
            others: format!("{name}-o"),
        };
        run("ip", &["netns", "add", &net.pbx]);
        run("ip", &["netns", "add", &net.others]);
        let peer = ["type", "veth", "peer", "name", "wire", "netns", &net.others];
        run(
            "ip",
            &[&["-n", &net.pbx, "link", "add", "wire"], &peer[..]].concat(),
        );
        for (namespace, hosts) in [
            (&net.pbx, &["1"][..]),
            (&net.others, &["9", "10", "11", "12", "13"][..]),
        ] {
            for host in hosts {
                run(
                    "ip",
                    &[
                        "-n",
                        namespace,
                        "addr",
                        "add",
                        &format!("192.0.2.{host}/24"),
                        "dev",
                        "wire",
                    ],
                );
                let v6 = format!("2001:db8::{host}/64");
                run(
                    "ip",
                    &["-n", namespace, "addr", "add", &v6, "dev", "wire", "nodad"],
                );
            }
            run("ip", &["-n", namespace, "link", "set", "lo", "up"]);
            run("ip", &["-n", namespace, "link", "set", "wire", "up"]);
        }
        net
    }

    /// Runs a whole test on the PBX.
    pub(crate) fn test(body: impl FnOnce(&Self) + Send) {
        let net = Self::new();
        within(&net.pbx, || body(&net));
    }

    /// Runs something on the other end of the wire.
    pub(crate) fn elsewhere<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        within(&self.others, body)
    }

    /// `nft` on the PBX.
    pub(crate) fn nft(&self, args: &str) -> String {
        let words: Vec<&str> = args.split_whitespace().collect();
        run("ip", &[&["netns", "exec", &self.pbx, "nft"], &words[..]].concat())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for namespace in [&self.pbx, &self.others] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

fn within<T: Send>(namespace: &str, body: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    let outcome = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                body()
            })
            .join()
    });
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {error}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// A fence that changes elements as it must with older kernels, installed.
pub(crate) fn installed_keeping(settings: &FenceSettings) -> Box<dyn Fence> {
    let mut fence = NftFence::open(settings, uptime)
        .unwrap()
        .speaking(Dialect::Keeping);
    fence.install().unwrap();
    Box::new(fence)
}

/// A fence in the namespace of this thread, installed.
pub(crate) fn installed() -> Box<dyn Fence> {
    installed_with(&FenceSettings::default())
}

pub(crate) fn installed_with(settings: &FenceSettings) -> Box<dyn Fence> {
    let mut fence = open(settings).unwrap();
    let proven = fence.install().unwrap();
    assert_eq!(proven.gaps, Vec::<String>::new(), "{proven}");
    fence
}

pub(crate) fn address(text: &str) -> Target {
    Target::Address(text.parse().unwrap())
}

pub(crate) fn prefix(text: &str) -> Target {
    Target::Prefix(text.parse().unwrap())
}

pub(crate) fn socket(text: &str) -> Target {
    Target::Socket(text.parse().unwrap())
}

pub(crate) fn ban(target: Target, remaining: Span) -> KernelOp {
    KernelOp::Add { target, remaining }
}

pub(crate) fn unban(target: Target) -> KernelOp {
    KernelOp::Delete { target }
}

pub(crate) fn held(fence: &mut dyn Fence, target: Target) -> Option<Held> {
    fence
        .list()
        .unwrap()
        .into_iter()
        .find(|held| held.target == target)
}

/// Whether `remaining` is `wanted` but for the time that the test itself takes.
#[track_caller]
pub(crate) fn about(remaining: Span, wanted: Span) {
    let apart = remaining.as_millis().abs_diff(wanted.as_millis());
    assert!(apart < 5000, "{remaining} instead of {wanted}");
}

/// A UDP port of the PBX and sockets that send to it.
pub(crate) struct Line<'n> {
    net: &'n Net,
    pbx: UdpSocket,
    control: UdpSocket,
}

impl<'n> Line<'n> {
    /// `pbx` and `control`, from which packets always arrive, are addresses with ports.
    pub(crate) fn new(net: &'n Net, pbx: &str, control: &str) -> Self {
        let socket = UdpSocket::bind(pbx).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self {
            net,
            pbx: socket,
            control: net.elsewhere(|| UdpSocket::bind(control).unwrap()),
        }
    }

    pub(crate) fn v4(net: &'n Net) -> Self {
        Self::new(net, "192.0.2.1:0", "192.0.2.13:0")
    }

    pub(crate) fn v6(net: &'n Net) -> Self {
        Self::new(net, "[2001:db8::1]:0", "[2001:db8::13]:0")
    }

    /// Somebody on the other end.
    pub(crate) fn caller(&self, from: &str) -> UdpSocket {
        self.net.elsewhere(|| UdpSocket::bind(from).unwrap())
    }

    /// Whether a packet from `caller` arrives. One from elsewhere is sent behind it: the wire keeps their order, so once
    /// that has come, the first won't come any more.
    pub(crate) fn arrives(&self, caller: &UdpSocket) -> bool {
        let to: SocketAddr = self.pbx.local_addr().unwrap();
        let from = caller.local_addr().unwrap();
        // A rejected packet's error is reported with the next one.
        if caller.send_to(b"suspect", to).is_err() {
            caller.send_to(b"suspect", to).unwrap();
        }
        self.control.send_to(b"control", to).unwrap();
        let mut seen = false;
        let mut buffer = [0; 32];
        loop {
            let (len, sender) = self
                .pbx
                .recv_from(&mut buffer)
                .expect("the control packet arrives");
            seen |= sender == from;
            if &buffer[..len] == b"control" {
                return seen;
            }
        }
    }
}

/// The `n`th address of a range that nobody uses.
pub(crate) fn nth(n: u32) -> IpAddr {
    IpAddr::from((0xC633_0000 + n).to_be_bytes())
}
