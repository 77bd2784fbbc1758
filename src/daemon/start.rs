//! Starts the daemon, serves until it is told to stop, reloads.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::addresses::Names;
use super::control::Control;
use super::core::Core;
use super::enforcer::Enforcer;
use super::inbox::Inbox;
use super::request::{Request, ask};
use super::restore::restore;
use super::running::{Running, watch};
use super::signals::{Signals, Wish};
use super::sources::Sources;
use super::witness::Witness;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::admin;
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::engine::{Command, Engine};
use crate::fence::{self, Backend, FenceError};
use crate::store::{Store, StoreError, StoreSettings};

/// How often the supervisor is told that we live; WatchdogSec in the systemd unit is much longer, since a look at every
/// element of a very large set keeps the core thread busy for minutes.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A disk that hangs must not hang the stop.
const STOP: Duration = Duration::from_secs(5);

/// What the daemon needs besides its configuration.
#[derive(Default)]
pub struct Setup {
    /// Reads the configuration again for a reload; `None` where there is nothing to read.
    pub reread: Option<Box<dyn Fn() -> Result<Config, String> + Send + Sync>>,
    /// Is told of everything.
    pub witness: Option<Box<dyn Witness>>,
}

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The control socket: another daemon, or a missing permission.
    #[error("the control socket {path}: {error}. {remedy}")]
    Control {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The group named for the control socket does not exist: the configuration is wrong.
    #[error("control.group: there is no group {0}")]
    Group(String),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing could be enforced.
    #[error(
        "bans can't be enforced: {0}\nringfence does not pretend: it runs only where it can ban. To watch without banning: ringfence run --dry-run"
    )]
    Fence(#[from] FenceError),
    /// The operating system refused something basic.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// The core thread has ended by itself: we are at fault.
#[derive(Debug, thiserror::Error)]
#[error(
    "ringfence broke and can't judge any more; bans stay in the kernel. Please report what stands in the log before this"
)]
pub struct Broken;

/// A daemon that enforces what was banned before and is ready to watch.
pub struct Daemon {
    config: Config,
    setup: Setup,
    clock: Clock,
    inbox: Arc<Inbox>,
    store: Arc<Store>,
    listener: admin::Listener,
    signals: Signals,
    core: JoinHandle<()>,
    core_ended: oneshot::Receiver<()>,
    watch: Option<fence::Watch>,
    claim: Option<fence::Claim>,
    names: Names,
    sources: Sources,
}

impl Daemon {
    /// Brings everything up to where bans are enforced; sources start in [`Daemon::serve`]. Needs a tokio runtime around it.
    pub fn start(config: Config, mut setup: Setup) -> Result<Self, StartError> {
        let clock = Clock::start();
        let signals = Signals::listen().map_err(|error| StartError::System {
            what: "signals",
            error,
        })?;
        let listener = listen(&config)?;
        let begun = Stopwatch::start();
        let (store, restored) = Store::open(&store_settings(&config), clock.now())?;
        let store = Arc::new(store);
        let read = begun.elapsed();
        let mut names = Names::default();
        let mut engine = Engine::new(config.policy.clone(), seed()?);
        let mut out = Vec::new();
        engine.command(
            clock.now(),
            Command::Own(names.own().into_iter().collect()),
            &mut out,
        );
        let mut fence = fence::open(&config.fence)?;
        let claim = fence.claim()?;
        let proven = fence.install()?;
        for gap in &proven.gaps {
            tracing::warn!(backend = fence.name(), "not proven: {gap}");
        }
        tracing::info!(backend = fence.name(), "{proven}");
        restore(&mut *fence, &mut engine, clock.now(), restored, &mut out)?;
        store.record(clock.now(), out);
        tracing::info!(
            "{} bans of before are enforced; reading them took {} ms, everything {} ms",
            engine.bans().len(),
            read.as_millis(),
            begun.elapsed().as_millis()
        );
        let inbox = Arc::new(Inbox::default());
        let sources = Sources::new(clock, Arc::clone(&inbox), Arc::clone(&store)).map_err(|error| {
            StartError::System {
                what: "the readers' thread",
                error,
            }
        })?;
        let watch = watch(&*fence, &inbox);
        let enforcer = Enforcer::new(fence, proven);
        let mut core = Core::new(
            clock,
            Arc::clone(&inbox),
            engine,
            enforcer,
            Arc::clone(&store),
            config.fence.verify,
        );
        core.witness = setup.witness.take();
        let (alive, core_ended) = oneshot::channel();
        let core = std::thread::Builder::new()
            .name("core".into())
            .spawn(move || {
                // dropped however the thread ends
                let _alive: oneshot::Sender<()> = alive;
                core.run();
            })
            .map_err(|error| StartError::System {
                what: "the core thread",
                error,
            })?;
        Ok(Self {
            config,
            setup,
            clock,
            inbox,
            store,
            listener,
            signals,
            core,
            core_ended,
            watch,
            claim,
            names,
            sources,
        })
    }

