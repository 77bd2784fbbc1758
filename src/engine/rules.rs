//! The policy, made ready: which jail counts what, looked up by service and cause.

use std::sync::Arc;

use ringfence_event::{Cause, Moment, SecurityEvent, Service, Span};

use super::homes::Homes;
use super::record::{FOLD, Record, Trace};
use super::shares::{Shares, WHOLE};
use super::{Count, Jail, Policy};

/// A jail's count never needs more than this; a greater `maxretry` counts as this many.
pub(super) const MAX_RETRY: u32 = 1000;
/// Jails at most: one bit each.
pub(super) const MAX_JAILS: usize = 32;

/// The jails of a policy, by bit.
#[derive(Debug)]
pub(super) struct Rules {
    jails: Vec<Arc<Jail>>,
    /// The tenants, by the names that lead to them.
    pub(super) homes: Homes,
    /// What attempts weigh.
    pub(super) shares: Shares,
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

impl Rules {
    /// Makes a policy ready.
    pub(super) fn new(policy: &Policy) -> Self {
        let shares = Shares::new(policy);
        let (jails, off) = (shares.of_nobody(), shares.off_everywhere());
        let mut rules = Self {
            jails,
            homes: Homes::new(&policy.tenants),
            horizon: FOLD.max(shares.longest()),
            shares,
            wanted: [[0; Cause::ALL.len()]; Service::ALL.len()],
            forgiving: [0; Service::ALL.len()],
            attempts: 0,
            accounts: 0,
            unanswered: 0,
        };
        for (index, jail) in policy
            .jails
            .iter()
            .take(MAX_JAILS)
            .enumerate()
            .filter(|(index, _)| off & (1 << index) == 0)
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
        bits & !self.shares.off(record.home())
    }

    /// Whether jail `index` counts distinct accounts.
    pub(super) fn by_account(&self, index: u32) -> bool {
        self.accounts & (1 << index) != 0
    }

    /// Whether some jail still counts this attempt.
    pub(super) fn holds(&self, record: &Record, now: Moment) -> bool {
        bits(record.live).any(|index| self.weight(index, record, now) > 0)
    }

    /// How near an address is to its nearest threshold, of 256.
    pub(super) fn suspicion(&self, records: &[Record], now: Moment) -> u32 {
        let live = records.iter().fold(0, |all, record| all | record.live);
        let near = |index| {
            let weight = self.tally(index, records, now, &[]).weight;
            u32::try_from(weight * 256 / WHOLE).unwrap_or(u32::MAX)
        };
        bits(live).map(near).max().unwrap_or(0)
    }
}

/// The positions of the bits that are set, lowest first.
pub(super) fn bits(mut mask: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = (mask != 0).then(|| mask.trailing_zeros())?;
        mask &= mask - 1;
        Some(lowest)
    })
}
