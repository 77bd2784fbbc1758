//! How the demonstration went, and what is said of it at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::acts::ACTS;

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

impl Outcome {
    /// Adds what only shows at the end.
    pub fn judge(&mut self) {
        for target in self.banned.keys() {
            if !is_an_actor(target) {
                self.wrong
                    .insert(format!("{target} was banned, and it never attacked"));
            }
        }
        // an act that was over may have been judged late
        for act in ACTS.iter().filter(|act| act.banned_by.is_none()) {
            if self.banned.contains_key(act.address) {
                self.wrong
                    .insert(format!("{} was banned, and it never attacked", act.address));
            }
        }
        self.latency_us.sort_unstable();
    }

    /// Sums up for a person.
    pub fn summary(&self, out: &mut dyn Write) -> io::Result<()> {
        let told: Vec<String> = self
            .events
            .iter()
            .map(|(source, count)| format!("{count} events from {source}"))
            .collect();
        writeln!(out, "\n== Summary")?;
        writeln!(
            out,
            "  {}, {} addresses banned",
            told.join(", "),
            self.banned.len()
        )?;
        if self.enforced {
            writeln!(
                out,
                "  {} of the bans confirmed by the kernel itself",
                self.confirmed
            )?;
        }
        let middle = self.latency_us.get(self.latency_us.len() / 2);
        if let (Some(median), Some(worst)) = (middle, self.latency_us.last()) {
            let what = if self.enforced {
                "held by the kernel"
            } else {
                "decided"
            };
            writeln!(
                out,
                "  from writing the deciding event to the socket until {what}: median {median} µs, worst {worst} µs"
            )?;
        }
        let (mut attackers, mut caught, mut honest, mut spared) = (0, 0, 0, 0);
        for act in ACTS {
            let right = self.banned.get(act.address).map(String::as_str) == act.banned_by;
            let (all, rightly) = match act.banned_by {
                Some(_) => (&mut attackers, &mut caught),
                None => (&mut honest, &mut spared),
            };
            *all += 1;
            *rightly += u32::from(right);
        }
        writeln!(
            out,
            "  {caught} of {attackers} attackers banned by the right jail, {spared} of {honest} honest callers left alone"
        )?;
        for wrong in &self.wrong {
            writeln!(out, "  WRONG: {wrong}")?;
        }
        if self.wrong.is_empty() {
            writeln!(
                out,
                "  nobody else was banned or even blamed; 8.8.8.8, which forged lines named, never"
            )?;
        }
        writeln!(
            out,
            "  nothing stays behind: the namespace and the temporary store are gone"
        )
    }
}

/// Whether an act is played from this address.
pub fn is_an_actor(address: &str) -> bool {
    ACTS.iter().any(|act| act.address == address)
}
