//! The file that mod_fail2ban writes: one line an event, written for a reader of text.

use memchr::memmem;
use nom::Parser;
use nom::character::complete::one_of;
use ringfence_event::{Cause, Moment, Peer, Service, Text, Transport};

use super::map::{Kind, Said, blank};
use super::sentence::address;
use crate::time::civil::{civil, digits};

/// How its records begin. Every registration is `attempted`, the successful ones, too.
const FAILED: &[u8] = b"A registration failed user[";
const ATTEMPTED: &[u8] = b"A registration was attempted user[";
const ABANDONED: &[u8] = b"Abandoned call from  user[";

/// Judges one whole record of mod_fail2ban's file: `A registration failed user[1000] ip[192.0.2.1] at[…]`.
///
/// The user's name is written as it came and may hold all of that; the last ` ip[…] at[…]` at the very end is
/// mod_fail2ban's own. Of a failed call the name is the dialled number: the file does not tell them apart. The time has its
/// zone beside it.
pub fn map_fail2ban(record: &[u8]) -> Option<Said> {
    let (kind, cause, detail, rest) = if let Some(rest) = record.strip_prefix(FAILED) {
        (Kind::Failure, Cause::WrongPassword, "A registration failed", rest)
    } else {
        let rest = record.strip_prefix(ABANDONED)?;
        (Kind::Abandoned, Cause::Refused, "Abandoned call", rest)
    };
    let (rest, at) = split_time(rest)?;
    let (user, addr) = split_at_last(rest, b"] ip[")?;
    if memchr::memchr(0, user).is_some() {
        return None;
    }
    let account: &[u8] = if user == b"(null)" { b"" } else { user };
    let mut event = blank(
        cause,
        Service::Sofia,
        Peer::new(address(addr)?, 0, Transport::Unknown),
        Some(at),
    );
    event.account = Text::new(account);
    event.detail = Text::from(detail);
    Some(Said { event, kind })
}

/// Whether a record begins so.
pub(super) fn begins(line: &[u8]) -> bool {
    [FAILED, ATTEMPTED, ABANDONED]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Whether a record ends as all of them do.
pub(super) fn ends(record: &[u8]) -> bool {
    split_time(record).is_some()
}

/// What stands before `] at[2026-11-21T19:38:06.509825+0000]`, and the moment it names.
fn split_time(mut record: &[u8]) -> Option<(&[u8], Moment)> {
    while let Some(shorter) = record.strip_suffix(b"\n") {
        record = shorter;
    }
    let (before, at) = split_at_last(record.strip_suffix(b"]")?, b"] at[")?;
    let zone = (one_of("+-"), digits(2), digits(2));
    let (rest, (civil, (sign, hours, minutes))) = (|input| civil('T', input), zone).parse(at).ok()?;
    let ahead = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    let offset = if sign == '-' { -ahead } else { ahead };
    rest.is_empty().then(|| (before, civil.moment(offset)))
}

fn split_at_last<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::rfind(bytes, mark)?;
    let (before, behind) = bytes.split_at(at);
    Some((before, behind.get(mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(record: &str) -> Option<(Kind, String, String, u64)> {
        let said = map_fail2ban(record.as_bytes())?;
        let at = said.event.at?.as_millis();
        Some((
            said.kind,
            said.event.peer.addr().to_string(),
            said.event.account.to_string(),
            at,
        ))
    }

    #[test]
    fn a_failure_and_an_abandoned_call_are_read() {
        assert_eq!(
            blamed("A registration failed user[1000]] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n"),
            Some((
                Kind::Failure,
                "192.0.2.1".into(),
                "1000]".into(),
                1_795_289_662_269
            ))
        );
        assert_eq!(
            blamed("Abandoned call from  user[1000] ip[2001:db8::1] at[2026-11-21T16:34:22.269825-0300]\n"),
            Some((
                Kind::Abandoned,
                "2001:db8::1".into(),
                "1000".into(),
                1_795_289_662_269
            ))
        );
    }

    #[test]
    fn the_last_address_is_the_true_one() {
        let forged = "x] ip[198.51.100.9] at[2026-11-21T19:34:22.269825+0000]\r\n ";
        let record = format!(
            "A registration failed user[{forged}] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n"
        );
        assert_eq!(blamed(&record).unwrap().1, "192.0.2.1");
    }

    #[test]
    fn nobody_is_blamed_by_other_lines() {
        for record in [
            "A registration was attempted user[1000] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n",
            "Abandoned call from  user[(null)] ip[(null)] at[2026-11-21T19:34:22.269825+0000]\n",
            "A registration failed user[x\n",
            "A registration failed user[1000] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000] \n",
            "A registration failed user[1000] ip[192.0.2.1] at[]\n",
            "A registration failed user[1\u{0}0] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n",
            "x] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n",
        ] {
            assert_eq!(blamed(record), None, "{record}");
        }
    }
}
