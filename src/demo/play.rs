//! Directs the play: starts the daemon, plays each act, prints what happens, sums up.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ringfence_event::{SecurityEvent, Span};
use secrecy::SecretString;

use super::acts::{ACTS, Act};
use super::pbx::{Manager, Pbx, USER};
use super::stage;
use super::teller::{Teller, Told, Written};
use crate::clock::Stopwatch;
use crate::config::{Config, ControlSettings, LogSettings, LogTarget};
use crate::daemon::{Broken, Daemon, Setup, StartError};
use crate::engine::{Policy, Target, Verdict};
use crate::fence::{self, Backend, FenceSettings};
use crate::source::Settings;
use crate::source::ami::{AmiSettings, AuthMethod};
use crate::store::StoreSettings;

/// Everything together takes no longer than this, whatever happens.
const BOUND: Duration = Duration::from_mins(1);
/// Equal events printed one by one before they are only counted.
const SHOWN: u32 = 4;
/// How long after an act its last verdict may still come.
const SETTLE: Duration = Duration::from_millis(50);

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

/// How the demonstration went.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// Whether bans went into a real kernel.
    pub enforced: bool,
    /// Events judged.
    pub events: u64,
    /// Bans: address and jail.
    pub banned: BTreeMap<String, String>,
    /// Bans that the kernel confirmed when it was asked.
    pub confirmed: usize,
    /// From writing the deciding event to the AMI socket until the kernel had confirmed the ban, each in microseconds.
    pub latency_us: Vec<u64>,
    /// Attacks that were not banned, and addresses banned that should not be; empty when all is well.
    pub wrong: Vec<String>,
}

/// Shows the demonstration on `out`; `pause` lies between two blocks of a recording. Must be called while the process has a
/// single thread.
pub fn perform(out: &mut dyn Write, json: bool, pause: Duration) -> Result<Outcome, DemoError> {
    let stage = stage::enter();
    let mut show = Show {
        out,
        json,
        outcome: Outcome::default(),
        repeated: BTreeMap::new(),
        more_told: false,
    };
    show.outcome.enforced = stage.is_ok();
    let folder = tempfile::Builder::new().prefix("ringfence-demo-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    runtime.block_on(async {
        let pbx = Pbx::listen().await?;
        let backend = if stage.is_ok() {
            Backend::Nftables
        } else {
            Backend::DryRun
        };
        let config = config(folder.path(), pbx.address()?, backend);
        show.opening(stage.as_ref().err())?;
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
            played = match tokio::time::timeout(BOUND, show.play(&pbx, &hear, &written, pause)).await {
                Ok(played) => played.map_err(DemoError::from),
                Err(_) => Err(DemoError::Bound),
            };
        };
        daemon.serve(director).await?;
        played
    })?;
    show.closing()?;
    Ok(show.outcome)
}

