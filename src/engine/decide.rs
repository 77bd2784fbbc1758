//! From a count to a verdict: thresholds, escalation, and what is never banned.

use ringfence_event::{Moment, SecurityEvent, Span};

use super::bans::Held;
use super::record::Trace;
use super::rules::bits;
use super::shares::{Tally, WHOLE};
use super::{Ban, Engine, Evidence, IgnoreReason, Jail, Target, Verdict};
use super::{shields, suspect};

/// A ban in force is extended only by at least this part of the new ban's length: further failures of a banned address
/// (packets in flight, a dry run) make no storm of verdicts.
const EXTEND_PART: u64 = 10;

/// A threshold that was reached.
struct Reached<'a> {
    jail: u32,
    tally: Tally,
    /// The tenants that trust the address.
    shields: &'a [u16],
}

impl Engine {
    /// Looks at the jails that have just counted something of one address.
    pub(super) fn judge(
        &mut self,
        slot: u32,
        newly: u32,
        cause: (&SecurityEvent, &Trace),
        now: Moment,
        out: &mut Vec<Verdict>,
    ) {
        let (event, trace) = cause;
        let shields = self
            .shields
            .around(&Target::Address(event.peer.addr().to_canonical()));
        for jail in bits(newly) {
            if let Some(counters) = self.counters.jails.get_mut(jail as usize) {
                counters.counted += 1;
            }
            let Some(suspect) = self.table.at(slot) else {
                continue;
            };
            let tally = self.rules.tally(jail, suspect.records(), now, &shields);
            // Of challenges only the last few before a threshold are evidence: every phone has some.
            if !trace.fails() {
                let each = self.rules.shares.weight(jail, trace.home, Span::ZERO, false);
                if tally.weight + u64::from(suspect::KEPT - 1) * each >= WHOLE {
                    self.table
                        .change(slot, |suspect| suspect.keep(now, event, trace, true));
                }
            }
            if tally.weight >= WHOLE {
                let reached = Reached {
                    jail,
                    tally,
                    shields: &shields,
                };
                self.condemn(slot, &reached, now, out);
            }
            if !shields.is_empty() {
                let rules = &self.rules;
                self.table.change(slot, |suspect| {
                    shields::thin_out(rules, jail, suspect, now, &shields);
                });
            }
        }
    }

    fn condemn(&mut self, slot: u32, reached: &Reached<'_>, now: Moment, out: &mut Vec<Verdict>) {
        let Some(suspect) = self.table.at(slot) else {
            return;
        };
        let (jail, shields) = (reached.jail, reached.shields);
        let addr = suspect.addr.into();
        let target = Target::Address(addr);
        let rules = &self.rules;
        let absolute = self.absolute.reason(&target);
        let holding = shields::holding(rules, jail, suspect, now, shields);
        if absolute.is_none() && !holding.is_empty() {
            let tenants = self.labels(holding);
            self.refuse(slot, jail, (IgnoreReason::Tenant, tenants), now, out);
            return;
        }
        let events = suspect.evidence(&self.policy.tenants);
        let parts = rules.parts(jail, suspect.records(), now, shields);
        self.table.change(slot, |suspect| suspect.spend(jail, now, rules));
        if let Some(reason) = absolute {
            self.refuse(slot, jail, (reason, Vec::new()), now, out);
            return;
        }
        let Some((first, rule)) = parts
            .first()
            .and_then(|first| Some((first, self.rules.values_of(jail, first)?)))
        else {
            return;
        };
        let present = self.bans.get(&target);
        let earlier = self.memory.times(addr, now, self.policy.limits.memory);
        // At least half of what was counted must have a proven address: forged packets alone never lengthen a ban.
        let grows = rule.escalation.is_some() && 2 * reached.tally.proven >= reached.tally.count;
        let raised = present.is_some_and(|held| held.raised);
        let times = if grows && !raised {
            earlier.saturating_add(1)
        } else {
            earlier
        };
        let term = if grows { term(&rule, times) } else { rule.bantime };
        let until = now + term;
        let covered = self.bans.prefixes_around(addr).map(|held| held.ban.until).max();
        let present_until = present.map(|held| held.ban.until).max(covered);
        if present_until.is_some_and(|end| gain(end, until) < term.as_millis() / EXTEND_PART || end >= until)
        {
            return;
        }
        let ban = Ban {
            target,
            since: present.map_or(now, |held| held.ban.since),
            until,
            jail: rule.name.clone(),
            count: times,
            evidence: Evidence {
                attempts: reached.tally.count,
                proof: reached.tally.weakest,
                tenants: self.labels(shields::attacked(&parts, shields)),
                events,
            },
        };
        if grows {
            self.memory
                .note(addr, times, until, self.policy.limits.max_tracked);
        }
        if let Some(counters) = self.counters.jails.get_mut(jail as usize) {
            counters.bans += 1;
        }
        if let Some(counters) = self.counters.of_tenant(first.tenant) {
            counters.bans += 1;
        }
        out.push(if present.is_some() {
            Verdict::Extend(ban.clone())
        } else {
            Verdict::Ban(ban.clone())
        });
        self.bans.put(Held::new(ban, raised || grows, self.bans.len()));
    }

    /// Tells that an address reached a threshold and is not banned: once in the jail's findtime.
    fn refuse(
        &mut self,
        slot: u32,
        jail: u32,
        why: (IgnoreReason, Vec<String>),
        now: Moment,
        out: &mut Vec<Verdict>,
    ) {
        let Some(rule) = self.rules.jail(jail) else { return };
        let (reason, tenants) = why;
        let suspect = self.table.at(slot).map(|suspect| suspect.addr.into());
        if self.table.change(slot, |s| s.may_report(now, rule.findtime)) == Some(true)
            && let Some(addr) = suspect
        {
            out.push(Verdict::Ignore {
                target: Target::Address(addr),
                reason,
                jail: rule.name.clone(),
                tenants,
            });
        }
    }
}

/// How much later the new end is, in milliseconds.
fn gain(present: Moment, until: Moment) -> u64 {
    until.since(present).as_millis()
}

/// How long the `times`-th ban lasts.
fn term(rule: &Jail, times: u32) -> Span {
    let Some(escalation) = rule.escalation else {
        return rule.bantime;
    };
    let mut term = rule.bantime;
    for _ in 1..times.min(64) {
        term = term.times(u64::from(escalation.factor.max(1)));
        if term >= escalation.maximum {
            break;
        }
    }
    term.min(escalation.maximum.max(rule.bantime))
}
