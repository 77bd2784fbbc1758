//! A log and those who write to it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::{Step, WRITERS};

/// A log, and those who write to it and rotate it.
pub(super) struct Scenery {
    pub(super) folder: tempfile::TempDir,
    dated: bool,
    pub(super) files: [Option<File>; WRITERS],
    /// How many lines each wrote.
    pub(super) wrote: [usize; WRITERS],
    /// Who wrote the beginning of a line, and what is missing of it.
    half: Option<(usize, String)>,
    rotations: usize,
    /// It was copied, and is to be truncated.
    copied: bool,
}

impl Scenery {
    pub(super) fn new(dated: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("messages"), "old\n").unwrap();
        Self {
            folder,
            dated,
            files: [const { None }; WRITERS],
            wrote: [0; WRITERS],
            half: None,
            rotations: 0,
            copied: false,
        }
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("messages")
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.truncate();
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
                self.copy();
                self.truncate();
            }
            Step::Copy => self.copy(),
            _ => {}
        }
    }

    fn copy(&mut self) {
        self.complete();
        if self.log().exists() {
            let copy = self.rotated();
            fs::copy(self.log(), copy).unwrap();
            self.copied = true;
        }
    }

    pub(super) fn truncate(&mut self) {
        if std::mem::take(&mut self.copied) {
            let log = OpenOptions::new().write(true).open(self.log()).unwrap();
            log.set_len(0).unwrap();
        }
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

    pub(super) fn create(&self) {
        let mut new = OpenOptions::new();
        new.create(true).append(true).open(self.log()).unwrap();
    }

    fn open(&mut self, writer: usize) -> bool {
        if self.files[writer].is_none() {
            self.files[writer] = OpenOptions::new().append(true).open(self.log()).ok();
        }
        self.files[writer].is_some()
    }

    pub(super) fn write(&mut self, writer: usize) {
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

    pub(super) fn complete(&mut self) {
        if let Some((writer, rest)) = self.half.take() {
            self.append(writer, &rest);
        }
    }
}