fn config(folder: &std::path::Path, pbx: std::net::SocketAddr, backend: Backend) -> Config {
    Config {
        sources: vec![Settings::Asterisk(AmiSettings {
            name: "pbx".into(),
            host: pbx.ip().to_string(),
            port: pbx.port(),
            tls: None,
            username: USER.0.into(),
            secret: SecretString::from(USER.1),
            auth: AuthMethod::Plain,
            ping: Span::from_secs(1),
        })],
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

struct Show<'a> {
    out: &'a mut dyn Write,
    json: bool,
    outcome: Outcome,
    repeated: BTreeMap<String, u32>,
    more_told: bool,
}

impl Show<'_> {
    fn opening(&mut self, no_stage: Option<&String>) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(
            self.out,
            "ringfence demonstration: recorded attacks on real Asterisk servers, played over AMI on loopback."
        )?;
        match no_stage {
            None => writeln!(
                self.out,
                "Bans go into this kernel, in a network namespace that ends with the demonstration."
            )?,
            Some(why) => writeln!(
                self.out,
                "DRY RUN: {why}. Decisions are real, the kernel is left alone."
            )?,
        }
        self.out.flush()
    }

    async fn play(
        &mut self,
        pbx: &Pbx,
        hear: &Receiver<Told>,
        written: &Written,
        pause: Duration,
    ) -> io::Result<()> {
        let mut manager = pbx.admit().await?;
        manager.attend(tokio::time::sleep(SETTLE)).await?;
        self.listen(hear)?;
        for act in ACTS {
            self.act(act, &mut manager, hear, written, pause).await?;
        }
        Ok(())
    }

    async fn act(
        &mut self,
        act: &Act,
        manager: &mut Manager,
        hear: &Receiver<Told>,
        written: &Written,
        pause: Duration,
    ) -> io::Result<()> {
        self.repeated.clear();
        self.more_told = false;
        if !self.json {
            writeln!(self.out, "\n== {} — from {}", act.title, act.address)?;
        }
        let script = act.script();
        // long recordings are played faster, so that no act takes much longer than another
        let pause =
            pause.min(Duration::from_millis(2500) / u32::try_from(script.len()).unwrap_or(u32::MAX).max(1));
        for block in script {
            *written.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stopwatch::start());
            manager.say(&block).await?;
            manager
                .attend(tokio::time::sleep(pause.max(Duration::from_micros(500))))
                .await?;
            self.listen(hear)?;
        }
        manager.attend(tokio::time::sleep(SETTLE)).await?;
        self.listen(hear)?;
        self.verdict_on(act)
    }

    /// Prints everything that was told since the last time.
    fn listen(&mut self, hear: &Receiver<Told>) -> io::Result<()> {
        while let Ok(told) = hear.try_recv() {
            match told {
                Told::Event(event) => self.event(&event)?,
                Told::Verdict {
                    verdict,
                    took,
                    kernel,
                } => self.decision(&verdict, took, kernel)?,
            }
        }
        self.out.flush()
    }

    fn event(&mut self, event: &SecurityEvent) -> io::Result<()> {
        self.outcome.events += 1;
        if self.json {
            return Ok(());
        }
        let times = self
            .repeated
            .entry(format!("{}{}", event.service.name(), event.cause.name()))
            .or_default();
        *times += 1;
        match *times {
            n if n <= SHOWN => writeln!(
                self.out,
                "  event    {:<9} {:<16} {} port {} {}{}{}",
                event.service.name(),
                event.cause.name(),
                event.peer.addr(),
                event.peer.port(),
                event.peer.transport(),
                if event.account.is_empty() { "" } else { " account " },
                event.account
            ),
            _ if std::mem::replace(&mut self.more_told, true) => Ok(()),
            _ => writeln!(self.out, "           … and more of these"),
        }
    }

    fn decision(
        &mut self,
        verdict: &Verdict,
        took: Option<Duration>,
        kernel: Option<fence::Held>,
    ) -> io::Result<()> {
        let Verdict::Ban(ban) = verdict else { return Ok(()) };
        let micros = took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.outcome
            .banned
            .insert(ban.target.to_string(), ban.jail.clone());
        self.outcome.latency_us.extend(micros);
        self.outcome.confirmed += usize::from(kernel.is_some());
        if self.json {
            let line = serde_json::json!({
                "verdict": "ban", "target": ban.target.to_string(), "scope": ban.target.scope(), "jail": ban.jail,
                "for_s": ban.remaining(ban.since).as_secs(), "attempts": ban.evidence.attempts,
                "proof": ban.evidence.proof, "latency_us": micros, "in_kernel": kernel.is_some(),
            });
            return writeln!(self.out, "{line}");
        }
        writeln!(self.out, "  VERDICT  {verdict}")?;
        if let Some(held) = kernel {
            writeln!(
                self.out,
                "  kernel   holds {} for {} more{}",
                held.target,
                Span::from_secs(held.remaining.as_secs()),
                micros.map_or_else(String::new, |micros| format!(
                    ", {micros} µs after the event was written to the socket"
                ))
            )?;
        }
        Ok(())
    }

    /// Compares what happened with what had to happen.
    fn verdict_on(&mut self, act: &Act) -> io::Result<()> {
        let jail = self.outcome.banned.get(act.address).cloned();
        if jail.as_deref() != act.banned_by {
            let wanted = act.banned_by.unwrap_or("nobody");
            let got = jail.as_deref().unwrap_or("nobody");
            self.outcome
                .wrong
                .push(format!("{}: expected {wanted}, got {got}", act.address));
        }
        if !self.json && act.banned_by.is_none() && jail.is_none() {
            writeln!(self.out, "  rightly nobody is banned")?;
        }
        Ok(())
    }

    fn closing(&mut self) -> io::Result<()> {
        let known: Vec<IpAddr> = ACTS.iter().filter_map(|act| act.address.parse().ok()).collect();
        for target in self.outcome.banned.keys() {
            if !known
                .iter()
                .any(|addr| Target::Address(*addr).to_string() == *target)
            {
                self.outcome
                    .wrong
                    .push(format!("{target} was banned, and it never attacked"));
            }
        }
        self.outcome.latency_us.sort_unstable();
        if self.json {
            let line = serde_json::to_string(&self.outcome).map_err(io::Error::other)?;
            writeln!(self.out, "{line}")?;
            return self.out.flush();
        }
        let outcome = &self.outcome;
        writeln!(self.out, "\n== Summary")?;
        writeln!(
            self.out,
            "  {} events judged, {} addresses banned",
            outcome.events,
            outcome.banned.len()
        )?;
        if outcome.enforced {
            writeln!(
                self.out,
                "  {} of the bans confirmed by the kernel itself",
                outcome.confirmed
            )?;
        }
        let middle = outcome.latency_us.get(outcome.latency_us.len() / 2);
        if let (Some(median), Some(worst)) = (middle, outcome.latency_us.last()) {
            let what = if outcome.enforced {
                "held by the kernel"
            } else {
                "decided"
            };
            writeln!(
                self.out,
                "  from writing the deciding event to the socket until {what}: median {median} µs, worst {worst} µs"
            )?;
        }
        for wrong in &outcome.wrong {
            writeln!(self.out, "  WRONG: {wrong}")?;
        }
        if outcome.wrong.is_empty() {
            writeln!(
                self.out,
                "  every attacker is banned by the right jail, and nobody else"
            )?;
        }
        writeln!(
            self.out,
            "  nothing stays behind: the namespace and the temporary store are gone"
        )?;
        self.out.flush()
    }
}
