//! `ringfence parse`: prints who failed or succeeded in a recording of what a PBX said.

use std::io::{self, Write};
use std::path::PathBuf;

use ringfence_event::{SecurityEvent, Text};
use serde::Serialize;

use super::recording::{Format, Outcome, Record, Recording};
use super::{CliError, Exit, settle};
use crate::clock::iso;

/// Print who failed or succeeded to log in, as a recording of a PBX's events tells it
///
/// One line for each event recognised. Nothing is decided or banned: `replay` does that.
#[derive(Clone, Debug, clap::Args)]
pub struct ParseArgs {
    /// What the recording was made of
    #[arg(long, value_enum, default_value_t)]
    pub from: Format,
    /// Print frames that are no security event, too
    #[arg(long)]
    pub all: bool,
    /// The recording; `-` for standard input
    pub file: PathBuf,
}

impl ParseArgs {
    /// Reads the recording to its end and prints to `out`; a reader that has gone away ends it quietly.
    ///
    /// [`Exit::NoInput`] when the file can't be read, [`Exit::Data`] when it is no recording, [`Exit::IoErr`] when
    /// reading or writing fails later.
    pub fn run(&self, json: bool, out: &mut dyn Write) -> Result<Exit, CliError> {
        let mut out = io::BufWriter::new(out);
        for record in Recording::open(&self.file, self.from)? {
            let record = record
                .map_err(|error| CliError::new(Exit::IoErr, format!("{}: {error}", self.file.display())))?;
            if let Some(done) = settle(self.print(json, &mut out, &record))? {
                return Ok(done);
            }
        }
        Ok(settle(out.flush())?.unwrap_or(Exit::Ok))
    }

    fn print(&self, json: bool, out: &mut impl Write, record: &Record) -> io::Result<()> {
        match (&record.outcome, json) {
            (Outcome::Event(event), true) => {
                serde_json::to_writer(&mut *out, &EventRecord::new(record.n, event))?;
                writeln!(out)
            }
            (Outcome::Event(event), false) => write_row(out, record.n, event),
            _ if !self.all => Ok(()),
            (_, true) => writeln!(out, "{{\"n\":{},\"unmatched\":true}}", record.n),
            (Outcome::Suspicious(_), false) => writeln!(out, "{:>7}  tampered with, names nobody", record.n),
            (Outcome::Unmatched, false) => writeln!(out, "{:>7}  unmatched", record.n),
        }
    }
}

/// The record of one event, as the command line promises it to scripts.
#[derive(Serialize)]
struct EventRecord<'a> {
    n: u64,
    at: Option<String>,
    service: &'static str,
    cause: &'static str,
    addr: std::net::IpAddr,
    port: u16,
    transport: &'static str,
    account: Option<&'a Text>,
    tenant: Option<&'a Text>,
    dialogue: Option<&'a Text>,
    proof: &'static str,
}

impl<'a> EventRecord<'a> {
    fn new(n: u64, event: &'a SecurityEvent) -> Self {
        let filled = |text: &'a Text| (!text.is_empty()).then_some(text);
        Self {
            n,
            at: event.at.map(iso),
            service: event.service.name(),
            cause: event.cause.name(),
            addr: event.peer.addr(),
            port: event.peer.port(),
            transport: event.peer.transport().name(),
            account: filled(&event.account),
            tenant: filled(&event.tenant),
            dialogue: filled(&event.dialogue),
            proof: event.proof.name(),
        }
    }
}

