//! The fake event socket against recordings of real ones, and each of its bad manners.
//!
//! `../freeswitch/` holds conversations with FreeSWITCH 1.11.3-dev: `.sent` is what a client said, `.raw` what it heard.
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
