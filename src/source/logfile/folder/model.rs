//! Writers, a rotator, a reader and its restarts, in any order and without threads: every line must come once.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::super::line::{Line, LineSink, Taken};
use super::super::pattern::Pattern;
use super::super::settings::{Pace, Start};
use super::super::tail::{Desk, Mark};
use super::{Folder, Look};

const WRITERS: usize = 2;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A writer appends lines to the file it has open, or to the one that has the log's name.
    Write {
        writer: usize,
        lines: usize,
    },
    /// It writes the beginning of a line; the rest comes with what is written next.
    Part {
        writer: usize,
    },
    /// It closes its file and will open the one that has the log's name.
    Reopen {
        writer: usize,
    },
    Rename,
    Create,
    RenameCreate,
    CopyTruncate,
    /// Once everything was read: the file is deleted, written to once more, read and made anew.
    Replace,
    Scan,
    Look {
        budget: usize,
    },
    /// The place is kept.
    Keep,
    Stop,
    /// Ends without keeping the place.
    Crash,
    Start,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..WRITERS;
    let step = prop_oneof![
        8 => (writer.clone(), 1..4_usize).prop_map(|(writer, lines)| Step::Write { writer, lines }),
        2 => writer.clone().prop_map(|writer| Step::Part { writer }),
        4 => writer.prop_map(|writer| Step::Reopen { writer }),
        2 => Just(Step::Rename),
        3 => Just(Step::Create),
        4 => Just(Step::RenameCreate),
        5 => Just(Step::CopyTruncate),
        1 => Just(Step::Replace),
        4 => Just(Step::Scan),
        6 => prop::sample::select(vec![1, 40, 100_000]).prop_map(|budget| Step::Look { budget }),
        1 => Just(Step::Keep),
        2 => Just(Step::Stop),
        1 => Just(Step::Crash),
        3 => Just(Step::Start),
    ];
    prop::collection::vec(step, 1..60)
}

/// A line that was handed over.
#[derive(Clone, Debug)]
struct Heard {
    text: String,
    after_gap: bool,
}

struct Ear(Arc<Mutex<Vec<Heard>>>);

impl LineSink for Ear {
    fn line(&mut self, line: &Line<'_>) -> Taken {
        self.0.lock().unwrap().push(Heard {
            text: String::from_utf8_lossy(line.bytes).into_owned(),
            after_gap: line.after_gap,
        });
        Taken::Done
    }
}

/// A log, those who write to it, and its reader.
struct World {
    folder: tempfile::TempDir,
    wild: bool,
    dated: bool,
    files: [Option<File>; WRITERS],
    /// How many lines each wrote.
    wrote: [usize; WRITERS],
    /// Who wrote the beginning of a line, and what is missing of it.
    half: Option<(usize, String)>,
    rotations: usize,
    reader: Option<Folder>,
    /// As it was kept, and how many lines had come by then.
    kept: (String, usize),
    heard: Arc<Mutex<Vec<Heard>>>,
    /// Came before a crash, after the place was kept.
    before_crash: BTreeSet<String>,
    replaced: bool,
}

