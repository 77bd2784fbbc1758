//! Whatever stands in a filter and in a log: no panic, the same each time, and nobody blamed without a pattern and a line.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

mod common;

use std::sync::Arc;

use common::{compiled, loaded};
use proptest::prelude::*;
use ringfence_fail2ban::{Filter, Hints, Judge, Outcome, Who};

/// What filters are made of.
const PARTS: &[&str] = &[
    "<HOST>",
    "<ADDR>",
    "<SUBNET>",
    "<F-USER>",
    "</F-USER>",
    "<F-MLFID>\\w+</F-MLFID>",
    "<F-NOFAIL>in</F-NOFAIL>",
    "<F-ID/>",
    "<SKIPLINES>",
    "<kind>",
    "<a-<kind>>",
    "<",
    ">",
    "%(word)s",
    "%(known/word)s",
    "%%",
    "%",
    "^",
    "$",
    "|",
    "(",
    ")",
    "(?:",
    "(?=",
    "(?<!",
    "(?P<x>",
    "(?P=x)",
    "(?(x)",
    "(?>",
    "(?i)",
    "(?x)",
    "[^",
    "[",
    "]",
    "\\",
    "\\1",
    "\\b",
    "\\S",
    "\\d",
    "*",
    "+",
    "?",
    "{2,5}",
    "{99999}",
    "{",
    ".",
    "a",
    "é",
    " ",
    "\n  ",
    "\u{1}",
    "\0",
    ";",
];
/// What lines are made of.
const WORDS: &[&str] = &[
    "192.0.2.1",
    "2001:db8::1",
    "::ffff:192.0.2.9/24",
    "999.1.1.1",
    "2026-03-04 05:06:07",
    "Mar  4 05:06:07",
    "[04/Mar/2026:05:06:07 +0100]",
    "1795289079.5",
    "@4000000065e5a5c70a8c1b2c",
    "24:61:61",
    " ",
    "a",
    "aa",
    "in",
    "é",
    "\u{1}",
    "/24",
    "[",
    "]",
    ":",
];

fn text(parts: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(parts), 0..most).prop_map(|parts| parts.concat())
}

fn outcomes(filter: &Arc<Filter>, lines: &[Vec<u8>]) -> Vec<Outcome> {
    let mut judge = Judge::new(Arc::clone(filter));
    lines.iter().map(|line| judge.line(line, 1_795_289_079)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_filter_judges_any_line(
        fail in prop::collection::vec((text(PARTS, 8), any::<bool>()), 1..4),
        ignore in text(PARTS, 4),
        prefix in text(PARTS, 4),
        maxlines in 1..4_usize,
        options in text(PARTS, 4),
        dates in prop::sample::select(&["", "%%Y-%%m-%%d %%H:%%M:%%S", "{^LN-BEG}{EPOCH}", "^%%b %%d", "x{DATE}", "{NONE}"][..]),
        lines in prop::collection::vec(text(WORDS, 8).prop_map(String::into_bytes), 1..6),
        every in any::<bool>(),
    ) {
        // half of the patterns say of somebody, so that more than errors are looked at
        let fail: Vec<_> = fail
            .into_iter()
            .map(|(text, who)| if who { format!("{text}<HOST>") } else { text })
            .collect();
        let definition = format!(
            "[DEFAULT]\nword = w\n[Definition]\nfailregex = {}\nignoreregex = {ignore}\nprefregex = {prefix}\n\
             maxlines = {maxlines}\ndatepattern = {dates}\nkind = k\na-k = A\n",
            fail.join("\n  ")
        );
        let loaded = loaded(&definition, "").or_else(|_| loaded(&definition, &options));
        let Ok(loaded) = loaded else { return Ok(()) };
        let filter = match compiled(&loaded, every) {
            Ok(filter) => filter,
            Err(error) => {
                prop_assert!(error.to_string().len() < 10_000);
                return Ok(());
            }
        };
        let once = outcomes(&filter, &lines);
        prop_assert_eq!(&once, &outcomes(&filter, &lines));
        for outcome in &once {
            prop_assert!(outcome.skipped.is_none() || outcome.found.is_empty());
            prop_assert!(every || outcome.found.len() <= 1);
            prop_assert!(outcome.ignored_by.iter().all(|number| *number < filter.ignore.len()));
            for found in &outcome.found {
                prop_assert!(found.pattern < filter.fail.len());
                if let Who::Address(address, length) = &found.who {
                    let bits = if address.is_ipv4() { 32 } else { 128 };
                    prop_assert!(length.is_none_or(|length| length <= bits));
                }
            }
        }
        let first = String::from_utf8_lossy(&lines[0]).into_owned();
        if let Some(near) = Hints::default().nearest(&filter, &first) {
            prop_assert!(first.contains(near.text.trim()) || filter.prefix.is_some());
        }
    }

    #[test]
    fn bytes_that_are_no_filter_are_refused_or_loaded(bytes in ".{0,300}", options in ".{0,40}") {
        for text in [bytes.clone(), format!("[Definition]\n{bytes}"), format!("[Definition]\nfailregex = {bytes}")] {
            if let Ok(definition) = loaded(&text, &options) {
                let _ = compiled(&definition, true);
            }
        }
    }
}
