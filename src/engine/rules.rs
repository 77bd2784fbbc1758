//! The policy, made ready: which jail counts what, looked up by service and cause.

use std::sync::Arc;

use ringfence_event::{Cause, Moment, Proof, SecurityEvent, Service, Span};

use super::record::{FOLD, Record, Trace};
use super::{Count, Jail, Policy};

/// A jail's count never needs more than this; a greater `maxretry` counts as this many.
pub(super) const MAX_RETRY: u32 = 1000;
/// Jails at most: one bit each.
const MAX_JAILS: usize = 32;

/// The jails of a policy, by bit.
#[derive(Debug)]
pub(super) struct Rules {
    jails: Vec<Arc<Jail>>,
    /// Which jails count a cause at a service.
    wanted: [[u32; Cause::ALL.len()]; Service::ALL.len()],
    /// Which jails look at a service and count attempts: a success forgives their counts of that account.
    forgiving: [u32; Service::ALL.len()],
    attempts: u32,
    accounts: u32,
    /// Jails that count unanswered challenges.
    pub(super) unanswered: u32,
    /// How long an address is remembered after its last event.
    pub(super) horizon: Span,
}

/// What a jail counts of one address now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// How many.
    pub(super) count: u32,
    /// How many of them have a proven address.
    pub(super) proven: u32,
    /// The weakest proof among them.
    pub(super) weakest: Proof,
}

impl Rules {
    /// Makes a policy ready.
    pub(super) fn new(policy: &Policy) -> Self {
        let mut rules = Self {
            jails: policy
                .jails
                .iter()
                .take(MAX_JAILS)
                .cloned()
                .map(Arc::new)
                .collect(),
            wanted: [[0; Cause::ALL.len()]; Service::ALL.len()],
            forgiving: [0; Service::ALL.len()],
            attempts: 0,
            accounts: 0,
            unanswered: 0,
            horizon: FOLD,
        };
        for (index, jail) in policy
            .jails
            .iter()
            .take(MAX_JAILS)
            .enumerate()
            .filter(|(_, jail)| jail.enabled)
        {
            rules.admit(1 << index, jail);
        }
        rules
    }

    fn admit(&mut self, bit: u32, jail: &Jail) {
        match jail.count {
            Count::Attempts => self.attempts |= bit,
            Count::Accounts => self.accounts |= bit,
            Count::Unanswered => self.unanswered |= bit,
        }
        self.horizon = self.horizon.max(jail.findtime);
        for (service, row) in self.wanted.iter_mut().enumerate() {
            if !jail.services.iter().any(|s| *s as usize == service) {
                continue;
            }
            if jail.count == Count::Attempts
                && let Some(forgiving) = self.forgiving.get_mut(service)
            {
                *forgiving |= bit;
            }
            for (cause, jails) in row.iter_mut().enumerate() {
                let counts = jail.causes.iter().any(|c| *c as usize == cause);
                if counts && (jail.count != Count::Unanswered || cause == Cause::Challenged as usize) {
                    *jails |= bit;
                }
            }
        }
    }

    /// The jails, by bit.
    pub(super) fn jails(&self) -> &[Arc<Jail>] {
        &self.jails
    }

    /// The jail of one bit.
    pub(super) fn jail(&self, index: u32) -> Option<&Arc<Jail>> {
        self.jails.get(index as usize)
    }

    /// Which jails count such an event at all.
    pub(super) fn wanted(&self, service: Service, cause: Cause) -> u32 {
        self.wanted
            .get(service as usize)
            .and_then(|row| row.get(cause as usize))
            .copied()
            .unwrap_or(0)
    }

    /// Which jails forgive an account's attempts when it succeeds at this service.
    pub(super) fn forgiving(&self, service: Service) -> u32 {
        self.forgiving.get(service as usize).copied().unwrap_or(0)
    }

    /// Which jails begin to count the attempt with this event.
    ///
    /// PJSIP says "unknown account" before it even challenges: for jails that count attempts the peer must have answered,
    /// which the event with an empty account says. Distinct accounts count by name, answered or not.
    pub(super) fn newly(&self, record: &Record, event: &SecurityEvent, trace: &Trace) -> u32 {
        let mut bits = self.wanted(event.service, event.cause) & !record.counted;
        if event.cause == Cause::UnknownAccount && event.service == Service::PjSip && trace.account != 0 {
            bits &= !self.attempts;
        }
        if trace.account == 0 {
            bits &= !self.accounts;
        }
        bits
    }

    /// Whether jail `index` counts distinct accounts.
    pub(super) fn by_account(&self, index: u32) -> bool {
        self.accounts & (1 << index) != 0
    }

    /// Whether some jail still counts this attempt.
    pub(super) fn holds(&self, record: &Record, now: Moment) -> bool {
        bits(record.live).any(|index| self.counts(index, record, now))
    }

    fn counts(&self, index: u32, record: &Record, now: Moment) -> bool {
        record.live & (1 << index) != 0
            && self
                .jail(index)
                .is_some_and(|jail| now.since(record.at) < jail.findtime)
    }

    /// What jail `index` counts now: exact over the sliding window of its findtime.
    pub(super) fn tally(&self, index: u32, records: &[Record], now: Moment) -> Tally {
        let mut tally = Tally {
            count: 0,
            proven: 0,
            weakest: Proof::Handshake,
        };
        for record in records.iter().filter(|record| self.counts(index, record, now)) {
            tally.count += 1;
            tally.proven += u32::from(record.proof > Proof::None);
            tally.weakest = tally.weakest.min(record.proof);
        }
        tally
    }

    /// How near an address is to its nearest threshold, of 256.
    pub(super) fn suspicion(&self, records: &[Record], now: Moment) -> u32 {
        let live = records.iter().fold(0, |all, record| all | record.live);
        let near = |index| {
            let maxretry = self.jail(index).map_or(1, |jail| maxretry(jail));
            self.tally(index, records, now).count * 256 / maxretry
        };
        bits(live).map(near).max().unwrap_or(0)
    }
}

/// How many ban: at least 1, at most [`MAX_RETRY`].
pub(super) fn maxretry(jail: &Jail) -> u32 {
    jail.maxretry.clamp(1, MAX_RETRY)
}

/// The positions of the bits that are set, lowest first.
pub(super) fn bits(mut mask: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = (mask != 0).then(|| mask.trailing_zeros())?;
        mask &= mask - 1;
        Some(lowest)
    })
}
