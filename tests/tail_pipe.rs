//! Named pipes and the standard input: writers that come and go, lines in pieces, pipes that are replaced.

// A test that fails may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "tail/common.rs"]
mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ear, Heard, PATIENCE};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use ringfence::clock::{Clock, Stopwatch};
use ringfence::health::{Health, HealthReport, State};
use ringfence::source::logfile::{Ending, Handle, LONGEST_LINE};
use ringfence::source::pipe::{self, From, PipeSettings};
use ringfence_testkit::until;

struct Scene {
    folder: tempfile::TempDir,
    path: PathBuf,
    ear: Ear,
    health: Health,
    handle: Handle,
}

impl Scene {
    fn new(before: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        before(&path);
        let (ear, health) = (Ear::default(), Health::new(HealthReport::default()));
        let handle = start(&path, &ear, &health);
        Self {
            folder,
            path,
            ear,
            health,
            handle,
        }
    }

    /// With a pipe that is open for reading.
    fn ready() -> Self {
        let scene = Self::new(make);
        scene.expect_problem("nobody has it open for writing");
        assert_eq!(scene.health.report().state, State::Proving);
        scene
    }

    fn heard(&self) -> Vec<Heard> {
        self.ear.0.lock().unwrap().clone()
    }

    /// Waits until exactly these lines came.
    #[track_caller]
    fn expect(&self, lines: &[(&str, Ending)]) {
        let begun = Stopwatch::start();
        while self.heard().len() < lines.len() && begun.elapsed() < PATIENCE {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let heard = self.heard();
        let heard: Vec<_> = heard.iter().map(|one| (one.text.as_str(), one.ending)).collect();
        assert_eq!(heard, lines, "{:?}", self.health.report());
    }

    fn expect_problem(&self, part: &str) {
        until(PATIENCE, part, || {
            self.health.report().problem.contains(part).then_some(())
        });
    }

    fn expect_state(&self, state: State) {
        until(PATIENCE, state.name(), || {
            (self.health.report().state == state).then_some(())
        });
    }
}

fn start(path: &Path, ear: &Ear, health: &Health) -> Handle {
    let settings = PipeSettings {
        name: "pipe".into(),
        from: From::Fifo(path.to_owned()),
    };
    pipe::start(settings, health.clone(), Clock::start(), Box::new(ear.clone())).unwrap()
}

fn make(path: &Path) {
    mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap();
}

/// Opens for writing without waiting: it fails when nobody reads.
fn writer(path: &Path) -> File {
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let open = || OpenOptions::new().write(true).custom_flags(flags).open(path).ok();
    let file = until(PATIENCE, "a reader", open);
    // from now on it may wait
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).unwrap();
    file
}

const WHOLE: Ending = Ending::Whole;

#[test]
fn lines_come_in_pieces_and_lose_their_ends() {
    let scene = Scene::ready();
    let mut writer = writer(&scene.path);
    for piece in ["o", "ne\r", "\n", "two\nth", "ree\nnul \0 in it\n\0\0four\n"] {
        writer.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    scene.expect(&[
        ("one", WHOLE),
        ("two", WHOLE),
        ("three", WHOLE),
        ("nul \0 in it", WHOLE),
        ("four", WHOLE),
    ]);
    let heard = scene.heard();
    assert!(heard.iter().all(|one| !one.after_gap && one.file == "fifo"));
    scene.expect_state(State::Watching);
    assert_eq!(scene.health.report().problem, "");
}

#[test]
fn the_unfinished_line_of_a_writer_is_not_glued_to_the_next_ones() {
    let scene = Scene::ready();
    let mut first = writer(&scene.path);
    first.write_all(b"one\nfailed from 192.0.2.1").unwrap();
    drop(first);
    scene.expect(&[("one", WHOLE), ("failed from 192.0.2.1", Ending::Missing)]);
    let mut second = writer(&scene.path);
    second.write_all(b"0\ntwo\n").unwrap();
    scene.expect(&[
        ("one", WHOLE),
        ("failed from 192.0.2.1", Ending::Missing),
        ("0", WHOLE),
        ("two", WHOLE),
    ]);
    let gaps: Vec<_> = scene.heard().iter().map(|one| one.after_gap).collect();
    assert_eq!(gaps, [false, false, true, false], "a record ends with its writer");
    scene.expect_state(State::Watching);
}

#[test]
fn a_writer_for_each_line_loses_none() {
    let scene = Scene::ready();
    let lines: Vec<String> = (0..500).map(|n| format!("line {n}")).collect();
    for line in &lines {
        // opens, writes, leaves, as a shell's `echo line >fifo` does
        fs::write(&scene.path, format!("{line}\n")).unwrap();
    }
    let expected: Vec<_> = lines.iter().map(|line| (line.as_str(), WHOLE)).collect();
    scene.expect(&expected);
    scene.expect_state(State::Watching);
}

#[test]
fn a_line_of_a_megabyte_is_cut_and_its_rest_left_out() {
    let scene = Scene::ready();
    let mut writer = writer(&scene.path);
    writer.write_all(&vec![b'x'; 1 << 20]).unwrap();
    writer.write_all(b"\nnext\n").unwrap();
    let cut = "x".repeat(LONGEST_LINE);
    scene.expect(&[(&cut, Ending::Cut), ("next", WHOLE)]);
    until(PATIENCE, "that it is counted", || {
        (scene.health.report().oversized == 1).then_some(())
    });
    // the rest of a long line ends with its writer, too
    writer.write_all(&vec![b'y'; LONGEST_LINE + 10]).unwrap();
    let other = "y".repeat(LONGEST_LINE);
    scene.expect(&[(&cut, Ending::Cut), ("next", WHOLE), (&other, Ending::Cut)]);
    drop(writer);
    std::thread::sleep(std::time::Duration::from_millis(50));
    fs::write(&scene.path, "last\n").unwrap();
    scene.expect(&[
        (&cut, Ending::Cut),
        ("next", WHOLE),
        (&other, Ending::Cut),
        ("last", WHOLE),
    ]);
}

#[test]
fn a_busy_sink_does_not_hold_up_the_writer() {
    let scene = Scene::ready();
    let mut writer = writer(&scene.path);
    writer.write_all(b"first\n").unwrap();
    scene.expect(&[("first", WHOLE)]);
    nix::fcntl::fcntl(
        &writer,
        nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK),
    )
    .unwrap();
    let busy = scene.ear.0.lock().unwrap();
    // eight times what a pipe holds unless it was given more; the kernel would refuse what does not fit
    for _ in 0..512 {
        writer
            .write_all(&[b"z".repeat(1023), b"\n".to_vec()].concat())
            .unwrap();
    }
    drop(busy);
    until(PATIENCE, "all lines", || {
        (scene.heard().len() == 513).then_some(())
    });
}

