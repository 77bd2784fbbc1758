//! Log files in directories that a wildcard stands for, as those of containers: they come and go.

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
use std::path::Path;

use common::{PATIENCE, Scene, append};
use ringfence::source::logfile::Pattern;
use ringfence_testkit::until;

/// Writes to the log of a container, which is made if need be.
fn log(scene: &Scene, container: &str, line: &str) {
    let folder = scene.path("containers").join(container);
    fs::create_dir_all(&folder).unwrap();
    append(
        &folder.join(format!("{container}-json.log")),
        &format!("{line}\n"),
    );
}

fn kept(scene: &Scene) -> String {
    scene.places.kept("log").unwrap_or_default()
}

#[test]
fn containers_come_and_go() {
    let mut scene = Scene::new("containers/*/*-json.log");
    scene.start_blind();
    scene.expect_problem("containers does not exist");
    fs::create_dir(scene.path("containers")).unwrap();
    scene.expect_problem("no file is called");
    log(&scene, "a", "a1");
    scene.expect(&["a1"]);
    log(&scene, "b", "b1");
    scene.expect(&["a1", "b1"]);
    log(&scene, "a", "a2");
    scene.expect(&["a1", "b1", "a2"]);
    fs::remove_dir_all(scene.path("containers/a")).unwrap();
    // one without such a log is no trouble
    fs::create_dir(scene.path("containers/c")).unwrap();
    log(&scene, "b", "b2");
    scene.expect(&["a1", "b1", "a2", "b2"]);
    until(PATIENCE, "no problem", || {
        scene.problem().is_empty().then_some(())
    });
    until(PATIENCE, "what is gone to be forgotten", || {
        (!kept(&scene).contains("containers/a/")).then_some(())
    });
    assert!(kept(&scene).contains("containers/b/*-json.log"));
    log(&scene, "a", "another a");
    scene.expect(&["a1", "b1", "a2", "b2", "another a"]);
    let streams = scene.health.report().streams;
    assert_eq!(streams.len(), 1, "one for each path of the admin");
}

#[test]
fn each_directory_has_its_own_place_over_restarts() {
    let mut scene = Scene::new("containers/[ab]?/*-json.log");
    log(&scene, "a1", "old");
    log(&scene, "c1", "another");
    scene.start();
    log(&scene, "a1", "one");
    scene.expect(&["one"]);
    log(&scene, "b1", "two");
    scene.expect(&["one", "two"]);
    scene.stop();
    log(&scene, "a1", "three");
    scene.start();
    scene.expect(&["one", "two", "three"]);
    scene.stop();
    log(&scene, "b2", "of a new one");
    scene.start();
    scene.expect(&["one", "two", "three", "of a new one"]);
    log(&scene, "b1", "four");
    scene.expect(&["one", "two", "three", "of a new one", "four"]);
    assert!(scene.heard().iter().all(|heard| !heard.after_gap));
}

#[test]
fn a_directory_that_is_renamed_or_linked_is_not_read_twice() {
    let mut scene = Scene::new("*/log/messages");
    fs::create_dir_all(scene.path("one/log")).unwrap();
    append(&scene.path("one/log/messages"), "old\n");
    scene.start();
    append(&scene.path("one/log/messages"), "one\n");
    scene.expect(&["one"]);
    std::os::unix::fs::symlink(scene.path("one"), scene.path("link")).unwrap();
    append(&scene.path("one/log/messages"), "two\n");
    scene.expect(&["one", "two"]);
    fs::rename(scene.path("one"), scene.path("other")).unwrap();
    append(&scene.path("other/log/messages"), "three\n");
    scene.expect(&["one", "two", "three"]);
    fs::rename(
        scene.path("other/log/messages"),
        scene.path("other/log/messages.1"),
    )
    .unwrap();
    append(&scene.path("other/log/messages"), "four\n");
    scene.expect(&["one", "two", "three", "four"]);
}

#[test]
fn a_directory_that_two_paths_stand_for_is_read_once() {
    let mut scene = Scene::new("*/messages");
    fs::create_dir(scene.path("a")).unwrap();
    append(&scene.path("a/messages"), "old\n");
    scene.settings.paths.push(scene.path("a/messages"));
    scene.start();
    append(&scene.path("a/messages"), "one\n");
    scene.expect(&["one"]);
    scene.stop();
    append(&scene.path("a/messages"), "two\n");
    scene.start();
    append(&scene.path("a/messages"), "three\n");
    scene.expect(&["one", "two", "three"]);
}

#[test]
fn of_too_many_directories_some_are_not_read_and_that_is_said() {
    let mut scene = Scene::new("containers/*/*-json.log");
    for number in 0..1001 {
        fs::create_dir_all(scene.path(&format!("containers/{number:04}"))).unwrap();
    }
    log(&scene, "0000", "old");
    scene.start();
    scene.expect_problem("more than 1000 directories");
    log(&scene, "0000", "new");
    scene.expect(&["new"]);
    fs::remove_dir(scene.path("containers/0500")).unwrap();
    log(&scene, "1000", "there is room");
    scene.expect(&["new", "there is room"]);
    until(PATIENCE, "no problem", || {
        scene.problem().is_empty().then_some(())
    });
}

#[test]
fn what_is_there_can_be_listed() {
    let scene = Scene::new("unused");
    let pattern = Pattern::new(&scene.path("containers/*/*-json.log")).unwrap();
    assert_eq!(pattern.files(9), Vec::<&Path>::new());
    for container in ["b", "a", ".hidden"] {
        log(&scene, container, "line");
    }
    append(&scene.path("containers/file"), "is no directory");
    let folder = scene.path("containers");
    assert_eq!(
        pattern.files(9),
        [folder.join("a/a-json.log"), folder.join("b/b-json.log")]
    );
    assert_eq!(pattern.files(1), [folder.join("a/a-json.log")]);
}
