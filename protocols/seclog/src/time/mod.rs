//! When a record was written, as far as the record says: civil time, seldom with a zone, sometimes without a year.

pub(crate) mod civil;
mod plain;
mod stamp;

pub use civil::Civil;
pub(crate) use plain::plain;
pub(crate) use stamp::stamp;
pub use stamp::{Clock, Stamp};
