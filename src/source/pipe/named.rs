//! A named pipe, read through the comings and goings of its writers and of the pipe itself.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::desk::{Desk, Pulled, Stream};
use super::fifo::{self, Identity};
use crate::clock::{Clock, Stopwatch};
use crate::health::{Health, State};
use crate::source::logfile::LineSink;
use crate::source::logfile::handle::{Lease, Stop};

/// How often it is looked whether the pipe is there, is the same, and has a writer.
const LOOK: Duration = Duration::from_secs(1);
/// How long a pipe may be without a writer before that is trouble: some programs open it for each line.
const GRACE: Duration = Duration::from_mins(1);
/// Replaced pipes that are read on while somebody writes into them; the oldest go first.
const FORMER: usize = 4;
/// How often one pipe is read before other things have their turn.
const TURN: usize = 4;

/// Reads one named pipe.
pub(super) struct Reader {
    path: PathBuf,
    health: Health,
    clock: Clock,
    lease: Lease,
    desk: Desk,
    current: Option<Current>,
    /// Pipes that had this path and still have a writer.
    former: Vec<Stream>,
    problem: String,
    /// When the pipe was opened that is there now, or its path came to name another one.
    opened: Stopwatch,
    /// When somebody was last seen to have it open for writing.
    writer: Option<Stopwatch>,
}

struct Current {
    stream: Stream,
    identity: Identity,
    /// Its last writer left: the kernel says so until it is opened anew.
    left: bool,
}

/// What waiting gave.
enum Ready {
    /// Bytes, the end of a writer, or nothing in time.
    Go,
    /// The last writer of the current pipe has left.
    Left,
}

impl Reader {
    pub(super) fn new(
        path: PathBuf,
        health: Health,
        clock: Clock,
        sink: Box<dyn LineSink>,
        lease: Lease,
    ) -> Self {
        Self {
            desk: Desk::new(sink, path.clone()),
            path,
            health,
            clock,
            lease,
            current: None,
            former: Vec::new(),
            problem: String::new(),
            opened: Stopwatch::start(),
            writer: None,
        }
    }

