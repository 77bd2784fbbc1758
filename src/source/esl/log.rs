//! What the log tells that events don't.

use ringfence_esl::Frame;
use ringfence_event::SecurityEvent;

/// What a record of the log says about anybody; `alone` when no events come, so that the log has to tell everything.
pub fn map(_frame: &Frame<'_>, _alone: bool) -> Option<SecurityEvent> {
    None
}
