//! Reads a recording of what a PBX said, event by event, in bounded memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::{Buf, BytesMut};
use ringfence_ami::{AmiCodec, Counts, Mapped, Mapper, Shape, Suspicion};
use ringfence_esl::{EslCodec, EslError, FramingError};
use ringfence_event::{SecurityEvent, SourceId};
use ringfence_seclog::asterisk;
use ringfence_seclog::freeswitch::{self, Assembler, Echoes, Layout, map_log_data};
use ringfence_seclog::time::Clock;
use tokio_util::codec::Decoder;

use super::{CliError, Exit};
use crate::clock;

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
    /// Every byte of one session at FreeSWITCH's event socket, with plain events or log records.
    Esl,
    /// FreeSWITCH's log, or the file of its mod_fail2ban.
    Freeswitch,
    /// Asterisk's log: messages, full or security, also by way of syslog, the journal or a container.
    Asterisk,
}

/// How each kind of recording may begin.
const STARTS: [(&[u8], Format); 5] = [
    (b"Asterisk Call Manager/", Format::Ami),
    (b"Event: ", Format::Ami),
    (b"Response: ", Format::Ami),
    (b"Content-Type: ", Format::Esl),
    (b"Content-Length: ", Format::Esl),
];

/// Bytes that are enough to know a recording by.
const BEGINNING: usize = 128;

/// One frame of a recording, or one record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1; the banner that opens a session has none. Of a log, the number of the line on which it begins.
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
    /// Who failed or succeeded; the source is 1 for a line of Asterisk's security log, which other lines repeat in other words.
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
    protocol: Protocol,
    chunk: Box<[u8]>,
    buffer: BytesMut,
    ended: bool,
    frames: u64,
}

/// What takes the bytes apart and judges the frames.
#[derive(Debug)]
enum Protocol {
    Ami(AmiCodec, Mapper),
    Esl(EslCodec, ringfence_esl::Mapper, Echoes),
    Log(Log),
    Asterisk(AsteriskLog),
}

/// A log of Asterisk being read; stamps without a year are taken for the newest past ones.
#[derive(Debug)]
struct AsteriskLog {
    assembler: asterisk::Assembler,
    clock: Clock,
    doubtful: u64,
}

/// A log being read; how it is written is known once it has begun.
#[derive(Debug, Default)]
struct Log {
    assembler: Option<Assembler>,
    doubtful: u64,
}

impl Protocol {
    fn of(format: Format) -> Self {
        match format {
            Format::Auto | Format::Ami => Self::Ami(AmiCodec::new(), Mapper::new()),
            Format::Esl => Self::Esl(EslCodec::new(), ringfence_esl::Mapper::new(), Echoes::new()),
            Format::Freeswitch => Self::Log(Log::default()),
            Format::Asterisk => Self::Asterisk(AsteriskLog {
                assembler: asterisk::Assembler::new(),
                // the log does not say in which zone it was written
                clock: Clock {
                    offset: 0,
                    now: Some(clock::Clock::start().now()),
                },
                doubtful: 0,
            }),
        }
    }

    /// The next frame, with the number of its line where that counts; `None` when it needs more bytes, or has none left when
    /// they `ended`.
    fn outcome(&mut self, buffer: &mut BytesMut, ended: bool) -> io::Result<Option<(Option<u64>, Outcome)>> {
        let frame = match self {
            Self::Ami(codec, mapper) => ami_outcome(codec, mapper, buffer, ended)?,
            Self::Esl(codec, mapper, echoes) => esl_outcome(codec, mapper, echoes, buffer, ended)?,
            Self::Log(log) => return Ok(log.outcome(buffer, ended)),
            Self::Asterisk(log) => return Ok(log.outcome(buffer, ended)),
        };
        Ok(frame.map(|outcome| (None, outcome)))
    }
}

