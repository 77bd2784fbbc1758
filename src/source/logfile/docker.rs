//! Docker's json files: `{"log":"…\n","stream":"stdout","time":"…"}` a line; a longer line comes in several parts.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_event::Moment;
use serde::Deserialize;

use super::line::{Ending, LONGEST_LINE, Line, LineSink, Taken};

/// Parts of lines that are put together at the same time, one for each file and stream; the oldest gives way.
const MOST_PARTS: usize = 16;

/// Stands for a stream that is not known; docker's have short names.
const ANY: &str = "*";

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
}

/// The beginning of a line.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    stream: String,
    bytes: Vec<u8>,
    /// It is longer than a line may be.
    cut: bool,
    offset: u64,
    after_gap: bool,
}

/// What a program printed, by a record of its container's json file; `None` when it is no such record.
pub(crate) fn printed(record: &[u8]) -> Option<String> {
    let record: Record<'_> = serde_json::from_slice(record).ok()?;
    Some(record.log.into_owned())
}

/// Takes the lines of docker's json files and hands the lines in them to another sink. What is no such record is left out.
#[derive(Debug)]
pub struct DockerLines<S> {
    sink: S,
    parts: Vec<Part>,
}

impl<S: LineSink> DockerLines<S> {
    /// Decodes for `sink`.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            parts: Vec::new(),
        }
    }

    fn part(&mut self, line: &Line<'_>, stream: &str) -> Part {
        let same = |part: &Part| part.path == line.path && (part.stream == stream || part.stream == ANY);
        match self.parts.iter().position(same) {
            Some(at) => self.parts.remove(at),
            None => Part {
                path: line.path.to_owned(),
                stream: stream.chars().take(16).collect(),
                bytes: Vec::new(),
                cut: false,
                offset: line.offset,
                after_gap: line.after_gap,
            },
        }
    }

    /// A record that can't be read may have held the beginning of a line, of whichever stream: what goes on is none.
    fn unreadable(&mut self, line: &Line<'_>) -> Taken {
        if self.parts.len() >= MOST_PARTS {
            self.parts.remove(0);
        }
        self.parts.push(Part {
            path: line.path.to_owned(),
            stream: ANY.to_owned(),
            bytes: Vec::new(),
            cut: true,
            offset: line.offset,
            after_gap: line.after_gap,
        });
        Taken::Part
    }

    fn is_open(&self, path: &Path) -> bool {
        self.parts.iter().any(|part| part.path == path)
    }
}

impl<S: LineSink> LineSink for DockerLines<S> {
    fn line(&mut self, line: &Line<'_>) -> Taken {
        if line.after_gap {
            // what went on was lost: a beginning without it could blame somebody else
            self.parts.retain(|part| part.path != line.path);
        }
        let record = (line.ending == Ending::Whole).then(|| serde_json::from_slice::<Record<'_>>(line.bytes));
        let Some(Ok(record)) = record else {
            self.parts.retain(|part| part.path != line.path);
            return self.unreadable(line);
        };
        let mut part = self.part(line, &record.stream);
        let (text, ended) = match record.log.strip_suffix('\n') {
            Some(text) => (text, true),
            None => (&*record.log, false),
        };
        let room = LONGEST_LINE - part.bytes.len();
        part.cut |= text.len() > room;
        part.bytes
            .extend_from_slice(text.as_bytes().get(..room).unwrap_or(text.as_bytes()));
        if !ended {
            if self.parts.len() >= MOST_PARTS {
                self.parts.remove(0);
            }
            self.parts.push(part);
            self.sink.within_line(line.path);
            return Taken::Part;
        }
        let bytes = part.bytes.strip_suffix(b"\r").unwrap_or(&part.bytes);
        let taken = self.sink.line(&Line {
            bytes,
            path: line.path,
            offset: part.offset,
            ending: if part.cut { Ending::Cut } else { Ending::Whole },
            after_gap: part.after_gap,
            time: moment(&record.time),
        });
        if self.is_open(line.path) {
            Taken::Part
        } else {
            taken
        }
    }

    fn begins(&mut self, line: &Line<'_>) -> bool {
        let Ok(record) = serde_json::from_slice::<Record<'_>>(line.bytes) else {
            return false;
        };
        self.sink.begins(&Line {
            bytes: record.log.trim_end_matches(['\r', '\n']).as_bytes(),
            time: moment(&record.time),
            ..*line
        })
    }

