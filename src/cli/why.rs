//! `ringfence why`: everything that is known of an address.

use std::io::{self, Write};
use std::net::IpAddr;

use ringfence_event::Span;

use super::link::{Link, unexpected};
use super::table::Table;
use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest, BanView, CountView, TenantCountView, WhyBan, WhyView};

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
    if now.bans.is_empty() {
        writeln!(out, "{} is not banned", why.addr)?;
    }
    for WhyBan { ban, .. } in &now.bans {
        writeln!(out, "{} is banned: {}", why.addr, sentence(ban))?;
    }
    if let Some(ignored) = &now.ignored {
        writeln!(out, "It is never banned: {ignored}")?;
    }
    for trusting in &now.trusted {
        writeln!(out, "It is banned only if it also attacks {trusting}")?;
    }
    if now.times_banned > 0 {
        writeln!(
            out,
            "It was banned {} times by jails that count this",
            now.times_banned
        )?;
    }
    match (&now.first_seen, &now.last_seen) {
        (Some(first), Some(last)) => writeln!(out, "Seen first {first}, last {last}")?,
        _ => writeln!(out, "Nothing is counted against it now")?,
    }
    for count in now
        .counts
        .iter()
        .filter(|count| count.count > 0 || !count.tenants.is_empty())
    {
        writeln!(out, "Jail {}", of_jail(count))?;
        for tenant in &count.tenants {
            writeln!(out, "  {}", of_tenant(tenant))?;
        }
    }
    let of_ban = now.bans.iter().map(|ban| &ban.evidence.events);
    let of_history = why
        .history
        .iter()
        .filter_map(|entry| entry.evidence.as_ref())
        .map(|evidence| &evidence.events);
    let events = std::iter::once(&now.events)
        .chain(of_ban)
        .chain(of_history)
        .find(|events| !events.is_empty());
    if let Some(events) = events {
        writeln!(out, "\nIts latest events:")?;
        let mut table = Table::new(&[
            "at",
            "source",
            "service",
            "cause",
            "account",
            "port",
            "transport",
            "tenant",
        ]);
        for event in events {
            table.row([
                event.at.clone(),
                event.source.clone(),
                event.service.name().into(),
                event.cause.name().into(),
                event.account.clone(),
                event.port.to_string(),
                event.transport.name().into(),
                event.tenant.clone(),
            ]);
        }
        table.without_empty_last().print(out)?;
    }
    if !why.history.is_empty() {
        writeln!(out, "\nHistory, newest first:")?;
        let mut table = Table::new(&["at", "verdict", "target", "reason", "until", "tenants"]);
        for entry in &why.history {
            table.row([
                entry.at.clone(),
                entry.verdict.clone(),
                entry.target.clone(),
                entry.reason.clone(),
                entry.until.clone().unwrap_or_default(),
                entry
                    .evidence
                    .as_ref()
                    .map(|evidence| evidence.tenants.join(" "))
                    .unwrap_or_default(),
            ]);
        }
        table.without_empty_last().print(out)?;
    }
    Ok(())
}

/// What is counted; where tenants are among it no single number bans.
fn of_jail(count: &CountView) -> String {
    if !count.tenants.is_empty() {
        return format!(
            "{}: {} counted, {} % of what bans",
            count.jail, count.count, count.share
        );
    }
    let findtime = Span::from_secs(count.findtime_s);
    format!(
        "{}: {} of {} within {findtime}",
        count.jail, count.count, count.maxretry
    )
}

fn of_tenant(count: &TenantCountView) -> String {
    let findtime = Span::from_secs(count.findtime_s);
    let but = match (count.ignored, count.mixed) {
        (true, 0) => ", which trusts it: they lead to no ban".into(),
        (true, mixed) => format!(
            ", which trusts it: only those whose realm and domain disagree lead to a ban, {mixed} of them"
        ),
        (false, 0) => String::new(),
        (false, mixed) => format!(", the stricter values hold for {mixed} whose realm and domain disagree"),
    };
    format!(
        "{} of {} within {findtime} at tenant {}{but}",
        count.count, count.maxretry, count.tenant
    )
}

fn sentence(ban: &BanView) -> String {
    let end = ban
        .until
        .as_ref()
        .map_or_else(|| "without end".into(), |until| format!("until {until}"));
    if ban.jail == "manual" {
        return format!("{} by order since {}, {end}", ban.target, ban.since);
    }
    let tenants = match ban.tenants.as_slice() {
        [] => String::new(),
        [tenant] => format!(", tenant {tenant}"),
        tenants => format!(", tenants {}", tenants.join(" ")),
    };
    format!(
        "{} by jail {} since {}, {end} ({} counted, proof {}{tenants}, ban number {})",
        ban.target,
        ban.jail,
        ban.since,
        ban.attempts,
        ban.proof.name(),
        ban.count
    )
}
