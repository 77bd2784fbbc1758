//! One record of the log: what stands before the message, and the message.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{map_opt, opt, recognize, rest, verify};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use crate::time::civil::{Civil, civil};

/// A view of one whole record, line breaks in its message included.
///
/// ```text
/// 2026-11-21 19:34:22.269825 62.10% [WARNING] sofia_reg.c:1842 SIP auth challenge …
/// ```
///
/// Only the level is always there: the channel's uuid stands before lines of a call, the idle share of the processor came
/// with 1.10.7, and records of other origin name a `[TAG]` instead of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    uuid: Option<&'a [u8]>,
    time: Option<Civil>,
    level: &'a [u8],
    tag: Option<&'a [u8]>,
    file: Option<&'a [u8]>,
    message: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a whole record apart; `None` when its beginning is not a record's. Colours of a console around it are dropped.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        record(bytes).ok().map(|(_, record)| record)
    }

    /// The channel that wrote it.
    pub fn uuid(&self) -> Option<&'a [u8]> {
        self.uuid
    }

    /// When it was written, by the host's clock and in its zone.
    pub fn time(&self) -> Option<Civil> {
        self.time
    }

    /// Its level, as it is written: `WARNING`.
    pub fn level(&self) -> &'a [u8] {
        self.level
    }

    /// The module that wrote it, where the record has the form `[SOFIA]`.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }

    /// The source file that wrote it, without the line: `sofia_reg.c`.
    pub fn file(&self) -> Option<&'a [u8]> {
        self.file
    }

    /// What it says, without the line feed at its end. Peers choose parts of it.
    pub fn message(&self) -> &'a [u8] {
        self.message
    }
}

fn record(input: &[u8]) -> IResult<&[u8], Record<'_>> {
    let (input, _) = colours(input)?;
    let (input, uuid) = opt(terminated(uuid, char(' '))).parse(input)?;
    let (input, time) = opt(terminated(time, char(' '))).parse(input)?;
    let (input, _) = opt(terminated(idle, char(' '))).parse(input)?;
    let (input, level) = terminated(bracketed, char(' ')).parse(input)?;
    let (input, tag) = opt(terminated(bracketed, char(' '))).parse(input)?;
    let (input, file) = opt(terminated(
        alt((place, delimited(char('['), place, char(']')))),
        char(' '),
    ))
    .parse(input)?;
    let (input, message) = rest(input)?;
    let record = Record {
        uuid,
        time,
        level,
        tag,
        file,
        message: trimmed(message),
    };
    Ok((input, record))
}

/// `6561abb9-f137-4288-87ae-4f8e80cd505b`
pub(super) fn uuid(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let hex = |count| take_while_m_n(count, count, |byte: u8| byte.is_ascii_hexdigit());
    recognize((
        (hex(8), char('-'), hex(4), char('-'), hex(4)),
        (char('-'), hex(4), char('-'), hex(12)),
    ))
    .parse(input)
}

/// `2026-11-21 19:34:22.269825`
pub(super) fn time(input: &[u8]) -> IResult<&[u8], Civil> {
    civil(' ', input)
}

/// Any number of a console's colour sequences.
pub(super) fn colours(input: &[u8]) -> IResult<&[u8], usize> {
    many0_count(colour).parse(input)
}

/// `\x1b[0;35m`
fn colour(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let arguments = |byte: u8| byte.is_ascii_digit() || byte == b';';
    delimited(tag("\x1b["), take_while_m_n(0, 16, arguments), char('m')).parse(input)
}

/// `62.10%`
fn idle(input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize((digit1, char('.'), digit1, char('%'))).parse(input)
}

/// `[WARNING]`
fn bracketed(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let word = take_while_m_n(1, 32, |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_');
    delimited(char('['), word, char(']')).parse(input)
}

/// `sofia_reg.c:1842`: the file.
fn place(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let name = take_while1(|byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let file = verify(name, |name: &[u8]| name.contains(&b'.'));
    terminated(file, preceded(char(':'), digit1)).parse(input)
}

/// Without the line feeds and the colours that end a record. No peer's text can stand behind the last word of a record that
/// blames somebody, so nothing of a peer is dropped.
pub(super) fn trimmed(mut message: &[u8]) -> &[u8] {
    loop {
        let shorter = message.strip_suffix(b"\n").or_else(|| without_colour(message));
        match shorter {
            Some(shorter) => message = shorter,
            None => return message,
        }
    }
}

fn without_colour(message: &[u8]) -> Option<&[u8]> {
    let start = memchr::memrchr(0x1b, message)?;
    let (before, sequence) = message.split_at(start);
    map_opt(colour, |_| Some(()))
        .parse(sequence)
        .is_ok_and(|(rest, ())| rest.is_empty())
        .then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_and_message(record: &str) -> Option<(String, String)> {
        let record = Record::read(record.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((text(record.file().unwrap_or_default()), text(record.message())))
    }

    #[test]
    fn every_form_of_a_record_is_read() {
        let said = Some(("sofia_reg.c".into(), "SIP auth".into()));
        for record in [
            "2026-11-21 19:34:22.269825 62.10% [WARNING] sofia_reg.c:1842 SIP auth\n",
            "2026-11-21 19:34:22.269825 [WARNING] sofia_reg.c:1842 SIP auth",
            "2026-11-21 19:34:22.269825 [WARN] sofia_reg.c:1842 SIP auth\n",
            "6561abb9-f137-4288-87ae-4f8e80cd505b 2026-11-21 19:34:22.269825 [WARNING] sofia_reg.c:1842 SIP auth",
            "2026-11-21 19:34:22.269825 [WARNING] [SOFIA] [sofia_reg.c:1842] SIP auth",
            "\x1b[35m2026-11-21 19:34:22.269825 62.10% [WARNING] sofia_reg.c:1842 SIP auth\n\x1b[0m",
            "[WARNING] sofia_reg.c:1842 SIP auth\n",
        ] {
            assert_eq!(file_and_message(record), said, "{record}");
        }
        assert_eq!(
            file_and_message("2026-11-21 19:34:22.269825 [WARNING] [SOFIA] SIP auth\n"),
            Some((String::new(), "SIP auth".into()))
        );
    }

    #[test]
    fn the_parts_of_a_record() {
        let record = Record::read(
            b"6561abb9-f137-4288-87ae-4f8e80cd505b 2026-11-21 19:34:22.269825 6.10% [NOTICE] [X_1] a.c:1 b\r\n c\n",
        )
        .unwrap();
        assert_eq!(record.uuid(), Some(&b"6561abb9-f137-4288-87ae-4f8e80cd505b"[..]));
        assert_eq!(record.level(), b"NOTICE");
        assert_eq!(record.tag(), Some(&b"X_1"[..]));
        assert_eq!(record.message(), b"b\r\n c");
        assert_eq!(record.time().unwrap().micros, 269_825);
    }

    #[test]
    fn what_begins_otherwise_is_no_record() {
        for record in [
            "",
            " 2026-11-21 19:34:22.269825 [WARNING] a.c:1 x",
            "x 2026-11-21 19:34:22.269825 [WARNING] a.c:1 x",
            "2026-11-21 19:34:22.269825 WARNING a.c:1 x",
            "You must define a domain",
        ] {
            assert_eq!(file_and_message(record), None, "{record}");
        }
    }
}
