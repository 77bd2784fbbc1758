//! Keeps a try from being told twice on a connection that delivers both events and log records.

use ringfence_event::SecurityEvent;

use super::map::Said;

/// Knows whether a connection to the event socket delivers events, and lets only those records pass that no event repeats.
///
/// Before the subscription stands, all records count: a connection that only logs has nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echoes {
    events: bool,
}

impl Echoes {
    /// For a new connection, without a subscription.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of an answer of the event socket: the value of its `Reply-Text` header.
    pub fn reply(&mut self, text: &[u8]) {
        match text {
            b"+OK event listener enabled plain" => self.events = true,
            // Nothing that this crate's siblings read arrives in another format, or after `noevents`.
            b"+OK event listener enabled json"
            | b"+OK event listener enabled xml"
            | b"+OK no longer listening for events" => self.events = false,
            _ => {}
        }
    }

    /// What a record said, unless an event says the same.
    pub fn filter(&self, said: Said) -> Option<SecurityEvent> {
        (!(self.events && said.kind.has_event())).then_some(said.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freeswitch::map_log_data;

    fn passes(echoes: Echoes, file: &[u8], message: &str) -> bool {
        let said = map_log_data(file, b"f", format!("[WARNING] a.c:1 {message}\n").as_bytes()).unwrap();
        echoes.filter(said).is_some()
    }

    #[test]
    fn once_events_flow_only_what_has_none_counts() {
        let failure =
            "SIP auth failure (REGISTER) on sofia profile 'internal' for [1000@a.example] from ip 192.0.2.1";
        let acl = "IP 192.0.2.1 Rejected by acl \"lan\"";
        let mut echoes = Echoes::new();
        assert!(passes(echoes, b"sofia_reg.c", failure));
        echoes.reply(b"+OK event listener enabled plain");
        assert!(!passes(echoes, b"sofia_reg.c", failure));
        assert!(passes(echoes, b"sofia.c", acl));
        assert!(passes(echoes, b"mod_event_socket.c", acl));
        echoes.reply(b"+OK log level warning [4]");
        assert!(!passes(echoes, b"sofia_reg.c", failure));
        echoes.reply(b"+OK no longer listening for events");
        assert!(passes(echoes, b"sofia_reg.c", failure));
    }
}
