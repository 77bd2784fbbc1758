//! Where the daemon's log lines go: never a wait on the way from an event to the kernel.

use std::io;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogSettings, LogTarget};

/// Lines that may wait for a slow disk or terminal; further ones are lost rather than waited for.
const LINES: usize = 16_384;

/// Starts logging as `settings` say; the guard writes out what waits when it is dropped.
pub fn start(settings: &LogSettings) -> io::Result<Option<WorkerGuard>> {
    let filter = LevelFilter::from_level(settings.level);
    let registry = tracing_subscriber::registry().with(filter);
    match &settings.target {
        LogTarget::Journal => {
            registry.with(tracing_journald::layer()?).init();
            Ok(None)
        }
        LogTarget::Stderr => {
            let (writer, guard) = builder().finish(io::stderr());
            registry
                .with(fmt::layer().with_writer(writer).with_ansi(false))
                .init();
            Ok(Some(guard))
        }
        LogTarget::File(path) => {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            let (writer, guard) = builder().finish(file);
            registry
                .with(fmt::layer().with_writer(writer).with_ansi(false))
                .init();
            Ok(Some(guard))
        }
    }
}

fn builder() -> NonBlockingBuilder {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("log")
}