impl World {
    fn new(wild: bool, dated: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("messages"), "old\n").unwrap();
        let mut world = Self {
            folder,
            wild,
            dated,
            files: [const { None }; WRITERS],
            wrote: [0; WRITERS],
            half: None,
            rotations: 0,
            reader: None,
            kept: ("null".to_owned(), 0),
            heard: Arc::default(),
            before_crash: BTreeSet::new(),
            replaced: false,
        };
        world.start();
        world
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("messages")
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Write { writer, lines } => (0..lines).for_each(|_| self.write(writer)),
            Step::Part { writer } => {
                self.complete();
                if self.open(writer) {
                    let line = self.next_line(writer);
                    // enough of it to tell it from any other, as with a time stamp
                    let (now, later) = line.split_at(line.len().midpoint(7));
                    self.append(writer, now);
                    self.half = Some((writer, later.to_owned()));
                }
            }
            Step::Reopen { writer } => {
                self.complete();
                self.files[writer] = None;
            }
            Step::Rename => self.rename(),
            Step::Create => self.create(),
            Step::RenameCreate => {
                self.rename();
                self.create();
            }
            Step::CopyTruncate => {
                self.complete();
                if self.log().exists() {
                    let copy = self.rotated();
                    fs::copy(self.log(), copy).unwrap();
                    let log = OpenOptions::new().write(true).open(self.log()).unwrap();
                    log.set_len(0).unwrap();
                }
            }
            Step::Replace => self.replace(),
            Step::Scan => self.reader.iter_mut().for_each(Folder::scan),
            Step::Look { budget } => drop(self.look(budget)),
            Step::Keep => self.keep(),
            Step::Stop => {
                self.keep();
                self.reader = None;
            }
            Step::Crash => {
                self.reader = None;
                let mut heard = self.heard.lock().unwrap();
                let again = heard.drain(self.kept.1..).map(|heard| heard.text);
                self.before_crash.extend(again);
            }
            Step::Start => self.start(),
        }
    }

    fn start(&mut self) {
        if self.reader.is_none() {
            let long = Duration::from_hours(1);
            let pace = Pace {
                hold: Duration::ZERO,
                linger: long,
                linger_nameless: long,
                ..Pace::default()
            };
            let name = if self.wild { "messages*" } else { "messages" };
            let pattern = Pattern::new(&self.folder.path().join(name)).unwrap();
            let marks: Option<Vec<Mark>> = serde_json::from_str(&self.kept.0).unwrap();
            let mut reader = Folder::new(pattern, Start::End, pace, marks);
            reader.scan();
            self.reader = Some(reader);
            if self.kept.0 == "null" {
                self.keep();
            }
        }
    }

    fn look(&mut self, budget: usize) -> Option<Look> {
        let mut desk = Desk::new(Box::new(Ear(Arc::clone(&self.heard))));
        desk.budget = budget;
        let reader = self.reader.as_mut()?;
        Some(reader.look(&mut desk, &AtomicBool::new(false)))
    }

    fn keep(&mut self) {
        if let Some(marks) = self.reader.as_ref().and_then(Folder::marks) {
            let heard = self.heard.lock().unwrap().len();
            self.kept = (serde_json::to_string(&marks).unwrap(), heard);
        }
    }

    /// Starts the reader if need be and lets it read what there is.
    fn settle(&mut self) {
        self.start();
        let mut done = 0;
        for _ in 0..2000 {
            self.reader.iter_mut().for_each(Folder::scan);
            done = if self.look(100_000) == Some(Look::Done) {
                done + 1
            } else {
                0
            };
            if done == 3 {
                return;
            }
        }
        panic!("it never comes to an end");
    }

    /// The name for what is rotated now; moves on the others where they are numbered.
    fn rotated(&mut self) -> PathBuf {
        self.rotations += 1;
        let name = |end: String| self.folder.path().join(format!("messages{end}"));
        if self.dated {
            return name(format!("-20261121-{:05}", self.rotations));
        }
        for number in (1..self.rotations).rev() {
            let _ = fs::rename(name(format!(".{number}")), name(format!(".{}", number + 1)));
        }
        name(".1".to_owned())
    }

    fn rename(&mut self) {
        if self.log().exists() {
            let to = self.rotated();
            fs::rename(self.log(), to).unwrap();
        }
    }

    fn create(&self) {
        let mut new = OpenOptions::new();
        new.create(true).append(true).open(self.log()).unwrap();
    }

    fn replace(&mut self) {
        self.complete();
        self.replaced = true;
        self.settle();
        let _ = fs::remove_file(self.log());
        for writer in 0..WRITERS {
            if self.files[writer].is_some() {
                self.write(writer);
                self.settle();
            }
            self.files[writer] = None;
        }
        self.create();
    }

    fn open(&mut self, writer: usize) -> bool {
        if self.files[writer].is_none() {
            self.files[writer] = OpenOptions::new().append(true).open(self.log()).ok();
        }
        self.files[writer].is_some()
    }

    fn write(&mut self, writer: usize) {
        self.complete();
        if self.open(writer) {
            let line = self.next_line(writer);
            self.append(writer, &line);
        }
    }

    fn next_line(&mut self, writer: usize) -> String {
        let number = self.wrote[writer];
        self.wrote[writer] += 1;
        format!("{number:04} w{writer} {}\n", "x".repeat(number * 7 % 40))
    }

    fn append(&mut self, writer: usize, text: &str) {
        let file = self.files[writer].as_mut().unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn complete(&mut self) {
        if let Some((writer, rest)) = self.half.take() {
            self.append(writer, &rest);
        }
    }

    fn check(mut self) -> Result<(), TestCaseError> {
        self.complete();
        self.settle();
        let heard = self.heard.lock().unwrap().clone();
        for (writer, wrote) in self.wrote.into_iter().enumerate() {
            let mine = |text: &&str| text.get(5..7) == Some(&format!("w{writer}"));
            let came: Vec<&str> = heard.iter().map(|heard| &heard.text[..7]).filter(mine).collect();
            let due: Vec<String> = (0..wrote)
                .map(|number| format!("{number:04} w{writer}"))
                .filter(|line| {
                    let passed = |text: &String| text.starts_with(line) && !came.contains(&line.as_str());
                    !self.before_crash.iter().any(passed)
                })
                .collect();
            prop_assert_eq!(came, due);
        }
        if !self.replaced {
            prop_assert!(heard.iter().all(|heard| !heard.after_gap), "{:?}", heard);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_line_comes_once(wild: bool, dated: bool, steps in steps()) {
        let mut world = World::new(wild, dated);
        for step in &steps {
            world.step(step);
        }
        world.check()?;
    }
}
