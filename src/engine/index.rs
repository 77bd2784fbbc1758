//! Finds an address in the table: one look into memory in nearly every case.
//!
//! Open addressing with linear probing over words of hash and slot, in 256 parts, so that growing is short (some
//! microseconds) and no single event waits for all of a million addresses to move. A general hash table needs one more
//! look, and the addresses themselves when it grows.

/// Parts of the index.
const PARTS: usize = 256;
/// Words of a part when it gets its first address.
const FIRST: usize = 8;
/// A word without address; no slot has this number.
const FREE: u64 = u64::MAX;

/// Which slot of the table each address is in, by the address's keyed hash.
#[derive(Debug)]
pub(super) struct Index {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    /// Hash above, slot below; a power of two of them, or none.
    words: Vec<u64>,
    used: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            parts: vec![Part::default(); PARTS],
        }
    }

    /// The slot among those with this hash that `is_it` recognises.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let part = self.parts.get(part_of(hash))?;
        part.place(hash, is_it)
            .and_then(|place| part.words.get(place))
            .map(|word| slot_of(*word))
    }

    /// Adds a slot that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        let Some(part) = self.parts.get_mut(part_of(hash)) else {
            return;
        };
        if (part.used + 1) * 4 > part.words.len() * 3 {
            part.grow();
        }
        part.put(word_of(hash, slot));
        part.used += 1;
    }

    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let Some(part) = self.parts.get_mut(part_of(hash)) else {
            return;
        };
        if let Some(place) = part.place(hash, |other| other == slot) {
            part.take(place);
            part.used -= 1;
        }
    }
}

impl Part {
    fn place(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut at = self.home(hash >> 32);
        loop {
            let word = *self.words.get(at)?;
            if word == FREE {
                return None;
            }
            if word >> 32 == hash >> 32 && is_it(slot_of(word)) {
                return Some(at);
            }
            at = self.next(at);
        }
    }

    /// Puts a word into the first free place from its home on; there always is one.
    fn put(&mut self, word: u64) {
        let mut place = self.home(word >> 32);
        while self.words.get(place).is_some_and(|other| *other != FREE) {
            place = self.next(place);
        }
        if let Some(free) = self.words.get_mut(place) {
            *free = word;
        }
    }

    /// Frees a place and moves the words behind it up, as far as their homes allow, so that no probe breaks off early.
    fn take(&mut self, mut gap: usize) {
        let mask = self.words.len().wrapping_sub(1);
        let mut at = gap;
        loop {
            at = self.next(at);
            let word = self.words.get(at).copied().unwrap_or(FREE);
            if word == FREE {
                break;
            }
            let home = self.home(word >> 32);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                if let Some(free) = self.words.get_mut(gap) {
                    *free = word;
                }
                gap = at;
            }
        }
        if let Some(free) = self.words.get_mut(gap) {
            *free = FREE;
        }
    }

    fn grow(&mut self) {
        let larger = vec![FREE; (self.words.len() * 2).max(FIRST)];
        let present = std::mem::replace(&mut self.words, larger);
        for word in present.into_iter().filter(|word| *word != FREE) {
            self.put(word);
        }
    }

    fn home(&self, tag: u64) -> usize {
        usize::try_from(tag).unwrap_or_default() & self.words.len().wrapping_sub(1)
    }

    fn next(&self, place: usize) -> usize {
        (place + 1) & self.words.len().wrapping_sub(1)
    }
}

/// The part is chosen by bits that are not in the word, so that a part's words differ in all of theirs.
fn part_of(hash: u64) -> usize {
    usize::try_from(hash & 0xff).unwrap_or_default()
}

fn word_of(hash: u64, slot: u32) -> u64 {
    (hash >> 32) << 32 | u64::from(slot)
}

fn slot_of(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..40_u32, any::<bool>()), 0..400)) {
            // Few homes, and the last place of a part is among them, so that probes run long and around its end.
            let hash = |slot: u32| u64::from(slot % 5 + 6) << 32 | u64::from(slot % 2);
            let (mut index, mut model) = (Index::new(), BTreeSet::new());
            for (slot, add) in steps {
                if add && model.insert(slot) {
                    index.insert(hash(slot), slot);
                } else if !add && model.remove(&slot) {
                    index.remove(hash(slot), slot);
                }
                for slot in 0..40 {
                    let found = index.find(hash(slot), |other| other == slot);
                    prop_assert_eq!(found, model.get(&slot).copied());
                }
            }
        }
    }
}
