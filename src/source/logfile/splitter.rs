//! Bytes in, lines out; memory is bounded by the longest line.

use memchr::memchr;

use super::line::{Ending, LONGEST_LINE};

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// The beginning of a line whose end has not come.
    part: Vec<u8>,
    /// Where the next byte is, and where the unfinished line begins.
    at: u64,
    start: u64,
    /// Everything up to the next line feed is left out.
    skip: bool,
    longest: usize,
}

impl Splitter {
    /// The next byte stands at `at`; `skip` when that is in the middle of a line whose rest is to be left out.
    pub(crate) fn at(at: u64, skip: bool) -> Self {
        Self::with_longest(at, skip, LONGEST_LINE)
    }

    /// Like [`Splitter::at`], with another longest line.
    pub(crate) fn with_longest(at: u64, skip: bool, longest: usize) -> Self {
        Self {
            part: Vec::new(),
            at,
            start: at,
            skip,
            longest,
        }
    }

    /// Where to go on after a restart, and whether the rest of a line is to be left out there.
    pub(crate) fn place(&self) -> (u64, bool) {
        if self.part.is_empty() {
            (self.at, self.skip)
        } else {
            (self.start, false)
        }
    }

    /// Where the next byte belongs.
    pub(crate) fn next(&self) -> u64 {
        self.at
    }

    /// Passes over `count` zeros that were not read.
    pub(crate) fn pass(&mut self, count: u64) {
        self.at += count;
        if self.part.is_empty() {
            self.start = self.at;
        }
    }

    /// Whether a line has begun.
    pub(crate) fn is_within_line(&self) -> bool {
        !self.part.is_empty()
    }

    /// Takes the next bytes; hands each line with its beginning's place to `each`, with the splitter already past it.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], u64, Ending)) {
        while !bytes.is_empty() {
            if self.part.is_empty() && !self.skip {
                // a writer without O_APPEND leaves zeros where its file was truncated
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                self.at += zeros as u64;
                self.start = self.at;
                bytes = bytes.get(zeros..).unwrap_or_default();
                if bytes.is_empty() {
                    return;
                }
            }
            let end = memchr(b'\n', bytes);
            let (now, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let rest = rest.get(1..).unwrap_or_default();
            self.at += now.len() as u64 + u64::from(end.is_some());
            bytes = rest;
            if self.skip {
                if end.is_some() {
                    self.skip = false;
                    self.start = self.at;
                }
                continue;
            }
            let start = self.start;
            // one byte more: the carriage return of a line that just fits
            let room = (self.longest + 1).saturating_sub(self.part.len());
            if now.len() > room {
                let taken = now.get(..room).unwrap_or(now);
                self.part.extend_from_slice(taken);
                self.part.truncate(self.longest);
                self.skip = end.is_none();
                self.start = self.at;
                let part = std::mem::take(&mut self.part);
                each(&part, start, Ending::Cut);
            } else if end.is_none() {
                self.part.extend_from_slice(now);
            } else {
                self.start = self.at;
                if self.part.is_empty() {
                    self.finish(now, start, &mut each);
                } else {
                    self.part.extend_from_slice(now);
                    let part = std::mem::take(&mut self.part);
                    self.finish(&part, start, &mut each);
                }
            }
        }
    }

    /// Nothing more comes: hands over the line that has no end. Should more come after all, it is left out up to the next
    /// line feed.
    pub(crate) fn end(&mut self, mut each: impl FnMut(&[u8], u64, Ending)) {
        if self.part.is_empty() {
            return;
        }
        let part = std::mem::take(&mut self.part);
        self.skip = true;
        each(
            part.get(..self.longest).unwrap_or(&part),
            self.start,
            Ending::Missing,
        );
        self.start = self.at;
    }

    fn finish(&self, line: &[u8], start: u64, each: &mut impl FnMut(&[u8], u64, Ending)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.get(..self.longest) {
            Some(cut) if line.len() > self.longest => each(cut, start, Ending::Cut),
            _ => each(line, start, Ending::Whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]], longest: usize) -> (Vec<(Vec<u8>, u64, Ending)>, Splitter) {
        let mut splitter = Splitter::with_longest(0, false, longest);
        let mut found = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |line, at, ending| found.push((line.to_vec(), at, ending)));
        }
        (found, splitter)
    }

    #[test]
    fn lines_are_put_together_and_lose_their_ends() {
        let (found, splitter) = lines(&[b"on", b"e\r", b"\ntwo\n\n\0\0\0three\nfo"], 100);
        let expected = [("one", 0), ("two", 5), ("", 9), ("three", 13)];
        for (found, (line, at)) in found.iter().zip(expected) {
            assert_eq!(found, &(line.as_bytes().to_vec(), at, Ending::Whole));
        }
        assert_eq!(found.len(), 4);
        assert_eq!((splitter.place(), splitter.next()), ((19, false), 21));
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_left_out() {
        let (found, splitter) = lines(&[b"12345678", b"9\nab\nabcdefgh\r\n123456789"], 8);
        let endings: Vec<_> = found
            .iter()
            .map(|(line, _, ending)| (line.len(), *ending))
            .collect();
        assert_eq!(
            endings,
            [(8, Ending::Cut), (2, Ending::Whole), (8, Ending::Whole)],
            "the line without an end may still fit: its last byte may be a carriage return"
        );
        assert_eq!(splitter.place().0, 23);
        let (found, mut splitter) = lines(&[b"0123456789", b"rest"], 8);
        assert_eq!(found, [(b"01234567".to_vec(), 0, Ending::Cut)]);
        assert_eq!(splitter.place(), (14, true));
        splitter.push(b"more\nnext\n", |line, at, _| {
            assert_eq!((line, at), (&b"next"[..], 19));
        });
    }

    #[test]
    fn what_comes_after_a_missing_end_is_no_line() {
        let (_, mut splitter) = lines(&[b"192.0.2.1"], 100);
        let mut found = Vec::new();
        splitter.end(|line, _, ending| found.push((line.to_vec(), ending)));
        splitter.push(b"0 failed\nnext\n", |line, _, ending| {
            found.push((line.to_vec(), ending));
        });
        assert_eq!(
            found,
            [
                (b"192.0.2.1".to_vec(), Ending::Missing),
                (b"next".to_vec(), Ending::Whole)
            ]
        );
    }

    proptest! {
        #[test]
        fn how_bytes_are_chunked_makes_no_difference(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n\n\0".to_vec()), 0..200),
            cuts in prop::collection::vec(0..200_usize, 0..8),
            longest in 1..20_usize,
        ) {
            let (whole, one) = lines(&[&bytes], longest);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (chunked, other) = lines(&chunks, longest);
            prop_assert_eq!(&whole, &chunked);
            prop_assert_eq!(one.next(), other.next());
            prop_assert!(whole.iter().all(|(line, ..)| line.len() <= longest));
            // going on at the place of a restart gives what is left
            let (place, skip) = one.place();
            let mut again = Splitter::with_longest(place, skip, longest);
            let mut after = Vec::new();
            again.push(&bytes[usize::try_from(place).unwrap()..], |line, _, _| after.push(line.to_vec()));
            prop_assert!(after.is_empty());
        }
    }
}
