//! `ringfence ban` and `ringfence unban`: the admin's own orders.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ringfence_event::Span;

use super::link::{Link, unexpected};
use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest};
use crate::config::parse_span;
use crate::engine::Target;

/// Arguments of `ringfence ban`.
#[derive(Debug, clap::Args)]
pub struct BanArgs {
    /// Whom to ban: an address, or a prefix like 203.0.113.0/24
    #[arg(value_name = "IP", value_parser = target, required = true)]
    targets: Vec<Target>,
    /// For how long, like 90s, 10m, 1h30m, 2d; `forever` for no end [default: the auth jail's bantime]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_span)]
    duration: Option<Span>,
}

/// Arguments of `ringfence unban`.
#[derive(Debug, clap::Args)]
pub struct UnbanArgs {
    /// Whose ban to lift: an address, or a prefix with everything in it
    #[arg(value_name = "IP", value_parser = target, required_unless_present = "all", conflicts_with = "all")]
    targets: Vec<Target>,
    /// Lift every ban
    #[arg(long)]
    all: bool,
}

impl BanArgs {
    /// Orders the bans, one after the other.
    pub fn run(&self, global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
        let mut link = Link::open(global)?;
        for target in &self.targets {
            let answer = link.ask(&AdminRequest::Ban {
                target: *target,
                duration: self.duration,
            })?;
            report(
                global,
                out,
                &answer,
                &format!("banned {target}"),
                &format!("{target} is banned already"),
            )?;
        }
        Ok(Exit::Ok)
    }
}

impl UnbanArgs {
    /// Lifts the bans; an address that was not banned makes the exit code 1.
    pub fn run(&self, global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
        let mut link = Link::open(global)?;
        if self.all {
            let answer = link.ask(&AdminRequest::UnbanAll)?;
            let AdminAnswer::Done { changed, .. } = &answer else {
                return Err(unexpected());
            };
            let done = format!("{changed} bans lifted");
            report(global, out, &answer, &done, &done)?;
            return Ok(Exit::Ok);
        }
        let mut exit = Exit::Ok;
        for target in &self.targets {
            let answer = link.ask(&AdminRequest::Unban { target: *target })?;
            let changed = report(
                global,
                out,
                &answer,
                &format!("unbanned {target}"),
                &format!("{target} was not banned"),
            )?;
            if changed == 0 {
                exit = Exit::No;
            }
        }
        Ok(exit)
    }
}

/// Prints what was done, or that nothing was to do; returns how much changed.
fn report(
    global: &Global,
    out: &mut dyn Write,
    answer: &AdminAnswer,
    done: &str,
    nothing: &str,
) -> Result<usize, CliError> {
    let AdminAnswer::Done { changed, notes } = answer else {
        return Err(unexpected());
    };
    if global.json {
        print_json(out, &serde_json::json!({ "changed": changed, "notes": notes }))?;
        return Ok(*changed);
    }
    written(writeln!(out, "{}", if *changed == 0 { nothing } else { done }))?;
    for note in notes {
        written(writeln!(out, "note: {note}"))?;
    }
    Ok(*changed)
}

/// An address, a socket or a prefix; host bits of a prefix are an error, since a slip there bans strangers.
fn target(text: &str) -> Result<Target, String> {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok(Target::Address(addr.to_canonical()));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Target::Socket(SocketAddr::new(
            socket.ip().to_canonical(),
            socket.port(),
        )));
    }
    match text.parse::<IpNet>() {
        Ok(net) if net.addr() != net.network() => Err(format!(
            "{net} has bits set behind the prefix: did you mean {} or {}?",
            net.trunc(),
            net.addr()
        )),
        Ok(net) if net.prefix_len() == net.max_prefix_len() => Ok(Target::Address(net.addr().to_canonical())),
        Ok(net) => Ok(Target::Prefix(net)),
        Err(_) => Err("neither an address (203.0.113.7) nor a prefix (203.0.113.0/24)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_what_people_type() {
        assert_eq!(
            target("203.0.113.7"),
            Ok(Target::Address("203.0.113.7".parse().unwrap()))
        );
        assert_eq!(
            target("::ffff:203.0.113.7"),
            Ok(Target::Address("203.0.113.7".parse().unwrap()))
        );
        assert_eq!(
            target("203.0.113.7/32"),
            Ok(Target::Address("203.0.113.7".parse().unwrap()))
        );
        assert_eq!(
            target("203.0.113.0/24"),
            Ok(Target::Prefix("203.0.113.0/24".parse().unwrap()))
        );
        assert_eq!(
            target("[2001:db8::1]:5060"),
            Ok(Target::Socket("[2001:db8::1]:5060".parse().unwrap()))
        );
        assert!(
            target("203.0.113.7/24")
                .unwrap_err()
                .contains("did you mean 203.0.113.0/24")
        );
        assert!(target("example.net").is_err());
    }
}
