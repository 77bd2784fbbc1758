//! Filters that would take for ever or all memory if nothing were counted, and lines that would take for ever to judge.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod common;

use std::fmt::Write;

use common::{compiled, loaded};
use ringfence_fail2ban::{Judge, Skipped};

/// What loading says of a filter that is refused.
fn refused(text: &str) -> String {
    loaded(text, "").expect_err("it is refused").to_string()
}

#[test]
fn values_that_double_are_refused_even_if_they_come_to_nothing() {
    for end in ["", "x"] {
        let mut text = String::from("[Definition]\nfailregex = ^%(v0)s <HOST>$\n");
        for n in 0..8 {
            writeln!(text, "v{n} = {}", format!("%(v{})s", n + 1).repeat(50)).unwrap();
        }
        writeln!(text, "v8 = {end}").unwrap();
        let said = refused(&text);
        assert!(said.contains("when its values are put in"), "{said}");
        let mut text = String::from("[Definition]\nfailregex = ^<v0> <HOST>$\n[Init]\n");
        for n in 0..24 {
            writeln!(text, "v{n} = {}", format!("<v{}>", n + 1).repeat(20)).unwrap();
        }
        writeln!(text, "v24 = {end}").unwrap();
        let _ = loaded(&text, "");
    }
}

#[test]
fn many_values_may_not_grow_together() {
    for name in ["%(big)s", "<big>"] {
        let mut text = String::from("[Definition]\nfailregex = ^<HOST>$\n[Init]\n");
        writeln!(text, "big = {}", "x".repeat(200_000)).unwrap();
        for n in 0..20_000 {
            writeln!(text, "v{n} = {name}").unwrap();
        }
        let said = refused(&text);
        assert!(said.contains("when its values are put in"), "{said}");
    }
}

#[test]
fn many_names_in_a_long_value_are_refused() {
    let mut text = String::from("[Definition]\nfailregex = ^<HOST>$\n[Init]\nlong =");
    for n in 0..20_000 {
        write!(text, " <v{n}>").unwrap();
    }
    text.push('\n');
    for n in 0..20_000 {
        writeln!(text, "v{n} = abcdefghij").unwrap();
    }
    let said = refused(&text);
    assert!(said.contains("when its values are put in"), "{said}");
}

#[test]
fn many_patterns_may_not_be_large_together() {
    let mut text = String::from("[Definition]\nfailregex =\n");
    for n in 0..900 {
        writeln!(text, "  ^{n}(?:[a-f]{{100}}x){{40}} <HOST>$").unwrap();
    }
    let definition = loaded(&text, "").unwrap();
    let said = compiled(&definition, false)
        .expect_err("they are refused")
        .to_string();
    assert!(said.contains("too large together"), "{said}");
}

#[test]
fn many_date_patterns_are_refused() {
    let mut text = String::from("[Definition]\nfailregex = ^<HOST>$\ndatepattern =\n");
    for n in 0..20_000 {
        writeln!(text, "  x{n} {{DATE}}").unwrap();
    }
    let definition = loaded(&text, "").unwrap();
    let said = compiled(&definition, false)
        .expect_err("they are refused")
        .to_string();
    assert!(said.contains("date patterns"), "{said}");
    let text = format!(
        "[Definition]\nfailregex = ^<HOST>$\ndatepattern = {}\n",
        "(?".repeat(100_000)
    );
    let definition = loaded(&text, "").unwrap();
    assert!(compiled(&definition, false).is_err());
}

#[test]
fn a_line_that_a_pattern_can_search_for_ever_is_skipped() {
    for pattern in [
        r"^(?:(a*)*)*\1 <HOST>!(?=y)",
        r"^(a|a?)+\1* <HOST>!(?=y)",
        r"^(?:a+)+(?<=a) <HOST>!(?=y)",
        r"^(?:(?=.*b)|a)+ <HOST>!(?=y)",
        r"(?:(?=.*b)|(a)|\1a)+ <HOST>!(?=y)",
    ] {
        let text = format!("[Definition]\nfailregex = {pattern}\n");
        let filter = compiled(&loaded(&text, "").unwrap(), true).unwrap();
        let mut judge = Judge::new(filter);
        for length in [30, 1000, 16_000] {
            let line = format!("{} 192.0.2.1!", "a".repeat(length));
            let began = std::time::Instant::now();
            let outcome = judge.line(line.as_bytes(), 0);
            println!(
                "{pattern} on {length} bytes: {:?} {:?}",
                began.elapsed(),
                outcome.skipped
            );
            assert!(outcome.found.is_empty());
            assert_ne!(outcome.skipped, Some(Skipped::TooLong));
        }
        let outcome = judge.line(b"aa 192.0.2.1!", 0);
        assert_eq!(outcome.skipped, None, "a short line is judged");
    }
}

#[test]
fn counts_of_counts_of_counts_are_refused() {
    for pattern in [
        r"^(?:(?:(?:(\w)\1){99999}){99999}){99999} <HOST>",
        r"^(?x)(?:(?=a)a) {65000} {65000} {65000} {65000} <HOST>",
        r"^(?:(\w)\1){99999999999} <HOST>",
    ] {
        let text = format!("[Definition]\nfailregex = {pattern}\n");
        let definition = loaded(&text, "").unwrap();
        if let Ok(filter) = compiled(&definition, true) {
            let outcome = Judge::new(filter).line(b"aa 192.0.2.1", 0);
            assert!(outcome.found.is_empty(), "{pattern}");
        }
    }
}
