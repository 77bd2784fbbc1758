//! A network of its own for one test: the PBX's namespace and one for everybody outside, joined by a wire.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::process::run;

/// The two namespaces and a folder for what runs in them; gone when dropped, and also when the test is killed.
///
/// Addresses: the PBX is [`Net::PBX`] and [`Net::PBX6`]. Outside live phones (192.0.2.9, 192.0.2.50 to .59,
/// 2001:db8:50::50), attackers (192.0.2.101 to .130, 2001:db8:22::101 to ::110), a trunk (192.0.2.150) and people in a
/// network of their own (203.0.113.5 to .9).
#[derive(Debug)]
pub struct Net {
    pbx: Space,
    outside: Space,
    dir: PathBuf,
    reaper: Child,
}

impl Net {
    /// The PBX's address.
    pub const PBX: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 22));
    /// The PBX's IPv6 address.
    pub const PBX6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x22, 0, 0, 0, 0, 0x22));

    /// Makes the namespaces; needs root and iproute2.
    #[expect(
        clippy::new_without_default,
        reason = "it changes the machine: nothing for a default"
    )]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rf{}x{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let space = |side: &str| Space {
            name: format!("{name}{side}"),
        };
        let (pbx, outside) = (space("p"), space("o"));
        let dir = std::env::temp_dir().join(format!("ringfence-{name}"));
        fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let reaper = reaper(&[&pbx, &outside], &dir);
        let net = Self {
            pbx,
            outside,
            dir,
            reaper,
        };
        net.wire();
        net
    }

    /// Where the PBX and the daemon run.
    pub fn pbx(&self) -> &Space {
        &self.pbx
    }

    /// Where phones, trunks and attackers are.
    pub fn outside(&self) -> &Space {
        &self.outside
    }

    /// A folder for configuration, state and logs of this test.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn wire(&self) {
        let (pbx, outside) = (&self.pbx.name, &self.outside.name);
        run(Command::new("ip").args(["netns", "add", pbx]));
        run(Command::new("ip").args(["netns", "add", outside]));
        run(Command::new("ip")
            .args([
                "link", "add", "wire", "netns", pbx, "type", "veth", "peer", "name", "wire",
            ])
            .args(["netns", outside]));
        self.pbx.ip("link set lo up
             link set wire up
             address add 192.0.2.22/24 dev wire
             address add 2001:db8:22::22/64 dev wire nodad
             route add default via 192.0.2.1
             route add default via 2001:db8:22::1");
        let mut script = String::from(
            "link set lo up
             link set wire up
             address add 192.0.2.1/24 dev wire
             address add 192.0.2.9/24 dev wire
             address add 192.0.2.150/24 dev wire
             address add 2001:db8:22::1/64 dev wire nodad
             address add 2001:db8:50::50/128 dev wire nodad\n",
        );
        for last in (50..=59).chain(101..=130) {
            let _ = writeln!(script, "address add 192.0.2.{last}/24 dev wire");
        }
        for last in 101..=110 {
            let _ = writeln!(script, "address add 2001:db8:22::{last}/64 dev wire nodad");
        }
        for last in 5..=9 {
            let _ = writeln!(script, "address add 203.0.113.{last}/32 dev wire");
        }
        self.outside.ip(&script);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // Closing its input is the sign to clean up.
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
    }
}

/// One network namespace.
#[derive(Clone, Debug)]
pub struct Space {
    name: String,
}

impl Space {
    /// A command that will run `program` in here.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `work` in here, on a thread of its own. Sockets that it opens stay in here wherever they are used.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = Path::new("/run/netns").join(&self.name);
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    let file =
                        File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    setns(file, CloneFlags::CLONE_NEWNET).expect("entering a network namespace needs root");
                    work()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a script of nft in here.
    pub fn nft(&self, script: &str) -> String {
        run(self.command("nft").arg(script))
    }

    fn ip(&self, script: &str) {
        let mut child = Command::new("ip")
            .args(["-n", &self.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("iproute2 is needed");
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(
            child.wait().unwrap().success(),
            "ip can't set up {}:\n{script}",
            self.name
        );
    }
}

/// A process that outlives a test killed in any way: when its input ends it kills what still runs in `spaces`, and removes
/// them and `dir`.
fn reaper(spaces: &[&Space], dir: &Path) -> Child {
    let script = r#"
        dir=$1; shift
        read -r _
        for space; do
            ip netns pids "$space" 2>/dev/null | while read -r pid; do kill -9 "$pid"; done
            ip netns del "$space" 2>/dev/null
        done
        rm -rf "$dir"
    "#;
    Command::new("sh")
        .args(["-c", script, "reaper"])
        .arg(dir)
        .args(spaces.iter().map(|space| &space.name))
        .stdin(Stdio::piped())
        // A group of its own: Ctrl-C at the terminal is for the tests.
        .process_group(0)
        .spawn()
        .expect("a shell is needed")
}
