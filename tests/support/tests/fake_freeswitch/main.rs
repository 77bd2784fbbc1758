//! The fake event socket against recordings of real ones, and each of its bad manners.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

mod client;
mod events;
mod manners;
mod permissions;
mod replay;
