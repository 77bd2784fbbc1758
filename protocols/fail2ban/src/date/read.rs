//! What moment a date that was found means.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::field::{DAYS, MONTHS};
use super::template::Reading;
use super::zone;
use crate::pattern::Hit;

/// Seconds since 1970 of the date in `line` that `hit` found; `None` when there is no such date, or its zone is unknown.
///
/// `now` fills in what the date doesn't say (a year, a day), `local` is the zone of dates that name none.
pub fn read(
    line: &str,
    hit: &Hit,
    names: &[(usize, String)],
    reading: Reading,
    now: i64,
    local: &TimeZone,
) -> Option<i64> {
    let group = |n: usize| {
        hit.groups
            .get(n)
            .cloned()
            .flatten()
            .and_then(|range| line.get(range))
    };
    match reading {
        Reading::Epoch { group: n, long } => epoch(group(n)?, long),
        Reading::Tai64n => i64::from_str_radix(group(1)?.get(2..17)?, 16).ok(),
        Reading::Fields => {
            let field = |name: &str| {
                let (n, _) = names.iter().find(|(_, known)| known == name)?;
                group(*n)
            };
            fields(&field, now, local)
        }
    }
}

fn epoch(digits: &str, long: bool) -> Option<i64> {
    let whole = digits.split('.').next()?;
    let value: i64 = whole.parse().ok()?;
    Some(match (long, digits.len()) {
        (true, 16..) if !digits.contains('.') => value / 1_000_000,
        (true, 13..) => value / 1000,
        _ => value,
    })
}

fn fields<'l>(field: &dyn Fn(&str) -> Option<&'l str>, now: i64, local: &TimeZone) -> Option<i64> {
    let number = |name: &str| field(name).and_then(|text| text.trim().parse::<i16>().ok());
    let small = |name: &str| number(name).and_then(|n| i8::try_from(n).ok());
    let today = jiff::Timestamp::from_second(now)
        .ok()?
        .to_zoned(local.clone())
        .datetime();
    let named = |name: &str, list: &[&str]| -> Option<i8> {
        let word = field(name)?.to_lowercase();
        let at = list.iter().position(|known| known.starts_with(&word))?;
        i8::try_from(at).ok()
    };
    let year = number("Y").or_else(|| number("y").map(|y| if y <= 2000 { y + 2000 } else { y }));
    let assumed_year = year.is_none();
    let year = year.unwrap_or(today.year());
    let month = small("m").or_else(|| named("B", &MONTHS).or_else(|| named("b", &MONTHS)).map(|m| m + 1));
    let (mut month, mut day) = (month, small("d"));
    if (month.is_none() || day.is_none())
        && let Some(date) = day_of_year(year, field, &number, &named)
    {
        (month, day) = (Some(date.month()), Some(date.day()));
    }
    let assumed_day = month.is_none() && day.is_none();
    if assumed_day {
        (month, day) = (Some(today.month()), Some(today.day()));
    }
    // Python knows no leap seconds either: 60 and 61 are no date there.
    let time = Time::new(
        hour(field, &small)?,
        small("M").unwrap_or(0),
        small("S").unwrap_or(0),
        0,
    )
    .ok()?;
    let mut at = Date::new(year, month?, day?).ok()?.to_datetime(time);
    let offset = match field("z").or_else(|| field("Z")) {
        Some(zone) => Some(zone::minutes(zone)?),
        None => None,
    };
    if let Some(minutes) = offset {
        at = at
            .checked_sub(jiff::Span::new().try_minutes(i64::from(minutes)).ok()?)
            .ok()?;
    }
    if assumed_day && at > today {
        at = at.yesterday().ok()?;
    }
    if assumed_year && at > today.checked_add(jiff::Span::new().days(1)).ok()? {
        let date = Date::new(year.checked_sub(1)?, month?, day?).ok()?;
        at = date.to_datetime(at.time());
    }
    moment(at, offset.is_some(), local)
}

fn moment(at: DateTime, utc: bool, local: &TimeZone) -> Option<i64> {
    let zone = if utc { TimeZone::UTC } else { local.clone() };
    Some(zone.to_timestamp(at).ok()?.as_second())
}

fn hour<'l>(field: &dyn Fn(&str) -> Option<&'l str>, small: &dyn Fn(&str) -> Option<i8>) -> Option<i8> {
    let Some(hour) = small("I") else {
        return Some(small("H").unwrap_or(0));
    };
    let afternoon = field("p").is_some_and(|word| word.eq_ignore_ascii_case("pm"));
    Some(match (hour, afternoon) {
        (12, false) => 0,
        (12, true) => 12,
        (_, false) => hour,
        (_, true) => hour.checked_add(12)?,
    })
}

/// The day from `%j`, or from the week of the year (`%U`, `%W`) and the day of the week.
fn day_of_year<'l>(
    year: i16,
    field: &dyn Fn(&str) -> Option<&'l str>,
    number: &dyn Fn(&str) -> Option<i16>,
    named: &dyn Fn(&str, &[&str]) -> Option<i8>,
) -> Option<Date> {
    let first = Date::new(year, 1, 1).ok()?;
    let julian = if let Some(julian) = number("j") {
        julian
    } else {
        let monday = field("W").is_some();
        let week = number("U").or_else(|| number("W"))?;
        let weekday = named("A", &DAYS)
            .or_else(|| named("a", &DAYS))
            .map(i16::from)
            .or_else(|| number("w").map(|w| if w == 0 { 6 } else { w - 1 }))?;
        let start = i16::from(first.weekday().to_monday_zero_offset());
        let (start, weekday) = if monday {
            (start, weekday)
        } else {
            ((start + 1) % 7, (weekday + 1) % 7)
        };
        let before = (7 - start) % 7;
        if week == 0 {
            1 + weekday - start
        } else {
            1 + before + 7 * (week - 1) + weekday
        }
    };
    first
        .checked_add(jiff::Span::new().days(i64::from(julian) - 1))
        .ok()
}
