//! The time stamps that telephone systems, syslog daemons and containers put in front of a record.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::character::complete::{char, one_of};
use nom::combinator::{map_opt, opt, value};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use ringfence_event::{Moment, Span};

use super::civil::{Civil, digits, within};
use super::plain::plain;

/// How far a clock may be behind the one that wrote a record before its date is taken for last year's.
const SLACK: Span = Span::from_secs(24 * 60 * 60);

/// What has to be known besides a record to say when it was written; the caller reads the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// How many seconds the host that writes the log is ahead of UTC.
    pub offset: i32,
    /// A moment not before the record, for stamps that name no year; without it those name no moment.
    pub now: Option<Moment>,
}

/// A time stamp, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// A date with its year; `offset` is how many seconds its zone is ahead of UTC, where it says so.
    Civil {
        /// What the clock on the wall showed.
        civil: Civil,
        /// Its zone, in seconds ahead of UTC.
        offset: Option<i32>,
    },
    /// A date whose year is not told (0 stands for it).
    Yearless(Civil),
    /// Seconds since 1970, perhaps with a fraction.
    Epoch(Moment),
}

impl Stamp {
    /// The moment it names. A date without a year is the newest one that does not lie after `now`, a day of grace aside.
    pub fn moment(self, clock: &Clock) -> Option<Moment> {
        match self {
            Self::Civil { civil, offset } => Some(civil.moment(offset.unwrap_or(clock.offset))),
            Self::Epoch(moment) => Some(moment),
            Self::Yearless(civil) => newest(civil, clock),
        }
    }
}

