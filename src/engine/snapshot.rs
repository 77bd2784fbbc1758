//! The whole state as data, and what the store gives back at start.

use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_event::{Moment, SourceId};
use serde::{Deserialize, Serialize};

use super::bans::Held;
use super::hash::Key;
use super::known;
use super::orders::canonical;
use super::suspect::{Saved, Suspect};
use super::{Ban, Counters, Engine, LiftReason, Policy, Verdict};

/// Everything an engine knows, without its policy.
///
/// An engine restored from it goes on as if it had never stopped. It holds the key of its hashes: keep it as private as
/// the running process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    now: Moment,
    key: Key,
    jails: Vec<String>,
    #[serde(default)]
    tenants: Vec<String>,
    own: Vec<IpAddr>,
    resolved: Vec<IpNet>,
    twins: Vec<Vec<u16>>,
    suspects: Vec<Saved>,
    bans: Vec<SavedBan>,
    memories: Vec<(IpAddr, u32, Moment)>,
    /// Accounts that have succeeded at an address: their hash and the tick of their last success, oldest first.
    #[serde(default)]
    known: Vec<(u64, u32, u32)>,
    counters: Counters,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedBan {
    ban: Ban,
    raised: bool,
}

impl Engine {
    /// Everything the engine knows.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            now: self.now,
            key: self.key,
            jails: self.policy.jails.iter().map(|jail| jail.name.clone()).collect(),
            tenants: self
                .policy
                .tenants
                .iter()
                .map(|tenant| tenant.name.clone())
                .collect(),
            own: self.policy.own.clone(),
            resolved: self.resolved.clone(),
            twins: self
                .twins
                .iter()
                .map(|twins| twins.iter().map(|source| source.0).collect())
                .collect(),
            suspects: self.table.iter().map(|(_, suspect)| suspect.save()).collect(),
            bans: self
                .bans
                .iter()
                .map(|h| SavedBan {
                    ban: h.ban.clone(),
                    raised: h.raised,
                })
                .collect(),
            memories: self
                .memory
                .iter()
                .map(|(addr, past)| (addr, past.times, past.last))
                .collect(),
            known: self.known.iter().collect(),
            counters: self.counters.clone(),
        }
    }

    /// An engine that goes on where `snapshot` was taken, under `policy`; bans that ended meanwhile, or that the policy
    /// forbids, are lifted. The snapshot's hashes keep the seed they were made with; `seed` keys the rest.
    pub fn restore(
        policy: Policy,
        seed: u64,
        at: Moment,
        snapshot: Snapshot,
        out: &mut Vec<Verdict>,
    ) -> Self {
        let mut engine = Self::new(policy, seed);
        engine.key = snapshot.key;
        engine.now = snapshot.now;
        if engine.policy.own.is_empty() {
            engine.policy.own = snapshot.own;
        }
        engine.resolved = snapshot.resolved;
        let twins = snapshot.twins.into_iter();
        engine.watch_together(
            twins
                .map(|twins| twins.into_iter().map(SourceId).collect())
                .collect(),
        );
        for saved in snapshot.suspects {
            engine.table.insert(Suspect::restored(saved));
        }
        for SavedBan { ban, raised } in snapshot.bans {
            engine.bans.put(Held { ban, raised });
        }
        for (addr, times, last) in snapshot.memories {
            engine.memory.note(addr, times, last, usize::MAX);
        }
        let capacity = known::capacity(engine.policy.limits.max_tracked);
        for entry in snapshot.known {
            engine.known.put(entry, capacity);
        }
        engine.counters = snapshot.counters;
        engine.adopt(&snapshot.jails, &snapshot.tenants);
        engine.protect(out);
        let now = engine.advance(at, out);
        while engine.table.len() > engine.policy.limits.max_tracked.max(1) {
            engine.shed(false, now, out);
        }
        engine
    }

    /// Takes over what the store has kept: bans that were in force, with their ends, and how often addresses were banned
    /// before (`last` is when the last of those bans ended or will end).
    ///
    /// No ban is told again as a verdict, for none is new: carry out [`Engine::bans`]. Those that ended meanwhile, or
    /// that must not be, are lifted. A ban that is in force already keeps the later end.
    pub fn restore_bans(
        &mut self,
        at: Moment,
        bans: impl IntoIterator<Item = Ban>,
        memories: impl IntoIterator<Item = (IpAddr, u32, Moment)>,
        out: &mut Vec<Verdict>,
    ) {
        let now = self.advance(at, out);
        for (addr, times, last) in memories {
            self.memory
                .note(addr.to_canonical(), times, last, self.policy.limits.max_tracked);
        }
        for mut ban in bans {
            ban.target = canonical(ban.target);
            let target = ban.target;
            let reason = if self.is_forbidden(&ban) {
                Some(LiftReason::Ignored)
            } else {
                (ban.until <= now).then_some(LiftReason::Expired)
            };
            if let Some(reason) = reason {
                out.push(Verdict::Lift { target, reason });
            } else if self
                .bans
                .get(&target)
                .is_none_or(|held| held.ban.until < ban.until)
            {
                // The store's number of earlier bans includes this one.
                let (raised, others) = (ban.count > 0, self.bans.len());
                self.bans.put(Held::new(ban, raised, others));
            }
        }
    }
}
