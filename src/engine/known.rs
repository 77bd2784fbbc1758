//! Which accounts have lately succeeded at which address: their challenges are most likely those of honest phones.
//!
//! A queue in the order of the last success, to the tick, and an index by a keyed hash; when full the one that succeeded
//! longest ago goes. Only a password gets somebody in here, and only at the address that sent it.

use ringfence_event::{Moment, Span};

use super::index::Index;

/// How long a success makes an account known, at least; at most a tick longer.
const KNOWN_FOR: Span = Span::from_secs(2 * 3600);
/// Moments are kept in whole ticks (in milliseconds): within one a success changes nothing.
const TICK: u64 = 16_000;
/// Successes of one account that may take back a challenge within a tick: a hundred a second, more than a trunk has calls.
const RELIEVED: u32 = 1600;
/// Accounts remembered at least and at most, whatever the number of tracked addresses.
const FEWEST: usize = 4096;
const MOST: usize = 262_144;
const NIL: u32 = u32::MAX;

/// The accounts that have succeeded, by a hash of address and account.
#[derive(Debug)]
pub(super) struct Known {
    entries: Vec<Entry>,
    index: Index,
    len: usize,
    /// The one that succeeded longest ago, and the latest.
    head: u32,
    tail: u32,
    free: u32,
}

/// One account at one address.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The hash, in halves so that an entry is 24 bytes.
    key: [u32; 2],
    /// The tick of the last success.
    last: u32,
    /// Successes in that tick.
    count: u32,
    prev: u32,
    next: u32,
}

impl Entry {
    fn hash(&self) -> u64 {
        u64::from(self.key[0]) << 32 | u64::from(self.key[1])
    }

    fn end(&self) -> Moment {
        Moment::from_millis((u64::from(self.last) + 1) * TICK) + KNOWN_FOR
    }
}

/// How many are remembered where so many addresses are tracked.
pub(super) fn capacity(max_tracked: usize) -> usize {
    (max_tracked / 4).clamp(FEWEST, MOST)
}

impl Known {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            index: Index::new(),
            len: 0,
            head: NIL,
            tail: NIL,
            free: NIL,
        }
    }

    /// Whether it has succeeded lately.
    pub(super) fn holds(&self, key: u64, now: Moment) -> bool {
        self.find(key)
            .and_then(|slot| self.at(slot))
            .is_some_and(|entry| entry.end() > now)
    }

    /// Whether it has succeeded so often in the present tick that a further success takes nothing back.
    pub(super) fn is_relieved(&self, key: u64, now: Moment) -> bool {
        self.find(key)
            .and_then(|slot| self.at(slot))
            .is_some_and(|entry| entry.last == tick(now) && entry.count >= RELIEVED)
    }

    /// Notes a success; of more than `capacity` those that succeeded longest ago are forgotten.
    pub(super) fn note(&mut self, key: u64, now: Moment, capacity: usize) {
        let last = tick(now);
        let slot = self.find(key);
        match slot.and_then(|slot| self.at_mut(slot)) {
            Some(entry) if entry.last >= last => entry.count = entry.count.saturating_add(1),
            _ => self.put((key, last, 1), capacity),
        }
    }

    /// Takes over what [`Known::iter`] gave, in its order.
    pub(super) fn put(&mut self, (key, last, count): (u64, u32, u32), capacity: usize) {
        if let Some(slot) = self.find(key) {
            self.unlink(slot);
            if let Some(entry) = self.at_mut(slot) {
                (entry.last, entry.count) = (last, count);
            }
            self.append(slot);
            return;
        }
        self.trim(capacity.saturating_sub(1));
        let slot = self.store(Entry {
            key: halves(key),
            last,
            count,
            prev: NIL,
            next: NIL,
        });
        self.index.insert(key, slot);
        self.append(slot);
        self.len += 1;
    }

    /// Forgets those that succeeded longest ago until `capacity` are left.
    pub(super) fn trim(&mut self, capacity: usize) {
        while self.len > capacity {
            self.forget_oldest();
        }
    }

    /// Forgets up to `most` of those whose time is over.
    pub(super) fn forget_old(&mut self, now: Moment, most: usize) {
        for _ in 0..most {
            if self.next_end().is_none_or(|end| end > now) {
                return;
            }
            self.forget_oldest();
        }
    }

    /// When the next one is over.
    pub(super) fn next_end(&self) -> Option<Moment> {
        self.at(self.head).map(Entry::end)
    }

    /// Hash, tick and successes in it of each, the one that succeeded longest ago first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        let mut slot = self.head;
        std::iter::from_fn(move || {
            let entry = self.at(slot)?;
            slot = entry.next;
            Some((entry.hash(), entry.last, entry.count))
        })
    }

    fn at(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot as usize)
    }

    fn at_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)
    }

    fn find(&self, key: u64) -> Option<u32> {
        let halves = halves(key);
        self.index
            .find(key, |slot| self.at(slot).is_some_and(|entry| entry.key == halves))
    }

    fn store(&mut self, entry: Entry) -> u32 {
        let slot = self.free;
        if let Some(place) = self.at_mut(slot) {
            let next = place.next;
            *place = entry;
            self.free = next;
            return slot;
        }
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).unwrap_or(NIL)
    }

    fn forget_oldest(&mut self) {
        let (slot, free) = (self.head, self.free);
        let Some(hash) = self.at(slot).map(Entry::hash) else {
            return;
        };
        self.unlink(slot);
        self.index.remove(hash, slot);
        if let Some(entry) = self.at_mut(slot) {
            entry.next = free;
        }
        self.free = slot;
        self.len -= 1;
    }

    fn append(&mut self, slot: u32) {
        let tail = std::mem::replace(&mut self.tail, slot);
        match self.at_mut(tail) {
            Some(last) => last.next = slot,
            None => self.head = slot,
        }
        if let Some(entry) = self.at_mut(slot) {
            (entry.prev, entry.next) = (tail, NIL);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some((prev, next)) = self.at(slot).map(|entry| (entry.prev, entry.next)) else {
            return;
        };
        match self.at_mut(prev) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match self.at_mut(next) {
            Some(behind) => behind.prev = prev,
            None => self.tail = prev,
        }
    }
}

