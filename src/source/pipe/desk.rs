//! Bytes from pipes, handed over as lines.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use crate::health::Health;
use crate::source::logfile::splitter::Splitter;
use crate::source::logfile::{Ending, Line, LineSink};

/// What is read at a time, in bytes: as much as a pipe holds that was given all the kernel gives.
const CHUNK: usize = 1 << 20;

/// An open pipe and the line that is being read from it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) file: File,
    /// Tells it apart from others of the same source.
    number: u64,
    splitter: Splitter,
    /// Whether anything came from the writers that are there now.
    spoke: bool,
}

/// How reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulled {
    /// Something came; more may be there.
    Some,
    /// Nothing is there, and somebody may write.
    Nothing,
    /// Nothing is there, and nobody has it open for writing.
    End,
}

/// Takes bytes from pipes and hands their lines to the sink.
pub(super) struct Desk {
    sink: Box<dyn LineSink>,
    path: PathBuf,
    chunk: Vec<u8>,
    streams: u64,
    /// The stream of the last line.
    last: u64,
    gap: bool,
    cut: u64,
}

impl Desk {
    pub(super) fn new(sink: Box<dyn LineSink>, path: PathBuf) -> Self {
        Self {
            sink,
            path,
            chunk: vec![0; CHUNK],
            streams: 0,
            last: 1,
            gap: false,
            cut: 0,
        }
    }

    /// A stream that nothing was read of.
    pub(super) fn stream(&mut self, file: File) -> Stream {
        self.streams += 1;
        Stream {
            file,
            number: self.streams,
            splitter: Splitter::at(0, false),
            spoke: false,
        }
    }

    /// Reads once from `stream` and hands over the lines that are complete. At its end, a line without an end is handed over
    /// as such, and what comes later begins a new one.
    pub(super) fn pull(&mut self, stream: &mut Stream) -> io::Result<Pulled> {
        let got = match stream.file.read(&mut self.chunk) {
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Pulled::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Pulled::Some),
            Err(error) => return Err(error),
        };
        if got == 0 {
            self.end(stream);
            return Ok(Pulled::End);
        }
        stream.spoke = true;
        let chunk = std::mem::take(&mut self.chunk);
        let number = stream.number;
        let bytes = chunk.get(..got).unwrap_or_default();
        stream
            .splitter
            .push(bytes, |line, _, ending| self.line(line, ending, number));
        self.chunk = chunk;
        if stream.splitter.is_within_line() {
            self.sink.within_line(&self.path);
        }
        Ok(Pulled::Some)
    }

    /// The writers of `stream` have left: an unfinished line ends here.
    pub(super) fn end(&mut self, stream: &mut Stream) {
        let number = stream.number;
        stream
            .splitter
            .end(|line, _, ending| self.line(line, ending, number));
        stream.splitter = Splitter::at(0, false);
        // a record that goes on in further lines does not go on in those of another writer
        self.gap |= std::mem::take(&mut stream.spoke);
    }

    fn line(&mut self, bytes: &[u8], ending: Ending, number: u64) {
        self.cut += u64::from(ending == Ending::Cut);
        let other = std::mem::replace(&mut self.last, number) != number;
        let _ = self.sink.line(&Line {
            bytes,
            path: &self.path,
            offset: 0,
            ending,
            after_gap: std::mem::take(&mut self.gap) || other,
            time: None,
        });
    }

    /// How long the sink can wait for that, though nothing comes.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.sink.patience()
    }

    /// Everything that is there now was handed over.
    pub(super) fn pause(&mut self, health: &Health) {
        self.sink.pause();
        let cut = std::mem::take(&mut self.cut);
        if cut > 0 {
            health.update(|report| report.oversized += cut);
        }
    }
}
