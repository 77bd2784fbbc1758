//! What is remembered of earlier records, in bounded space: which sessions are calls, which dialogues named nobody.

use std::hash::{DefaultHasher, Hash, Hasher};

use ringfence_event::{Cause, SecurityEvent, Service, Text};

use super::event::Event;
use super::meaning::uri_user;
use super::security::Statement;

const SLOTS: usize = 512;

/// Remembers the latest of many keys; what it has forgotten only costs a name.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    calls: Box<[u64; SLOTS]>,
    nobodies: Box<[u64; SLOTS]>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            calls: Box::new([0; SLOTS]),
            nobodies: Box::new([0; SLOTS]),
        }
    }
}

impl Memory {
    /// Whether a chan_sip event belongs to a call, so that its account is the dialled number: only the challenge says so.
    pub(super) fn is_call(&mut self, statement: &Statement<'_>) -> bool {
        if statement.service != Service::ChanSip {
            return false;
        }
        let key = key(statement.session);
        let Some(slot) = slot(&mut self.calls, key) else {
            return false;
        };
        if statement.event != Event::ChallengeSent {
            return *slot == key;
        }
        if uri_user(statement.account).is_some() {
            *slot = key;
        } else if *slot == key {
            *slot = 0;
        }
        false
    }

    /// PJSIP writes the same words for a wrong password and for an answer by somebody it doesn't know. The line before
    /// in that dialogue tells them apart.
    pub(super) fn tell_apart(&mut self, event: &mut SecurityEvent) {
        let key = key((event.dialogue, event.peer.addr(), event.peer.port()));
        let Some(slot) = slot(&mut self.nobodies, key) else {
            return;
        };
        match event.cause {
            Cause::UnknownAccount | Cause::AclDenied => *slot = key,
            Cause::WrongPassword if *slot == key => {
                event.cause = Cause::UnknownAccount;
                event.account = Text::EMPTY;
                *slot = 0;
            }
            _ => {}
        }
    }
}

fn key(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().max(1)
}

fn slot(slots: &mut [u64; SLOTS], key: u64) -> Option<&mut u64> {
    slots.get_mut(usize::try_from(key % SLOTS as u64).unwrap_or_default())
}
