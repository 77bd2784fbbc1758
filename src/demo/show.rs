//! Shows what happens, compares it with what had to happen, sums up.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use ringfence_event::{SecurityEvent, Span, Transport};

use super::acts::{ACTS, Act};
use super::teller::Told;
use crate::engine::{Ban, Target, Verdict};
use crate::fence::Held;

/// Equal events printed one by one before they are only counted.
const SHOWN: u32 = 4;

/// How the demonstration went.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// Whether bans went into a real kernel.
    pub enforced: bool,
    /// Events judged, by the PBX that told them.
    pub events: BTreeMap<String, u64>,
    /// Bans: address and jail.
    pub banned: BTreeMap<String, String>,
    /// Bans that the kernel confirmed when it was asked.
    pub confirmed: usize,
    /// From writing the deciding event to the PBX's socket until the kernel had confirmed the ban, each in microseconds.
    pub latency_us: Vec<u64>,
    /// Attackers that were not banned, or not in the kernel, or by another jail; addresses banned or blamed that should not
    /// be. Empty when all is well.
    pub wrong: BTreeSet<String>,
}

/// The screen, or the lines of JSON.
pub struct Show<'a> {
    out: &'a mut dyn Write,
    json: bool,
    outcome: Outcome,
    /// Names of the PBXes in the order of the configuration.
    sources: Vec<String>,
    repeated: BTreeMap<String, u32>,
    more_told: bool,
}

impl<'a> Show<'a> {
    /// Nothing shown yet; `enforced` when bans go into a real kernel.
    pub fn new(out: &'a mut dyn Write, json: bool, enforced: bool) -> Self {
        Self {
            out,
            json,
            outcome: Outcome {
                enforced,
                ..Outcome::default()
            },
            sources: Vec::new(),
            repeated: BTreeMap::new(),
            more_told: false,
        }
    }

    /// Says what will be seen, and why it is a dry run if it is one.
    pub fn opening(
        &mut self,
        no_stage: Option<&String>,
        sources: impl Iterator<Item = String>,
    ) -> io::Result<()> {
        self.sources = sources.collect();
        if self.json {
            return Ok(());
        }
        writeln!(
            self.out,
            "ringfence demonstration: recorded attacks on real Asterisk and FreeSWITCH servers, played on loopback over AMI\n\
             and event socket to one daemon."
        )?;
        match no_stage {
            None => writeln!(
                self.out,
                "Bans go into this kernel, in a network namespace that ends with the demonstration."
            )?,
            Some(why) => writeln!(
                self.out,
                "DRY RUN: {why}. Decisions are real, the kernel is left alone."
            )?,
        }
        self.out.flush()
    }

