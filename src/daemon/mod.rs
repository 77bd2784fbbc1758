//! Wires the parts together: start, reload, orderly stop.
//!
//! Order of start: the control socket (so that two daemons don't fight), the store, the fence with everything that was
//! banned before, then the sources. Order of stop: sources, core thread, store; bans stay in the kernel.

mod addresses;
mod control;
mod core;
mod enforcer;
mod inbox;
mod latency;
mod log;
mod report;
mod request;
mod restore;
mod running;
mod signals;
mod source;
mod sources;
mod start;
mod witness;

pub use log::start as start_log;
pub use start::{Broken, Daemon, Setup, StartError};
pub use witness::Witness;
