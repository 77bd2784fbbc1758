//! From a count to a verdict: thresholds, escalation, and what is never banned.

use std::sync::Arc;

use ringfence_event::{Moment, SecurityEvent, Span};

use super::bans::Held;
use super::record::Trace;
use super::rules::{self, Tally, bits};
use super::suspect;
use super::{Ban, Engine, Evidence, Jail, Target, Verdict};

/// A ban in force is extended only by at least this part of the new ban's length: further failures of a banned address
/// (packets in flight, a dry run) make no storm of verdicts.
const EXTEND_PART: u64 = 10;

/// A threshold that was reached.
struct Reached {
    jail: u32,
    tally: Tally,
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
        for jail in bits(newly) {
            if let Some(counters) = self.counters.jails.get_mut(jail as usize) {
                counters.counted += 1;
            }
            let (Some(suspect), Some(rule)) = (self.table.at(slot), self.rules.jail(jail)) else {
                continue;
            };
            let tally = self.rules.tally(jail, suspect.records(), now);
            let maxretry = rules::maxretry(rule);
            let reached = tally.count >= maxretry;
            let (event, trace) = cause;
            // Of challenges only the last few before a threshold are evidence: every phone has some.
            if !trace.fails() && tally.count + suspect::KEPT > maxretry {
                self.table
                    .change(slot, |suspect| suspect.keep(now, event, trace, true));
            }
            if reached {
                let rule = Arc::clone(rule);
                self.condemn(slot, &rule, &Reached { jail, tally }, now, out);
            }
        }
    }

    fn condemn(&mut self, slot: u32, rule: &Jail, reached: &Reached, now: Moment, out: &mut Vec<Verdict>) {
        let Some(suspect) = self.table.at(slot) else {
            return;
        };
        let addr = suspect.addr.into();
        let target = Target::Address(addr);
        let events = suspect.evidence();
        let rules = &self.rules;
        self.table
            .change(slot, |suspect| suspect.spend(reached.jail, now, rules));
        if let Some(reason) = self.absolute.reason(&target) {
            if self.table.change(slot, |s| s.may_report(now, rule.findtime)) == Some(true) {
                let jail = rule.name.clone();
                out.push(Verdict::Ignore { target, reason, jail });
            }
            return;
        }
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
        let term = if grows { term(rule, times) } else { rule.bantime };
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
                events,
            },
        };
        if grows {
            self.memory
                .note(addr, times, until, self.policy.limits.max_tracked);
        }
        if let Some(counters) = self.counters.jails.get_mut(reached.jail as usize) {
            counters.bans += 1;
        }
        out.push(if present.is_some() {
            Verdict::Extend(ban.clone())
        } else {
            Verdict::Ban(ban.clone())
        });
        self.bans.put(Held::new(ban, raised || grows, self.bans.len()));
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
