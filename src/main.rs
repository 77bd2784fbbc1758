//! The `ringfence` program: parses the command line, calls the library, maps errors to exit codes.

fn main() {}
