//! Makes the kernel hold what the engine decided.
//!
//! Element timeouts live in the kernel: a ban ends on time even if the daemon is dead, and holds if it is killed. What the
//! kernel holds is compared with what is wanted, never assumed.

mod dry_run;
mod nft;
mod reconcile;
mod settings;

use std::fmt;
use std::net::{SocketAddr, SocketAddrV6};

use ipnet::IpNet;
use ringfence_event::{Moment, Span};

use crate::clock::uptime;
use crate::engine::Target;

pub use dry_run::DryRun;
pub use nft::{Claim, Dialect, NftFence, OnChange, Watch};
pub use reconcile::plan;
pub use settings::{Backend, Block, FenceSettings};

/// From this long on a ban never ends, whatever the backend could count: a hundred years.
pub const LONGEST: Span = Span::from_secs(100 * 365 * 86_400);

/// Tells the time that passes, from whatever moment on; a backend reads it only to know when its own elements end.
pub type Clock = fn() -> Moment;

/// The backend that the settings name. Nothing is changed before [`Fence::install`].
pub fn open(settings: &FenceSettings) -> Result<Box<dyn Fence>, FenceError> {
    Ok(match settings.backend {
        Backend::Nftables => Box::new(NftFence::open(settings, uptime)?),
        Backend::DryRun => Box::new(DryRun::new(uptime)),
    })
}

/// A target as a backend lists it: IPv4 in its own form, without a scope, a prefix without host bits.
fn canonical(target: Target) -> Target {
    match target {
        Target::Address(address) => Target::Address(address.to_canonical()),
        Target::Socket(SocketAddr::V6(v6)) if v6.ip().to_ipv4_mapped().is_none() => {
            Target::Socket(SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, 0)))
        }
        Target::Socket(socket) => Target::Socket(SocketAddr::new(socket.ip().to_canonical(), socket.port())),
        Target::Prefix(net) => Target::Prefix(IpNet::trunc(&net)),
    }
}

/// One change to what the kernel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelOp {
    /// Hold `target` for `remaining` from now; replaces the remaining time when it is held already.
    Add {
        /// Whom to stop.
        target: Target,
        /// For how long from now; [`Span::FOREVER`] for no end.
        remaining: Span,
    },
    /// No longer hold `target`; nothing happens when it is not held.
    Delete {
        /// Whom to let through again.
        target: Target,
    },
}

/// One target that the kernel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who is stopped.
    pub target: Target,
    /// For how long from now; [`Span::FOREVER`] for no end.
    pub remaining: Span,
    /// Packets dropped since it was added, where the backend counts them.
    pub packets: Option<u64>,
}

/// A way of making the kernel drop packets.
///
/// Calls block for microseconds (one target) to a few hundred milliseconds (100,000 targets); they are made from one
/// thread that does nothing else that matters.
pub trait Fence: Send {
    /// The backend's name in configuration and reports.
    fn name(&self) -> &'static str;

    /// Sets up what the backend needs and proves that a banned packet would be dropped.
    ///
    /// Idempotent: what is there and right stays as it is, with its elements; what is missing or wrong is put right.
    fn install(&mut self) -> Result<Proven, FenceError>;

    /// Carries out all `ops` in as few kernel transactions as their number allows; a ban is in force when this returns.
    fn apply(&mut self, ops: &[KernelOp]) -> Result<(), FenceError>;

    /// Everything the kernel holds now.
    ///
    /// For starts and repairs, not for a timer: kernels read large sets out slowly (nf_tables about half a second for
    /// 100,000 elements, growing with their square). [`Fence::intact`] is for the timer.
    fn list(&mut self) -> Result<Vec<Held>, FenceError>;

    /// Whether the rules that make the sets effective are in place, asked from the kernel; cheap enough for a timer.
    fn intact(&mut self) -> Result<bool, FenceError>;

    /// Removes everything the backend ever made.
    fn purge(&mut self) -> Result<(), FenceError>;

    /// Claims to be the only daemon that enforces through this backend here; kept until the claim is dropped. `None` where
    /// several don't disturb each other.
    fn claim(&self) -> Result<Option<Claim>, FenceError> {
        Ok(None)
    }

    /// Tells `on_change` when somebody else changes what the backend made, until the returned watch is dropped; `None`
    /// where a backend can't know.
    fn watch(&self, on_change: OnChange) -> Result<Option<Watch>, FenceError> {
        drop(on_change);
        Ok(None)
    }
}

/// What somebody else did to what the backend made; the more severe is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Something was added or changed.
    Altered,
    /// Something was removed: an element, a rule, everything.
    Removed,
    /// More was changed at once than could be followed.
    Lost,
}

/// How [`Fence::install`] knows that a banned packet would be dropped, in words for the admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// What was seen, for instance "a packet from 127.1.2.3 was dropped by table inet ringfence".
    pub how: String,
    /// What could not be shown and why; empty when everything was.
    pub gaps: Vec<String>,
}

/// Why a fence can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The admin must grant a capability.
    #[error("no permission to change the firewall: {detail}. {remedy}")]
    Permission {
        /// What was refused.
        detail: String,
        /// What to do about it.
        remedy: String,
    },
    /// The kernel lacks something, a module for instance.
    #[error("the kernel can't do this: {detail}. {remedy}")]
    Unsupported {
        /// What is missing.
        detail: String,
        /// What to do about it.
        remedy: String,
    },
    /// Somebody else owns something of the same name.
    #[error("{detail}. {remedy}")]
    Foreign {
        /// What stands there.
        detail: String,
        /// What to do about it.
        remedy: String,
    },
    /// The set can't take more.
    #[error("the set {set} is full. {remedy}")]
    Full {
        /// Which set.
        set: String,
        /// What to do about it.
        remedy: String,
    },
    /// The rules are in place but a test packet came through.
    #[error("a banned packet would not be dropped: {detail}. {remedy}")]
    Unproven {
        /// What was seen.
        detail: String,
        /// What to do about it.
        remedy: String,
    },
    /// The kernel answered with an error that has no class of its own.
    #[error("the kernel refused {what}: {error}")]
    Kernel {
        /// What was asked.
        what: String,
        /// What it said.
        error: std::io::Error,
    },
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)
    }
}
