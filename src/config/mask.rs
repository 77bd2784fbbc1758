//! Keeps secrets out of error messages: whatever of a file is shown, values that may be secrets are `********` in it.
//!
//! It works on text, not on parsed values, since a file that does not parse is shown as well. When in doubt it masks.

use std::ops::Range;

/// Keys that look a little like `secret` or `password`, but hold none.
const HARMLESS: [&str; 9] = [
    "secret_file",
    "secret_credential",
    "password_file",
    "password_credential",
    "services",
    "server_name",
    "socket",
    "asterisk",
    "bantime",
];

/// What a masked value looks like, whatever its length.
const STARS: &str = "********";

/// A text as it may be shown, and how places in the original map to it.
pub(super) struct Masked {
    pub(super) text: String,
    /// Masked ranges of the original, sorted, apart, with the length of what stands for them.
    ranges: Vec<(Range<usize>, usize)>,
}

impl Masked {
    /// Masks everything in `text` that looks like a secret, and `also` these ranges.
    pub(super) fn new(text: &str, also: &[Range<usize>]) -> Self {
        let mut wanted = lines_with_secrets(text);
        wanted.extend(also.iter().cloned());
        let mut masked = Self {
            text: String::with_capacity(text.len()),
            ranges: Vec::new(),
        };
        let mut done = 0;
        for range in joined(wanted) {
            let (start, end) = (
                text.floor_char_boundary(range.start),
                text.ceil_char_boundary(range.end),
            );
            let range = start..end;
            let hidden = text.get(range.clone()).unwrap_or_default();
            if hidden.is_empty() {
                continue;
            }
            masked
                .text
                .push_str(text.get(done..range.start).unwrap_or_default());
            masked.text.push_str(STARS);
            let newlines = hidden.matches('\n').count();
            masked.text.extend(std::iter::repeat_n('\n', newlines));
            done = range.end;
            masked.ranges.push((range, STARS.len() + newlines));
        }
        masked.text.push_str(text.get(done..).unwrap_or_default());
        masked
    }

    /// Where a range of the original is in the masked text.
    pub(super) fn range(&self, original: &Range<usize>) -> Range<usize> {
        let start = self.offset(original.start);
        start..self.offset(original.end).max(start)
    }

    fn offset(&self, original: usize) -> usize {
        let (mut removed, mut added) = (0, 0);
        for (range, length) in &self.ranges {
            if original <= range.start {
                break;
            }
            if original < range.end {
                return range.start + added - removed;
            }
            removed += range.len();
            added += length;
        }
        (original + added - removed).min(self.text.len())
    }
}

/// The ranges in order, those that touch made one.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => joined.push(range),
        }
    }
    joined
}

/// Whether a key of this name may hold a secret: `secret`, what people write instead of it, and misspellings.
pub(super) fn may_hold_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    if HARMLESS.contains(&key.as_str()) {
        return false;
    }
    let last = key.rsplit("__").next().unwrap_or(&key);
    ["secr", "pass", "pwd", "token"]
        .iter()
        .any(|part| last.contains(part))
        || ["secret", "password"]
            .iter()
            .any(|word| strsim::normalized_damerau_levenshtein(last, word) >= 0.5)
}

fn lines_with_secrets(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if offset >= ranges.last().map_or(0, |range: &Range<usize>| range.end)
            && let Some(start) = secret_start(line)
        {
            let start = offset + start;
            let content = line.trim_end_matches(['\n', '\r']);
            ranges.push(
                start
                    ..multi_line_end(text, start)
                        .unwrap_or(offset + content.len())
                        .max(start),
            );
        }
        offset += line.len();
    }
    ranges
}

/// Where in a line a value begins that may be a secret.
fn secret_start(line: &str) -> Option<usize> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut position = 0;
    let mut first = true;
    while let Some(word_start) = line.get(position..)?.find(is_word).map(|at| at + position) {
        let after = line.get(word_start..)?;
        let word = after.get(..after.find(|c| !is_word(c)).unwrap_or(after.len()))?;
        let word_end = word_start + word.len();
        let rest = line.get(word_end..)?;
        let value = rest.trim_start_matches(['"', '\'']).trim_start();
        let is_key = value.starts_with(['=', ':']);
        if (is_key || first) && may_hold_secret(word) {
            let value = if is_key {
                value.get(1..)?.trim_start()
            } else {
                value
            };
            return Some(line.len() - value.len());
        }
        first = false;
        position = word_end;
    }
    None
}

/// The end of a value that begins with three quotes at `start`.
fn multi_line_end(text: &str, start: usize) -> Option<usize> {
    let value = text.get(start..)?;
    let quotes = ["\"\"\"", "'''"]
        .into_iter()
        .find(|quotes| value.starts_with(quotes))?;
    let body = value.get(quotes.len()..)?;
    Some(
        body.find(quotes)
            .map_or(text.len(), |end| start + 2 * quotes.len() + end),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        Masked::new(text, &[]).text
    }

    #[test]
    fn secrets_are_hidden_however_they_are_spelt() {
        for line in [
            "secret = \"hunter2\"",
            "secret=\"hunter2",
            "secret \"hunter2\"",
            "  \"secret\" : hunter2",
            "secert = 'hunter2'",
            "Secret = \"hunter2\" # hunter2 was hunter1",
            "password = \"hunter2\"",
            "a = { username = \"x\", secret = \"hunter2\" }",
            "# secret = \"hunter2\"",
            "secret = \"\"\"\nhunter2\n\"\"\"",
            "secret = '''\nhunter2",
            "RINGFENCE__ASTERISK__PBX1__SECRET=hunter2",
        ] {
            let shown = masked(line);
            assert!(!shown.contains("hunter2"), "{line} became {shown}");
            assert!(shown.contains(STARS), "{line} became {shown}");
            assert_eq!(shown.matches('\n').count(), line.matches('\n').count(), "{line}");
        }
    }

    #[test]
    fn everything_else_stays() {
        for line in [
            "secret_file = \"/etc/ringfence/pbx1.secret\"",
            "maxretyr = 5",
            "bantime = \"1h\"",
            "server_name = \"pbx.example.net\"",
            "services = [\"pjsip\"]",
            "socket = \"/run/x.sock\"",
            "# keep it out of here, the secret of pbx1 is in its own file",
        ] {
            assert_eq!(masked(line), line);
        }
    }

    #[test]
    fn places_after_a_mask_still_fit() {
        let text = "a = 1\nsecret = \"hunter2 is long\"\nmaxretyr = 5\n";
        let shown = Masked::new(text, &[]);
        let start = text.find("maxretyr").unwrap();
        assert_eq!(&shown.text[shown.range(&(start..start + 8))], "maxretyr");
        assert_eq!(shown.range(&(0..1)), 0..1);
        let inside = text.find("hunter2").unwrap();
        assert!(shown.range(&(inside..inside + 3)).end <= shown.text.len());
        let beyond = text.len()..text.len() + 9;
        assert_eq!(shown.range(&beyond).end, shown.text.len());
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_masked(text in "(\\PC|\n|secret|=|\"){0,60}", start in 0_usize..80, len in 0_usize..80) {
            let shown = Masked::new(&text, &[Range { start, end: start + len }]);
            let range = shown.range(&(start..start + len));
            assert!(range.start <= range.end);
            assert_eq!(shown.text.matches('\n').count(), text.matches('\n').count());
        }
    }
}
