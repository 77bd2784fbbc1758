//! A daemon in dry-run, its fake Asterisk, and what they are asked.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringfence_testkit::{FakeAmi, events};
use serde_json::Value;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(15);

/// One daemon with its configuration and state in a folder of its own.
pub struct Stage {
    pub ami: FakeAmi,
    pub home: tempfile::TempDir,
    /// Lines in front of every table.
    pub top: String,
    /// Tables behind the usual ones.
    pub tables: String,
    /// The secret that the daemon presents.
    pub secret: String,
    /// The PBXes to watch instead of the fake Asterisk.
    pub pbxes: Option<String>,
    /// A folder of programs that come before all others.
    pub programs: Option<PathBuf>,
    child: Option<Child>,
}

impl Stage {
    /// A fake Asterisk, and nothing running yet.
    pub fn new() -> Self {
        Self {
            ami: FakeAmi::start(None, "ringfence", "right"),
            home: tempfile::tempdir().unwrap(),
            top: String::new(),
            tables: String::new(),
            secret: "right".into(),
            pbxes: None,
            programs: None,
            child: None,
        }
    }

    /// A daemon that watches.
    pub fn watching() -> Self {
        let mut stage = Self::new();
        stage.start();
        stage.wait_for_state("watching");
        stage
    }

    pub fn config(&self) -> PathBuf {
        self.home.path().join("ringfence.toml")
    }

    /// Where a dry run remembers.
    pub fn store(&self) -> PathBuf {
        self.home.path().join("ringfence.db.dry-run")
    }

    /// Writes the configuration as it is now.
    pub fn configure(&self) {
        let home = self.home.path().display();
        let asterisk = format!(
            "[[asterisk]]\nname = \"pbx\"\naddress = \"{}\"\nusername = \"ringfence\"\nsecret = \"{}\"\n",
            self.ami.address(),
            self.secret
        );
        let text = format!(
            "{top}\n{pbxes}\
             [fence]\nbackend = \"dry-run\"\n[store]\npath = \"{home}/ringfence.db\"\n\
             [control]\nsocket = \"{home}/ringfence.sock\"\n[log]\ntarget = \"file\"\nfile = \"{home}/ringfence.log\"\n{tables}",
            top = self.top,
            pbxes = self.pbxes.as_ref().unwrap_or(&asterisk),
            tables = self.tables,
        );
        std::fs::write(self.config(), text).unwrap();
        std::fs::set_permissions(self.config(), PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self) {
        self.configure();
        let child = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["run", "--config"])
            .arg(self.config())
            .env("PATH", self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.until("the daemon answers", |stage| stage.status().is_some());
    }

    fn path(&self) -> OsString {
        let all = std::env::var_os("PATH").unwrap_or_default();
        let own = self.programs.iter().cloned();
        std::env::join_paths(own.chain(std::env::split_paths(&all))).unwrap()
    }

    /// The daemon's process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    }

    /// Ends the daemon with `signal` and returns its exit code, `None` when the signal killed it.
    pub fn end(&mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.child.take().unwrap().wait().unwrap().code()
    }

    /// Runs a subcommand.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .env("PATH", self.path())
            .output()
            .unwrap()
    }

    /// Runs a subcommand with `--json` and reads what it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.cli(&all);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    }

    pub fn status(&self) -> Option<Value> {
        let output = self.cli(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// The only source's report.
    pub fn source(&self) -> Value {
        self.json(&["status"])["sources"][0].clone()
    }

    pub fn wait_for_state(&self, state: &str) {
        self.until(state, |stage| stage.source()["state"] == state);
    }

    /// The addresses banned now.
    pub fn banned(&self) -> Vec<String> {
        let bans = self.json(&["banned"]);
        bans.as_array()
            .unwrap()
            .iter()
            .map(|ban| ban["target"].as_str().unwrap().to_string())
            .collect()
    }

    /// Makes the fake Asterisk report `times` wrong passwords from `peer`, and waits until they are judged.
    pub fn guess(&self, peer: &str, account: &str, times: u32) {
        let before = self.json(&["status"])["engine"]["events"].as_u64().unwrap();
        let peer = SocketAddr::new(peer.parse().unwrap(), 5060);
        let mut text = String::new();
        for n in 0..times {
            let call = format!("{account}-{before}-{n}@{peer}");
            let _ = write!(
                text,
                "{}",
                events::wrong_password(&events::now(), account, &call, peer)
            );
        }
        assert_eq!(self.ami.inject(text.as_bytes()), 1);
        let after = before + u64::from(times) * 2;
        self.until("the guesses are judged", |stage| {
            stage.json(&["status"])["engine"]["events"].as_u64().unwrap() >= after
        });
    }

    /// Waits until `done`, by asking again and again.
    pub fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(
                start.elapsed() < PATIENCE,
                "{what} did not come true\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("ringfence.log")).unwrap_or_default()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
