//! What the tests of log files share; each uses a part.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringfence::clock::{Clock, Stopwatch};
use ringfence::health::{Health, HealthReport};
use ringfence::place::{Passing, Places};
use ringfence::source::logfile::{self, Ending, Handle, Line, LineSink, LogfileSettings, Pace, Start, Taken};
use ringfence_testkit::until;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// A line as it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub text: String,
    pub ending: Ending,
    pub after_gap: bool,
    pub file: String,
    pub offset: u64,
}

/// Writes down what it is given.
#[derive(Clone, Default)]
pub struct Ear(pub Arc<Mutex<Vec<Heard>>>);

impl LineSink for Ear {
    fn line(&mut self, line: &Line<'_>) -> Taken {
        self.0.lock().unwrap().push(Heard {
            text: String::from_utf8_lossy(line.bytes).into_owned(),
            ending: line.ending,
            after_gap: line.after_gap,
            file: line
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            offset: line.offset,
        });
        Taken::Done
    }

    fn begins(&mut self, line: &Line<'_>) -> bool {
        line.bytes.starts_with(b"begin")
    }
}

/// A directory with logs, and what follows them.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub settings: LogfileSettings,
    pub places: Arc<dyn Places>,
    pub ear: Ear,
    pub health: Health,
    pub handle: Option<Handle>,
}

/// Everything quick, so that tests don't take long.
pub fn quick() -> Pace {
    Pace {
        poll: Duration::from_millis(100),
        keep: Duration::from_millis(20),
        linger: Duration::from_millis(400),
        linger_nameless: Duration::from_millis(800),
        hold: Duration::from_millis(600),
    }
}

impl Scene {
    /// Nothing runs yet; `name` is below the directory.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = LogfileSettings {
            name: "log".into(),
            paths: vec![folder.path().join(name)],
            start: Start::End,
            pace: quick(),
        };
        Self {
            folder,
            settings,
            places: Arc::new(Passing::default()),
            ear: Ear::default(),
            health: Health::new(HealthReport::default()),
            handle: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts to follow, and waits until that works.
    pub fn start(&mut self) {
        self.start_blind();
        until(PATIENCE, "a file that flows", || self.flows().then_some(()));
    }

    pub fn start_blind(&mut self) {
        self.health = Health::new(HealthReport::default());
        let sink = Box::new(self.ear.clone());
        let (settings, places) = (self.settings.clone(), Arc::clone(&self.places));
        let handle = logfile::start(settings, self.health.clone(), Clock::start(), places, sink);
        self.handle = Some(handle.unwrap());
    }

    pub fn stop(&mut self) {
        assert!(
            self.handle.take().unwrap().stop(PATIENCE),
            "it stops when told to"
        );
    }

    pub fn flows(&self) -> bool {
        let streams = self.health.report().streams;
        streams.iter().any(|stream| stream.state.name() == "flowing")
    }

    pub fn problem(&self) -> String {
        self.health.report().problem
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.ear.0.lock().unwrap().clone()
    }

    pub fn texts(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.text).collect()
    }

    /// Waits until exactly these lines came.
    #[track_caller]
    pub fn expect(&self, texts: &[&str]) {
        let begun = Stopwatch::start();
        while self.texts().len() < texts.len() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.texts(), texts, "{:?}", self.health.report());
    }

    /// Waits until the reader says so of its trouble.
    pub fn expect_problem(&self, part: &str) {
        until(PATIENCE, part, || self.problem().contains(part).then_some(()));
    }
}

/// Appends, as a logger does that opens its file with `O_APPEND`.
pub fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What `copytruncate` does.
pub fn copy_truncate(path: &Path, copy: &Path) {
    fs::copy(path, copy).unwrap();
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(0)
        .unwrap();
}
