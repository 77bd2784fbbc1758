//! The table of tracked addresses: bounded, found by a keyed hash, forgotten in the order they were last seen.
//!
//! Two queues hold every address, ordered by the 16 seconds they were last seen in: those with one attempt, and those with
//! more. When the table is full the longest unseen address with a single attempt goes first; only when there is none
//! does an address with more attempts go, the least suspicious of the eight longest unseen. Both are a few steps each.

use ringfence_event::{Moment, Span};

use super::hash::Key;
use super::index::Index;
use super::suspect::{AddrKey, Suspect};

/// No address.
pub(super) const NIL: u32 = u32::MAX;
/// Addresses a chunk: growing the table never copies it.
const CHUNK: usize = 4096;
/// Bytes of the index an address, at its least dense.
const INDEX_EACH: usize = 17;
/// Addresses looked at for the least suspicious one.
const SAMPLE: usize = 8;
/// From this suspicion on (of 256, a threshold reached) an address is kept as long as another can go.
const NEAR: u32 = 128;
/// A queue is ordered by whole ticks (in milliseconds): within one an address moves at most once.
const TICK: u64 = 16_000;

/// Every tracked address.
#[derive(Debug)]
pub(super) struct Table {
    key: Key,
    chunks: Vec<Vec<Suspect>>,
    used: u32,
    free: u32,
    live: usize,
    index: Index,
    single: Queue,
    several: Queue,
    /// Bytes held outside the table.
    outside: usize,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: u32,
    tail: u32,
}

const EMPTY: Queue = Queue { head: NIL, tail: NIL };

