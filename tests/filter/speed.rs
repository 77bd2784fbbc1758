//! The same log through both programs, timed in one run.

use std::fs;
use std::time::Instant;

use crate::lab::{ours, theirs};
use crate::parity::generated;

#[test]
fn a_log_takes_a_fraction_of_the_time_it_takes_fail2ban() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("auth.log");
    let lines = generated()
        .into_iter()
        .find(|(name, _)| *name == "sshd")
        .unwrap()
        .1;
    let repeats = 20_000 / lines.len();
    fs::write(&log, (lines.join("\n") + "\n").repeat(repeats)).unwrap();
    let started = Instant::now();
    let ours = ours(&log, "sshd");
    let mine = started.elapsed();
    let started = Instant::now();
    let theirs = theirs(&log, "sshd");
    let other = started.elapsed();
    assert_eq!(ours, theirs);
    let ratio = other.as_secs_f64() / mine.as_secs_f64();
    println!(
        "{} lines: {mine:?} here, {other:?} there: {ratio:.1} times",
        ours.lines[0]
    );
    // Without optimisation only that it isn't slower is certain.
    let least = if cfg!(debug_assertions) { 1.0 } else { 5.0 };
    assert!(ratio > least, "{mine:?} here, {other:?} there");
}
