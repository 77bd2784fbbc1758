//! What is said to one FreeSWITCH and what it answers, frame by frame, without I/O.
//!
//! A command that FreeSWITCH answers with +OK proves nothing: an event subclass that does not exist, or a log that the core
//! does not write, is accepted and stays silent for ever. So a probe is sent through each stream and has to come back.

use std::collections::VecDeque;
use std::time::Duration;

use ringfence_esl::{
    Command, Counts, Credentials, Frame, Kind, Login, Mapped, Mapper, Probe, Step, Stream, Wanted,
};
use ringfence_event::{SecurityEvent, Text};
use secrecy::ExposeSecret;

use super::alone::Alone;
use super::flow::Flow;
use super::log;
use super::problem::{blind_events, blind_log, refused_login, refused_stream, unproven_events, unproven_log};
use super::settings::EslSettings;
use crate::clock::Stopwatch;
use crate::health::{StreamReport, StreamState};
use crate::source::End;

/// A login is answered within this time.
const LOGIN: Duration = Duration::from_secs(10);
/// A probe comes back within this time, or something else does.
const PROOF: Duration = Duration::from_secs(5);
/// A connection that brings not one byte for this long, though it was asked something, is dead.
const SILENCE: Duration = Duration::from_secs(10);
/// After so long without any line a probe is written into the log; it lands in the admin's files as well, so seldom.
const QUIET_LOG: Duration = Duration::from_mins(30);
/// The same while the log is blind: an admin may raise the level at any time.
const BLIND_LOG: Duration = Duration::from_mins(1);

/// A command whose answer has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Probe,
    LogProbe,
    Version,
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Conversation<'a> {
    settings: &'a EslSettings,
    login: Login,
    ready: bool,
    mapper: Mapper,
    events: Flow,
    /// Streams of events that are not given, with what that means.
    refused: Vec<StreamReport>,
    log: Flow,
    alone: Alone,
    asked: VecDeque<Asked>,
    outgoing: Vec<Command>,
    begun: Stopwatch,
    heard: Stopwatch,
    asked_at: Stopwatch,
    /// What FreeSWITCH says it is.
    pub version: Option<Text>,
    /// The Core-UUID that the latest probe brought.
    pub core: Option<Text>,
    /// How long the latest probe took.
    pub round_trip: Option<Duration>,
    /// Events with lines that were thrown away because they were very large.
    pub cut: u64,
}

impl<'a> Conversation<'a> {
    /// The conversation of a new connection.
    pub fn new(settings: &'a EslSettings) -> Self {
        let password = settings.password.expose_secret();
        let credentials = match &settings.user {
            Some(user) => Credentials::user(user.as_str(), password),
            None => Credentials::password(password),
        };
        Self {
            settings,
            login: Login::new(credentials, Wanted { log: settings.log }),
            ready: false,
            mapper: Mapper::new(),
            events: Flow::asked(),
            refused: Vec::new(),
            log: if settings.log { Flow::asked() } else { Flow::off() },
            alone: Alone::default(),
            asked: VecDeque::new(),
            outgoing: Vec::new(),
            begun: Stopwatch::start(),
            heard: Stopwatch::start(),
            asked_at: Stopwatch::start(),
            version: None,
            core: None,
            round_trip: None,
            cut: 0,
        }
    }

    /// Takes the next frame; what it says about anybody goes into `events`.
    pub fn take(&mut self, frame: &Frame<'_>, events: &mut Vec<SecurityEvent>) -> Result<(), End> {
        self.cut += u64::from(frame.is_cut());
        match frame.kind() {
            Kind::EventPlain => self.take_event(frame, events),
            Kind::LogData => self.take_record(frame, events),
            Kind::CommandReply | Kind::ApiResponse if self.ready => self.take_answer(frame),
            Kind::DisconnectNotice if self.ready => {
                return Err(End::Away(
                    "FreeSWITCH ended the connection: it stops, or mod_event_socket was reloaded".into(),
                ));
            }
            _ if !self.ready => return self.log_in(frame),
            _ => {}
        }
        Ok(())
    }

    fn log_in(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        let user = self.settings.user.as_deref();
        match self
            .login
            .step(frame)
            .map_err(|error| refused_login(&error, user))?
        {
            Step::Wait => Ok(()),
            Step::Send(command) => {
                self.outgoing.push(command);
                Ok(())
            }
            Step::Ready => self.begin(),
        }
    }

    /// Every stream was asked for: what was refused, and a first probe through the others.
    fn begin(&mut self) -> Result<(), End> {
        self.ready = true;
        for refusal in self.login.refusals() {
            let problem = refused_stream(self.settings, refusal);
            match refusal.stream {
                // without these nothing is left to watch for, and only an admin can change it
                Stream::Logins => return Err(End::Refused(problem)),
                Stream::Probe => self.events.leave_unproven(problem),
                Stream::Log => self.log.refuse(problem),
                Stream::Verto | Stream::Calls => {
                    let mut flow = Flow::asked();
                    flow.refuse(problem);
                    self.refused.push(flow.report(if refusal.stream == Stream::Verto {
                        "verto"
                    } else {
                        "calls"
                    }));
                }
            }
        }
        self.ask(Asked::Version, Command::version());
        self.probe_events();
        self.probe_log();
        Ok(())
    }

    fn take_event(&mut self, frame: &Frame<'_>, events: &mut Vec<SecurityEvent>) {
        match self.mapper.map(frame) {
            Mapped::Event(event) => {
                self.events.saw();
                if !self.alone.repeats(&event) {
                    events.push(event);
                }
            }
            Mapped::Suspicious(_) => {}
            Mapped::Other => {
                if let Some(probe) = Probe::read(frame)
                    && let Some(took) = self.events.came_back(probe.nonce)
                {
                    self.alone.settle(took);
                    self.round_trip = Some(took);
                    self.core = Some(probe.core);
                }
            }
        }
    }

