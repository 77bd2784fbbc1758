//! A real systemd-journald of its own, in a directory of its own.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ringfence_testkit::until;

use super::common::PATIENCE;

/// Where distributions keep it.
const PROGRAMS: [&str; 2] = [
    "/usr/lib/systemd/systemd-journald",
    "/lib/systemd/systemd-journald",
];

/// A running journald whose `/run` is a directory of ours. Dropping it ends it.
pub struct Journald {
    run: tempfile::TempDir,
    process: Child,
}

impl Journald {
    /// Starts one; `tests/run` installs it. It needs the right to make a mount namespace.
    pub fn start() -> Self {
        let program = PROGRAMS.into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("no journald: apt-get install systemd");
        let run = tempfile::tempdir().unwrap();
        let process = spawn(program, run.path());
        let made = Self { run, process };
        made.ready();
        made
    }

    fn ready(&self) {
        until(PATIENCE, "journald", || {
            let socket = UnixDatagram::unbound().ok()?;
            socket
                .connect(self.run.path().join("systemd/journal/socket"))
                .ok()?;
            self.files().exists().then_some(())
        });
    }

    fn files(&self) -> PathBuf {
        self.run.path().join("log/journal")
    }

    /// A `journalctl` that reads this journal and no other.
    pub fn journalctl(&self) -> PathBuf {
        let path = self.run.path().join("journalctl");
        let script = format!(
            "#!/bin/sh\nexec journalctl --directory='{}' \"$@\"\n",
            self.files().display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Logs an entry with these messages, as a program that speaks journald's own protocol.
    pub fn log(&self, messages: &[&[u8]]) {
        let mut entry = b"RINGFENCE_TEST=1\n".to_vec();
        for message in messages {
            entry.extend(b"MESSAGE\n");
            entry.extend((message.len() as u64).to_le_bytes());
            entry.extend(*message);
            entry.push(b'\n');
        }
        let socket = UnixDatagram::unbound().unwrap();
        let path = self.run.path().join("systemd/journal/socket");
        assert_eq!(socket.send_to(&entry, path).unwrap(), entry.len());
    }

    /// Throws the journal away and starts with an empty one.
    pub fn clear(&mut self) {
        self.end();
        fs::remove_dir_all(self.files()).unwrap();
        let program = PROGRAMS
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap();
        self.process = spawn(program, self.run.path());
        self.ready();
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(program: &str, run: &Path) -> Child {
    Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            "mount --bind \"$1\" /run && exec \"$0\"",
            program,
        ])
        .arg(run)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