    fn within_line(&mut self, path: &Path) {
        self.sink.within_line(path);
    }

    fn pause(&mut self) {
        self.sink.pause();
    }

    fn caught_up(&mut self) {
        self.sink.caught_up();
    }

    fn patience(&self) -> Option<Duration> {
        self.sink.patience()
    }
}

fn moment(time: &str) -> Option<Moment> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Moment::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Vec<(String, Ending, u64, Option<Moment>)>);

    impl LineSink for Heard {
        fn line(&mut self, line: &Line<'_>) -> Taken {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            self.0.push((text, line.ending, line.offset, line.time));
            Taken::Done
        }
    }

    fn give(lines: &mut DockerLines<Heard>, offset: u64, text: &str, after_gap: bool) -> Taken {
        lines.line(&Line {
            bytes: text.as_bytes(),
            path: Path::new("/x-json.log"),
            offset,
            ending: Ending::Whole,
            after_gap,
            time: None,
        })
    }

    #[test]
    fn parts_are_joined_for_each_stream() {
        let mut lines = DockerLines::new(Heard::default());
        let record = |log: &str, stream: &str| {
            format!(r#"{{"log":"{log}","stream":"{stream}","time":"2026-11-21T19:24:39.140123Z"}}"#)
        };
        assert_eq!(
            give(&mut lines, 0, &record("one \\\"", "stdout"), false),
            Taken::Part
        );
        assert_eq!(
            give(&mut lines, 9, &record("err\\n", "stderr"), false),
            Taken::Part,
            "one is open"
        );
        assert_eq!(
            give(&mut lines, 20, &record("two\\r\\n", "stdout"), false),
            Taken::Done
        );
        let time = Some(Moment::from_millis(1_795_289_079_140));
        assert_eq!(
            lines.sink.0,
            [
                ("err".into(), Ending::Whole, 9, time),
                ("one \"two".into(), Ending::Whole, 0, time)
            ]
        );
    }

    #[test]
    fn what_is_broken_is_left_out_and_joins_nothing() {
        let mut lines = DockerLines::new(Heard::default());
        let half = r#"{"log":"from 192.0.2.1","stream":"stdout"}"#;
        let end = r#"{"log":"0 x\n","stream":"stdout"}"#;
        give(&mut lines, 0, half, false);
        give(&mut lines, 1, "{\"log\":5}", false);
        give(&mut lines, 2, end, false);
        give(&mut lines, 3, half, false);
        give(&mut lines, 4, end, true);
        let heard: Vec<_> = lines
            .sink
            .0
            .iter()
            .map(|heard| (heard.0.as_str(), heard.1))
            .collect();
        // what went on behind the broken one is no line
        assert_eq!(heard, [("0 x", Ending::Cut), ("0 x", Ending::Whole)]);
    }

    #[test]
    fn what_follows_a_record_that_is_too_long_is_no_line() {
        let mut lines = DockerLines::new(Heard::default());
        let end = r#"{"log":"NOTICE: forged\n","stream":"stdout"}"#;
        let taken = lines.line(&Line {
            bytes: br#"{"log":""#,
            path: Path::new("/x-json.log"),
            offset: 0,
            ending: Ending::Cut,
            after_gap: false,
            time: None,
        });
        assert_eq!(taken, Taken::Part, "a restart must know of it");
        assert_eq!(give(&mut lines, 1, end, false), Taken::Done);
        assert_eq!(give(&mut lines, 2, end, false), Taken::Done);
        let endings: Vec<_> = lines.sink.0.iter().map(|heard| heard.1).collect();
        assert_eq!(endings, [Ending::Cut, Ending::Whole]);
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut lines = DockerLines::new(Heard::default());
        let record = format!(r#"{{"log":"{}","stream":"stdout"}}"#, "x".repeat(16_000));
        for _ in 0..20 {
            give(&mut lines, 0, &record, false);
        }
        give(&mut lines, 0, r#"{"log":"\n","stream":"stdout"}"#, false);
        assert_eq!(
            (lines.sink.0[0].0.len(), lines.sink.0[0].1),
            (LONGEST_LINE, Ending::Cut)
        );
    }
}
