//! fail2ban's filters, read and applied as they are.
//!
//! [`load`] reads a filter with everything it includes, in fail2ban's order; [`Judge`] applies it to lines the way
//! fail2ban does: the date is cut out, the prefix is matched, the first pattern that matches wins, lines of one
//! connection are put together. Reading files is left to the caller ([`Files`]), and so is the time.

mod buffer;
mod config;
mod connection;
mod date;
mod fields;
mod filter;
mod hint;
mod judge;
mod pattern;
mod prefix;

pub use config::{Definition, Files, Given, LoadError, UseDns, Written, load, load_file, split_options};
pub use fields::Who;
pub use filter::{Filter, Rule, Settings};
pub use hint::{Hints, Near};
pub use judge::{Found, Judge, LONGEST_LINE, Outcome, Skipped};
pub use pattern::BACKTRACK_LIMIT;
