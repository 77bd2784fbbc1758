//! Keeps what matters of a very large body: the beginning of each line, in bounded memory.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The largest body that is kept whole, and the most that is kept of a larger one, in bytes.
pub const MAX_KEPT: usize = 64 * 1024;
/// What is kept of one line of an event that is larger than [`MAX_KEPT`], in bytes; a digest of the rest follows, so that
/// values with a common beginning stay different.
///
/// The end of a call has some thirty values that a caller chooses, an attempt twelve: together they can't push what counts
/// out of what is kept.
pub const MAX_KEPT_LINE: usize = 1024;
/// Hexadecimal digits that stand for the rest of a line.
const DIGEST: usize = 16;

/// Reads a body of any length and keeps at most [`MAX_KEPT`] bytes of it.
#[derive(Clone, Debug)]
pub(crate) struct Condenser {
    left: u64,
    by_line: bool,
    line: usize,
    /// Over what was thrown away of the line.
    rest: Option<Sha256>,
    ended: bool,
    cut: bool,
    kept: Vec<u8>,
}

impl Condenser {
    /// For a body of `length` bytes; `by_line` for an event, whose lines are cut each for itself.
    pub(crate) fn new(length: u64, by_line: bool) -> Self {
        Self {
            left: length,
            by_line,
            line: 0,
            rest: None,
            ended: false,
            cut: !by_line,
            kept: Vec::new(),
        }
    }

    /// Takes what belongs to the body off the front of `piece`; how many bytes that was.
    pub(crate) fn take(&mut self, piece: &[u8]) -> usize {
        let count = usize::try_from(self.left).map_or(piece.len(), |left| left.min(piece.len()));
        self.left -= count as u64;
        let mut rest = piece.get(..count).unwrap_or_default();
        if !self.by_line {
            self.keep(rest);
            return count;
        }
        while !rest.is_empty() && !self.ended {
            let (line, feed, behind) = match memchr::memchr(b'\n', rest) {
                Some(at) => {
                    let (line, behind) = rest.split_at(at);
                    (line, true, behind.get(1..).unwrap_or_default())
                }
                None => (rest, false, &b""[..]),
            };
            let (head, tail) = line.split_at(MAX_KEPT_LINE.saturating_sub(self.line).min(line.len()));
            self.keep(head);
            if !tail.is_empty() {
                self.rest.get_or_insert_default().update(tail);
            }
            self.line += line.len();
            if feed {
                self.digest();
                // The headers end at the first empty line; what stands behind it is text that a peer chose.
                self.ended = self.line == 0;
                self.line = 0;
                self.keep(b"\n");
            }
            rest = behind;
        }
        count
    }

    /// What was kept, and whether whole lines are missing, once the whole body was taken.
    pub(crate) fn finish(&mut self) -> Option<(Vec<u8>, bool)> {
        (self.left == 0).then(|| (std::mem::take(&mut self.kept), self.cut))
    }

    /// Ends a line whose rest was thrown away.
    fn digest(&mut self) {
        let Some(rest) = self.rest.take() else { return };
        let mut text = String::with_capacity(1 + DIGEST);
        text.push('~');
        for byte in rest.finalize().iter().take(DIGEST / 2) {
            let _ = write!(text, "{byte:02x}");
        }
        self.keep(text.as_bytes());
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_KEPT - self.kept.len();
        self.cut |= bytes.len() > room;
        self.kept
            .extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condensed(body: &[u8], step: usize) -> (Vec<u8>, bool) {
        let mut condenser = Condenser::new(body.len() as u64, true);
        for piece in body.chunks(step) {
            assert_eq!(condenser.take(piece), piece.len());
        }
        condenser.finish().unwrap()
    }

    #[test]
    fn what_stands_behind_a_long_value_is_kept() {
        let body = [
            b"network-ip: 192.0.2.1\nuser-agent: ",
            &vec![b'A'; 300_000][..],
            b"\nauth-result: FORBIDDEN\n\nx\n",
        ]
        .concat();
        let (kept, cut) = condensed(&body, 1448);
        assert!(kept.ends_with(b"\nauth-result: FORBIDDEN\n\n"));
        assert!(kept.len() < 2000 && !cut);
        assert_eq!(condensed(&body, 7), (kept, cut));
    }

    #[test]
    fn values_with_a_common_beginning_stay_different() {
        let with = |end: &[u8]| {
            let long = vec![b'A'; 100_000];
            condensed(&[b"call-id: ", &long[..], end, b"\n\n"].concat(), 999).0
        };
        assert_eq!(with(b"1"), with(b"1"));
        assert_ne!(with(b"1"), with(b"2"));
    }

    #[test]
    fn memory_is_bounded_however_many_lines_there_are() {
        let (kept, cut) = condensed(&b"a: b\n".repeat(100_000), 1000);
        assert_eq!((kept.len(), cut), (MAX_KEPT, true));
    }

    #[test]
    fn nothing_behind_the_body_is_taken() {
        let mut condenser = Condenser::new(3, false);
        assert_eq!(condenser.take(b"abcdef"), 3);
        assert_eq!(condenser.finish(), Some((b"abc".to_vec(), true)));
    }
}
