//! What the tests of ringfence attack and watch with.
//!
//! A [`Net`] is a network of its own: a namespace for the PBX and one for everybody outside. In it run real [`Asterisk`]
//! servers, or a [`FakeAmi`] or [`FakeFreeswitch`], and the [`Daemon`] under test; a SIP [`Caller`] attacks and phones from any address.
//! Nothing here trusts what the daemon says about itself: answers to packets and the [`kernel`]'s own view decide.
//!
//! Everything panics with what went wrong: this crate is called by tests and benches alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that can't have its laboratory fails, and says why"
)]

pub mod ami;
mod asterisk;
mod daemon;
pub mod events;
mod fake_ami;
pub mod fake_freeswitch;
pub mod kernel;
mod net;
mod process;
pub mod sip;
mod tls;
mod wait;

pub use ami::AmiClient;
pub use asterisk::{Asterisk, Version};
pub use daemon::{Cli, Daemon};
pub use fake_ami::{FakeAmi, Manners};
pub use fake_freeswitch::{FakeFreeswitch, fs_events};
pub use net::{Net, Space};
pub use sip::{Answer, Caller, Line, Request, Transport};
pub use tls::Certificates;
pub use wait::{until, within};
