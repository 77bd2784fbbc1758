//! Reads the headers of a frame; whatever is not exactly one ends the connection.

use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{opt, rest};
use nom::sequence::terminated;
use nom::{IResult, Parser};
use ringfence_event::Text;
use thiserror::Error;

use crate::frame::Kind;

/// The longest header line of a frame, in bytes.
pub const MAX_LINE: usize = 16 * 1024;
/// The most bytes that all header lines of a frame may have.
pub const MAX_HEAD: usize = 64 * 1024;
/// The longest body that a frame may announce, in bytes. FreeSWITCH writes some megabytes when attacked; this is what no
/// memory of a PBX holds as one event.
pub const MAX_LENGTH: u64 = 1 << 32;

/// Why the stream can't be read any further; the connection must be closed and opened again.
///
/// FreeSWITCH itself splices a notice into the middle of a frame when it kills a slow listener, so this happens on honest
/// servers, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingError {
    /// A line that is no header where one belongs; on a new connection the admin has named another kind of server.
    #[error("not a header of the event socket: \"{line}\"")]
    NotAHeader {
        /// The line.
        line: Text,
    },
    /// A header line or all of them are longer than FreeSWITCH writes; reconnect.
    #[error("the headers of a frame are too long")]
    TooLong,
    /// A length that is none, or one twice; reconnect.
    #[error("a frame's Content-Length can't be read: \"{value}\"")]
    Length {
        /// What stands there.
        value: Text,
    },
    /// No Content-Type or two of them; reconnect.
    #[error("a frame has no certain Content-Type")]
    ContentType,
    /// The stream ended inside a frame; reconnect.
    #[error("the stream ended inside a frame")]
    Truncated,
}

/// What the headers of one frame say, gathered line by line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    kind: Option<Kind>,
    length: Option<u64>,
}

impl Head {
    /// Takes one header line, without its line feed.
    pub(crate) fn add(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let (name, value) = known(line)
            .or_else(|| header(line))
            .ok_or(FramingError::NotAHeader {
                line: Text::new(line.trim_ascii_end()),
            })?;
        match name {
            b"Content-Type" => match self.kind.replace(Kind::of(value)) {
                None => Ok(()),
                Some(_) => Err(FramingError::ContentType),
            },
            b"Content-Length" => {
                let wrong = || FramingError::Length {
                    value: Text::new(value),
                };
                let length = number(value)
                    .filter(|length| *length <= MAX_LENGTH)
                    .ok_or_else(wrong)?;
                match self.length.replace(length) {
                    None => Ok(()),
                    Some(_) => Err(wrong()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Kind and body length, once the empty line was read.
    pub(crate) fn finish(self) -> Result<(Kind, u64), FramingError> {
        let kind = self.kind.ok_or(FramingError::ContentType)?;
        match self.length {
            None if matches!(kind, Kind::EventPlain | Kind::LogData | Kind::ApiResponse) => {
                Err(FramingError::Length { value: Text::EMPTY })
            }
            length => Ok((kind, length.unwrap_or(0))),
        }
    }
}

/// The same as [`header`] for the two headers that every event has.
fn known(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = line.strip_prefix(b"Content-Length: ");
    let length = length.map(|value| (&b"Content-Length"[..], value));
    length.or_else(|| {
        let kind = line.strip_prefix(b"Content-Type: ")?;
        Some((&b"Content-Type"[..], kind))
    })
}

/// Name and value of a header line; `None` for any other line.
pub(crate) fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, parts) = parse_header(line).ok()?;
    Some(parts)
}

fn parse_header(line: &[u8]) -> IResult<&[u8], (&[u8], &[u8]), ()> {
    let name = terminated(
        take_while1(|byte: u8| byte.is_ascii_graphic() && byte != b':'),
        (tag(":"), opt(tag(" "))),
    );
    (name, rest).parse(line)
}

/// Decimal digits and nothing else.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        let wider = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        (digit < 10).then_some(wider)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[&[u8]]) -> Result<(Kind, u64), FramingError> {
        let mut head = Head::default();
        for line in lines {
            head.add(line)?;
        }
        head.finish()
    }

    #[test]
    fn the_length_may_stand_before_or_behind_the_type() {
        let event = Ok((Kind::EventPlain, 12));
        assert_eq!(
            head(&[b"Content-Length: 12", b"Content-Type: text/event-plain"]),
            event
        );
        assert_eq!(
            head(&[b"Content-Type: text/event-plain", b"Content-Length: 12"]),
            event
        );
        assert_eq!(head(&[b"Content-Type: auth/request"]), Ok((Kind::AuthRequest, 0)));
    }

    #[test]
    fn a_number_is_digits_and_fits() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"0007"), Some(7));
        for no in ["", "18446744073709551616", "1:", "/1", "1 ", "-1"] {
            assert_eq!(number(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn the_short_way_reads_what_the_long_one_reads() {
        for line in [
            "Content-Length: 12",
            "Content-Length:12",
            "Content-Type: log/data",
            "Content-Type: ",
        ] {
            let long = header(line.as_bytes());
            assert_eq!(known(line.as_bytes()).or(long), long, "{line}");
        }
    }

    #[test]
    fn what_is_not_certain_is_an_error() {
        for length in [
            "",
            "-1",
            "+1",
            "12x",
            "0x10",
            " 1",
            "99999999999999999999",
            "4294967297",
        ] {
            let line = format!("Content-Length: {length}");
            let error = head(&[b"Content-Type: log/data", line.as_bytes()]).unwrap_err();
            assert!(matches!(error, FramingError::Length { .. }), "{length}");
        }
        assert_eq!(head(&[]), Err(FramingError::ContentType));
        assert_eq!(
            head(&[b"Content-Type: log/data", b"Content-Type: log/data"]),
            Err(FramingError::ContentType)
        );
        assert!(head(&[b"Content-Type: text/event-plain"]).is_err());
        assert!(
            head(&[
                b"Content-Type: auth/request",
                b"Content-Length: 1",
                b"Content-Length: 1"
            ])
            .is_err()
        );
        assert!(head(&[b"HTTP/1.1 400 Bad Request\r"]).is_err());
        assert!(head(&[b"an Event: x"]).is_err());
    }
}
