//! Tells the play's director what the daemon saw and did.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringfence_event::{Moment, SecurityEvent};

use crate::clock::Stopwatch;
use crate::daemon::Witness;
use crate::engine::Verdict;
use crate::fence::{Fence, Held};

/// When the latest block was written to the AMI socket.
pub type Written = Arc<Mutex<Option<Stopwatch>>>;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Told {
    /// An event was judged.
    Event(Box<SecurityEvent>),
    /// A verdict was carried out.
    Verdict {
        /// Which.
        verdict: Box<Verdict>,
        /// From writing the event to the socket until the kernel had confirmed, for verdicts that came from an event.
        took: Option<Duration>,
        /// What the kernel itself says about the target now.
        kernel: Option<Held>,
    },
}

/// The witness of the demonstration.
pub struct Teller {
    /// Where it tells.
    pub told: Sender<Told>,
    /// When the latest block was written.
    pub written: Written,
    /// A second connection to the kernel, to ask for its own word.
    pub kernel: Option<Box<dyn Fence>>,
}

impl Witness for Teller {
    fn saw(&mut self, _now: Moment, event: &SecurityEvent) {
        let _ = self.told.send(Told::Event(Box::new(event.clone())));
    }

    fn decided(&mut self, _now: Moment, verdict: &Verdict, took: Option<Duration>) {
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let took = took.and(written).map(|written| written.elapsed());
        let kernel = match verdict {
            Verdict::Ban(ban) => self.kernel.as_mut().and_then(|kernel| {
                let held = kernel.list().ok()?;
                held.into_iter().find(|held| held.target == ban.target)
            }),
            _ => None,
        };
        let _ = self.told.send(Told::Verdict {
            verdict: Box::new(verdict.clone()),
            took,
            kernel,
        });
    }
}
