//! What stands in front of a message: the stamp, the level, the thread, the source file; and whatever carried the line.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{opt, recognize, verify};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::plain::plain;
use crate::time::{Stamp, stamp};

/// How much a message matters, as far as this crate looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `SECURITY`: the security log.
    Security,
    /// `NOTICE`, `WARNING` or `ERROR`.
    Told,
    /// Anything else: `VERBOSE`, `DEBUG`, `DTMF`, …
    Other,
}

/// The first line of a record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub(super) stamp: Option<Stamp>,
    pub(super) level: Level,
    pub(super) file: &'a [u8],
    pub(super) message: &'a [u8],
}

impl<'a> Line<'a> {
    /// Takes a line without its line feed apart; `None` when no record of Asterisk begins so.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        plain(line).or_else(|| Self::grammar(line))
    }

    /// The whole grammar, for what [`plain`] leaves to it.
    pub(super) fn grammar(line: &'a [u8]) -> Option<Self> {
        let (line, carried) = carrier(line).map_or((line, None), |(line, stamp)| (line, Some(stamp)));
        let (_, mut read) = asterisk(line).ok()?;
        read.stamp = read.stamp.or(carried);
        Some(read)
    }

    /// When it was written, by the host's clock.
    pub fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Its level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The source file that wrote it, as the line names it, without folder and number: `chan_sip.c`, `pjproject`.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// What it says. Peers choose parts of it.
    pub fn message(&self) -> &'a [u8] {
        self.message
    }
}

/// Whether a line begins as records of a log do, its own or another program's in the same file.
pub(super) fn begins(line: &[u8]) -> bool {
    let line = without_colours(line);
    match line.first() {
        Some(b'[') => line
            .get(1..)
            .is_some_and(|line| stamp(line).is_ok_and(|(rest, _)| rest.starts_with(b"]"))),
        Some(b'<' | b'0'..=b'9' | b'A'..=b'Z') => {
            syslog(line).is_ok() || level(line).is_ok_and(|(rest, _)| thread(rest).is_ok())
        }
        // what a console shows of verbose messages
        Some(b' ') => [&b"    -- "[..], b"  == ", b"       > "]
            .iter()
            .any(|start| line.starts_with(start)),
        _ => false,
    }
}

/// Without what a syslog daemon or the journal put before it, with the time that it put there; `None` for a line that
/// nothing carried, and for one of another program.
fn carrier(line: &[u8]) -> Option<(&[u8], Stamp)> {
    let starts = line.first()?;
    if !(starts.is_ascii_alphanumeric() || *starts == b'<') {
        return None;
    }
    let (rest, (stamp, tag)) = syslog(line).ok()?;
    tag.starts_with(b"asterisk").then_some((rest, stamp))
}

/// `Nov  9 18:47:21 pbx asterisk[3432]: `, with any stamp, or `<141>1 2026-11-21T19:24:39Z pbx asterisk 3432 - - `.
fn syslog(input: &[u8]) -> IResult<&[u8], (Stamp, &[u8])> {
    let word = || take_while1(|byte: u8| byte.is_ascii_graphic());
    let name = || take_while1(|byte: u8| byte.is_ascii_graphic() && !b"[:".contains(&byte));
    let (input, priority) = opt(delimited(char('<'), digit1, char('>'))).parse(input)?;
    let version = verify(opt(tag("1 ")), |version| priority.is_some() || version.is_none());
    let (input, version) = { version }.parse(input)?;
    let (input, stamp) = terminated(stamp, char(' ')).parse(input)?;
    let (input, _host) = terminated(word(), char(' ')).parse(input)?;
    if version.is_some() {
        let (input, name) = terminated(name(), char(' ')).parse(input)?;
        let (input, _) = (word(), char(' '), word(), char(' ')).parse(input)?;
        let nothing = recognize((char('-'), opt(tag(" \u{feff}".as_bytes()))));
        let structured = recognize(many0_count(delimited(char('['), is_not_bracket, char(']'))));
        let (input, _) = terminated(alt((nothing, structured)), opt(char(' '))).parse(input)?;
        return Ok((input, (stamp, name)));
    }
    let pid = delimited(char('['), digit1, char(']'));
    let (input, name) = terminated(name(), (opt(pid), char(':'), opt(char(' ')))).parse(input)?;
    Ok((input, (stamp, name)))
}

