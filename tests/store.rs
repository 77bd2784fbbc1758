//! The store: what comes back after a restart, a crash, a full disk, a damaged file.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ringfence::engine::{Ban, Evidence, EvidenceEvent, LiftReason, Target, Verdict};
use ringfence::store::{Happening, Restored, Store, StoreError, StoreSettings};
use ringfence_event::{Cause, Moment, Proof, Span};
use rusqlite::Connection;

const NOW: Moment = Moment::from_millis(1_795_000_000_000);
const PATIENCE: Duration = Duration::from_secs(20);

fn after(secs: u64) -> Moment {
    NOW + Span::from_secs(secs)
}

fn settings(folder: &Path) -> StoreSettings {
    StoreSettings {
        path: folder.join("state/ringfence.db"),
        ..StoreSettings::default()
    }
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400_u32.wrapping_add(number)))
}

fn ban_of(target: Target, until: Moment, count: u32) -> Ban {
    let event = EvidenceEvent {
        at: NOW,
        cause: Cause::WrongPassword,
        service: "pjsip".into(),
        source: 0,
        account: "alice\\x00".into(),
        port: 5060,
        transport: "udp".into(),
    };
    let evidence = Evidence {
        attempts: 5,
        proof: Proof::Answered,
        events: vec![event; 3],
    };
    Ban {
        target,
        since: NOW,
        until,
        jail: "auth".into(),
        count,
        evidence,
    }
}

fn ban(number: u32, until: Moment, count: u32) -> Ban {
    ban_of(Target::Address(address(number)), until, count)
}

fn lift(target: Target, reason: LiftReason) -> Verdict {
    Verdict::Lift { target, reason }
}

fn open(settings: &StoreSettings, now: Moment) -> (Store, Restored) {
    let (store, mut restored) = Store::open(settings, now).unwrap();
    restored.bans.sort_by_key(|ban| ban.target);
    restored.memories.sort();
    (store, restored)
}

fn targets(restored: &Restored) -> Vec<String> {
    restored.bans.iter().map(|ban| ban.target.to_string()).collect()
}

/// Runs this very test again as another process, in a role of its own.
fn again(test: &str, role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env("STORE_TEST_ROLE", role)
        .env("STORE_TEST_FOLDER", folder);
    command
}

fn role() -> Option<(String, std::path::PathBuf)> {
    Some((
        std::env::var("STORE_TEST_ROLE").ok()?,
        std::env::var_os("STORE_TEST_FOLDER")?.into(),
    ))
}

#[test]
fn bans_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let socket = Target::Socket("[2001:db8::1]:5060".parse().unwrap());
    let prefix = Target::Prefix("203.0.113.0/24".parse().unwrap());
    {
        let (store, restored) = open(&settings, NOW);
        assert!(restored.bans.is_empty() && restored.memories.is_empty() && restored.notes.is_empty());
        store.record(
            NOW,
            &[
                Verdict::Ban(ban(1, after(60), 1)),
                Verdict::Ban(ban(2, Moment::NEVER, 3)),
            ],
        );
        store.record(
            NOW,
            &[
                Verdict::Ban(ban_of(socket, after(60), 0)),
                Verdict::Ban(ban_of(prefix, after(60), 0)),
            ],
        );
        store.record(
            after(1),
            &[
                Verdict::Extend(ban(1, after(3600), 1)),
                Verdict::Ban(ban(3, after(60), 2)),
            ],
        );
        store.record(after(2), &[lift(ban(3, NOW, 0).target, LiftReason::Unbanned)]);
        store.record(
            after(3),
            &[
                Verdict::Ban(ban(4, after(5), 4)),
                lift(ban(4, NOW, 0).target, LiftReason::Expired),
            ],
        );
        store.flush(PATIENCE).unwrap();
        assert!(store.health().ok);
    }
    let (store, restored) = open(&settings, after(10));
    assert_eq!(
        targets(&restored),
        [
            "198.51.100.1",
            "198.51.100.2",
            "[2001:db8::1]:5060",
            "203.0.113.0/24"
        ]
    );
    let mut expected = ban(1, after(3600), 1);
    expected.evidence.events.clear();
    assert_eq!(restored.bans[0], expected);
    assert_eq!(restored.bans[1].until, Moment::NEVER);
    assert_eq!(
        restored.memories,
        [
            (address(1), 1, after(3600)),
            (address(2), 3, Moment::NEVER),
            (address(4), 4, after(5))
        ],
        "the unbanned address starts anew, the one whose time was over does not"
    );

    let history = store.history(address(1), 10).unwrap();
    assert_eq!(history.len(), 2);
    assert!(matches!(&history[0].what, Happening::Extend(last) if last.until == after(3600)));
    assert_eq!(
        history[1].what,
        Happening::Ban(ban(1, after(60), 1)),
        "with all its evidence"
    );
    let history = store.history(address(3), 10).unwrap();
    assert_eq!(history[0].what, Happening::Lift(LiftReason::Unbanned));
    assert_eq!(
        store.history("2001:db8::1".parse().unwrap(), 10).unwrap()[0].target,
        socket
    );
    assert_eq!(
        store.history("203.0.113.77".parse().unwrap(), 10).unwrap()[0].target,
        prefix
    );
    assert_eq!(store.history("203.0.114.77".parse().unwrap(), 10).unwrap(), []);
    assert_eq!(store.history(address(1), 1).unwrap().len(), 1);
    drop(store);

    let (_store, restored) = open(&settings, after(3601));
    assert_eq!(targets(&restored), ["198.51.100.2"]);
    let month = Span::from_secs(29 * 86_400);
    drop(_store);
    let (_store, restored) = open(&settings, after(10) + month);
    assert_eq!(
        restored.memories.len(),
        1,
        "memories end: {:?}",
        restored.memories
    );
}

