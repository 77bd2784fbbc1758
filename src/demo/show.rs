//! Shows what happens, and compares it with what had to happen.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use ringfence_event::{SecurityEvent, Service, Span, Transport};

use super::acts::Act;
use super::outcome::{Outcome, is_an_actor};
use super::teller::Told;
use crate::engine::{Ban, Verdict};
use crate::fence::Held;

/// Equal events printed one by one before they are only counted.
const SHOWN: u32 = 4;

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
        let our_own = event.service == Service::Ami && peer.addr().is_loopback();
        if !our_own && !is_an_actor(&peer.addr().to_string()) {
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
        self.outcome.judge();
        if self.json {
            let line = serde_json::to_string(&self.outcome).map_err(io::Error::other)?;
            writeln!(self.out, "{line}")?;
        } else {
            self.outcome.summary(self.out)?;
        }
        self.out.flush()?;
        Ok(self.outcome)
    }

    fn source(&self, id: u16) -> String {
        self.sources.get(usize::from(id)).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc::channel;

    use ringfence_event::{Cause, Peer, Proof, SourceId, Text};

    use super::super::acts::ACTS;
    use super::*;

    /// What is wrong when nothing but an event that blames `addr` was told.
    fn wrong_after(addr: &str) -> BTreeSet<String> {
        let (told, hear) = channel();
        told.send(Told::Event(Box::new(SecurityEvent {
            at: None,
            source: SourceId(0),
            service: Service::Sofia,
            cause: Cause::WrongPassword,
            peer: Peer::new(addr.parse().unwrap(), 5060, Transport::Unknown),
            account: Text::EMPTY,
            tenant: Text::EMPTY,
            domain: Text::EMPTY,
            profile: Text::EMPTY,
            dialogue: Text::EMPTY,
            proof: Proof::None,
            detail: Text::EMPTY,
        })))
        .unwrap();
        let mut out = Vec::new();
        let mut show = Show::new(&mut out, true, false);
        show.listen(&hear).unwrap();
        show.closing().unwrap().wrong
    }

    #[test]
    fn whoever_is_blamed_without_being_in_an_act_is_told() {
        assert_eq!(wrong_after("198.51.100.115"), BTreeSet::new());
        for addr in ["8.8.8.8", "127.0.0.1"] {
            let wrong = wrong_after(addr);
            assert!(wrong.iter().all(|line| line.contains(addr)), "{wrong:?}");
            assert_eq!(wrong.len(), 1);
        }
    }

    #[test]
    fn an_attacker_that_stays_free_is_told() {
        let mut out = Vec::new();
        let mut show = Show::new(&mut out, true, false);
        for act in ACTS {
            assert_eq!(show.misses(act), act.banned_by.is_some());
            show.verdict_on(act).unwrap();
        }
        let attackers = ACTS.iter().filter(|act| act.banned_by.is_some()).count();
        assert_eq!(show.closing().unwrap().wrong.len(), attackers);
    }
}
