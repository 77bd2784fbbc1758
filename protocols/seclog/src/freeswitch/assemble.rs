//! Puts the records of a file together from its lines.
//!
//! A record begins at the first column with a time stamp in exact form; lines that begin with a space or tab are folded
//! headers inside of the record before. What a peer can get into the log decides what is believed:
//!
//! - **In a header** no line break stands without a space or tab behind it, so a forged record in a name never begins at the
//!   first column. It is part of the true record, whose last words name the true address.
//! - **In a body** (a message, a session description) lines are raw, and a forged record looks exactly like a true one. They
//!   give themselves away by a line at the first column that FreeSWITCH doesn't write: it is *loose*. A record with such a line
//!   is doubtful, and so is every record that begins within [`MAX_DOUBT`] bytes behind it, more than one message can hold.
//!   The same goes for what follows a record that visibly has no end, as after `for [1000` without its bracket.
//!
//! Doubtful records blame nobody. Whoever can write messages can so keep a file silent for a while, but nobody is ever blamed
//! for another; the event socket's frames know no doubt.

use super::fail2ban::map_fail2ban;
use super::layout::{Layout, Line};
use super::map::{Said, map_at};
use super::record::Record;

/// The most bytes kept of one record; a longer one blames nobody.
pub const MAX_RECORD: usize = 64 * 1024;
/// Bytes for which doubt lasts behind a loose line. FreeSWITCH takes no SIP message of 3 MB.
pub const MAX_DOUBT: u64 = 4 * 1024 * 1024;
/// Bytes kept of the end of a line that is too long, to see whether it was whole.
const END: usize = 128;

/// One whole record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    layout: Layout,
    line: u64,
    bytes: Vec<u8>,
    end: Vec<u8>,
    cut: bool,
    doubtful: bool,
    spent: bool,
}

/// What a record of a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is a value of bounded size and is never allocated"
)]
pub enum Mapped {
    /// No statement about a peer.
    Other,
    /// A statement about a peer.
    Said(Said),
    /// It reads like a statement about a peer, but somebody else may have written it.
    Doubtful,
}

impl Whole {
    /// The number of the line on which it begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Its bytes with all line feeds; without what was cut off behind [`MAX_RECORD`].
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether somebody else than FreeSWITCH may have written it, or not all of it is there.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Judges it; `offset` is how many seconds the host's clock is ahead of UTC.
    pub fn map(&self, offset: i32) -> Mapped {
        let said = match self.layout {
            Layout::Log => Record::read(&self.bytes).and_then(|record| map_at(&record, None, offset)),
            Layout::Fail2ban => map_fail2ban(&self.bytes),
        };
        match said {
            None => Mapped::Other,
            Some(_) if self.spent => Mapped::Other,
            Some(_) if self.doubtful => Mapped::Doubtful,
            Some(said) => Mapped::Said(said),
        }
    }

    fn add(&mut self, line: &Begun) {
        let room = MAX_RECORD - self.bytes.len().min(MAX_RECORD);
        let kept = line.kept.get(..room).unwrap_or(&line.kept);
        self.bytes.extend_from_slice(kept);
        self.cut |= line.is_cut() || kept.len() < line.kept.len();
        self.doubtful |= self.cut;
        self.end.clear();
        self.end.extend_from_slice(&line.end);
    }

    /// Whether more of it should have followed.
    fn is_open(&self) -> bool {
        self.layout.is_open(&self.bytes, self.cut, &self.end)
    }
}

/// Takes a file's bytes, cut anywhere, and hands out its records.
#[derive(Clone, Debug)]
pub struct Assembler {
    layout: Layout,
    begun: Begun,
    current: Option<Whole>,
    lines: u64,
    doubt: u64,
}

