//! The sources that run now: started, replaced on reload, stopped.
//!
//! They run on threads of their own: whatever else the daemon does (answering an admin, reading its configuration), the
//! sockets are read. FreeSWITCH freezes while they are not.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ringfence_event::SourceId;
use tokio::runtime::{Builder, Runtime};

use super::inbox::Inbox;
use super::source::{Settings, Source, Wanted};
use crate::clock::Clock;
use crate::health::Health;
use crate::source::log::{Desk, Grammar, Pbx};
use crate::store::Store;

/// A file system that hangs must not hang the stop.
const STOP: Duration = Duration::from_secs(2);

/// Every source that was ever started.
pub struct Sources {
    clock: Clock,
    inbox: Arc<Inbox>,
    store: Arc<Store>,
    known: Vec<Source>,
    /// By [`SourceId`]: an id is never given to another name, so that old evidence keeps its source.
    names: Vec<String>,
    /// `None` only while it is being dropped.
    readers: Option<Runtime>,
}

impl Sources {
    /// No source yet, and a thread for them.
    pub fn new(clock: Clock, inbox: Arc<Inbox>, store: Arc<Store>) -> io::Result<Self> {
        let readers = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("readers")
            .enable_all()
            .build()?;
        Ok(Self {
            clock,
            inbox,
            store,
            known: Vec::new(),
            names: Vec::new(),
            readers: Some(readers),
        })
    }

    /// Gives every one of `wanted` its ids, and answers which of these watch the same PBX; the engine must know before they run.
    pub fn enrol(&mut self, wanted: &Wanted) -> Vec<Vec<SourceId>> {
        for settings in wanted.settings() {
            if self.position(settings.name()).is_none() {
                let ids = [self.new_id(settings.name()), self.new_id(settings.name())];
                self.known.push(Source::new(ids, settings, self.clock));
            }
        }
        let of = |name: &str| self.position(name).and_then(|at| self.known.get(at));
        let mut twins: Vec<Vec<SourceId>> = Vec::new();
        for log in wanted.logs {
            let Some(source) = of(&log.name) else { continue };
            if matches!(log.grammar, Grammar::Filter { .. }) {
                continue;
            }
            let pbx = log.of.as_deref().and_then(of);
            let pbx = pbx.and_then(|pbx| pbx.ids().first().copied());
            let all = pbx.into_iter().chain(source.ids());
            twins.push(all.collect());
        }
        twins
    }

    fn new_id(&mut self, name: &str) -> SourceId {
        self.names.push(name.to_owned());
        SourceId(u16::try_from(self.names.len() - 1).unwrap_or(u16::MAX))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.known
            .iter()
            .position(|source| source.settings().name() == name)
    }

    /// Makes exactly `wanted` run, all of which are enrolled. A source that watches and whose settings stay the same goes on without
    /// a break. One that waits before its next try tries at once, and one that lacks permissions logs in again, which is when
    /// they are read: the admin may just have mended the PBX.
    pub fn become_these(&mut self, wanted: &Wanted) {
        let mut changed = Vec::new();
        for source in &mut self.known {
            let same = wanted.settings().any(|settings| settings.same(source.settings()));
            if !same || !source.sees_all() {
                source.stop(self.clock);
                changed.push(source.settings().name().to_owned());
            }
        }
        // a log looks at the health of its PBX, which a new connection replaces
        let follows = |source: &Source| {
            let of = source.settings().pbx();
            of.is_some_and(|of| changed.iter().any(|name| name == of))
        };
        for source in self.known.iter_mut().filter(|source| follows(source)) {
            source.stop(self.clock);
        }
        // sockets first: their logs need their health
        for settings in wanted.settings() {
            let Some(at) = self.position(settings.name()) else {
                continue;
            };
            if self.known.get(at).is_some_and(Source::runs) {
                continue;
            }
            if let Some(source) = self.known.get_mut(at) {
                *source = Source::new(source.all_ids(), settings, self.clock);
            }
            self.spawn(at);
        }
    }

    /// Starts sources again whose task or thread has ended by itself, which only a defect of ours can cause.
    pub fn revive(&mut self) {
        for at in 0..self.known.len() {
            let Some(source) = self.known.get_mut(at) else {
                continue;
            };
            if !source.has_ended() {
                continue;
            }
            tracing::error!(
                source = source.settings().name(),
                "its reader ended by itself and is started again: please report this"
            );
            self.spawn(at);
        }
    }

    fn spawn(&mut self, at: usize) {
        let pbx = self
            .known
            .get(at)
            .and_then(|source| source.settings().pbx())
            .and_then(|name| self.position(name))
            .and_then(|at| self.known.get(at))
            .and_then(|source| {
                let Settings::Pbx(settings) = source.settings() else {
                    return None;
                };
                Some(Pbx {
                    health: source.health().clone(),
                    pulse: settings.pulse(),
                })
            });
        let (Some(source), Some(readers)) = (self.known.get_mut(at), self.readers.as_ref()) else {
            return;
        };
        let desk = Desk {
            ids: source.all_ids(),
            health: source.health().clone(),
            pbx,
            clock: self.clock,
            places: Arc::clone(&self.store),
            sink: Arc::clone(&self.inbox),
        };
        source.start(desk, readers.handle());
    }

    /// The health of every source that is meant to run.
    pub fn healths(&self) -> Vec<Health> {
        self.known
            .iter()
            .filter(|source| source.runs())
            .map(|source| source.health().clone())
            .collect()
    }

    /// Names by [`SourceId`].
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Stops every source. What logs were read until now is handed over and their places are kept when this returns; that may wait
    /// for a disk.
    pub async fn stop(&mut self) {
        let mut logs = Vec::new();
        for source in &mut self.known {
            logs.extend(source.stop(self.clock));
        }
        let waited = tokio::task::spawn_blocking(move || {
            for log in logs {
                log.stop(STOP);
            }
        });
        let _ = waited.await;
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
