//! Where the daemon's log lines go: never a wait on the way from an event to the kernel.
//!
//! Whoever logs puts a line into a bounded queue and goes on; a thread of its own hands the lines to the journal, a terminal or
//! a file, however slow that is.

mod journal;

use std::io;
use std::path::Path;

use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogSettings, LogTarget};
use journal::{Journal, WithPriority};

/// Lines that may wait for a slow disk, terminal or journal; further ones are lost rather than waited for.
const LINES: usize = 16_384;

/// Starts logging as `settings` say; the guard writes out what waits when it is dropped.
///
/// Without a journal it logs to standard error, and says so. Errors when a log file can't be opened.
pub fn start(settings: &LogSettings) -> io::Result<WorkerGuard> {
    let output = output(&settings.target, Path::new(journal::SOCKET))?;
    tracing_subscriber::registry()
        .with(LevelFilter::from_level(settings.level))
        .with(output.layer)
        .init();
    if let Some(missing) = output.missing {
        tracing::warn!("{missing}");
    }
    Ok(output.guard)
}

/// A way out for log lines.
struct Output<S> {
    layer: Box<dyn Layer<S> + Send + Sync>,
    guard: WorkerGuard,
    /// What could not be used, for the first line.
    missing: Option<String>,
}

fn output<S>(target: &LogTarget, socket: &Path) -> io::Result<Output<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match target {
        LogTarget::Journal => match Journal::open(socket, io::stderr()) {
            Ok(journal) => Ok(journalled(journal)),
            Err(error) => Ok(Output {
                missing: Some(format!(
                    "the journal at {}: {error}; logging to standard error instead",
                    socket.display()
                )),
                ..lines(io::stderr())
            }),
        },
        LogTarget::Stderr => Ok(lines(io::stderr())),
        LogTarget::File(path) => {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            Ok(lines(file))
        }
    }
}

/// Lines with time and level.
fn lines<S>(to: impl io::Write + Send + 'static) -> Output<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (writer, guard) = queue(to);
    Output {
        layer: fmt::layer().with_writer(writer).with_ansi(false).boxed(),
        guard,
        missing: None,
    }
}

/// Lines for the journal, which keeps time and priority itself.
fn journalled<S>(journal: Journal<impl io::Write + Send + 'static>) -> Output<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (writer, guard) = queue(journal);
    let format = fmt::format()
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false);
    Output {
        layer: fmt::layer()
            .with_writer(writer)
            .with_ansi(false)
            .event_format(WithPriority(format))
            .boxed(),
        guard,
        missing: None,
    }
}

fn queue(to: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("log")
        .finish(to)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc;
    use std::time::Duration;

    use tracing_subscriber::Registry;

    use super::*;

    fn read(journal: &UnixDatagram) -> String {
        let mut record = vec![0; 4096];
        journal.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = journal.recv(&mut record).unwrap();
        String::from_utf8(record[..length].to_vec()).unwrap()
    }

    #[test]
    fn lines_reach_the_journal_with_their_priority() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let output: Output<Registry> = output(&LogTarget::Journal, &path).unwrap();
        assert_eq!(output.missing, None);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(output.layer), || {
            tracing::error!("broken");
            tracing::warn!(backend = "nftables", "ban 192.0.2.1");
            tracing::info!("watching");
            tracing::debug!("detail");
        });
        for expected in [
            "PRIORITY=3\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE=broken\n",
            "PRIORITY=4\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE=ban 192.0.2.1 backend=\"nftables\"\n",
            "PRIORITY=6\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE=watching\n",
            "PRIORITY=7\nSYSLOG_IDENTIFIER=ringfence\nMESSAGE=detail\n",
        ] {
            assert_eq!(read(&journal), expected);
        }
    }

    #[test]
    fn a_journal_that_never_reads_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let output: Output<Registry> = journalled(Journal::open(&path, io::sink()).unwrap());
        let (done, finished) = mpsc::channel();
        // more than the queue and the socket hold together
        let caller = std::thread::spawn(move || {
            tracing::subscriber::with_default(tracing_subscriber::registry().with(output.layer), || {
                for number in 0..2 * LINES {
                    tracing::info!("line {number}");
                }
            });
            done.send(()).unwrap();
        });
        let held_up = finished.recv_timeout(Duration::from_mins(1)).is_err();
        // an end for the thread that waits for the journal
        drop(journal);
        assert!(!held_up, "whoever logs waited for the journal");
        caller.join().unwrap();
    }

    #[test]
    fn without_a_journal_the_log_goes_to_standard_error_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere");
        let output: Output<Registry> = output(&LogTarget::Journal, &path).unwrap();
        let missing = output.missing.unwrap();
        assert!(
            missing.contains(path.to_str().unwrap()) && missing.contains("standard error"),
            "{missing}"
        );
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ringfence.log");
        std::fs::write(&path, "before\n").unwrap();
        let output: Output<Registry> = output(&LogTarget::File(path.clone()), Path::new("/")).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(output.layer), || {
            tracing::warn!("after");
        });
        drop(output.guard);
        let log = std::fs::read_to_string(&path).unwrap();
        assert!(
            log.starts_with("before\n") && log.contains(" WARN ") && log.ends_with("after\n"),
            "{log}"
        );
    }
}
