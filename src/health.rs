//! Whether a source sees what it should, for `status` and alerts.

use std::sync::{Arc, Mutex, PoisonError};

use ringfence_event::Moment;
use serde::{Deserialize, Serialize};

/// What one source is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not connected: trying, or waiting before the next try.
    #[default]
    Connecting,
    /// Connected and logged in; whether events flow is not proven yet.
    Proving,
    /// Events are proven to flow.
    Watching,
    /// Connected, but what happens at the PBX does not reach us.
    Blind,
    /// The PBX refuses the login.
    Refused,
    /// Stopped with the daemon, or taken out of the configuration.
    Stopped,
}

impl State {
    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Proving => "proving",
            Self::Watching => "watching",
            Self::Blind => "blind",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
        }
    }
}

/// What a source reports about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The source's configured name.
    pub name: String,
    /// Its kind: `asterisk`.
    pub kind: String,
    /// Where it connects to.
    pub address: String,
    /// What it is doing.
    pub state: State,
    /// What keeps it from watching and what to do about it; empty while it watches.
    pub problem: String,
    /// What the PBX says it is.
    pub version: String,
    /// Since when it has been in this state.
    pub since: Moment,
    /// When the latest security event came.
    pub last_event: Option<Moment>,
    /// Security events delivered.
    pub events: u64,
    /// Blocks that looked like security events but broke the fixed header order; none of them was counted.
    pub suspicious: u64,
    /// Bytes drained because one event was larger than the cap.
    pub oversized: u64,
    /// Connections that were established.
    pub connects: u64,
    /// The latest round trip of a Ping, in microseconds.
    pub ping_us: Option<u64>,
}

/// A source's health, written by the source, read by `status`.
#[derive(Clone, Debug)]
pub struct Health(Arc<Mutex<HealthReport>>);

impl Health {
    /// A health that starts as `report`.
    pub fn new(report: HealthReport) -> Self {
        Self(Arc::new(Mutex::new(report)))
    }

    /// A copy of the report as it is now.
    pub fn report(&self) -> HealthReport {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the report.
    pub fn update(&self, change: impl FnOnce(&mut HealthReport)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Enters `state` with what the admin should know; logs a line when either changed.
    pub fn enter(&self, now: Moment, state: State, problem: &str) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if report.state == state && report.problem == problem {
            return;
        }
        if report.state != state {
            report.since = now;
        }
        report.state = state;
        problem.clone_into(&mut report.problem);
        let (name, address) = (report.name.clone(), report.address.clone());
        drop(report);
        match state {
            State::Watching => tracing::info!(
                source = name,
                address,
                "watching: security events are proven to flow"
            ),
            State::Proving | State::Stopped => tracing::debug!(source = name, address, state = state.name()),
            State::Connecting if problem.is_empty() => tracing::debug!(source = name, address, "connecting"),
            State::Connecting => tracing::warn!(source = name, address, "not connected: {problem}"),
            State::Blind => tracing::error!(source = name, address, "blind: {problem}"),
            State::Refused => tracing::error!(source = name, address, "login refused: {problem}"),
        }
    }
}
