//! The sources that run now: started, replaced on reload, stopped.

use std::sync::Arc;

use ringfence_event::SourceId;
use tokio::task::JoinHandle;

use super::inbox::Inbox;
use crate::clock::Clock;
use crate::health::{Health, HealthReport, State};
use crate::source::ami::{self, AmiSettings};

/// Every source that was ever started, by its id: an id is never given to another name, so that old evidence keeps its
/// source.
pub struct Sources {
    clock: Clock,
    inbox: Arc<Inbox>,
    known: Vec<Source>,
}

struct Source {
    settings: AmiSettings,
    health: Health,
    task: Option<JoinHandle<()>>,
}

impl Sources {
    /// No source yet.
    pub fn new(clock: Clock, inbox: Arc<Inbox>) -> Self {
        Self {
            clock,
            inbox,
            known: Vec::new(),
        }
    }

    /// Makes exactly `wanted` run. A source that watches and whose settings stay the same goes on without a break; one that
    /// waits before its next try tries at once, since the admin may just have mended the PBX.
    pub fn become_these(&mut self, wanted: &[AmiSettings]) {
        for source in &mut self.known {
            let same = wanted
                .iter()
                .any(|settings| ami::same(settings, &source.settings));
            if !same || source.health.report().state != State::Watching {
                source.stop(self.clock);
            }
        }
        for settings in wanted {
            let at = self
                .known
                .iter()
                .position(|source| source.settings.name == settings.name);
            match at.and_then(|at| self.known.get_mut(at).map(|source| (at, source))) {
                Some((_, source)) if source.task.is_some() => {}
                Some((at, source)) => {
                    source.settings = settings.clone();
                    source.health = fresh_health(settings, self.clock);
                    source.task = Some(spawn(at, settings, &source.health, self.clock, &self.inbox));
                }
                None => {
                    let health = fresh_health(settings, self.clock);
                    let task = spawn(self.known.len(), settings, &health, self.clock, &self.inbox);
                    self.known.push(Source {
                        settings: settings.clone(),
                        health,
                        task: Some(task),
                    });
                }
            }
        }
    }

    /// Starts sources again whose task has ended by itself, which only a defect of ours can cause.
    pub fn revive(&mut self) {
        for (at, source) in self.known.iter_mut().enumerate() {
            if source.task.as_ref().is_some_and(JoinHandle::is_finished) {
                tracing::error!(
                    source = source.settings.name,
                    "its reader ended by itself and is started again: please report this"
                );
                source.task = Some(spawn(
                    at,
                    &source.settings,
                    &source.health,
                    self.clock,
                    &self.inbox,
                ));
            }
        }
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
            .map(|source| source.settings.name.clone())
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
    fn stop(&mut self, clock: Clock) {
        if let Some(task) = self.task.take() {
            task.abort();
            self.health.enter(clock.now(), State::Stopped, "");
        }
    }
}

fn fresh_health(settings: &AmiSettings, clock: Clock) -> Health {
    Health::new(HealthReport {
        name: settings.name.clone(),
        kind: "asterisk".into(),
        address: format!("{}:{}", settings.host, settings.port),
        since: clock.now(),
        ..HealthReport::default()
    })
}

fn spawn(
    at: usize,
    settings: &AmiSettings,
    health: &Health,
    clock: Clock,
    inbox: &Arc<Inbox>,
) -> JoinHandle<()> {
    let id = SourceId(u16::try_from(at).unwrap_or(u16::MAX));
    tokio::spawn(ami::run(
        id,
        settings.clone(),
        health.clone(),
        clock,
        Arc::clone(inbox),
    ))
}
