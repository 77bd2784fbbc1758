//! FreeSWITCH's log: `freeswitch.log`, the log records of its event socket, and the file of mod_fail2ban.
//!
//! - **From the event socket** a record comes whole, with the file and function that wrote it beside it: [`map_log_data`].
//!   Nobody outside can forge that frame.
//! - **From a file** records have to be put together from lines: [`Assembler`], then [`Whole::map`]. There a line break
//!   in what a peer sent looks like a new line, so some records are doubtful and blame nobody.
//!
//! An address is believed only where FreeSWITCH's own words enclose it: behind the last ` from ip ` at the very end of the
//! whole record, or in front of ` Rejected by `, where no text of a peer comes before it. `Can't find user` is never
//! read: its address stands inside the record, with a peer's text before and behind it.

mod assemble;
mod echo;
mod fail2ban;
mod layout;
mod map;
mod record;
mod sentence;

pub use crate::time::Civil;
pub use assemble::{Assembler, MAX_DOUBT, MAX_RECORD, Mapped, Whole};
pub use echo::Echoes;
pub use fail2ban::map_fail2ban;
pub use layout::Layout;
pub use map::{Kind, Origin, Said, map, map_at, map_log_data};
pub use record::Record;