    fn take_record(&mut self, frame: &Frame<'_>, events: &mut Vec<SecurityEvent>) {
        if !self.log.is_open() {
            return;
        }
        if let Some(nonce) = self.log.pending()
            && Probe::is_in_log(frame, nonce)
        {
            self.log.came_back(nonce);
            return;
        }
        self.log.saw();
        // While events flow, most of what the log says is their echo; when they don't, it is better than nothing.
        let alone = self.events.state() == StreamState::Blind;
        if let Some(event) = log::map(frame, alone) {
            if alone {
                self.alone.told(&event);
            }
            events.push(event);
        }
    }

    /// Answers come in the order of the questions; one of another kind belongs to none of them.
    fn take_answer(&mut self, frame: &Frame<'_>) {
        let refused = frame.reply().starts_with(b"-ERR");
        let printed = frame.kind() == Kind::ApiResponse;
        match self.asked.front() {
            Some(Asked::Probe) if !printed => {}
            Some(Asked::Version | Asked::LogProbe) if printed || refused => {}
            _ => return,
        }
        match self.asked.pop_front() {
            Some(Asked::Version) if printed => {
                self.version = Some(version(frame.body()));
            }
            Some(Asked::LogProbe) if refused => {
                self.log
                    .leave_unproven(unproven_log(self.settings.user.as_deref()));
            }
            Some(Asked::Probe) if refused => self.events.leave_unproven(unproven_events(frame.reply())),
            _ => {}
        }
    }

    /// Something was read.
    pub fn hear(&mut self) {
        self.heard = Stopwatch::start();
    }

    /// How long ago the latest bytes came.
    pub fn silent_for(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Sees what is due; to be called every second at least.
    pub fn beat(&mut self) -> Result<(), End> {
        if !self.ready {
            if self.begun.elapsed() < LOGIN {
                return Ok(());
            }
            return Err(End::Away(format!(
                "{}:{} accepts connections but does not answer a login: is it really FreeSWITCH's event socket, and is \
                 FreeSWITCH alive (fs_cli -x status)?",
                self.settings.host, self.settings.port
            )));
        }
        if !self.asked.is_empty() && self.heard.elapsed() >= SILENCE && self.asked_at.elapsed() >= SILENCE {
            return Err(End::Away(
                "FreeSWITCH does not answer any more: the connection is dead, or FreeSWITCH hangs".into(),
            ));
        }
        self.events.doubt(PROOF, blind_events());
        self.log.doubt(PROOF, blind_log());
        let pause = if self.events.state() == StreamState::Blind {
            PROOF
        } else {
            self.settings.probe.into()
        };
        if self.events.is_due(pause) {
            self.probe_events();
        }
        let pause = if self.log.state() == StreamState::Blind {
            BLIND_LOG
        } else {
            QUIET_LOG
        };
        if self.log.is_provable() && self.log.is_due(pause) {
            self.probe_log();
        }
        Ok(())
    }

    /// The commands to send now.
    pub fn outgoing(&mut self) -> impl Iterator<Item = Command> {
        self.outgoing.drain(..)
    }

    /// Whether events are proven to flow, proven not to, or can't be proven; `None` while that is open.
    pub fn state(&self) -> Option<StreamState> {
        Some(self.events.state()).filter(|state| self.ready && *state != StreamState::Proving)
    }

    /// What keeps events from being proven; empty when nothing does.
    pub fn problem(&self) -> String {
        self.events.report("events").problem
    }

    /// Whether every stream has shown what it is.
    pub fn is_settled(&self) -> bool {
        self.ready
            && [&self.events, &self.log]
                .iter()
                .all(|flow| flow.state() != StreamState::Proving)
    }

    /// Every stream, for `status`.
    pub fn streams(&self) -> Vec<StreamReport> {
        let mut streams = vec![self.events.report("events")];
        streams.extend(self.refused.iter().cloned());
        streams.push(self.log.report("log"));
        streams
    }

    /// What was not believed.
    pub fn counts(&self) -> Counts {
        self.mapper.counts()
    }

    fn probe_events(&mut self) {
        if !self.events.is_provable() {
            // it would not come back, but its answer shows that FreeSWITCH is alive
            self.ask(Asked::Probe, Command::probe(nonce()));
            self.events.give_up();
            return;
        }
        let nonce = nonce();
        self.events.probe(nonce);
        self.ask(Asked::Probe, Command::probe(nonce));
    }

    fn probe_log(&mut self) {
        if self.log.is_open() {
            let nonce = nonce();
            self.log.probe(nonce);
            self.ask(Asked::LogProbe, Command::log_probe(nonce));
        }
    }

    fn ask(&mut self, what: Asked, command: Command) {
        if self.asked.is_empty() {
            self.asked_at = Stopwatch::start();
        }
        self.asked.push_back(what);
        self.outgoing.push(command);
    }
}

/// The number of a release in what `version` prints: `FreeSWITCH Version 1.10.12-release~64bit (…)`.
fn version(printed: &[u8]) -> Text {
    let mut words = printed.split(u8::is_ascii_whitespace);
    let number = words
        .by_ref()
        .find(|word| *word == b"Version")
        .and_then(|_| words.next());
    let number = number.unwrap_or_default();
    let end = number
        .iter()
        .position(|byte| matches!(byte, b'~' | b'+'))
        .unwrap_or(number.len());
    Text::new(number.get(..end).unwrap_or_default())
}

/// A number that no other client of the event socket guesses.
fn nonce() -> u64 {
    getrandom::u64().unwrap_or(0)
}

#[cfg(test)]
mod tests;
