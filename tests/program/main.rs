//! The whole program, from the command line to the store, against a fake Asterisk and without touching the kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod admin;
mod demo;
mod sources;
mod stage;
mod store;
