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

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Ear, PATIENCE};
use ringfence::clock::Clock;
use ringfence::health::{Health, HealthReport};
use ringfence::place::{Passing, Places};
use ringfence::source::journal::{self, JournalSettings};
use ringfence::source::logfile::Handle;
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
    let settings = JournalSettings {
        name: "journal".into(),
        program: program.to_owned(),
        matches: vec!["_SYSTEMD_UNIT=asterisk.service".into()],
        since: None,
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
