//! How a subcommand ends: exit codes from sysexits.h.

use std::fmt;

/// Exit codes, as sysexits.h numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Ok = 0,
    /// It ran, but the answer is no (an address is not banned, a check found something).
    No = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The input data is wrong.
    Data = 65,
    /// An input file can't be read.
    NoInput = 66,
    /// Something needed is not available, the daemon for instance.
    Unavailable = 69,
    /// An internal error: ringfence is at fault.
    Software = 70,
    /// The operating system refused something basic.
    OsErr = 71,
    /// An output file can't be written.
    CantCreat = 73,
    /// Reading or writing failed.
    IoErr = 74,
    /// A passing failure: try again later.
    TempFail = 75,
    /// The other side does not speak the protocol.
    Protocol = 76,
    /// A permission is missing.
    NoPerm = 77,
    /// The configuration is wrong.
    Config = 78,
}

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
