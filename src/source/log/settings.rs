//! What the admin can say about a log.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use ringfence_event::Span;
use ringfence_fail2ban::{Definition, Filter};

/// When the lines of a log count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// While the PBX's socket tells nothing, and from the moment on at which it broke.
    #[default]
    Blind,
    /// Always; what both tell counts once.
    Always,
}

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Files, whose parts may hold wildcards.
    Files {
        /// Their absolute paths.
        paths: Vec<PathBuf>,
        /// They are docker's json files.
        docker: bool,
    },
    /// The systemd journal.
    Journal {
        /// What entries must match, as on the command line of journalctl.
        matches: Vec<String>,
    },
    /// A named pipe that somebody writes lines into.
    Fifo(PathBuf),
    /// The standard input.
    Stdin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { paths, .. } => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                f.write_str(&paths.join(" "))
            }
            Self::Journal { matches } => write!(f, "journal {}", matches.join(" ")),
            Self::Fifo(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// How lines are understood.
#[derive(Clone, Debug)]
pub enum Grammar {
    /// Asterisk's messages and security events.
    Asterisk,
    /// FreeSWITCH's log, or the file of its mod_fail2ban.
    Freeswitch,
    /// A filter of fail2ban.
    Filter {
        /// What it was made of.
        definition: Arc<Definition>,
        /// Ready to judge.
        filter: Arc<Filter>,
    },
}

impl PartialEq for Grammar {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Asterisk, Self::Asterisk) | (Self::Freeswitch, Self::Freeswitch) => true,
            (
                Self::Filter { definition: one, .. },
                Self::Filter {
                    definition: other, ..
                },
            ) => one == other,
            _ => false,
        }
    }
}

/// A log to read.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedLog {
    /// Its name in reports, and the key under which its place is kept.
    pub name: String,
    /// The name of the PBX that writes it, where that is watched through its socket, too.
    pub of: Option<String>,
    /// When its lines count; without a PBX always.
    pub when: When,
    /// Where its lines come from.
    pub origin: Origin,
    /// How they are understood.
    pub grammar: Grammar,
    /// How far back the first reading ever goes; `None` for what is written from then on.
    pub since: Option<Span>,
    /// The zone of time stamps that name none.
    pub zone: TimeZone,
    /// Whether lines count whose only address is what the caller claimed.
    pub count_claimed: bool,
}

impl WatchedLog {
    /// Its kind in reports: `log` beside a PBX, else `logfile`.
    pub fn kind(&self) -> &'static str {
        if self.of.is_some() { "log" } else { "logfile" }
    }
}
