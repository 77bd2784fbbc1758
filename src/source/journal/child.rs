//! The `journalctl` that is run: started, read, and ended with us.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{self, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::JournalSettings;
use crate::source::logfile::handle::Stop;

/// What is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;
/// What is remembered of its complaints, in bytes: the latest ones.
const COMPLAINT: usize = 500;

/// A running journalctl. Dropping it ends it.
pub(super) struct Child {
    process: process::Child,
    out: ChildStdout,
    err: Option<ChildStderr>,
    chunk: Vec<u8>,
    complaint: Vec<u8>,
}

/// What came from it.
pub(super) enum Heard<'a> {
    Bytes(&'a [u8]),
    /// Nothing came in time, or the source is to stop.
    Nothing,
    /// It ended; why.
    End(String),
}

impl Child {
    /// Starts one after `cursor`.
    pub(super) fn start(settings: &JournalSettings, cursor: Option<&str>) -> Result<Self, String> {
        let program = settings.program.display();
        if let Some(option) = settings.matches.iter().find(|one| one.starts_with('-')) {
            return Err(format!(
                "{option} is an option, not a match of journalctl: take it out"
            ));
        }
        let mut command = Command::new(&settings.program);
        command.args(["--follow", "--output=json", "--all", "--no-pager", "--quiet"]);
        command.arg("--output-fields=MESSAGE");
        match (cursor, &settings.since) {
            (Some(cursor), _) => {
                command.arg(format!("--after-cursor={cursor}")).arg("--no-tail");
            }
            (None, Some(since)) => {
                command.arg(format!("--since={since}")).arg("--no-tail");
            }
            (None, None) => {
                command.arg("--lines=0");
            }
        }
        command
            .args(&settings.matches)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            format!("{program} can't be started: {error}. Install systemd's journalctl, or read the log file instead")
        })?;
        let (Some(out), err) = (child.stdout.take(), child.stderr.take()) else {
            return Err(format!("{program} has no output"));
        };
        Ok(Self {
            process: child,
            out,
            err,
            chunk: vec![0; CHUNK],
            complaint: Vec::new(),
        })
    }

    /// Waits for its output, at most for `timeout`.
    pub(super) fn hear(&mut self, stop: &Stop, timeout: Duration) -> Heard<'_> {
        let mut fds = vec![
            PollFd::new(stop.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.out.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(
            self.err
                .iter()
                .map(|err| PollFd::new(err.as_fd(), PollFlags::POLLIN)),
        );
        let _ = poll(
            &mut fds,
            PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX),
        );
        let mut ready = fds.iter().map(|fd| fd.any() == Some(true));
        let (told, out, err) = (ready.next(), ready.next(), ready.next());
        drop(ready);
        drop(fds);
        if err == Some(true) {
            self.hear_complaint();
        }
        if told == Some(true) || out != Some(true) {
            return Heard::Nothing;
        }
        match self.out.read(&mut self.chunk) {
            Ok(0) => Heard::End(self.end()),
            Ok(got) => Heard::Bytes(self.chunk.get(..got).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Heard::Nothing,
            Err(error) => Heard::End(format!("journalctl can't be read: {error}")),
        }
    }

    fn hear_complaint(&mut self) {
        let got = self.err.as_mut().and_then(|err| err.read(&mut self.chunk).ok());
        match got {
            None | Some(0) => self.err = None,
            Some(got) => {
                self.complaint
                    .extend_from_slice(self.chunk.get(..got).unwrap_or_default());
                let surplus = self.complaint.len().saturating_sub(COMPLAINT);
                self.complaint.drain(..surplus);
            }
        }
    }

    /// Why it ended.
    fn end(&mut self) -> String {
        while self.err.is_some() {
            self.hear_complaint();
        }
        let _ = self.process.kill();
        let status = self
            .process
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        let complaint: String = String::from_utf8_lossy(&self.complaint)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        format!(
            "journalctl ended ({status}) {}. It is started again; may the daemon's user read the journal (group systemd-journal)?",
            complaint.trim()
        )
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for `pause`, or until the source is to stop.
pub(super) fn pause(stop: &Stop, pause: Duration) {
    let mut fds = [PollFd::new(stop.wake.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX));
}
