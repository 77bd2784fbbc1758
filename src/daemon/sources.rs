//! The sources that run now: started, replaced on reload, stopped.
//!
//! They run on a thread of their own: whatever else the daemon does (answering an admin, reading its configuration), the
//! sockets are read. FreeSWITCH freezes while they are not.

use std::io;
use std::sync::Arc;

use ringfence_event::SourceId;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::inbox::Inbox;
use crate::clock::Clock;
use crate::health::{Health, HealthReport, State, StreamState};
use crate::source::Settings;

/// Every source that was ever started, by its id: an id is never given to another name, so that old evidence keeps its
/// source.
pub struct Sources {
    clock: Clock,
    inbox: Arc<Inbox>,
    known: Vec<Source>,
    /// `None` only while it is being dropped.
    readers: Option<Runtime>,
}

struct Source {
    settings: Settings,
    health: Health,
    task: Option<JoinHandle<()>>,
}

impl Sources {
    /// No source yet, and a thread for them.
    pub fn new(clock: Clock, inbox: Arc<Inbox>) -> io::Result<Self> {
        let readers = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("readers")
            .enable_all()
            .build()?;
        Ok(Self {
            clock,
            inbox,
            known: Vec::new(),
            readers: Some(readers),
        })
    }

    /// Makes exactly `wanted` run. A source that watches and whose settings stay the same goes on without a break. One that
    /// waits before its next try tries at once, and one that lacks permissions logs in again, which is when they are read:
    /// the admin may just have mended the PBX.
    pub fn become_these(&mut self, wanted: &[Settings]) {
        for source in &mut self.known {
            let same = wanted.iter().any(|settings| settings.same(&source.settings));
            if !same || !source.sees_all() {
                source.stop(self.clock);
            }
        }
        for settings in wanted {
            let at = self
                .known
                .iter()
                .position(|source| source.settings.name() == settings.name());
            if at
                .and_then(|at| self.known.get(at))
                .is_some_and(|source| source.task.is_some())
            {
                continue;
            }
            let health = fresh_health(settings, self.clock);
            let task = self.spawn(at.unwrap_or(self.known.len()), settings, &health);
            let source = Source {
                settings: settings.clone(),
                health,
                task,
            };
            match at.and_then(|at| self.known.get_mut(at)) {
                Some(known) => *known = source,
                None => self.known.push(source),
            }
        }
    }

    /// Starts sources again whose task has ended by itself, which only a defect of ours can cause.
    pub fn revive(&mut self) {
        for at in 0..self.known.len() {
            let Some(source) = self.known.get(at) else {
                continue;
            };
            if !source.task.as_ref().is_some_and(JoinHandle::is_finished) {
                continue;
            }
            tracing::error!(
                source = source.settings.name(),
                "its reader ended by itself and is started again: please report this"
            );
            let task = self.spawn(at, &source.settings, &source.health);
            if let Some(source) = self.known.get_mut(at) {
                source.task = task;
            }
        }
    }

    fn spawn(&self, at: usize, settings: &Settings, health: &Health) -> Option<JoinHandle<()>> {
        let id = SourceId(u16::try_from(at).unwrap_or(u16::MAX));
        let watching = settings
            .clone()
            .run(id, health.clone(), self.clock, Arc::clone(&self.inbox));
        Some(self.readers.as_ref()?.spawn(watching))
    }

    /// The health of every source that is meant to run.
    pub fn healths(&self) -> Vec<Health> {
        self.known
            .iter()
            .filter(|source| source.task.is_some())
            .map(|source| source.health.clone())
            .collect()
    }

    /// Names by [`SourceId`].
    pub fn names(&self) -> Vec<String> {
        self.known
            .iter()
            .map(|source| source.settings.name().to_owned())
            .collect()
    }

    /// Stops every source.
    pub fn stop(&mut self) {
        for source in &mut self.known {
            source.stop(self.clock);
        }
    }
}

impl Source {
    /// Whether it watches all that it was asked to, as far as permissions go.
    fn sees_all(&self) -> bool {
        let report = self.health.report();
        let lacking = |state| matches!(state, StreamState::Refused | StreamState::Unproven);
        report.state == State::Watching && !report.streams.iter().any(|stream| lacking(stream.state))
    }

    fn stop(&mut self, clock: Clock) {
        if let Some(task) = self.task.take() {
            task.abort();
            self.health.enter(clock.now(), State::Stopped, "");
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        // a runtime may not wait for its thread inside another one
        if let Some(readers) = self.readers.take() {
            readers.shutdown_background();
        }
    }
}

fn fresh_health(settings: &Settings, clock: Clock) -> Health {
    Health::new(HealthReport {
        name: settings.name().to_owned(),
        kind: settings.kind().into(),
        address: format!("{}:{}", settings.host(), settings.port()),
        since: clock.now(),
        ..HealthReport::default()
    })
}