#[test]
fn files_are_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    store.record(NOW, &[Verdict::Ban(ban(1, after(60), 1))]);
    store.flush(PATIENCE).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(settings.path.parent().unwrap()) & 0o027, 0);
    for file in fs::read_dir(settings.path.parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path) & 0o137, 0, "{}", path.display());
    }
}

#[test]
fn a_second_daemon_is_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    let error = Store::open(&settings, NOW).unwrap_err();
    assert!(matches!(&error, StoreError::Locked { .. }), "{error}");
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    drop(store);
    open(&settings, NOW);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    fs::create_dir_all(settings.path.parent().unwrap()).unwrap();

    fs::write(&settings.path, "[jail.auth]\nmaxretry = 5\n").unwrap();
    let error = Store::open(&settings, NOW).unwrap_err();
    assert!(error.to_string().contains("a text file"), "{error}");
    assert_eq!(
        fs::read_to_string(&settings.path).unwrap(),
        "[jail.auth]\nmaxretry = 5\n"
    );

    fs::remove_file(&settings.path).unwrap();
    Connection::open(&settings.path)
        .unwrap()
        .execute_batch("CREATE TABLE bips (ip TEXT)")
        .unwrap();
    let before = fs::read(&settings.path).unwrap();
    let error = Store::open(&settings, NOW).unwrap_err();
    assert!(
        error.to_string().contains("another program's database"),
        "{error}"
    );
    let tables: i64 = Connection::open(&settings.path)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!((tables, before.is_empty()), (1, false));

    let folder_as_file = StoreSettings {
        path: folder.path().to_owned(),
        ..StoreSettings::default()
    };
    let error = Store::open(&folder_as_file, NOW).unwrap_err();
    assert!(matches!(&error, StoreError::Path { .. }), "{error}");
}

#[test]
fn an_older_file_is_brought_up_to_date_and_a_newer_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    fs::create_dir_all(settings.path.parent().unwrap()).unwrap();
    Connection::open(&settings.path)
        .unwrap()
        .execute_batch(include_str!("store/v1.sql"))
        .unwrap();

    let (store, restored) = open(&settings, NOW);
    assert_eq!(targets(&restored), ["192.0.2.1"]);
    assert_eq!(store.history("192.0.2.1".parse().unwrap(), 5).unwrap().len(), 1);
    drop(store);
    let db = Connection::open(&settings.path).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
    db.query_row(
        "SELECT 1 FROM sqlite_schema WHERE name = 'history_by_address'",
        [],
        |_| Ok(()),
    )
    .unwrap();

    db.pragma_update(None, "user_version", 9).unwrap();
    drop(db);
    let error = Store::open(&settings, NOW).unwrap_err();
    assert!(
        matches!(
            &error,
            StoreError::Newer {
                found: 9,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
}

/// Fills a store, closes it, lets `damage` loose on the file, and opens it again.
fn after_damage(damage: impl FnOnce(&mut fs::File)) -> (tempfile::TempDir, StoreSettings, Store, Restored) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    let verdicts: Vec<Verdict> = (0..2000)
        .map(|number| Verdict::Ban(ban(number, after(3600), 1)))
        .collect();
    store.record(NOW, &verdicts);
    store.flush(PATIENCE).unwrap();
    drop(store);
    damage(
        &mut fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&settings.path)
            .unwrap(),
    );
    let (store, restored) = open(&settings, NOW);
    (folder, settings, store, restored)
}

