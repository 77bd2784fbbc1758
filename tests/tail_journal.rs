//! The journal: a `journalctl` that follows, dies, and is started again where it stopped.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "tail/common.rs"]
mod common;
#[path = "tail/journald.rs"]
mod journald;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Ear, PATIENCE};
use ringfence::clock::Clock;
use ringfence::health::{Health, HealthReport};
use ringfence::place::{Passing, Places};
use ringfence::source::journal::{self, JournalSettings};
use ringfence::source::logfile::{Ending, Handle, LONGEST_LINE};
use ringfence_testkit::until;

/// A `journalctl` that writes its arguments down and then what `entries.N` says, N being how often it was started before.
fn fake(folder: &Path, ending: &str) -> PathBuf {
    let path = folder.join("journalctl");
    let script = format!(
        "#!/bin/sh\ncd '{}'\nn=$(cat count 2>/dev/null || echo 0)\necho $((n+1)) >count\necho \"$@\" >>arguments\n\
         [ -f entries.$n ] && cat entries.$n\n[ -f complaint.$n ] && cat complaint.$n >&2 && exit 1\n{ending}\n",
        folder.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn entry(cursor: &str, message: &str) -> String {
    format!(
        "{{\"__CURSOR\":\"{cursor}\",\"__REALTIME_TIMESTAMP\":\"1795289079140000\",\"MESSAGE\":{message}}}\n"
    )
}

fn start(program: &Path, places: &Arc<dyn Places>, ear: &Ear) -> (Handle, Health) {
    start_on(program, "_SYSTEMD_UNIT=asterisk.service", None, places, ear)
}

fn start_on(
    program: &Path,
    wanted: &str,
    since: Option<&str>,
    places: &Arc<dyn Places>,
    ear: &Ear,
) -> (Handle, Health) {
    let settings = JournalSettings {
        name: "journal".into(),
        program: program.to_owned(),
        matches: vec![wanted.into()],
        since: since.map(str::to_owned),
    };
    let health = Health::new(HealthReport::default());
    let sink = Box::new(ear.clone());
    let handle = journal::start(settings, health.clone(), Clock::start(), Arc::clone(places), sink).unwrap();
    (handle, health)
}

#[test]
fn it_goes_on_after_the_last_entry_when_journalctl_dies() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("\"{}\"", "x".repeat(2_000_000));
    let first = [
        entry("s=1;i=1", "\"one\\nstill one\""),
        entry("s=1;i=2", "[102,255]"),
        entry("s=1;i=3", &long),
    ];
    fs::write(folder.path().join("entries.0"), first.concat()).unwrap();
    fs::write(folder.path().join("entries.1"), entry("s=1;i=4", "\"two\"")).unwrap();
    let program = fake(folder.path(), "[ $n -ge 1 ] && exec sleep 1000");
    let (places, ear): (Arc<dyn Places>, _) = (Arc::new(Passing::default()), Ear::default());
    let (handle, health) = start(&program, &places, &ear);
    until(PATIENCE, "three messages", || {
        (ear.0.lock().unwrap().len() == 3).then_some(())
    });
    let heard = ear.0.lock().unwrap().clone();
    let texts: Vec<_> = heard.iter().map(|heard| heard.text.as_str()).collect();
    assert_eq!(texts, ["one\nstill one", "f\u{fffd}", "two"]);
    assert!(heard[2].after_gap, "what was too large is said to be missing");
    assert_eq!(health.report().oversized, 1);
    assert!(handle.stop(PATIENCE));
    assert_eq!(places.kept("journal").unwrap(), "s=1;i=4");
    let arguments = fs::read_to_string(folder.path().join("arguments")).unwrap();
    let lines: Vec<_> = arguments.lines().collect();
    assert!(lines[0].contains("--lines=0") && lines[0].ends_with("_SYSTEMD_UNIT=asterisk.service"));
    assert!(lines[1].contains("--after-cursor=s=1;i=2 "), "{}", lines[1]);
    // a restart of the daemon
    fs::write(folder.path().join("entries.2"), entry("s=1;i=5", "\"three\"")).unwrap();
    let (handle, _) = start(&program, &places, &ear);
    until(PATIENCE, "one more", || {
        (ear.0.lock().unwrap().len() == 4).then_some(())
    });
    assert!(handle.stop(PATIENCE));
    let arguments = fs::read_to_string(folder.path().join("arguments")).unwrap();
    assert!(
        arguments
            .lines()
            .nth(2)
            .unwrap()
            .contains("--after-cursor=s=1;i=4 ")
    );
}

#[test]
fn what_journalctl_complains_of_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("complaint.0"),
        "No journal files\x1b were opened",
    )
    .unwrap();
    let program = fake(folder.path(), "exec sleep 1000");
    let (places, ear): (Arc<dyn Places>, _) = (Arc::new(Passing::default()), Ear::default());
    let (handle, health) = start(&program, &places, &ear);
    until(PATIENCE, "its words", || {
        health
            .report()
            .problem
            .contains("No journal files  were opened")
            .then_some(())
    });
    drop(handle);
    let (handle, health) = start(&folder.path().join("missing"), &places, &ear);
    until(PATIENCE, "that it is missing", || {
        health.report().problem.contains("can't be started").then_some(())
    });
    assert!(handle.stop(PATIENCE));
}

