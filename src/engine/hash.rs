//! Turns accounts, dialogues and addresses into short keyed numbers that an attacker can't steer.
//!
//! SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), written out because snapshots carry its
//! values: the standard library promises no stable algorithm.

use serde::{Deserialize, Serialize};

/// The key of every hash of one engine; without it nobody can choose an account or a Call-ID that collides with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    k0: u64,
    k1: u64,
}

impl Key {
    /// Spreads a seed over both halves (the finaliser of SplitMix64).
    pub(super) fn new(seed: u64) -> Self {
        Self {
            k0: mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)),
            k1: mix(seed.wrapping_add(0x3c6e_f372_fe94_f82a)),
        }
    }

    /// The hash of one number followed by bytes.
    pub(super) fn hash(self, head: u64, bytes: &[u8]) -> u64 {
        let mut state = Sip::new(self);
        state.block(head);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state.block(u64::from_le_bytes(*word));
        }
        let mut tail = [0_u8; 8];
        for (to, from) in tail.iter_mut().zip(rest) {
            *to = *from;
        }
        let length = (bytes.len() as u64).wrapping_add(8) << 56;
        state.block(u64::from_le_bytes(tail) | length);
        state.finish()
    }

    /// The hash of an address, for the index.
    pub(super) fn hash_words(self, words: [u64; 2]) -> u64 {
        let mut state = Sip::new(self);
        for word in words {
            state.block(word);
        }
        state.block(16 << 56);
        state.finish()
    }
}

struct Sip {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Sip {
    fn new(key: Key) -> Self {
        Self {
            v0: key.k0 ^ 0x736f_6d65_7073_6575,
            v1: key.k1 ^ 0x646f_7261_6e64_6f6d,
            v2: key.k0 ^ 0x6c79_6765_6e65_7261,
            v3: key.k1 ^ 0x7465_6462_7974_6573,
        }
    }

    fn block(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    fn finish(mut self) -> u64 {
        self.v2 ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_siphash_1_3() {
        // The standard library's present default hasher is SipHash-1-3 with a zero key.
        let zero = Key { k0: 0, k1: 0 };
        for len in 8..80_u8 {
            let input: Vec<u8> = (0..len).collect();
            let mut reference = std::hash::DefaultHasher::new();
            std::hash::Hasher::write(&mut reference, &input);
            let head = u64::from_le_bytes(input[..8].try_into().unwrap());
            assert_eq!(
                zero.hash(head, &input[8..]),
                std::hash::Hasher::finish(&reference)
            );
        }
    }

    #[test]
    fn length_and_key_matter() {
        let key = Key::new(1);
        assert_ne!(key.hash(0, b"a"), key.hash(0, b"a\0"));
        assert_ne!(key.hash(0, b""), key.hash(1, b""));
        assert_ne!(key.hash(0, b"alice"), Key::new(2).hash(0, b"alice"));
    }
}
