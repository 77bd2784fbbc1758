//! Reads events for as long as the connection lives, and knows whether it would see an attack.
//!
//! A manager login that lacks `read = security` succeeds and stays silent for ever, so silence proves nothing. What proves
//! that events flow is our own login, which Asterisk reports like any other; after long silence a second login repeats
//! the proof.

use std::time::Duration;

use ringfence_ami::{Class, Mapped, Mapper};
use ringfence_event::{SecurityEvent, SourceId, Span, Text};
use tokio::sync::oneshot;

use super::pulse::Pulse;
use super::session::{Session, is_login_of};
use super::settings::AmiSettings;
use crate::clock::{Clock, Stopwatch};
use crate::health::{Health, State};
use crate::source::backoff::{Backoff, chance};
use crate::source::{End, EventSink};

/// The own login has to arrive as an event within this time.
pub const PROOF: Duration = Duration::from_secs(5);
/// After this long without any security event a second login proves again that they flow. One login in five quiet minutes
/// is little to ask of a PBX.
const QUIET: Duration = Duration::from_mins(5);

/// A Pong may overtake events that were fired so shortly before the Ping came.
const OVERTAKEN: Duration = Duration::from_secs(2);

/// One connection being watched.
pub struct Watcher<'a, S> {
    id: SourceId,
    settings: &'a AmiSettings,
    health: &'a Health,
    clock: Clock,
    sink: &'a S,
    session: Session,
    username: Text,
    pulse: Pulse,
    events: Vec<SecurityEvent>,
    proof: Proof,
    tampered_before: (u64, u64),
}

/// What is known about whether events flow.
#[derive(Debug)]
enum Proof {
    /// The own login (or the second one) should arrive.
    Awaited(Stopwatch),
    /// A second login is under way; its outcome says when its event may be expected.
    Knocking(oneshot::Receiver<bool>),
    /// The latest event came then; whether our own logins are among what we may see.
    Flowing { since: Stopwatch, own_logins: bool },
    /// Nothing came. The connection is kept for a while: an event filter may only hide our own login.
    Missing { since: Stopwatch, patience: Duration },
}

impl<'a, S: EventSink> Watcher<'a, S> {
    /// A watcher over a fresh session.
    pub fn new(
        id: SourceId,
        settings: &'a AmiSettings,
        health: &'a Health,
        clock: Clock,
        sink: &'a S,
        session: Session,
    ) -> Self {
        let report = health.report();
        Self {
            id,
            settings,
            health,
            clock,
            sink,
            session,
            username: Text::from(settings.username.as_str()),
            pulse: Pulse::new(settings.ping),
            events: Vec::new(),
            proof: Proof::Awaited(Stopwatch::start()),
            tampered_before: (report.suspicious, report.oversized),
        }
    }

