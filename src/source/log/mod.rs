//! A log as a source: lines become events, beside a PBX's socket or by themselves.
//!
//! - **Whose words.** What a line says is only as good as its grammar: lines that somebody else may have written blame nobody,
//!   and a line whose only address is the caller's own claim counts only where the admin wants it.
//! - **Beside a socket.** The log of a PBX that is watched through its socket is read all the time, but with
//!   [`When::Blind`] it is only believed for the time the socket is known not to have covered: see [`gate`].
//! - **Two kinds of lines.** Asterisk may write one try into a file twice, as a security event and as a message. Each kind has an
//!   id of its own, so that the engine knows the two for one.

mod check;
mod gate;
mod grammar;
mod lateness;
mod reading;
mod recall;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use ringfence_event::SourceId;
use tokio::runtime::Handle as Runtime;
use tokio::task::JoinHandle;

use self::gate::Gate;
pub use self::gate::Pbx;
use self::reading::Reading;
pub use self::settings::{Grammar, Origin, WatchedLog, When};
use super::EventSink;
use super::journal::{self, JournalSettings};
use super::logfile::{self, DockerLines, Handle, LineSink, LogfileError, LogfileSettings, Pace, Start};
use super::pipe::{self, From, PipeSettings};
use crate::clock::Clock;
use crate::health::Health;
use crate::place::Places;

/// What a log is read with.
pub struct Desk<P: ?Sized, S> {
    /// The ids of its events: those of the security log, or of FreeSWITCH's mod_fail2ban, have the second.
    pub ids: [SourceId; 2],
    /// Its own health.
    pub health: Health,
    /// The PBX whose log it is.
    pub pbx: Option<Pbx>,
    /// Tells the time.
    pub clock: Clock,
    /// Keeps where reading stopped.
    pub places: Arc<P>,
    /// Takes the events.
    pub sink: Arc<S>,
}

/// A log that is being read. Dropping it tells the reader to stop and does not wait for it.
#[derive(Debug)]
pub struct Reader {
    handle: Handle,
    gate: Option<JoinHandle<()>>,
}

impl Reader {
    /// Tells the reader to stop and waits until it has handed over what it read and kept its place, for `patience` at most.
    /// Must not be called on a runtime's thread.
    pub fn stop(self, patience: Duration) {
        if let Some(gate) = &self.gate {
            gate.abort();
        }
        self.handle.stop(patience);
    }

    /// Whether it has ended by itself.
    pub fn is_finished(&mut self) -> bool {
        self.handle.has_ended()
    }
}

/// Reads `log` on a thread of its own until the answer is dropped; `runtime` looks after the PBX's health.
pub fn start<P: Places + ?Sized, S: EventSink>(
    log: &WatchedLog,
    desk: Desk<P, S>,
    runtime: &Runtime,
) -> Result<Reader, LogfileError> {
    let Desk {
        ids,
        health,
        pbx,
        clock,
        places,
        sink,
    } = desk;
    let pbx = pbx.filter(|_| log.when == When::Blind);
    let gate = Arc::new(Gate::new(pbx, clock, sink));
    let watch = gate.is_shut_at_times().then(|| {
        let gate = Arc::clone(&gate);
        runtime.spawn(async move { gate.watch().await })
    });
    let first = places.kept(&log.name).is_none();
    let since = log.since.filter(|_| first);
    let mut reading = Reading::new(log, ids, gate, health.clone(), (clock, since));
    if matches!(log.origin, Origin::Fifo(_) | Origin::Stdin) {
        // what comes out of a pipe has just been written
        reading.caught_up();
    }
    let handle = match &log.origin {
        Origin::Files { paths, docker } => {
            let settings = LogfileSettings {
                name: log.name.clone(),
                paths: paths.clone(),
                start: if log.since.is_some() {
                    Start::Beginning
                } else {
                    Start::End
                },
                pace: Pace::default(),
            };
            let sink: Box<dyn LineSink> = if *docker {
                Box::new(DockerLines::new(reading))
            } else {
                Box::new(reading)
            };
            logfile::start(settings, health, clock, places, sink)
        }
        Origin::Journal { matches } => {
            let settings = JournalSettings {
                name: log.name.clone(),
                program: "journalctl".into(),
                matches: matches.clone(),
                since: log.since.map(|since| format!("-{}s", since.as_secs())),
            };
            journal::start(settings, health, clock, places, Box::new(reading))
        }
        Origin::Fifo(path) => pipe(log, From::Fifo(path.clone()), (health, clock), reading),
        Origin::Stdin => pipe(log, From::Stdin, (health, clock), reading),
    }?;
    Ok(Reader { handle, gate: watch })
}

fn pipe<S: EventSink>(
    log: &WatchedLog,
    from: From,
    (health, clock): (Health, Clock),
    reading: Reading<S>,
) -> Result<Handle, LogfileError> {
    let settings = PipeSettings {
        name: log.name.clone(),
        from,
    };
    pipe::start(settings, health, clock, Box::new(reading))
}