fn damaged_files(settings: &StoreSettings) -> usize {
    let names = fs::read_dir(settings.path.parent().unwrap()).unwrap();
    names
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains(".corrupt-2026")
        })
        .count()
}

/// Works as new, and what came back is still there after another restart.
fn works(settings: &StoreSettings, store: Store, bans: usize) {
    store.record(NOW, &[Verdict::Ban(ban(9999, after(3600), 1))]);
    store.flush(PATIENCE).unwrap();
    assert_eq!(store.history(address(9999), 5).unwrap().len(), 1);
    drop(store);
    let (_store, restored) = open(settings, NOW);
    assert_eq!(restored.bans.len(), bans + 1);
    assert!(restored.notes.is_empty(), "{:?}", restored.notes);
}

#[test]
fn a_garbage_header_is_moved_aside() {
    let (_folder, settings, store, restored) = after_damage(|file| file.write_all(&[0xa5; 4096]).unwrap());
    assert_eq!((restored.bans.len(), damaged_files(&settings)), (0, 1));
    assert!(
        restored.notes[0].contains("is damaged") && restored.notes[0].contains(".corrupt-2026"),
        "{restored:?}"
    );
    works(&settings, store, 0);
}

#[test]
fn a_truncated_file_is_moved_aside() {
    let (_folder, settings, store, restored) = after_damage(|file| {
        let len = file.metadata().unwrap().len();
        file.set_len(len / 3 / 4096 * 4096 + 100).unwrap();
    });
    assert_eq!(damaged_files(&settings), 1);
    let saved = restored.bans.len();
    works(&settings, store, saved);
}

/// The pages of a table, from SQLite's own books.
fn pages_of(path: &Path, root: &str, leaf_type: u8) -> Vec<u64> {
    let rootpage: i64 = Connection::open(path)
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?1",
            [root],
            |row| row.get(0),
        )
        .unwrap();
    let file = fs::read(path).unwrap();
    let page = |number: u64| &file[usize::try_from((number - 1) * 4096).unwrap()..][..4096];
    let mut leaves = Vec::new();
    let mut todo = vec![u64::try_from(rootpage).unwrap()];
    while let Some(number) = todo.pop() {
        let bytes = page(number);
        if bytes[0] == leaf_type {
            leaves.push(number);
            continue;
        }
        let cells = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        todo.push(u64::from(u32::from_be_bytes(bytes[8..12].try_into().unwrap())));
        for cell in 0..cells {
            let at = usize::from(u16::from_be_bytes([bytes[12 + 2 * cell], bytes[13 + 2 * cell]]));
            todo.push(u64::from(u32::from_be_bytes(
                bytes[at..at + 4].try_into().unwrap(),
            )));
        }
    }
    leaves
}

#[test]
fn bans_around_a_damaged_page_are_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    let verdicts: Vec<Verdict> = (0..2000)
        .map(|number| Verdict::Ban(ban(number, after(3600), 1)))
        .collect();
    store.record(NOW, &verdicts);
    drop(store);
    let leaves = pages_of(&settings.path, "bans", 10);
    assert!(leaves.len() > 10);
    let mut file = fs::OpenOptions::new().write(true).open(&settings.path).unwrap();
    file.seek(SeekFrom::Start((leaves[leaves.len() / 2] - 1) * 4096))
        .unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    drop(file);

    let (store, restored) = open(&settings, NOW);
    assert_eq!(damaged_files(&settings), 1);
    let saved = restored.bans.len();
    assert!(
        (1800..2000).contains(&saved),
        "one page of {} is lost, {saved} bans are there",
        leaves.len()
    );
    works(&settings, store, saved);
}

#[test]
fn damage_found_while_running_loses_no_ban() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    let verdicts: Vec<Verdict> = (0..2000)
        .map(|number| Verdict::Ban(ban(number, after(3600), 1)))
        .collect();
    store.record(NOW, &verdicts);
    drop(store);
    for page in pages_of(&settings.path, "history", 13) {
        let mut file = fs::OpenOptions::new().write(true).open(&settings.path).unwrap();
        file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
        file.write_all(&[0xff; 4096]).unwrap();
    }
    let (store, restored) = open(&settings, NOW);
    assert_eq!(
        (restored.bans.len(), damaged_files(&settings)),
        (2000, 0),
        "bans are whole, history is not looked at"
    );
    assert!(!store.take_incomplete());
    store.record(NOW, &[Verdict::Ban(ban(5000, after(3600), 1))]);
    store.flush(PATIENCE).unwrap();
    assert_eq!(damaged_files(&settings), 1);
    assert!(store.take_incomplete() && !store.take_incomplete());
    works(&settings, store, 2001);
}

