//! What the log tells that events don't.

use ringfence_esl::Frame;
use ringfence_event::{Cause, SecurityEvent};
use ringfence_seclog::freeswitch::map_log_data;

/// What a record of the log says about anybody; `alone` when no events come, so that the log has to tell of failures.
///
/// It never says that a challenge was answered rightly. Told alone, those of an office's telephones would look like a flood
/// that nobody answers, so they count only as events.
pub fn map(frame: &Frame<'_>, alone: bool) -> Option<SecurityEvent> {
    // a record is read from both ends: of one that lacks its end nothing is certain
    if frame.is_cut() {
        return None;
    }
    let header = |name: &[u8]| frame.header(name).unwrap_or_default();
    let said = map_log_data(header(b"Log-File"), header(b"Log-Func"), frame.body())?;
    let news = !said.kind.has_event() || (alone && said.event.cause != Cause::Challenged);
    let mut event = news.then_some(said.event)?;
    // its time stamp has no zone
    event.at = None;
    Some(event)
}

#[cfg(test)]
mod tests {
    use ringfence_esl::Kind;

    use super::*;

    fn told(message: &str, alone: bool) -> Option<Cause> {
        let head = b"Content-Type: log/data\nLog-File: sofia_reg.c\nLog-Func: f\n";
        let body = format!("2026-11-21 19:34:22.269825 62.10% [WARNING] sofia_reg.c:1 {message}\n");
        let frame = Frame::new(Kind::LogData, head, body.as_bytes(), false);
        map(&frame, alone).map(|event| event.cause)
    }

    #[test]
    fn alone_the_log_tells_of_failures_but_not_of_challenges_that_it_never_says_were_answered() {
        let rest = "(REGISTER) on sofia profile 'internal' for [1000@a.example] from ip 192.0.2.1";
        assert_eq!(
            told(&format!("SIP auth failure {rest}"), true),
            Some(Cause::WrongPassword)
        );
        assert_eq!(told(&format!("SIP auth failure {rest}"), false), None);
        assert_eq!(told(&format!("SIP auth challenge {rest}"), true), None);
        let refused = "IP 192.0.2.1 Rejected by register acl \"lan\"";
        assert_eq!(told(refused, true), Some(Cause::AclDenied));
        assert_eq!(told(refused, false), Some(Cause::AclDenied));
    }
}
