//! Decides who is attacking. Pure: no I/O, no clock, no randomness of its own.
//!
//! Whoever drives it passes the time with every call and carries out the verdicts it hands back. The same calls give the
//! same verdicts, always; extra calls change nothing.

mod command;
mod policy;
mod verdict;

pub use command::{Command, Dossier, JailCount, JailTotals, Reply, Totals};
pub use policy::{Count, Escalation, Jail, JailId, Limits, Policy};
pub use verdict::{Alert, Ban, Evidence, EvidenceEvent, IgnoreReason, LiftReason, Target, Verdict};
