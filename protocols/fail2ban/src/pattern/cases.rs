//! Patterns that want a sign again which stood before, `(?P<_sep>[-/.])%m(?P=_sep)`, as one pattern for each such sign: the
//! linear engine knows no references.
//!
//! Together they match what the pattern matches, and no two of them in the same way. Where only one matches, its match is the
//! pattern's.

/// Signs that a group may choose from.
const MOST: usize = 4;

/// The pattern for each sign; `None` if it is not of this form.
pub fn cases(pattern: &str) -> Option<Vec<String>> {
    let (_, named) = pattern.split_once("(?P=")?;
    let (name, _) = named.split_once(')')?;
    let (group, reference) = (format!("(?P<{name}>["), format!("(?P={name})"));
    let (before, rest) = pattern.split_once(&group)?;
    let (signs, rest) = rest.split_once("])")?;
    let (between, behind) = rest.split_once(&reference)?;
    let plain = |sign: char| "-/.:, ".contains(sign);
    // a range unless it stands at an end
    let dashes = signs.matches('-').count();
    let range = dashes > 1 || (dashes == 1 && !signs.starts_with('-') && !signs.ends_with('-'));
    let only = !behind.contains("(?P=") && !between.contains("(?P=") && !before.contains("(?P=");
    let usable = (1..=MOST).contains(&signs.len()) && signs.chars().all(plain) && !range && only;
    let once = |text: &str| !text.starts_with(['*', '+', '?', '{']);
    if !usable || !once(between) || !once(behind) || !in_a_row(between) || repeats(behind) {
        return None;
    }
    let case = |sign: char| format!("{before}{group}{sign}]){between}[{sign}]{behind}");
    Some(signs.chars().map(case).collect())
}

/// Whether what stands behind `part` is only reached by way of what stands before it.
fn in_a_row(part: &str) -> bool {
    let mut depth = 0_usize;
    for sign in structure(part) {
        match sign {
            '(' => depth += 1,
            ')' | '|' if depth == 0 => return false,
            ')' => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

/// Whether a group that is closed in `part`, but was opened before it, may be repeated.
fn repeats(part: &str) -> bool {
    let (mut depth, mut closed) = (0_usize, false);
    for sign in structure(part) {
        if closed && "*+{".contains(sign) {
            return true;
        }
        closed = sign == ')' && depth == 0;
        match sign {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The characters of a pattern, a blank for each that is escaped or stands in a class.
pub fn structure(part: &str) -> impl Iterator<Item = char> {
    let (mut class, mut escaped) = (0_usize, false);
    part.chars().map(move |c| {
        let outside = class == 0 && !escaped;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if class == 0 => class = 1,
            // a bracket that comes first in a class is a member
            ']' if class > 1 => class = 0,
            '^' if class == 1 => {}
            _ if class > 0 => class = 2,
            _ => {}
        }
        if outside { c } else { ' ' }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Lines, Pattern, Room};
    use super::cases;

    const DATE: &str =
        r"^(?:\W{0,2})?((?P<Y>(?:\d{2})?\d{2})(?P<_sep>[-/.])(?P<m>\d{1,2})(?P=_sep)(?P<d>\d{1,2}))";

    #[test]
    fn a_sign_that_is_wanted_again() {
        assert_eq!(
            cases("a(?P<s>[-/])b(?P=s)c").unwrap(),
            ["a(?P<s>[-])b[-]c", "a(?P<s>[/])b[/]c"]
        );
        for pattern in [
            "a",
            "(?P<s>[a-z])(?P=s)",
            "(?P<s>[-/])?(?P=s)",
            "(?P<s>[-/])(?P=s)+",
            "(?:(?P<s>[-/])b)?(?P=s)",
            "(?P<s>[-/])|(?P=s)",
            "((?P<s>[-/])b(?P=s))+",
            "(?P<s>[-/])(?P=s)(?P=s)",
            "(?P<s>[^-])(?P=s)",
            "(?P<s>[--/])(?P=s)",
        ] {
            assert_eq!(cases(pattern), None, "{pattern}");
        }
        assert!(cases(DATE).is_some());
    }

    proptest! {
        #[test]
        fn it_matches_what_the_pattern_matches(text in "[ \\[]{0,2}[0-9]{1,4}[-/.][0-9]{1,4}[-/.]([0-9]{1,3}[-/.]){0,3}[0-9]{0,2}x?") {
            for pattern in [DATE, &DATE[1..], r"(?P<x>\d+)(?P<s>[-/.])(?P<y>.*?)(?P=s)(?P<z>\d+)"] {
                let quick = Pattern::new(pattern, Lines::One, &Room::default()).unwrap();
                let exact = Pattern::without_cases(pattern, Lines::One).unwrap();
                prop_assert_eq!(quick.search(&text).unwrap(), exact.search(&text).unwrap(), "{} {}", pattern, text);
            }
        }
    }
}
