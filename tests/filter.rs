//! fail2ban's filters as Debian ships them: every one loads, finds what `fail2ban-regex` finds, and no line makes it
//! slow. `tests/lab/fetch-fail2ban` gets fail2ban; the tests run it themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's helpers fail the test"
)]

#[path = "filter/hostile.rs"]
mod hostile;
#[path = "filter/lab.rs"]
mod lab;
#[path = "filter/own.rs"]
mod own;
#[path = "filter/parity.rs"]
mod parity;
#[path = "filter/speed.rs"]
mod speed;
#[path = "filter/written.rs"]
mod written;
