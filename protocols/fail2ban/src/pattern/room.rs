//! The memory that the compiled patterns of one filter may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex::Error;

/// Bytes that all patterns of a filter may take; what Debian ships takes a few.
const ALL: usize = 256 << 20;
/// Bytes that one pattern may take: the least that suffices is what counts.
const STEPS: [usize; 6] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 32 << 20];

/// What is left of it; copies share it.
#[derive(Clone, Debug)]
pub struct Room {
    left: Arc<AtomicUsize>,
    largest: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self::with_largest(usize::MAX)
    }
}

impl Room {
    /// Where no pattern may take more than `largest` bytes.
    pub fn with_largest(largest: usize) -> Self {
        Self {
            left: Arc::new(AtomicUsize::new(ALL)),
            largest,
        }
    }

    /// Compiles with ever larger limits in bytes, and takes the one that sufficed.
    ///
    /// # Errors
    /// What is wrong with the pattern, or that it is too large.
    pub fn compile<T>(&self, compile: impl Fn(usize) -> Result<T, Error>) -> Result<T, String> {
        let mut failed = None;
        for limit in STEPS.into_iter().filter(|step| *step <= self.largest) {
            let take = |left: usize| left.checked_sub(limit);
            let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            if taken.is_err() {
                return Err(
                    "is too large together with the other patterns: they need more than 256 MiB".into(),
                );
            }
            match compile(limit) {
                Ok(compiled) => return Ok(compiled),
                Err(error) => {
                    self.left.fetch_add(limit, Ordering::Relaxed);
                    let large = matches!(error, Error::CompiledTooBig(_));
                    failed = Some(if large {
                        "is too large when it is compiled".into()
                    } else {
                        error.to_string()
                    });
                    if !large {
                        break;
                    }
                }
            }
        }
        Err(failed.unwrap_or_default())
    }
}
