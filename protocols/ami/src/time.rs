//! When an event happened: `2026-11-21T16:24:48.225-0330`, or `sec-usec` from older servers.

use nom::Parser;
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{all_consuming, map_opt};
use nom::sequence::separated_pair;
use ringfence_event::Moment;

/// Reads an `EventTV` or `SessionTV`; `None` for anything else and for times before 1970.
pub fn event_time(value: &[u8]) -> Option<Moment> {
    iso(value).or_else(|| seconds(value))
}

/// Local time with milliseconds and its offset to UTC, which has no colon.
fn iso(value: &[u8]) -> Option<Moment> {
    let parts = <&[u8; 28]>::try_from(value).ok()?;
    #[rustfmt::skip]
    let [y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.', f1, f2, f3,
         sign, z1, z2, z3, z4] = *parts
    else {
        return None;
    };
    let (year, month, day) = (
        decimal(&[y1, y2, y3, y4])?,
        decimal(&[o1, o2])?,
        decimal(&[d1, d2])?,
    );
    let (hour, minute, second) = (decimal(&[h1, h2])?, decimal(&[m1, m2])?, decimal(&[s1, s2])?);
    let millis = decimal(&[f1, f2, f3])?;
    let (offset_hours, offset_minutes) = (decimal(&[z1, z2])?, decimal(&[z3, z4])?);
    let east = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && offset_hours < 24
        && offset_minutes < 60;
    let offset = (offset_hours * 60 + offset_minutes) * 60 * east;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    let moment = u64::try_from(seconds * 1000 + millis).ok()?;
    in_range.then_some(Moment::from_millis(moment))
}

/// Seconds and microseconds since 1970.
fn seconds(value: &[u8]) -> Option<Moment> {
    let number = || map_opt(take_while1::<_, _, ()>(|b: u8| b.is_ascii_digit()), decimal);
    let (_, (seconds, micros)) = all_consuming(separated_pair(number(), tag("-"), number()))
        .parse(value)
        .ok()?;
    let millis = seconds.checked_mul(1000)?.checked_add(micros / 1000)?;
    let moment = u64::try_from(millis).ok()?;
    (micros < 1_000_000).then_some(Moment::from_millis(moment))
}

fn decimal(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |sum, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, counted in eras of 400 years that begin in March so that the
/// leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(value: &str) -> Option<u64> {
        event_time(value.as_bytes()).map(Moment::as_millis)
    }

    #[test]
    fn both_forms_are_read_in_utc() {
        assert_eq!(millis("2026-11-21T19:24:39.140+0000"), Some(1_795_289_079_140));
        // half-hour offsets west of Greenwich (Newfoundland) and east (India)
        assert_eq!(
            millis("2026-11-21T16:24:48.225-0330"),
            millis("2026-11-21T19:54:48.225+0000")
        );
        assert_eq!(
            millis("2026-11-22T00:54:39.140+0530"),
            millis("2026-11-21T19:24:39.140+0000")
        );
        assert_eq!(millis("2028-02-29T23:59:59.999+0000"), Some(1_835_481_599_999));
        assert_eq!(millis("1970-01-01T00:00:00.000+0000"), Some(0));
        assert_eq!(millis("1795289079-140999"), Some(1_795_289_079_140));
    }

    #[test]
    fn anything_else_is_no_time() {
        for value in [
            "",
            "2026-11-21T19:24:39.140",
            "2026-11-21T19:24:39+0000",
            "2026-13-21T19:24:39.140+0000",
            "2026-11-21 19:24:39.140+0000",
            "2026-11-21T19:24:39.140+0000x",
            "1969-12-31T23:59:59.999+0000",
            "1970-01-01T00:00:00.000+0100",
            "1795289079-1000000",
            "99999999999999999999-1",
            "9223372036854775807-1",
        ] {
            assert_eq!(millis(value), None, "{value}");
        }
    }
}
