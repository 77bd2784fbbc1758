//! What waits to be written. The state of bans is never dropped; history is, when it piles up.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ringfence_event::{Moment, Span};

use super::history::HistoryEntry;
use super::rows::{Kept, concerns};
use crate::engine::{Ban, LiftReason, Target, Verdict};

/// Entries of history that wait at most; the oldest are dropped first, and counted.
pub(super) const MOST_HISTORY: usize = 20_000;

/// What is to become of one target's row. Only the latest counts, so there is at most one for each target: it is bounded by
/// the number of targets that the engine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Forget what is there first.
    pub(super) wipe: bool,
    /// Then write this.
    pub(super) put: Option<Kept>,
}

/// Changes that wait, by target, and history that waits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) bans: HashMap<Target, Change>,
    pub(super) history: VecDeque<HistoryEntry>,
    /// Entries of history that were dropped because too many waited.
    pub(super) dropped: u64,
    /// The latest moment that anybody spoke of.
    pub(super) now: Moment,
}

impl Pending {
    /// Takes in what a verdict changes.
    pub(super) fn take(&mut self, now: Moment, verdict: Verdict) {
        self.now = self.now.max(now);
        match &verdict {
            Verdict::Ban(ban) | Verdict::Extend(ban) => self.put(ban),
            // Nothing to write when a ban's time was over: it is not read again, and pruned when no longer remembered.
            Verdict::Lift {
                reason: LiftReason::Expired,
                ..
            }
            | Verdict::Alert(_)
            | Verdict::Ignore { .. } => {}
            Verdict::Lift { target, .. } => {
                self.bans.insert(
                    *target,
                    Change {
                        wipe: true,
                        put: None,
                    },
                );
            }
        }
        if let Some(entry) = HistoryEntry::of(now, verdict) {
            self.history.push_back(entry);
            self.trim();
        }
    }

    /// Takes in the state of a ban, without history.
    pub(super) fn put(&mut self, ban: &Ban) {
        let change = self.bans.entry(ban.target).or_insert(Change {
            wipe: false,
            put: None,
        });
        let mut kept = Kept::new(ban);
        if let Some(before) = change.put.as_ref().filter(|_| ban.count == 0) {
            kept.times = before.times;
        }
        change.put = Some(kept);
    }

    /// Takes back what could not be written; what came in since is newer.
    pub(super) fn put_back(&mut self, older: Self) {
        for (target, old) in older.bans {
            match self.bans.get_mut(&target) {
                None => {
                    self.bans.insert(target, old);
                }
                Some(new) if !new.wipe => {
                    new.wipe = old.wipe;
                    if let (Some(new), Some(old)) = (&mut new.put, &old.put)
                        && new.times.0 == 0
                    {
                        new.times = old.times;
                    }
                }
                Some(_) => {}
            }
        }
        for entry in older.history.into_iter().rev() {
            self.history.push_front(entry);
        }
        self.now = self.now.max(older.now);
        self.dropped += older.dropped;
        self.trim();
    }

