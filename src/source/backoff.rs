//! How long to wait before the PBX is asked again: little after a restart, long after a refusal.

use std::time::Duration;

/// After a failed connection: a restarting PBX is back in a second or two.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause between connections while the PBX is away: one SYN in three seconds harms nobody, and a PBX that is
/// back is not unwatched for longer.
const LONGEST: Duration = Duration::from_secs(3);
/// After a refused login: PBXes count failed logins or log each, and only an admin can change the outcome.
const REFUSED_FIRST: Duration = Duration::from_secs(30);
/// The longest pause between refused logins.
const REFUSED_LONGEST: Duration = Duration::from_mins(5);

/// Growing pauses with jitter.
#[derive(Clone, Debug)]
pub struct Backoff {
    away: Duration,
    refused: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            away: FIRST,
            refused: REFUSED_FIRST,
        }
    }
}

impl Backoff {
    /// The pause after a connection that failed or broke; `chance` in 0.0–1.0 spreads it over half its length, so that many
    /// daemons don't return in step.
    pub fn away(&mut self, chance: f64) -> Duration {
        let pause = jittered(self.away, chance);
        self.away = (self.away * 2).min(LONGEST);
        pause
    }

    /// The pause after a login that was refused, or that sees no events.
    pub fn refused(&mut self, chance: f64) -> Duration {
        let pause = jittered(self.refused, chance);
        self.refused = (self.refused * 2).min(REFUSED_LONGEST);
        pause
    }

    /// Everything works: the next trouble starts with short pauses again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A number in 0.0–1.0 for spreading pauses; a fixed one when the system has no randomness.
pub fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

fn jittered(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.75 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_repeated_slowly() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..6).map(|_| backoff.refused(0.5).as_secs()).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
        assert!(Backoff::default().refused(0.0) >= Duration::from_secs(22));
    }

    #[test]
    fn a_restart_is_followed_quickly_and_a_long_absence_patiently() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.away(0.5), FIRST);
        for _ in 0..20 {
            backoff.away(0.5);
        }
        assert_eq!(backoff.away(0.5), LONGEST);
        backoff.reset();
        assert_eq!(backoff.away(0.5), FIRST);
    }
}
