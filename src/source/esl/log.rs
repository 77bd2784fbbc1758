//! What the log tells that events don't.

use ringfence_esl::Frame;
use ringfence_event::SecurityEvent;
use ringfence_seclog::freeswitch::map_log_data;

/// What a record of the log says about anybody; `alone` when no events come, so that the log has to tell everything.
pub fn map(frame: &Frame<'_>, alone: bool) -> Option<SecurityEvent> {
    // a record is read from both ends: of one that lacks its end nothing is certain
    if frame.is_cut() {
        return None;
    }
    let header = |name: &[u8]| frame.header(name).unwrap_or_default();
    let said = map_log_data(header(b"Log-File"), header(b"Log-Func"), frame.body())?;
    let mut event = (alone || !said.kind.has_event()).then_some(said.event)?;
    // its time stamp has no zone
    event.at = None;
    Some(event)
}
