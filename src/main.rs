//! The `ringfence` program: parses the command line, calls the library, maps errors to exit codes.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;
use ringfence::cli::{Cli, Exit};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // --help and --version are answers, everything else is a wrong command line
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Ok } as u8);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let exit = cli.run(&mut out).unwrap_or_else(|error| {
        let _ = out.flush();
        let _ = writeln!(io::stderr(), "ringfence: {error}");
        error.exit
    });
    let _ = out.flush();
    ExitCode::from(exit as u8)
}
