//! `ringfence replay`: what would have been decided about recordings of what a PBX said, on the recordings' own clock.

use std::io::{self, Write};
use std::iter::Peekable;
use std::path::PathBuf;

use ringfence_event::{Cause, Moment, Proof, SecurityEvent, Service, SourceId};

use super::recording::{Format, Outcome, Recording};
use super::verdict::VerdictLine;
use super::{CliError, Exit, settle};
use crate::clock::iso;
use crate::engine::{Engine, Policy, Verdict};

/// Print what would have been decided about recordings of a PBX's events
///
/// Time passes as the recordings tell it, so that months are replayed in seconds. Several recordings are read side by side,
/// earliest event first. Nobody is banned.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// What the recordings were made of
    #[arg(long, value_enum, default_value_t)]
    pub from: Format,
    /// The recordings are of one PBX: a try that several of them tell of counts once
    #[arg(long)]
    pub together: bool,
    /// The recordings; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl ReplayArgs {
    /// Replays the recordings to their end under `policy` and prints to `out`; a reader that has gone away ends it quietly.
    ///
    /// [`Exit::NoInput`] when a file can't be read, [`Exit::Data`] when it is no recording, [`Exit::IoErr`] when reading
    /// or writing fails later.
    pub fn run(&self, policy: Policy, json: bool, out: &mut dyn Write) -> Result<Exit, CliError> {
        let mut out = io::BufWriter::new(out);
        let (mut tapes, mut twins) = (Vec::new(), Vec::new());
        let mut log = None;
        for (index, file) in self.files.iter().enumerate() {
            let mut tape = Tape::open(file.clone(), self.from)?;
            let first = u16::try_from(2 * index).unwrap_or(u16::MAX - 1);
            tape.sources = match log {
                // one file goes on where another ends
                Some(sources) if self.together && tape.recording.is_log() => sources,
                _ => [SourceId(first), SourceId(first + 1)],
            };
            if tape.recording.is_log() {
                log = Some(tape.sources);
                twins.push(tape.sources.to_vec());
            } else {
                twins.push(vec![tape.sources[0]]);
            }
            tapes.push(tape.peekable());
        }
        if self.together {
            let mut all = twins.concat();
            all.sort_unstable();
            all.dedup();
            twins = vec![all];
        }
        // no verdict depends on the seed, and nobody can aim at hashes of a recording
        let mut engine = Engine::new(policy, 0);
        engine.watch_together(twins);
        let mut replay = Replay::new(engine);
        while let Some(event) = earliest(&mut tapes)? {
            replay.observe(&event);
            for (at, verdict) in replay.verdicts.drain(..) {
                if let Some(done) = settle(print(json, &mut out, at, &verdict))? {
                    return Ok(done);
                }
            }
        }
        let mut end = out.flush();
        if !json {
            end = end.and_then(|()| {
                writeln!(
                    out,
                    "{}, {}",
                    counted(replay.events, "event"),
                    counted(replay.bans, "ban")
                )
            });
        }
        Ok(settle(end.and_then(|()| out.flush()))?.unwrap_or(Exit::Ok))
    }
}

/// Prints one verdict.
fn print(json: bool, out: &mut impl Write, at: Moment, verdict: &Verdict) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, &VerdictLine::new(at, verdict))?;
        writeln!(out)
    } else {
        writeln!(out, "{:<24}  {verdict}", iso(at))
    }
}

/// A recording whose events carry their source and always a time.
struct Tape {
    file: PathBuf,
    recording: Recording<Box<dyn io::Read>>,
    /// Those of its events; the second is that of Asterisk's security log.
    sources: [SourceId; 2],
    clock: Moment,
}

impl Tape {
    fn open(file: PathBuf, format: Format) -> Result<Self, CliError> {
        Ok(Self {
            recording: Recording::open(&file, format)?,
            file,
            sources: [SourceId(0), SourceId(1)],
            clock: Moment::EPOCH,
        })
    }
}

impl Iterator for Tape {
    type Item = Result<(Moment, SecurityEvent), CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.recording.next()? {
                Ok(record) => record,
                Err(error) => {
                    let message = format!("{}: {error}", self.file.display());
                    return Some(Err(CliError::new(Exit::IoErr, message)));
                }
            };
            if let Outcome::Event(mut event) = record.outcome {
                // nobody is banned for what only the caller said, nor for challenges whose right answer no line tells of
                let unanswerable = event.service == Service::Sofia && event.cause == Cause::Challenged;
                if event.proof == Proof::Claimed || (unanswerable && self.recording.is_log()) {
                    continue;
                }
                event.source = if event.source == SourceId(1) {
                    self.sources[1]
                } else {
                    self.sources[0]
                };
                self.clock = event.at.unwrap_or(self.clock);
                return Some(Ok((self.clock, event)));
            }
        }
    }
}

