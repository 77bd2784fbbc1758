//! Reads a recording of what a PBX said, event by event, in bounded memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::BytesMut;
use ringfence_ami::{AmiCodec, Block, Counts, Mapped, Mapper, Shape, Suspicion};
use ringfence_event::SecurityEvent;
use tokio_util::codec::Decoder;

use super::{CliError, Exit};

/// Bytes asked for at a time.
const READ: usize = 64 * 1024;

/// What a recording was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Found out from its first line.
    #[default]
    Auto,
    /// Every byte of one or more sessions at Asterisk's manager interface.
    Ami,
}

/// One frame of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1; the banner that opens a session has none.
    pub n: u64,
    /// What it says.
    pub outcome: Outcome,
}

/// What a frame of a recording says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is a value of bounded size and is never allocated"
)]
pub enum Outcome {
    /// Who failed or succeeded.
    Event(SecurityEvent),
    /// Nothing about anybody's login.
    Unmatched,
    /// Something that somebody has tampered with: it names nobody.
    Suspicious(Suspicion),
}

/// A recording being read, frame by frame.
#[derive(Debug)]
pub struct Recording<R> {
    source: R,
    codec: AmiCodec,
    mapper: Mapper,
    chunk: Box<[u8]>,
    buffer: BytesMut,
    ended: bool,
    frames: u64,
}

impl Recording<Box<dyn Read>> {
    /// Opens a file, or standard input for `-`.
    ///
    /// An error names the file: [`Exit::NoInput`] when it can't be read, [`Exit::Data`] when `format` is
    /// [`Format::Auto`] and its beginning is none that ringfence knows.
    pub fn open(path: &Path, format: Format) -> Result<Self, CliError> {
        let unreadable = |error| CliError::new(Exit::NoInput, format!("{}: {error}", path.display()));
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(unreadable)?)
        };
        let mut recording = Self::new(source);
        if format == Format::Auto && !recording.looks_like_ami().map_err(unreadable)? {
            return Err(CliError::new(
                Exit::Data,
                format!(
                    "{}: not a recording of the manager interface, which begins with \"Asterisk Call Manager/\", \
                     \"Event: \" or \"Response: \"; --from ami reads it as one all the same",
                    path.display()
                ),
            ));
        }
        Ok(recording)
    }
}

impl<R: Read> Recording<R> {
    /// A recording of the manager interface that comes from `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            codec: AmiCodec::new(),
            mapper: Mapper::new(),
            chunk: vec![0; READ].into_boxed_slice(),
            buffer: BytesMut::new(),
            ended: false,
            frames: 0,
        }
    }

    /// What was not taken at face value so far.
    pub fn counts(&self) -> Counts {
        self.mapper.counts()
    }

    /// Whether the recording begins as the manager interface does; an empty one may.
    fn looks_like_ami(&mut self) -> io::Result<bool> {
        let starts: [&[u8]; 3] = [b"Asterisk Call Manager/", b"Event: ", b"Response: "];
        while self.buffer.len() < 22 && !self.ended {
            self.fill()?;
        }
        Ok(self.buffer.is_empty() || starts.iter().any(|start| self.buffer.starts_with(start)))
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = loop {
            match self.source.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.buffer
            .extend_from_slice(self.chunk.get(..count).unwrap_or_default());
        self.ended = count == 0;
        Ok(())
    }

    fn next_block(&mut self) -> io::Result<Option<Block>> {
        loop {
            if self.ended {
                return self.codec.decode_eof(&mut self.buffer);
            }
            if let Some(block) = self.codec.decode(&mut self.buffer)? {
                return Ok(Some(block));
            }
            self.fill()?;
        }
    }

    fn next_record(&mut self) -> io::Result<Option<Record>> {
        while let Some(block) = self.next_block()? {
            let frame = block.frame();
            let outcome = match self.mapper.map(&frame) {
                Mapped::Event(event) => Outcome::Event(event),
                Mapped::Suspicious(suspicion) => Outcome::Suspicious(suspicion),
                Mapped::Other if frame.shape() == Shape::Greeting => continue,
                Mapped::Other => Outcome::Unmatched,
            };
            self.frames += 1;
            return Ok(Some(Record {
                n: self.frames,
                outcome,
            }));
        }
        Ok(None)
    }
}

impl<R: Read> Iterator for Recording<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}
