//! Which lines of a file begin a record, which belong to the one before, and which may be anybody's.

use memchr::memmem;
use nom::Parser;
use nom::character::complete::char;
use nom::combinator::recognize;
use nom::sequence::preceded;

use super::fail2ban;
use super::record::{Record, colours, time, uuid};
use super::sentence::Authentication;

/// How the records of a file are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `freeswitch.log`, or what a console showed.
    #[default]
    Log,
    /// The file of mod_fail2ban.
    Fail2ban,
}

/// What a line is to the records around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A record begins.
    Begins,
    /// It belongs to the record before, as FreeSWITCH or a folded header wrote it.
    Belongs,
    /// Somebody's raw text at the beginning of a line: so the lines after it may be anybody's, too.
    Loose,
}

impl Layout {
    /// The layout of a file that begins with these bytes, at least a hundred of them or all; `None` when it is neither.
    pub fn guess(beginning: &[u8]) -> Option<Self> {
        if fail2ban::begins(beginning) {
            return Some(Self::Fail2ban);
        }
        let stamped = preceded(
            (colours, nom::combinator::opt((uuid, char(' ')))),
            (time, char(' ')),
        );
        recognize(stamped).parse(beginning).is_ok().then_some(Self::Log)
    }

    /// Judges a whole line by its beginning, the `current` record being the one before.
    pub(super) fn line(self, line: &[u8], current: &[u8]) -> Line {
        match self {
            Self::Fail2ban if fail2ban::begins(line) => Line::Begins,
            Self::Log if begins_in_log(line) => Line::Begins,
            _ if is_folded_or_blank(line) => Line::Belongs,
            Self::Log if is_told_of_unknown_user(line, current) => Line::Belongs,
            _ => Line::Loose,
        }
    }

    /// Whether more of a record must follow: its `beginning`, whether something of it was `cut`, and its last bytes.
    pub(super) fn is_open(self, beginning: &[u8], cut: bool, end: &[u8]) -> bool {
        match self {
            Self::Fail2ban => !fail2ban::ends(end),
            Self::Log => Record::read(beginning).is_some_and(|record| is_open(&record, cut, end)),
        }
    }
}

/// A time stamp in exact form; a call's uuid, which mod_logfile puts before each line; or the beginning of what is written
/// without either.
fn begins_in_log(line: &[u8]) -> bool {
    let line = without_colours(line);
    let stamped = |line| time(line).is_ok_and(|(rest, _)| rest.starts_with(b" "));
    let of_a_call = |line| uuid(line).is_ok_and(|(rest, _)| rest.starts_with(b" "));
    let bare: [&[u8]; 4] = [b"Dialplan: ", b"EXECUTE ", b"recv ", b"send "];
    stamped(line) || of_a_call(line) || bare.iter().any(|start| line.starts_with(start))
}

/// A header goes on in the next line only behind a space or tab: no SIP parser lets a peer begin a line otherwise.
fn is_folded_or_blank(line: &[u8]) -> bool {
    matches!(without_colours(line), [b' ' | b'\t', ..] | b"\n" | b"\r\n" | b"")
}

/// `Can't find user` is a record of three lines.
fn is_told_of_unknown_user(line: &[u8], current: &[u8]) -> bool {
    let more: [&[u8]; 2] = [
        b"You must define a domain called '",
        b"and you must configure your device to use the proper domain",
    ];
    more.iter().any(|start| line.starts_with(start))
        && Record::read(current).is_some_and(|record| record.message().starts_with(b"Can't find user ["))
}

fn is_open(record: &Record<'_>, cut: bool, end: &[u8]) -> bool {
    let message = record.message();
    // The lines of a session description are a peer's; those of a call carry its uuid. Any line counts, since the description may
    // go on with a space; the registrar prints none, but names of peers. In what was cut there may be one.
    let describes = message
        .split(|byte| *byte == b'\n')
        .any(|line| line.ends_with(b"SDP:"));
    if (describes || cut) && record.file() != Some(b"sofia_reg.c") {
        return record.uuid().is_none();
    }
    let asks = [b"SIP auth challenge (".as_slice(), b"SIP auth failure ("];
    let named = asks.iter().any(|start| message.starts_with(start))
        && memmem::find(message, b") on sofia profile '").is_some();
    named && !Authentication::is_closed_by(end)
}

fn without_colours(line: &[u8]) -> &[u8] {
    colours(line).map_or(line, |(rest, _)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: &[u8] =
        b"2026-11-21 19:34:22.269825 [WARNING] sofia_reg.c:3210 Can't find user [7@x] from 192.0.2.1\n";

    #[test]
    fn a_file_is_known_by_its_beginning() {
        assert_eq!(Layout::guess(UNKNOWN), Some(Layout::Log));
        assert_eq!(
            Layout::guess(b"6561abb9-f137-4288-87ae-4f8e80cd505b 2026-11-21 19:34:22.269825 62.10% [INFO] "),
            Some(Layout::Log)
        );
        assert_eq!(
            Layout::guess(b"Abandoned call from  user[1"),
            Some(Layout::Fail2ban)
        );
        assert_eq!(Layout::guess(b"Event: Shutdown\r\n"), None);
        assert_eq!(Layout::guess(b"2026-11-21 19:34:22\n"), None);
    }

    #[test]
    fn lines_are_told_apart() {
        for (line, wanted) in [
            (UNKNOWN, Line::Begins),
            (
                b"\x1b[35m2026-11-21 19:34:22.269825 [INFO] a.c:1 x\n",
                Line::Begins,
            ),
            (b"6561abb9-f137-4288-87ae-4f8e80cd505b v=0\r\n", Line::Begins),
            (b" 2026-11-21 19:34:22.269825 [INFO] a.c:1 x\n", Line::Belongs),
            (b"\tx\n", Line::Belongs),
            (b"\n", Line::Belongs),
            (b"You must define a domain called 'x'\n", Line::Belongs),
            (b"2026-11-21 19:34:22 [INFO] a.c:1 x\n", Line::Loose),
            (b"hello\n", Line::Loose),
        ] {
            assert_eq!(Layout::Log.line(line, UNKNOWN), wanted, "{line:?}");
        }
        assert_eq!(
            Layout::Log.line(b"You must define a domain called 'x'\n", b""),
            Line::Loose
        );
        assert_eq!(Layout::Fail2ban.line(UNKNOWN, b""), Line::Loose);
    }

    #[test]
    fn a_record_that_must_go_on_is_open() {
        let open = |message: &str| {
            let record = format!("2026-11-21 19:34:22.269825 [WARNING] a.c:1 {message}\n");
            Layout::Log.is_open(record.as_bytes(), false, record.as_bytes())
        };
        let failure = "SIP auth failure (REGISTER) on sofia profile 'p' for [1000";
        assert!(open(failure));
        assert!(open(&format!("{failure}] from ip 192.0.2.1 ")));
        assert!(!open(&format!("{failure}@x] from ip 192.0.2.1")));
        assert!(open("sofia/external/1@x Remote SDP:"));
        assert!(open("sofia/external/1@x Remote SDP:\n v=0"));
        let unknown = "2026-11-21 19:34:22.269825 [WARNING] sofia_reg.c:1 Can't find user [x SDP:\n y@a] from 192.0.2.1\n";
        assert!(!Layout::Log.is_open(unknown.as_bytes(), false, unknown.as_bytes()));
        assert!(!open(
            "SIP auth failure (REGISTER) due to reaching max allowed registrations.  Count: 1"
        ));
    }
}
