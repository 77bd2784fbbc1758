//! What FreeSWITCH says on its event socket (ESL): frames, login, and who failed to log in.
//!
//! The crate does no I/O and reads no clock. Bytes go through the tokio-util codec of the `codec` feature, which finds
//! [`Frame`]s; a [`Login`] says what to send until the subscription stands; a [`Mapper`] turns events into
//! [`ringfence_event::SecurityEvent`]s.
//!
//! Every value in an event may have been chosen by an attacker who never logged in. Lines are split before values are
//! decoded, so no value can add a line; a frame is as long as it says, so no value can begin another one; and where that
//! does not hold, the connection ends with a [`FramingError`]: nothing is ever guessed.

#[cfg(feature = "codec")]
mod codec;
mod command;
#[cfg_attr(
    not(feature = "codec"),
    allow(dead_code, reason = "only the codec reads frames")
)]
mod condense;
mod event;
#[cfg_attr(
    not(feature = "codec"),
    allow(dead_code, reason = "only the codec reads frames")
)]
mod frame;
#[cfg_attr(
    not(feature = "codec"),
    allow(dead_code, reason = "only the codec reads frames")
)]
mod head;
mod lines;
mod login;
mod mapper;
mod pairs;
mod value;

#[cfg(feature = "codec")]
pub use codec::{Block, EslCodec, EslError};
pub use command::{Command, Probe, Stream};
pub use condense::{MAX_KEPT, MAX_KEPT_LINE};
pub use event::{Event, Lines};
pub use frame::{Frame, Kind};
pub use head::{FramingError, MAX_HEAD, MAX_LENGTH, MAX_LINE};
pub use login::{Credentials, Login, LoginError, Refusal, Step, Wanted};
pub use mapper::{Counts, Mapped, Mapper, Suspicion};
pub use value::decode;
