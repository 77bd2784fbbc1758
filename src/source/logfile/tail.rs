//! One file that is followed: what was read of it, and how it is read on.

mod kept;
mod likeness;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::bytes::{beginning, hole, is_alike, open_regular, read_chunk};
use super::head::{FileId, HEAD, Head};
use super::line::{Ending, Line, LineSink, Taken};
use super::splitter::Splitter;
use crate::clock::Stopwatch;
pub(super) use kept::Mark;

/// What is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// What reading needs and what it counts.
pub(super) struct Desk {
    pub(super) sink: Box<dyn LineSink>,
    chunk: Vec<u8>,
    /// Bytes that may still be read before other things have their turn.
    pub(super) budget: usize,
    /// Lines that were longer than they may be.
    pub(super) cut: u64,
    /// Lines handed over.
    pub(super) lines: u64,
}

impl Desk {
    pub(super) fn new(sink: Box<dyn LineSink>) -> Self {
        Self {
            sink,
            chunk: vec![0; CHUNK],
            budget: 0,
            cut: 0,
            lines: 0,
        }
    }
}

/// How far reading came.
#[derive(Debug)]
pub(super) enum Progress {
    /// To the end, as it was measured.
    Done,
    /// The budget is used up, or the source is to stop.
    More,
    /// The file is not what it was: it begins anew.
    Truncated,
    /// The file can't be read.
    Failed(io::Error),
}

/// A file that is followed.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    /// The name under which it is, or was, written to.
    pub(super) base: OsString,
    file: Option<File>,
    pub(super) head: Head,
    splitter: Splitter,
    /// What it began with when it was found not to begin with `head` any more, and then not with that.
    successors: VecDeque<Head>,
    /// Its place among the rotated files.
    pub(super) order: (i64, Vec<u8>),
    /// Where a record began of which the sink wants more lines.
    part: Option<u64>,
    /// The size when it was last measured, and when it had last been written to then.
    size: u64,
    changed: (i64, i64),
    /// It was written to since its beginning was last compared.
    suspect: bool,
    /// It stands under the name that is written to; otherwise it was rotated.
    pub(super) current: bool,
    /// A name for it was found.
    pub(super) present: bool,
    /// A copy of another one, or taken over by one: not read.
    pub(super) aside: bool,
    /// From before a restart, and not found yet.
    pub(super) lost: bool,
    /// Whether it still begins as it did was looked at since the start.
    known: bool,
    read_when_kept: bool,
    /// Lines are passed over until the sink says that it begins.
    pub(super) searching: bool,
    pub(super) gap: bool,
    /// Whether the place is the beginning of a line is not known yet.
    pub(super) unsure: bool,
    /// Nothing more is expected.
    pub(super) done: bool,
    /// The size at which it was closed; it is not opened again before that changes.
    closed: Option<u64>,
    /// When something last came.
    moved: Stopwatch,
}

impl Tail {
    /// A file that is read from `at` on.
    pub(super) fn new(id: FileId, path: PathBuf, base: OsString, at: u64) -> Self {
        Self {
            id,
            path,
            base,
            file: None,
            head: Head::default(),
            splitter: Splitter::at(at, false),
            successors: VecDeque::new(),
            order: (1, Vec::new()),
            part: None,
            size: at,
            changed: (0, 0),
            suspect: true,
            current: false,
            present: true,
            aside: false,
            lost: false,
            known: true,
            read_when_kept: false,
            searching: false,
            gap: false,
            unsure: at > 0,
            done: false,
            closed: None,
            moved: Stopwatch::start(),
        }
    }

