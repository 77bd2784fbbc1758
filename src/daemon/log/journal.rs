//! Writes log lines into the systemd journal, in its native protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// What a line that was too long ends with.
const CUT: &str = " [cut]";

/// Puts the priority of syslog(3) before each line, as sd-daemon(3) has it: `<4>message`.
pub(super) struct WithPriority<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(ctx, writer, event)
    }
}

/// A writer of lines that [`WithPriority`] made. It waits for the journal, so it belongs on a thread of its own.
pub(super) struct Journal<F> {
    socket: UnixDatagram,
    path: PathBuf,
    /// Takes the lines while the journal is away.
    fallback: F,
    away: bool,
}

impl<F: Write> Journal<F> {
    /// Errors when nobody listens at `path`.
    pub(super) fn open(path: &Path, fallback: F) -> io::Result<Self> {
        UnixDatagram::unbound()?.connect(path)?;
        Ok(Self {
            // not connected: each line finds the journal anew, also one that was started again
            socket: UnixDatagram::unbound()?,
            path: path.to_owned(),
            fallback,
            away: false,
        })
    }

    fn send(&self, priority: char, message: &str) -> io::Result<()> {
        let mut kept = message.len();
        let mut datagram = record(priority, message);
        loop {
            let Err(error) = self.socket.send_to(&datagram, &self.path) else {
                return Ok(());
            };
            match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                Errno::EINTR => {}
                Errno::EMSGSIZE | Errno::ENOBUFS if kept > 0 => {
                    kept = message.floor_char_boundary(kept / 2);
                    let beginning = message.get(..kept).unwrap_or_default();
                    datagram = record(priority, &format!("{beginning}{CUT}"));
                }
                _ => return Err(error),
            }
        }
    }
}

impl<F: Write> Write for Journal<F> {
    /// Takes a whole line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (priority, message) = split(text.trim_end_matches('\n'));
        match self.send(priority, message) {
            Ok(()) => self.away = false,
            Err(error) => {
                if !self.away {
                    self.away = true;
                    let path = self.path.display();
                    writeln!(
                        self.fallback,
                        "<4>the journal at {path}: {error}; logging to standard error until it is back"
                    )?;
                }
                self.fallback.write_all(line)?;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fallback.flush()
    }
}

/// Priority and message of a line; one without priority is for information.
fn split(line: &str) -> (char, &str) {
    let parts = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match parts.map(|(digits, message)| (digits.parse(), message)) {
        Some((Ok(priority @ '0'..='7'), message)) => (priority, message),
        _ => ('6', line),
    }
}

fn record(priority: char, message: &str) -> Vec<u8> {
    let mut record = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE").into_bytes();
    if message.contains('\n') {
        record.push(b'\n');
        record.extend((message.len() as u64).to_le_bytes());
    } else {
        record.push(b'=');
    }
    record.extend(message.as_bytes());
    record.push(b'\n');
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> (tempfile::TempDir, PathBuf, UnixDatagram) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        (folder, path, journal)
    }

    #[test]
    fn no_message_can_pass_for_a_field() {
        assert_eq!(
            record('4', "one\nPRIORITY=0"),
            b"PRIORITY=4\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE\n\x0e\0\0\0\0\0\0\0one\nPRIORITY=0\n"
        );
        assert_eq!(split("<0"), ('6', "<0"));
        assert_eq!(split("<4><0>twice"), ('4', "<0>twice"));
        assert_eq!(split("<44>no priority"), ('6', "<44>no priority"));
    }

    #[test]
    fn what_is_too_long_for_a_datagram_is_cut() {
        let (_folder, path, journal) = bound();
        let mut writer = Journal::open(&path, Vec::new()).unwrap();
        // every character takes two bytes, and none is cut in half
        let long = format!("<3>{}\n", "é".repeat(1 << 20));
        writer.write_all(long.as_bytes()).unwrap();
        let mut datagram = vec![0; 4 << 20];
        let length = journal.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        assert!(text.starts_with("PRIORITY=3\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE=éé"));
        assert!(text.ends_with("éé [cut]\n") && length > 10_000, "{length}");
        assert!(writer.fallback.is_empty());
    }

    #[test]
    fn a_journal_that_goes_away_is_missed_once_and_found_again() {
        let (_folder, path, journal) = bound();
        let mut writer = Journal::open(&path, Vec::new()).unwrap();
        drop(journal);
        std::fs::remove_file(&path).unwrap();
        writer.write_all(b"<6>first\n").unwrap();
        writer.write_all(b"<6>second\n").unwrap();
        let said = String::from_utf8(std::mem::take(&mut writer.fallback)).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].contains("standard error"), "{said}");
        assert_eq!(lines[1..], ["<6>first", "<6>second"]);

        let journal = UnixDatagram::bind(&path).unwrap();
        writer.write_all(b"<6>third\n").unwrap();
        let mut datagram = [0; 100];
        let length = journal.recv(&mut datagram).unwrap();
        assert!(datagram[..length].ends_with(b"MESSAGE=third\n"));
        assert!(writer.fallback.is_empty());
    }

    #[test]
    fn nobody_at_the_socket_is_an_error() {
        let (_folder, path, journal) = bound();
        drop(journal);
        assert!(Journal::open(&path, io::sink()).is_err());
    }
}
