//! A line of a log, and who takes it.

use std::path::Path;
use std::time::Duration;

use ringfence_event::Moment;

/// The longest line that is handed over, in bytes; what is longer is cut there, and the rest of it is left out.
pub const LONGEST_LINE: usize = 64 * 1024;

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a line feed: this is all of it.
    Whole,
    /// It is longer than [`LONGEST_LINE`]: this is its beginning, the rest is left out.
    Cut,
    /// The file ended, and nothing came for a long time. An address at its end may lack digits, so nobody should be blamed
    /// for such a line.
    Missing,
}

/// A line of a log.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its bytes as they stand there, without CR LF. Never longer than [`LONGEST_LINE`]. A log file's never hold a line feed;
    /// a journal's message may: it is one record all the same.
    pub bytes: &'a [u8],
    /// The file, as it was named when it was last looked up: after a rotation this is the rotated file.
    pub path: &'a Path,
    /// Where it begins in the file, in bytes; 0 where there is no such place.
    pub offset: u64,
    /// Whether this is all of it.
    pub ending: Ending,
    /// Whether lines before it may have been lost.
    pub after_gap: bool,
    /// When it was written, where the container around it says so: the journal, docker's json files.
    pub time: Option<Moment>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was dealt with, and is not handed over again.
    Done,
    /// It is the beginning of a record that goes on in further lines of this file. After a restart it is handed over again, if
    /// no `Done` came for this file until then.
    Part,
}

/// Takes the lines of one source.
///
/// It is called on the source's own thread. While a call lasts, nothing more is read from this source; others are not
/// affected. A panic ends the source.
pub trait LineSink: Send + 'static {
    /// Takes a line.
    fn line(&mut self, line: &Line<'_>) -> Taken;

    /// Whether what is to be read begins with this line. Asked on a first start with [`super::Start::Search`], for each line
    /// that is there already, until it says so: a source that is to read one hour back compares time stamps here.
    fn begins(&mut self, line: &Line<'_>) -> bool {
        let _ = line;
        true
    }

    /// Of the line that comes next from the file at `path` some is there already, and its end is not.
    fn within_line(&mut self, path: &Path) {
        let _ = path;
    }

    /// Everything that could be read now was handed over: a good moment to pass on what was gathered. It comes before a place
    /// is kept, so that what was gathered is not lost with a crash.
    fn pause(&mut self) {}

    /// Everything was handed over that had been written before the source began: what comes from now on is being written now.
    fn caught_up(&mut self) {}

    /// How long until [`LineSink::pause`] should come, though no line comes; `None` when that does not matter.
    fn patience(&self) -> Option<Duration> {
        None
    }
}
