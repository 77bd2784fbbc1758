//! Finds where blocks end in a stream that is cut anywhere, in linear time and bounded space.

use memchr::{memchr, memchr_iter, memmem};

use crate::frame::{Ending, Next, Shape};

/// The largest block that is kept, in bytes. Asterisk bounds its input but not its output: an event of 120 kB was
/// received from a real server. A larger block is thrown away as it comes and counted; the connection stays, since an
/// attacker who could end it with one long value would blind us.
pub const MAX_BLOCK: usize = 256 * 1024;

/// The longest opening line that is waited for, in bytes; Asterisk's has about 30.
pub const MAX_GREETING: usize = 1024;

const BANNER: &[u8] = b"Asterisk Call Manager/";
const STARTS: [&[u8]; 2] = [b"Event: ", b"Response: "];

/// What to take off the front of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing yet: read more.
    More,
    /// This many bytes of no meaning (an empty block, a piece of an oversized one); then ask again.
    Discard(usize),
    /// A frame.
    Frame {
        /// Its lines: the first bytes of the buffer.
        content: usize,
        /// What to take off the buffer, its empty line included.
        whole: usize,
        /// What its lines end with.
        ending: Ending,
        /// How it came out of the stream.
        shape: Shape,
        /// What stands behind it.
        next: Next,
    },
}

/// Remembers how far a growing buffer has been searched, so that no byte is searched twice.
#[derive(Clone, Debug)]
pub struct Splitter {
    empty_line: memmem::Finder<'static>,
    ending: Option<Ending>,
    greeted: bool,
    searched: usize,
    draining: bool,
    oversized: u64,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            empty_line: memmem::Finder::new(b"\r\n\r\n"),
            ending: None,
            greeted: false,
            searched: 0,
            draining: false,
            oversized: 0,
        }
    }
}

impl Splitter {
    /// A splitter for a new connection or recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many blocks were larger than [`MAX_BLOCK`].
    pub fn oversized(&self) -> u64 {
        self.oversized
    }

    /// Looks for the next frame in `buffer`, which holds everything since the last cut.
    ///
    /// The caller takes off what the answer says before it asks again, and only ever appends to the buffer.
    pub fn cut(&mut self, buffer: &[u8]) -> Cut {
        let Some(ending) = self.ending.or_else(|| self.first_ending(buffer)) else {
            return self.no_line_yet(buffer);
        };
        self.ending = Some(ending);
        if !self.draining {
            if buffer.starts_with(ending.bytes()) {
                self.searched = 0;
                return Cut::Discard(ending.bytes().len());
            }
            if let Some(cut) = self.greeting(buffer, ending) {
                return cut;
            }
        }
        match self.block_end(buffer, ending) {
            Some((content, whole)) => self.block(buffer, content, whole, ending),
            None if buffer.len() > MAX_BLOCK || self.draining => self.drain(buffer),
            None => {
                self.searched = buffer.len();
                Cut::More
            }
        }
    }

    /// What is left when the stream has ended.
    pub fn finish(&mut self, buffer: &[u8]) -> Cut {
        match self.cut(buffer) {
            Cut::More if buffer.is_empty() => Cut::More,
            Cut::More => {
                self.searched = 0;
                Cut::Frame {
                    content: buffer.len(),
                    whole: buffer.len(),
                    ending: self.ending.unwrap_or(Ending::CrLf),
                    shape: Shape::Truncated,
                    next: Next::Unknown,
                }
            }
            cut => cut,
        }
    }

    /// What the first line ends with; an opening line must end within its cap.
    fn first_ending(&self, buffer: &[u8]) -> Option<Ending> {
        let lines = if self.greeted { buffer } else { opening(buffer) };
        let from = if self.greeted {
            self.searched.min(lines.len())
        } else {
            0
        };
        let at = from + memchr(b'\n', lines.get(from..)?)?;
        let crlf = lines.get(..at).is_some_and(|line| line.ends_with(b"\r"));
        Some(if crlf { Ending::CrLf } else { Ending::Lf })
    }

    fn no_line_yet(&mut self, buffer: &[u8]) -> Cut {
        if !self.greeted && buffer.len() >= MAX_GREETING {
            return self.greet(MAX_GREETING, Ending::CrLf);
        }
        if buffer.len() > MAX_BLOCK || self.draining {
            return self.drain(buffer);
        }
        self.searched = buffer.len();
        Cut::More
    }

