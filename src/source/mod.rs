//! Where events come from: I/O loops that read a PBX, reconnect, and say when they are blind.

pub mod ami;
mod backoff;
pub mod esl;
pub mod journal;
pub mod log;
pub mod logfile;
pub mod pipe;
mod reach;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ringfence_event::{Moment, SecurityEvent, SourceId};

use crate::clock::Clock;
use crate::health::{Health, State};
use ami::AmiSettings;
use backoff::{Backoff, chance};
use esl::EslSettings;

/// How long the far end may take to accept what is written.
const WRITE: Duration = Duration::from_secs(5);

/// Takes the events that a source reads.
///
/// A source's reader hands over everything that one read from the wire gave and goes on reading; taking must never wait.
pub trait EventSink: Send + Sync + 'static {
    /// Takes all `events`, leaving the vector empty.
    fn take(&self, events: &mut Vec<SecurityEvent>);

    /// Takes all `events` likewise; they are told of late, and count at the moment they carry.
    fn take_late(&self, events: &mut Vec<SecurityEvent>);
}

/// Why a session ended, with what the admin should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The PBX can't be reached, or went away: it will be back.
    Away(String),
    /// It refuses us, until an admin changes something.
    Refused(String),
    /// It lets us in but shows us nothing.
    Blind(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Away(problem) | Self::Refused(problem) | Self::Blind(problem)) = self;
        f.write_str(problem)
    }
}

impl End {
    /// Tells `health` why the session ended; how long to wait before the next try.
    fn settle(&self, health: &Health, now: Moment, backoff: &mut Backoff) -> Duration {
        let (state, problem) = match self {
            Self::Away(problem) => (State::Connecting, problem),
            Self::Refused(problem) => (State::Refused, problem),
            Self::Blind(problem) => (State::Blind, problem),
        };
        health.enter(now, state, problem);
        match self {
            // blind: the long pause was taken on the open connection, in case an event came after all
            Self::Away(_) | Self::Blind(_) => backoff.away(chance()),
            Self::Refused(_) => backoff.refused(chance()),
        }
    }
}

/// One PBX to watch, whatever kind it is.
#[derive(Clone, Debug)]
pub enum Settings {
    /// Through Asterisk's manager interface.
    Asterisk(AmiSettings),
    /// Through FreeSWITCH's event socket.
    Freeswitch(EslSettings),
}

impl Settings {
    /// Its name in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Asterisk(settings) => &settings.name,
            Self::Freeswitch(settings) => &settings.name,
        }
    }

    /// Its kind in reports and in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Asterisk(_) => "asterisk",
            Self::Freeswitch(_) => "freeswitch",
        }
    }

    /// The host name or address that is connected to.
    pub fn host(&self) -> &str {
        match self {
            Self::Asterisk(settings) => &settings.host,
            Self::Freeswitch(settings) => &settings.host,
        }
    }

    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        match self {
            Self::Asterisk(settings) => settings.port,
            Self::Freeswitch(settings) => settings.port,
        }
    }

    /// How often it is proven to be alive.
    pub fn pulse(&self) -> Duration {
        match self {
            Self::Asterisk(settings) => settings.ping.into(),
            Self::Freeswitch(settings) => settings.probe.into(),
        }
    }

    /// Whether two settings mean the same source, so that a reload needs no new connection.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Asterisk(one), Self::Asterisk(other)) => ami::same(one, other),
            (Self::Freeswitch(one), Self::Freeswitch(other)) => esl::same(one, other),
            _ => false,
        }
    }

    /// Watches for ever; ends only when its task is aborted.
    pub async fn run<S: EventSink>(self, id: SourceId, health: Health, clock: Clock, sink: Arc<S>) {
        match self {
            Self::Asterisk(settings) => ami::run(id, settings, health, clock, sink).await,
            Self::Freeswitch(settings) => esl::run(id, settings, health, clock, sink).await,
        }
    }

    /// Logs in once and sees whether events flow: `Ok` says what was seen, `Err` what is wrong and what to do about it.
    pub async fn check(&self) -> Result<String, String> {
        match self {
            Self::Asterisk(settings) => ami::check(settings).await,
            Self::Freeswitch(settings) => esl::check(settings).await,
        }
    }
}
