//! `ringfence run`: the daemon.

use std::io::{self, Write};

use super::{CliError, Exit, Global};
use crate::config::{self, Config};
use crate::daemon::{self, Daemon, Setup, StartError};
use crate::fence::{self, Backend, FenceError};

/// Arguments of `ringfence run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Decide and report, but leave the kernel alone
    #[arg(long)]
    dry_run: bool,
    /// When stopped, remove everything from the kernel; without this, bans stay until their time is over
    #[arg(long)]
    purge: bool,
}

impl RunArgs {
    /// Runs until SIGTERM or SIGINT.
    pub fn run(&self, global: &Global) -> Result<Exit, CliError> {
        let config = load(global, self.dry_run)?;
        let _log = daemon::start_log(&config.log)
            .map_err(|error| CliError::new(Exit::CantCreat, error.to_string()))?;
        let fence_settings = config.fence.clone();
        let again = (global.clone(), self.dry_run);
        let setup = Setup {
            reread: Some(Box::new(move || {
                load(&again.0, again.1).map_err(|error| error.to_string())
            })),
            witness: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(8)
            .build()
            .map_err(|error| CliError::new(Exit::OsErr, format!("the runtime: {error}")))?;
        runtime.block_on(async {
            let daemon = Daemon::start(config, setup).map_err(|error| failed(&error))?;
            let served = daemon.serve(std::future::pending()).await;
            served.map_err(|broken| CliError::new(Exit::Software, broken.to_string()))
        })?;
        if self.purge {
            fence::open(&fence_settings)
                .and_then(|mut fence| fence.purge())
                .map_err(|error| CliError::new(Exit::NoPerm, error.to_string()))?;
        }
        Ok(Exit::Ok)
    }
}

/// Loads the configuration, printing its warnings; `dry_run` replaces the backend.
pub fn load(global: &Global, dry_run: bool) -> Result<Config, CliError> {
    let (mut config, warnings) = config::load(&global.config, config::environment())
        .map_err(|diagnosis| CliError::new(Exit::Config, diagnosis.to_string()))?;
    for warning in warnings {
        let _ = writeln!(io::stderr(), "{warning}");
    }
    if dry_run {
        config.fence.backend = Backend::DryRun;
    }
    Ok(config)
}

fn failed(error: &StartError) -> CliError {
    let exit = match error {
        StartError::Control { error, .. } if error.kind() == io::ErrorKind::AddrInUse => Exit::TempFail,
        StartError::Group(_) => Exit::Config,
        StartError::Control { .. } | StartError::Store(_) => Exit::CantCreat,
        // the kernel was busy, or its answer has no remedy: another try may succeed
        StartError::Fence(FenceError::Kernel { .. }) => Exit::TempFail,
        StartError::Fence(_) => Exit::NoPerm,
        StartError::System { .. } => Exit::OsErr,
    };
    CliError::new(exit, error.to_string())
}
