//! Remembers which refused attempts were already told, so that each is told once.

use std::collections::VecDeque;

use ringfence_event::{Peer, Text};

/// Halves kept at most; they come within microseconds of each other.
const MOST: usize = 256;
/// The other half of an attempt comes within this time, in milliseconds.
const WITHIN: u64 = 5000;

/// One half of an attempt that was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    /// Who tried.
    pub(crate) peer: Peer,
    /// Where: the same address and port may try at two profiles at once.
    pub(crate) profile: Text,
    /// The event's number.
    pub(crate) number: Option<u64>,
    /// When it was fired, in milliseconds.
    pub(crate) millis: Option<u64>,
}

impl Half {
    /// Whether `later` is the failure of this attempt: FreeSWITCH numbers the attempt before its failure.
    fn precedes(&self, later: &Self) -> bool {
        let ordered = self
            .number
            .zip(later.number)
            .is_none_or(|(one, other)| one < other);
        let near = self
            .millis
            .zip(later.millis)
            .is_none_or(|(one, other)| one.abs_diff(other) <= WITHIN);
        self.peer == later.peer && self.profile == later.profile && ordered && near
    }
}

/// Attempts and failures whose other half has not come yet; of bounded size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    attempts: VecDeque<Half>,
    failures: VecDeque<Half>,
}

impl Pairs {
    /// Whether a refused attempt is news: its failure was not told before.
    pub(crate) fn attempt(&mut self, attempt: Half) -> bool {
        if take(&mut self.failures, |failure| attempt.precedes(failure)) {
            return false;
        }
        keep(&mut self.attempts, attempt);
        true
    }

    /// Whether a failure is news: its attempt was not told before.
    pub(crate) fn failure(&mut self, failure: Half) -> bool {
        if take(&mut self.attempts, |attempt| attempt.precedes(&failure)) {
            return false;
        }
        keep(&mut self.failures, failure);
        true
    }
}

fn take(halves: &mut VecDeque<Half>, wanted: impl Fn(&Half) -> bool) -> bool {
    let found = halves.iter().rposition(wanted);
    found.is_some_and(|at| halves.remove(at).is_some())
}

fn keep(halves: &mut VecDeque<Half>, half: Half) {
    if halves.len() == MOST {
        halves.pop_front();
    }
    halves.push_back(half);
}

#[cfg(test)]
mod tests {
    use ringfence_event::Transport;

    use super::*;

    fn half(port: u16, number: u64) -> Half {
        Half {
            peer: Peer::new([192, 0, 2, 1].into(), port, Transport::Unknown),
            profile: Text::from("internal"),
            number: Some(number),
            millis: Some(1000),
        }
    }

    #[test]
    fn each_attempt_is_told_once_in_either_order() {
        let mut pairs = Pairs::default();
        assert!(pairs.attempt(half(1, 10)) && !pairs.failure(half(1, 11)));
        assert!(pairs.failure(half(1, 13)) && !pairs.attempt(half(1, 12)));
        assert!(pairs.attempt(half(1, 14)) && pairs.attempt(half(1, 15)));
        assert!(!pairs.failure(half(1, 16)) && !pairs.failure(half(1, 17)));
        assert!(pairs.failure(half(1, 18)), "its attempt was lost");
        assert!(pairs.attempt(half(1, 19)), "the failure before is not its own");
        assert!(pairs.failure(half(2, 20)), "another port is another attempt");
        let elsewhere = Half {
            profile: Text::from("external"),
            ..half(1, 21)
        };
        assert!(pairs.failure(elsewhere), "another profile is another attempt");
    }

    #[test]
    fn memory_is_bounded_and_old_halves_are_nobodys() {
        let mut pairs = Pairs::default();
        for port in 0..2000 {
            pairs.attempt(half(port, u64::from(port)));
        }
        assert_eq!(pairs.attempts.len(), MOST);
        let late = Half {
            millis: Some(1000 + WITHIN + 1),
            ..half(1999, 9999)
        };
        assert!(pairs.failure(late));
    }
}
