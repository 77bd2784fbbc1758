//! `ringfence purge`: leaves nothing behind in the kernel.

use std::io::Write;

use super::{CliError, Exit, Global, print_json, written};
use crate::config;
use crate::fence::{self, FenceSettings};

/// Removes everything that ringfence ever put into the kernel, whether the daemon runs or not. A running daemon would put its
/// bans back, so stop it first.
pub fn run(global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
    // without a readable configuration the default backend is what has to be cleaned up
    let settings = config::load(&global.config, config::environment())
        .map_or_else(|_| FenceSettings::default(), |(config, _)| config.fence);
    let purged = fence::open(&settings).and_then(|mut fence| fence.purge().map(|()| fence.name()));
    let name = purged.map_err(|error| CliError::new(Exit::NoPerm, error.to_string()))?;
    if global.json {
        print_json(out, &serde_json::json!({ "purged": name }))?;
    } else {
        written(writeln!(out, "removed everything of ringfence from {name}"))?;
    }
    Ok(Exit::Ok)
}