#[test]
fn few_damaged_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    for round in 0..6 {
        drop(open(&settings, NOW));
        fs::write(&settings.path, [0xa5; 5000]).unwrap();
        let (_store, restored) = open(&settings, after(round));
        assert_eq!(restored.notes.len(), 1);
    }
    assert_eq!(damaged_files(&settings), 3);
}

#[test]
fn a_file_taken_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    let bans = [ban(1, after(3600), 1), ban(2, after(3600), 1)];
    store.record(NOW, &bans.clone().map(Verdict::Ban));
    store.flush(PATIENCE).unwrap();
    fs::remove_file(&settings.path).unwrap();
    // Looked at now and then, by the time that the daemon passes in.
    store.record(after(60), &[Verdict::Ban(ban(3, after(3600), 1))]);
    let _ = store.flush(PATIENCE);
    assert!(store.take_incomplete());
    store.put_all(&bans);
    store.put_all(&[ban(3, after(3600), 1)]);
    store.flush(PATIENCE).unwrap();
    assert!(store.health().ok);
    drop(store);
    assert_eq!(open(&settings, after(60)).1.bans.len(), 3);
}

#[test]
fn history_is_bounded_by_age_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        history: Span::from_secs(3600),
        history_rows: 100,
        ..settings(folder.path())
    };
    let (store, _) = open(&settings, NOW);
    for number in 0..500 {
        store.record(NOW, &[Verdict::Ban(ban(number, after(60), 1))]);
    }
    store.flush(PATIENCE).unwrap();
    store.record(after(60), &[Verdict::Ban(ban(500, after(60), 1))]);
    store.flush(PATIENCE).unwrap();
    store.history(address(0), 1).unwrap();
    drop(store);
    let rows = || -> (i64, i64) {
        let db = Connection::open(&settings.path).unwrap();
        db.query_row(
            "SELECT count(*), (SELECT count(*) FROM bans) FROM history",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap()
    };
    assert_eq!(rows(), (100, 501));

    let (store, _) = open(&settings, after(7200));
    store.record(after(7200), &[Verdict::Ban(ban(501, after(9000), 1))]);
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(rows(), (1, 502), "bans are remembered for weeks");
    let (store, _) = open(&settings, after(40 * 86_400));
    store.record(
        after(40 * 86_400),
        &[Verdict::Ban(ban(501, after(41 * 86_400), 1))],
    );
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(rows(), (1, 1));
}

