//! What is kept of an address's latest attempts, to show what led to a ban.

use ringfence_event::{Cause, Moment, SecurityEvent, Service, Text, Transport};
use serde::{Deserialize, Serialize};

use super::record::{Record, Trace};
use super::{EvidenceEvent, Tenant};

/// One attempt kept as evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    at: Moment,
    dialogue: u32,
    port: u16,
    source: u16,
    cause: Cause,
    service: Service,
    transport: Transport,
    /// Whose attempt it was, from 1; 0 for nobody's.
    pub(super) tenant: u16,
    account: Text,
}

impl Kept {
    pub(super) fn new(now: Moment, event: &SecurityEvent, trace: &Trace) -> Self {
        Self {
            at: now,
            dialogue: trace.dialogue,
            port: event.peer.port(),
            source: event.source.0,
            cause: event.cause,
            service: event.service,
            transport: event.peer.transport(),
            tenant: trace.home.tenant,
            account: event.account,
        }
    }

    /// The only attempt of an address, last heard of at `at`.
    pub(super) fn of(record: &Record, at: Moment, account: ShortText) -> Self {
        Self {
            at,
            dialogue: record.dialogue,
            port: record.port,
            source: record.source,
            cause: record.cause,
            service: record.service,
            transport: record.transport,
            tenant: record.tenant,
            account: account.text(),
        }
    }

    /// Whether it is of the dialogue that an event belongs to.
    pub(super) fn is_of(&self, trace: &Trace) -> bool {
        self.dialogue == trace.dialogue
    }

    /// A further event of its attempt: the worst cause, the latest account that failed.
    pub(super) fn raise(&mut self, now: Moment, event: &SecurityEvent, trace: &Trace) {
        self.at = now;
        self.cause = self.cause.max(event.cause);
        self.port = event.peer.port();
        if !event.account.is_empty() {
            self.account = event.account;
        }
        if trace.home.tenant != 0 {
            self.tenant = trace.home.tenant;
        }
    }

    pub(super) fn show(&self, tenants: &[Tenant]) -> EvidenceEvent {
        let tenant = usize::from(self.tenant)
            .checked_sub(1)
            .and_then(|at| tenants.get(at));
        EvidenceEvent {
            at: self.at,
            cause: self.cause,
            service: self.service,
            source: self.source,
            account: self.account.to_string(),
            tenant: tenant.map(|tenant| tenant.name.clone()).unwrap_or_default(),
            port: self.port,
            transport: self.transport,
        }
    }

    pub(super) fn save(&self) -> SavedKept {
        SavedKept {
            at: self.at,
            dialogue: self.dialogue,
            port: self.port,
            source: self.source,
            cause: self.cause,
            service: self.service,
            transport: self.transport,
            tenant: self.tenant,
            account: self.account.as_bytes().to_vec(),
        }
    }
}

/// The beginning of an account, for an address with a single attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShortText {
    len: u8,
    bytes: [u8; 6],
}

impl ShortText {
    /// Up to 6 bytes as they are; of a longer one the first 5 and a `~`.
    pub(super) fn new(text: &Text) -> Self {
        let from = text.as_bytes();
        let mut short = Self::default();
        let mut len = 0_u8;
        for (to, byte) in short.bytes.iter_mut().zip(from) {
            *to = *byte;
            len += 1;
        }
        if from.len() > short.bytes.len()
            && let Some(last) = short.bytes.last_mut()
        {
            *last = b'~';
        }
        short.len = len;
        short
    }

    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    pub(super) fn text(self) -> Text {
        Text::new(self.bytes.get(..usize::from(self.len)).unwrap_or_default())
    }
}

/// One piece of evidence in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedKept {
    at: Moment,
    dialogue: u32,
    port: u16,
    source: u16,
    cause: Cause,
    service: Service,
    transport: Transport,
    #[serde(default)]
    tenant: u16,
    account: Vec<u8>,
}

impl SavedKept {
    pub(super) fn restored(self) -> Kept {
        Kept {
            at: self.at,
            dialogue: self.dialogue,
            port: self.port,
            source: self.source,
            cause: self.cause,
            service: self.service,
            transport: self.transport,
            tenant: self.tenant,
            account: Text::new(&self.account),
        }
    }
}
