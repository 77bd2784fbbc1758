//! Whether the far end still answers: a Ping now and then, its round trip, and what silence means.

use std::time::Duration;

use ringfence_ami::{Action, Outgoing, Response};
use ringfence_event::Span;

use super::action_id;
use crate::clock::Stopwatch;

/// A far end that sends not one byte for this long is gone, though the connection looks open.
const SILENCE: Duration = Duration::from_secs(10);

/// The pulse of one connection.
#[derive(Debug)]
pub struct Pulse {
    every: Duration,
    pending: Option<(String, Stopwatch)>,
    heard: Stopwatch,
}

impl Pulse {
    /// A pulse with a Ping each `every`.
    pub fn new(every: Span) -> Self {
        Self {
            every: every.into(),
            pending: None,
            heard: Stopwatch::start(),
        }
    }

    /// How often [`Pulse::beat`] has to be called.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The far end has sent something.
    pub fn hear(&mut self) {
        self.heard = Stopwatch::start();
    }

    /// Whether it has been silent for so long that it is gone.
    pub fn is_silent(&self) -> bool {
        self.heard.elapsed() >= SILENCE.max(self.every * 3)
    }

    /// The next Ping; `None` while the last one is not answered. Besides proving life it wakes servers that sit on events
    /// (asterisk/asterisk#2145), so a Ping that is overdue for long is followed by another.
    pub fn beat(&mut self) -> Option<Outgoing> {
        let overdue = self
            .pending
            .as_ref()
            .is_none_or(|(_, asked)| asked.elapsed() >= self.every * 2);
        if !overdue {
            return None;
        }
        let id = action_id();
        let ping = Action::ping(&id).ok()?;
        self.pending = Some((id, Stopwatch::start()));
        Some(ping)
    }

    /// The round trip, when `response` answers the pending Ping.
    pub fn answered(&mut self, response: &Response<'_>) -> Option<Duration> {
        let (id, asked) = self.pending.as_ref()?;
        if !response.is_pong(id) {
            return None;
        }
        let took = asked.elapsed();
        self.pending = None;
        Some(took)
    }
}
