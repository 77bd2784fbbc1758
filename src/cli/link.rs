//! Finds the running daemon and asks it.

use std::path::PathBuf;

use super::{CliError, Exit, Global};
use crate::admin::{AdminAnswer, AdminRequest, Client, ClientError};
use crate::config;

/// A conversation with the daemon.
#[derive(Debug)]
pub struct Link(Client);

impl Link {
    /// Connects to the socket of `--socket`, of the configuration, or the default one.
    pub fn open(global: &Global) -> Result<Self, CliError> {
        Client::connect(&socket(global))
            .map(Self)
            .map_err(|error| failed(&error))
    }

    /// Asks; a refusal becomes an error with the daemon's exit code.
    pub fn ask(&mut self, request: &AdminRequest) -> Result<AdminAnswer, CliError> {
        match self.0.ask(request).map_err(|error| failed(&error))? {
            AdminAnswer::Refused(refusal) => Err(CliError {
                exit: Exit::from_code(refusal.exit),
                message: refusal.message,
            }),
            answer => Ok(answer),
        }
    }
}

/// The answer was not of the kind that the question has.
pub fn unexpected() -> CliError {
    CliError::new(
        Exit::Protocol,
        "the daemon's answer does not fit the question: is it of another version?",
    )
}

fn socket(global: &Global) -> PathBuf {
    if let Some(socket) = &global.socket {
        return socket.clone();
    }
    config::control_socket(&global.config, config::environment())
}

fn failed(error: &ClientError) -> CliError {
    let exit = match error {
        ClientError::Absent { .. } => Exit::Unavailable,
        ClientError::Permission { .. } => Exit::NoPerm,
        ClientError::Broken { .. } => Exit::Protocol,
    };
    CliError::new(exit, error.to_string())
}
