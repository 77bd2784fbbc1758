//! Tells lines that are being written now from lines that were written before and only read now, by what their stamps say.
//!
//! A zone that is set wrong shifts every stamp by the same quarters of an hour. So a shift that lines have in common that are
//! read over a while is taken for the zone's; anything else that is old was written then: a file that was copied or brought
//! back, which is read at once, or a disk that could not be read for a while.

use std::time::Duration;

use ringfence_event::{Moment, Span};

/// What is read so long after it was written was not written now.
const LATE: Span = Span::from_secs(120);
/// Zones differ by multiples of this,
const QUARTER: i64 = 15 * 60 * 1000;
/// and by no more than this from another.
const MOST: i64 = 26 * 60 * 60 * 1000;
/// How far a line of another zone may be from its multiple.
const NEAR: i64 = 60 * 1000;
/// Lines in a row that show the same shift before it is believed,
const IN_A_ROW: u32 = 3;
/// and how far the first of them and the last must be apart.
const APART: Span = Span::from_secs(5);

/// What was learned of a log's stamps.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// How far stamps are behind what they should say, in milliseconds.
    shift: i64,
    /// Another shift, how many lines in a row have shown it, and since when.
    other: (i64, u32, Moment),
}

/// What one line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Just now.
    Now,
    /// At this moment.
    Then(Moment),
}

impl Lateness {
    /// When a line was written that is read `now` and carries `at`; also whether a new shift was learned with it, for which the
    /// admin should correct the zone.
    pub(super) fn of(&mut self, at: Moment, now: Moment) -> (Written, Option<Duration>) {
        let millis = |moment: Moment| i64::try_from(moment.as_millis()).unwrap_or(i64::MAX);
        let behind = millis(now).saturating_sub(millis(at));
        let late = i64::try_from(LATE.as_millis()).unwrap_or(i64::MAX);
        if (behind - self.shift).abs() <= late {
            self.other.1 = 0;
            return (Written::Now, None);
        }
        let quarters = (behind + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        if (behind - quarters).abs() <= NEAR && quarters.abs() <= MOST {
            if self.other.0 == quarters && self.other.1 > 0 {
                self.other.1 += 1;
            } else {
                self.other = (quarters, 1, now);
            }
            if self.other.1 >= IN_A_ROW && now.since(self.other.2) >= APART {
                self.shift = quarters;
                self.other.1 = 0;
                let off = Duration::from_millis(quarters.unsigned_abs());
                return (Written::Now, (quarters != 0).then_some(off));
            }
        } else {
            self.other.1 = 0;
        }
        if behind < self.shift {
            // from the future: a clock that is wrong, not a line that is old
            return (Written::Now, None);
        }
        let shift = Span::from_millis(self.shift.unsigned_abs());
        (
            Written::Then(if self.shift < 0 { at - shift } else { at + shift }),
            None,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_795_289_783_000);

    fn ago(seconds: u64) -> Moment {
        NOW - Span::from_secs(seconds)
    }

    #[test]
    fn what_is_new_is_new_and_what_is_old_is_old() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.of(ago(3), NOW), (Written::Now, None));
        assert_eq!(lateness.of(ago(500), NOW), (Written::Then(ago(500)), None));
        // the lines of a copied file, each a minute after the one before
        for line in 0..600 {
            let at = ago(36_000 - line * 60);
            let (written, learned) = lateness.of(at, NOW);
            let expected = if ago(120) <= at {
                Written::Now
            } else {
                Written::Then(at)
            };
            assert_eq!((written, learned), (expected, None), "{line}");
        }
    }

    #[test]
    fn a_wrong_zone_is_learned_from_a_few_lines_and_told_once() {
        for hours in [2_i64, -5] {
            let mut lateness = Lateness::default();
            let read = |second: u64| NOW + Span::from_secs(second);
            let stamp = |second: u64| {
                let shift = Span::from_secs(hours.unsigned_abs() * 3600);
                if hours > 0 {
                    read(second) - shift
                } else {
                    read(second) + shift
                }
            };
            let learned: Vec<_> = (0..10)
                .map(|second| lateness.of(stamp(second), read(second)))
                .collect();
            let off = Duration::from_hours(hours.unsigned_abs());
            assert_eq!(learned[5], (Written::Now, Some(off)));
            assert!(learned[6..].iter().all(|line| *line == (Written::Now, None)));
            let old = stamp(10) - Span::from_secs(1000);
            assert_eq!(
                lateness.of(old, read(10)),
                (Written::Then(read(10) - Span::from_secs(1000)), None)
            );
        }
    }
}
