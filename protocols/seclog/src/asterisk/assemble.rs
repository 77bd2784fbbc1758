//! Puts the records of a file together from its lines, and decides which of them are believed.
//!
//! A peer's words get into the log with line breaks, so a line may look perfect and be a peer's own: a packet that PJSIP
//! can't process is printed as it came, a name at IAX2 or at the manager's HTTP may hold anything. The rule:
//!
//! - **A message is at most [`MAX_MESSAGE`] bytes**, and it is written at once. So a peer's words end within that many bytes
//!   of the line in which they begin.
//! - **Loose lines.** A line that doesn't begin as records do is a peer's text or stands beside it. For [`MAX_MESSAGE`] bytes
//!   behind it nobody is blamed. The same goes for what follows a record that lacks its end, and for the line that announces a
//!   packet, but for what blames the packet's sender.
//! - **Names that may hold line breaks.** Behind a sentence that names its peer first, for as far as that peer's words can
//!   reach, only that same peer is blamed, and never with more proof.
//! - **Addresses at the end.** Where a peer's words stand before the address and may hold a line break, the sentence waits
//!   until they can't reach any further; when another ending with another address follows in that time, the earlier one
//!   is not believed, nor what stands between them.
//!
//! Lines that PJSIP and chan_sip write about a SIP header can't hold a line break; there quotes and whole sentences are
//! the danger, which each sentence's own grammar answers. Whoever can make Asterisk print packets can so keep a file silent
//! for a while, but nobody is ever blamed for another; the manager interface and the security log go on telling of him.

mod gap;

use std::collections::VecDeque;
use std::net::IpAddr;

use ringfence_event::{Cause, Proof};

use super::docker;
use super::memory::Memory;
use super::prefix::{Level, Line, begins};
use super::said::{Kind, Reach, Read, Said, timed};
use super::security::{START, Statement, Unread};
use super::{others, sip};
use crate::time::{Clock, Stamp};

/// The longest message that Asterisk writes, in bytes: what is longer it cuts off, its line feed included.
pub const MAX_MESSAGE: usize = 8192;
/// The longest line that is looked at: a message with everything that may stand before it, escaped by a container.
const MAX_LINE: usize = 8 * MAX_MESSAGE;

/// The most lines that one record goes on for: a name of PJSIP or IAX2 holds fewer line breaks, or is mostly made of them.
const MAX_MORE: u32 = 64;

/// One record of a file, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The number of the line on which it begins, from 1.
    pub line: u64,
    /// What it says.
    pub mapped: Mapped,
}

/// What a record of a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// No statement about a peer.
    Other,
    /// A statement about a peer.
    Said(Said),
    /// A statement whose only address is what the caller claimed to be: nobody must be banned for it.
    Claimed(Said),
    /// It reads like a statement about a peer, but somebody else may have written it.
    Doubtful,
}

/// Takes a file's bytes, cut anywhere, and hands out its records, judged.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    begun: Vec<u8>,
    cut: bool,
    scratch: Vec<u8>,
    lines: u64,
    /// Bytes of whole lines so far.
    read: u64,
    doubt: Doubt,
    open: Option<Open>,
    waiting: VecDeque<Waiting>,
    memory: Memory,
}

/// Up to which byte of the file somebody's words may reach, and whose.
#[derive(Clone, Copy, Debug, Default)]
struct Doubt {
    until: u64,
    of: Option<(IpAddr, Proof)>,
}

/// A record whose end has not come yet.
#[derive(Clone, Debug)]
struct Open {
    line: u64,
    start: u64,
    bytes: Vec<u8>,
    more: u32,
}

#[derive(Clone, Debug)]
struct Waiting {
    told: Told,
    /// The byte from which nothing can change it; 0 when it only keeps the order.
    until: u64,
}

