//! Where events come from: I/O loops that read a PBX, reconnect, and say when they are blind.

pub mod ami;

use ringfence_event::SecurityEvent;

/// Takes the events that a source reads.
///
/// A source's reader hands over everything that one read from the wire gave and goes on reading; taking must never wait.
pub trait EventSink: Send + Sync + 'static {
    /// Takes all `events`, leaving the vector empty.
    fn take(&self, events: &mut Vec<SecurityEvent>);
}
