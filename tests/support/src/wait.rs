//! Waiting for something to become true, with a bound.

use std::thread;
use std::time::{Duration, Instant};

/// Asks `probe` every few milliseconds until it yields something; panics after `bound`, saying `what` was awaited.
pub fn until<T>(bound: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    within(bound, &mut probe).unwrap_or_else(|| panic!("waited {bound:?} in vain: {what}"))
}

/// Asks `probe` every few milliseconds until it yields something, at most for `bound`.
pub fn within<T>(bound: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + bound;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
