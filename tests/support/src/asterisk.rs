//! Real Asterisk servers in a namespace.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::ami::AmiClient;
use crate::net::Space;
use crate::process::Process;
use crate::tls::Certificates;
use crate::wait::until;

/// Which Asterisk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 22: PJSIP on ports 5060 and 5061 (TLS).
    V22,
    /// 16: PJSIP as in 22, and chan_sip on port 5160.
    V16,
}

/// A running Asterisk with a configuration, state and logs of its own; killed when dropped.
///
/// Its manager interface listens on ports 5038 and 5039 (TLS) of all addresses of its namespace. `tests/lab/asterisk*`
/// has the accounts.
#[derive(Debug)]
pub struct Asterisk {
    tree: PathBuf,
    home: PathBuf,
    space: Space,
    certificates: Certificates,
    process: Option<Process>,
}

impl Asterisk {
    /// Starts `version` in `space` with its home below `dir` and waits until it has booted.
    ///
    /// `variants` name folders of `tests/lab/variants`; their files replace those of the same name.
    pub fn start(version: Version, space: &Space, dir: &Path, variants: &[&str]) -> Self {
        let name = match version {
            Version::V22 => "asterisk22",
            Version::V16 => "asterisk16",
        };
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let lab = std::env::var_os("RINGFENCE_LAB").map_or_else(|| project.join(".lab"), PathBuf::from);
        let tree = lab.join(name);
        assert!(
            tree.join(".complete").exists(),
            "{} is missing; tests/lab/fetch-asterisk gets it",
            tree.display()
        );
        let home = dir.join(name);
        for part in ["etc", "var", "run", "log"] {
            fs::create_dir_all(home.join(part)).unwrap();
        }
        let etc = home.join("etc");
        let configurations = project.join("tests/lab");
        copy(&configurations.join("asterisk"), &etc);
        copy(&configurations.join(name), &etc);
        for variant in variants {
            copy(&configurations.join("variants").join(variant), &etc);
        }
        let certificates = Certificates::new(&["localhost", "127.0.0.1", "192.0.2.22"]);
        fs::write(etc.join("cert.pem"), &certificates.certificate).unwrap();
        fs::write(etc.join("key.pem"), &certificates.key).unwrap();
        let mut server = Self {
            tree,
            home,
            space: space.clone(),
            certificates,
            process: None,
        };
        server.boot();
        server
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), and waits until it has booted.
    pub fn boot(&mut self) {
        // The mounts are seen by this one process tree only: `ip netns exec` gives it a mount namespace of its own.
        let script = r#"
            tree=$1 home=$2
            mount --rbind /dev "$tree/dev" && mount -t proc proc "$tree/proc" && mount --bind "$home" "$tree/lab" &&
            exec chroot "$tree" /usr/sbin/asterisk -f -C /lab/etc/asterisk.conf
        "#;
        let mut command = self.space.command("sh");
        command
            .args(["-c", script, "asterisk"])
            .arg(&self.tree)
            .arg(&self.home);
        let mut process = Process::start(&mut command, &self.home.join("log/console"));
        until(Duration::from_secs(20), "Asterisk's manager interface", || {
            if let Some(status) = process.ended() {
                panic!("Asterisk ended ({status}):\n{}", process.output());
            }
            booted(&self.space)
        });
        self.process = Some(process);
    }

    /// Stops it in order, as a service manager would.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::SIGTERM);
            let ended = process.wait(Duration::from_secs(10));
            assert!(ended.is_some(), "Asterisk does not stop:\n{}", process.output());
        }
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// What it serves TLS with.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Its folder of logs.
    pub fn logs(&self) -> PathBuf {
        self.home.join("log")
    }
}

/// Whether the server says on its manager interface that it has booted. It listens before that.
fn booted(space: &Space) -> Option<()> {
    let local = "127.0.0.1:5038".parse().unwrap();
    let mut probe = AmiClient::connect(space, local, None, Duration::from_secs(1)).ok()?;
    probe.login("probe", "probe-secret").then_some(())?;
    probe
        .wait_for("Event: FullyBooted", Duration::from_secs(10))
        .then_some(())
}

/// Copies the files of `from` over those in `to`.
fn copy(from: &Path, to: &Path) {
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
