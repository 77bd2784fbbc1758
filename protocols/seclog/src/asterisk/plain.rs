//! The lines that nearly all of a log file are, `[2026-11-21 19:24:39] NOTICE[123][C-00000001]: chan_sip.c: …`, read byte by
//! byte: most of them say nothing of a peer, and that has to be seen at little cost.

use super::prefix::{Level, Line, without_end_colour};
use crate::time::plain as stamp;

/// What the grammar makes of a line that nothing carried, coloured or put anything unusual into; `None` leaves the judgement
/// to the grammar.
pub(super) fn plain(line: &[u8]) -> Option<Line<'_>> {
    let (rest, stamp) = stamp(line.strip_prefix(b"[")?)?;
    let (level, rest) = level(rest.strip_prefix(b"] ")?)?;
    let mut read = Line {
        stamp: Some(stamp),
        level,
        file: b"",
        message: b"",
    };
    if level == Level::Other {
        return Some(read);
    }
    let (file, message) = place(thread(rest)?)?;
    let message = message.strip_suffix(b"\r").unwrap_or(message);
    read.file = file;
    read.message = if message.last() == Some(&b'm') {
        without_end_colour(message)
    } else {
        message
    };
    Some(read)
}

/// Only the first letters of other levels are looked at.
fn level(rest: &[u8]) -> Option<(Level, &[u8])> {
    let told: &[u8] = match rest.first()? {
        b'S' => b"SECURITY",
        b'N' => b"NOTICE",
        b'W' => b"WARNING",
        b'E' => b"ERROR",
        b'A'..=b'Z' | b'_' => return Some((Level::Other, rest)),
        _ => return None,
    };
    // a thread's number follows, or else the word is longer
    let rest = rest
        .strip_prefix(told)
        .filter(|rest| rest.first() == Some(&b'['))?;
    let level = if told == b"SECURITY" {
        Level::Security
    } else {
        Level::Told
    };
    Some((level, rest))
}

/// What follows `[3712][C-00000002]: `.
fn thread(rest: &[u8]) -> Option<&[u8]> {
    let number = rest.strip_prefix(b"[")?;
    let rest = behind(number, u8::is_ascii_digit)?.strip_prefix(b"]")?;
    let rest = match rest.strip_prefix(b"[C-") {
        Some(call) => behind(call, u8::is_ascii_hexdigit)?.strip_prefix(b"]")?,
        None => rest,
    };
    rest.strip_prefix(b":").unwrap_or(rest).strip_prefix(b" ")
}

