//! `ringfence reload`: the daemon reads its configuration again.

use std::io::Write;

use super::link::{Link, unexpected};
use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest};

/// Asks for the reload and prints what needs a restart instead.
pub fn run(global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
    let AdminAnswer::Done { notes, .. } = Link::open(global)?.ask(&AdminRequest::Reload)? else {
        return Err(unexpected());
    };
    if global.json {
        print_json(out, &serde_json::json!({ "reloaded": true, "notes": notes }))?;
        return Ok(Exit::Ok);
    }
    written(writeln!(out, "reloaded"))?;
    for note in notes {
        written(writeln!(out, "note: {note}"))?;
    }
    Ok(Exit::Ok)
}
