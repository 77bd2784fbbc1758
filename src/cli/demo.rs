//! `ringfence demo`: the main job, shown on any machine.

use std::io::Write;
use std::time::Duration;

use super::{CliError, Exit, Global};
use crate::demo::{DemoError, perform};

/// Arguments of `ringfence demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Play without pauses for reading
    #[arg(long)]
    fast: bool,
}

impl DemoArgs {
    /// Plays it; the exit code is 1 when an attacker was missed or somebody else was banned.
    pub fn run(&self, global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
        let pause = if self.fast {
            Duration::ZERO
        } else {
            Duration::from_millis(150)
        };
        let outcome = perform(out, global.json, pause).map_err(|error| {
            let exit = match error {
                DemoError::Start(_) => Exit::Unavailable,
                DemoError::Io(_) => Exit::IoErr,
                DemoError::Bound | DemoError::Broken(_) => Exit::Software,
            };
            CliError::new(exit, error.to_string())
        })?;
        Ok(if outcome.wrong.is_empty() {
            Exit::Ok
        } else {
            Exit::No
        })
    }
}
