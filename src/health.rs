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

/// What one stream of a source is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamState {
    /// Asked for; whether it flows is not proven yet.
    #[default]
    Proving,
    /// It is proven to flow.
    Flowing,
    /// Given, but it can't be proven to flow.
    Unproven,
    /// Given, but nothing comes.
    Blind,
    /// The PBX does not give it.
    Refused,
    /// Not asked for.
    Off,
}

impl StreamState {
    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proving => "proving",
            Self::Flowing => "flowing",
            Self::Unproven => "unproven",
            Self::Blind => "blind",
            Self::Refused => "refused",
            Self::Off => "off",
        }
    }

    /// Whether something that was asked for does not come.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Blind | Self::Refused)
    }
}

/// One stream of a source, such as FreeSWITCH's events and its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// What it carries: `events`, `log`, `verto`, `calls`.
    pub name: String,
    /// What it is doing.
    pub state: StreamState,
    /// What is missing and what to change; empty while it flows.
    pub problem: String,
}

/// What a source reports about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The source's configured name.
    pub name: String,
    /// Its kind: `asterisk`, `freeswitch`, `log` beside one of them, or `logfile`.
    pub kind: String,
    /// Where it connects to, or what it reads.
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
    /// Security events that were not believed: injected into the stream, or made up by another client; none was counted.
    pub suspicious: u64,
    /// Events that were larger than the cap.
    pub oversized: u64,
    /// Connections that were established.
    pub connects: u64,
    /// The latest round trip of a Ping or a probe, in microseconds.
    pub ping_us: Option<u64>,
    /// Its streams, where it has several.
    pub streams: Vec<StreamReport>,
    /// What tells one run of the PBX from the next; empty when unknown.
    pub instance: String,
    /// How often the PBX was seen to have been started anew.
    pub restarts: u64,
    /// The time of which everything that the PBX told has reached us: from the present connection's beginning until its latest
    /// sign of life.
    #[serde(skip)]
    pub covered: (Moment, Moment),
}

/// What a source's connection has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Since when everything has reached us.
    pub from: Moment,
    /// And until when; equal to `from` while nothing is known.
    pub until: Moment,
    /// Whether events are proven to flow.
    pub flows: bool,
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

    /// A new connection brings everything that is told from `now` on.
    pub fn begin_cover(&self, now: Moment) {
        self.update(|report| report.covered = (now, now));
    }

    /// Everything told before `moment` has reached us.
    pub fn cover_until(&self, moment: Moment) {
        self.update(|report| report.covered.1 = report.covered.1.max(moment));
    }

    /// What the present connection has brought so far.
    pub fn covered(&self) -> Covered {
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Covered {
            from: report.covered.0,
            until: report.covered.1,
            flows: report.state == State::Watching,
        }
    }

    /// Connected anew, and nothing proven yet. What was wrong stands until it is known to be over: every try would log it anew
    /// otherwise.
    pub fn prove(&self, now: Moment) {
        if self.report().problem.is_empty() {
            self.enter(now, State::Proving, "");
        }
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
        let reads = report.kind.starts_with("log");
        drop(report);
        match state {
            State::Watching if reads => tracing::info!(source = name, address, "reading"),
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
