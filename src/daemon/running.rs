//! What changes while the daemon runs: configuration, sources, addresses that must never be banned.

use std::sync::Arc;
use std::time::Duration;

use super::addresses::{Names, as_nets};
use super::inbox::Inbox;
use super::request::{Refence, Request, ask};
use super::source::Wanted;
use super::sources::Sources;
use super::start::Setup;
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::Command;
use crate::fence::{self, Fence, FenceError};

/// How often own addresses and names in `ignoreip` are looked up again.
const REFRESH: Duration = Duration::from_mins(1);
/// The same while a name can't be resolved.
const REFRESH_SOON: Duration = Duration::from_secs(5);

/// What changes while the daemon runs.
pub struct Running {
    /// Tells the time.
    pub clock: Clock,
    /// As it was read last.
    pub config: Config,
    /// How it is read again.
    pub setup: Setup,
    /// The way to the core thread.
    pub inbox: Arc<Inbox>,
    /// What is watched.
    pub sources: Sources,
    /// Addresses that must never be banned.
    pub names: Names,
    /// Names that could not be resolved the last time.
    pub unresolved: Vec<String>,
    /// Tells of changes of the ruleset.
    pub watch: Option<fence::Watch>,
}

impl Running {
    /// Reads the configuration again and becomes what it says; on any error everything stays as it was. Answers with notes
    /// about what needs a restart.
    pub async fn reload(&mut self) -> Result<Vec<String>, String> {
        let Some(reread) = &self.setup.reread else {
            return Err("there is no configuration file to read".into());
        };
        let mut new = reread()?;
        let mut notes = Vec::new();
        if new.fence.backend != self.config.fence.backend {
            // what a dry run only tried must not become real on the way
            notes.push("fence.backend changed: it takes effect with the next start".to_string());
            new.fence = self.config.fence.clone();
        }
        if new.fence != self.config.fence {
            self.refence(&new).await?;
        }
        ask(&self.inbox, |answer| {
            Request::Reconfigure(Box::new(new.policy.clone()), answer)
        })
        .await;
        if new.store != self.config.store {
            notes.push("[store] changed: it takes effect with the next start".to_string());
        }
        if new.control != self.config.control {
            notes.push("[control] changed: it takes effect with the next start".to_string());
        }
        if new.log != self.config.log {
            notes.push("[log] changed: it takes effect with the next start".to_string());
        }
        // addresses that must never be banned are known before anything new is watched
        self.config = new;
        self.look_around().await;
        self.watch_these().await;
        tracing::info!("reloaded");
        for note in &notes {
            tracing::warn!("{note}");
        }
        Ok(notes)
    }

    /// Makes the configured sources run.
    pub async fn watch_these(&mut self) {
        let wanted = Wanted {
            pbxes: &self.config.sources,
            logs: &self.config.logs,
        };
        let twins = self.sources.enrol(&wanted);
        ask(&self.inbox, |answer| {
            Request::Command(Command::WatchTogether(twins), answer)
        })
        .await;
        self.sources.become_these(&wanted);
    }

    /// Looks up what can change and must never be banned, and hands it to the engine.
    pub async fn look_around(&mut self) {
        let pbxes: Vec<String> = self
            .config
            .sources
            .iter()
            .map(|pbx| pbx.host().to_owned())
            .collect();
        let all: Vec<String> = self.config.ignore_names.iter().chain(&pbxes).cloned().collect();
        let failed = self.names.resolve(self.clock.now(), &all).await;
        for name in failed.iter().filter(|name| !self.unresolved.contains(name)) {
            tracing::warn!(
                "{name} can't be resolved: the addresses it had before still hold, but without any it protects nobody; \
                 trying again every {} s",
                REFRESH_SOON.as_secs()
            );
        }
        self.unresolved = failed;
        let ignored = as_nets(&self.names.addresses(&self.config.ignore_names));
        ask(&self.inbox, |answer| {
            Request::Command(Command::Resolved(ignored), answer)
        })
        .await;
        let mut ours = self.names.own();
        ours.extend(self.names.addresses(&pbxes));
        ask(&self.inbox, |answer| {
            Request::Command(Command::Own(ours.into_iter().collect()), answer)
        })
        .await;
    }

    pub fn until_next_look(&self) -> Duration {
        if self.unresolved.is_empty() {
            REFRESH
        } else {
            REFRESH_SOON
        }
    }

    /// Installs and proves the fence with its new settings, away from the thread that reads the sockets, and lets it take over.
    async fn refence(&mut self, new: &Config) -> Result<(), String> {
        let settings = new.fence.clone();
        let installed = tokio::task::spawn_blocking(move || {
            let mut fence = fence::open(&settings)?;
            let proven = fence.install()?;
            Ok::<_, FenceError>((fence, proven))
        });
        let installed = installed.await.map_err(|error| error.to_string())?;
        let (fence, proven) = installed.map_err(|error| error.to_string())?;
        tracing::info!(backend = fence.name(), "{proven}");
        self.watch = watch(&*fence, &self.inbox);
        let new = Box::new(Refence {
            fence,
            proven,
            verify: new.fence.verify,
        });
        ask(&self.inbox, |answer| Request::Refence(new, answer)).await;
        Ok(())
    }
}

/// Watches the ruleset where there is one; without the watch the timer still heals.
pub fn watch(fence: &dyn Fence, inbox: &Arc<Inbox>) -> Option<fence::Watch> {
    let inbox = Arc::clone(inbox);
    match fence.watch(Box::new(move |change| {
        inbox.request(Request::RulesetChanged(change));
    })) {
        Ok(watch) => watch,
        Err(error) => {
            tracing::warn!("changes of the ruleset are only noticed by the timer: {error}");
            None
        }
    }
}
