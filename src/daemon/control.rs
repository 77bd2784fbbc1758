//! Answers the admin's requests.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ringfence_event::Moment;
use tokio::sync::{mpsc, oneshot};

use super::inbox::Inbox;
use super::request::{CoreStatus, Request, ask};
use super::sources::Sources;
use super::start::store_settings;
use crate::admin::{
    AdminAnswer, AdminRequest, BanView, EvidenceView, FenceView, HistoryView, NowView, Refusal, SourceView,
    StatusView, StoreView, WhyView,
};
use crate::clock::{Clock, iso};
use crate::config::Config;
use crate::engine::{Command, Reply, Target};
use crate::exit::Exit;
use crate::fence::{self, FenceSettings};
use crate::health::{Health, State};
use crate::store::{Happening, HistoryEntry, Store};

/// Verdicts of the past shown by `why`.
const HISTORY: usize = 50;

/// A reload that the admin waits for.
pub type ReloadAnswer = oneshot::Sender<Result<Vec<String>, String>>;

/// What is needed to answer the admin.
pub struct Control {
    clock: Clock,
    started: Moment,
    inbox: Arc<Inbox>,
    store: Arc<Store>,
    reload: mpsc::Sender<ReloadAnswer>,
    shown: Mutex<Shown>,
}

/// What the main loop shows to the admin.
#[derive(Default)]
struct Shown {
    sources: Vec<Health>,
    names: Vec<String>,
    unresolved: Vec<String>,
    fence: FenceSettings,
    store: PathBuf,
}

impl Control {
    /// Ready to answer; reloads are sent to `reload`.
    pub fn new(
        clock: Clock,
        inbox: Arc<Inbox>,
        store: Arc<Store>,
        reload: mpsc::Sender<ReloadAnswer>,
    ) -> Self {
        Self {
            clock,
            started: clock.now(),
            inbox,
            store,
            reload,
            shown: Mutex::default(),
        }
    }

