//! How far a long log is, shown to a person who waits.

use std::io::{self, IsTerminal};

use crate::filter::Line;

/// Bytes between two reports of the progress.
const STEP: u64 = 4 << 20;

/// How far a long log is, on a terminal.
pub(super) struct Progress {
    size: Option<u64>,
    read: u64,
    shown: u64,
}

impl Progress {
    pub(super) fn new(size: Option<u64>) -> Self {
        Self {
            size: size.filter(|size| *size > 2 * STEP && io::stderr().is_terminal()),
            read: 0,
            shown: 0,
        }
    }

    pub(super) fn step(&mut self, line: &Line) {
        self.read += line.length;
        if let Some(size) = self.size
            && self.read - self.shown >= STEP
        {
            self.shown = self.read;
            eprint!(
                "\r{:>3} % of {} MB, line {}",
                self.read * 100 / size,
                size >> 20,
                line.number
            );
        }
    }

    pub(super) fn end(&self) {
        if self.shown > 0 {
            eprint!("\r\x1b[K");
        }
    }
}
