//! `ringfence demo`: the whole way from an attack to the kernel, shown on a machine without a PBX.
//!
//! An Asterisk and a FreeSWITCH of our own making play recorded real attacks over real connections on loopback, AMI and
//! event socket; the daemon, the very same that `ringfence run` starts, bans in the kernel of a private network namespace.
//! Nothing outside is touched, and nothing stays behind.

mod acts;
mod cast;
mod manager;
mod node;
mod outcome;
mod play;
mod script;
mod session;
mod show;
mod stage;
mod teller;

pub use outcome::Outcome;
pub use play::{DemoError, perform};