    /// Lets go of bans that are over and no longer remembered, and of those beyond `memories`: nobody would miss them.
    pub(super) fn forget_over(&mut self, memory: Span, memories: u64) {
        let now = self.now;
        self.bans.retain(|_, change| {
            let over =
                |kept: &Kept| kept.ban.until <= now && (kept.times.0 == 0 || kept.times.1 + memory <= now);
            change.wipe || !change.put.as_ref().is_some_and(over)
        });
        let mut remembered: Vec<(Moment, Target)> = self
            .bans
            .iter()
            .filter_map(|(target, change)| {
                let kept = change.put.as_ref().filter(|kept| kept.ban.until <= now)?;
                Some((kept.times.1, *target))
            })
            .collect();
        let surplus = remembered
            .len()
            .saturating_sub(usize::try_from(memories).unwrap_or(usize::MAX));
        if surplus > 0 {
            remembered.sort_unstable();
        }
        for (_, target) in remembered.iter().take(surplus) {
            match self.bans.get_mut(target) {
                // what the admin undid must be undone on disk as well
                Some(change) if change.wipe => change.put = None,
                _ => drop(self.bans.remove(target)),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bans.is_empty() && self.history.is_empty()
    }

    /// What waits of the history of an address, latest first.
    pub(super) fn history_of(&self, addr: IpAddr) -> impl Iterator<Item = &HistoryEntry> {
        self.history
            .iter()
            .rev()
            .filter(move |entry| concerns(&entry.target, addr))
    }

    fn trim(&mut self) {
        while self.history.len() > MOST_HISTORY {
            self.history.pop_front();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Evidence;

    fn ban(last: u8, until: u64, count: u32) -> Ban {
        Ban {
            target: Target::Address(IpAddr::from([192, 0, 2, last])),
            since: Moment::EPOCH,
            until: Moment::EPOCH + Span::from_secs(until),
            jail: "auth".into(),
            count,
            evidence: Evidence::default(),
        }
    }

    fn lift(last: u8) -> Verdict {
        Verdict::Lift {
            target: Target::Address(IpAddr::from([192, 0, 2, last])),
            reason: LiftReason::Unbanned,
        }
    }

    #[test]
    fn only_the_latest_state_of_a_target_waits() {
        let mut pending = Pending::default();
        pending.take(Moment::EPOCH, Verdict::Ban(ban(1, 10, 1)));
        pending.take(Moment::EPOCH, Verdict::Extend(ban(1, 20, 0)));
        assert_eq!((pending.bans.len(), pending.history.len()), (1, 2));
        let change = pending.bans.values().next().unwrap();
        let kept = change.put.as_ref().unwrap();
        assert_eq!(kept.ban.until, Moment::EPOCH + Span::from_secs(20));
        assert_eq!(
            kept.times,
            (1, Moment::EPOCH + Span::from_secs(10)),
            "the escalation is not forgotten"
        );
        pending.take(Moment::EPOCH, lift(1));
        assert_eq!(
            pending.bans.values().next().unwrap(),
            &Change {
                wipe: true,
                put: None
            }
        );
        pending.take(Moment::EPOCH, Verdict::Ban(ban(1, 30, 0)));
        let change = pending.bans.values().next().unwrap();
        assert!(
            change.wipe && change.put.as_ref().unwrap().times.0 == 0,
            "the admin's judgement stays"
        );
    }

    #[test]
    fn what_comes_back_does_not_overwrite_what_is_newer() {
        let mut older = Pending::default();
        older.take(Moment::EPOCH, Verdict::Ban(ban(1, 10, 3)));
        older.take(Moment::EPOCH, lift(2));
        older.take(Moment::EPOCH, Verdict::Ban(ban(3, 10, 1)));
        older.take(Moment::EPOCH, Verdict::Ban(ban(4, 10, 1)));
        let mut pending = Pending::default();
        pending.take(Moment::EPOCH, Verdict::Extend(ban(1, 20, 0)));
        pending.take(Moment::EPOCH, Verdict::Ban(ban(2, 20, 1)));
        pending.take(Moment::EPOCH, lift(3));
        pending.put_back(older);
        let of = |last: u8| &pending.bans[&Target::Address(IpAddr::from([192, 0, 2, last]))];
        assert_eq!(of(1).put.as_ref().unwrap().times.0, 3);
        assert_eq!(
            of(1).put.as_ref().unwrap().ban.until,
            Moment::EPOCH + Span::from_secs(20)
        );
        assert!(of(2).wipe && of(2).put.is_some());
        assert!(of(3).wipe && of(3).put.is_none());
        assert!(!of(4).wipe && of(4).put.is_some());
        assert_eq!(pending.history.len(), 7);
        assert_eq!(pending.history_of(IpAddr::from([192, 0, 2, 1])).count(), 2);
    }

    #[test]
    fn history_is_bounded_bans_are_not_dropped() {
        let mut pending = Pending::default();
        for round in 0..(MOST_HISTORY as u64 + 500) {
            pending.take(
                Moment::EPOCH,
                Verdict::Extend(ban((round % 200) as u8, round + 1, 1)),
            );
        }
        assert_eq!(
            (pending.bans.len(), pending.history.len(), pending.dropped),
            (200, MOST_HISTORY, 500)
        );
        pending.now = Moment::EPOCH + Span::from_secs(30_000);
        pending.put(&ban(250, 5, 0));
        pending.forget_over(Span::FOREVER, 200);
        assert_eq!(pending.bans.len(), 200, "those that make later bans longer stay");
        pending.put(&ban(251, 40_000, 1));
        pending.forget_over(Span::FOREVER, 50);
        assert_eq!(pending.bans.len(), 51, "so many of them, and the one in force");
        let soonest = pending
            .bans
            .values()
            .filter_map(|change| change.put.as_ref())
            .map(|kept| kept.times.1)
            .min();
        let last = MOST_HISTORY as u64 + 500;
        assert_eq!(
            soonest,
            Some(Moment::EPOCH + Span::from_secs(last - 49)),
            "the latest stay"
        );
        pending.forget_over(Span::from_secs(1), 0);
        assert_eq!(pending.bans.len(), 1, "a ban in force always");
    }
}
