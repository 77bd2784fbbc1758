//! The store: damaged files, and files taken away.

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
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use common::{NOW, PATIENCE, address, after, ban, damaged_files, open, settings};
use ringfence::engine::Verdict;
use ringfence::store::{Restored, Store, StoreError, StoreSettings};
use rusqlite::Connection;

/// Fills a store, closes it, lets `damage` loose on the file, and opens it again.
fn after_damage(damage: impl FnOnce(&mut fs::File)) -> (tempfile::TempDir, StoreSettings, Store, Restored) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (store, _) = open(&settings, NOW);
    let verdicts: Vec<Verdict> = (0..2000)
        .map(|number| Verdict::Ban(ban(number, after(3600), 1)))
        .collect();
    store.record(NOW, verdicts.clone());
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

/// Works as new, and what came back is still there after another restart.
fn works(settings: &StoreSettings, store: Store, bans: usize) {
    store.record(NOW, [Verdict::Ban(ban(9999, after(3600), 1))]);
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
    store.record(NOW, verdicts.clone());
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
    store.record(NOW, verdicts.clone());
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
    store.record(NOW, [Verdict::Ban(ban(5000, after(3600), 1))]);
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
    store.record(NOW, bans.clone().map(Verdict::Ban));
    store.flush(PATIENCE).unwrap();
    fs::remove_file(&settings.path).unwrap();
    // Looked at now and then, by the time that the daemon passes in.
    store.record(after(60), [Verdict::Ban(ban(3, after(3600), 1))]);
    let _ = store.flush(PATIENCE);
    assert!(store.take_incomplete());
    store.put_all(&bans);
    store.put_all(&[ban(3, after(3600), 1)]);
    store.flush(PATIENCE).unwrap();
    assert!(store.health().ok);
    drop(store);
    assert_eq!(open(&settings, after(60)).1.bans.len(), 3);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Any bytes in place of the file: it opens, or it is left alone.
    #[test]
    fn any_file_is_survived(start in 0..8192_usize, garbage in proptest::collection::vec(proptest::num::u8::ANY, 1..600)) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (store, _) = open(&settings, NOW);
        store.record(NOW, [Verdict::Ban(ban(1, after(3600), 1))]);
        drop(store);
        let mut file = fs::OpenOptions::new().read(true).write(true).open(&settings.path).unwrap();
        file.seek(SeekFrom::Start(start as u64)).unwrap();
        file.write_all(&garbage).unwrap();
        drop(file);
        match Store::open(&settings, NOW) {
            Ok((store, _)) => {
                store.record(NOW, [Verdict::Ban(ban(2, after(3600), 1))]);
                store.flush(PATIENCE).unwrap();
            }
            Err(error) => assert!(matches!(error, StoreError::Foreign { .. } | StoreError::Newer { .. }), "{error}"),
        }
        let mut still_there = Vec::new();
        fs::File::open(&settings.path).unwrap().read_to_end(&mut still_there).unwrap();
        assert!(!still_there.is_empty());
    }
}
