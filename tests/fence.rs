//! The fence against the real kernel, with real packets between network namespaces that each test makes for itself.
//!
//! Needs root (or CAP_SYS_ADMIN and CAP_NET_ADMIN) and `ip`, `nft` and `setpriv`; a test without its namespaces fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[path = "fence/bulk.rs"]
mod bulk;
#[path = "fence/capability.rs"]
mod capability;
#[path = "fence/install.rs"]
mod install;
#[path = "fence/net.rs"]
mod net;
#[path = "fence/packets.rs"]
mod packets;
#[path = "fence/prefixes.rs"]
mod prefixes;
#[path = "fence/watch.rs"]
mod watch;
