//! `ringfence demo`: the whole way from an attack to the kernel, shown on a machine without a PBX.
//!
//! An Asterisk of our own making plays recorded real attacks over a real AMI connection on loopback; the daemon, the very
//! same that `ringfence run` starts, bans in the kernel of a private network namespace. Nothing outside is touched, and
//! nothing stays behind.

mod acts;
mod pbx;
mod play;
mod stage;
mod teller;

pub use play::{DemoError, Outcome, perform};
