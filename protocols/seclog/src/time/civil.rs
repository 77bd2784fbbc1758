//! The time in front of a record: what a clock on the wall shows, without its zone.

use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::map_opt;
use nom::{IResult, Parser};
use ringfence_event::Moment;

/// A date and time of day as logs write them, in the zone that their host is set to; few records say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 60.
    pub second: u8,
    /// Microseconds.
    pub micros: u32,
}

impl Civil {
    /// The moment it was, for a zone that is `offset` seconds ahead of UTC (0 is UTC); what was before 1970 is 1970.
    pub fn moment(self, offset: i32) -> Moment {
        let seconds = self.days() * 86_400
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
            - i64::from(offset);
        let millis = seconds * 1000 + i64::from(self.micros / 1000);
        Moment::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Days since 1970-01-01 in the Gregorian calendar. A year begins in March here, so that the leap day ends it.
    fn days(self) -> i64 {
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let (year, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        // 719,468 days lie between 0000-03-01 and 1970-01-01
        year * 365 + leap_days + (153 * month + 2) / 5 + i64::from(self.day) - 1 - 719_468
    }
}

/// `2026-11-21 19:34:22.269825`, or with `between` a `T` in the middle; exactly that many digits.
pub(crate) fn civil(between: char, input: &[u8]) -> IResult<&[u8], Civil> {
    let parts = (
        (digits(4), tag("-"), digits(2), tag("-"), digits(2)),
        nom::character::complete::char(between),
        (
            digits(2),
            tag(":"),
            digits(2),
            tag(":"),
            digits(2),
            tag("."),
            digits(6),
        ),
    );
    map_opt(parts, |(date, _, time)| {
        let (year, _, month, _, day) = date;
        let (hour, _, minute, _, second, _, micros) = time;
        Some(Civil {
            year: u16::try_from(year).ok()?,
            month: within(month, 1, 12)?,
            day: within(day, 1, 31)?,
            hour: within(hour, 0, 23)?,
            minute: within(minute, 0, 59)?,
            second: within(second, 0, 60)?,
            micros,
        })
    })
    .parse(input)
}

pub(super) fn within(value: u32, least: u8, most: u8) -> Option<u8> {
    u8::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
}

/// Exactly `count` decimal digits, at most nine.
pub(crate) fn digits<'a>(
    count: usize,
) -> impl Parser<&'a [u8], Output = u32, Error = nom::error::Error<&'a [u8]>> {
    take_while_m_n(count, count, |byte: u8| byte.is_ascii_digit()).map(|digits: &[u8]| {
        digits
            .iter()
            .fold(0, |sum: u32, digit| sum * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str, offset: i32) -> Option<u64> {
        let (rest, civil) = civil(' ', text.as_bytes()).ok()?;
        rest.is_empty().then(|| civil.moment(offset).as_millis())
    }

    // The expected values are what `date -u -d … +%s` prints.
    #[test]
    fn a_civil_time_is_a_moment_once_the_zone_is_known() {
        assert_eq!(moment("2026-11-21 19:34:22.269825", 0), Some(1_795_289_662_269));
        assert_eq!(
            moment("2026-11-21 19:34:22.269825", 3600),
            Some(1_795_286_062_269)
        );
        assert_eq!(moment("2024-02-29 00:00:00.000000", 0), Some(1_709_164_800_000));
        assert_eq!(moment("2024-03-01 00:00:00.000999", 0), Some(1_709_251_200_000));
        assert_eq!(moment("1970-01-01 00:00:00.000000", 7200), Some(0));
    }

    #[test]
    fn only_the_exact_form_is_a_time() {
        for text in [
            "2026-11-21 19:34:22.26982",
            "2026-11-21 19:34:22,269825",
            "2026-13-21 19:34:22.269825",
            "2026-11-21T19:34:22.269825",
            "26-11-21 19:34:22.269825",
            "",
        ] {
            assert_eq!(moment(text, 0), None, "{text}");
        }
    }
}
