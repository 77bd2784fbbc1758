//! Counts of counts of counts: `(?:a{9}){9}`.

use super::translate::Walk;

/// How often a part may be repeated by counts in counts.
const MOST_REPEATS: u64 = 1 << 40;

impl Walk {
    /// What stands before this place is repeated `times`: the backtracking engine multiplies such counts without a bound.
    pub(super) fn repeated(&mut self, times: u64) -> Result<(), String> {
        let (end, inside) = self.repeats;
        let before = if end == self.at { inside } else { 1 };
        let repeats = before.saturating_mul(times.max(1));
        if repeats > MOST_REPEATS {
            return Err("repeats a part too often".into());
        }
        if let Some(open) = self.open.last_mut() {
            open.repeats = open.repeats.max(repeats);
        }
        self.repeats = (self.at, repeats);
        Ok(())
    }

    /// Passes over `count` characters that mean nothing.
    pub(super) fn pass(&mut self, count: usize) {
        if self.repeats.0 == self.at {
            self.repeats.0 += count;
        }
        self.at += count;
    }
}
