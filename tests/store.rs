//! The store: what comes back after a restart.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "store/common.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{NOW, PATIENCE, address, after, ban, ban_of, lift, open, settings, targets};
use ringfence::engine::{Ban, LiftReason, Target, Verdict};
use ringfence::store::{Happening, Store, StoreError, StoreSettings};
use ringfence_event::{Moment, Span};
use rusqlite::Connection;

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
            [
                Verdict::Ban(ban(1, after(60), 1)),
                Verdict::Ban(ban(2, Moment::NEVER, 3)),
            ],
        );
        store.record(
            NOW,
            [
                Verdict::Ban(ban_of(socket, after(60), 0)),
                Verdict::Ban(ban_of(prefix, after(60), 0)),
            ],
        );
        store.record(
            after(1),
            [
                Verdict::Extend(ban(1, after(3600), 1)),
                Verdict::Ban(ban(3, after(60), 2)),
            ],
        );
        store.record(after(2), [lift(ban(3, NOW, 0).target, LiftReason::Unbanned)]);
        store.record(
            after(3),
            [
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

    let (store, restored) = open(&settings, after(3601));
    assert_eq!(targets(&restored), ["198.51.100.2"]);
    let month = Span::from_secs(29 * 86_400);
    drop(store);
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
    store.record(NOW, [Verdict::Ban(ban(1, after(60), 1))]);
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
    assert_eq!(version, 4);
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
                known: 4,
                ..
            }
        ),
        "{error}"
    );
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
        store.record(NOW, [Verdict::Ban(ban(number, after(60), 1))]);
    }
    store.flush(PATIENCE).unwrap();
    store.record(after(60), [Verdict::Ban(ban(500, after(60), 1))]);
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
    store.record(after(7200), [Verdict::Ban(ban(501, after(9000), 1))]);
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(rows(), (1, 502), "bans are remembered for weeks");
    let (store, _) = open(&settings, after(40 * 86_400));
    store.record(
        after(40 * 86_400),
        [Verdict::Ban(ban(501, after(41 * 86_400), 1))],
    );
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(rows(), (1, 1));
}

#[test]
fn memories_are_bounded_and_bans_in_force_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        memories: 100,
        ..settings(folder.path())
    };
    let unbounded = StoreSettings {
        memories: u64::MAX,
        ..settings.clone()
    };
    let rows = || -> i64 {
        let db = Connection::open(&settings.path).unwrap();
        db.query_row("SELECT count(*) FROM bans", [], |row| row.get(0))
            .unwrap()
    };
    let (store, _) = open(&unbounded, NOW);
    // one after the other is over, the last number first; two hundred are in force for a day
    let over = (0..3000).map(|number| Verdict::Ban(ban(number, after(4000 - u64::from(number)), 1)));
    let in_force = (5000..5200).map(|number| Verdict::Ban(ban(number, after(86_400), 1)));
    store.record(NOW, over.chain(in_force));
    store.flush(PATIENCE).unwrap();
    drop(store);
    assert_eq!(rows(), 3200);

    let newest: Vec<_> = (0..100).map(address).collect();
    let as_wanted = |restored: &ringfence::store::Restored| {
        assert_eq!(restored.bans.len(), 200);
        assert!(restored.bans.iter().all(|ban| ban.until == after(86_400)));
        let addresses: Vec<_> = restored.memories.iter().map(|(addr, ..)| *addr).collect();
        assert_eq!(addresses.len(), 300, "those in force are remembered besides");
        assert_eq!(
            addresses[..100],
            newest,
            "the ones that would be forgotten first are left out"
        );
    };
    let (store, restored) = open(&settings, after(5000));
    as_wanted(&restored);
    store.record(after(5000), [Verdict::Extend(ban(5000, after(86_400), 1))]);
    store.flush(PATIENCE).unwrap();
    store.history(address(0), 1).unwrap();
    drop(store);
    assert_eq!(rows(), 300);
    as_wanted(&open(&unbounded, after(5000)).1);
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
        store.record(NOW, [verdict.clone()]);
    }
    println!("10,000 verdicts with evidence recorded in {:?}", clock.elapsed());
    store.flush(Duration::from_mins(1)).unwrap();
    println!("… and written in {:?}", clock.elapsed());
    let clock = Instant::now();
    for verdict in verdicts.iter().take(100) {
        store.record(NOW, [verdict.clone()]);
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
        let mut model: BTreeMap<IpAddr, (Moment, u32, u32)> = BTreeMap::new();
        let mut store = Some(open(&settings, NOW).0);
        for (number, what, until, count) in steps {
            let target = Target::Address(address(number));
            let handle = store.as_ref().unwrap();
            match what {
                0 | 1 => {
                    let times = if count > 0 { count } else { model.get(&address(number)).map_or(0, |kept| kept.2) };
                    model.insert(address(number), (after(until), count, times));
                    let ban = ban(number, after(until), count);
                    handle.record(NOW, [if what == 0 { Verdict::Ban(ban) } else { Verdict::Extend(ban) }]);
                }
                2 => {
                    model.remove(&address(number));
                    handle.record(NOW, [lift(target, LiftReason::Ignored)]);
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
}
