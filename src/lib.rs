//! ringfence: watches Asterisk and FreeSWITCH for failed logins, decides who attacks, bans in the kernel.
//!
//! The way of one packet: bytes → protocol frame → [`ringfence_event::SecurityEvent`] → [`engine`] → verdict →
//! [`fence`] → kernel. `docs/architecture.md` has the parts, their direction and their invariants.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod engine;
pub mod exit;
pub mod fence;
pub mod filter;
pub mod health;
pub mod place;
pub mod source;
pub mod store;
