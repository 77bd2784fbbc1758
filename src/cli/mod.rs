//! The command line: one file a subcommand; help, man pages and completions come from the same definitions.

mod ban;
mod banned;
mod check;
mod demo;
mod error;
mod generate;
mod link;
mod parse;
mod purge;
pub mod recording;
mod regex;
mod reload;
mod replay;
mod run;
mod status;
mod table;
mod verdict;
mod why;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::config;
use crate::engine::Policy;
pub use crate::exit::Exit;
pub use error::CliError;

/// Bans attackers of Asterisk and FreeSWITCH in the kernel, from the PBX's own security events.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every subcommand understands.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// The configuration file; conf.d/*.toml beside it is read as well
    #[arg(
        long,
        short = 'c',
        global = true,
        value_name = "FILE",
        default_value = config::DEFAULT_PATH
    )]
    pub config: PathBuf,
    /// The running daemon's control socket, instead of the one that the configuration names
    #[arg(long, global = true, value_name = "SOCKET")]
    pub socket: Option<PathBuf>,
    /// Print JSON instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the configured PBXes and ban who attacks them
    Run(run::RunArgs),
    /// Check the configuration; with --live also the PBXes and the kernel
    Check(check::CheckArgs),
    /// Show how the daemon is doing: sources, jails, fence, store
    Status(status::StatusArgs),
    /// List the bans in force
    Banned,
    /// Ban an address or prefix by order
    Ban(ban::BanArgs),
    /// Lift bans and forget what was counted
    Unban(ban::UnbanArgs),
    /// Tell everything that is known of an address: events, counts, bans, history
    Why(why::WhyArgs),
    /// Make the daemon read its configuration again, without losing what it counted
    Reload,
    /// Print the security events that a recording contains
    Parse(parse::ParseArgs),
    /// Print what would be decided about a recording, on its own clock
    Replay(replay::ReplayArgs),
    /// Test a fail2ban filter, or a pattern, on a log
    Regex(regex::RegexArgs),
    /// Show the whole way from an attack to the kernel, on this machine, without a PBX
    Demo(demo::DemoArgs),
    /// Remove everything from the kernel that ringfence ever put there, bans included
    Purge,
    /// Print shell completions
    Completions(generate::CompletionsArgs),
    /// Write the man pages into a directory
    Man(generate::ManArgs),
}

impl Cli {
    /// Carries out the subcommand, printing to `out`.
    pub fn run(&self, out: &mut dyn Write) -> Result<Exit, CliError> {
        let global = &self.global;
        match &self.command {
            Command::Run(args) => args.run(global),
            Command::Check(args) => args.run(global, out),
            Command::Status(args) => args.run(global, out),
            Command::Banned => banned::run(global, out),
            Command::Ban(args) => args.run(global, out),
            Command::Unban(args) => args.run(global, out),
            Command::Why(args) => args.run(global, out),
            Command::Reload => reload::run(global, out),
            Command::Parse(args) => args.run(global.json, out),
            Command::Replay(args) => args.run(policy(global)?, global.json, out),
            Command::Regex(args) => args.run(global.json, out),
            Command::Demo(args) => args.run(global, out),
            Command::Purge => purge::run(global, out),
            Command::Completions(args) => Ok(args.run(out)),
            Command::Man(args) => args.run(),
        }
    }
}

/// The rules of the configuration; the built-in ones where there is none at the usual place.
fn policy(global: &Global) -> Result<Policy, CliError> {
    if !global.config.exists() && global.config == Path::new(config::DEFAULT_PATH) {
        return Ok(Policy::default());
    }
    config::load(&global.config, config::environment())
        .map(|(config, _)| config.policy)
        .map_err(|diagnosis| CliError::new(Exit::Config, diagnosis.to_string()))
}

/// What a write means for a command: `None` to go on, an exit code to end with. A reader that went away
/// (`ringfence banned | head -1`) is a quiet end, any other failure to write is an error.
fn settle(written: std::io::Result<()>) -> Result<Option<Exit>, CliError> {
    match written {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Some(Exit::Ok)),
        Err(error) => Err(CliError::new(
            Exit::IoErr,
            format!("can't write the output: {error}"),
        )),
    }
}

/// The same for a command that has little more to say.
fn written(result: std::io::Result<()>) -> Result<(), CliError> {
    settle(result).map(|_| ())
}

/// Prints `value` as one line of JSON.
pub(crate) fn print_json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), CliError> {
    let line =
        serde_json::to_string(value).map_err(|error| CliError::new(Exit::Software, error.to_string()))?;
    written(writeln!(out, "{line}"))
}