    /// Watches until the session ends, and tells why it did.
    pub async fn watch(mut self, backoff: &mut Backoff) -> End {
        let mut beat = tokio::time::interval(self.pulse.every());
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let round = tokio::select! {
                // not biased: a PBX that is flooded must not keep what is due from being done
                round = read(&mut self.session, &mut self.events, &mut self.pulse, self.id) => Some(round),
                _ = beat.tick() => None,
            };
            match round {
                Some(Ok(round)) => self.took(&round, backoff),
                Some(Err(end)) => return end,
                None => {
                    if let Err(end) = self.beat(backoff).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Hands on what was read and keeps the books.
    fn took(&mut self, round: &Round, backoff: &mut Backoff) {
        let count = self.events.len() as u64;
        if count > 0 {
            let own_login = self.events.iter().any(|event| is_login_of(event, &self.username));
            let own_logins = own_login
                || matches!(
                    self.proof,
                    Proof::Flowing { own_logins: true, .. } | Proof::Knocking(_)
                );
            if !matches!(self.proof, Proof::Flowing { .. } | Proof::Knocking(_)) {
                backoff.reset();
                self.health.enter(self.clock.now(), State::Watching, "");
            }
            self.proof = Proof::Flowing {
                since: Stopwatch::start(),
                own_logins,
            };
            self.sink.take(&mut self.events);
        }
        let (suspicious, oversized) = self.session.tampered();
        let now = self.clock.now();
        self.health.update(|report| {
            report.events += count;
            if count > 0 {
                report.last_event = Some(now);
            }
            report.suspicious = self.tampered_before.0 + suspicious;
            report.oversized = self.tampered_before.1 + oversized;
            if let Some(took) = round.pong {
                report.ping_us = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
        });
        if let Some(took) = round.pong {
            self.health.cover_until(now - Span::from(took + OVERTAKEN));
        }
    }

    /// What is due every second: Ping, and doubt.
    async fn beat(&mut self, backoff: &mut Backoff) -> Result<(), End> {
        if self.pulse.is_silent() {
            return Err(End::Away(
                "Asterisk does not answer Ping any more: the connection is dead".into(),
            ));
        }
        if let Some(ping) = self.pulse.beat() {
            self.session.send(&ping).await?;
        }
        if let Proof::Knocking(told) = &mut self.proof {
            match told.try_recv() {
                Ok(true) => self.proof = Proof::Awaited(Stopwatch::start()),
                // not this connection's fault: go on, and try again after another quiet time
                Ok(false) | Err(oneshot::error::TryRecvError::Closed) => {
                    self.proof = Proof::Flowing {
                        since: Stopwatch::start(),
                        own_logins: true,
                    };
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
        }
        match &self.proof {
            Proof::Awaited(since) if since.elapsed() >= PROOF => {
                self.health
                    .enter(self.clock.now(), State::Blind, &no_proof(&self.settings.username));
                self.proof = Proof::Missing {
                    since: Stopwatch::start(),
                    patience: backoff.refused(chance()),
                };
                Ok(())
            }
            Proof::Missing { since, patience } if since.elapsed() >= *patience => {
                // logging in again is the only way to learn that manager.conf was corrected
                Err(End::Blind(no_proof(&self.settings.username)))
            }
            Proof::Flowing {
                since,
                own_logins: true,
            } if since.elapsed() >= QUIET => {
                self.proof = Proof::Knocking(self.knock());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Logs in a second time, beside, so that the login shows up here. Tells whether the login succeeded: one that fails,
    /// because the PBX is busy or its authlimit is reached, proves nothing about this connection.
    fn knock(&self) -> oneshot::Receiver<bool> {
        let settings = self.settings.clone();
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let session = Session::open(&settings).await;
            let _ = tell.send(session.is_ok());
            if let Ok(session) = session {
                session.leave().await;
            }
        });
        told
    }
}

/// What one read brought besides events.
#[derive(Debug, Default)]
struct Round {
    pong: Option<Duration>,
}

/// Reads once; events are collected in `events`.
async fn read(
    session: &mut Session,
    events: &mut Vec<SecurityEvent>,
    pulse: &mut Pulse,
    id: SourceId,
) -> Result<Round, End> {
    let mut round = Round::default();
    session
        .read(|mapper: &mut Mapper, block| {
            let frame = block.frame();
            pulse.hear();
            match mapper.map(&frame) {
                Mapped::Event(mut event) => {
                    event.source = id;
                    events.push(event);
                }
                Mapped::Suspicious(_) => {}
                Mapped::Other => {
                    if let Class::Response(response) = frame.class()
                        && let Some(took) = pulse.answered(&response)
                    {
                        round.pong = Some(took);
                    }
                }
            }
        })
        .await?;
    Ok(round)
}

/// What to say when a login succeeds and its own event does not arrive.
pub fn no_proof(username: &str) -> String {
    format!(
        "logged in as {username}, but not even this login arrived as a security event: attacks would not be seen. In manager.conf, \
         [{username}] needs `read = security` and no eventfilter that hides it; then `asterisk -rx 'manager reload'`"
    )
}
