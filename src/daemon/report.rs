//! Verdicts as lines in the log.

use crate::engine::Verdict;

/// Writes one line for `verdict`.
pub fn log(verdict: &Verdict) {
    match verdict {
        Verdict::Ban(_) | Verdict::Extend(_) | Verdict::Alert(_) => {
            tracing::warn!(target: "ringfence::verdict", "{verdict}");
        }
        Verdict::Lift { .. } | Verdict::Ignore { .. } => {
            tracing::info!(target: "ringfence::verdict", "{verdict}");
        }
    }
}
