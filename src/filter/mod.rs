//! fail2ban's filters on this machine: finding their files, reading lines for them, counting what they find.

mod disk;
mod lines;
mod tally;

pub use disk::{DEFAULT_FOLDER, Disk, here, open};
pub use lines::{Line, Lines};
pub use tally::{Fate, Tally};
