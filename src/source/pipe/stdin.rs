//! The standard input, read until it ends.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::desk::{Desk, Pulled};
use crate::clock::Clock;
use crate::health::{Health, State};
use crate::source::logfile::LineSink;
use crate::source::logfile::handle::{Lease, Stop};

/// Reads until the end, or until told to stop.
///
/// It is never made non-blocking: it may be a terminal that others use, too.
pub(super) fn run(health: &Health, clock: Clock, sink: Box<dyn LineSink>, lease: &Lease, stop: &Stop) {
    let why = match io::stdin().as_fd().try_clone_to_owned() {
        Ok(input) => {
            health.update(|report| report.connects += 1);
            health.enter(clock.now(), State::Watching, "");
            read(File::from(input), health, sink, lease, stop)
        }
        Err(error) => format!("the standard input can't be read: {error}"),
    };
    health.enter(clock.now(), State::Stopped, &why);
}

/// Why it ended; empty when told to.
fn read(input: File, health: &Health, sink: Box<dyn LineSink>, lease: &Lease, stop: &Stop) -> String {
    let mut desk = Desk::new(sink, PathBuf::from("stdin"));
    let mut stream = desk.stream(input);
    while lease.is_mine() {
        let mut fds = [
            PollFd::new(stop.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(stream.file.as_fd(), PollFlags::POLLIN),
        ];
        let patience = desk.patience().map(PollTimeout::try_from);
        let _ = poll(
            &mut fds,
            patience.and_then(Result::ok).unwrap_or(PollTimeout::NONE),
        );
        let ready = fds.get(1).and_then(PollFd::any) == Some(true);
        if stop.is_told() {
            return String::new();
        }
        if !ready {
            desk.pause(health);
            continue;
        }
        let pulled = desk.pull(&mut stream);
        desk.pause(health);
        match pulled {
            Ok(Pulled::End) => return "the standard input ended: nothing more is read from it".into(),
            Ok(_) => {}
            Err(error) => return format!("the standard input can't be read: {error}"),
        }
    }
    "another source reads the standard input".into()
}
