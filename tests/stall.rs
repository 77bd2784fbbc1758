//! A stalled client freezes FreeSWITCH, so the event socket is read whatever happens behind it. A program of its own, so
//! that nothing else takes the processor from the reader.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use ringfence::admin::{AdminAnswer, AdminRequest, Client, StatusView};
use ringfence::config::{Config, ControlSettings, LogSettings, LogTarget};
use ringfence::daemon::{Daemon, Setup, Witness};
use ringfence::engine::{Policy, Target, Verdict};
use ringfence::fence::{Backend, FenceSettings};
use ringfence::source::Settings;
use ringfence::source::esl::EslSettings;
use ringfence::store::StoreSettings;
use ringfence_event::{Moment, SecurityEvent, Span};
use std::process::Command;

use ringfence_testkit::fake_freeswitch::Block;
use ringfence_testkit::{FakeFreeswitch, fs_events, until};

/// How long nothing behind the reader moves.
const BLOCKED: Duration = Duration::from_secs(30);
/// Events that arrive meanwhile.
const FLOOD: u64 = 200_000;
/// FreeSWITCH must never wait for longer until its bytes are taken.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// What the flood may cost of memory, in bytes: the queue holds 65,536 events of about 450 bytes.
const MEMORY: u64 = 96 << 20;

/// Holds the core thread where the fence would: between a verdict or event and the next.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.lock().unwrap();
        drop(self.changed.wait_while(shut, |shut| *shut).unwrap());
    }
}

struct Blocker(Arc<Gate>);

impl Witness for Blocker {
    fn saw(&mut self, _now: Moment, _event: &SecurityEvent) {
        self.0.pass();
    }

    fn decided(&mut self, _now: Moment, _verdict: &Verdict, _took: Option<Duration>) {}
}

/// A disk that hangs: a file system of its own, which the kernel can be told to freeze. It thaws and goes when dropped.
struct Disk {
    folder: tempfile::TempDir,
    frozen: bool,
}

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Self {
            folder,
            frozen: false,
        };
        std::fs::create_dir(disk.path()).unwrap();
        let image = disk.folder.path().join("image");
        let image = image.to_str().unwrap();
        run("truncate", &["-s", "64M", image]);
        run("mkfs.ext4", &["-q", "-E", "nodiscard", image]);
        run("mount", &["-o", "loop", image, disk.path().to_str().unwrap()]);
        disk
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn freeze(&mut self) {
        run("fsfreeze", &["-f", self.path().to_str().unwrap()]);
        self.frozen = true;
    }

    fn thaw(&mut self) {
        run("fsfreeze", &["-u", self.path().to_str().unwrap()]);
        self.frozen = false;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let path = self.path();
        if self.frozen {
            let _ = Command::new("fsfreeze").arg("-u").arg(&path).status();
        }
        let _ = Command::new("umount").arg("-l").arg(&path).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn config(folder: &Path, disk: &Path, address: SocketAddr) -> Config {
    Config {
        logs: Vec::new(),
        sources: vec![Settings::Freeswitch(EslSettings {
            name: "fs1".into(),
            host: address.ip().to_string(),
            port: address.port(),
            user: None,
            password: "ClueCon".to_owned().into(),
            log: true,
            probe: Span::from_secs(1),
        })],
        policy: Policy::default(),
        ignore_names: Vec::new(),
        fence: FenceSettings {
            backend: Backend::DryRun,
            ..FenceSettings::default()
        },
        store: StoreSettings {
            path: disk.join("ringfence.db"),
            ..StoreSettings::default()
        },
        control: ControlSettings {
            socket: folder.join("ringfence.sock"),
            mode: 0o600,
            group: None,
        },
        log: LogSettings {
            target: LogTarget::Stderr,
            level: tracing::Level::ERROR,
        },
    }
}

fn status(folder: &Path) -> Option<StatusView> {
    let mut client = Client::connect(&folder.join("ringfence.sock")).ok()?;
    match client.ask(&AdminRequest::Status).ok()? {
        AdminAnswer::Status(status) => Some(*status),
        other => panic!("{other:?}"),
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .unwrap()
        * 1024
}

fn peer(n: u64) -> SocketAddr {
    let low = u32::try_from(n % 250).unwrap();
    SocketAddr::from((Ipv4Addr::from_bits(0xc633_6401 + low), 5060))
}

#[test]
fn the_socket_is_drained_while_fence_and_store_hang() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let mut disk = Disk::mount();
    let fs = FakeFreeswitch::start(None, "ClueCon");
    let gate = Arc::new(Gate::default());
    let (settings, blocker) = (
        config(home, &disk.path(), fs.address()),
        Blocker(Arc::clone(&gate)),
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let daemon = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let setup = Setup {
                reread: None,
                witness: Some(Box::new(blocker)),
            };
            let daemon = Daemon::start(settings, setup).unwrap();
            daemon
                .serve(async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
    });
    until(Duration::from_secs(10), "the daemon to watch", || {
        status(home)
            .is_some_and(|status| {
                status
                    .sources
                    .iter()
                    .all(|source| source.state.name() == "watching")
                    && !status.sources.is_empty()
            })
            .then_some(())
    });

    // a manual ban gives the store something to write while its disk hangs
    disk.freeze();
    let order = AdminRequest::Ban {
        target: Target::Address("192.0.2.7".parse().unwrap()),
        duration: None,
    };
    let answer = Client::connect(&home.join("ringfence.sock")).unwrap().ask(&order);
    assert!(
        matches!(answer, Ok(AdminAnswer::Done { changed: 1, .. })),
        "a ban needs no disk: {answer:?}"
    );
    gate.set(true);
    let shut = Instant::now();
    let before = resident();
    let mut most = 0;
    let mut sent = 0;
    while shut.elapsed() < BLOCKED {
        if sent < FLOOD {
            sent += fs.flood(20_000, |n| {
                let call = format!("{}@flood", sent + n);
                let mut told = fs_events::brute_force_try(peer(n), "1000", "tenant-a.example", &call);
                // the failures alone: each is an attempt of its own
                let failure = told.pop();
                match failure {
                    Some(Block::Event(event)) => Block::Event(event),
                    _ => panic!("a try ends with its failure"),
                }
            });
        } else {
            std::thread::sleep(Duration::from_millis(200));
        }
        most = most.max(resident());
    }
    assert!(sent >= FLOOD, "only {sent} were written");
    disk.thaw();
    gate.set(false);

    let judged = until(Duration::from_mins(1), "everything to be judged", || {
        let status = status(home)?;
        let read = status.sources.first()?.events;
        (read >= sent && status.engine.events + status.dropped == read).then_some(status)
    });
    assert!(judged.dropped > sent / 2, "{} dropped of {sent}", judged.dropped);
    let report = fs.reports().pop().unwrap();
    assert_eq!(fs.connections(), 1, "the connection held");
    assert!(
        report.longest_wait <= LONGEST_WAIT,
        "FreeSWITCH had to wait for {:?}",
        report.longest_wait
    );
    let grown = most.saturating_sub(before);
    println!(
        "{sent} events, {} dropped, FreeSWITCH waited {:?} at most, memory grew by {} MB",
        judged.dropped,
        report.longest_wait,
        grown >> 20
    );
    assert!(grown <= MEMORY, "{} MB", grown >> 20);
    let _ = stop.send(());
    daemon.join().unwrap();
}