fn newest(civil: Civil, clock: &Clock) -> Option<Moment> {
    let latest = clock.now? + SLACK;
    let this = u16::try_from(1970 + latest.as_millis() / 1000 / 31_556_952).ok()? + 1;
    // 29 February may lie eight years back
    (this.saturating_sub(9)..=this).rev().find_map(|year| {
        let dated = Civil { year, ..civil };
        let exists = civil.day < 29 || civil.month != 2 || is_leap(year);
        let moment = dated.moment(clock.offset);
        (exists && moment <= latest).then_some(moment)
    })
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Any stamp: `2026-11-21 19:24:39.140`, `2026-11-21T19:24:39+01:00`, `Nov  9 18:47:21`, `1795289079.140`.
pub(crate) fn stamp(input: &[u8]) -> IResult<&[u8], Stamp> {
    plain(input).map_or_else(|| grammar(input), Ok)
}

/// The whole grammar, for what [`plain`] leaves to it.
pub(super) fn grammar(input: &[u8]) -> IResult<&[u8], Stamp> {
    match input.first() {
        Some(byte) if byte.is_ascii_digit() => alt((iso, epoch)).parse(input),
        _ => yearless(input),
    }
}

fn iso(input: &[u8]) -> IResult<&[u8], Stamp> {
    let date = (digits(4), tag("-"), digits(2), tag("-"), digits(2));
    let mut parts = (date, one_of("T "), clock_face, opt(zone));
    let (rest, (date, _, (hour, minute, second, micros), offset)) = parts.parse(input)?;
    let (year, _, month, _, day) = date;
    let civil = || {
        Some(Civil {
            year: u16::try_from(year).ok()?,
            month: within(month, 1, 12)?,
            day: within(day, 1, 31)?,
            hour,
            minute,
            second,
            micros,
        })
    };
    match civil() {
        Some(civil) => Ok((rest, Stamp::Civil { civil, offset })),
        None => Err(no()),
    }
}

/// `Nov  9 18:47:21`, perhaps with the year behind the day.
fn yearless(input: &[u8]) -> IResult<&[u8], Stamp> {
    let day = alt((digits(2), preceded(char(' '), digits(1)), digits(1)));
    let year = preceded(char(' '), digits(4));
    let mut parts = (
        month,
        char(' '),
        map_opt(day, |day| within(day, 1, 31)),
        opt(year),
        char(' '),
        clock_face,
    );
    let (rest, (month, _, day, year, _, (hour, minute, second, micros))) = parts.parse(input)?;
    let civil = Civil {
        year: year.and_then(|year| u16::try_from(year).ok()).unwrap_or(0),
        month,
        day,
        hour,
        minute,
        second,
        micros,
    };
    let stamp = if year.is_some() {
        Stamp::Civil { civil, offset: None }
    } else {
        Stamp::Yearless(civil)
    };
    Ok((rest, stamp))
}

fn epoch(input: &[u8]) -> IResult<&[u8], Stamp> {
    let mut parts = (digits(9), digits(1), fraction);
    let (rest, (high, low, micros)) = parts.parse(input)?;
    let millis = (u64::from(high) * 10 + u64::from(low)) * 1000 + u64::from(micros / 1000);
    Ok((rest, Stamp::Epoch(Moment::from_millis(millis))))
}

fn clock_face(input: &[u8]) -> IResult<&[u8], (u8, u8, u8, u32)> {
    let time = (digits(2), tag(":"), digits(2), tag(":"), digits(2), fraction);
    map_opt(time, |(hour, _, minute, _, second, micros)| {
        Some((
            within(hour, 0, 23)?,
            within(minute, 0, 59)?,
            within(second, 0, 60)?,
            micros,
        ))
    })
    .parse(input)
}

/// `.140` or `,140`, of up to nine digits, in microseconds; nothing is 0.
fn fraction(input: &[u8]) -> IResult<&[u8], u32> {
    let part = preceded(
        one_of(".,"),
        take_while_m_n(1, 9, |byte: u8| byte.is_ascii_digit()),
    );
    let (rest, part) = opt(part).parse(input)?;
    let part: &[u8] = part.unwrap_or_default();
    let digit = |at| part.get(at).map_or(0, |digit: &u8| u32::from(digit - b'0'));
    Ok((rest, (0..6).fold(0, |sum, at| sum * 10 + digit(at))))
}

/// `Z`, `+0100` or `+01:00`, in seconds ahead of UTC.
fn zone(input: &[u8]) -> IResult<&[u8], i32> {
    let ahead = (one_of("+-"), digits(2), opt(char(':')), digits(2));
    let shifted = map_opt(ahead, |(sign, hours, _, minutes)| {
        let ahead = i32::try_from(hours * 3600 + minutes * 60)
            .ok()
            .filter(|ahead| *ahead < 86_400)?;
        Some(if sign == '-' { -ahead } else { ahead })
    });
    alt((value(0, char('Z')), shifted)).parse(input)
}

pub(super) fn month(input: &[u8]) -> IResult<&[u8], u8> {
    let number = match input.get(..3) {
        Some(b"Jan") => 1,
        Some(b"Feb") => 2,
        Some(b"Mar") => 3,
        Some(b"Apr") => 4,
        Some(b"May") => 5,
        Some(b"Jun") => 6,
        Some(b"Jul") => 7,
        Some(b"Aug") => 8,
        Some(b"Sep") => 9,
        Some(b"Oct") => 10,
        Some(b"Nov") => 11,
        Some(b"Dec") => 12,
        _ => return Err(no()),
    };
    Ok((input.get(3..).unwrap_or_default(), number))
}

fn no<'a>() -> nom::Err<nom::error::Error<&'a [u8]>> {
    nom::Err::Error(nom::error::Error::new(&[], nom::error::ErrorKind::Verify))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str, clock: &Clock) -> Option<u64> {
        let (rest, stamp) = stamp(text.as_bytes()).ok()?;
        rest.is_empty()
            .then(|| stamp.moment(clock).map(Moment::as_millis))
            .flatten()
    }

    // The expected values are what `date -u -d … +%s` prints.
    #[test]
    fn every_form_is_a_moment() {
        let utc = Clock::default();
        for text in [
            "2026-11-21 19:24:39.140",
            "2026-11-21T19:24:39,140999",
            "2026-11-21T19:24:39.140Z",
            "2026-11-21T20:24:39.140+01:00",
            "2026-11-21 15:54:39.140-0330",
            "2026-11-21T19:24:39.140123456Z",
            "Nov 21 2026 19:24:39.140",
            "1795289079.140",
        ] {
            assert_eq!(millis(text, &utc), Some(1_795_289_079_140), "{text}");
        }
        let berlin = Clock {
            offset: 3600,
            now: None,
        };
        assert_eq!(millis("2026-11-21 20:24:39", &berlin), Some(1_795_289_079_000));
        assert_eq!(
            millis("2026-11-21T20:24:39+0000", &berlin),
            Some(1_795_292_679_000)
        );
    }

    #[test]
    fn a_date_without_a_year_is_the_newest_past_one() {
        let now = |millis| Clock {
            offset: 0,
            now: Some(Moment::from_millis(millis)),
        };
        let christmas = now(1_798_156_800_000); // 2026-12-25
        assert_eq!(millis("Nov  9 18:47:21", &christmas), Some(1_794_250_041_000));
        assert_eq!(millis("Dec 25 00:00:01", &christmas), Some(1_798_156_801_000));
        let january = now(1_798_848_000_000); // 2027-01-02
        assert_eq!(millis("Dec 31 23:59:59", &january), Some(1_798_761_599_000));
        assert_eq!(millis("Jan  1 00:00:00", &january), Some(1_798_761_600_000));
        assert_eq!(millis("Feb 29 00:00:00", &january), Some(1_709_164_800_000));
        assert_eq!(millis("Jan  1 00:00:00", &Clock::default()), None);
    }

    #[test]
    fn anything_else_is_no_stamp() {
        for text in [
            "",
            "2026-13-21 19:24:39",
            "2026-11-21",
            "2026-11-21 19:24",
            "2026-11-21 24:00:00",
            "Nox 21 19:24:39",
            "Nov 32 19:24:39",
            "179528907",
            "2026-11-21 19:24:39.",
            "2026-11-21 19:24:39+99:00",
        ] {
            assert_eq!(millis(text, &Clock::default()), None, "{text}");
        }
    }
}
