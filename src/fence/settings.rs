//! What the admin can say about enforcement.

use ringfence_event::Span;

/// How bans are enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceSettings {
    /// What makes the kernel drop packets.
    pub backend: Backend,
    /// What happens to a banned packet.
    pub block: Block,
    /// How often the kernel is compared with what is wanted, besides start and every change of the ruleset.
    pub verify: Span,
    /// At most this many targets at a time in one set.
    pub capacity: u32,
}

/// What makes the kernel drop packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// An own nf_tables table, spoken to over netlink.
    #[default]
    Nftables,
    /// Nothing is enforced; what would be done is shown.
    DryRun,
}

/// What happens to a banned packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Block {
    /// It vanishes.
    #[default]
    Drop,
    /// Its sender is told (ICMP administratively prohibited).
    Reject,
}

impl Default for FenceSettings {
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            block: Block::default(),
            verify: Span::from_secs(30),
            capacity: 1_000_000,
        }
    }
}
