//! How fast logs are read. `cargo bench --bench logs`; `-- --only asterisk` or `freeswitch` reads one log with its grammar
//! and does nothing else, there `--make` only makes the log and `--once` reads it a single time, for counting instructions;
//! `-- --only fail2ban` has only fail2ban's filter measured.
#![allow(
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    clippy::panic,
    reason = "figures for people, and a bench that can't run says so"
)]

#[path = "logs/others.rs"]
mod others;
#[path = "logs/written.rs"]
mod written;

use std::fs;

use ringfence::clock::Stopwatch;
use ringfence_seclog::time::Clock;
use ringfence_seclog::{asterisk, freeswitch};

/// Lines of each log.
const LINES: u32 = 500_000;
/// Lines of it that fail2ban gets to read: it takes its time.
const FEW: usize = 50_000;
/// Bytes handed over at a time, as a log file is read.
const READ: usize = 64 * 1024;
/// Measurements of each kind; the fastest is told, as the others were disturbed.
const ROUNDS: usize = 10;

/// What makes a log, and what reads it.
type Log = (&'static str, fn(u32) -> String, fn(&[u8]) -> u64);

const LOGS: [Log; 2] = [
    ("asterisk", written::asterisk, read_asterisk),
    ("freeswitch", written::freeswitch, read_freeswitch),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let only = arguments.iter().position(|argument| argument == "--only");
    let only = only.and_then(|at| arguments.get(at + 1)).map(String::as_str);
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    for (name, make, read) in LOGS {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let log = make(LINES);
        if has("--make") {
            continue;
        }
        grammar(name, &log, read, if has("--once") { 1 } else { ROUNDS });
    }
    if only.is_none() {
        grep();
    }
    if only.is_none_or(|only| only == "fail2ban") {
        fail2ban();
    }
}

fn grammar(name: &str, log: &str, read: fn(&[u8]) -> u64, rounds: usize) {
    let mut said = 0;
    let seconds = fastest(rounds, || said = read(log.as_bytes()));
    println!(
        "read {LINES} lines of {name}, {} bytes, {said} statements",
        log.len()
    );
    told("this grammar", LINES as usize, seconds);
}

/// The same lines searched for a word, as a script would.
fn grep() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("full");
    fs::write(&log, written::asterisk(LINES)).unwrap();
    let mut found = 0;
    let seconds = fastest(ROUNDS, || found = others::grep(&log));
    println!("grep -c SecurityEvent finds {found} lines of asterisk");
    told("grep -c SecurityEvent", LINES as usize, seconds);
}

/// Debian's filter for Asterisk, read by both programs.
fn fail2ban() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("full");
    let lines: String = written::asterisk(LINES).split_inclusive('\n').take(FEW).collect();
    fs::write(&log, lines).unwrap();
    let (mut ours, mut theirs) = (String::new(), String::new());
    let mine = fastest(3, || ours = others::ringfence_regex(&log));
    let other = fastest(3, || theirs = others::fail2ban_regex(&log));
    assert_eq!(ours, theirs, "both programs find the same");
    println!("{ours} by fail2ban's filter asterisk");
    told("ringfence regex", FEW, mine);
    told("fail2ban-regex", FEW, other);
    println!("{:.1} times as fast", other / mine);
}

/// Seconds that the fastest of some rounds took.
fn fastest(rounds: usize, mut round: impl FnMut()) -> f64 {
    let seconds = (0..rounds).map(|_| {
        let start = Stopwatch::start();
        round();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

fn told(what: &str, lines: usize, seconds: f64) {
    println!(
        "{what}: {:.3} million lines a second",
        lines as f64 / seconds / 1e6
    );
}

fn read_asterisk(log: &[u8]) -> u64 {
    let (mut assembler, clock) = (asterisk::Assembler::new(), Clock::default());
    let mut said = 0;
    for mut piece in log.chunks(READ) {
        while let Some(record) = assembler.take(&mut piece, &clock) {
            said += u64::from(matches!(record.mapped, asterisk::Mapped::Said(_)));
        }
    }
    said
}

fn read_freeswitch(log: &[u8]) -> u64 {
    let mut assembler = freeswitch::Assembler::new(freeswitch::Layout::Log);
    let mut said = 0;
    for mut piece in log.chunks(READ) {
        while let Some(record) = assembler.take(&mut piece) {
            said += u64::from(matches!(record.map(0), freeswitch::Mapped::Said(_)));
        }
    }
    said
}
