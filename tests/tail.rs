//! Log files: every kind of rotation, and what goes wrong in directories; each line comes once.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "tail/common.rs"]
mod common;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::time::Duration;

use common::{Scene, append, copy_truncate};
use ringfence::source::logfile::{Ending, LONGEST_LINE, Start};
use ringfence_testkit::until;

#[test]
fn a_first_start_begins_at_the_end() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    append(&log, "old\nhalf");
    scene.start();
    append(&log, " of a line\nnew\n");
    append(&log, "spl");
    append(&log, "it\r\n");
    scene.expect(&["new", "split"]);
    let heard = scene.heard();
    assert_eq!((heard[0].offset, heard[1].offset), (19, 23));
    assert!(
        heard
            .iter()
            .all(|heard| !heard.after_gap && heard.ending == Ending::Whole)
    );
}

#[test]
fn a_first_start_may_begin_at_the_beginning_or_where_the_sink_says() {
    let mut scene = Scene::new("messages");
    append(&scene.path("messages"), "old\nbegin here\nnew\n");
    scene.settings.start = Start::Beginning;
    scene.start();
    scene.expect(&["old", "begin here", "new"]);
    let mut scene = Scene::new("messages");
    append(&scene.path("messages"), "old\nbegin here\nnew\n");
    scene.settings.start = Start::Search;
    scene.start();
    scene.expect(&["begin here", "new"]);
}

#[test]
fn a_renamed_file_is_read_on_and_its_successor_from_the_beginning() {
    let mut scene = Scene::new("messages");
    let (log, rotated) = (scene.path("messages"), scene.path("messages.1"));
    append(&log, "old\n");
    scene.start();
    append(&log, "one\n");
    fs::rename(&log, &rotated).unwrap();
    append(&log, "three\n");
    scene.expect(&["one", "three"]);
    append(&rotated, "late\n");
    scene.expect(&["one", "three", "late"]);
    assert_eq!(scene.heard()[2].file, "messages.1");
    // closed by now, and still not forgotten
    std::thread::sleep(Duration::from_millis(700));
    append(&rotated, "very late\n");
    scene.expect(&["one", "three", "late", "very late"]);
}

#[test]
fn a_copied_and_truncated_file_loses_nothing_that_is_in_the_copy() {
    let mut scene = Scene::new("messages");
    let (log, rotated) = (scene.path("messages"), scene.path("messages.1"));
    append(&log, "old\n");
    scene.start();
    append(&log, "one\n");
    scene.expect(&["one"]);
    append(&log, "two\n");
    copy_truncate(&log, &rotated);
    append(&log, "three\n");
    scene.expect(&["one", "two", "three"]);
    assert!(scene.heard().iter().all(|heard| !heard.after_gap));
}

#[test]
fn a_file_truncated_without_a_copy_is_a_gap() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    append(&log, "a long old line\n");
    scene.start();
    append(&log, "one\nhal");
    scene.expect(&["one"]);
    OpenOptions::new()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(0)
        .unwrap();
    append(&log, "two\n");
    scene.expect(&["one", "two"]);
    assert!(scene.heard()[1].after_gap, "and the half line is no line");
}

#[test]
fn zeros_of_a_writer_that_does_not_append_are_passed_over() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    let mut writer = fs::File::create(&log).unwrap();
    writer.write_all(b"old\n").unwrap();
    scene.start();
    // far into the file, as after months
    writer.seek(SeekFrom::Start(50 << 30)).unwrap();
    writer.write_all(b"one\n").unwrap();
    scene.expect(&["one"]);
    copy_truncate_sparse(&log);
    writer.write_all(b"two\n").unwrap();
    scene.expect(&["one", "two"]);
    assert_eq!(scene.heard()[1].offset, (50 << 30) + 4);
}