fn halves(key: u64) -> [u32; 2] {
    [key >> 32, key & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default())
}

fn tick(at: Moment) -> u32 {
    u32::try_from(at.as_millis() / TICK).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::from_millis(1_795_000_000_000 / TICK * TICK) + Span::from_secs(secs)
    }

    #[test]
    fn an_entry_is_24_bytes() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn it_forgets_after_two_hours_to_the_tick() {
        let mut known = Known::new();
        known.note(7, at(3), 10);
        assert!(known.holds(7, at(7215)) && !known.holds(7, at(7216)));
        known.forget_old(at(7215), 10);
        assert_eq!(known.len, 1);
        known.forget_old(known.next_end().unwrap(), 10);
        assert_eq!((known.len, known.next_end()), (0, None));
    }

    #[test]
    fn a_hundred_successes_a_second_take_back_and_no_more() {
        let mut known = Known::new();
        for _ in 0..RELIEVED {
            assert!(!known.is_relieved(7, at(15)));
            known.note(7, at(15), 10);
        }
        assert!(known.is_relieved(7, at(15)) && !known.is_relieved(7, at(16)));
        known.note(7, at(16), 10);
        assert!(!known.is_relieved(7, at(16)), "a new tick counts anew");
    }

    #[test]
    fn a_million_successes_take_no_more_room_than_there_is() {
        let mut known = Known::new();
        for key in 0..1_000_000_u64 {
            known.note(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), at(key / 100_000), FEWEST);
        }
        assert_eq!((known.len, known.entries.len()), (FEWEST, FEWEST));
        assert_eq!(capacity(0), FEWEST);
        assert_eq!(capacity(1_000_000), 250_000);
        assert_eq!(capacity(usize::MAX), MOST);
    }

    proptest! {
        #[test]
        fn it_is_a_list_of_the_latest(steps in prop::collection::vec((0..12_u64, 0..40_u64), 0..300), room in 1..8_usize) {
            let (mut known, mut list) = (Known::new(), Vec::<(u64, u32, u32)>::new());
            let mut secs = 0;
            for (key, pause) in steps {
                secs += pause;
                let key = key << 32 | key;
                known.note(key, at(secs), room);
                let now = tick(at(secs));
                if let Some(old) = list.iter_mut().find(|old| old.0 == key && old.1 == now) {
                    old.2 += 1;
                } else {
                    list.retain(|old| old.0 != key);
                    list.push((key, now, 1));
                    list.drain(..list.len().saturating_sub(room));
                }
                prop_assert_eq!(known.iter().collect::<Vec<_>>(), list.clone());
                prop_assert!(known.entries.len() <= room);
                for key in 0..12 {
                    let key = key << 32 | key;
                    prop_assert_eq!(known.holds(key, at(secs)), list.iter().any(|old| old.0 == key));
                }
            }
            let mut copy = Known::new();
            for entry in known.iter() {
                copy.put(entry, room);
            }
            prop_assert!(copy.iter().eq(known.iter()));
        }
    }
}
