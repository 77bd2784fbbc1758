//! FreeSWITCH through its event socket: connects, proves that each stream flows, reads, reconnects.

mod alone;
mod conversation;
mod flow;
mod log;
mod problem;
mod settings;
mod told;
mod wire;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ringfence_event::{SecurityEvent, SourceId, Span};
use secrecy::ExposeSecret;

use crate::clock::{Clock, Stopwatch};
use crate::health::{Health, State, StreamState};
use crate::source::backoff::{Backoff, chance};
use crate::source::{End, EventSink};

use conversation::Conversation;
use problem::blind_events;
pub use settings::EslSettings;
use told::Told;
use wire::Wire;

/// How often the conversation is asked what is due.
const BEAT: Duration = Duration::from_secs(1);
/// A check waits no longer than this for every stream to show what it is.
const CHECK: Duration = Duration::from_secs(20);

/// Watches one FreeSWITCH for ever; ends only when its task is aborted.
pub async fn run<S: EventSink>(
    id: SourceId,
    settings: EslSettings,
    health: Health,
    clock: Clock,
    sink: Arc<S>,
) {
    let mut backoff = Backoff::default();
    let mut told = Told::default();
    loop {
        let end = match Wire::open(&settings).await {
            Ok(wire) => {
                health.update(|report| report.connects += 1);
                health.prove(clock.now());
                let watcher = Watcher::new(id, &settings, &health, clock, &*sink);
                watcher.watch(wire, &mut backoff, &mut told).await
            }
            Err(end) => end,
        };
        health.update(|report| {
            report.ping_us = None;
            report.streams.clear();
        });
        tokio::time::sleep(end.settle(&health, clock.now(), &mut backoff)).await;
    }
}

/// Logs in once, waits until each stream has shown what it is, and leaves: `Ok` says what was seen, `Err` what is wrong and
/// what to do about it.
pub async fn check(settings: &EslSettings) -> Result<String, String> {
    let mut wire = Wire::open(settings).await.map_err(|end| end.to_string())?;
    let mut talk = Conversation::new(settings);
    let begun = Stopwatch::start();
    let mut events = Vec::new();
    while !talk.is_settled() && begun.elapsed() < CHECK {
        hear(&mut wire, &mut talk, &mut events)
            .await
            .and_then(|()| say(&wire, &mut talk))
            .map_err(|end| end.to_string())?;
        events.clear();
    }
    wire.leave().await;
    let mut seen = String::from("watching:");
    if let Some(version) = talk.version {
        let _ = write!(seen, " FreeSWITCH {version},");
    }
    let mut wrong = Vec::new();
    for stream in talk.streams() {
        let _ = write!(seen, " {} {},", stream.name, stream.state.name());
        if !stream.problem.is_empty() {
            wrong.push(format!("{}: {}", stream.name, stream.problem));
        }
    }
    if let Some(took) = talk.round_trip {
        let _ = write!(seen, " a probe event came back in {} µs", took.as_micros());
    }
    if wrong.is_empty() && talk.is_settled() {
        Ok(seen.trim_end_matches(',').to_owned())
    } else if wrong.is_empty() {
        Err(blind_events().to_owned())
    } else {
        Err(wrong.join("; "))
    }
}

/// Whether two settings mean the same source, so that a reload needs no new connection.
pub fn same(one: &EslSettings, other: &EslSettings) -> bool {
    one.name == other.name
        && one.host == other.host
        && one.port == other.port
        && one.user == other.user
        && one.password.expose_secret() == other.password.expose_secret()
        && one.log == other.log
        && one.probe == other.probe
}

/// What comes now was fired after everything that was fired so long before it.
const IN_ORDER: Duration = Duration::from_secs(2);

/// One connection being watched.
struct Watcher<'a, S> {
    id: SourceId,
    settings: &'a EslSettings,
    health: &'a Health,
    clock: Clock,
    sink: &'a S,
    /// What was not believed, and what was too large, before this connection.
    before: (u64, u64),
}

impl<'a, S: EventSink> Watcher<'a, S> {
    fn new(id: SourceId, settings: &'a EslSettings, health: &'a Health, clock: Clock, sink: &'a S) -> Self {
        let report = health.report();
        Self {
            id,
            settings,
            health,
            clock,
            sink,
            before: (report.suspicious, report.oversized),
        }
    }

    /// Watches until the connection ends, and tells why it did.
    async fn watch(self, mut wire: Wire, backoff: &mut Backoff, told: &mut Told) -> End {
        let mut talk = Conversation::new(self.settings);
        let mut events = Vec::new();
        let mut known = None;
        // since when events are blind, and for how long the connection is kept all the same
        let mut blind = (Stopwatch::start(), Duration::ZERO);
        loop {
            let done = hear(&mut wire, &mut talk, &mut events).await;
            self.hand_over(&mut events);
            let done = done.and_then(|()| say(&wire, &mut talk));
            self.note(&talk, told);
            if let Err(end) = done {
                return end;
            }
            let state = talk.state();
            if state != known {
                known = state;
                match state {
                    Some(StreamState::Flowing) => {
                        backoff.reset();
                        self.health.begin_cover(self.clock.now());
                        self.health.enter(self.clock.now(), State::Watching, "");
                    }
                    Some(StreamState::Unproven) => {
                        let problem = talk.problem();
                        self.health.enter(self.clock.now(), State::Proving, &problem);
                    }
                    Some(_) => {
                        blind = (Stopwatch::start(), backoff.refused(chance()));
                        self.health.enter(self.clock.now(), State::Blind, blind_events());
                    }
                    None => {}
                }
            }
            if known == Some(StreamState::Blind) && blind.0.elapsed() >= blind.1 {
                return End::Blind(blind_events().to_owned());
            }
        }
    }

