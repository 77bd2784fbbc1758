//! `ringfence status`: how the daemon is doing.

use std::io::{self, Write};

use ringfence_event::Span;

use super::link::{Link, unexpected};
use super::table::Table;
use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest, StatusView};
use crate::engine::{JailTotals, TenantTotals};

/// Tenants that are all shown.
const FEW: usize = 16;

/// Arguments of `ringfence status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Only this jail
    jail: Option<String>,
}

impl StatusArgs {
    /// Prints the status; the exit code is 1 when something needs attention.
    pub fn run(&self, global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
        let AdminAnswer::Status(status) = Link::open(global)?.ask(&AdminRequest::Status)? else {
            return Err(unexpected());
        };
        if let Some(name) = &self.jail {
            let Some(jail) = status.engine.jails.iter().find(|jail| jail.jail == *name) else {
                let names: Vec<_> = status
                    .engine
                    .jails
                    .iter()
                    .map(|jail| jail.jail.as_str())
                    .collect();
                return Err(CliError::new(
                    Exit::Usage,
                    format!("there is no jail `{name}`; there are {}", names.join(", ")),
                ));
            };
            if global.json {
                print_json(out, jail)?;
            } else {
                written(jails(std::slice::from_ref(jail), out))?;
            }
            return Ok(Exit::Ok);
        }
        if global.json {
            print_json(out, &status)?;
        } else {
            written(print(&status, out))?;
        }
        Ok(if status.state == "degraded" {
            Exit::No
        } else {
            Exit::Ok
        })
    }
}

fn print(status: &StatusView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "ringfence {} (pid {}), up {}: {}",
        status.version,
        status.pid,
        Span::from_secs(status.uptime_s),
        status.state
    )?;
    writeln!(out)?;
    let fence = &status.fence;
    writeln!(
        out,
        "fence   {}: {}",
        fence.backend,
        fence.problem.as_deref().unwrap_or(&fence.proven)
    )?;
    for gap in &fence.gaps {
        writeln!(out, "        not proven: {gap}")?;
    }
    if fence.healed > 0 {
        writeln!(
            out,
            "        the kernel's state was put right {} times",
            fence.healed
        )?;
    }
    writeln!(
        out,
        "store   {}{}",
        status.store.path,
        problem(status.store.problem.as_deref())
    )?;
    let engine = &status.engine;
    writeln!(
        out,
        "engine  {} events, {} attempts, {} addresses tracked, {} banned",
        engine.events, engine.attempts, engine.tracked, engine.banned
    )?;
    if let Some((median, worst)) = status.latency_us {
        writeln!(
            out,
            "        from the wire to the kernel: median {median} µs, 99th percentile {worst} µs"
        )?;
    }
    if status.dropped > 0 {
        writeln!(
            out,
            "        {} events were dropped because they came faster than they could be judged",
            status.dropped
        )?;
    }
    if engine.forgotten > 0 {
        writeln!(
            out,
            "        {} addresses were let go because the table was full",
            engine.forgotten
        )?;
    }
    for name in &status.unresolved {
        writeln!(
            out,
            "names   {name} can't be resolved; its last known addresses stay in force"
        )?;
    }
    writeln!(out)?;
    sources(status, out)?;
    writeln!(out)?;
    jails(&engine.jails, out)?;
    if engine.tenants.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    tenants(&engine.tenants, out)
}

fn sources(status: &StatusView, out: &mut dyn Write) -> io::Result<()> {
    if status.sources.is_empty() {
        return writeln!(out, "no sources are configured: nothing is watched");
    }
    let mut table = Table::new(&[
        "source",
        "address",
        "state",
        "since",
        "events",
        "last event",
        "ping",
        "version",
    ]);
    for source in &status.sources {
        table.row([
            source.name.clone(),
            source.address.clone(),
            source.state.name().into(),
            source.since.clone(),
            source.events.to_string(),
            source.last_event.clone().unwrap_or_else(|| "never".into()),
            source
                .ping_us
                .map_or_else(|| "-".into(), |micros| format!("{micros} µs")),
            source.version.clone(),
        ]);
    }
    table.print(out)?;
    for source in &status.sources {
        if !source.problem.is_empty() {
            writeln!(out, "{}: {}", source.name, source.problem)?;
        }
        for stream in source.streams.iter().filter(|stream| !stream.problem.is_empty()) {
            writeln!(
                out,
                "{}: {} {}: {}",
                source.name,
                stream.name,
                stream.state.name(),
                stream.problem
            )?;
        }
        if source.restarts > 0 {
            writeln!(out, "{}: was started anew {} times", source.name, source.restarts)?;
        }
        if source.suspicious > 0 && matches!(source.kind.as_str(), "log" | "logfile") {
            writeln!(
                out,
                "{}: {} lines may be a peer's own words or name only his claim; nobody was blamed for them",
                source.name, source.suspicious
            )?;
        } else if source.suspicious > 0 {
            writeln!(
                out,
                "{}: {} security events were injected or made up by another client; none was counted",
                source.name, source.suspicious
            )?;
        }
        if source.oversized > 0 {
            writeln!(
                out,
                "{}: {} events were larger than the cap",
                source.name, source.oversized
            )?;
        }
    }
    Ok(())
}

fn jails(jails: &[JailTotals], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["jail", "on", "suspects", "counted", "bans", "banned now"]);
    for jail in jails {
        table.row([
            jail.jail.clone(),
            on(jail),
            jail.suspects.to_string(),
            jail.counted.to_string(),
            jail.bans.to_string(),
            jail.banned.to_string(),
        ]);
    }
    table.print(out)
}

/// Whether the jail is on, and for whom it is otherwise.
fn on(jail: &JailTotals) -> String {
    let tenants = match jail.otherwise {
        1 => "1 tenant".to_owned(),
        many => format!("{many} tenants"),
    };
    match (jail.enabled, jail.otherwise) {
        (true, 0) => "yes".into(),
        (false, 0) => "no".into(),
        (true, _) => format!("yes, not for {tenants}"),
        (false, _) => format!("only for {tenants}"),
    }
}

/// Many tenants would hide what matters: of more than [`FEW`] those that nobody attacked are only counted.
fn tenants(tenants: &[TenantTotals], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["tenant", "counted", "bans", "banned now"]);
    let is_shown = |tenant: &&TenantTotals| {
        tenants.len() <= FEW || tenant.counted > 0 || tenant.bans > 0 || tenant.banned > 0
    };
    let shown: Vec<_> = tenants.iter().filter(is_shown).collect();
    for tenant in &shown {
        table.row([
            tenant.tenant.clone(),
            tenant.counted.to_string(),
            tenant.bans.to_string(),
            tenant.banned.to_string(),
        ]);
    }
    let quiet = tenants.len() - shown.len();
    if !shown.is_empty() {
        table.print(out)?;
    }
    if quiet > 0 {
        writeln!(out, "{quiet} tenants at which nothing was counted")?;
    }
    Ok(())
}

fn problem(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |problem| format!(": {problem}"))
}
