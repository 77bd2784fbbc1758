//! The command line: one file a subcommand.

mod error;

pub use error::{CliError, Exit};
