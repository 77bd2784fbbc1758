//! How a subcommand fails.

use std::fmt;

use crate::exit::Exit;

/// An error as the admin sees it: what happened, where, and what to do, with the exit code it ends with.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What to print on standard error, without the program's name.
    pub message: String,
}

impl CliError {
    /// An error that ends with `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}
