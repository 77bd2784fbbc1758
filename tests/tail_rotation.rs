//! Log files: rotated without end under writers and restarts, and memory.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "tail/common.rs"]
mod common;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use common::{Ear, Scene, append, copy_truncate};
use ringfence::clock::Stopwatch;
use ringfence_testkit::until;

/// Rotated files that are kept. One is deleted when everything in it was read: what is deleted before is lost to every reader.
const KEPT: usize = 60;

/// One at a time: how busy the machine is decides whether a rotated file is seen before it is deleted.
static TURN: Mutex<()> = Mutex::new(());

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Moves every rotated file on by one, and frees the first number.
fn shift(log: &Path) -> PathBuf {
    let numbered = |number: usize| PathBuf::from(format!("{}.{number}", log.display()));
    let _ = fs::remove_file(numbered(KEPT));
    for number in (1..KEPT).rev() {
        let _ = fs::rename(numbered(number), numbered(number + 1));
    }
    numbered(1)
}

/// Writes numbered lines until told to stop, holding a file open for a while as loggers do; how many it wrote.
fn write_lines(log: &Path, name: usize, gate: &RwLock<()>, wrote: &AtomicUsize, stop: &AtomicBool) -> u64 {
    let mut dice = Dice(0x1234_5678 + name as u64);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let open = || OpenOptions::new().append(true).open(log);
        let Ok(mut file) = open() else { continue };
        for _ in 0..=dice.throw(6) {
            let padding = usize::try_from(dice.throw(60)).unwrap();
            let line = format!("w{name} {number} {}\n", "x".repeat(padding));
            // whoever copies and truncates must not do so in the middle of a write: what is written then is lost to all
            let _gate = gate.read().unwrap();
            file.write_all(line.as_bytes()).unwrap();
            wrote.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
        thread::sleep(Duration::from_micros(200 + dice.throw(600)));
    }
    number
}

/// Rotates `times`, by renaming or by copying and truncating; `wrote` counts the lines that were written.
fn rotate(log: &Path, times: usize, gate: &RwLock<()>, wrote: &AtomicUsize, ear: &Ear) {
    let mut dice = Dice(0xabcd_ef01);
    let mut written = VecDeque::new();
    for _ in 0..times {
        // half of what is kept: a writer holds its file for some rotations
        written.push_back(wrote.load(Ordering::Relaxed));
        if written.len() > KEPT / 2
            && let Some(before) = written.pop_front()
        {
            until(common::PATIENCE, "what is to be deleted to be read", || {
                (ear.0.lock().unwrap().len() >= before).then_some(())
            });
        }
        let first = shift(log);
        match dice.throw(3) {
            0 => {
                let _gate = gate.write().unwrap();
                copy_truncate(log, &first);
            }
            1 => {
                fs::rename(log, &first).unwrap();
                File::create(log).unwrap();
            }
            _ => {
                // created only later
                fs::rename(log, &first).unwrap();
                thread::sleep(Duration::from_micros(dice.throw(800)));
                File::create(log).unwrap();
            }
        }
        thread::sleep(Duration::from_micros(3000 + dice.throw(6000)));
    }
}

/// Follows a log under writers and rotations, doing `meanwhile` until they are done; every line must come once, in the order
/// in which its writer wrote it.
fn each_line_once(wild: bool, rotations: usize, mut meanwhile: impl FnMut(&mut Scene)) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scene = Scene::new(if wild { "messages*" } else { "messages" });
    let log = scene.path("messages");
    append(&log, "old\n");
    scene.start();
    let (gate, stop) = (Arc::new(RwLock::new(())), Arc::new(AtomicBool::new(false)));
    let count = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..3)
        .map(|name| {
            let (log, gate, stop) = (log.clone(), Arc::clone(&gate), Arc::clone(&stop));
            let count = Arc::clone(&count);
            thread::spawn(move || write_lines(&log, name, &gate, &count, &stop))
        })
        .collect();
    let rotator = {
        let (log, gate, ear) = (log.clone(), Arc::clone(&gate), scene.ear.clone());
        thread::spawn(move || rotate(&log, rotations, &gate, &count, &ear))
    };
    while !rotator.is_finished() {
        meanwhile(&mut scene);
    }
    rotator.join().unwrap();
    stop.store(true, Ordering::Relaxed);
    let wrote: Vec<u64> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let all = usize::try_from(wrote.iter().sum::<u64>()).unwrap();
    let waited = Stopwatch::start();
    while scene.ear.0.lock().unwrap().len() < all && waited.elapsed() < common::PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(100));
    let heard = scene.heard();
    let all_heard = &heard;
    let mut next = vec![0; wrote.len()];
    for (at, heard) in heard.iter().enumerate() {
        let mut words = heard.text.split(' ');
        let name: usize = words.next().unwrap().strip_prefix('w').unwrap().parse().unwrap();
        let number: u64 = words.next().unwrap().parse().unwrap();
        if number != next[name] {
            let missing = format!("w{name} {} ", next[name]);
            let late = all_heard
                .iter()
                .position(|heard| heard.text.starts_with(&missing));
            let gaps = all_heard.iter().filter(|heard| heard.after_gap).count();
            panic!(
                "{missing}at {late:?}, {} at {at} of {} in {}; {gaps} gaps",
                heard.text, wrote[name], heard.file
            );
        }
        next[name] += 1;
    }
    assert_eq!(next, wrote);
    assert!(heard.iter().all(|heard| !heard.after_gap));
}

#[test]
fn a_thousand_rotations_lose_and_double_nothing() {
    each_line_once(false, 1000, |_| thread::sleep(Duration::from_millis(5)));
}

#[test]
fn a_wildcard_that_names_the_rotated_files_too_doubles_nothing() {
    each_line_once(true, 300, |_| thread::sleep(Duration::from_millis(5)));
}

#[test]
fn restarts_during_rotations_lose_and_double_nothing() {
    let mut dice = Dice(0x5eed);
    each_line_once(false, 700, |scene| {
        thread::sleep(Duration::from_millis(100 + dice.throw(200)));
        scene.stop();
        thread::sleep(Duration::from_millis(dice.throw(40)));
        scene.start_blind();
    });
}
