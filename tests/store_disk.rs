//! The store: killed, on a full disk, on a read-only one.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "store/common.rs"]
mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::{NOW, PATIENCE, address, after, again, ban, damaged_files, open, role, settings, targets};
use ringfence::engine::{Ban, Target, Verdict};
use rusqlite::Connection;

#[test]
fn what_was_flushed_survives_kill_9() {
    if let Some((_, folder)) = role() {
        let (store, _) = open(&settings(&folder), NOW);
        for number in 0..1_000_000 {
            store.record(NOW, [Verdict::Ban(ban(number, after(3600), 1))]);
            store.flush(PATIENCE).unwrap();
            println!("\nflushed {number}");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let mut child = again("what_was_flushed_survives_kill_9", "writer", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut flushed = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(number) = line.unwrap().strip_prefix("flushed ") {
                flushed = number.parse().unwrap();
                if flushed >= 50 + round * 37 {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (store, restored) = open(&settings(folder.path()), NOW);
        assert!(restored.notes.is_empty(), "{:?}", restored.notes);
        assert!(flushed >= 50);
        for number in 0..=flushed {
            assert!(
                restored
                    .bans
                    .iter()
                    .any(|ban| ban.target == Target::Address(address(number))),
                "{number} is lost"
            );
        }
        assert_eq!(store.history(address(0), 5).unwrap().len(), round as usize + 1);
    }
}

/// Runs this test again where it may mount a small disk of its own, which vanishes with it.
fn on_a_small_disk(test: &str, size: &str) {
    let folder = tempfile::tempdir().unwrap();
    let inner = again(test, "small disk", folder.path());
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o \"size=$1\" tmpfs \"$STORE_TEST_FOLDER\" && shift && exec \"$@\"";
    command
        .args(["sh", "-c", script, "sh", size])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let Some((_, folder)) = role() else {
        return on_a_small_disk("a_full_disk_loses_nothing", "2m");
    };
    let settings = settings(&folder);
    let (store, _) = open(&settings, NOW);
    store.record(NOW, [Verdict::Ban(ban(0, after(3600), 1))]);
    store.flush(PATIENCE).unwrap();
    // Somebody fills the disk.
    let mut filler = fs::File::create(folder.join("filler")).unwrap();
    let mut chunk = vec![0; 4096];
    while filler.write_all(&chunk).is_ok() {}
    chunk.truncate(1);
    while filler.write_all(&chunk).is_ok() {}

    let verdicts: Vec<Verdict> = (1..3000)
        .map(|number| Verdict::Ban(ban(number, after(3600), 1)))
        .collect();
    store.record(NOW, verdicts.clone());
    let error = store.flush(PATIENCE).unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    let health = store.health();
    assert!(
        !health.ok && health.waiting >= 2000 && health.message.contains("full"),
        "{health:?}"
    );
    // Still answers, from the disk and from what waits.
    assert_eq!(store.history(address(0), 5).unwrap().len(), 1);
    assert_eq!(store.history(address(2999), 5).unwrap().len(), 1);
    // More of the same targets does not pile up.
    store.record(
        NOW,
        verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Ban(ban) => Verdict::Extend(Ban {
                    until: after(7200),
                    ..ban.clone()
                }),
                other => other.clone(),
            })
            .collect::<Vec<_>>(),
    );
    assert!(store.flush(PATIENCE).is_err());
    assert!(store.health().waiting <= 3000);

    drop(filler);
    fs::remove_file(folder.join("filler")).unwrap();
    // 3,000 bans with their history need more than this disk has; bans come first.
    let _ = store.flush(PATIENCE);
    assert_eq!(store.health().waiting, 0, "{:?}", store.health());
    drop(store);
    let (_store, restored) = open(&settings, NOW);
    assert_eq!(restored.bans.len(), 3000);
    assert_eq!(
        restored
            .bans
            .iter()
            .filter(|ban| ban.until == after(7200))
            .count(),
        2999
    );
    assert_eq!(damaged_files(&settings), 0);
}

#[test]
fn a_read_only_disk_is_read_and_tried_again() {
    let Some((_, folder)) = role() else {
        return on_a_small_disk("a_read_only_disk_is_read_and_tried_again", "8m");
    };
    let remount = |how: &str| {
        assert!(
            Command::new("mount")
                .args(["-o", how])
                .arg(&folder)
                .status()
                .unwrap()
                .success()
        );
    };
    let settings = settings(&folder);
    let (store, _) = open(&settings, NOW);
    store.record(NOW, [Verdict::Ban(ban(1, after(3600), 1))]);
    drop(store);
    remount("remount,ro");
    let (store, restored) = open(&settings, NOW);
    assert_eq!(
        (targets(&restored).len(), restored.notes.len()),
        (1, 1),
        "{restored:?}"
    );
    store.record(NOW, [Verdict::Ban(ban(2, after(3600), 1))]);
    let error = store.flush(PATIENCE).unwrap_err();
    assert!(error.to_string().contains("ead-only"), "{error}");
    assert!(!store.health().ok);
    remount("remount,rw");
    store.flush(PATIENCE).unwrap();
    assert!(store.health().ok);
    drop(store);
    assert_eq!(open(&settings, NOW).1.bans.len(), 2);
}

#[test]
fn a_disk_full_from_the_start_is_no_reason_not_to_ban() {
    let Some((_, folder)) = role() else {
        return on_a_small_disk("a_disk_full_from_the_start_is_no_reason_not_to_ban", "1m");
    };
    let mut filler = fs::File::create(folder.join("filler")).unwrap();
    while filler.write_all(&[0; 512]).is_ok() {}
    let settings = settings(&folder);
    let (store, restored) = open(&settings, NOW);
    assert_eq!(restored.notes.len(), 1);
    store.record(NOW, [Verdict::Ban(ban(1, after(3600), 1))]);
    assert!(store.flush(PATIENCE).is_err());
    assert!(store.history(address(1), 5).unwrap().len() == 1);
    drop(filler);
    fs::remove_file(folder.join("filler")).unwrap();
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(open(&settings, NOW).1.bans.len(), 1);
}

/// A shell that looks at the database must not keep the daemon from banning.
#[test]
fn a_reader_of_the_file_is_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    store.record(NOW, [Verdict::Ban(ban(1, after(3600), 1))]);
    drop(store);
    let shell = Connection::open(&settings.path).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM bans;").unwrap();
    let (store, restored) = open(&settings, NOW);
    assert_eq!(
        (restored.bans.len(), store.health().ok),
        (1, false),
        "{restored:?}"
    );
    store.record(NOW, [Verdict::Ban(ban(2, after(3600), 1))]);
    drop(shell);
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(open(&settings, NOW).1.bans.len(), 2);
}