    fn hand_over(&self, events: &mut Vec<SecurityEvent>) {
        if events.is_empty() {
            return;
        }
        let (now, count) = (self.clock.now(), events.len() as u64);
        for event in events.iter_mut() {
            event.source = self.id;
        }
        self.sink.take(events);
        self.health.update(|report| {
            report.events += count;
            report.last_event = Some(now);
        });
    }

    /// Keeps the books.
    fn note(&self, talk: &Conversation<'_>, told: &mut Told) {
        let counts = talk.counts();
        let streams = talk.streams();
        told.hear(&self.settings.name, &streams);
        let mut restarted = false;
        self.health.update(|report| {
            report.suspicious = self.before.0 + counts.forged + counts.contradictory;
            report.oversized = self.before.1 + talk.cut;
            report.streams = streams;
            report.ping_us = talk
                .round_trip
                .map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            if let Some(version) = &talk.version {
                report.version = version.to_string();
            }
            if let Some(core) = talk.core.map(|core| core.to_string())
                && report.instance != core
            {
                restarted = !report.instance.is_empty();
                report.restarts += u64::from(restarted);
                report.instance = core;
            }
        });
        let heard = self.clock.now() - Span::from(talk.silent_for() + IN_ORDER);
        self.health.cover_until(heard);
        if restarted {
            tracing::info!(source = self.settings.name, "FreeSWITCH was started anew");
        }
    }
}

/// Reads once, at most for a beat, and sees what is due: what waits to be read is read before anybody is called silent, and
/// a stream that never pauses puts nothing off.
async fn hear(
    wire: &mut Wire,
    talk: &mut Conversation<'_>,
    events: &mut Vec<SecurityEvent>,
) -> Result<(), End> {
    if let Ok(heard) = tokio::time::timeout(BEAT, wire.read(|frame| talk.take(frame, events))).await {
        heard?;
        talk.hear();
    }
    talk.beat()
}

/// Hands what is to be said to the writer.
fn say(wire: &Wire, talk: &mut Conversation<'_>) -> Result<(), End> {
    talk.outgoing().try_for_each(|command| wire.send(command))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::*;
    use crate::health::HealthReport;

    #[derive(Default)]
    struct Sink(Mutex<u64>);

    impl EventSink for Sink {
        fn take(&self, events: &mut Vec<SecurityEvent>) {
            *self.0.lock().unwrap() += events.len() as u64;
            events.clear();
        }

        fn take_late(&self, events: &mut Vec<SecurityEvent>) {
            self.take(events);
        }
    }

    /// Answers so many commands and then sends `frame` for ever, as fast as it is taken.
    fn flood(listener: &TcpListener, answers: usize, frame: &str) -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"Content-Type: auth/request\n\n")?;
        for _ in 0..answers {
            if stream.read(&mut [0; 512])? == 0 {
                return Ok(());
            }
            stream.write_all(b"Content-Type: command/reply\nReply-Text: +OK\n\n")?;
        }
        let many = frame.repeat(500);
        loop {
            stream.write_all(many.as_bytes())?;
        }
    }

    /// A node that lets anybody in, if it answers more than none, and then floods; how to reach it.
    fn flooding(answers: usize) -> EslSettings {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let settings = EslSettings {
            name: "fs1".into(),
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
            user: None,
            password: "s3cret".to_owned().into(),
            log: true,
            probe: Span::from_secs(10),
        };
        let body = "Event-Name: CUSTOM\nEvent-Subclass: sofia%3A%3Aregister_failure\nCommand: sendevent\n\n";
        let length = body.len();
        let frame = format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{body}");
        std::thread::spawn(move || flood(&listener, answers, &frame));
        settings
    }

    #[tokio::test]
    async fn a_check_of_a_node_that_floods_before_the_login_says_that_it_was_not_answered() {
        let told = check(&flooding(0)).await.unwrap_err();
        assert!(told.contains("does not answer a login"), "{told}");
    }

    #[test]
    fn a_flood_that_proves_nothing_does_not_hide_that_events_are_missing() {
        let settings = flooding(6);
        let health = Health::new(HealthReport::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sink = Arc::new(Sink::default());
        runtime.spawn(run(
            SourceId(0),
            settings,
            health.clone(),
            Clock::start(),
            Arc::clone(&sink),
        ));
        let begun = Stopwatch::start();
        while health.report().state != State::Blind && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let report = health.report();
        runtime.shutdown_background();
        assert_eq!(report.state, State::Blind, "{report:?}");
        assert!(report.suspicious > 0 && *sink.0.lock().unwrap() == 0);
    }
}