impl Assembler {
    /// For a file from its beginning, or from the beginning of any line.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            begun: Begun::default(),
            current: None,
            lines: 0,
            doubt: 0,
        }
    }

    /// Takes from `input` until a record is whole, which is when the next one begins; `None` when all was taken.
    pub fn take(&mut self, input: &mut &[u8]) -> Option<Whole> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, behind) = input.split_at_checked(end + 1)?;
            *input = behind;
            self.begun.push(line);
            let whole = self.end_line();
            if whole.is_some() {
                return whole;
            }
        }
        self.begun.push(input);
        *input = &[];
        None
    }

    /// The record that still waits for the next one to begin, when nothing more comes for a while or at the end.
    ///
    /// A line without its line feed stays where it is, since what is cut off may be the end of an address. The waiting record
    /// is doubtful then, unless that line clearly isn't its own.
    pub fn finish(&mut self) -> Option<Whole> {
        let mut whole = self.current.take()?;
        whole.doubtful |=
            !self.begun.kept.is_empty() && self.layout.line(&self.begun.kept, &whole.bytes) != Line::Begins;
        if whole.is_open() {
            self.doubt = MAX_DOUBT;
        }
        Some(whole)
    }

    /// Lines are missing here, or not all of one is there: the record that waits is not believed, since its end may have been
    /// among them, and what follows may be the rest of somebody's words.
    pub fn gap(&mut self) {
        self.begun.clear();
        self.current = None;
        self.doubt = MAX_DOUBT;
    }

    /// A file begins here, and the record that waited lost its end: none goes on from one file to the next.
    pub fn lose(&mut self) {
        self.begun.clear();
        self.current = None;
    }

    /// The record that waits was told before, by whoever read the file until here.
    pub fn spend(&mut self) {
        if let Some(current) = &mut self.current {
            current.spent = true;
        }
    }

    fn end_line(&mut self) -> Option<Whole> {
        let mut line = std::mem::take(&mut self.begun);
        self.lines += 1;
        let before = self.current.as_ref().map_or(&b""[..], |whole| &whole.bytes);
        let ended = match self.layout.line(&line.kept, before) {
            Line::Begins => self.begin(&line),
            Line::Belongs => {
                self.append(&line);
                None
            }
            Line::Loose => {
                self.append(&line);
                if let Some(current) = &mut self.current {
                    current.doubtful = true;
                }
                self.doubt = MAX_DOUBT.saturating_add(line.length);
                None
            }
        };
        self.doubt = self.doubt.saturating_sub(line.length);
        line.clear();
        self.begun = line;
        ended
    }

    fn begin(&mut self, line: &Begun) -> Option<Whole> {
        let ended = self.current.take();
        if ended.as_ref().is_some_and(Whole::is_open) {
            self.doubt = MAX_DOUBT.saturating_add(line.length);
        }
        let mut whole = Whole {
            layout: self.layout,
            line: self.lines,
            bytes: Vec::with_capacity(line.kept.len()),
            end: Vec::new(),
            cut: false,
            doubtful: self.doubt > 0,
            spent: false,
        };
        whole.add(line);
        self.current = Some(whole);
        ended
    }

    fn append(&mut self, line: &Begun) {
        if let Some(current) = &mut self.current {
            // A blank line says nothing about whether the record before it was whole.
            let blank = line.kept == b"\n";
            let end = if blank { current.end.clone() } else { Vec::new() };
            current.add(line);
            if blank {
                current.end = end;
            }
        }
    }
}

/// A line whose end has not come yet, or just came.
#[derive(Clone, Debug, Default)]
struct Begun {
    kept: Vec<u8>,
    end: Vec<u8>,
    length: u64,
}

impl Begun {
    fn push(&mut self, bytes: &[u8]) {
        let room = MAX_RECORD - self.kept.len().min(MAX_RECORD);
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.length = self.length.saturating_add(bytes.len() as u64);
        let tail = bytes.len().saturating_sub(END);
        self.end.extend_from_slice(bytes.get(tail..).unwrap_or_default());
        let surplus = self.end.len().saturating_sub(END);
        self.end.drain(..surplus);
    }

