//! How often an address has been banned before: each further ban lasts longer.
//!
//! Only bans by an escalating jail on evidence with a proven address count, so that nobody can lengthen somebody else's
//! ban with forged packets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfence_event::{Moment, Span};

/// The number of earlier bans of each address, for as long as the policy remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: BTreeMap<IpAddr, Past>,
    ends: BTreeSet<(Moment, IpAddr)>,
}

/// One address's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) times: u32,
    /// When its last ban ended or will end.
    pub(super) last: Moment,
}

impl Memory {
    /// How often `addr` has been banned.
    pub(super) fn times(&self, addr: IpAddr, now: Moment, keep: Span) -> u32 {
        self.known
            .get(&addr)
            .filter(|past| past.last + keep > now)
            .map_or(0, |past| past.times)
    }

    /// Notes that `addr` has been banned `times` times, until `last`; at most `capacity` addresses are remembered, those
    /// whose bans ended first are forgotten first.
    pub(super) fn note(&mut self, addr: IpAddr, times: u32, last: Moment, capacity: usize) {
        self.forget(addr);
        self.known.insert(addr, Past { times, last });
        self.ends.insert((last, addr));
        while self.known.len() > capacity
            && let Some((_, addr)) = self.ends.first().copied()
        {
            self.forget(addr);
        }
    }

    pub(super) fn forget(&mut self, addr: IpAddr) {
        if let Some(past) = self.known.remove(&addr) {
            self.ends.remove(&(past.last, addr));
        }
    }

    /// Forgets those inside `first..=last`.
    pub(super) fn forget_range(&mut self, first: IpAddr, last: IpAddr) {
        let inside: Vec<IpAddr> = self.known.range(first..=last).map(|(addr, _)| *addr).collect();
        for addr in inside {
            self.forget(addr);
        }
    }

    /// Forgets those whose last ban ended `keep` ago.
    pub(super) fn forget_old(&mut self, now: Moment, keep: Span) {
        while let Some((last, addr)) = self.ends.first().copied().filter(|(last, _)| *last + keep <= now) {
            debug_assert!(self.known.get(&addr).is_some_and(|past| past.last == last));
            self.forget(addr);
        }
    }

    /// When the next one can be forgotten.
    pub(super) fn next_end(&self, keep: Span) -> Option<Moment> {
        self.ends
            .first()
            .map(|(last, _)| *last + keep)
            .filter(|at| *at != Moment::NEVER)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, Past)> {
        self.known.iter().map(|(addr, past)| (*addr, *past))
    }
}
