//! Log files: what the system refuses, and how much memory a large file takes.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "tail/common.rs"]
mod common;

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{PATIENCE, Scene, append, copy_truncate};
use nix::unistd::{Uid, setfsuid};
use ringfence::clock::Clock;
use ringfence::health::{Health, HealthReport};
use ringfence::source::logfile::{self, LONGEST_LINE, Line, LineSink, Start, Taken};
use ringfence_testkit::until;

/// Says that a test runs in a process of its own.
const ALONE: &str = "RINGFENCE_TEST_ALONE";

/// Reads as somebody whom permissions bind: a thread has the rights of the one that starts it.
fn start_bound(scene: &mut Scene) {
    fs::set_permissions(scene.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let before = setfsuid(Uid::from_raw(65534));
    scene.start_blind();
    setfsuid(before);
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_can_t_be_read_is_read_as_soon_as_it_can() {
    let mut scene = Scene::new("messages");
    let log = scene.path("messages");
    let mut writer = File::create(&log).unwrap();
    writer.write_all(b"old\n").unwrap();
    allow(&log, 0);
    start_bound(&mut scene);
    scene.expect_problem("permission denied");
    writer.write_all(b"one\n").unwrap();
    assert!(scene.texts().is_empty());
    allow(&log, 0o644);
    scene.expect(&["one"]);
    until(PATIENCE, "no problem", || {
        scene.problem().is_empty().then_some(())
    });

    // as logrotate's `create 0600 root` does it
    fs::rename(&log, scene.path("messages.1")).unwrap();
    let mut next = File::create(&log).unwrap();
    allow(&log, 0);
    next.write_all(b"three\n").unwrap();
    scene.expect_problem("permission denied");
    writer.write_all(b"two\n").unwrap();
    scene.expect(&["one", "two"]);
    allow(&log, 0o644);
    scene.expect(&["one", "two", "three"]);

    // neither does a restart forget where it was
    scene.stop();
    allow(&log, 0);
    next.write_all(b"four\n").unwrap();
    start_bound(&mut scene);
    scene.expect_problem("permission denied");
    allow(&log, 0o644);
    scene.expect(&["one", "two", "three", "four"]);
    assert!(scene.heard().iter().all(|heard| !heard.after_gap));
}

#[test]
fn a_directory_that_can_t_be_listed_is_read_as_soon_as_it_can() {
    let mut scene = Scene::new("log/messages");
    let (folder, log) = (scene.path("log"), scene.path("log/messages"));
    fs::create_dir(&folder).unwrap();
    let mut writer = File::create(&log).unwrap();
    allow(&folder, 0);
    start_bound(&mut scene);
    until(PATIENCE, "a problem", || {
        (!scene.problem().is_empty()).then_some(())
    });
    allow(&folder, 0o755);
    until(PATIENCE, "a file that flows", || scene.flows().then_some(()));
    writer.write_all(b"one\n").unwrap();
    scene.expect(&["one"]);
}

/// Runs one of these tests once more, in a process of its own, started by `shell`, which runs `"$@"`.
#[track_caller]
fn alone(test: &str, shell: &[&str]) {
    let mut words = shell.iter();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(std::env::current_exe().unwrap());
    let output = command
        .args(["--exact", test])
        .env(ALONE, "yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

#[test]
fn where_the_kernel_refuses_to_watch_files_are_polled() {
    if !is_alone() {
        let refuse = r#"echo 0 >/proc/sys/user/max_inotify_instances && exec "$@""#;
        let shell = ["unshare", "--user", "--map-root-user", "sh", "-c", refuse, "sh"];
        alone("where_the_kernel_refuses_to_watch_files_are_polled", &shell);
        return;
    }
    let mut scene = Scene::new("messages*");
    let log = scene.path("messages");
    append(&log, "old\n");
    scene.start();
    scene.expect_problem("all inotify instances are in use");
    append(&log, "one\nha");
    scene.expect(&["one"]);
    append(&log, "lf\n");
    scene.expect(&["one", "half"]);
    fs::rename(&log, scene.path("messages.1")).unwrap();
    append(&scene.path("messages.1"), "late\n");
    append(&log, "two\n");
    scene.expect(&["one", "half", "late", "two"]);
    append(&log, "three\n");
    copy_truncate(&log, &scene.path("messages.0"));
    append(&log, "four\n");
    scene.expect(&["one", "half", "late", "two", "three", "four"]);
    append(&scene.path("messages_security"), "five\n");
    scene.expect(&["one", "half", "late", "two", "three", "four", "five"]);
    assert!(scene.heard().iter().all(|heard| !heard.after_gap));
}

/// Counts lines and bytes, and keeps none of them.
#[derive(Clone, Default)]
struct Count(Arc<(AtomicU64, AtomicU64)>);

impl LineSink for Count {
    fn line(&mut self, line: &Line<'_>) -> Taken {
        self.0.1.fetch_add(line.bytes.len() as u64, Ordering::Relaxed);
        self.0.0.fetch_add(1, Ordering::Relaxed);
        Taken::Done
    }
}

/// Resident memory of this process in KiB: `VmRSS` now, `VmHWM` at most.
fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_large_file_takes_no_more_memory_than_a_small_one() {
    /// Lines of 200 bytes: 150 MB of them, and a line of 50 MB.
    const LINES: u64 = 750_000;
    const LONG: usize = 50_000_000;
    if !is_alone() {
        alone("a_large_file_takes_no_more_memory_than_a_small_one", &["env"]);
        return;
    }
    let mut scene = Scene::new("messages");
    let mut file = BufWriter::new(File::create(scene.path("messages")).unwrap());
    for number in 0..LINES {
        writeln!(file, "{number:0199}").unwrap();
    }
    for _ in 0..LONG / 1000 {
        file.write_all(&[b'x'; 1000]).unwrap();
    }
    file.write_all(b"\nlast\n").unwrap();
    file.into_inner().unwrap();
    scene.settings.start = Start::Beginning;
    let count = Count::default();
    // the most there was from now on
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    let handle = logfile::start(
        scene.settings.clone(),
        Health::new(HealthReport::default()),
        Clock::start(),
        Arc::clone(&scene.places),
        Box::new(count.clone()),
    )
    .unwrap();
    until(PATIENCE * 10, "all lines", || {
        (count.0.0.load(Ordering::Relaxed) == LINES + 2).then_some(())
    });
    let grown = memory("VmHWM:").saturating_sub(before);
    assert!(handle.stop(PATIENCE));
    let bytes = LINES * 199 + LONGEST_LINE as u64 + 4;
    assert_eq!(count.0.1.load(Ordering::Relaxed), bytes);
    eprintln!(
        "{grown} KiB more for {} MB",
        (LINES * 200 + LONG as u64) / 1_000_000
    );
    assert!(grown < 4 * 1024, "{grown} KiB");
}