/// Truncates without a copy: the writer goes on at its own place.
fn copy_truncate_sparse(log: &std::path::Path) {
    OpenOptions::new()
        .write(true)
        .open(log)
        .unwrap()
        .set_len(0)
        .unwrap();
}

#[test]
fn a_deleted_file_and_its_successor_are_read() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    let mut writer = fs::File::create(&log).unwrap();
    scene.start();
    writer.write_all(b"one\n").unwrap();
    scene.expect(&["one"]);
    fs::remove_file(&log).unwrap();
    writer.write_all(b"two\n").unwrap();
    scene.expect(&["one", "two"]);
    append(&log, "three\n");
    scene.expect(&["one", "two", "three"]);
    writer.write_all(b"four\nno end").unwrap();
    scene.expect(&["one", "two", "three", "four", "no end"]);
    assert_eq!(scene.heard()[4].ending, Ending::Missing);
}

#[test]
fn a_huge_line_is_cut_and_drained() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    append(&log, "");
    scene.start();
    append(&log, &"x".repeat(5_000_000));
    append(&log, "\nnext\n");
    until(common::PATIENCE, "both", || {
        (scene.heard().len() == 2).then_some(())
    });
    let heard = scene.heard();
    assert_eq!(
        (heard[0].text.len(), heard[0].ending),
        (LONGEST_LINE, Ending::Cut)
    );
    assert_eq!((heard[1].text.as_str(), heard[1].offset), ("next", 5_000_001));
    until(common::PATIENCE, "counted", || {
        (scene.health.report().oversized == 1).then_some(())
    });
}

#[test]
fn a_wildcard_takes_what_comes_and_reads_nothing_twice_when_it_is_rotated() {
    let mut scene = Scene::new("*");
    let (full, messages) = (scene.path("full"), scene.path("messages"));
    append(&full, "old\n");
    scene.start();
    append(&full, "full 1\n");
    scene.expect(&["full 1"]);
    append(&messages, "messages 1\n");
    scene.expect(&["full 1", "messages 1"]);
    copy_truncate(&messages, &scene.path("messages.1"));
    append(&messages, "messages 2\n");
    scene.expect(&["full 1", "messages 1", "messages 2"]);
    fs::rename(&full, scene.path("full.1")).unwrap();
    append(&full, "full 2\n");
    scene.expect(&["full 1", "messages 1", "messages 2", "full 2"]);
    fs::write(scene.path("full.2.gz"), "full 1\n").unwrap();
    append(&full, "full 3\n");
    scene.expect(&["full 1", "messages 1", "messages 2", "full 2", "full 3"]);
}

#[test]
fn a_copy_that_is_made_slowly_is_not_read_as_new() {
    let mut scene = Scene::new("messages*");
    let (log, rotated) = (scene.path("messages"), scene.path("messages.1"));
    append(&log, "old 0123456789\nold 0123456789\n");
    scene.start();
    append(&rotated, "");
    std::thread::sleep(Duration::from_millis(150));
    append(&rotated, "old 01234567");
    std::thread::sleep(Duration::from_millis(150));
    append(&rotated, "89\nold 0123456789\n");
    OpenOptions::new()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(0)
        .unwrap();
    append(&log, "new\n");
    scene.expect(&["new"]);
    assert!(!scene.heard()[0].after_gap);
}

#[test]
fn another_log_whose_name_begins_the_same_is_left_alone() {
    let mut scene = Scene::new("messages");
    append(&scene.path("messages"), "old\n");
    scene.start();
    fs::rename(scene.path("messages"), scene.path("messages.1")).unwrap();
    append(&scene.path("messages.debug"), "not asked for\n");
    append(&scene.path("messages_security"), "not asked for\n");
    append(&scene.path("messages"), "new\n");
    scene.expect(&["new"]);
}