#[test]
fn what_was_flushed_survives_kill_9() {
    if let Some((_, folder)) = role() {
        let (store, _) = open(&settings(&folder), NOW);
        for number in 0..1_000_000 {
            store.record(NOW, &[Verdict::Ban(ban(number, after(3600), 1))]);
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
    store.record(NOW, &[Verdict::Ban(ban(0, after(3600), 1))]);
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
    store.record(NOW, &verdicts);
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
        &verdicts
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
    store.record(NOW, &[Verdict::Ban(ban(1, after(3600), 1))]);
    drop(store);
    remount("remount,ro");
    let (store, restored) = open(&settings, NOW);
    assert_eq!(
        (targets(&restored).len(), restored.notes.len()),
        (1, 1),
        "{restored:?}"
    );
    store.record(NOW, &[Verdict::Ban(ban(2, after(3600), 1))]);
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
    store.record(NOW, &[Verdict::Ban(ban(1, after(3600), 1))]);
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
    store.record(NOW, &[Verdict::Ban(ban(1, after(3600), 1))]);
    drop(store);
    let shell = Connection::open(&settings.path).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM bans;").unwrap();
    let (store, restored) = open(&settings, NOW);
    assert_eq!(
        (restored.bans.len(), store.health().ok),
        (1, false),
        "{restored:?}"
    );
    store.record(NOW, &[Verdict::Ban(ban(2, after(3600), 1))]);
    drop(shell);
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(open(&settings, NOW).1.bans.len(), 2);
}

/// Prints the figures; run it with `--release -- --nocapture`.
#[test]
fn a_hundred_thousand_bans_are_read_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let clock = Instant::now();
    let (store, _) = open(&settings, NOW);
    println!("made in {:?}", clock.elapsed());
    let bans: Vec<Ban> = (0..100_000_u32)
        .map(|number| ban(number.wrapping_mul(2_654_435_761), after(3600), 1))
        .collect();
    let clock = Instant::now();
    store.put_all(&bans);
    store.flush(Duration::from_mins(1)).unwrap();
    println!("100,000 bans written in {:?}", clock.elapsed());
    let verdicts: Vec<Verdict> = bans.into_iter().take(10_000).map(Verdict::Extend).collect();
    let clock = Instant::now();
    for verdict in &verdicts {
        store.record(NOW, std::slice::from_ref(verdict));
    }
    println!("10,000 verdicts with evidence recorded in {:?}", clock.elapsed());
    store.flush(Duration::from_mins(1)).unwrap();
    println!("… and written in {:?}", clock.elapsed());
    let clock = Instant::now();
    for verdict in verdicts.iter().take(100) {
        store.record(NOW, std::slice::from_ref(verdict));
        store.flush(PATIENCE).unwrap();
    }
    println!("one verdict recorded and flushed: {:?}", clock.elapsed() / 100);
    let clock = Instant::now();
    store.history(address(1), 10).unwrap();
    println!("history in {:?}", clock.elapsed());
    drop(store);
    let clock = Instant::now();
    let (_store, restored) = Store::open(&settings, NOW).unwrap();
    let took = clock.elapsed();
    println!(
        "{} bans and {} memories read in {took:?}",
        restored.bans.len(),
        restored.memories.len()
    );
    assert_eq!(restored.bans.len(), 100_000);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Whatever is recorded, and however it is split into writes and restarts, the latest state comes back.
    #[test]
    fn the_latest_state_comes_back(steps in proptest::collection::vec((0..6_u32, 0..5_u8, 1..100_u64, 0..3_u32), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let mut model: std::collections::BTreeMap<IpAddr, (Moment, u32, u32)> = std::collections::BTreeMap::new();
        let mut store = Some(open(&settings, NOW).0);
        for (number, what, until, count) in steps {
            let target = Target::Address(address(number));
            let handle = store.as_ref().unwrap();
            match what {
                0 | 1 => {
                    let times = if count > 0 { count } else { model.get(&address(number)).map_or(0, |kept| kept.2) };
                    model.insert(address(number), (after(until), count, times));
                    let ban = ban(number, after(until), count);
                    handle.record(NOW, &[if what == 0 { Verdict::Ban(ban) } else { Verdict::Extend(ban) }]);
                }
                2 => {
                    model.remove(&address(number));
                    handle.record(NOW, &[lift(target, LiftReason::Ignored)]);
                }
                3 => handle.flush(PATIENCE).unwrap(),
                _ => {
                    drop(store.take());
                    store = Some(open(&settings, NOW).0);
                }
            }
        }
        drop(store);
        let (_store, restored) = open(&settings, NOW);
        let found: Vec<_> = restored.bans.iter().map(|ban| (ban.target, ban.until, ban.count)).collect();
        let wanted: Vec<_> =
            model.iter().map(|(addr, (until, count, _))| (Target::Address(*addr), *until, *count)).collect();
        assert_eq!(found, wanted);
        let times: Vec<_> = restored.memories.iter().map(|(addr, times, _)| (*addr, *times)).collect();
        let wanted: Vec<_> =
            model.iter().filter(|(_, kept)| kept.2 > 0).map(|(addr, kept)| (*addr, kept.2)).collect();
        assert_eq!(times, wanted);
    }

    /// Any bytes in place of the file: it opens, or it is left alone.
    #[test]
    fn any_file_is_survived(start in 0..8192_usize, garbage in proptest::collection::vec(proptest::num::u8::ANY, 1..600)) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (store, _) = open(&settings, NOW);
        store.record(NOW, &[Verdict::Ban(ban(1, after(3600), 1))]);
        drop(store);
        let mut file = fs::OpenOptions::new().read(true).write(true).open(&settings.path).unwrap();
        file.seek(SeekFrom::Start(start as u64)).unwrap();
        file.write_all(&garbage).unwrap();
        drop(file);
        match Store::open(&settings, NOW) {
            Ok((store, _)) => {
                store.record(NOW, &[Verdict::Ban(ban(2, after(3600), 1))]);
                store.flush(PATIENCE).unwrap();
            }
            Err(error) => assert!(matches!(error, StoreError::Foreign { .. } | StoreError::Newer { .. }), "{error}"),
        }
        let mut still_there = Vec::new();
        fs::File::open(&settings.path).unwrap().read_to_end(&mut still_there).unwrap();
        assert!(!still_there.is_empty());
    }
}
