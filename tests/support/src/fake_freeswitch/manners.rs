//! Whom the server knows and how it treats its clients.

use std::time::Duration;

/// How the server treats its clients from now on.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Nothing is read or answered any more, not even new connections are greeted; connections stay open. What a test
    /// injects is still written.
    pub stalled: bool,
    /// Every `event` command succeeds and no event is ever delivered.
    pub silent_events: bool,
    /// The core's own log level: what is above it nobody gets, whatever `log` answered. 0 is a log that is off.
    pub core_loglevel: u8,
    /// New connections are refused as by an access list, without having been asked for a password.
    pub refused_by_acl: bool,
    /// How long somebody may be silent before having logged in.
    pub login_limit: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            stalled: false,
            silent_events: false,
            core_loglevel: 7,
            refused_by_acl: false,
            login_limit: Duration::from_secs(25),
        }
    }
}

/// A user of the directory, for `userauth`.
#[derive(Clone, Debug)]
pub struct User {
    /// `user@domain`.
    pub name: String,
    /// `esl-password`.
    pub password: String,
    /// `esl-allowed-events`: names, then `CUSTOM` and subclasses; without it everything.
    pub events: Option<String>,
    /// `esl-allowed-api`: first words of API commands; without it everything.
    pub api: Option<String>,
    /// `esl-allowed-log`.
    pub log: bool,
}

impl User {
    /// A user who may do everything.
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            events: None,
            api: None,
            log: true,
        }
    }
}

/// How the server ends when it is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order: every client is told.
    Notice,
    /// As after SIGKILL: nobody is told.
    Killed,
}
