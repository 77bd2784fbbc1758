//! The whole program against real Asterisk servers, attacked over a real network, and against FreeSWITCH's event socket.
//!
//! Every test has a network, a server and a daemon of its own. What decides is whether packets are answered, and what the
//! kernel holds; what ringfence says about itself is looked at only where that is what the test is about.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod crash;
mod enforcement;
mod freeswitch;
mod guessing;
mod healing;
mod honest;
mod injection;
mod logs;
mod manager;
mod orders;
mod reload;
mod site;
mod tenants;
mod watching;