    /// Reads until told to stop.
    pub(super) fn run(mut self, stop: &Stop) {
        let mut looked: Option<Stopwatch> = None;
        let mut why = String::new();
        while !stop.is_told() {
            if !self.lease.is_mine() {
                why = format!("another source reads {}", self.path.display());
                break;
            }
            let left = self.current.as_ref().is_some_and(|current| current.left);
            if left || looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                self.look();
                looked = Some(Stopwatch::start());
            }
            let more = self.pull(stop);
            self.desk.pause(&self.health);
            self.report();
            let until = looked.map_or(LOOK, |looked| LOOK.saturating_sub(looked.elapsed()));
            let until = until.min(self.desk.patience().unwrap_or(until));
            let ready = self.wait(stop, if more { Duration::ZERO } else { until });
            if let (Ready::Left, Some(current)) = (ready, &mut self.current) {
                // before anything is read of the next writer
                self.desk.end(&mut current.stream);
                current.left = true;
            }
        }
        self.health.enter(self.clock.now(), State::Stopped, &why);
    }

    /// Opens the pipe that is there now, if it is another one or its writers have left.
    fn look(&mut self) {
        let found = fifo::find(&self.path);
        let same =
            matches!((&found, &self.current), (Ok(found), Some(current)) if *found == current.identity);
        if same && !self.current.as_ref().is_some_and(|current| current.left) {
            self.problem.clear();
            return;
        }
        // the old one is closed only after the new one is open: a writer that comes meanwhile finds a reader
        let before = self.current.take();
        match found.and_then(|_| fifo::open(&self.path)) {
            Ok((file, identity)) => {
                self.health.update(|report| report.connects += 1);
                self.problem.clear();
                self.current = Some(Current {
                    stream: self.desk.stream(file),
                    identity,
                    left: false,
                });
            }
            Err(problem) => {
                self.problem = problem;
                self.opened = Stopwatch::start();
                self.writer = None;
            }
        }
        if let Some(before) = before {
            let same = self
                .current
                .as_ref()
                .is_some_and(|current| current.identity == before.identity);
            if !same {
                self.former.push(before.stream);
            }
            let surplus = self.former.len().saturating_sub(FORMER);
            self.former.drain(..surplus);
        }
    }

    /// Reads what is there: whether there may be more.
    fn pull(&mut self, stop: &Stop) -> bool {
        let mut more = false;
        let desk = &mut self.desk;
        self.former.retain_mut(|stream| match turn(desk, stream, stop) {
            Ok((pulled, _)) => {
                more |= pulled == Pulled::Some;
                pulled != Pulled::End
            }
            Err(_) => false,
        });
        let Some(current) = &mut self.current else {
            return more;
        };
        match turn(desk, &mut current.stream, stop) {
            Ok((pulled, came)) => {
                more |= pulled == Pulled::Some;
                if came || pulled != Pulled::End {
                    self.writer = Some(Stopwatch::start());
                }
            }
            Err(error) => {
                self.problem = format!(
                    "{} can't be read: {error}. It is tried again",
                    self.path.display()
                );
                self.current = None;
            }
        }
        more
    }

    fn wait(&self, stop: &Stop, patience: Duration) -> Ready {
        let current = self.current.as_ref().map(|current| &current.stream);
        let streams = current.into_iter().chain(&self.former);
        let mut fds = vec![PollFd::new(stop.wake.as_fd(), PollFlags::POLLIN)];
        fds.extend(streams.map(|stream| PollFd::new(stream.file.as_fd(), PollFlags::POLLIN)));
        let _ = poll(
            &mut fds,
            PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX),
        );
        let said = fds.get(1).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        // what it wrote before it left is read first
        let left = said.contains(PollFlags::POLLHUP) && !said.contains(PollFlags::POLLIN);
        if self.current.is_some() && left {
            Ready::Left
        } else {
            Ready::Go
        }
    }

    fn report(&self) {
        let state = match &self.current {
            // what was there before is still written to
            _ if !self.former.is_empty() => State::Watching,
            Some(_) => judged(self.opened.elapsed(), self.writer.map(|writer| writer.elapsed())),
            None => State::Blind,
        };
        if self.current.is_some() && state != State::Watching {
            let path = self.path.display();
            let problem = format!(
                "{path} is open for reading, and nobody has it open for writing: start the program that writes into it"
            );
            self.health.enter(self.clock.now(), state, &problem);
        } else {
            self.health.enter(self.clock.now(), state, &self.problem);
        }
    }
}

/// Reads a few times from `stream`; whether anything came.
fn turn(desk: &mut Desk, stream: &mut Stream, stop: &Stop) -> std::io::Result<(Pulled, bool)> {
    let mut came = false;
    for _ in 0..TURN {
        match desk.pull(stream)? {
            Pulled::Some if stop.is_told() => break,
            Pulled::Some => came = true,
            done => return Ok((done, came)),
        }
    }
    Ok((Pulled::Some, came))
}

/// What a pipe amounts to that was opened `opened` ago and last had a writer `writer` ago.
fn judged(opened: Duration, writer: Option<Duration>) -> State {
    match writer {
        // a writer for each line is no trouble
        Some(ago) if ago < GRACE => State::Watching,
        None if opened < GRACE => State::Proving,
        _ => State::Blind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_nobody_writes_into_is_no_watch() {
        let (now, soon) = (Duration::ZERO, Duration::from_secs(5));
        assert_eq!(judged(soon, None), State::Proving);
        assert_eq!(judged(GRACE, None), State::Blind);
        assert_eq!(judged(GRACE, Some(now)), State::Watching);
        assert_eq!(judged(GRACE, Some(soon)), State::Watching);
        assert_eq!(judged(soon, Some(GRACE)), State::Blind);
    }
}
