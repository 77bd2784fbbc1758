//! Where a reader of a log stopped, so that the next start neither misses a line nor counts one again.
//!
//! Readers hand their place over about once a second and never wait for it to be kept; the store keeps it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ringfence_event::Moment;

/// The longest place that is kept, in bytes; a reader's place is far shorter.
pub const LONGEST: usize = 512 * 1024;

/// Keeps the latest place of each reader.
pub trait Places: Send + Sync + 'static {
    /// Keeps the place of `reader` as of `now`, instead of the one before. Must not wait for a disk. What is longer than
    /// [`LONGEST`] is not kept.
    fn keep(&self, now: Moment, reader: &str, place: String);

    /// The latest place of `reader`; `None` when it never had one.
    fn kept(&self, reader: &str) -> Option<String>;
}

/// Places that are forgotten when the program ends.
#[derive(Debug, Default)]
pub struct Passing(Mutex<BTreeMap<String, String>>);

impl Places for Passing {
    fn keep(&self, _now: Moment, reader: &str, place: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(reader.to_owned(), place);
    }

    fn kept(&self, reader: &str) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(reader).cloned()
    }
}
