//! Whether one stream really reaches us: what was seen of it, and the probe that is under way.

use std::time::Duration;

use crate::clock::Stopwatch;
use crate::health::{StreamReport, StreamState};

/// What is known of one stream of one connection.
#[derive(Debug)]
pub struct Flow {
    state: StreamState,
    problem: String,
    /// Whether probes can pass through it.
    provable: bool,
    pending: Option<(u64, Stopwatch)>,
    /// Whether something came since the latest probe was sent.
    alive: bool,
    /// The latest sign of life, or the latest probe that gave none.
    since: Stopwatch,
}

impl Flow {
    /// A stream that was asked for.
    pub fn asked() -> Self {
        Self {
            state: StreamState::Proving,
            problem: String::new(),
            provable: true,
            pending: None,
            alive: false,
            since: Stopwatch::start(),
        }
    }

    /// A stream that is not wanted.
    pub fn off() -> Self {
        Self {
            state: StreamState::Off,
            ..Self::asked()
        }
    }

    /// What it does.
    pub fn state(&self) -> StreamState {
        self.state
    }

    /// Whether it is asked for and given, whatever of it has been seen.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, StreamState::Off | StreamState::Refused)
    }

    /// Whether a probe can show that it flows.
    pub fn is_provable(&self) -> bool {
        self.is_open() && self.provable
    }

    /// FreeSWITCH does not give it.
    pub fn refuse(&mut self, problem: String) {
        self.state = StreamState::Refused;
        self.problem = problem;
        self.pending = None;
    }

    /// No probe can be sent, now or later: only a sign of life will prove it.
    pub fn leave_unproven(&mut self, problem: String) {
        self.provable = false;
        if self.state != StreamState::Flowing {
            self.state = StreamState::Unproven;
            self.problem = problem;
        }
        self.pending = None;
    }

    /// Something came that only this stream can bring. A probe under way goes on: it tells more than that.
    pub fn saw(&mut self) {
        self.state = StreamState::Flowing;
        self.problem.clear();
        self.alive = true;
        self.since = Stopwatch::start();
    }

    /// Whether nothing was seen or asked for `pause`.
    pub fn is_due(&self, pause: Duration) -> bool {
        self.is_open() && self.pending.is_none() && self.since.elapsed() >= pause
    }

    /// A probe is under way.
    pub fn probe(&mut self, nonce: u64) {
        self.pending = Some((nonce, Stopwatch::start()));
        self.alive = false;
    }

    /// The number of the probe under way.
    pub fn pending(&self) -> Option<u64> {
        self.pending.as_ref().map(|(nonce, _)| *nonce)
    }

    /// A probe came back; how long it was under way, if it is the one that was sent last.
    pub fn came_back(&mut self, nonce: u64) -> Option<Duration> {
        let took = self
            .pending
            .as_ref()
            .filter(|(sent, _)| *sent == nonce)
            .map(|(_, sent)| sent.elapsed());
        if took.is_some() {
            self.pending = None;
            self.saw();
        }
        took
    }

    /// The probe under way was never carried out, so that its absence says nothing.
    pub fn give_up(&mut self) {
        self.pending = None;
        self.since = Stopwatch::start();
    }

    /// Becomes blind when the probe under way is older than `patience` and nothing else came since; whether it has just
    /// become so.
    pub fn doubt(&mut self, patience: Duration, problem: &str) -> bool {
        let late = self
            .pending
            .as_ref()
            .is_some_and(|(_, sent)| sent.elapsed() >= patience);
        if !late {
            return false;
        }
        if self.alive {
            self.pending = None;
            return false;
        }
        self.give_up();
        let fresh = self.state != StreamState::Blind;
        self.state = StreamState::Blind;
        problem.clone_into(&mut self.problem);
        fresh
    }

    /// For `status`.
    pub fn report(&self, name: &str) -> StreamReport {
        StreamReport {
            name: name.to_owned(),
            state: self.state,
            problem: self.problem.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_probe_that_was_sent_last_proves() {
        let mut flow = Flow::asked();
        flow.probe(7);
        assert_eq!(flow.came_back(8), None);
        assert_eq!(flow.state(), StreamState::Proving);
        assert!(flow.came_back(7).is_some());
        assert_eq!(flow.state(), StreamState::Flowing);
        assert!(!flow.doubt(Duration::ZERO, "x"), "nothing is under way");
    }

    #[test]
    fn a_probe_that_does_not_come_back_makes_blind_until_something_comes() {
        let mut flow = Flow::asked();
        flow.probe(1);
        assert!(flow.doubt(Duration::ZERO, "why"));
        flow.probe(2);
        assert!(!flow.doubt(Duration::ZERO, "why"), "it was blind before");
        assert_eq!(
            flow.report("log"),
            StreamReport {
                name: "log".into(),
                state: StreamState::Blind,
                problem: "why".into()
            }
        );
        flow.saw();
        assert_eq!(flow.state(), StreamState::Flowing);
    }

    #[test]
    fn what_comes_before_the_probe_neither_replaces_it_nor_lets_it_blind() {
        let mut flow = Flow::asked();
        flow.probe(1);
        flow.saw();
        assert!(flow.came_back(1).is_some(), "it still tells how long it took");
        flow.probe(2);
        flow.saw();
        assert!(
            !flow.doubt(Duration::ZERO, "why"),
            "something came after it was sent"
        );
        assert_eq!(flow.state(), StreamState::Flowing);
        assert_eq!(flow.pending(), None);
    }

    #[test]
    fn what_can_never_be_probed_is_not_probed_once_it_flows() {
        let mut flow = Flow::asked();
        flow.leave_unproven("no".into());
        assert_eq!(flow.state(), StreamState::Unproven);
        flow.saw();
        assert!(flow.state() == StreamState::Flowing && !flow.is_provable());
    }

    #[test]
    fn what_is_refused_or_off_is_never_probed() {
        let mut refused = Flow::asked();
        refused.refuse("no".into());
        assert!(!refused.is_due(Duration::ZERO) && !Flow::off().is_due(Duration::ZERO));
    }
}
