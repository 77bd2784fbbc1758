//! `ringfence why`: everything that is known of an address.

use std::io::{self, Write};
use std::net::IpAddr;

use super::link::{Link, unexpected};
use super::table::Table;
use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest, WhyView};
use crate::clock::iso;
use crate::engine::{Ban, EvidenceEvent};
use ringfence_event::Moment;

/// Arguments of `ringfence why`.
#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    /// The address
    #[arg(value_name = "IP")]
    addr: IpAddr,
}

impl WhyArgs {
    /// Prints it; the exit code is 1 when the address is not banned.
    pub fn run(&self, global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
        let AdminAnswer::Why(why) = Link::open(global)?.ask(&AdminRequest::Why { addr: self.addr })? else {
            return Err(unexpected());
        };
        if global.json {
            print_json(out, &why)?;
        } else {
            written(print(&why, out))?;
        }
        Ok(if why.now.bans.is_empty() {
            Exit::No
        } else {
            Exit::Ok
        })
    }
}

fn print(why: &WhyView, out: &mut dyn Write) -> io::Result<()> {
    let now = &why.now;
    match now.bans.as_slice() {
        [] => writeln!(out, "{} is not banned", why.addr)?,
        bans => {
            for ban in bans {
                writeln!(out, "{} is banned: {}", why.addr, sentence(ban))?;
            }
        }
    }
    if let Some(ignored) = &now.ignored {
        writeln!(out, "It is never banned: {ignored}")?;
    }
    if now.times_banned > 0 {
        writeln!(
            out,
            "It was banned {} times by jails that count this",
            now.times_banned
        )?;
    }
    match now.seen {
        Some((first, last)) => writeln!(out, "Seen first {}, last {}", iso(first), iso(last))?,
        None => writeln!(out, "Nothing is counted against it now")?,
    }
    for count in now.counts.iter().filter(|count| count.count > 0) {
        writeln!(
            out,
            "Jail {}: {} of {} within {}",
            count.jail, count.count, count.maxretry, count.findtime
        )?;
    }
    let events = if now.events.is_empty() {
        now.bans
            .first()
            .map(|ban| ban.evidence.events.as_slice())
            .unwrap_or_default()
    } else {
        &now.events
    };
    if !events.is_empty() {
        writeln!(out, "\nIts latest events:")?;
        print_events(events, &why.sources, out)?;
    }
    if !why.history.is_empty() {
        writeln!(out, "\nHistory, newest first:")?;
        let mut table = Table::new(&["at", "verdict", "target", "reason", "until"]);
        for entry in &why.history {
            table.row([
                entry.at.clone(),
                entry.verdict.clone(),
                entry.target.clone(),
                entry.reason.clone(),
                entry.until.clone().unwrap_or_default(),
            ]);
        }
        table.print(out)?;
        if events.is_empty()
            && let Some(evidence) = why.history.iter().find_map(|entry| entry.evidence.as_ref())
            && !evidence.events.is_empty()
        {
            writeln!(out, "\nThe events behind its latest ban:")?;
            print_events(&evidence.events, &why.sources, out)?;
        }
    }
    Ok(())
}

fn sentence(ban: &Ban) -> String {
    let end = if ban.until == Moment::NEVER {
        "without end".into()
    } else {
        format!("until {}", iso(ban.until))
    };
    if ban.jail == "manual" {
        return format!("{} by order since {}, {end}", ban.target, iso(ban.since));
    }
    format!(
        "{} by jail {} since {}, {end} ({} counted, proof {}, ban number {})",
        ban.target,
        ban.jail,
        iso(ban.since),
        ban.evidence.attempts,
        ban.evidence.proof.name(),
        ban.count
    )
}

fn print_events(events: &[EvidenceEvent], sources: &[String], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["at", "source", "service", "cause", "account", "port", "transport"]);
    for event in events {
        let source = sources.get(usize::from(event.source)).cloned();
        table.row([
            iso(event.at),
            source.unwrap_or_else(|| format!("#{}", event.source)),
            event.service.clone(),
            event.cause.name().into(),
            event.account.clone(),
            event.port.to_string(),
            event.transport.clone(),
        ]);
    }
    table.print(out)
}
