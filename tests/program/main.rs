//! The whole program, from the command line to the store, against fake PBXes and without touching the kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod admin;
mod demo;
mod freeswitch;
mod logs;
mod sources;
mod stage;
mod store;
mod tenants;
