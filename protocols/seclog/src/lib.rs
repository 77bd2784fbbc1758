//! What telephone systems write into their logs: records, and who they say failed to log in.
//!
//! The crate does no I/O and reads no clock. A log is the worst witness there is: lines are text, and parts of that text were
//! chosen by attackers who never logged in. So a record is read from both ends, where the telephone system's own words
//! stand; whatever lies between is only ever shown, and a record whose pieces don't fit exactly blames nobody.

pub mod asterisk;
pub mod freeswitch;
pub mod time;
