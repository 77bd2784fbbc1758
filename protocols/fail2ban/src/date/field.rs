//! The `%` fields of date patterns: what each matches and what it is called.

use std::fmt::Write;

/// What `pattern` means as a regular expression, and its name in words, with `this_year` for the bounds of `%ExY`.
///
/// # Errors
/// The field that is not known.
pub fn fields(pattern: &str, this_year: i16) -> Result<(String, String), String> {
    let (mut regex, mut name) = (String::new(), String::new());
    let mut rest = pattern;
    while let Some((plain, behind)) = rest.split_once('%') {
        regex.push_str(plain);
        name.push_str(plain);
        if let Some(after) = behind.strip_prefix('%') {
            regex.push('%');
            name.push('%');
            rest = after;
            continue;
        }
        let length = if behind.starts_with("Ex") { 3 } else { 1 };
        let key = behind.get(..length).unwrap_or(behind);
        let Some(text) = field(key, this_year) else {
            return Err(format!("has the field %{key}, which is not known"));
        };
        regex.push_str(&text);
        match word(key.trim_start_matches("Ex")) {
            Some(word) if key.starts_with("Ex") => {
                let _ = write!(name, "Ex{word}");
            }
            Some(word) => name.push_str(word),
            None => {
                let _ = write!(name, "%{key}");
            }
        }
        rest = behind.get(length..).unwrap_or_default();
    }
    regex.push_str(rest);
    name.push_str(rest);
    Ok((regex, name))
}

/// Names of months and days, as the C locale has them.
pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Monday first.
pub const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

fn field(key: &str, this_year: i16) -> Option<String> {
    let short = |names: &[&str]| {
        let names: Vec<&str> = names.iter().filter_map(|name| name.get(..3)).collect();
        names.join("|")
    };
    let text: &str = match key {
        "a" => return Some(format!("(?P<a>{})", short(&DAYS))),
        "A" => return Some(format!("(?P<A>{})", longest_first(&DAYS))),
        "b" => return Some(format!("(?P<b>{})", short(&MONTHS))),
        "B" => return Some(format!("(?P<B>{})", longest_first(&MONTHS))),
        "d" => r"(?P<d>[1-2]\d|[0 ]?[1-9]|3[0-1])",
        "f" => r"(?P<f>[0-9]{1,6})",
        "G" => r"(?P<G>\d\d\d\d)",
        "H" => r"(?P<H>[0-1]?\d|2[0-3])",
        "I" => r"(?P<I>1[0-2]|0[1-9]|[1-9])",
        "j" => r"(?P<j>36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9])",
        "k" => r" ?(?P<H>[0-2]?\d)",
        "l" => r" ?(?P<I>1?\d)",
        "m" => r"(?P<m>0?[1-9]|1[0-2])",
        "M" => r"(?P<M>[0-5]?\d)",
        "p" => r"(?P<p>am|pm)",
        "S" => r"(?P<S>[0-5]?\d|6[0-1])",
        "u" => r"(?P<u>[1-7])",
        "U" => r"(?P<U>5[0-3]|[0-4]\d|\d)",
        "V" => r"(?P<V>5[0-3]|0[1-9]|[1-4]\d|\d)",
        "w" => r"(?P<w>[0-6])",
        "W" => r"(?P<W>5[0-3]|[0-4]\d|\d)",
        "y" => r"(?P<y>\d\d)",
        "Y" => r"(?P<Y>\d{4})",
        "z" => r"(?P<z>Z|UTC|GMT|[+-][01]\d(?::?\d{2})?)",
        "Z" => r"(?P<Z>Z|[A-Z]{3,5})",
        "ExY" => return Some(format!(r"(?P<Y>{}\d)", decades(this_year))),
        "Exy" => r"(?P<y>\d{2})",
        "Exd" => r"(?P<d>[1-2]\d|0[1-9]|3[0-1])",
        "Exm" => r"(?P<m>0[1-9]|1[0-2])",
        "ExH" => r"(?P<H>[0-1]\d|2[0-3])",
        "Exk" => r" ?(?P<H>[0-1]?\d|2[0-3])",
        "Exl" => r" ?(?P<I>1[0-2]|\d)",
        "ExM" => r"(?P<M>[0-5]\d)",
        "ExS" => r"(?P<S>[0-5]\d|6[0-1])",
        "ExZ" => r"(?P<Z>[A-Z](?:[A-Z]{2,4})?)",
        "Exz" => r"(?P<z>(?:[A-Z](?:[A-Z]{2,4})?)?[+-][01]\d(?::?\d{2})?|[A-Z](?:[A-Z]{2,4})?)",
        _ => return None,
    };
    Some(text.to_owned())
}

fn longest_first(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.join("|")
}

/// The decades that a year may lie in: from 2000 to three years from now.
fn decades(this_year: i16) -> String {
    let last = (this_year.max(2000) + 3) / 10;
    let decades: Vec<String> = (200..=last).map(|decade| decade.to_string()).collect();
    format!("(?:{})", decades.join("|"))
}

/// What a field is called where templates are listed.
fn word(key: &str) -> Option<&'static str> {
    Some(match key {
        "a" => "DAY",
        "A" => "DAYNAME",
        "b" => "MON",
        "B" => "MONTH",
        "d" => "Day",
        "H" => "24hour",
        "I" => "12hour",
        "j" => "Yearday",
        "m" => "Month",
        "M" => "Minute",
        "p" => "AMPM",
        "S" => "Second",
        "U" | "W" => "Yearweek",
        "w" => "Weekday",
        "y" => "Year2",
        "Y" => "Year",
        "z" => "Zone offset",
        "f" => "Microseconds",
        "Z" => "Zone name",
        _ => return None,
    })
}
