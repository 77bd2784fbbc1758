//! What the log told while no events came, so that events which were only late don't tell it a second time.
//!
//! Events come in the order in which they were fired, our probe among them: once a probe has come back, whatever was fired
//! before it was sent has come, or never will.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use ringfence_event::{Cause, SecurityEvent, Service};

use crate::clock::Stopwatch;

/// At most as much is remembered; the oldest goes first.
const MOST: usize = 1024;

/// What one event is recognised by: a line of the log tells no port and no dialogue.
type Mark = (IpAddr, Service, Cause);

/// What was told by the log alone and not by an event so far.
#[derive(Debug, Default)]
pub struct Alone(VecDeque<(Mark, Stopwatch)>);

impl Alone {
    /// The log told `event`, and no events flow.
    pub fn told(&mut self, event: &SecurityEvent) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((mark(event), Stopwatch::start()));
    }

    /// Whether `event` only repeats what the log told; each line stands for one event.
    pub fn repeats(&mut self, event: &SecurityEvent) -> bool {
        let mark = mark(event);
        let found = self.0.iter().position(|(told, _)| *told == mark);
        found.is_some_and(|at| self.0.remove(at).is_some())
    }

    /// A probe came back that was sent `took` ago.
    pub fn settle(&mut self, took: Duration) {
        self.0.retain(|(_, since)| since.elapsed() < took);
    }
}

fn mark(event: &SecurityEvent) -> Mark {
    (event.peer.addr(), event.service, event.cause)
}