    /// Watches the PBXes and serves the admin until SIGTERM, SIGINT or `stop`; then stops in order. An error means that the
    /// daemon can't go on: whoever supervises it should start it again.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), Broken> {
        let Self {
            config,
            setup,
            clock,
            inbox,
            store,
            listener,
            mut signals,
            core,
            mut core_ended,
            watch,
            // held until everything has ended
            claim: _claim,
            names,
            sources,
        } = self;
        let mut running = Running {
            clock,
            sources,
            names,
            unresolved: Vec::new(),
            config,
            setup,
            inbox: Arc::clone(&inbox),
            watch,
        };
        running.look_around().await;
        running.watch_these().await;
        let (reload, mut reloads) = tokio::sync::mpsc::channel(4);
        let control = Arc::new(Control::new(
            clock,
            Arc::clone(&inbox),
            Arc::clone(&store),
            reload,
        ));
        control.show(&running.sources, &running.unresolved, &running.config);
        let admin = tokio::spawn(admin::serve(listener, {
            let control = Arc::clone(&control);
            move |request| {
                let control = Arc::clone(&control);
                async move { control.answer(request).await }
            }
        }));
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut next_look = Instant::now() + running.until_next_look();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = &mut core_ended => break,
                wish = signals.next() => match wish {
                    Wish::Stop => break,
                    Wish::Reload => {
                        if let Err(problem) = running.reload().await {
                            tracing::error!("not reloaded, everything stays as it was: {problem}");
                        }
                    }
                },
                Some(answer) = reloads.recv() => {
                    let done = running.reload().await;
                    let _ = oneshot::Sender::send(answer, done);
                }
                () = tokio::time::sleep_until(next_look) => {
                    running.look_around().await;
                    running.sources.revive();
                    next_look = Instant::now() + running.until_next_look();
                }
                _ = heartbeat.tick() => {
                    // only a core thread that still answers keeps the supervisor's watchdog quiet
                    if ask(&inbox, Request::Alive).await.is_some() {
                        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
                    }
                    continue;
                }
            }
            control.show(&running.sources, &running.unresolved, &running.config);
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        running.sources.stop().await;
        admin.abort();
        running.watch = None;
        inbox.request(Request::Stop);
        let joined = tokio::task::spawn_blocking(move || core.join()).await;
        if let Err(error) = store.flush(STOP) {
            tracing::error!("the last bans may not be saved: {error}");
        }
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("{Broken}");
            return Err(Broken);
        }
        tracing::info!("stopped; bans stay in the kernel until their time is over");
        Ok(())
    }
}

/// Where bans are remembered: a dry run remembers its own apart, so that what was only tried never becomes real.
pub(super) fn store_settings(config: &Config) -> StoreSettings {
    let mut settings = config.store.clone();
    if config.fence.backend == Backend::DryRun {
        settings.path.as_mut_os_string().push(".dry-run");
    }
    settings
}

fn listen(config: &Config) -> Result<admin::Listener, StartError> {
    let group = match &config.control.group {
        None => None,
        Some(name) => {
            let found = nix::unistd::Group::from_name(name).ok().flatten();
            Some(found.ok_or_else(|| StartError::Group(name.clone()))?.gid)
        }
    };
    admin::Listener::bind(&config.control.socket, config.control.mode, group).map_err(|error| StartError::Control {
        path: config.control.socket.clone(),
        remedy: match error.kind() {
            io::ErrorKind::AddrInUse => "Stop the other one first, or name another socket with control.socket",
            io::ErrorKind::PermissionDenied => {
                "Run as a user that may write there (RuntimeDirectory=ringfence under systemd), or set control.socket"
            }
            io::ErrorKind::AlreadyExists => "Move it away, or set control.socket",
            _ => "Check control.socket",
        },
        error,
    })
}

/// A seed for the table's hashes that an attacker can't guess.
fn seed() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System {
        what: "random numbers",
        error: io::Error::other(error),
    })
}
