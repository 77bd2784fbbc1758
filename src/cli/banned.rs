//! `ringfence banned`: the bans in force.

use std::io::Write;

use super::link::{Link, unexpected};
use super::table::Table;
use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest};
use ringfence_event::Span;

/// Lists them, oldest first.
pub fn run(global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
    let AdminAnswer::Banned(bans) = Link::open(global)?.ask(&AdminRequest::Banned)? else {
        return Err(unexpected());
    };
    if global.json {
        print_json(out, &bans)?;
        return Ok(Exit::Ok);
    }
    if bans.is_empty() {
        written(writeln!(out, "nobody is banned"))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        "target", "jail", "counted", "proof", "time", "since", "left", "packets", "tenants",
    ]);
    for ban in &bans {
        table.row([
            ban.target.clone(),
            ban.jail.clone(),
            ban.attempts.to_string(),
            ban.proof.name().to_string(),
            ban.count.to_string(),
            ban.since.clone(),
            ban.remaining_s
                .map_or_else(|| "forever".into(), |left| Span::from_secs(left).to_string()),
            ban.packets
                .map_or_else(|| "-".into(), |packets| packets.to_string()),
            ban.tenants.join(" "),
        ]);
    }
    written(table.without_empty_last().print(out))?;
    Ok(Exit::Ok)
}