#[test]
fn a_cursor_that_is_in_no_journal_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("complaint.0"),
        "Failed to seek to cursor: Invalid argument",
    )
    .unwrap();
    fs::write(folder.path().join("entries.1"), entry("s=2;i=1", "\"new\"")).unwrap();
    let program = fake(folder.path(), "exec sleep 1000");
    let (places, ear): (Arc<dyn Places>, _) = (Arc::new(Passing::default()), Ear::default());
    places.keep(Clock::start().now(), "journal", "s=1;i=9".into());
    let (handle, _) = start(&program, &places, &ear);
    until(PATIENCE, "the new one", || {
        (ear.0.lock().unwrap().len() == 1).then_some(())
    });
    assert!(ear.0.lock().unwrap()[0].after_gap);
    assert!(handle.stop(PATIENCE));
}

#[test]
fn a_real_journal_is_followed_through_a_restart_and_after_it_was_cleared() {
    let mut journald = journald::Journald::start();
    let program = journald.journalctl();
    let (places, ear): (Arc<dyn Places>, _) = (Arc::new(Passing::default()), Ear::default());
    let begin = || {
        let (handle, health) = start_on(&program, "RINGFENCE_TEST=1", Some("-1h"), &places, &ear);
        until(PATIENCE, "a watch", || {
            (health.report().state.name() == "watching").then_some(())
        });
        handle
    };
    let expect = |texts: &[&str]| {
        until(PATIENCE, "the messages", || {
            (ear.0.lock().unwrap().len() >= texts.len()).then_some(())
        });
        let heard = ear.0.lock().unwrap();
        let heard: Vec<_> = heard.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(heard, texts);
    };
    journald.log(&[b"before the first start"]);
    let handle = begin();
    expect(&["before the first start"]);
    // a message that holds a line feed is one line, and no second one blames anybody
    journald.log(&[b"one\nfailed from 192.0.2.1"]);
    journald.log(&[b"f\xff\0\nfailed from 192.0.2.2"]);
    journald.log(&[b"first", b"second"]);
    let long = vec![b'x'; 70_000];
    journald.log(&[&long]);
    let cut = "x".repeat(LONGEST_LINE);
    let mut texts = vec![
        "before the first start",
        "one\nfailed from 192.0.2.1",
        "f\u{fffd}\0\nfailed from 192.0.2.2",
        "first",
        &cut,
    ];
    expect(&texts);
    assert_eq!(ear.0.lock().unwrap()[4].ending, Ending::Cut);
    assert!(handle.stop(PATIENCE));
    journald.log(&[b"while away"]);
    let handle = begin();
    journald.log(&[b"back"]);
    texts.extend(["while away", "back"]);
    expect(&texts);
    assert!(handle.stop(PATIENCE));
    journald.clear();
    let handle = begin();
    journald.log(&[b"after it was cleared"]);
    texts.push("after it was cleared");
    expect(&texts);
    assert!(handle.stop(PATIENCE));
}