    /// Where to go on after a restart.
    pub(super) fn place(&self) -> (u64, bool) {
        self.part
            .map_or_else(|| self.splitter.place(), |part| (part, false))
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether it is there under the name that a rotation gave it.
    pub(super) fn is_rotated(&self) -> bool {
        self.present && !self.current && self.order.0 < 1
    }

    /// How far it was read.
    pub(super) fn next(&self) -> u64 {
        self.splitter.next()
    }

    /// Whether everything was read, as far as is known.
    pub(super) fn is_read(&self) -> bool {
        if self.lost {
            self.read_when_kept
        } else {
            self.next() == self.size
        }
    }

    /// It was found, `size` long.
    pub(super) fn is_seen(&mut self, size: u64) {
        if self.file.is_none() {
            self.size = size;
        }
    }

    /// For how long nothing came.
    pub(super) fn quiet(&self) -> std::time::Duration {
        self.moved.elapsed()
    }

    /// Whether it should be opened, being `size` long.
    pub(super) fn wants_open(&self, size: u64) -> bool {
        !self.aside
            && self.file.is_none()
            && self.closed != Some(size)
            && (self.current || !self.done || size != self.next() || !self.successors.is_empty())
    }

    /// Opens it by its path. `false` when another file is there now, or when it does not begin as it did: see
    /// [`Tail::is_same`].
    pub(super) fn open(&mut self) -> io::Result<bool> {
        let (file, id) = open_regular(&self.path)?;
        if id != self.id {
            return Ok(false);
        }
        self.adopt(file)?;
        Ok(true)
    }

    /// Reads on from an open file.
    pub(super) fn adopt(&mut self, file: File) -> io::Result<()> {
        let next = self.next();
        if self.head.len() == 0 && next > 0 {
            let start = beginning(&file)?;
            let known = usize::try_from(next).unwrap_or(HEAD).min(start.len());
            self.head = Head::new(start.get(..known).unwrap_or_default());
        }
        if self.unsure {
            let mut before = [0];
            let at_line = next == 0 || file.read_at(&mut before, next - 1)? == 0 || before == *b"\n";
            self.splitter = Splitter::at(next, !at_line);
            self.unsure = false;
        }
        // a size of before would make it look as if it was read
        self.size = file.metadata()?.len();
        self.file = Some(file);
        self.closed = None;
        self.done = false;
        self.moved = Stopwatch::start();
        Ok(())
    }

    /// Closes it; reading goes on at its place when it grows.
    pub(super) fn close(&mut self) {
        self.file = None;
        self.closed = Some(self.size);
        let (at, skip) = self.place();
        self.splitter = Splitter::at(at, skip);
        self.part = None;
    }

    /// After an error: opens it anew at the next look at the folder.
    pub(super) fn let_go(&mut self) {
        self.close();
        self.closed = None;
    }

    /// Nothing came for a long time: hands over a line that has no end, and closes it.
    pub(super) fn finish(&mut self, desk: &mut Desk) {
        let Self {
            path,
            splitter,
            part,
            gap,
            searching,
            ..
        } = self;
        splitter.end(|bytes, offset, ending| {
            hand_over(desk, path, (part, gap, searching), bytes, offset, ending);
        });
        self.part = None;
        self.done = true;
        self.close();
    }

    /// Starts at the beginning: the file was truncated.
    pub(super) fn begin_anew(&mut self, gap: bool) {
        self.splitter = Splitter::at(0, false);
        self.head = self.successors.pop_front().unwrap_or_default();
        (self.part, self.closed) = (None, None);
        (self.searching, self.unsure) = (false, false);
        self.gap |= gap;
    }

    /// Goes on where `other` stopped, of which this is a copy.
    pub(super) fn go_on_from(&mut self, other: &Self) {
        let (at, skip) = other.place();
        self.splitter = Splitter::at(at, skip);
        self.head = other.head.clone();
        (self.searching, self.unsure) = (other.searching, other.unsure);
        self.gap = other.gap;
        (self.aside, self.done) = (false, false);
        (self.part, self.closed) = (None, None);
    }

    /// Sees how long it is. Whether only now it is known how it begins: a copy may have been made and the file truncated before that, so another
    /// scan must come before it is read.
    pub(super) fn measure(&mut self) -> io::Result<bool> {
        let mut learnt = false;
        if let Some(file) = &self.file {
            if self.head.len() == 0 && self.next() == 0 {
                // known before the size is: what is read later must be of the same file
                self.head = Head::new(&beginning(file)?);
                learnt = self.head.len() > 0;
            }
            let metadata = file.metadata()?;
            self.size = metadata.len();
            let changed = (metadata.mtime(), metadata.mtime_nsec());
            self.suspect |= changed != self.changed;
            self.changed = changed;
        }
        Ok(learnt)
    }

    /// Whether it was truncated, as far as can be seen before it is read.
    pub(super) fn has_begun_anew(&mut self) -> io::Result<bool> {
        let Some(file) = self.file.as_ref().filter(|_| !self.aside) else {
            return Ok(false);
        };
        let next = self.splitter.next();
        // time stamps stand still for some milliseconds
        let touched = self.suspect || self.size != next;
        Ok(self.size < next || (touched && !is_alike(file, &mut self.head)?))
    }

    /// Reads up to the size that was measured.
    ///
    /// After each read it is checked that the file still begins as it did, so that bytes of after a truncation are never taken
    /// for those of before.
    pub(super) fn read(&mut self, desk: &mut Desk, stop: &AtomicBool) -> Progress {
        let Some(file) = &self.file else {
            return Progress::Done;
        };
        let Self {
            path,
            splitter,
            part,
            gap,
            searching,
            head,
            ..
        } = self;
        if self.size < splitter.next() {
            return Progress::Truncated;
        }
        self.suspect = false;
        while splitter.next() < self.size {
            if desk.budget == 0 || stop.load(Ordering::Relaxed) {
                return Progress::More;
            }
            let at = splitter.next();
            let mut chunk = std::mem::take(&mut desk.chunk);
            let want = usize::try_from(self.size - at).unwrap_or(CHUNK).min(CHUNK);
            let got = read_chunk(file, head, at, chunk.get_mut(..want).unwrap_or_default());
            // a read may have hung for long: whoever reads instead of us by now has these lines
            let ended = match got {
                _ if stop.load(Ordering::Relaxed) => Some(Progress::More),
                Ok(Some(0)) => Some(Progress::Done),
                Ok(None) => Some(Progress::Truncated),
                Err(error) => Some(Progress::Failed(error)),
                Ok(Some(got)) => {
                    let bytes = chunk.get(..got).unwrap_or_default();
                    desk.budget = desk.budget.saturating_sub(got);
                    head.grow(at, bytes);
                    splitter.push(bytes, |bytes, offset, ending| {
                        hand_over(desk, path, (part, gap, searching), bytes, offset, ending);
                    });
                    if !splitter.is_within_line() && bytes.iter().all(|byte| *byte == 0) {
                        splitter.pass(hole(file, splitter.next(), self.size));
                    }
                    None
                }
            };
            desk.chunk = chunk;
            self.moved = Stopwatch::start();
            if let Some(ended) = ended {
                return ended;
            }
        }
        if splitter.is_within_line() && !*searching {
            desk.sink.within_line(path);
        }
        Progress::Done
    }
}

type State<'a> = (&'a mut Option<u64>, &'a mut bool, &'a mut bool);

fn hand_over(desk: &mut Desk, path: &Path, state: State<'_>, bytes: &[u8], offset: u64, ending: Ending) {
    let (part, gap, searching) = state;
    let line = Line {
        bytes,
        path,
        offset,
        ending,
        after_gap: *gap,
        time: None,
    };
    if *searching {
        if !desk.sink.begins(&line) {
            return;
        }
        *searching = false;
    }
    *gap = false;
    desk.lines += 1;
    desk.cut += u64::from(ending == Ending::Cut);
    match desk.sink.line(&line) {
        Taken::Done => *part = None,
        Taken::Part => *part = Some(part.unwrap_or(offset)),
    }
}