/// The file without its folder, and the message behind `chan_sip.c: ` or `chan_sip.c:28999 handle_request_register: `.
fn place(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (file, behind_file) = word(rest)?;
    let mut rest = behind_file.strip_prefix(b":")?;
    if rest.first().is_some_and(u8::is_ascii_digit) {
        let function = behind(rest, u8::is_ascii_digit)?.strip_prefix(b" ")?;
        let function = function.strip_prefix(b"in ").unwrap_or(function);
        rest = word(function)?.1.strip_prefix(b":")?;
    }
    let name = file.iter().rposition(|byte| *byte == b'/');
    let name = name.map_or(Some(file), |at| file.get(at + 1..))?;
    Some((name, rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn word(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let behind = behind(rest, |byte| IN_WORD.get(usize::from(*byte)) == Some(&true))?;
    rest.split_at_checked(rest.len() - behind.len())
}

/// Which bytes names of files and functions are made of: letters, digits, `_`, `-`, `.` and `/`.
static IN_WORD: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0_u8);
    let mut rest: &mut [bool] = &mut table;
    while let Some((place, behind)) = rest.split_first_mut() {
        *place = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    table
};

/// What follows the bytes that are all of a kind, at least one of them.
#[inline]
fn behind(rest: &[u8], kind: impl Fn(&u8) -> bool) -> Option<&[u8]> {
    let end = rest.iter().position(|byte| !kind(byte)).unwrap_or(rest.len());
    rest.get(end..).filter(|_| end > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::asterisk::docker;

    /// What the grammar makes of a line must be what is made of it at little cost, if anything is.
    fn check(line: &[u8]) -> Result<bool, TestCaseError> {
        let read = plain(line);
        if read.is_some() {
            prop_assert_eq!(read, Line::grammar(line), "{}", String::from_utf8_lossy(line));
        }
        Ok(read.is_some())
    }

    /// What carried a line, with what Asterisk itself puts in front of a level.
    fn stamp() -> impl Strategy<Value = String> {
        let time = prop_oneof![
            3 => "2026-11-21[ T]19:24:39([.,][0-9]{0,10})?(Z|[+-]01:?00)?",
            3 => "(Nov 21|Nov  9|Feb 30|Dec 3)( 2026)? 19:24:39([.][0-9]{3})?",
            1 => "1795289079[.,][0-9]{0,6}",
            1 => "[0-9 :TZ.,-]{0,24}",
        ];
        let bracketed = prop_oneof![
            6 => time.clone().prop_map(|time| format!("[{time}] ")),
            1 => time.prop_map(|time| format!("[{time}]")),
            1 => Just(String::new()),
        ];
        let carrier = prop_oneof![
            6 => Just(""),
            1 => Just("Nov  9 18:47:21 pbx asterisk[3432]: "),
            1 => Just("<141>Nov  9 18:47:21 pbx asterisk: "),
            1 => Just("<141>1 2026-11-21T19:24:39Z pbx asterisk 3432 - - "),
            1 => Just("2026-11-21T19:24:39.140123+01:00 pbx asterisk[3432]: "),
            1 => Just("Nov  9 18:47:21 pbx sshd[3432]: "),
        ];
        (carrier, colour(), bracketed, colour()).prop_map(|(a, b, c, d)| format!("{a}{b}{c}{d}"))
    }

    fn colour() -> impl Strategy<Value = &'static str> {
        prop_oneof![8 => Just(""), 1 => Just("\x1b[1;33m"), 1 => Just("\x1b[0m"), 1 => Just("\x1b[0;37m")]
    }

    fn level() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            6 => "(SECURITY|NOTICE|WARNING|ERROR)",
            2 => "(VERBOSE|DEBUG|DTMF|FAX|TELCO|_X)",
            1 => "(SECURITYX|NOTICE_|WARNINGS|NOTIC|EVENT|notice)",
            1 => "[A-Z_]{14,18}",
        ];
        let thread = prop_oneof![
            6 => "\\[[0-9]{1,7}\\](\\[C-[0-9a-f]{8}\\])?:? ",
            1 => "\\[[0-9a]{0,3}\\]?(\\[C-[0-9a-z]{0,4}\\]?)?:{0,2} ?",
        ];
        (word, colour(), thread, colour()).prop_map(|(a, b, c, d)| format!("{a}{b}{c}{d}"))
    }

    fn place() -> impl Strategy<Value = String> {
        let file = prop_oneof![
            4 => "(chan_sip.c|res_pjsip/pjsip_distributor.c|res_security_log.c|pjproject|manager.c)",
            1 => "[a-z/._-]{0,8}",
        ];
        let number = prop_oneof![3 => "", 3 => ":[0-9]{1,5}", 1 => ":[0-9x]{0,3}"];
        let function =
            prop_oneof![3 => "", 2 => " (in )?handle_request_register", 1 => " in |  | in x y|in "];
        let end =
            prop_oneof![5 => Just(": "), 1 => Just(":"), 1 => Just("::"), 1 => Just(" "), 1 => Just("")];
        (file, colour(), number, colour(), function, colour(), end)
            .prop_map(|(a, b, c, d, e, f, g)| format!("{a}{b}{c}{d}{e}{f}{g}"))
    }

    fn message() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("Request 'REGISTER' from '<sip:9@h>' failed for '192.0.2.1:5060' (callid: y) - No matching endpoint found".to_owned()),
            Just("SecurityEvent=\"ChallengeSent\",EventTV=\"2026-11-21T19:24:39.140+0000\"".to_owned()),
            "(192.0.2.1 failed to authenticate as 'x'|x)?(\x1b\\[0m|\x1b\\[0;37m|m)?\r?",
            ".{0,20}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8192))]

        #[test]
        fn it_says_what_the_grammar_says(
            (stamp, level, place, message) in (stamp(), level(), place(), message()),
            (at, byte, changed) in (0_usize..120, any::<u8>(), proptest::bool::weighted(0.3)),
        ) {
            let mut line = (stamp + &level + &place + &message).into_bytes();
            if changed && let Some(place) = line.get_mut(at) {
                *place = byte;
            }
            check(&line)?;
        }
    }

    /// Every line that real servers wrote, as it is and by every way it may come, cut off anywhere in front of its message.
    #[test]
    fn it_says_what_the_grammar_says_of_real_lines() {
        let logs: [&[u8]; 4] = [
            include_bytes!("../../../../tests/filter/logs/asterisk16-messages.log"),
            include_bytes!("../../../../tests/filter/logs/asterisk16-security.log"),
            include_bytes!("../../../../tests/filter/logs/asterisk22-messages.log"),
            include_bytes!("../../../../tests/filter/logs/asterisk22-security.log"),
        ];
        let (mut lines, mut plain) = (0, 0);
        for log in logs {
            for line in log.split(|byte| *byte == b'\n') {
                lines += usize::from(Line::grammar(line).is_some());
                plain += usize::from(check(line).unwrap());
                for carrier in [
                    "Nov  9 18:47:21 pbx asterisk[3432]: ",
                    "<141>1 2026-11-21T19:24:39Z pbx asterisk 3432 - - ",
                ] {
                    check(&[carrier.as_bytes(), line].concat()).unwrap();
                }
                let mut printed = Vec::new();
                let wrapped = [b"{\"log\":\"", line, b"\\n\",\"stream\":\"stdout\"}"].concat();
                if docker::unwrap(&wrapped, &mut printed).is_some() {
                    check(&printed).unwrap();
                }
                for end in 0..line.len().min(120) {
                    check(&line[..end]).unwrap();
                }
            }
        }
        // that is what it is for
        assert!(lines > 500 && plain * 100 > lines * 95, "{plain} of {lines}");
    }
}