#[test]
fn two_writers_at_once_keep_their_short_lines_whole() {
    let scene = Scene::ready();
    let write = |name: char| {
        let mut file = writer(&scene.path);
        std::thread::spawn(move || {
            for n in 0..5_000 {
                file.write_all(format!("{name}{n} {}\n", "z".repeat(200)).as_bytes())
                    .unwrap();
            }
        })
    };
    let writers = [write('a'), write('b')];
    for writer in writers {
        writer.join().unwrap();
    }
    until(PATIENCE, "all lines", || {
        (scene.heard().len() == 10_000).then_some(())
    });
    for name in ['a', 'b'] {
        let heard = scene.heard();
        let theirs = heard.iter().filter(|one| one.text.starts_with(name));
        let expected = (0..5_000).map(|n| format!("{name}{n} {}", "z".repeat(200)));
        assert!(theirs.map(|one| one.text.clone()).eq(expected), "{name}");
    }
    assert!(scene.heard().iter().all(|one| one.ending == WHOLE));
}

#[test]
fn a_replaced_pipe_is_read_on_and_its_successor_as_well() {
    let scene = Scene::ready();
    let mut old = writer(&scene.path);
    old.write_all(b"one\nhal").unwrap();
    scene.expect(&[("one", WHOLE)]);
    fs::remove_file(&scene.path).unwrap();
    scene.expect_problem("does not exist: make it with mkfifo");
    make(&scene.path);
    let mut new = writer(&scene.path);
    new.write_all(b"two\n").unwrap();
    scene.expect(&[("one", WHOLE), ("two", WHOLE)]);
    old.write_all(b"f\n").unwrap();
    scene.expect(&[("one", WHOLE), ("two", WHOLE), ("half", WHOLE)]);
    drop(old);
    new.write_all(b"three\n").unwrap();
    scene.expect(&[("one", WHOLE), ("two", WHOLE), ("half", WHOLE), ("three", WHOLE)]);
    until(PATIENCE, "no problem", || {
        let report = scene.health.report();
        (report.state == State::Watching && report.problem.is_empty()).then_some(())
    });
    assert!(scene.handle.stop(PATIENCE));
}

#[test]
fn what_is_no_pipe_is_said_with_what_to_do() {
    let scene = Scene::new(|_| {});
    scene.expect_problem("does not exist: make it with mkfifo");
    assert_eq!(scene.health.report().state, State::Blind);
    fs::write(&scene.path, "192.0.2.1\n").unwrap();
    scene.expect_problem("is a regular file, not a pipe: read it as a log file, with `files`");
    fs::remove_file(&scene.path).unwrap();
    fs::create_dir(&scene.path).unwrap();
    scene.expect_problem("is a directory");
    fs::remove_dir(&scene.path).unwrap();
    let socket = UnixListener::bind(&scene.path).unwrap();
    scene.expect_problem(
        "is a socket, not a pipe: let the program write into a log file and read that with `files`",
    );
    drop(socket);
    fs::remove_file(&scene.path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &scene.path).unwrap();
    scene.expect_problem("is a device");
    fs::remove_file(&scene.path).unwrap();
    make(&scene.folder.path().join("real"));
    std::os::unix::fs::symlink("real", &scene.path).unwrap();
    scene.expect_problem("nobody has it open for writing");
    writer(&scene.path).write_all(b"one\n").unwrap();
    scene.expect(&[("one", WHOLE)]);
    scene.expect_state(State::Watching);
    assert_eq!(scene.health.report().problem, "");
}