#[test]
fn a_symbolic_link_is_followed_through_the_rotation_of_its_target() {
    let mut scene = Scene::new("messages");
    let elsewhere = scene.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    append(&elsewhere.join("real"), "old\n");
    symlink(elsewhere.join("real"), scene.path("messages")).unwrap();
    scene.start();
    append(&elsewhere.join("real"), "one\n");
    scene.expect(&["one"]);
    fs::rename(elsewhere.join("real"), elsewhere.join("real.1")).unwrap();
    append(&elsewhere.join("real.1"), "two\n");
    scene.expect(&["one", "two"]);
    append(&elsewhere.join("real"), "three\n");
    scene.expect(&["one", "two", "three"]);
    append(&elsewhere.join("real.1"), "four\n");
    scene.expect(&["one", "two", "three", "four"]);
    append(&scene.path("other"), "five\n");
    fs::remove_file(scene.path("messages")).unwrap();
    symlink(scene.path("other"), scene.path("messages")).unwrap();
    scene.expect(&["one", "two", "three", "four", "five"]);
}

#[test]
fn directories_may_come_later_and_be_replaced() {
    let mut scene = Scene::new("log/messages");
    scene.start_blind();
    scene.expect_problem("does not exist");
    fs::create_dir(scene.path("log")).unwrap();
    scene.expect_problem("no file is called");
    append(&scene.path("log/messages"), "one\n");
    scene.expect(&["one"]);
    fs::rename(scene.path("log"), scene.path("log.old")).unwrap();
    append(&scene.path("log.old/messages"), "two\n");
    scene.expect(&["one", "two"]);
    fs::create_dir(scene.path("log")).unwrap();
    append(&scene.path("log/messages"), "three\n");
    scene.expect(&["one", "two", "three"]);
    append(&scene.path("log/messages"), "four\n");
    scene.expect(&["one", "two", "three", "four"]);
    until(common::PATIENCE, "no problem", || {
        scene.problem().is_empty().then_some(())
    });
}

#[test]
fn a_directory_or_a_device_is_never_read() {
    let mut scene = Scene::new("messages");
    fs::create_dir(scene.path("messages")).unwrap();
    scene.start_blind();
    scene.expect_problem("not a regular file");
    fs::remove_dir(scene.path("messages")).unwrap();
    symlink("/dev/zero", scene.path("messages")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    scene.expect_problem("not a regular file");
    fs::remove_file(scene.path("messages")).unwrap();
    append(&scene.path("messages"), "one\n");
    scene.expect(&["one"]);
}

#[test]
fn a_file_that_an_editor_saved_is_read_on() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    append(&log, "old\n");
    scene.start();
    append(&log, "one\n");
    scene.expect(&["one"]);
    fs::write(scene.path("tmp"), "old\none\ntwo\n").unwrap();
    fs::rename(scene.path("tmp"), &log).unwrap();
    scene.expect(&["one", "two"]);
}

#[test]
fn a_restart_goes_on_in_the_rotated_files_first() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    append(&log, "old\n");
    scene.start();
    append(&log, "one\nhal");
    scene.expect(&["one"]);
    scene.stop();
    append(&log, "f\ntwo\n");
    fs::rename(&log, scene.path("messages.1")).unwrap();
    append(&log, "three\n");
    fs::rename(scene.path("messages.1"), scene.path("messages.2")).unwrap();
    copy_truncate(&log, &scene.path("messages.1"));
    append(&log, "four\n");
    scene.start();
    scene.expect(&["one", "half", "two", "three", "four"]);
    assert!(scene.heard().iter().all(|heard| !heard.after_gap));
    scene.stop();
    copy_truncate(&log, &scene.path("messages.0"));
    append(&log, "five\n");
    scene.start();
    scene.expect(&["one", "half", "two", "three", "four", "five"]);
    scene.stop();
    fs::remove_file(&log).unwrap();
    append(&log, "six\n");
    scene.start();
    scene.expect(&["one", "half", "two", "three", "four", "five", "six"]);
    assert!(
        scene.heard()[6].after_gap,
        "what became of the deleted file is not known"
    );
}