    /// Shows these sources and unresolved names from now on.
    pub fn show(&self, sources: &Sources, unresolved: &[String], config: &Config) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown {
            sources: sources.healths(),
            names: sources.names(),
            unresolved: unresolved.to_vec(),
            fence: config.fence.clone(),
            store: store_settings(config).path,
        };
    }

    /// Answers one request.
    pub async fn answer(&self, request: AdminRequest) -> AdminAnswer {
        let answer = match request {
            AdminRequest::Status => self.status().await,
            AdminRequest::Banned => self.banned().await,
            AdminRequest::Why { addr } => self.why(addr).await,
            AdminRequest::Ban { target, duration } => self.command(Command::Ban { target, duration }).await,
            AdminRequest::Unban { target } => self.command(Command::Unban(target)).await,
            AdminRequest::UnbanAll => self.command(Command::UnbanAll).await,
            AdminRequest::Reload => self.reload().await,
        };
        answer.unwrap_or_else(|| refused(Exit::Unavailable, "the daemon is stopping"))
    }

    async fn status(&self) -> Option<AdminAnswer> {
        let core = ask(&self.inbox, Request::Status).await?;
        let (sources, unresolved, store) = {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let reports: Vec<_> = shown.sources.iter().map(Health::report).collect();
            (reports, shown.unresolved.clone(), shown.store.clone())
        };
        let watching = !sources.is_empty()
            && unresolved.is_empty()
            && sources.iter().all(|source| {
                source.state == State::Watching
                    && !source.streams.iter().any(|stream| stream.state.is_missing())
            });
        let state = overall(&core, watching);
        Some(AdminAnswer::Status(Box::new(StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_s: self.clock.now().since(self.started).as_secs(),
            state: state.into(),
            fence: FenceView {
                backend: core.backend.into(),
                proven: core.proven,
                gaps: core.gaps,
                problem: core.problem,
                healed: core.healed,
            },
            sources: sources.into_iter().map(SourceView::from).collect(),
            engine: core.totals,
            store: StoreView {
                path: store.display().to_string(),
                problem: core.store_problem,
            },
            dropped: self.inbox.dropped(),
            unresolved,
            latency_us: core.latency_us,
        })))
    }

    async fn banned(&self) -> Option<AdminAnswer> {
        let bans = ask(&self.inbox, Request::Bans).await?;
        let now = self.clock.now();
        let packets = self.packets().await;
        let mut views: Vec<_> = bans
            .iter()
            .map(|ban| (ban, BanView::new(ban, packets.get(&ban.target).copied(), now)))
            .collect();
        views.sort_by_key(|(ban, _)| (ban.since, ban.target));
        Some(AdminAnswer::Banned(
            views.into_iter().map(|(_, view)| view).collect(),
        ))
    }

    /// Packets dropped, by target. Asked over a connection of its own, since reading out a large set takes long and the core
    /// thread has better things to do; empty when the kernel can't be asked.
    async fn packets(&self) -> HashMap<Target, u64> {
        let settings = self
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fence
            .clone();
        let listed = tokio::task::spawn_blocking(move || fence::open(&settings)?.list()).await;
        let held = listed.ok().and_then(Result::ok).unwrap_or_default();
        held.into_iter()
            .filter_map(|held| Some((held.target, held.packets?)))
            .collect()
    }

    async fn why(&self, addr: std::net::IpAddr) -> Option<AdminAnswer> {
        let addr = addr.to_canonical();
        let now = ask(&self.inbox, |answer| Request::Why(addr, answer)).await?;
        let store = Arc::clone(&self.store);
        let history = tokio::task::spawn_blocking(move || store.history(addr, HISTORY))
            .await
            .ok()?;
        let sources = self
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .names
            .clone();
        let history = match history {
            Ok(entries) => entries.iter().map(|entry| view_of(entry, &sources)).collect(),
            Err(error) => {
                tracing::warn!("the history can't be read: {error}");
                Vec::new()
            }
        };
        Some(AdminAnswer::Why(Box::new(WhyView {
            addr,
            now: NowView::new(&now, self.clock.now(), &sources),
            history,
        })))
    }

    async fn command(&self, command: Command) -> Option<AdminAnswer> {
        let done = ask(&self.inbox, |answer| Request::Command(command, answer)).await?;
        Some(match (done.reply, done.kernel) {
            (Reply::Refused(why), _) => refused(Exit::NoPerm, &why),
            (Reply::Done(changed), kernel) => {
                let notes = kernel
                    .into_iter()
                    .map(|problem| format!("not enforced yet: {problem}"))
                    .collect();
                AdminAnswer::Done { changed, notes }
            }
        })
    }

    async fn reload(&self) -> Option<AdminAnswer> {
        let (answer, answered) = oneshot::channel();
        self.reload.send(answer).await.ok()?;
        Some(match answered.await.ok()? {
            Ok(notes) => AdminAnswer::Done { changed: 1, notes },
            Err(problem) => refused(
                Exit::Config,
                &format!("not reloaded, everything stays as it was:\n{problem}"),
            ),
        })
    }
}

fn overall(core: &CoreStatus, watching: bool) -> &'static str {
    if core.problem.is_some() || core.store_problem.is_some() || !watching {
        "degraded"
    } else if core.backend == "dry-run" {
        "dry-run"
    } else {
        "enforcing"
    }
}

fn view_of(entry: &HistoryEntry, sources: &[String]) -> HistoryView {
    let (reason, ban) = match &entry.what {
        Happening::Ban(ban) | Happening::Extend(ban) => (ban.jail.clone(), Some(ban)),
        Happening::Lift(reason) => (reason.name().to_string(), None),
    };
    HistoryView {
        at: iso(entry.at),
        verdict: entry.what.kind().into(),
        target: entry.target.to_string(),
        reason,
        until: ban.map(|ban| iso(ban.until)),
        evidence: ban.map(|ban| EvidenceView::new(&ban.evidence, sources)),
    }
}

fn refused(exit: Exit, message: &str) -> AdminAnswer {
    AdminAnswer::Refused(Refusal {
        exit: exit as u8,
        message: message.into(),
    })
}