impl Table {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            chunks: Vec::new(),
            used: 0,
            free: NIL,
            live: 0,
            index: Index::new(),
            single: EMPTY,
            several: EMPTY,
            outside: 0,
        }
    }

    /// How many addresses are tracked.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Bytes that addresses with several attempts hold, about.
    pub(super) fn outside(&self) -> usize {
        self.outside
    }

    /// Bytes that the table itself holds, its index included, about.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * (size_of::<Suspect>() + INDEX_EACH)
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Suspect> {
        self.chunks.get(slot as usize / CHUNK)?.get(slot as usize % CHUNK)
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Suspect> {
        self.chunks
            .get_mut(slot as usize / CHUNK)?
            .get_mut(slot as usize % CHUNK)
    }

    /// Where an address is.
    pub(super) fn find(&self, addr: AddrKey) -> Option<u32> {
        let hash = self.key.hash_words(addr.0);
        self.index.find(hash, |slot| {
            self.at(slot).is_some_and(|suspect| suspect.addr == addr)
        })
    }

    /// Tracks an address that is not tracked yet.
    pub(super) fn insert(&mut self, suspect: Suspect) -> u32 {
        let (addr, large) = (suspect.addr, suspect.is_large());
        self.outside += suspect.outside();
        let slot = self.store(suspect);
        self.index.insert(self.key.hash_words(addr.0), slot);
        self.live += 1;
        self.append(slot, large);
        slot
    }

    fn store(&mut self, suspect: Suspect) -> u32 {
        let slot = self.free;
        if let Some(place) = self.at_mut(slot) {
            let next = place.next;
            *place = suspect;
            self.free = next;
            return slot;
        }
        let slot = self.used;
        if (slot as usize).is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(suspect);
        }
        self.used += 1;
        slot
    }

    /// Stops tracking an address.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(suspect) = self.at(slot) else { return };
        let (addr, large, outside) = (suspect.addr, suspect.is_large(), suspect.outside());
        self.unlink(slot, large);
        self.index.remove(self.key.hash_words(addr.0), slot);
        let free = self.free;
        if let Some(place) = self.at_mut(slot) {
            *place = Suspect::new(AddrKey([0, 0]), Moment::EPOCH);
            place.next = free;
        }
        self.free = slot;
        self.live -= 1;
        self.outside -= outside;
    }

    /// Notes that an address was seen again: it goes to the end of its queue, once a tick at most.
    pub(super) fn touch(&mut self, slot: u32, now: Moment) {
        let Some(suspect) = self.at_mut(slot) else { return };
        let moved = tick(suspect.last) != tick(now);
        suspect.last = now;
        let large = suspect.is_large();
        if moved {
            self.unlink(slot, large);
            self.append(slot, large);
        }
    }

    /// Changes what is known of an address and keeps the table's accounts of it.
    pub(super) fn change<T>(&mut self, slot: u32, change: impl FnOnce(&mut Suspect) -> T) -> Option<T> {
        let suspect = self.at_mut(slot)?;
        let (large, outside) = (suspect.is_large(), suspect.outside());
        let answer = change(suspect);
        let (larger, further) = (suspect.is_large(), suspect.outside());
        self.outside = self.outside - outside + further;
        if larger != large {
            self.unlink(slot, large);
            self.append(slot, larger);
        }
        Some(answer)
    }

    /// An address that was not seen for `horizon`, if there is one.
    pub(super) fn stale(&self, now: Moment, horizon: Span) -> Option<u32> {
        [self.single.head, self.several.head].into_iter().find(|slot| {
            self.at(*slot)
                .is_some_and(|suspect| is_stale(suspect, now, horizon))
        })
    }

    /// When the next address becomes stale.
    pub(super) fn next_stale(&self, horizon: Span) -> Option<Moment> {
        let heads = [self.single.head, self.several.head];
        let at = heads
            .into_iter()
            .filter_map(|slot| Some(stale_at(self.at(slot)?, horizon)))
            .min();
        at.filter(|at| *at != Moment::NEVER)
    }

    /// The address that can best be spared; `only_large` for one that holds memory outside the table.
    pub(super) fn least(&mut self, only_large: bool, suspicion: impl Fn(&Suspect) -> u32) -> Option<u32> {
        if !only_large && self.single.head != NIL {
            return Some(self.single.head);
        }
        let mut best: Option<(u32, u32)> = None;
        let mut slot = self.several.head;
        for _ in 0..SAMPLE {
            let Some(suspect) = self.at(slot) else { break };
            let (next, weight) = (suspect.next, suspicion(suspect));
            if best.is_none_or(|(least, _)| weight < least) {
                best = Some((weight, slot));
            }
            if weight >= NEAR {
                self.unlink(slot, true);
                self.append(slot, true);
            }
            slot = next;
        }
        best.map(|(_, slot)| slot)
    }

    /// Every tracked address: those with one attempt, then those with more, each longest unseen first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Suspect)> {
        [self.single.head, self.several.head]
            .into_iter()
            .flat_map(move |head| {
                let mut slot = head;
                std::iter::from_fn(move || {
                    let suspect = self.at(slot)?;
                    let here = slot;
                    slot = suspect.next;
                    Some((here, suspect))
                })
            })
    }

    fn queue(&mut self, large: bool) -> &mut Queue {
        if large {
            &mut self.several
        } else {
            &mut self.single
        }
    }

    fn append(&mut self, slot: u32, large: bool) {
        let tail = std::mem::replace(&mut self.queue(large).tail, slot);
        match self.at_mut(tail) {
            Some(last) => last.next = slot,
            None => self.queue(large).head = slot,
        }
        if let Some(suspect) = self.at_mut(slot) {
            suspect.prev = tail;
            suspect.next = NIL;
        }
    }

    fn unlink(&mut self, slot: u32, large: bool) {
        let Some((prev, next)) = self.at(slot).map(|suspect| (suspect.prev, suspect.next)) else {
            return;
        };
        match self.at_mut(prev) {
            Some(before) => before.next = next,
            None => self.queue(large).head = next,
        }
        match self.at_mut(next) {
            Some(behind) => behind.prev = prev,
            None => self.queue(large).tail = prev,
        }
    }
}

/// Whether an address was not seen for `horizon`, to the tick.
pub(super) fn is_stale(suspect: &Suspect, now: Moment, horizon: Span) -> bool {
    stale_at(suspect, horizon) <= now
}

fn stale_at(suspect: &Suspect, horizon: Span) -> Moment {
    Moment::from_millis((tick(suspect.last) + 1).saturating_mul(TICK)) + horizon
}

fn tick(at: Moment) -> u64 {
    at.as_millis() / TICK
}
