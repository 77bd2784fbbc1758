//! Decides who is attacking. Pure: no I/O, no clock, no randomness of its own.
//!
//! Whoever drives it passes the time with every call and carries out the verdicts it hands back. The same calls give the
//! same verdicts, always; extra calls change nothing. `docs/engine.md` has the rules in plain words.
//!
//! - [`Engine::observe`] takes one event and decides at once: the ban is in force before the attacker's next packet.
//! - [`Engine::expire`] ends what is over. Call it when [`Engine::deadline`] has come; calling it more often, or late,
//!   changes no decision.
//! - [`Engine::command`] and [`Engine::reconfigure`] carry out what the admin wants.

mod absolute;
mod attempt;
mod bans;
mod command;
mod decide;
mod evidence;
mod filed;
mod fold;
mod hash;
mod homes;
mod index;
mod known;
mod memory;
mod orders;
mod pattern;
mod policy;
mod record;
mod report;
mod rules;
mod shares;
mod shields;
mod snapshot;
mod suspect;
mod table;
mod tenants;
mod verdict;
mod words;

use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_event::{Cause, Moment, SecurityEvent, Service, SourceId, Span};

pub use command::{Command, Dossier, JailCount, JailTotals, Reply, TenantCount, TenantTotals, Totals};
pub use pattern::Pattern;
pub use policy::{Count, Escalation, Jail, JailId, Limits, Policy};
pub use snapshot::Snapshot;
pub use tenants::{MOST_TENANTS, Names, Tenant};
pub use verdict::{Alert, Ban, Evidence, EvidenceEvent, IgnoreReason, LiftReason, Target, Verdict};

use absolute::Absolute;
use bans::Bans;
use hash::Key;
use known::Known;
use memory::Memory;
use record::Trace;
use rules::Rules;
use shields::Shields;
use suspect::{AddrKey, Suspect};
use table::Table;

/// Addresses forgotten in one call of [`Engine::expire`], so that it never holds up events for long.
const FORGET_BATCH: usize = 4096;
/// `TableFull` is told at most this often.
const FULL_ALERT: Span = Span::from_secs(60);
/// Bytes that table and attempts together may take for each address the table may hold; addresses with several attempts
/// are let go beyond it, but never while they hold less than the floor.
const BYTES_EACH: usize = 112;
const OUTSIDE_FLOOR: usize = 8 << 20;

/// Turns security events into verdicts.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    rules: Rules,
    absolute: Absolute,
    shields: Shields,
    resolved: Vec<IpNet>,
    twins: Vec<Vec<SourceId>>,
    /// By source: which one stands for its PBX, and which of that one's lanes it is.
    lanes: Vec<Option<(SourceId, u8)>>,
    key: Key,
    table: Table,
    bans: Bans,
    memory: Memory,
    known: Known,
    now: Moment,
    counters: Counters,
}

/// What is counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Counters {
    events: u64,
    attempts: u64,
    forgotten: u64,
    /// Forgotten since the last alert.
    untold: u64,
    next_alert: Moment,
    /// By jail, in the policy's order.
    jails: Vec<JailCounters>,
    /// By tenant, likewise: failed attempts counted, and bans that it decided.
    #[serde(default)]
    tenants: Vec<JailCounters>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct JailCounters {
    counted: u64,
    bans: u64,
}

impl Counters {
    fn of_tenant(&mut self, tenant: u16) -> Option<&mut JailCounters> {
        self.tenants.get_mut(usize::from(tenant).checked_sub(1)?)
    }
}