    /// The opening line, and a banner inside a recording of several sessions.
    fn greeting(&mut self, buffer: &[u8], ending: Ending) -> Option<Cut> {
        let banner = match begins(buffer, BANNER) {
            Begins::Yes => true,
            Begins::Perhaps => return Some(Cut::More),
            Begins::No => false,
        };
        if !banner {
            if self.greeted || STARTS.iter().any(|start| begins(buffer, start) == Begins::Yes) {
                self.greeted = true;
                return None;
            }
            if STARTS
                .iter()
                .any(|start| begins(buffer, start) == Begins::Perhaps)
            {
                return Some(Cut::More);
            }
        }
        let line = opening(buffer);
        match memmem::find(line, ending.bytes()) {
            Some(at) => Some(self.greet(at + ending.bytes().len(), ending)),
            None if line.len() < MAX_GREETING => Some(Cut::More),
            None if banner => None,
            None => Some(self.greet(MAX_GREETING, ending)),
        }
    }

    fn greet(&mut self, length: usize, ending: Ending) -> Cut {
        self.greeted = true;
        self.searched = 0;
        Cut::Frame {
            content: length,
            whole: length,
            ending,
            shape: Shape::Greeting,
            next: Next::Unknown,
        }
    }

    /// Where the lines end and where the empty line behind them ends.
    fn block_end(&self, buffer: &[u8], ending: Ending) -> Option<(usize, usize)> {
        let from = self.searched.saturating_sub(3);
        let fresh = buffer.get(from..)?;
        match ending {
            Ending::CrLf => {
                let at = from + self.empty_line.find(fresh)?;
                Some((at + 2, at + 4))
            }
            Ending::Lf => memchr_iter(b'\n', fresh).find_map(|at| {
                let content = from + at + 1;
                let behind = buffer.get(content..)?;
                if behind.starts_with(b"\n") {
                    Some((content, content + 1))
                } else if behind.starts_with(b"\r\n") {
                    Some((content, content + 2))
                } else {
                    None
                }
            }),
        }
    }

    fn block(&mut self, buffer: &[u8], content: usize, whole: usize, ending: Ending) -> Cut {
        self.searched = 0;
        let oversized = self.draining || content > MAX_BLOCK;
        if oversized {
            self.oversized += 1;
            self.draining = false;
        }
        Cut::Frame {
            content: if oversized { 0 } else { content },
            whole,
            ending,
            shape: if oversized { Shape::Oversized } else { Shape::Block },
            next: what_follows(buffer.get(whole..).unwrap_or_default(), ending),
        }
    }

    fn drain(&mut self, buffer: &[u8]) -> Cut {
        self.draining = true;
        // three bytes may be the start of the empty line
        let keep = buffer.len().min(3);
        self.searched = keep;
        match buffer.len() - keep {
            0 => Cut::More,
            surplus => Cut::Discard(surplus),
        }
    }
}

/// As much of the buffer as an opening line may have.
fn opening(buffer: &[u8]) -> &[u8] {
    buffer.get(..MAX_GREETING).unwrap_or(buffer)
}

#[derive(PartialEq, Eq)]
enum Begins {
    Yes,
    No,
    Perhaps,
}

fn begins(buffer: &[u8], start: &[u8]) -> Begins {
    if buffer.starts_with(start) {
        Begins::Yes
    } else if start.starts_with(buffer) {
        Begins::Perhaps
    } else {
        Begins::No
    }
}

