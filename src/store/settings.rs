//! What the admin can say about the store.

use std::path::PathBuf;

use ringfence_event::Span;

/// Where bans are remembered, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The database file; its folder is made when it is missing.
    pub path: PathBuf,
    /// How long the history of an address is kept; [`Span::FOREVER`] for no end.
    pub history: Span,
    /// Entries of history kept at most; the oldest go first.
    pub history_rows: u64,
    /// How long an address is remembered after the end of its last ban, so that its next ban is longer.
    pub memory: Span,
    /// Addresses remembered so at most, besides those that are banned; the ones whose memory ends soonest go first.
    pub memories: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: "/var/lib/ringfence/ringfence.db".into(),
            history: Span::from_secs(90 * 86_400),
            history_rows: 1_000_000,
            memory: Span::from_secs(4 * 7 * 86_400),
            memories: 1_000_000,
        }
    }
}