/// The event of all tapes that comes first, in the order of the files when two come at once.
fn earliest(tapes: &mut [Peekable<Tape>]) -> Result<Option<(Moment, SecurityEvent)>, CliError> {
    let mut first: Option<(Option<Moment>, usize)> = None;
    for (index, tape) in tapes.iter_mut().enumerate() {
        // a tape that can't be read any further comes first: its error is told at once
        let at = match tape.peek() {
            None => continue,
            Some(Ok((at, _))) => Some(*at),
            Some(Err(_)) => None,
        };
        if first.is_none_or(|(earlier, _)| at < earlier) {
            first = Some((at, index));
        }
    }
    let tape = first.and_then(|(_, index)| tapes.get_mut(index));
    tape.and_then(Iterator::next).transpose()
}

/// An engine driven by recorded time.
struct Replay {
    engine: Engine,
    out: Vec<Verdict>,
    verdicts: Vec<(Moment, Verdict)>,
    events: u64,
    bans: u64,
}

impl Replay {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            out: Vec::new(),
            verdicts: Vec::new(),
            events: 0,
            bans: 0,
        }
    }

    fn observe(&mut self, (at, event): &(Moment, SecurityEvent)) {
        // what ends before this event ends at its own time
        while let Some(deadline) = self.engine.deadline().filter(|deadline| deadline < at) {
            self.engine.expire(deadline, &mut self.out);
            self.keep(deadline);
            if self.engine.deadline().is_some_and(|next| next <= deadline) {
                break;
            }
        }
        self.engine.observe(*at, event, &mut self.out);
        self.keep(*at);
        self.events += 1;
    }

    fn keep(&mut self, at: Moment) {
        for verdict in self.out.drain(..) {
            self.bans += u64::from(matches!(verdict, Verdict::Ban(_)));
            self.verdicts.push((at, verdict));
        }
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn failure(second: u32, call: u32) -> String {
        format!(
            "Event: ChallengeResponseFailed\r\nPrivilege: security,all\r\nEventTV: {}-000000\r\nSeverity: Error\r\n\
             Service: PJSIP\r\nEventVersion: 1\r\nAccountID: alice\r\nSessionID: call-{call}\r\n\
             LocalAddress: IPV4/UDP/192.0.2.22/5060\r\nRemoteAddress: IPV4/UDP/192.0.2.101/47117\r\n\
             Challenge: c\r\nResponse: r\r\nExpectedResponse: \r\n\r\n",
            1_795_289_079 + second
        )
    }

    fn run(contents: &[String], json: bool, policy: Policy) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for (index, content) in contents.iter().enumerate() {
            let file = folder.path().join(index.to_string());
            fs::write(&file, content).unwrap();
            files.push(file);
        }
        let args = ReplayArgs {
            from: Format::Auto,
            together: false,
            files,
        };
        let mut out = Vec::new();
        assert_eq!(args.run(policy, json, &mut out).unwrap(), Exit::Ok);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn five_wrong_passwords_ban_and_an_hour_later_it_ends() {
        let mut session: String = (0..5).map(|n| failure(n, n)).collect();
        session.push_str(&failure(7200, 9));
        let out = run(&[session], true, Policy::default());
        assert_eq!(
            out,
            "{\"at\":\"2026-11-21T19:24:43.000Z\",\"verdict\":\"ban\",\"target\":\"192.0.2.101\",\
             \"scope\":\"address\",\"jail\":\"auth\",\"for_s\":3600,\"attempts\":5,\"proof\":\"none\"}\n\
             {\"at\":\"2026-11-21T20:24:43.000Z\",\"verdict\":\"lift\",\"target\":\"192.0.2.101\",\
             \"scope\":\"address\",\"reason\":\"expired\"}\n"
        );
    }

    #[test]
    fn recordings_are_read_side_by_side() {
        // neither has five, and the later file holds the earlier events
        let late: String = (3..6).map(|n| failure(n, n)).collect();
        let early: String = (0..3).map(|n| failure(n, n)).collect();
        let out = run(&[late, early], true, Policy::default());
        assert!(
            out.starts_with("{\"at\":\"2026-11-21T19:24:43.000Z\",\"verdict\":\"ban\""),
            "{out}"
        );
    }

    #[test]
    fn people_get_a_sentence_and_a_sum() {
        let session: String = (0..5).map(|n| failure(n, n)).collect();
        let out = run(&[session], false, Policy::default());
        assert_eq!(
            out,
            "2026-11-21T19:24:43.000Z  ban 192.0.2.101 for 1h: jail auth, 5 counted, proof none\n5 events, 1 ban\n"
        );
    }

    #[test]
    fn an_ignored_address_is_said_to_be_ignored() {
        let session: String = (0..5).map(|n| failure(n, n)).collect();
        let policy = Policy {
            ignore: vec!["192.0.2.0/24".parse().unwrap()],
            ..Policy::default()
        };
        let out = run(&[session], true, policy);
        assert!(
            out.contains("\"verdict\":\"ignore\"") && out.contains("\"reason\":\"configured\""),
            "{out}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let args = ReplayArgs {
            from: Format::Auto,
            together: false,
            files: vec!["/nonexistent/session.ami".into()],
        };
        let error = args.run(Policy::default(), false, &mut Vec::new()).unwrap_err();
        assert_eq!(error.exit, Exit::NoInput);
    }
}