    /// Announces an act.
    pub fn begin(&mut self, act: &Act) -> io::Result<()> {
        self.repeated.clear();
        self.more_told = false;
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "\n== {} — from {}", act.title, act.address)
    }

    /// Shows everything that was told since the last time.
    pub fn listen(&mut self, hear: &Receiver<Told>) -> io::Result<()> {
        while let Ok(told) = hear.try_recv() {
            match told {
                Told::Event(event) => self.event(&event)?,
                Told::Verdict {
                    verdict,
                    took,
                    kernel,
                } => {
                    if let Verdict::Ban(ban) = &*verdict {
                        self.ban(ban, &verdict, took, kernel)?;
                    }
                }
            }
        }
        self.out.flush()
    }

    fn event(&mut self, event: &SecurityEvent) -> io::Result<()> {
        let source = self.source(event.source.0);
        *self.outcome.events.entry(source.clone()).or_default() += 1;
        let peer = event.peer;
        // the daemon's own login at the manager interface is told as well
        if !peer.addr().is_loopback() && !is_an_actor(&Target::Address(peer.addr())) {
            self.outcome
                .wrong
                .insert(format!("{} was blamed, and it never sent anything", peer.addr()));
        }
        if self.json {
            return Ok(());
        }
        let times = self
            .repeated
            .entry(format!("{}{}", event.service.name(), event.cause.name()))
            .or_default();
        *times += 1;
        if *times > SHOWN {
            if !std::mem::replace(&mut self.more_told, true) {
                writeln!(self.out, "           … and more of these")?;
            }
            return Ok(());
        }
        write!(
            self.out,
            "  event    {source:<10} {:<8} {:<15} {}",
            event.service.name(),
            event.cause.name(),
            peer.addr()
        )?;
        if peer.port() != 0 {
            write!(self.out, " port {}", peer.port())?;
        }
        if peer.transport() != Transport::Unknown {
            write!(self.out, " {}", peer.transport())?;
        }
        if !event.account.is_empty() {
            write!(self.out, " account {}", event.account)?;
        }
        writeln!(self.out)
    }

    fn ban(
        &mut self,
        ban: &Ban,
        verdict: &Verdict,
        took: Option<Duration>,
        kernel: Option<Held>,
    ) -> io::Result<()> {
        let micros = took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let target = ban.target.to_string();
        if self.outcome.enforced && kernel.is_none() {
            self.outcome
                .wrong
                .insert(format!("{target} is not in the kernel"));
        }
        self.outcome.latency_us.extend(micros);
        self.outcome.confirmed += usize::from(kernel.is_some());
        self.outcome.banned.insert(target.clone(), ban.jail.clone());
        if self.json {
            let told_by = ban.evidence.events.last().map(|event| self.source(event.source));
            let line = serde_json::json!({
                "verdict": "ban", "target": target, "scope": ban.target.scope(), "jail": ban.jail, "source": told_by,
                "for_s": ban.remaining(ban.since).as_secs(), "attempts": ban.evidence.attempts,
                "proof": ban.evidence.proof, "latency_us": micros, "in_kernel": kernel.is_some(),
            });
            return writeln!(self.out, "{line}");
        }
        writeln!(self.out, "  VERDICT  {verdict}")?;
        if let Some(held) = kernel {
            writeln!(
                self.out,
                "  kernel   holds {} for {} more{}",
                held.target,
                Span::from_secs(held.remaining.as_secs()),
                micros.map_or_else(String::new, |micros| format!(
                    ", {micros} µs after the event was written to the socket"
                ))
            )?;
        }
        Ok(())
    }

    /// Whether a ban has to come yet.
    pub fn misses(&self, act: &Act) -> bool {
        act.banned_by.is_some() && !self.outcome.banned.contains_key(act.address)
    }

    /// Compares what happened in an act with what had to happen.
    pub fn verdict_on(&mut self, act: &Act) -> io::Result<()> {
        let jail = self.outcome.banned.get(act.address).cloned();
        if jail.as_deref() != act.banned_by {
            let wanted = act.banned_by.unwrap_or("nobody");
            let got = jail.as_deref().unwrap_or("nobody");
            self.outcome
                .wrong
                .insert(format!("{}: expected {wanted}, got {got}", act.address));
        }
        if !self.json && act.banned_by.is_none() && jail.is_none() {
            writeln!(self.out, "  rightly nobody is banned")?;
        }
        Ok(())
    }

    /// Sums up.
    pub fn closing(mut self) -> io::Result<Outcome> {
        self.judge();
        if self.json {
            let line = serde_json::to_string(&self.outcome).map_err(io::Error::other)?;
            writeln!(self.out, "{line}")?;
        } else {
            self.summary()?;
        }
        self.out.flush()?;
        Ok(self.outcome)
    }

    fn judge(&mut self) {
        let outcome = &mut self.outcome;
        for target in outcome.banned.keys() {
            if !ACTS
                .iter()
                .filter_map(target_of)
                .any(|actor| actor.to_string() == *target)
            {
                outcome
                    .wrong
                    .insert(format!("{target} was banned, and it never attacked"));
            }
        }
        // an act that was over may have been judged late
        for act in ACTS.iter().filter(|act| act.banned_by.is_none()) {
            if outcome.banned.contains_key(act.address) {
                outcome
                    .wrong
                    .insert(format!("{} was banned, and it never attacked", act.address));
            }
        }
        outcome.latency_us.sort_unstable();
    }

    fn summary(&mut self) -> io::Result<()> {
        let outcome = &self.outcome;
        let told: Vec<String> = outcome
            .events
            .iter()
            .map(|(source, count)| format!("{count} events from {source}"))
            .collect();
        writeln!(self.out, "\n== Summary")?;
        writeln!(
            self.out,
            "  {}, {} addresses banned",
            told.join(", "),
            outcome.banned.len()
        )?;
        if outcome.enforced {
            writeln!(
                self.out,
                "  {} of the bans confirmed by the kernel itself",
                outcome.confirmed
            )?;
        }
        let middle = outcome.latency_us.get(outcome.latency_us.len() / 2);
        if let (Some(median), Some(worst)) = (middle, outcome.latency_us.last()) {
            let what = if outcome.enforced {
                "held by the kernel"
            } else {
                "decided"
            };
            writeln!(
                self.out,
                "  from writing the deciding event to the socket until {what}: median {median} µs, worst {worst} µs"
            )?;
        }
        for wrong in &outcome.wrong {
            writeln!(self.out, "  WRONG: {wrong}")?;
        }
        if outcome.wrong.is_empty() {
            let attackers = ACTS.iter().filter(|act| act.banned_by.is_some()).count();
            writeln!(
                self.out,
                "  {attackers} of {attackers} attackers are banned by the right jail, {} of {} honest callers are not; 8.8.8.8, \
                 named in forged lines, was never blamed",
                ACTS.len() - attackers,
                ACTS.len() - attackers
            )?;
        }
        writeln!(
            self.out,
            "  nothing stays behind: the namespace and the temporary store are gone"
        )
    }

    fn source(&self, id: u16) -> String {
        self.sources.get(usize::from(id)).cloned().unwrap_or_default()
    }
}

fn target_of(act: &Act) -> Option<Target> {
    act.address.parse::<IpAddr>().ok().map(Target::Address)
}

fn is_an_actor(target: &Target) -> bool {
    ACTS.iter().filter_map(target_of).any(|actor| actor == *target)
}
