//! What one connection asked for, with the traps of FreeSWITCH's own rules, and what it may ask for.

use std::collections::BTreeSet;

use super::frames::{Block, Format, LEVELS};
use super::manners::User;

/// Every name that FreeSWITCH knows; other words in an `event` command are passed over.
const NAMES: &str = "CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER \
    CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD \
    CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK \
    CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP \
    SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN \
    NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB \
    DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE \
    RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS \
    CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO \
    RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP \
    CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP CONFERENCE_DATA_QUERY CONFERENCE_DATA \
    CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT SHUTDOWN_REQUESTED ALL";

const NO_KEYWORDS: &str = "-ERR no keywords supplied";
const DENIED: &str = "-ERR permission denied";

/// The name of an event as FreeSWITCH writes it; case does not matter to it.
pub(super) fn event_name(word: &str) -> Option<&'static str> {
    NAMES
        .split_ascii_whitespace()
        .find(|name| name.eq_ignore_ascii_case(word))
}

/// What a connection may ask for; nothing set is everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed {
    events: Option<Names>,
    api: Option<BTreeSet<String>>,
    no_log: bool,
}

#[derive(Clone, Debug, Default)]
struct Names {
    plain: BTreeSet<&'static str>,
    subclasses: BTreeSet<String>,
}

impl Allowed {
    pub(super) fn of(user: &User) -> Self {
        let words = |list: &str| -> Vec<String> {
            let delimiter = if list.contains(' ') { ' ' } else { ',' };
            list.split(delimiter).map(str::to_owned).collect()
        };
        let events = user.events.as_deref().map(|list| {
            let mut names = Names::default();
            for word in words(list) {
                if names.plain.contains("CUSTOM") {
                    names.subclasses.insert(word);
                } else if let Some(name) = event_name(&word) {
                    names.plain.insert(name);
                }
            }
            names
        });
        Self {
            events,
            api: user.api.as_deref().map(|list| words(list).into_iter().collect()),
            no_log: !user.log,
        }
    }

    /// Whether `api` may run a command that starts with `word`.
    pub(super) fn api(&self, word: &str) -> bool {
        self.api.as_ref().is_none_or(|allowed| allowed.contains(word))
    }

    fn event(&self, name: &str) -> bool {
        self.events
            .as_ref()
            .is_none_or(|names| names.plain.contains(name) || names.plain.contains("ALL"))
    }

    fn subclass(&self, name: &str) -> bool {
        self.events
            .as_ref()
            .is_none_or(|names| names.subclasses.contains(name))
    }
}

/// What a connection is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    pub(super) format: Format,
    /// An `event` command succeeded since the last `noevents`.
    pub(super) listening: bool,
    /// The level of `log`.
    pub(super) log: Option<u8>,
    names: BTreeSet<&'static str>,
    subclasses: BTreeSet<String>,
}

impl Subscription {
    /// `event plain|json|xml NAMES… CUSTOM SUBCLASSES…`: what it adds stays, even if a later word is refused.
    pub(super) fn event(&mut self, words: &str, allowed: &Allowed) -> String {
        let (mut known, mut custom) = (false, false);
        for (at, word) in words.split(' ').enumerate() {
            let format = [Format::Plain, Format::Json, Format::Xml]
                .into_iter()
                .find(|format| at == 0 && word.eq_ignore_ascii_case(format.name()));
            if let Some(format) = format {
                self.format = format;
            } else if custom {
                if !allowed.subclass(word) {
                    return DENIED.to_owned();
                }
                self.subclasses.insert(word.to_owned());
            } else if let Some(name) = event_name(word) {
                if !allowed.event(name) {
                    return DENIED.to_owned();
                }
                known = true;
                custom = name == "CUSTOM";
                self.names.insert(name);
            }
        }
        if !known {
            return NO_KEYWORDS.to_owned();
        }
        self.listening = true;
        format!("+OK event listener enabled {}", self.format.name())
    }

    /// `nixevent NAMES… CUSTOM SUBCLASSES…`; after it, `ALL` means every name, and no longer every subclass.
    pub(super) fn nix(&mut self, words: &str) -> String {
        let (mut known, mut custom) = (false, false);
        for word in words.split(' ') {
            if custom {
                self.subclasses.remove(word);
            } else if let Some(name) = event_name(word) {
                known = true;
                match name {
                    "CUSTOM" => custom = true,
                    "ALL" => self.names.clear(),
                    _ => {
                        if self.names.remove("ALL") {
                            self.names.extend(NAMES.split_ascii_whitespace());
                            self.names.remove("ALL");
                        }
                        self.names.remove(name);
                    }
                }
            }
        }
        if !known {
            return NO_KEYWORDS.to_owned();
        }
        self.listening = true;
        "+OK events nixed".to_owned()
    }

    /// `noevents`.
    pub(super) fn forget(&mut self) -> String {
        if !self.listening {
            return "-ERR not listening for events".to_owned();
        }
        self.listening = false;
        self.names.clear();
        self.subclasses.clear();
        "+OK no longer listening for events".to_owned()
    }

    /// `log LEVEL`, by name or number, without one 7.
    pub(super) fn log(&mut self, level: &str, allowed: &Allowed) -> String {
        if allowed.no_log {
            return DENIED.to_owned();
        }
        match log_level(level) {
            None => "-ERR invalid log level".to_owned(),
            Some(number) => {
                self.log = Some(number);
                format!("+OK log level {level} [{number}]")
            }
        }
    }

    /// `nolog`.
    pub(super) fn nolog(&mut self) -> String {
        match self.log.take() {
            Some(_) => "+OK no longer logging".to_owned(),
            // as FreeSWITCH spells it
            None => "-ERR not loging".to_owned(),
        }
    }

    pub(super) fn wants(&self, block: &Block) -> bool {
        match block {
            Block::Log(record) => self.log.is_some_and(|level| record.level <= level),
            Block::Event(_) if !self.listening => false,
            Block::Event(event) => {
                self.names.contains("ALL")
                    || (self.names.contains(event.name())
                        && event.subclass().is_none_or(|subclass| {
                            std::str::from_utf8(subclass).is_ok_and(|name| self.subclasses.contains(name))
                        }))
            }
        }
    }
}

/// A level of the log, by name or number; nothing is debug.
pub(super) fn log_level(word: &str) -> Option<u8> {
    if word.is_empty() {
        return Some(7);
    }
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let at = LEVELS.iter().position(|name| name.eq_ignore_ascii_case(word))?;
    u8::try_from(at).ok()
}