impl Log {
    fn outcome(&mut self, buffer: &mut BytesMut, ended: bool) -> Option<(Option<u64>, Outcome)> {
        if self.assembler.is_none() && buffer.len() < BEGINNING && !ended {
            return None;
        }
        let assembler = self
            .assembler
            .get_or_insert_with(|| Assembler::new(Layout::guess(buffer).unwrap_or_default()));
        let mut left = &buffer[..];
        let whole = assembler.take(&mut left);
        let taken = buffer.len() - left.len();
        buffer.advance(taken);
        let whole = whole.or_else(|| ended.then(|| assembler.finish()).flatten())?;
        // The log does not say in which zone it was written.
        let outcome = match whole.map(0) {
            freeswitch::Mapped::Said(said) => Outcome::Event(said.event),
            freeswitch::Mapped::Doubtful => {
                self.doubtful += 1;
                Outcome::Suspicious(Suspicion::Withheld)
            }
            freeswitch::Mapped::Other => Outcome::Unmatched,
        };
        Some((Some(whole.line()), outcome))
    }
}

impl AsteriskLog {
    fn outcome(&mut self, buffer: &mut BytesMut, ended: bool) -> Option<(Option<u64>, Outcome)> {
        let mut left = &buffer[..];
        let told = self.assembler.take(&mut left, &self.clock);
        let taken = buffer.len() - left.len();
        buffer.advance(taken);
        let told = told.or_else(|| ended.then(|| self.assembler.finish()).flatten())?;
        let outcome = match told.mapped {
            // what the caller only claimed says so itself
            asterisk::Mapped::Said(said) | asterisk::Mapped::Claimed(said) => Outcome::Event(SecurityEvent {
                source: SourceId(u16::from(said.kind == asterisk::Kind::Security)),
                ..said.event
            }),
            asterisk::Mapped::Doubtful => {
                self.doubtful += 1;
                Outcome::Suspicious(Suspicion::Withheld)
            }
            asterisk::Mapped::Other => Outcome::Unmatched,
        };
        Some((Some(told.line), outcome))
    }
}

fn ami_outcome(
    codec: &mut AmiCodec,
    mapper: &mut Mapper,
    buffer: &mut BytesMut,
    ended: bool,
) -> io::Result<Option<Outcome>> {
    loop {
        let block = if ended {
            codec.decode_eof(buffer)?
        } else {
            codec.decode(buffer)?
        };
        let Some(block) = block else { return Ok(None) };
        let frame = block.frame();
        return Ok(Some(match mapper.map(&frame) {
            Mapped::Event(event) => Outcome::Event(event),
            Mapped::Suspicious(suspicion) => Outcome::Suspicious(suspicion),
            Mapped::Other if frame.shape() == Shape::Greeting => continue,
            Mapped::Other => Outcome::Unmatched,
        }));
    }
}

/// A recording may end inside a frame, as it does when FreeSWITCH was killed; any other framing error is one.
fn esl_outcome(
    codec: &mut EslCodec,
    mapper: &mut ringfence_esl::Mapper,
    echoes: &mut Echoes,
    buffer: &mut BytesMut,
    ended: bool,
) -> io::Result<Option<Outcome>> {
    let block = if ended {
        codec.decode_eof(buffer)
    } else {
        codec.decode(buffer)
    };
    let block = match block {
        Ok(Some(block)) => block,
        Ok(None) | Err(EslError::Framing(FramingError::Truncated)) => return Ok(None),
        Err(EslError::Framing(error)) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(EslError::Io(error)) => return Err(error),
    };
    let frame = block.frame();
    echoes.reply(frame.reply());
    Ok(Some(match mapper.map(&frame) {
        ringfence_esl::Mapped::Event(event) => Outcome::Event(event),
        ringfence_esl::Mapped::Suspicious(ringfence_esl::Suspicion::Forged) => {
            Outcome::Suspicious(Suspicion::Withheld)
        }
        ringfence_esl::Mapped::Suspicious(ringfence_esl::Suspicion::Contradictory) => {
            Outcome::Suspicious(Suspicion::Broken)
        }
        ringfence_esl::Mapped::Other => {
            let event = log_record(&frame).and_then(|said| echoes.filter(said));
            event.map_or(Outcome::Unmatched, Outcome::Event)
        }
    }))
}