fn write_row(out: &mut impl Write, n: u64, event: &SecurityEvent) -> io::Result<()> {
    let at = event.at.map_or_else(|| "-".into(), iso);
    let peer = std::net::SocketAddr::new(event.peer.addr(), event.peer.port()).to_string();
    let account = if event.account.is_empty() {
        "-".into()
    } else {
        event.account.to_string()
    };
    writeln!(
        out,
        "{n:>7}  {at:<24}  {:<17}  {:<8}  {peer:<23}  {:<7}  {account:<20}  {:<9}  {}",
        event.cause.name(),
        event.service.name(),
        event.peer.transport().name(),
        event.proof.name(),
        event.detail
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SESSION: &str = "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\n\r\nEvent: ChallengeResponseFailed\r\n\
        Privilege: security,all\r\nEventTV: 2026-11-21T16:24:39.140-0300\r\nSeverity: Error\r\nService: PJSIP\r\n\
        EventVersion: 1\r\nAccountID: alice\r\nSessionID: 5f8q\r\nLocalAddress: IPV4/UDP/192.0.2.22/5060\r\n\
        RemoteAddress: IPV4/UDP/192.0.2.101/47117\r\nChallenge: c\r\nResponse: r\r\nExpectedResponse: \r\n\r\n";

    fn run(content: &str, json: bool, all: bool, from: Format) -> (Result<Exit, CliError>, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("session.ami");
        fs::write(&file, content).unwrap();
        let mut out = Vec::new();
        let args = ParseArgs { from, all, file };
        let exit = args.run(json, &mut out);
        (exit, String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_event_is_one_json_object() {
        let (exit, out) = run(SESSION, true, false, Format::Auto);
        assert_eq!(exit.unwrap(), Exit::Ok);
        assert_eq!(
            out,
            "{\"n\":2,\"at\":\"2026-11-21T19:24:39.140Z\",\"service\":\"pjsip\",\"cause\":\"wrong-password\",\
             \"addr\":\"192.0.2.101\",\"port\":47117,\"transport\":\"udp\",\"account\":\"alice\",\"tenant\":null,\
             \"dialogue\":\"5f8q\",\"proof\":\"none\"}\n"
        );
    }

    #[test]
    fn all_prints_what_was_not_recognised_too() {
        let (_, out) = run(SESSION, true, true, Format::Auto);
        assert!(
            out.starts_with("{\"n\":1,\"unmatched\":true}\n{\"n\":2,\"at\""),
            "{out}"
        );
    }

    #[test]
    fn people_get_a_row() {
        let (_, out) = run(SESSION, false, true, Format::Ami);
        let words: Vec<_> = out.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            words,
            [
                "2",
                "2026-11-21T19:24:39.140Z",
                "wrong-password",
                "pjsip",
                "192.0.2.101:47117",
                "udp",
                "alice",
                "none",
                "ChallengeResponseFailed"
            ]
        );
    }

    #[test]
    fn what_is_no_recording_is_refused_unless_asked_for() {
        let (exit, out) = run("-----BEGIN CERTIFICATE-----\nabc\n", true, false, Format::Auto);
        assert_eq!((exit.unwrap_err().exit, out.as_str()), (Exit::Data, ""));
        let (exit, _) = run("-----BEGIN CERTIFICATE-----\nabc\n", true, false, Format::Ami);
        assert_eq!(exit.unwrap(), Exit::Ok);
        assert_eq!(run("", true, true, Format::Auto).0.unwrap(), Exit::Ok);
    }

    #[test]
    fn a_missing_file_is_named() {
        let args = ParseArgs {
            from: Format::Auto,
            all: false,
            file: "/nonexistent/session.ami".into(),
        };
        let error = args.run(false, &mut Vec::new()).unwrap_err();
        assert_eq!(error.exit, Exit::NoInput);
        assert!(error.message.contains("/nonexistent/session.ami"));
    }

    /// A reader that goes away after some bytes.
    struct Gone(usize);

    impl Write for Gone {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_ends_it_quietly() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("long.ami");
        fs::write(&file, SESSION.repeat(2000)).unwrap();
        let args = ParseArgs {
            from: Format::Auto,
            all: false,
            file,
        };
        assert_eq!(args.run(true, &mut Gone(10_000)).unwrap(), Exit::Ok);
    }
}
