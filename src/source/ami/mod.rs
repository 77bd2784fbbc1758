//! Asterisk through its manager interface: connects, proves that events flow, reads, reconnects.

mod dial;
mod pulse;
mod session;
mod settings;
mod watch;

use std::fmt::Write as _;
use std::sync::Arc;

use ringfence_event::SourceId;
use secrecy::ExposeSecret;

use crate::clock::Clock;
use crate::health::Health;
use crate::source::EventSink;
use crate::source::backoff::Backoff;

use session::Session;
pub use settings::{AmiSettings, AuthMethod, TlsSettings};
use watch::Watcher;

/// Watches one Asterisk for ever; ends only when its task is aborted.
pub async fn run<S: EventSink>(
    id: SourceId,
    settings: AmiSettings,
    health: Health,
    clock: Clock,
    sink: Arc<S>,
) {
    let mut backoff = Backoff::default();
    loop {
        let end = match Session::open(&settings).await {
            Ok(session) => {
                health.update(|report| {
                    report.connects += 1;
                    session.version().clone_into(&mut report.version);
                });
                health.prove(clock.now());
                health.begin_cover(clock.now());
                Watcher::new(id, &settings, &health, clock, &*sink, session)
                    .watch(&mut backoff)
                    .await
            }
            Err(end) => end,
        };
        health.update(|report| report.ping_us = None);
        tokio::time::sleep(end.settle(&health, clock.now(), &mut backoff)).await;
    }
}

/// Logs in once, waits for the proof that events flow, and logs off: `Ok` says what was seen, `Err` what is wrong and what to
/// do about it.
pub async fn check(settings: &AmiSettings) -> Result<String, String> {
    let mut session = Session::open(settings).await.map_err(|end| end.to_string())?;
    let version = session.version().to_string();
    let proof = tokio::time::timeout(watch::PROOF, session.own_login()).await;
    let round_trip = session.ping().await;
    session.leave().await;
    match proof {
        Ok(Ok(())) => {}
        Ok(Err(end)) => return Err(end.to_string()),
        Err(_) => return Err(watch::no_proof(&settings.username)),
    }
    let mut seen = format!("watching: AMI {version}, its own login arrived as a security event");
    if let Some(took) = round_trip {
        let _ = write!(seen, ", Ping answered in {} µs", took.as_micros());
    }
    Ok(seen)
}

/// Whether two settings mean the same source, so that a reload needs no new connection.
pub fn same(one: &AmiSettings, other: &AmiSettings) -> bool {
    one.name == other.name
        && one.host == other.host
        && one.port == other.port
        && one.tls == other.tls
        && one.username == other.username
        && one.secret.expose_secret() == other.secret.expose_secret()
        && one.auth == other.auth
        && one.ping == other.ping
}

/// An id for actions that nobody who talks to the PBX can guess, so that no injected line passes for an answer.
fn action_id() -> String {
    getrandom::u64().map_or_else(|_| "rf-0".into(), |number| format!("rf-{number:016x}"))
}
