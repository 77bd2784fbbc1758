//! Directs the play: starts the daemon, plays each act, has it shown what happens.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::acts::{ACTS, Act};
use super::cast::{Cast, Ensemble};
use super::outcome::Outcome;
use super::show::Show;
use super::stage;
use super::teller::{Teller, Told, Written};
use crate::clock::Stopwatch;
use crate::config::{Config, ControlSettings, LogSettings, LogTarget};
use crate::daemon::{Broken, Daemon, Setup, StartError};
use crate::engine::Policy;
use crate::fence::{self, Backend, FenceSettings};
use crate::source::Settings;
use crate::store::StoreSettings;

/// Everything together takes no longer than this, whatever happens.
const BOUND: Duration = Duration::from_mins(1);
/// How long after an act its last verdict may still come.
const SETTLE: Duration = Duration::from_millis(50);
/// How often that time is granted while a ban is missing: the machine may be busy.
const PATIENCE: u32 = 40;
/// Long recordings are played faster, so that no act takes much longer than this.
const ACT: Duration = Duration::from_secs(1);
/// The shortest time between two blocks.
const BREATH: Duration = Duration::from_micros(500);

/// Why the demonstration could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The daemon did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The daemon broke while it was shown: we are at fault.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Input or output failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It hung: we are at fault.
    #[error("the demonstration did not end within {} s", BOUND.as_secs())]
    Bound,
}

/// Shows the demonstration on `out`; `pause` lies between two blocks of a recording. Must be called while the process has a
/// single thread.
pub fn perform(out: &mut dyn Write, json: bool, pause: Duration) -> Result<Outcome, DemoError> {
    let stage = stage::enter();
    let mut show = Show::new(out, json, stage.is_ok());
    let folder = tempfile::Builder::new().prefix("ringfence-demo-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    runtime.block_on(async {
        let cast = Cast::listen().await?;
        let backend = if stage.is_ok() {
            Backend::Nftables
        } else {
            Backend::DryRun
        };
        let config = config(folder.path(), cast.sources()?, backend);
        show.opening(
            stage.as_ref().err(),
            // every source has two ids
            config
                .sources
                .iter()
                .flat_map(|source| [source.name().to_owned(), source.name().to_owned()]),
        )?;
        let (told, hear) = channel();
        let written = Written::default();
        let kernel = stage.is_ok().then(|| fence::open(&config.fence).ok()).flatten();
        let teller = Teller {
            told,
            written: Arc::clone(&written),
            kernel,
        };
        let daemon = Daemon::start(
            config,
            Setup {
                reread: None,
                witness: Some(Box::new(teller)),
            },
        )?;
        let mut played = Ok(());
        let director = async {
            let play = play(&cast, &mut show, &hear, &written, pause);
            played = match tokio::time::timeout(BOUND, play).await {
                Ok(played) => played.map_err(DemoError::from),
                Err(_) => Err(DemoError::Bound),
            };
        };
        daemon.serve(director).await?;
        played
    })?;
    Ok(show.closing()?)
}

fn config(folder: &std::path::Path, sources: Vec<Settings>, backend: Backend) -> Config {
    Config {
        sources,
        logs: Vec::new(),
        fence: FenceSettings {
            backend,
            ..FenceSettings::default()
        },
        store: StoreSettings {
            path: folder.join("ringfence.db"),
            ..StoreSettings::default()
        },
        control: ControlSettings {
            socket: folder.join("ringfence.sock"),
            mode: 0o600,
            group: None,
        },
        log: LogSettings {
            target: LogTarget::Stderr,
            level: tracing::Level::ERROR,
        },
        policy: Policy::default(),
        ignore_names: Vec::new(),
    }
}

async fn play(
    cast: &Cast,
    show: &mut Show<'_>,
    hear: &Receiver<Told>,
    written: &Written,
    pause: Duration,
) -> io::Result<()> {
    let mut ensemble = cast.admit().await?;
    ensemble.attend(SETTLE).await?;
    show.listen(hear)?;
    for act in ACTS {
        show.begin(act)?;
        perform_act(act, &mut ensemble, show, hear, written, pause).await?;
        show.verdict_on(act)?;
    }
    Ok(())
}

async fn perform_act(
    act: &Act,
    ensemble: &mut Ensemble,
    show: &mut Show<'_>,
    hear: &Receiver<Told>,
    written: &Written,
    pause: Duration,
) -> io::Result<()> {
    let script = act.script();
    let blocks = u32::try_from(script.len()).unwrap_or(u32::MAX).max(1);
    let pause = pause.min(ACT / blocks).max(act.gap).max(BREATH);
    for block in script {
        *written.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stopwatch::start());
        ensemble.say(&act.recordings, &block).await?;
        ensemble.attend(pause).await?;
        show.listen(hear)?;
    }
    for _ in 0..PATIENCE {
        ensemble.attend(SETTLE).await?;
        show.listen(hear)?;
        if !show.misses(act) {
            break;
        }
    }
    Ok(())
}
