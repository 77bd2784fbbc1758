//! What is said to FreeSWITCH: little, and nothing that changes anything.

use std::fmt;

use ringfence_event::Text;

use crate::event::Lines;
use crate::frame::{Frame, Kind};
use crate::value::decode;

/// One of the streams that a connection asks for, each by a command of its own: a user who may not see one of them sees the
/// others all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Challenges, answers and failures of SIP.
    Logins,
    /// Logins of mod_verto.
    Verto,
    /// Ends of calls: the only place where calls into nowhere show.
    Calls,
    /// Our own probe.
    Probe,
    /// The log from warning up: the only place where refusals by an access list are told.
    Log,
}

impl Stream {
    /// The streams of events.
    pub(crate) const EVENTS: [Self; 4] = [Self::Logins, Self::Verto, Self::Calls, Self::Probe];

    /// The command that asks for it. Whatever follows CUSTOM is a subclass; a narrow subscription keeps FreeSWITCH's own queue
    /// short.
    pub fn command(self) -> &'static str {
        match self {
            Self::Logins => {
                "event plain CUSTOM sofia::pre_register sofia::register_attempt sofia::register_failure \
                 sofia::wrong_call_state"
            }
            Self::Verto => "event plain CUSTOM verto::login",
            Self::Calls => "event plain CHANNEL_HANGUP_COMPLETE",
            Self::Probe => "event plain CUSTOM ringfence::probe",
            Self::Log => "log warning",
        }
    }
}

/// One command with the empty line that ends it. Never shows what it says: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Command(Vec<u8>);

impl Command {
    pub(crate) fn new(line: &str) -> Self {
        Self(format!("{line}\n\n").into_bytes())
    }

    /// Fires an event of our own subclass, which comes back when events flow; nobody else listens for it. `nonce` tells one
    /// probe from another and from those of other connections.
    pub fn probe(nonce: u64) -> Self {
        Self::new(&format!(
            "sendevent CUSTOM\nEvent-Subclass: ringfence::probe\nringfence-nonce: {nonce:016x}"
        ))
    }

    /// Writes a line into FreeSWITCH's log, which comes back when the log flows.
    pub fn log_probe(nonce: u64) -> Self {
        Self::new(&format!(
            "api log warning ringfence sees this log (probe {nonce:016x})"
        ))
    }

    /// Asks for the version.
    pub fn version() -> Self {
        Self::new("api version")
    }

    /// Says goodbye.
    pub fn exit() -> Self {
        Self::new("exit")
    }
}

impl AsRef<[u8]> for Command {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Command(..)")
    }
}

/// A probe event that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The number it was sent with.
    pub nonce: u64,
    /// The Core-UUID: another one means that FreeSWITCH was started anew.
    pub core: Text,
}

impl Probe {
    /// The probe that `frame` is, if it is one. Looks at the first line only for other events.
    pub fn read(frame: &Frame<'_>) -> Option<Self> {
        let body = frame.body();
        if frame.kind() != Kind::EventPlain || !body.starts_with(b"Event-Subclass: ringfence%3A%3Aprobe\n") {
            return None;
        }
        let (mut nonce, mut core) = (None, Text::EMPTY);
        for (name, value) in Lines::new(body) {
            match name {
                b"ringfence-nonce" => nonce = number(value),
                b"Core-UUID" => core = Text::new(&decode(value)),
                _ => {}
            }
        }
        Some(Self { nonce: nonce?, core })
    }

    /// Whether `frame` is the record that [`Command::log_probe`] wrote.
    pub fn is_in_log(frame: &Frame<'_>, nonce: u64) -> bool {
        frame.kind() == Kind::LogData
            && memchr::memmem::find(frame.body(), format!("(probe {nonce:016x})").as_bytes()).is_some()
    }
}

fn number(hex: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMES_BACK: &[u8] = b"Event-Subclass: ringfence%3A%3Aprobe\nCommand: sendevent%20CUSTOM\n\
        ringfence-nonce: 00000000deadbeef\nEvent-UUID: f06fe6f5-8170-42f6-91fa-ac7cc284d606\nEvent-Name: CUSTOM\n\
        Core-UUID: bd45569a-3100-4a96-9713-a1155cc9af5f\n\n";

    #[test]
    fn what_is_sent_is_what_comes_back() {
        let sent = String::from_utf8(Command::probe(0xdead_beef).0).unwrap();
        assert!(sent.ends_with("\nringfence-nonce: 00000000deadbeef\n\n"));
        let probe = Probe::read(&Frame::new(Kind::EventPlain, b"", COMES_BACK, false)).unwrap();
        assert_eq!(probe.nonce, 0xdead_beef);
        assert_eq!(probe.core, Text::from("bd45569a-3100-4a96-9713-a1155cc9af5f"));
    }

    #[test]
    fn nothing_else_is_a_probe() {
        assert_eq!(
            Probe::read(&Frame::new(Kind::LogData, b"", COMES_BACK, false)),
            None
        );
        let other = b"Event-Subclass: sofia%3A%3Apre_register\nuser-agent: ringfence%3A%3Aprobe\n\n";
        assert_eq!(
            Probe::read(&Frame::new(Kind::EventPlain, b"", other, false)),
            None
        );
    }

    #[test]
    fn a_probe_of_the_log_is_known_by_its_number() {
        let record = b"2026-11-21 19:34:22.269825 62.10% [WARNING] mod_commands.c:1 ringfence sees this log (probe 000000000000002a)\n";
        let frame = Frame::new(Kind::LogData, b"", record, false);
        assert!(Probe::is_in_log(&frame, 42) && !Probe::is_in_log(&frame, 43));
    }
}
