//! What Asterisk says on its manager interface (AMI): frames, login, and who failed to log in.
//!
//! The crate does no I/O and reads no clock. Bytes go through a [`Splitter`] (or the tokio-util codec of the `codec`
//! feature), which finds [`Frame`]s; a [`Login`] says what to send until the server has accepted; a [`Mapper`] turns
//! security events into [`ringfence_event::SecurityEvent`]s.
//!
//! Every value in a frame may have been chosen by an attacker who never logged in: Asterisk decodes `%0d%0a` in a SIP
//! user name and writes it unescaped. [`security`] explains which events are believed, and why.

mod action;
mod address;
#[cfg(feature = "codec")]
mod codec;
mod frame;
mod login;
pub mod security;
mod split;
mod time;

pub use action::{Action, ActionError, Outgoing};
pub use address::peer;
#[cfg(feature = "codec")]
pub use codec::{AmiCodec, Block};
pub use frame::{Class, Ending, Frame, Header, Headers, Next, Response, Shape};
pub use login::{Auth, Credentials, Login, LoginError, Step};
pub use security::{Counts, Mapped, Mapper, Suspicion};
pub use split::{Cut, MAX_BLOCK, MAX_GREETING, Splitter};
pub use time::event_time;
