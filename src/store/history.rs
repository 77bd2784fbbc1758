//! What happened to an address, with what led to it.

use ringfence_event::Moment;
use serde::{Deserialize, Serialize};

use crate::engine::{Ban, LiftReason, Target, Verdict};

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When it was decided.
    pub at: Moment,
    /// To whom.
    #[serde(flatten)]
    pub target: Target,
    /// What.
    pub what: Happening,
}

/// What happened. The end of a ban whose time was over is not an entry of its own: it ended at its `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// Banned, and why.
    Ban(Ban),
    /// Banned for longer, and why.
    Extend(Ban),
    /// No longer banned, before its time was over.
    Lift(LiftReason),
}

impl Happening {
    /// The word for it in records: `ban`, `extend` or `lift`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ban(_) => "ban",
            Self::Extend(_) => "extend",
            Self::Lift(_) => "lift",
        }
    }
}

impl HistoryEntry {
    /// The entry that a verdict of `now` makes; `None` for one that changes no ban.
    pub(super) fn of(now: Moment, verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::Ban(ban) => Some(Self {
                at: now,
                target: ban.target,
                what: Happening::Ban(ban),
            }),
            Verdict::Extend(ban) => Some(Self {
                at: now,
                target: ban.target,
                what: Happening::Extend(ban),
            }),
            Verdict::Lift {
                reason: LiftReason::Expired,
                ..
            }
            | Verdict::Alert(_)
            | Verdict::Ignore { .. } => None,
            Verdict::Lift { target, reason } => Some(Self {
                at: now,
                target,
                what: Happening::Lift(reason),
            }),
        }
    }
}
