//! `ringfence completions` and `ringfence man`: generated from the command line's own definitions.

use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;

use super::{Cli, CliError, Exit};

/// Arguments of `ringfence completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Arguments of `ringfence man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Where the pages go, one for each subcommand
    directory: PathBuf,
}

impl CompletionsArgs {
    /// Prints the script for the shell.
    pub fn run(&self, mut out: &mut dyn Write) -> Exit {
        clap_complete::generate(self.shell, &mut Cli::command(), "ringfence", &mut out);
        Exit::Ok
    }
}

impl ManArgs {
    /// Writes ringfence.1, ringfence-run.1 and so on.
    pub fn run(&self) -> Result<Exit, CliError> {
        let failed = |error: std::io::Error| {
            CliError::new(Exit::CantCreat, format!("{}: {error}", self.directory.display()))
        };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &self.directory)
            .map_err(failed)?;
        Ok(Exit::Ok)
    }
}
