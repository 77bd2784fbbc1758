//! How soon a line that is appended to a log is handed over: `cargo bench --bench tail`.
//!
//! The clock starts before the `write` of the logger and stops when the sink is called on the reader's thread, so the write
//! itself, the kernel's notification and the thread's waking are all in it.

#![expect(clippy::unwrap_used, reason = "a bench that can't measure has to stop")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ringfence::clock::Clock;
use ringfence::health::{Health, HealthReport};
use ringfence::place::Passing;
use ringfence::source::logfile::{self, Line, LineSink, LogfileSettings, Pace, Start, Taken};

/// Lines measured, each appended to a log at rest.
const SINGLE: usize = 5000;
/// Lines of one burst.
const BURST: usize = 500_000;

struct Ear(Sender<Instant>);

impl LineSink for Ear {
    fn line(&mut self, _line: &Line<'_>) -> Taken {
        let _ = self.0.send(Instant::now());
        Taken::Done
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages");
    File::create(&path).unwrap();
    let settings = LogfileSettings {
        name: "bench".into(),
        paths: vec![path.clone()],
        start: Start::End,
        pace: Pace::default(),
    };
    let (heard, came) = channel();
    let health = Health::new(HealthReport::default());
    let places = Arc::new(Passing::default());
    let handle = logfile::start(settings, health, Clock::start(), places, Box::new(Ear(heard))).unwrap();
    let mut log = OpenOptions::new().append(true).open(&path).unwrap();
    println!("| what | p50 | p90 | p99 | most |\n|---|---|---|---|---|");
    // until the reader has found the file
    std::thread::sleep(Duration::from_millis(500));
    for pause in [Duration::from_millis(1), Duration::from_millis(20)] {
        let count = if pause.as_millis() > 1 {
            SINGLE / 10
        } else {
            SINGLE
        };
        let mut took: Vec<Duration> = (0..count).map(|_| single(&mut log, &came, pause)).collect();
        took.sort_unstable();
        let part = |part: usize| took.get((took.len() - 1) * part / 100).unwrap().as_micros();
        println!(
            "| a line each {} ms, {count} lines | {} µs | {} µs | {} µs | {} µs |",
            pause.as_millis(),
            part(50),
            part(90),
            part(99),
            part(100)
        );
    }
    let lines = format!("{}\n", "x".repeat(150)).repeat(BURST);
    let began = Instant::now();
    log.write_all(lines.as_bytes()).unwrap();
    let written = began.elapsed();
    let last = came.iter().take(BURST).last().unwrap();
    println!(
        "\n{BURST} lines of 151 bytes at once: written after {} ms, all handed over after {} ms",
        written.as_millis(),
        last.duration_since(began).as_millis()
    );
    assert!(handle.stop(Duration::from_secs(5)), "it stops when told to");
}

/// Appends a line after a rest; how long it took to come.
fn single(log: &mut File, came: &Receiver<Instant>, pause: Duration) -> Duration {
    std::thread::sleep(pause);
    let began = Instant::now();
    log.write_all(b"[Nov 21 19:24:39] NOTICE[1234] chan_sip.c: Registration from 'x' failed\n")
        .unwrap();
    came.recv().unwrap().duration_since(began)
}
