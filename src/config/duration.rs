//! Lengths of time as admins write them: `600`, `10m`, `1h 30m`, `1d12h`, `2 weeks`, `forever`.
//!
//! The units and their lengths are fail2ban's, so that its values mean the same here: a month is a twelfth of a year, a
//! year is 365.25 days.

use ringfence_event::Span;

/// The longest length of time that can be written, besides `forever`: 100 years.
const LONGEST: Span = Span::from_secs(100 * 31_557_600);

/// Unit names and their length in milliseconds.
const UNITS: &[(&[&str], u64)] = &[
    (&["ms", "msec", "msecs", "millisecond", "milliseconds"], 1),
    (&["s", "ss", "se", "sec", "secs", "second", "seconds"], 1000),
    (&["m", "mm", "mi", "min", "mins", "minute", "minutes"], 60_000),
    (&["h", "hh", "ho", "hou", "hr", "hrs", "hour", "hours"], 3_600_000),
    (&["d", "dd", "da", "day", "days"], 86_400_000),
    (&["w", "ww", "we", "wee", "week", "weeks"], 604_800_000),
    (&["mo", "mon", "month", "months"], 2_629_800_000),
    (&["y", "yy", "ye", "yea", "yr", "year", "years"], 31_557_600_000),
];

/// Why a text is no length of time. The admin must write it differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is nothing.
    #[error("a length of time is empty")]
    Empty,
    /// It does not begin with digits, or something that is neither digit nor unit stands in it.
    #[error("`{0}` is not a length of time")]
    NotATime(String),
    /// A number without unit after one with a unit.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// A unit that does not exist.
    #[error("`{0}` is not a unit of time")]
    Unit(String),
    /// A fraction.
    #[error("`{0}` is a fraction: write whole numbers, `1h30m` for 1.5 hours")]
    Fraction(String),
    /// More than 100 years.
    #[error("`{0}` is too long: 100 years is the longest, besides `forever`")]
    TooLong(String),
}

/// What is allowed, for the help below an error.
pub(super) const FORMS: &str = "write seconds (600) or numbers with units: 10m, \"1h 30m\", 1d12h, 2w \
     (ms, s, m, h, d, w, mo, y)";

/// Reads a length of time; a number without a unit is seconds; `-1` and `forever` are [`Span::FOREVER`].
pub fn parse_span(text: &str) -> Result<Span, DurationError> {
    let text = text.trim();
    match text {
        "" => return Err(DurationError::Empty),
        "-1" | "forever" | "permanent" => return Ok(Span::FOREVER),
        _ => {}
    }
    let shown = || text.chars().take(40).collect::<String>();
    let mut rest = text;
    let mut total: u64 = 0;
    let mut parts = 0;
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(DurationError::NotATime(shown()));
        }
        if after.starts_with(['.', ',']) {
            return Err(DurationError::Fraction(shown()));
        }
        let number: u64 = digits.parse().map_err(|_| DurationError::TooLong(shown()))?;
        let (unit, after) = split_while(after.trim_start(), |c| c.is_ascii_alphabetic());
        let millis = match unit {
            "" if parts == 0 && after.is_empty() => 1000,
            "" if after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(DurationError::NoUnit(digits.to_owned()));
            }
            "" => return Err(DurationError::NotATime(shown())),
            unit => length_of(unit).ok_or_else(|| DurationError::Unit(unit.chars().take(40).collect()))?,
        };
        total = number
            .checked_mul(millis)
            .and_then(|part| part.checked_add(total))
            .filter(|total| *total <= LONGEST.as_millis())
            .ok_or_else(|| DurationError::TooLong(shown()))?;
        parts += 1;
        rest = after.trim_start();
    }
    Ok(Span::from_millis(total))
}

fn length_of(unit: &str) -> Option<u64> {
    UNITS
        .iter()
        .find(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(unit)))
        .map(|(_, millis)| *millis)
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str) -> u64 {
        parse_span(text).unwrap().as_secs()
    }

    #[test]
    fn people_write_time_in_many_ways() {
        assert_eq!(secs("600"), 600);
        assert_eq!(secs("10m"), 600);
        assert_eq!(secs("1h 30m"), 5400);
        assert_eq!(secs("1d12h"), 129_600);
        assert_eq!(secs("2w"), 1_209_600);
        assert_eq!(secs("10 minutes"), 600);
        assert_eq!(secs("1 Day 6 hours"), 108_000);
        assert_eq!(secs("1mo"), 2_629_800);
        assert_eq!(secs("1y"), 31_557_600);
        assert_eq!(parse_span("250ms"), Ok(Span::from_millis(250)));
        assert_eq!(parse_span("-1"), Ok(Span::FOREVER));
        assert_eq!(parse_span(" forever "), Ok(Span::FOREVER));
        assert_eq!(parse_span("0"), Ok(Span::ZERO));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for span in [1, 999, 60_000, 5_400_000, 129_600_250, 2_419_200_000] {
            let span = Span::from_millis(span);
            assert_eq!(parse_span(&span.to_string()), Ok(span));
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        assert_eq!(parse_span(""), Err(DurationError::Empty));
        assert_eq!(parse_span("soon"), Err(DurationError::NotATime("soon".into())));
        assert_eq!(parse_span("-5m"), Err(DurationError::NotATime("-5m".into())));
        assert_eq!(parse_span("1h 30"), Err(DurationError::NoUnit("30".into())));
        assert_eq!(parse_span("10 20m"), Err(DurationError::NoUnit("10".into())));
        assert_eq!(parse_span("10x"), Err(DurationError::Unit("x".into())));
        assert_eq!(parse_span("1.5h"), Err(DurationError::Fraction("1.5h".into())));
        assert_eq!(parse_span("10m!"), Err(DurationError::NotATime("10m!".into())));
        for long in [
            "101y",
            "99999999999999999999",
            "18446744073709551615w",
            "4000000000",
        ] {
            assert_eq!(parse_span(long), Err(DurationError::TooLong(long.into())));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            if let Ok(span) = parse_span(&text) {
                assert!(span == Span::FOREVER || span <= LONGEST);
            }
        }
    }
}
