//! Lines of a log, none of them kept longer than a filter looks at it.

use std::io::{self, BufRead};

use ringfence_fail2ban::LONGEST_LINE;

/// A line without its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Its bytes; of a line longer than [`LONGEST_LINE`] only the beginning, one byte longer than that.
    pub bytes: Vec<u8>,
    /// The bytes it takes in the log, with its end.
    pub length: u64,
}

/// Reads lines one after the other.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
    line: Line,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            line: Line::default(),
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn next_line(&mut self) -> io::Result<Option<&Line>> {
        let line = &mut self.line;
        line.bytes.clear();
        line.length = 0;
        loop {
            let chunk = match self.source.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', chunk);
            let taken = end.map_or(chunk.len(), |at| at + 1);
            let room = (LONGEST_LINE + 1).saturating_sub(line.bytes.len());
            let content = end.unwrap_or(taken).min(room);
            line.bytes
                .extend_from_slice(chunk.get(..content).unwrap_or_default());
            line.length += taken as u64;
            self.source.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if line.length == 0 {
            return Ok(None);
        }
        while line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
        }
        line.number += 1;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_long_ones_bounded() {
        let mut log = b"a\r\n\nb\xff\n".to_vec();
        log.extend(vec![b'x'; 1 << 20]);
        log.extend(b"\nend");
        let mut lines = Lines::new(io::BufReader::with_capacity(100, log.as_slice()));
        let mut got = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            got.push((line.number, line.bytes.len(), line.bytes.first().copied()));
        }
        assert_eq!(
            got,
            [
                (1, 1, Some(b'a')),
                (2, 0, None),
                (3, 2, Some(b'b')),
                (4, LONGEST_LINE + 1, Some(b'x')),
                (5, 3, Some(b'e'))
            ]
        );
    }
}