impl Engine {
    /// An engine that has seen nothing yet.
    ///
    /// `seed` keys the hashes of addresses, accounts and dialogues, so that nobody can choose ones that collide: pass a
    /// random number. No verdict depends on it.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let key = Key::new(seed);
        Self {
            rules: Rules::new(&policy),
            absolute: Absolute::new(policy.ignore.iter(), &policy.own),
            shields: Shields::new(&policy.tenants),
            resolved: Vec::new(),
            twins: Vec::new(),
            lanes: Vec::new(),
            key,
            table: Table::new(key),
            bans: Bans::default(),
            memory: Memory::default(),
            known: Known::new(),
            now: Moment::EPOCH,
            counters: Counters {
                jails: vec![JailCounters::default(); policy.jails.len()],
                tenants: vec![JailCounters::default(); policy.tenants.len()],
                ..Counters::default()
            },
            policy,
        }
    }

    /// Tells which sources watch the same PBX (its manager interface and its log), up to four each: an attempt that several
    /// tell of counts once; what goes beyond four is left out. Sources not named here are independent, so that one Call-ID used at two
    /// PBXes is two attempts.
    pub fn watch_together(&mut self, mut twins: Vec<Vec<SourceId>>) {
        for sources in &mut twins {
            sources.truncate(record::LANES);
        }
        twins.retain(|sources| sources.len() > 1);
        self.lanes.clear();
        for sources in &twins {
            for (source, lane) in sources.iter().zip(0_u8..) {
                let at = usize::from(source.0);
                if self.lanes.len() <= at {
                    self.lanes.resize(at + 1, None);
                }
                if let (Some(own), Some(first)) = (self.lanes.get_mut(at), sources.first()) {
                    *own = Some((*first, lane));
                }
            }
        }
        self.twins = twins;
    }

    /// Takes one event and decides at once.
    ///
    /// `at` is now; a moment earlier than that of the previous call counts as that moment.
    pub fn observe(&mut self, at: Moment, event: &SecurityEvent, out: &mut Vec<Verdict>) {
        self.observe_late(at, self.now.max(at), event, out);
    }

    /// Takes one event that is told of late, at `at`: it `happened` before, as a line that was written while nobody read the
    /// log. It counts in the windows it belongs to, and decides now.
    pub fn observe_late(
        &mut self,
        at: Moment,
        happened: Moment,
        event: &SecurityEvent,
        out: &mut Vec<Verdict>,
    ) {
        let now = self.advance(at, out);
        let happened = happened.min(now);
        self.counters.events += 1;
        let succeeded = event.cause == Cause::Succeeded;
        if !succeeded && self.rules.wanted(event.service, event.cause) == 0 {
            return;
        }
        let addr = AddrKey::from(event.peer.addr());
        let slot = self.tracked(addr, now, !succeeded, out);
        let mut trace = self.trace(event);
        let known = self.known_as(addr, event, &trace);
        let Some(slot) = slot else {
            self.counters.attempts += 1;
            self.learn(known, now);
            return;
        };
        if let Some(key) = known {
            trace.known = !succeeded && self.known.holds(key, now);
            trace.relieves = succeeded && !(trace.silent && self.known.is_relieved(key, now));
        }
        let rules = &self.rules;
        let Some(effect) = self
            .table
            .change(slot, |s| attempt::absorb(s, event, &trace, rules, happened))
        else {
            return;
        };
        self.counters.attempts += u64::from(effect.fresh);
        if succeeded && !effect.repeated {
            self.learn(known, now);
        }
        if let Some(counters) = self.counters.of_tenant(effect.failed_at) {
            counters.counted += 1;
        }
        if effect.newly != 0 {
            self.judge(slot, effect.newly, (event, &trace), now, out);
        }
        if self.table.outside() > self.outside_limit() {
            self.shed(true, now, out);
        }
    }

    /// Ends bans whose time is over and forgets addresses that were not seen for a while.
    ///
    /// Does a bounded amount of work: when [`Engine::deadline`] is still past afterwards, call it again after the events
    /// that wait.
    pub fn expire(&mut self, at: Moment, out: &mut Vec<Verdict>) {
        let now = self.advance(at, out);
        for _ in 0..FORGET_BATCH {
            let Some(slot) = self.table.stale(now, self.rules.horizon) else {
                break;
            };
            self.table.remove(slot);
        }
        self.memory.forget_old(now, self.policy.limits.memory);
        self.known.forget_old(now, FORGET_BATCH);
    }

    /// When [`Engine::expire`] should be called next; `None` while there is nothing to end or forget.
    pub fn deadline(&self) -> Option<Moment> {
        let ends = [
            self.bans.next_end(),
            self.table.next_stale(self.rules.horizon),
            self.memory.next_end(self.policy.limits.memory),
            self.known.next_end(),
        ];
        ends.into_iter().flatten().min()
    }

    /// Moves the clock, never backwards, and lifts the bans whose time is over.
    fn advance(&mut self, at: Moment, out: &mut Vec<Verdict>) -> Moment {
        self.now = self.now.max(at);
        while let Some(held) = self.bans.pop_ended(self.now) {
            out.push(Verdict::Lift {
                target: held.ban.target,
                reason: LiftReason::Expired,
            });
        }
        self.now
    }

    /// Where the event's address is tracked; begins to track it if `begin`.
    fn tracked(&mut self, addr: AddrKey, now: Moment, begin: bool, out: &mut Vec<Verdict>) -> Option<u32> {
        if let Some(slot) = self.table.find(addr) {
            if !self
                .table
                .at(slot)
                .is_some_and(|s| table::is_stale(s, now, self.rules.horizon))
            {
                self.table.touch(slot, now);
                return Some(slot);
            }
            self.table.remove(slot);
        }
        if !begin {
            return None;
        }
        while self.table.len() >= self.policy.limits.max_tracked.max(1) {
            self.shed(false, now, out);
        }
        Some(self.table.insert(Suspect::new(addr, now)))
    }

    /// Lets one address go: a stale one if there is one, else the least suspicious.
    fn shed(&mut self, only_large: bool, now: Moment, out: &mut Vec<Verdict>) {
        if let Some(slot) = self.table.stale(now, self.rules.horizon) {
            self.table.remove(slot);
            return;
        }
        let rules = &self.rules;
        let Some(slot) = self
            .table
            .least(only_large, |s| rules.suspicion(s.records(), now))
        else {
            return;
        };
        self.table.remove(slot);
        self.counters.forgotten += 1;
        self.counters.untold += 1;
        if now >= self.counters.next_alert {
            out.push(Verdict::Alert(Alert::TableFull {
                forgotten: std::mem::take(&mut self.counters.untold),
            }));
            self.counters.next_alert = now + FULL_ALERT;
        }
    }

    fn outside_limit(&self) -> usize {
        let all = self.policy.limits.max_tracked.saturating_mul(BYTES_EACH);
        all.saturating_sub(self.table.bytes()).max(OUTSIDE_FLOOR)
    }

    /// What binds an event to its attempt, hashed.
    fn trace(&self, event: &SecurityEvent) -> Trace {
        let (pbx, lane, twinned) = self.lane(event.source);
        let account = if event.account.is_empty() {
            0
        } else {
            let tenant = if event.tenant.is_empty() {
                1
            } else {
                self.key.hash(2, event.tenant.as_bytes())
            };
            short(self.key.hash(tenant, event.account.as_bytes()))
        };
        let loose = event.dialogue.is_empty();
        let home = self.rules.homes.of(event);
        let head = u64::from(pbx.0) << 16 | (event.service as u64) << 8;
        let dialogue = if loose {
            let port = u64::from(event.peer.port());
            self.key.hash(port << 48 | head | 4, &account.to_le_bytes())
        } else {
            self.key.hash(head | 3, event.dialogue.as_bytes())
        };
        Trace {
            dialogue: short(dialogue),
            account,
            lane,
            twinned,
            loose,
            service: event.service,
            port: event.peer.port(),
            stamp: record::stamp(event.at),
            ends: match event.cause {
                Cause::Succeeded | Cause::WrongPassword => true,
                // PJSIP's failed answer to the challenge of an account that does not exist.
                Cause::UnknownAccount => event.account.is_empty(),
                _ => false,
            },
            cause: event.cause,
            known: false,
            relieves: event.cause == Cause::Succeeded,
            silent: event.service == Service::Sofia,
            says_whose: home.tenant != 0 || (self.rules.homes.are_any() && names_place(event)),
            home,
        }
    }

    /// Which source stands for the PBX that `source` watches, which of its lanes it is, and whether it has others.
    fn lane(&self, source: SourceId) -> (SourceId, u8, bool) {
        match self.lanes.get(usize::from(source.0)) {
            Some(Some((pbx, lane))) => (*pbx, *lane, true),
            _ => (source, 0, false),
        }
    }

    /// Under which hash the event's account is known at its address, where that matters: for challenges and successes.
    ///
    /// By its name alone: realm and domain of a login and of the challenges around it may differ honestly, and another
    /// tenant's account of the same name gains nothing but what its neighbour behind the same address has anyway.
    fn known_as(&self, addr: AddrKey, event: &SecurityEvent, trace: &Trace) -> Option<u64> {
        if trace.account == 0 || trace.fails() || self.rules.unanswered == 0 {
            return None;
        }
        let account = if event.tenant.is_empty() {
            trace.account
        } else {
            short(self.key.hash(1, event.account.as_bytes()))
        };
        // Both are keyed, so that their sum can't be steered either.
        let spread = u64::from(account).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some(self.key.hash_words(addr.0) ^ spread)
    }

    /// Notes a success of an account at its address.
    fn learn(&mut self, known: Option<u64>, now: Moment) {
        if let Some(key) = known {
            let capacity = known::capacity(self.policy.limits.max_tracked);
            self.known.note(key, now, capacity);
        }
    }

    /// The ban of exactly this address, if one is in force.
    pub fn ban_of(&self, addr: IpAddr) -> Option<&Ban> {
        self.bans
            .get(&Target::Address(addr.to_canonical()))
            .map(|held| &held.ban)
    }

    /// Whether this ban must not be in force, as things stand now.
    pub fn is_forbidden(&self, ban: &Ban) -> bool {
        self.absolute.reason(&ban.target).is_some()
            || self.is_shielded_from(&ban.target, &ban.evidence.tenants)
    }

    /// Every ban in force, ordered by target.
    pub fn bans(&self) -> impl ExactSizeIterator<Item = &Ban> {
        self.bans.iter().map(|held| &held.ban)
    }
}

/// Whether an event names an account, a realm or a domain; the profile's name may stand for a realm that is not there.
fn names_place(event: &SecurityEvent) -> bool {
    !event.account.is_empty() || !event.domain.is_empty() || event.tenant != event.profile
}

/// The high half of a hash, never 0 (which means "none").
fn short(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default().max(1)
}