/// What a log record of the event socket says of a peer; one with bytes missing says nothing.
fn log_record(frame: &ringfence_esl::Frame<'_>) -> Option<freeswitch::Said> {
    if frame.kind() != ringfence_esl::Kind::LogData || frame.is_cut() {
        return None;
    }
    map_log_data(
        frame.header(b"Log-File")?,
        frame.header(b"Log-Func")?,
        frame.body(),
    )
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
        let mut recording = Self::of(source, format);
        if format == Format::Auto {
            let Some(found) = recording.looks_like().map_err(unreadable)? else {
                return Err(CliError::new(
                    Exit::Data,
                    format!(
                        "{}: not a recording of the manager interface, which begins with \"Asterisk Call Manager/\", \
                         \"Event: \" or \"Response: \", nor of the event socket, which begins with \"Content-\", nor \
                         a log of Asterisk or FreeSWITCH, which begins with a time; --from ami, --from esl, \
                         --from asterisk or --from freeswitch reads it as one all the same",
                        path.display()
                    ),
                ));
            };
            recording.protocol = Protocol::of(found);
        }
        Ok(recording)
    }
}

impl<R: Read> Recording<R> {
    /// A recording of the manager interface that comes from `source`.
    pub fn new(source: R) -> Self {
        Self::of(source, Format::Ami)
    }

    /// A recording that comes from `source`; [`Format::Auto`] is read as the manager interface's.
    pub fn of(source: R, format: Format) -> Self {
        Self {
            source,
            protocol: Protocol::of(format),
            chunk: vec![0; READ].into_boxed_slice(),
            buffer: BytesMut::new(),
            ended: false,
            frames: 0,
        }
    }

    /// Whether it is a log, not what went over a wire.
    pub fn is_log(&self) -> bool {
        matches!(self.protocol, Protocol::Log(_) | Protocol::Asterisk(_))
    }

    /// What was not taken at face value so far; of the event socket, events that clients made up count as withheld; of a
    /// log, records that somebody else may have written do, too.
    pub fn counts(&self) -> Counts {
        match &self.protocol {
            Protocol::Ami(_, mapper) => mapper.counts(),
            Protocol::Esl(_, mapper, _) => Counts {
                broken: mapper.counts().contradictory,
                withheld: mapper.counts().forged,
                injected: 0,
            },
            Protocol::Log(log) => Counts {
                withheld: log.doubtful,
                ..Counts::default()
            },
            Protocol::Asterisk(log) => Counts {
                withheld: log.doubtful,
                ..Counts::default()
            },
        }
    }

    /// What the recording begins as; an empty one may be anything.
    fn looks_like(&mut self) -> io::Result<Option<Format>> {
        while self.buffer.len() < BEGINNING && !self.ended {
            self.fill()?;
        }
        if self.buffer.is_empty() {
            return Ok(Some(Format::Ami));
        }
        let found = STARTS.iter().find(|(start, _)| self.buffer.starts_with(start));
        let freeswitch = || Layout::guess(&self.buffer).map(|_| Format::Freeswitch);
        let asterisk = || asterisk::looks_like(&self.buffer).then_some(Format::Asterisk);
        Ok(found
            .map(|(_, format)| *format)
            .or_else(freeswitch)
            .or_else(asterisk))
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

    fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            if let Some((line, outcome)) = self.protocol.outcome(&mut self.buffer, self.ended)? {
                self.frames += 1;
                return Ok(Some(Record {
                    n: line.unwrap_or(self.frames),
                    outcome,
                }));
            }
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }
}

impl<R: Read> Iterator for Recording<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}
