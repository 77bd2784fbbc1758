//! What the rest of the daemon asks of the core thread.

use std::net::IpAddr;

use ringfence_event::Span;
use tokio::sync::oneshot;

use super::inbox::Inbox;

use crate::engine::{Ban, Command, Dossier, Policy, Reply, Totals};
use crate::fence::{Change, Fence, Proven};

/// Where an answer goes; an asker that has gone away is not an error.
pub type Answer<T> = oneshot::Sender<T>;

/// A request to the core thread.
pub enum Request {
    /// Something for the engine; its verdicts are enforced before the answer is given.
    Command(Command, Answer<Commanded>),
    /// Whether the core thread still works.
    Alive(Answer<()>),
    /// Totals for `status`; looks at every tracked address.
    Status(Answer<CoreStatus>),
    /// Every ban in force.
    Bans(Answer<Vec<Ban>>),
    /// What is known of one address.
    Why(IpAddr, Answer<Dossier>),
    /// New rules; what was counted stays.
    Reconfigure(Box<Policy>, Answer<()>),
    /// Another fence instead of the present one, installed and proven already.
    Refence(Box<Refence>, Answer<()>),
    /// Somebody else changed the ruleset: compare and heal.
    RulesetChanged(Change),
    /// Stop after everything that came before; bans stay in the kernel.
    Stop,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Command(..) => "Command",
            Self::Alive(_) => "Alive",
            Self::Status(_) => "Status",
            Self::Bans(_) => "Bans",
            Self::Why(..) => "Why",
            Self::Reconfigure(..) => "Reconfigure",
            Self::Refence(..) => "Refence",
            Self::RulesetChanged(_) => "RulesetChanged",
            Self::Stop => "Stop",
        })
    }
}

/// A fence that takes over.
pub struct Refence {
    /// Installed already.
    pub fence: Box<dyn Fence>,
    /// How it was proven.
    pub proven: Proven,
    /// How often the kernel is compared with what is wanted from now on.
    pub verify: Span,
}

/// What a command did, and whether the kernel took it.
#[derive(Clone, Debug)]
pub struct Commanded {
    /// The engine's word.
    pub reply: Reply,
    /// What the kernel refused, in words for the admin.
    pub kernel: Option<String>,
}

/// The core thread's part of `status`.
#[derive(Clone, Debug)]
pub struct CoreStatus {
    /// The engine's totals.
    pub totals: Totals,
    /// The fence's backend.
    pub backend: &'static str,
    /// How it was proven at start, or at the last healing.
    pub proven: String,
    /// What could not be proven.
    pub gaps: Vec<String>,
    /// What the kernel refused last, while that is not healed.
    pub problem: Option<String>,
    /// How often the kernel's state had to be put right.
    pub healed: u64,
    /// What keeps the store from saving, if anything.
    pub store_problem: Option<String>,
    /// Median and 99th percentile of the latest bans: read from the wire → held by the kernel, in microseconds.
    pub latency_us: Option<(u32, u32)>,
}

/// Asks the core thread and waits for its answer; `None` when it has stopped.
pub async fn ask<T>(inbox: &Inbox, request: impl FnOnce(Answer<T>) -> Request) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    inbox.request(request(answer));
    answered.await.ok()
}
