//! Verdicts as lines in the log.

use crate::engine::{Alert, IgnoreReason, LiftReason, Verdict};

/// Writes one line for `verdict`.
pub fn log(verdict: &Verdict) {
    match verdict {
        Verdict::Ban(ban) => tracing::warn!(
            target: "ringfence::verdict",
            "ban {} for {}: jail {}, {} counted, proof {}, ban number {}",
            ban.target, ban.remaining(ban.since), ban.jail, ban.evidence.attempts, ban.evidence.proof.name(), ban.count
        ),
        Verdict::Extend(ban) => tracing::warn!(
            target: "ringfence::verdict",
            "extend {} to {}: jail {}, {} counted",
            ban.target, ban.remaining(ban.since), ban.jail, ban.evidence.attempts
        ),
        Verdict::Lift { target, reason } => {
            let why = match reason {
                LiftReason::Expired => "its time is over",
                LiftReason::Unbanned => "asked for",
                LiftReason::Ignored => "it must never be banned",
            };
            tracing::info!(target: "ringfence::verdict", "lift {target}: {why}");
        }
        Verdict::Alert(Alert::TableFull { forgotten }) => tracing::warn!(
            target: "ringfence::verdict",
            "the table of addresses is full: {forgotten} of the least suspicious were let go; raise limits.max_tracked"
        ),
        Verdict::Ignore { target, reason, jail } => {
            let why = match reason {
                IgnoreReason::Configured => "it is in ignoreip",
                IgnoreReason::Own => "it is an address of this machine or of a PBX",
            };
            tracing::info!(target: "ringfence::verdict", "not banned: {target} reached jail {jail}, but {why}");
        }
    }
}
