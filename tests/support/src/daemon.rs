//! The daemon under test.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::net::{Net, Space};
use crate::process::Process;
use crate::wait::until;

/// How long the daemon may take to connect to its PBXes and to see that events flow.
const READY: Duration = Duration::from_secs(15);

/// `ringfence run` beside the PBX; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    space: Space,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

/// How a command ended and what it printed.
#[derive(Clone, Debug)]
pub struct Cli {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Cli {
    /// Its output as JSON; panics when it isn't.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

impl Daemon {
    /// Writes `config`, completed with a store and a control socket of its own, and starts `binary` beside the PBX.
    pub fn spawn(net: &Net, binary: impl AsRef<Path>, config: &str) -> Self {
        let dir = net.dir();
        let mut daemon = Self {
            space: net.pbx().clone(),
            binary: binary.as_ref().to_owned(),
            config: dir.join("ringfence.toml"),
            log: dir.join("ringfence.log"),
            process: None,
        };
        daemon.configure(config);
        daemon.run(&[]);
        daemon
    }

    /// As [`spawn`](Self::spawn), and waits until it watches every PBX.
    pub fn start(net: &Net, binary: impl AsRef<Path>, config: &str) -> Self {
        let mut daemon = Self::spawn(net, binary, config);
        daemon.wait_until_watching();
        daemon
    }

    /// Writes another configuration; `reload` or the next start reads it.
    pub fn configure(&self, config: &str) {
        let dir = self.config.parent().unwrap().display();
        let config = format!(
            "{config}\n[store]\npath = \"{dir}/ringfence.db\"\n[control]\nsocket = \"{dir}/ringfence.sock\"\n\
             [log]\ntarget = \"stderr\"\nlevel = \"debug\"\n"
        );
        // It holds secrets: a configuration that others may read is an error.
        let mut options = fs::File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.config)
            .unwrap();
        file.write_all(config.as_bytes()).unwrap();
    }

    /// Starts it again after it ended, with further `arguments` of `run`.
    pub fn run(&mut self, arguments: &[&str]) {
        let mut command = self.space.command(&self.binary);
        command
            .arg("run")
            .args(arguments)
            .arg("--config")
            .arg(&self.config);
        self.process = Some(Process::start(&mut command, &self.log));
    }

    /// Waits until it says that it watches every PBX.
    pub fn wait_until_watching(&mut self) {
        until(READY, "the daemon to watch every PBX", || {
            self.assert_alive();
            let status = self.status()?;
            let sources = status["sources"].as_array()?;
            sources
                .iter()
                .all(|source| source["state"] == "watching")
                .then_some(())
        });
    }

    /// What `status --json` says, once it answers; it ends with 1 when something needs attention.
    pub fn status(&self) -> Option<Value> {
        let cli = self.cli(&["status", "--json"]);
        matches!(cli.code, Some(0 | 1)).then(|| cli.json())
    }

    /// Waits until a source of this name satisfies `wanted`, and returns what `status --json` says of it.
    pub fn wait_for_source(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(READY, what, || {
            let status = self.status()?;
            let sources = status["sources"].as_array()?;
            sources
                .iter()
                .find(|source| source["name"] == name && wanted(source))
                .cloned()
        })
    }

    /// What `banned --json` lists.
    pub fn banned(&self) -> Vec<Value> {
        let cli = self.cli(&["banned", "--json"]);
        let Value::Array(bans) = cli.json() else {
            panic!("no list: {cli:?}\n{}", self.log());
        };
        bans
    }

    /// The ban of `target`, as `banned --json` shows it.
    pub fn ban_of(&self, target: &str) -> Option<Value> {
        self.banned().into_iter().find(|ban| ban["target"] == target)
    }

    /// Runs a command against it, with `--config`.
    pub fn cli(&self, arguments: &[&str]) -> Cli {
        let mut command = self.space.command(&self.binary);
        command.args(arguments).arg("--config").arg(&self.config);
        let output = command.output().unwrap();
        Cli {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, and panics unless it ends well.
    pub fn must(&self, arguments: &[&str]) -> Cli {
        let cli = self.cli(arguments);
        assert_eq!(cli.code, Some(0), "{arguments:?}: {cli:?}\n{}", self.log());
        cli
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.running().signal(signal);
    }

    /// Ends it as a crash would: nothing is put in order.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end with SIGTERM and waits.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the daemon runs");
        let ended = process.wait(Duration::from_secs(5));
        ended.unwrap_or_else(|| panic!("the daemon does not end\n{}", self.log()))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running().id()
    }

    /// All that it logged, over all its starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the daemon runs")
    }

    fn assert_alive(&mut self) {
        if let Some(status) = self.process.as_mut().expect("the daemon runs").ended() {
            panic!("the daemon ended ({status})\n{}", self.log());
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process = None;
        if std::thread::panicking() {
            eprintln!("--- what the daemon logged:\n{}", self.log());
        }
    }
}