/// Asterisk writes an event whole, so what stands behind a block without beginning like one was cut off from it.
fn what_follows(mut rest: &[u8], ending: Ending) -> Next {
    while let Some(behind) = rest.strip_prefix(ending.bytes()) {
        rest = behind;
    }
    if ending.bytes().starts_with(rest) {
        return Next::Unknown;
    }
    if STARTS.iter().any(|start| begins(rest, start) != Begins::No) {
        Next::Intact
    } else {
        Next::Fragment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of `step` and returns each frame's lines and shape.
    fn split(bytes: &[u8], step: usize) -> Vec<(Vec<u8>, Shape)> {
        let (mut splitter, mut buffer, mut frames) = (Splitter::new(), Vec::new(), Vec::new());
        let mut take = |buffer: &mut Vec<u8>, cut| match cut {
            Cut::More => false,
            Cut::Discard(n) => {
                buffer.drain(..n);
                true
            }
            Cut::Frame {
                content,
                whole,
                shape,
                ..
            } => {
                frames.push((buffer[..content].to_vec(), shape));
                buffer.drain(..whole);
                true
            }
        };
        for piece in bytes.chunks(step) {
            buffer.extend_from_slice(piece);
            while {
                let cut = splitter.cut(&buffer);
                take(&mut buffer, cut)
            } {}
        }
        while {
            let cut = splitter.finish(&buffer);
            take(&mut buffer, cut)
        } {}
        frames
    }

    fn shapes(bytes: &[u8]) -> Vec<(Vec<u8>, Shape)> {
        let whole = split(bytes, bytes.len());
        for step in [1, 2, 3, 7] {
            assert_eq!(split(bytes, step), whole, "in pieces of {step}");
        }
        whole
    }

    fn frame(lines: &[u8], shape: Shape) -> (Vec<u8>, Shape) {
        (lines.to_vec(), shape)
    }

    #[test]
    fn a_session_comes_apart_into_its_blocks() {
        let session = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nA: b\r\n\r\n\r\n\r\nEvent: X\r\n\r\nEvent: Y";
        assert_eq!(
            shapes(session),
            [
                frame(b"Asterisk Call Manager/11.0.0\r\n", Shape::Greeting),
                frame(b"Response: Success\r\nA: b\r\n", Shape::Block),
                frame(b"Event: X\r\n", Shape::Block),
                frame(b"Event: Y", Shape::Truncated),
            ]
        );
    }

    #[test]
    fn bare_line_feeds_end_no_block_of_a_crlf_server() {
        let session = b"Asterisk Call Manager/5.0.4\r\nEvent: X\r\nA: 1\n\nEvent: Y\n\r\nB: 2\r\r\n\r\n";
        assert_eq!(
            shapes(session)[1],
            frame(b"Event: X\r\nA: 1\n\nEvent: Y\n\r\nB: 2\r\r\n", Shape::Block)
        );
    }

    #[test]
    fn line_feeds_alone_serve_where_the_first_line_has_them() {
        let session = b"Asterisk Call Manager/5.0.4\nEvent: X\nA: 1\r\n\nEvent: Y\n\n";
        assert_eq!(
            shapes(session)[1..],
            [
                frame(b"Event: X\nA: 1\r\n", Shape::Block),
                frame(b"Event: Y\n", Shape::Block)
            ]
        );
    }

    #[test]
    fn a_recording_may_begin_with_a_block_or_hold_several_sessions() {
        assert_eq!(
            shapes(b"Event: X\r\n\r\n"),
            [frame(b"Event: X\r\n", Shape::Block)]
        );
        let two = b"Response: Goodbye\r\n\r\nAsterisk Call Manager/11.0.0\r\nResponse: Success\r\n\r\n";
        assert_eq!(
            shapes(two)[1],
            frame(b"Asterisk Call Manager/11.0.0\r\n", Shape::Greeting)
        );
    }

    #[test]
    fn another_servers_first_line_is_a_greeting() {
        assert_eq!(shapes(b"HTTP/1.1 400 Bad Request\r\n")[0].1, Shape::Greeting);
        assert_eq!(shapes(b"Content-Type: auth/request\n\n")[0].1, Shape::Greeting);
        assert_eq!(
            shapes(&[0x16; 5000])[0],
            frame(&[0x16; MAX_GREETING], Shape::Greeting)
        );
    }

    #[test]
    fn an_oversized_block_is_thrown_away_as_it_comes() {
        let mut splitter = Splitter::new();
        let mut buffer = b"Event: X\r\nA: ".to_vec();
        let mut most = 0;
        for _ in 0..1000 {
            buffer.extend_from_slice(&[b'v'; 4096]);
            while let Cut::Discard(n) = splitter.cut(&buffer) {
                buffer.drain(..n);
            }
            most = most.max(buffer.len());
        }
        assert!(most <= MAX_BLOCK + 4096, "kept {most}");
        buffer.extend_from_slice(b"\r\n\r\nEvent: Y\r\n\r\n");
        let mut shapes = Vec::new();
        loop {
            match splitter.cut(&buffer) {
                Cut::More => break,
                Cut::Discard(n) => drop(buffer.drain(..n)),
                Cut::Frame { whole, shape, .. } => {
                    shapes.push(shape);
                    buffer.drain(..whole);
                }
            }
        }
        assert_eq!(shapes, [Shape::Oversized, Shape::Block]);
        assert_eq!(splitter.oversized(), 1);
    }

    #[test]
    fn what_stands_behind_a_block_is_looked_at() {
        for (behind, expected) in [
            (&b""[..], Next::Unknown),
            (b"\r\n", Next::Unknown),
            (b"Ev", Next::Intact),
            (b"Response: Success", Next::Intact),
            (b"\r\nSessionID: x", Next::Fragment),
            (b"Response:Error", Next::Fragment),
        ] {
            assert_eq!(what_follows(behind, Ending::CrLf), expected);
        }
    }
}