impl Assembler {
    /// For a file from its beginning, or from the beginning of any line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes from `input` until a record is judged; `None` when all was taken.
    pub fn take(&mut self, input: &mut &[u8], clock: &Clock) -> Option<Told> {
        loop {
            if let Some(told) = self.ready() {
                return Some(told);
            }
            let Some(end) = memchr::memchr(b'\n', input) else {
                self.push(input);
                *input = &[];
                return None;
            };
            let (line, behind) = input.split_at_checked(end + 1)?;
            *input = behind;
            let told = if self.begun.is_empty() && !self.cut {
                self.line(line, clock)
            } else {
                self.push(line);
                let begun = std::mem::take(&mut self.begun);
                let told = if self.cut {
                    Some(self.cut_line())
                } else {
                    self.line(&begun, clock)
                };
                self.begun = begun;
                self.begun.clear();
                self.cut = false;
                told
            };
            if let Some(told) = told {
                if self.waiting.is_empty() {
                    return Some(told);
                }
                self.wait(told, 0);
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.begun.len());
        self.cut |= bytes.len() > room;
        self.begun.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// A line too long for any record of Asterisk.
    fn cut_line(&mut self) -> Told {
        self.lines += 1;
        self.read = self.read.saturating_add(MAX_LINE as u64);
        self.open = None;
        self.doubt_from(self.read, None, MAX_MESSAGE as u64);
        Told {
            line: self.lines,
            mapped: Mapped::Other,
        }
    }

    /// Judges a whole line with its line feed.
    fn line(&mut self, line: &[u8], clock: &Clock) -> Option<Told> {
        self.lines += 1;
        let start = self.read;
        self.read += line.len() as u64;
        if line.first() == Some(&b'{') {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            let told = match docker::unwrap(line, &mut scratch) {
                Some(read) => self.content(&scratch, start, read.stamp, clock),
                None => self.content(line, start, None, clock),
            };
            self.scratch = scratch;
            return told;
        }
        self.content(line, start, None, clock)
    }

    fn content(&mut self, line: &[u8], start: u64, carried: Option<Stamp>, clock: &Clock) -> Option<Told> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if !self.waiting.is_empty()
            && let Some(addr) = others::end(line)
        {
            self.contradict(addr, start);
        }
        if self.open.is_some() {
            return self.continued(line, start, carried, clock);
        }
        self.first(line, start, carried, clock)
    }

    /// A line while a record lacks its end.
    fn continued(&mut self, line: &[u8], start: u64, carried: Option<Stamp>, clock: &Clock) -> Option<Told> {
        let mut open = self.open.take()?;
        let before = open.bytes.len();
        open.bytes.push(b'\n');
        open.bytes.extend_from_slice(line);
        open.more += 1;
        let fits = open.bytes.len() < MAX_MESSAGE && open.more <= MAX_MORE;
        // every sentence that may go on ends in one of these
        let ends = matches!(line.trim_ascii_end().last(), Some(b'"' | b')' | b'.')) || line.ends_with(b"m");
        let read = Line::read(&open.bytes)
            .filter(|_| fits && ends)
            .map(|whole| (self.read_message(&whole), whole.stamp()));
        match read {
            Some((Read::Open, _)) | None if fits && !begins(line) => {
                self.open = Some(open);
                None
            }
            Some((Read::Open, _)) | None => {
                // its end never came, so what follows may be anything
                open.bytes.truncate(before);
                self.doubt_from(open.start, None, MAX_MESSAGE as u64);
                let told = Told {
                    line: open.line,
                    mapped: Mapped::Doubtful,
                };
                self.wait(told, 0);
                self.first(line, start, carried, clock)
            }
            Some((read, stamp)) => {
                let at = stamp.or(carried);
                self.judged(read, open.line, open.start, at, clock)
            }
        }
    }

    fn first(&mut self, line: &[u8], start: u64, carried: Option<Stamp>, clock: &Clock) -> Option<Told> {
        let number = self.lines;
        let other = Some(Told {
            line: number,
            mapped: Mapped::Other,
        });
        if line.is_empty() || line == b"\r" {
            return other;
        }
        let Some(read) = Line::read(line) else {
            if !begins(line) {
                // the rest of a printed packet, most likely; whose that is, is no more than its sender says of himself
                let of = self.doubt.of.filter(|(_, proof)| *proof <= Proof::None);
                let of = of.filter(|_| start < self.doubt.until);
                self.doubt_from(start, of, MAX_MESSAGE as u64);
            }
            return other;
        };
        if read.level() == Level::Other {
            return other;
        }
        if read.message().len() >= MAX_MESSAGE - 1 {
            self.doubt_from(self.read, None, MAX_MESSAGE as u64);
            return other;
        }
        match self.read_message(&read) {
            Read::Other => other,
            Read::Open => {
                self.open = Some(Open {
                    line: number,
                    start,
                    bytes: line.to_vec(),
                    more: 0,
                });
                None
            }
            judged => self.judged(judged, number, start, read.stamp().or(carried), clock),
        }
    }

    fn read_message(&mut self, line: &Line<'_>) -> Read {
        let message = line.message();
        if message.starts_with(START) {
            // only the security log writes these, whatever its lines are called
            if line.level() != Level::Security && line.file() != b"res_security_log.c" {
                return Read::Other;
            }
            return match Statement::read(message) {
                Ok(statement) => {
                    let dialled = self.memory.is_call(&statement);
                    Read::Said(statement.said(dialled), Reach::None)
                }
                Err(Unread::Open) => Read::Open,
                Err(Unread::Broken) => Read::Ambiguous,
            };
        }
        // Asterisk writes no NUL: a file that holds one was damaged
        if memchr::memchr(0, message).is_some() {
            return Read::Dump(None);
        }
        match line.file() {
            b"chan_sip.c" => sip::chan_sip(message),
            b"pjsip_distributor.c" => sip::pjsip_distributor(message),
            b"res_pjsip_session.c" => sip::pjsip_session(message),
            b"res_pjsip_acl.c" => sip::pjsip_acl(message),
            b"res_pjsip_registrar.c" => sip::pjsip_registrar(message),
            b"pjproject" => sip::pjproject(message),
            b"chan_iax2.c" => others::iax2(message),
            b"manager.c" => others::manager(message),
            b"res_http_websocket.c" => others::websocket(message),
            _ => Read::Other,
        }
    }

    fn judged(
        &mut self,
        read: Read,
        line: u64,
        start: u64,
        stamp: Option<Stamp>,
        clock: &Clock,
    ) -> Option<Told> {
        let (mut said, reach) = match read {
            Read::Said(said, reach) => (said, reach),
            Read::Claimed(mut said) => {
                said.event.proof = Proof::Claimed;
                let mapped = if start < self.doubt.until {
                    Mapped::Doubtful
                } else {
                    Mapped::Claimed(timed(said, stamp, clock))
                };
                return Some(Told { line, mapped });
            }
            Read::Dump(said) => {
                let (mapped, of) = match said {
                    None => (Mapped::Other, None),
                    Some(said) if self.believes(&said, start, false) => {
                        let of = (said.event.peer.addr(), said.event.proof);
                        (Mapped::Said(timed(said, stamp, clock)), Some(of))
                    }
                    Some(_) => (Mapped::Doubtful, None),
                };
                // whoever sent it hides nothing of what else he does
                self.doubt_from(self.read, of, MAX_MESSAGE as u64);
                return Some(Told { line, mapped });
            }
            Read::Ambiguous => {
                return Some(Told {
                    line,
                    mapped: Mapped::Doubtful,
                });
            }
            Read::Open | Read::Other => {
                return Some(Told {
                    line,
                    mapped: Mapped::Other,
                });
            }
        };
        if start < self.doubt.until
            && let Some((addr, proof)) = self.doubt.of
            && addr == said.event.peer.addr()
        {
            // these may be his own words, but they are about nobody else
            said.event.proof = said.event.proof.min(proof);
        }
        let ends = matches!(reach, Reach::Ahead(_));
        let believed = self.believes(&said, start, ends);
        let (addr, proof) = (said.event.peer.addr(), said.event.proof);
        if said.kind == Kind::Request {
            self.memory.tell_apart(&mut said.event);
        }
        let said = timed(said, stamp, clock);
        let mapped = if believed {
            Mapped::Said(said)
        } else {
            Mapped::Doubtful
        };
        let told = Told { line, mapped };
        // what stands within reach of a statement that waits is taken back together with it
        let mut until = self.reached(start);
        match reach {
            Reach::None => {}
            Reach::Behind(bytes) => self.doubt_from(self.read, believed.then_some((addr, proof)), bytes),
            Reach::Ahead(bytes) => until = self.read.saturating_add(bytes),
        }
        if until == 0 {
            return Some(told);
        }
        self.wait(told, until);
        None
    }

    /// Up to which byte statements wait whose peer's words may reach byte `start`; 0 when there are none.
    fn reached(&self, start: u64) -> u64 {
        let untils = self.waiting.iter().map(|waiting| waiting.until);
        untils.filter(|until| start < *until).max().unwrap_or(0)
    }

    /// Whether a statement that begins at byte `start` can be nobody else's; `ends` says that it may be the end of one that
    /// waits.
    fn believes(&self, said: &Said, start: u64, ends: bool) -> bool {
        let event = &said.event;
        let contradicted = self.waiting.iter().any(|waiting| {
            let Mapped::Said(held) = &waiting.told.mapped else {
                return start < waiting.until;
            };
            let other = held.event.peer.addr() != event.peer.addr()
                || event.proof > held.event.proof
                || event.cause == Cause::Succeeded;
            start < waiting.until && other
        });
        let own = self.doubt.of.is_some_and(|(addr, proof)| {
            event.peer.addr() == addr && event.proof <= proof && event.cause != Cause::Succeeded
        });
        (ends || !contradicted) && (start >= self.doubt.until || own)
    }

    /// Doubts all that begins within `bytes` behind byte `from`, but for what blames `of`.
    fn doubt_from(&mut self, from: u64, of: Option<(IpAddr, Proof)>, bytes: u64) {
        let until = from.saturating_add(bytes);
        let over = from >= self.doubt.until;
        // where two peers' words may stand, they may be a third one's
        self.doubt.of = if over || self.doubt.of == of { of } else { None };
        self.doubt.until = self.doubt.until.max(until);
    }

    /// Takes back waiting statements whose peer's words may reach this far, when the end now read names somebody else.
    fn contradict(&mut self, addr: IpAddr, start: u64) {
        for waiting in &mut self.waiting {
            let other = matches!(&waiting.told.mapped, Mapped::Said(said) if said.event.peer.addr() != addr);
            if other && start < waiting.until {
                waiting.told.mapped = Mapped::Doubtful;
            }
        }
    }

    /// Keeps a record until byte `until` is read, which is never far ahead: so few can wait.
    fn wait(&mut self, told: Told, until: u64) {
        self.waiting.push_back(Waiting { told, until });
    }

    fn ready(&mut self) -> Option<Told> {
        let front = self.waiting.front()?;
        (front.until <= self.read)
            .then(|| self.waiting.pop_front())
            .flatten()
            .map(|waiting| waiting.told)
    }
}