#[test]
fn it_stops_at_once_while_it_waits_and_while_it_is_flooded() {
    let scene = Scene::new(|_| {});
    scene.expect_problem("does not exist");
    assert!(scene.handle.stop(PATIENCE), "without a pipe");
    assert_eq!(scene.health.report().state, State::Stopped);
    let scene = Scene::ready();
    assert!(scene.handle.stop(PATIENCE), "without a writer");
    let scene = Scene::ready();
    let mut flood = writer(&scene.path);
    let flooding = std::thread::spawn(move || while flood.write_all(&[b'\n'; 4096]).is_ok() {});
    until(PATIENCE, "the flood", || {
        (scene.heard().len() > 10_000).then_some(())
    });
    assert!(scene.handle.stop(PATIENCE), "amid a flood");
    // the pipe is closed: the writer learns it
    flooding.join().unwrap();
}

#[test]
fn a_second_reader_waits_for_the_first_one() {
    let scene = Scene::ready();
    let mut writer = writer(&scene.path);
    writer.write_all(b"one\n").unwrap();
    scene.expect(&[("one", WHOLE)]);
    let health = Health::new(HealthReport::default());
    let second = start(&scene.path, &scene.ear, &health);
    writer.write_all(b"tw").unwrap();
    writer.write_all(b"o\n").unwrap();
    scene.expect(&[("one", WHOLE), ("two", WHOLE)]);
    assert_eq!(health.report().state, State::Connecting, "it waits");
    let Scene { ear, handle, .. } = scene;
    // opened by somebody meanwhile, so that the writer is not told that nobody reads
    let held = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(scene.path)
        .unwrap();
    assert!(handle.stop(PATIENCE));
    writer.write_all(b"three\n").unwrap();
    until(PATIENCE, "the third", || {
        (ear.0.lock().unwrap().len() == 3).then_some(())
    });
    drop(held);
    assert_eq!(ear.0.lock().unwrap()[2].text, "three");
    assert!(second.stop(PATIENCE));
}

/// The other side of the test below: this program, started anew with a pipe as its standard input.
#[test]
#[ignore = "started by the_standard_input_is_read_until_it_ends"]
fn reads_the_standard_input() {
    let (ear, health) = (Ear::default(), Health::new(HealthReport::default()));
    let settings = PipeSettings {
        name: "stdin".into(),
        from: From::Stdin,
    };
    let mut handle = pipe::start(settings, health.clone(), Clock::start(), Box::new(ear.clone())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if std::env::var_os("RINGFENCE_STOP").is_some() {
        until(PATIENCE, "a line", || {
            (!ear.0.lock().unwrap().is_empty()).then_some(())
        });
        assert!(handle.stop(PATIENCE), "with an input that goes on");
    } else {
        runtime.block_on(handle.ended());
    }
    for heard in ear.0.lock().unwrap().iter() {
        println!("\nHEARD {} {:?} {}", heard.file, heard.ending, heard.text);
    }
    let report = health.report();
    println!("\nHEALTH {} {}", report.state.name(), report.problem);
}

/// Runs the test above: what it writes to its standard input, and what it says of that. With `stop` the input does not end.
fn reading(input: &[&[u8]], stop: bool) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if stop {
        command.env("RINGFENCE_STOP", "1");
    }
    let mut child = command
        .args(["--ignored", "--exact", "--nocapture", "reads_the_standard_input"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut writer = child.stdin.take();
    for piece in input {
        writer.as_ref().unwrap().write_all(piece).unwrap();
    }
    if !stop {
        writer = None;
    }
    let output = child.wait_with_output().unwrap();
    drop(writer);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.lines().filter(|line| line.starts_with('H'));
    said.map(str::to_owned).collect()
}

#[test]
fn the_standard_input_is_read_until_it_ends() {
    assert_eq!(
        reading(&[b"one\r\ntw", b"o\nno end"], false),
        [
            "HEARD stdin Whole one",
            "HEARD stdin Whole two",
            "HEARD stdin Missing no end",
            "HEALTH stopped the standard input ended: nothing more is read from it",
        ]
    );
}

#[test]
fn a_standard_input_that_goes_on_does_not_keep_it_from_stopping() {
    assert_eq!(
        reading(&[b"one\n"], true),
        ["HEARD stdin Whole one", "HEALTH stopped "]
    );
}
