//! The only reader of the clock.
//!
//! Moments come from one monotonic clock that is anchored to the wall clock once, so that a step of the wall clock neither
//! ends bans early nor stretches them: the kernel's own timeouts run on the same monotonic time.

use std::time::{Duration, Instant, SystemTime};

use ringfence_event::Moment;

/// A monotonic clock that tells [`Moment`]s.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    wall: Moment,
}

impl Clock {
    /// Anchors a clock to the wall clock of now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            anchor: Instant::now(),
            wall: Moment::EPOCH + since_epoch.into(),
        }
    }

    /// The moment it is now.
    pub fn now(&self) -> Moment {
        self.wall + self.anchor.elapsed().into()
    }

    /// When `moment` will be on the monotonic clock; `None` for one that never comes.
    pub fn instant(&self, moment: Moment) -> Option<Instant> {
        if moment == Moment::NEVER {
            return None;
        }
        self.anchor.checked_add(Duration::from(moment.since(self.wall)))
    }
}

/// The clock by which the kernel ends its elements: time since the machine started, without what it slept.
pub fn uptime() -> Moment {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    let millis = time.map_or(0, |time| time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000);
    Moment::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// `moment` in UTC with milliseconds, as records carry it: `2026-11-21T19:24:39.140Z`.
pub fn iso(moment: Moment) -> String {
    i64::try_from(moment.as_millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map_or_else(|| "never".into(), |at| format!("{at:.3}"))
}

/// A stopwatch for measured latencies.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::Span;

    use super::*;

    #[test]
    fn records_carry_utc_with_milliseconds() {
        assert_eq!(
            iso(Moment::from_millis(1_795_289_079_140)),
            "2026-11-21T19:24:39.140Z"
        );
        assert_eq!(iso(Moment::NEVER), "never");
    }

    #[test]
    fn moments_and_instants_agree() {
        let clock = Clock::start();
        let now = clock.now();
        let later = clock.instant(now + Span::from_secs(10)).unwrap();
        let left = later.saturating_duration_since(Instant::now());
        assert!(left <= Duration::from_secs(10) && left > Duration::from_secs(9));
        assert_eq!(clock.instant(Moment::NEVER), None);
    }
}
