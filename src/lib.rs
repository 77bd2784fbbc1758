//! ringfence: watches Asterisk and FreeSWITCH for failed logins, decides who attacks, bans in the kernel.
//!
//! The way of one packet: bytes → protocol frame → [`ringfence_event::SecurityEvent`] → [`engine`] → verdict →
//! [`fence`] → kernel. `docs/architecture.md` has the parts, their direction and their invariants.

pub mod cli;
pub mod engine;
pub mod fence;
pub mod source;
