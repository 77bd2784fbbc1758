//! Which security events are believed, and what each of them says.
//!
//! Asterisk writes `Event`, `Privilege`, a few optional headers of its own, then `EventTV`, `Severity`, `Service`,
//! `EventVersion`, `AccountID`, `SessionID`, `LocalAddress`, `RemoteAddress`, then what the kind of event adds, always in
//! this order. Values are not escaped: a peer without any credentials can put CRLF into `AccountID` and so add lines, end
//! the block early, or begin another one. What holds against that:
//!
//! - **Order.** An event counts only when every header stands where it belongs, none twice, nothing besides.
//! - **Added lines.** When lines were added, the peer is still known if the block has exactly one `SessionID`,
//!   `LocalAddress`, `RemoteAddress` triple, the three in a row, and its neighbours are intact: the added lines are then
//!   part of the account's name. A success is never read from such a block. With two triples nobody is blamed.
//! - **Neighbours.** Asterisk writes an event whole. A block with a fragment behind it was ended by an injected empty
//!   line, so it is withheld however well it is formed.
//! - **Length.** PJSIP cuts the name at 36 bytes and chan_sip at 79: too short to hide a whole triple, since chan_sip
//!   events must name a transport and a pointer, and far too short for the seven headers in front of a triple. What stands
//!   whole right behind a broken PJSIP or chan_sip event therefore counts, a success too: withholding it would let anybody
//!   hide the logins of others. Behind any other broken block it is withheld. (A proxy that makes line feeds of CRLF takes
//!   this margin away for chan_sip's triples.)
//!
//! What remains: the manager interface over HTTP (`webenabled=yes`) bounds no value, so one request can complete its own
//! event with an invented address and begin a second one that takes up the rest. Both are well formed. Nothing in the
//! stream tells them from real ones: keep `webenabled=no`. A fragment that arrives in a later read than the block before
//! it is noticed one event late as well.

mod kind;
mod mapper;
mod meaning;
mod statement;

pub use kind::Kind;
pub use mapper::{Counts, Mapped, Mapper, Suspicion};
