//! Asterisk's log files: `messages`, `full`, `security`, and the same lines by way of syslog, the journal or a container.
//!
//! [`Assembler`] takes the bytes and hands out judged records. An address is believed only where Asterisk's own words enclose
//! it, and only in lines that nobody else can have written; what that means is told at [`Assembler`]'s module and at each
//! sentence. Lines of every version from 1.4 to 22 are read.
//!
//! What remains: a dialplan that writes a peer's text of any length into the log can be made to write anything, and the
//! manager interface over HTTP (`webenabled=yes`) lets a name hold whole lines of the security log.

mod address;
mod assemble;
mod docker;
mod event;
mod meaning;
mod memory;
mod others;
mod plain;
mod prefix;
mod said;
mod security;
mod sip;
mod uri;

pub use assemble::{Assembler, MAX_MESSAGE, Mapped, Told};
pub use prefix::{Level, Line};
pub use said::{Kind, Said};

/// Whether a file that begins with these bytes, at least a line or all, is such a log.
pub fn looks_like(beginning: &[u8]) -> bool {
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut content = Vec::new();
    if docker::unwrap(line, &mut content).is_some() {
        return true;
    }
    Line::read(line).is_some() || prefix::begins(line)
}
