//! Writers, a rotator, a reader and its restarts, in any order and without threads: every line must come once.

mod scenery;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::super::line::{Line, LineSink, Taken};
use super::super::pattern::Pattern;
use super::super::settings::{Pace, Start};
use super::super::tail::{Desk, Mark};
use super::{Folder, Look, MOST_OPEN};
use scenery::Scenery;

const WRITERS: usize = 2;

type Race = (usize, Rc<RefCell<Scenery>>, Vec<Step>);

thread_local! {
    /// What happens in the middle of a scan or a look: after how many of the places where that may be.
    static RACES: RefCell<Vec<Race>> = const { RefCell::new(Vec::new()) };
}

/// A place where others may do something.
pub(in super::super) fn race() {
    let due: Vec<Race> = RACES.with_borrow_mut(|races| {
        for (after, ..) in races.iter_mut() {
            *after = after.saturating_sub(1);
        }
        races.extract_if(.., |(after, ..)| *after == 0).collect()
    });
    for (_, scenery, steps) in due {
        for step in &steps {
            scenery.borrow_mut().step(step);
        }
    }
}

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
    /// The first half of it; nobody writes before the other half.
    Copy,
    /// Others do this while the reader is in the middle of something.
    Race {
        after: usize,
        steps: Vec<Step>,
    },
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

fn others() -> impl Strategy<Value = Step> {
    let writer = 0..WRITERS;
    prop_oneof![
        8 => (writer.clone(), 1..4_usize).prop_map(|(writer, lines)| Step::Write { writer, lines }),
        2 => writer.clone().prop_map(|writer| Step::Part { writer }),
        4 => writer.prop_map(|writer| Step::Reopen { writer }),
        2 => Just(Step::Rename),
        3 => Just(Step::Create),
        4 => Just(Step::RenameCreate),
        5 => Just(Step::CopyTruncate),
        2 => Just(Step::Copy),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let race = (0..60_usize, prop::collection::vec(others(), 1..4));
    let step = prop_oneof![
        30 => others(),
        1 => Just(Step::Replace),
        4 => Just(Step::Scan),
        6 => prop::sample::select(vec![1, 40, 100_000]).prop_map(|budget| Step::Look { budget }),
        1 => Just(Step::Keep),
        2 => Just(Step::Stop),
        1 => Just(Step::Crash),
        3 => Just(Step::Start),
        8 => race.prop_map(|(after, steps)| Step::Race { after, steps }),
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
    scenery: Rc<RefCell<Scenery>>,
    wild: bool,
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
        RACES.take();
        let mut world = Self {
            scenery: Rc::new(RefCell::new(Scenery::new(dated))),
            wild,
            reader: None,
            kept: ("null".to_owned(), 0),
            heard: Arc::default(),
            before_crash: BTreeSet::new(),
            replaced: false,
        };
        world.start();
        world
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Replace => self.replace(),
            Step::Scan => self.reader.iter_mut().for_each(Folder::scan),
            Step::Look { budget } => drop(self.look(*budget)),
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
            Step::Race { after, steps } => RACES.with_borrow_mut(|races| {
                races.push((*after, Rc::clone(&self.scenery), steps.clone()));
            }),
            step => self.scenery.borrow_mut().step(step),
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
            let pattern = Pattern::new(&self.scenery.borrow().folder.path().join(name)).unwrap();
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

    fn replace(&mut self) {
        self.replaced = true;
        RACES.take();
        self.scenery.borrow_mut().truncate();
        self.scenery.borrow_mut().complete();
        self.settle();
        let log = self.scenery.borrow().log();
        let _ = fs::remove_file(log);
        for writer in 0..WRITERS {
            if self.scenery.borrow().files[writer].is_some() {
                self.scenery.borrow_mut().write(writer);
                self.settle();
            }
            self.scenery.borrow_mut().files[writer] = None;
        }
        self.scenery.borrow_mut().create();
    }

    fn check(mut self) -> Result<(), TestCaseError> {
        self.settle();
        RACES.take();
        self.scenery.borrow_mut().truncate();
        self.scenery.borrow_mut().complete();
        self.settle();
        let heard = self.heard.lock().unwrap().clone();
        for (writer, wrote) in self.scenery.borrow().wrote.into_iter().enumerate() {
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

#[test]
fn the_first_line_after_a_gap_says_so_although_its_file_waits_for_another_scan() {
    for (after, then) in (1..40).flat_map(|after| [(after, Step::RenameCreate), (after, Step::CopyTruncate)])
    {
        let mut world = World::new(false, false);
        world.step(&Step::Stop);
        world.step(&Step::Write { writer: 0, lines: 1 });
        let log = world.scenery.borrow().log();
        fs::remove_file(log).unwrap();
        // nobody knows what became of the line
        world.settle();
        for step in [
            Step::Reopen { writer: 0 },
            Step::Create,
            Step::Write { writer: 0, lines: 1 },
        ] {
            world.step(&step);
        }
        let steps = vec![
            then.clone(),
            Step::Reopen { writer: 0 },
            Step::Write { writer: 0, lines: 1 },
        ];
        world.step(&Step::Race { after, steps });
        world.settle();
        RACES.take();
        world.settle();
        let heard: Vec<_> = world.heard.lock().unwrap().clone();
        let flags: Vec<_> = heard
            .iter()
            .map(|heard| (&heard.text[..4], heard.after_gap))
            .collect();
        assert_eq!(flags.first(), Some(&("0001", true)), "{after} {then:?} {flags:?}");
        assert!(
            flags.iter().skip(1).all(|(_, gap)| !gap),
            "{after} {then:?} {flags:?}"
        );
    }
}

#[test]
fn no_file_is_closed_before_it_was_read_although_many_wait() {
    let mut world = World::new(false, true);
    world.step(&Step::Stop);
    for _ in 0..MOST_OPEN + 4 {
        world.step(&Step::Write { writer: 0, lines: 1 });
        world.step(&Step::RenameCreate);
        world.step(&Step::Reopen { writer: 0 });
    }
    world.start();
    let reader = world.reader.as_ref().unwrap();
    let closed = reader.tails.iter().filter(|tail| !tail.is_open());
    let closed: Vec<_> = closed.map(|tail| tail.path.clone()).collect();
    assert_eq!(closed, [world.scenery.borrow().log()], "it is empty");
    world.check().unwrap();
}