fn is_not_bracket(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|byte: u8| byte != b']')(input)
}

/// `[2026-11-21 19:24:39] NOTICE[123][C-00000001]: chan_sip.c:28999 handle_request_register: …`
fn asterisk(input: &[u8]) -> IResult<&[u8], Line<'_>> {
    let (input, _) = colours(input)?;
    let bracketed = delimited(char('['), stamp, (char(']'), opt(char(' '))));
    let (input, stamp) = opt(bracketed).parse(input)?;
    let (input, _) = colours(input)?;
    let (input, level) = level(input)?;
    if level == Level::Other {
        let line = Line {
            stamp,
            level,
            file: b"",
            message: b"",
        };
        return Ok((input, line));
    }
    let (input, _) = (colours, thread, opt(char(':')), char(' '), colours).parse(input)?;
    let (input, file) = place(input)?;
    let message = input.strip_suffix(b"\r").unwrap_or(input);
    Ok((
        &[],
        Line {
            stamp,
            level,
            file,
            message: without_end_colour(message),
        },
    ))
}

fn level(input: &[u8]) -> IResult<&[u8], Level> {
    let mut word = take_while_m_n(1, 16, |byte: u8| byte.is_ascii_uppercase() || byte == b'_');
    let (rest, word): (&[u8], &[u8]) = word.parse(input)?;
    let level = match word {
        b"SECURITY" => Level::Security,
        b"NOTICE" | b"WARNING" | b"ERROR" => Level::Told,
        _ => Level::Other,
    };
    Ok((rest, level))
}

/// `[3712]` and `[C-00000002]`
fn thread(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let call = delimited(
        tag("[C-"),
        take_while1(|byte: u8| byte.is_ascii_hexdigit()),
        char(']'),
    );
    recognize((char('['), digit1, char(']'), opt(call))).parse(input)
}

/// `res_pjsip/pjsip_distributor.c: `, `chan_sip.c:28999 handle_request_register: `, `manager.c:3567 in authenticate: `
fn place(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let word = || take_while1(|byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
    let (input, file) = terminated(word(), colours).parse(input)?;
    let (input, _) = opt((char(':'), colours, digit1, colours)).parse(input)?;
    let function = (char(' '), opt(tag("in ")), colours, word(), colours);
    let (input, _) = (opt(function), char(':'), opt(char(' '))).parse(input)?;
    let name = memchr::memrchr(b'/', file)
        .and_then(|at| file.get(at + 1..))
        .unwrap_or(file);
    Ok((input, name))
}

/// Any number of a console's colour sequences: `\x1b[1;33m`.
fn colours(input: &[u8]) -> IResult<&[u8], usize> {
    if input.first() != Some(&0x1b) {
        return Ok((input, 0));
    }
    let arguments = |byte: u8| byte.is_ascii_digit() || byte == b';';
    many0_count(delimited(
        tag("\x1b["),
        take_while_m_n(0, 16, arguments),
        char('m'),
    ))
    .parse(input)
}

fn without_colours(line: &[u8]) -> &[u8] {
    colours(line).map_or(line, |(rest, _)| rest)
}

/// No sentence that blames somebody ends in a peer's text, so nothing of a peer is dropped.
pub(super) fn without_end_colour(message: &[u8]) -> &[u8] {
    let reset: [&[u8]; 2] = [b"\x1b[0m", b"\x1b[0;37m"];
    reset
        .iter()
        .find_map(|end| message.strip_suffix(*end))
        .unwrap_or(message)
}

/// The preceding part is only there so that a caller may skip blanks that pjproject's own formatting adds.
pub(super) fn unpadded(message: &[u8]) -> &[u8] {
    preceded(
        nom::bytes::complete::take_while(|byte: u8| byte == b' ' || byte == b'\t'),
        nom::combinator::rest::<_, nom::error::Error<&[u8]>>,
    )
    .parse(message)
    .map_or(message, |(_, rest)| rest)
}
