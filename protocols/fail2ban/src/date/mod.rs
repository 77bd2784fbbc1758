//! Dates in lines.

mod defaults;
mod detector;
mod field;
mod read;
mod template;
mod zone;

pub use detector::Detector;
pub use read::read;
