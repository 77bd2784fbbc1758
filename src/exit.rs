//! How the program ends: exit codes from sysexits.h.

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

impl Exit {
    /// The code that `code` stands for; an unknown one is an internal error.
    pub fn from_code(code: u8) -> Self {
        const ALL: [Exit; 14] = [
            Exit::Ok,
            Exit::No,
            Exit::Usage,
            Exit::Data,
            Exit::NoInput,
            Exit::Unavailable,
            Exit::Software,
            Exit::OsErr,
            Exit::CantCreat,
            Exit::IoErr,
            Exit::TempFail,
            Exit::Protocol,
            Exit::NoPerm,
            Exit::Config,
        ];
        ALL.into_iter()
            .find(|exit| *exit as u8 == code)
            .unwrap_or(Self::Software)
    }
}
