//! One source that was asked for: what it watches, and what runs for it.

use ringfence_event::SourceId;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::inbox::Inbox;
use crate::clock::Clock;
use crate::health::{Health, HealthReport, State, StreamState};
use crate::source;
use crate::source::log::{self, Desk, Origin, WatchedLog};
use crate::store::Store;

/// What should be watched.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// PBXes through their sockets.
    pub pbxes: &'a [source::Settings],
    /// Logs.
    pub logs: &'a [WatchedLog],
}

impl<'a> Wanted<'a> {
    /// All of it, PBXes first.
    pub fn settings(&self) -> impl Iterator<Item = Settings> + 'a {
        let pbxes = self.pbxes.iter().cloned().map(Settings::Pbx);
        pbxes.chain(self.logs.iter().cloned().map(Settings::Log))
    }
}

/// What one source watches.
#[derive(Clone, Debug)]
pub enum Settings {
    /// A PBX through its socket.
    Pbx(source::Settings),
    /// A log.
    Log(WatchedLog),
}

impl Settings {
    /// Its name in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Pbx(pbx) => pbx.name(),
            Self::Log(log) => &log.name,
        }
    }

    /// The PBX whose log it is.
    pub fn pbx(&self) -> Option<&str> {
        match self {
            Self::Pbx(_) => None,
            Self::Log(log) => log.of.as_deref(),
        }
    }

    /// Whether nothing has to be started anew for `other`.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pbx(one), Self::Pbx(other)) => one.same(other),
            (Self::Log(one), Self::Log(other)) => one == other,
            _ => false,
        }
    }

    fn report(&self) -> HealthReport {
        let (kind, address) = match self {
            Self::Pbx(pbx) => (pbx.kind(), format!("{}:{}", pbx.host(), pbx.port())),
            Self::Log(log) => (log.kind(), log.origin.to_string()),
        };
        HealthReport {
            name: self.name().to_owned(),
            kind: kind.into(),
            address,
            ..HealthReport::default()
        }
    }
}

/// What runs for a source.
enum Running {
    Task(JoinHandle<()>),
    Log(log::Reader),
    /// It could not be started; tried again later.
    Nothing,
}

/// A source, whether it runs or not.
pub struct Source {
    /// Its own, and that of the second voice of a log.
    ids: [SourceId; 2],
    settings: Settings,
    health: Health,
    running: Option<Running>,
}

impl Source {
    /// One that does not run yet.
    pub fn new(ids: [SourceId; 2], settings: Settings, clock: Clock) -> Self {
        let health = Health::new(HealthReport {
            since: clock.now(),
            ..settings.report()
        });
        Self {
            ids,
            settings,
            health,
            running: None,
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    pub fn all_ids(&self) -> [SourceId; 2] {
        self.ids
    }

    /// The ids that its events may have.
    pub fn ids(&self) -> Vec<SourceId> {
        match self.settings {
            Settings::Pbx(_) => vec![self.ids[0]],
            Settings::Log(_) => self.ids.to_vec(),
        }
    }

    /// Whether it is meant to run.
    pub fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Starts it.
    pub fn start(&mut self, desk: Desk<Store, Inbox>, readers: &Handle) {
        self.running = Some(match &self.settings {
            Settings::Pbx(pbx) => {
                let watching = pbx.clone().run(desk.ids[0], desk.health, desk.clock, desk.sink);
                Running::Task(readers.spawn(watching))
            }
            Settings::Log(log) => {
                let (health, now) = (desk.health.clone(), desk.clock.now());
                match log::start(log, desk, readers) {
                    Ok(reader) => Running::Log(reader),
                    Err(error) => {
                        health.enter(now, State::Blind, &error.to_string());
                        Running::Nothing
                    }
                }
            }
        });
    }

    /// Whether what ran for it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        match &mut self.running {
            None => false,
            Some(Running::Task(task)) => task.is_finished(),
            // the standard input does end
            Some(Running::Log(reader)) => {
                let ends = matches!(&self.settings, Settings::Log(log) if log.origin == Origin::Stdin);
                !ends && reader.is_finished()
            }
            Some(Running::Nothing) => true,
        }
    }

    /// Whether it watches all that it was asked to, as far as permissions go.
    pub fn sees_all(&self) -> bool {
        if matches!(self.running, Some(Running::Log(_))) {
            // whatever it lacks, it looks for it all the time
            return true;
        }
        let report = self.health.report();
        let lacking = |state| matches!(state, StreamState::Refused | StreamState::Unproven);
        report.state == State::Watching && !report.streams.iter().any(|stream| lacking(stream.state))
    }

    /// Stops it; the reader of a log is handed out to be waited for, or dropped.
    pub fn stop(&mut self, clock: Clock) -> Option<log::Reader> {
        let running = self.running.take()?;
        self.health.enter(clock.now(), State::Stopped, "");
        match running {
            Running::Task(task) => {
                task.abort();
                None
            }
            Running::Log(reader) => Some(reader),
            Running::Nothing => None,
        }
    }
}
