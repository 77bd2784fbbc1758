//! Watching the daemon at work: what it saw and what it decided, as it happens.

use std::time::Duration;

use ringfence_event::{Moment, SecurityEvent};

use crate::engine::Verdict;

/// Is told of everything on the core thread, after the kernel holds it; must return quickly.
pub trait Witness: Send {
    /// An event was judged.
    fn saw(&mut self, now: Moment, event: &SecurityEvent);

    /// A verdict was carried out. `took` is the time from reading the event off the wire to the kernel's word, for verdicts
    /// that came from an event.
    fn decided(&mut self, now: Moment, verdict: &Verdict, took: Option<Duration>);
}
