//! Time left of a ban, as the kernel takes it.

use ringfence_event::{Moment, Span};

use crate::fence::LONGEST;

/// Kernels count timeouts in ticks of 1 to 10 ms, and older ones take less than a tick for "never ends".
const SHORTEST: u64 = 10;

/// Milliseconds for the kernel; `None` for an element that never ends.
///
/// The kernel's own limit (584 years of milliseconds) is beyond [`LONGEST`], from which on a ban never ends.
pub(super) fn millis(remaining: Span) -> Option<u64> {
    (remaining < LONGEST).then(|| remaining.as_millis().max(SHORTEST))
}

/// What is left of an element that the kernel holds; `None` if it has ended and only waits to be swept out.
pub(super) fn remaining(timeout: Option<u64>, expiration: Option<u64>) -> Option<Span> {
    match (expiration, timeout) {
        (Some(0), _) => None,
        (Some(left), _) => Some(Span::from_millis(left)),
        (None, Some(whole)) => Some(Span::from_millis(whole)),
        (None, None) => Some(Span::FOREVER),
    }
}

/// When something ends that has `remaining` left at `now`.
pub(super) fn until(now: Moment, remaining: Span) -> Moment {
    if remaining < LONGEST {
        now + remaining
    } else {
        Moment::NEVER
    }
}

/// What is left at `now` of something that ends at `until`.
pub(super) fn left(now: Moment, until: Moment) -> Span {
    if until == Moment::NEVER {
        Span::FOREVER
    } else {
        until.since(now)
    }
}