    fn is_cut(&self) -> bool {
        self.length > self.kept.len() as u64
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.end.clear();
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "2026-11-21 19:34:22.269825 62.10% [WARNING]";

    fn failure(name: &str, addr: &str) -> String {
        format!(
            "{STAMP} sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'p' for [{name}@a] from ip {addr}\n"
        )
    }

    /// Line and judgement of each record: the address, `?` for a doubtful one, nothing for others.
    fn judged(file: &str) -> Vec<(u64, String)> {
        let (mut assembler, mut bytes) = (Assembler::new(Layout::Log), file.as_bytes());
        let mut records = Vec::new();
        while let Some(whole) = assembler.take(&mut bytes) {
            records.push(whole);
        }
        records.extend(assembler.finish());
        let judge = |whole: Whole| match whole.map(0) {
            Mapped::Said(said) => (whole.line(), said.event.peer.addr().to_string()),
            Mapped::Doubtful => (whole.line(), "?".into()),
            Mapped::Other => (whole.line(), String::new()),
        };
        records.into_iter().map(judge).collect()
    }

    fn of(records: &[(u64, &str)]) -> Vec<(u64, String)> {
        records.iter().map(|(n, what)| (*n, (*what).into())).collect()
    }

    #[test]
    fn a_folded_forgery_is_part_of_the_true_record() {
        let forged = failure("1000", "198.51.100.9");
        let file = failure(&format!("x\r\n {forged} "), "192.0.2.1") + &failure("2", "192.0.2.2");
        assert_eq!(judged(&file), of(&[(1, "192.0.2.1"), (4, "192.0.2.2")]));
    }

    #[test]
    fn behind_a_message_printed_raw_nobody_is_blamed_for_a_while() {
        let file = failure("1", "192.0.2.1")
            + &format!("{STAMP} sofia_presence.c:272 Chat proto [sip]\nfrom [x]\nto [y]\n")
            + &failure("1000", "198.51.100.9")
            + &failure("1000", "198.51.100.9")
            + "Nobody to send to: Profile internal\n"
            + &failure("1", "192.0.2.1");
        let wanted = [(1, "192.0.2.1"), (2, ""), (5, "?"), (6, ""), (8, "?")];
        assert_eq!(judged(&file), of(&wanted));
        let long = format!("{STAMP} a.c:1 {}\n", "x".repeat(60_000)).repeat(80) + &failure("1", "192.0.2.1");
        assert_eq!(judged(&(file + &long)).pop(), Some((89, "192.0.2.1".into())));
    }

    #[test]
    fn a_record_without_its_end_casts_doubt_on_what_follows() {
        let open =
            format!("{STAMP} sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'p' for [x\n");
        let file =
            open + &failure("1", "198.51.100.9") + "@a] from ip 192.0.2.1\n" + &failure("2", "192.0.2.2");
        assert_eq!(judged(&file), of(&[(1, ""), (2, "?"), (4, "?")]));
    }

    #[test]
    fn lines_of_a_call_blame_nobody() {
        let uuid = "6561abb9-f137-4288-87ae-4f8e80cd505b";
        let file = format!("{uuid} {STAMP} sofia.c:7000 Remote SDP:\n{uuid} v=0\r\n{uuid} ")
            + &failure("1", "198.51.100.9")
            + &failure("2", "192.0.2.2");
        assert_eq!(judged(&file), of(&[(1, ""), (2, ""), (3, ""), (4, "192.0.2.2")]));
    }

    #[test]
    fn a_record_too_long_blames_nobody_and_casts_no_doubt() {
        let file = failure(&"x".repeat(MAX_RECORD), "192.0.2.1") + &failure("2", "192.0.2.2");
        let (mut assembler, mut bytes) = (Assembler::new(Layout::Log), file.as_bytes());
        let whole = assembler.take(&mut bytes).unwrap();
        assert_eq!(whole.bytes().len(), MAX_RECORD);
        assert_eq!(whole.map(0), Mapped::Other);
        assert!(matches!(assembler.finish().unwrap().map(0), Mapped::Said(_)));
    }

    #[test]
    fn a_session_description_casts_doubt_however_long_the_name_before_it() {
        for name in ["x".to_owned(), "x".repeat(MAX_RECORD)] {
            let file = format!("{STAMP} sofia.c:7000 sofia/external/{name}@a Remote SDP:\n v=0\n")
                + &failure("1000", "198.51.100.9");
            assert_eq!(judged(&file), of(&[(1, ""), (3, "?")]));
        }
    }

    #[test]
    fn an_address_that_may_go_on_is_not_believed() {
        let file = failure("1", "192.0.2.1") + failure("2", "192.0.2.22").trim_end();
        assert_eq!(judged(&file), of(&[(1, "192.0.2.1")]));
        let mut assembler = Assembler::new(Layout::Log);
        let folded = failure("1", "198.51.100.9") + " x";
        assert_eq!(assembler.take(&mut folded.as_bytes()), None);
        assert_eq!(assembler.finish().unwrap().map(0), Mapped::Doubtful);
    }

    #[test]
    fn colours_blank_lines_and_damage() {
        let failed = failure("1", "192.0.2.1");
        let coloured = format!("\x1b[35m{failed}\x1b[0m\x1b[32m{STAMP} a.c:1 x\n\x1b[0m\n");
        assert_eq!(judged(&coloured), of(&[(1, "192.0.2.1"), (2, "")]));
        assert_eq!(
            judged(&format!("{failed}\n{failed}")),
            of(&[(1, "192.0.2.1"), (3, "192.0.2.1")])
        );
        assert_eq!(judged(&failure("1\0", "192.0.2.1")), of(&[(1, "")]));
        assert_eq!(judged(&format!("\0\0\0{failed}{failed}")), of(&[(2, "?")]));
    }
}
