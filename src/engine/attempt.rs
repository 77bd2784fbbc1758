//! What one event changes in what is known of its address: folding, counting, answering, forgiving.

use ringfence_event::{Cause, Moment, SecurityEvent};

use super::fold;
use super::record::{Record, Shown, Trace};
use super::rules::{Rules, bits};
use super::suspect::Suspect;

/// What an event did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effect {
    /// It began a new attempt.
    pub(super) fresh: bool,
    /// The jails that began to count its attempt.
    pub(super) newly: u32,
    /// Whose attempt it is when a jail begins to count its failure; else nobody's.
    pub(super) failed_at: u16,
}

/// Adds an event to what is known of its address.
pub(super) fn absorb(
    suspect: &mut Suspect,
    event: &SecurityEvent,
    trace: &Trace,
    rules: &Rules,
    now: Moment,
) -> Effect {
    let place = fold::place(suspect.records(), trace, now);
    let succeeded = event.cause == Cause::Succeeded;
    // Seen before through the PBX's other source: an attempt ends once, whatever was tried in the dialogue since.
    let known = place.and_then(|at| suspect.records().get(at));
    let repeated = known.is_some_and(|record| {
        if succeeded {
            record.succeeded()
        } else {
            record.any(Shown::End)
        }
    });
    let index = match place {
        Some(index) => index,
        // A success is remembered only where a second source may tell of it again, or a jail counts it.
        None if succeeded && !trace.twinned && rules.wanted(event.service, event.cause) == 0 => {
            clear_success(suspect.records_mut(), event, trace, rules);
            return Effect {
                fresh: true,
                newly: 0,
                failed_at: 0,
            };
        }
        None => suspect.begin(Record::new(now, event, trace), now, rules),
    };
    if trace.fails() {
        suspect.keep(now, event, trace, place.is_none());
    }
    let records = suspect.records_mut();
    let Some(record) = records.get_mut(index) else {
        return Effect {
            fresh: true,
            newly: 0,
            failed_at: 0,
        };
    };
    record.add(event, trace);
    if repeated {
        // Nothing to take back a second time.
    } else if succeeded {
        clear_success(records, event, trace, rules);
    } else if trace.ends {
        answer(records, trace, rules);
    }
    let counted = |records: &[Record]| records.get(index).map_or(0, |r| r.counted & !rules.unanswered);
    let before = counted(records);
    let newly = count(records, index, event, trace, rules, now);
    let begins = before == 0 && newly & !rules.unanswered != 0;
    let failed_at = records
        .get(index)
        .filter(|_| begins)
        .map_or(0, |record| record.tenant);
    if trace.ends {
        suspect.settle(index, now, rules);
    }
    Effect {
        fresh: place.is_none(),
        newly,
        failed_at,
    }
}

/// A success takes back its dialogue's and its account's open challenges, and forgives that account's failed attempts.
/// Nothing else: whoever owns one account, or forges its success, clears nothing of what was tried on others.
fn clear_success(records: &mut [Record], event: &SecurityEvent, trace: &Trace, rules: &Rules) {
    let forgiving = rules.forgiving(event.service);
    for record in records {
        let same_account = trace.account != 0 && record.account == trace.account;
        if same_account {
            record.live &= !forgiving;
        }
        if (same_account || record.dialogue == trace.dialogue) && record.is_open_challenge() {
            record.answer(rules.unanswered);
        }
    }
}

/// An answer, right or wrong, takes back its dialogue's open challenges.
fn answer(records: &mut [Record], trace: &Trace, rules: &Rules) {
    for record in records
        .iter_mut()
        .filter(|r| r.dialogue == trace.dialogue && r.is_open_challenge())
    {
        record.answer(rules.unanswered);
    }
}

/// Lets the jails that want it count the attempt; which those are.
fn count(
    records: &mut [Record],
    index: usize,
    event: &SecurityEvent,
    trace: &Trace,
    rules: &Rules,
    now: Moment,
) -> u32 {
    let Some(record) = records.get_mut(index) else {
        return 0;
    };
    let newly = rules.newly(record, event, trace);
    if newly == 0 {
        return 0;
    }
    record.counted |= newly;
    record.live |= newly;
    record.at = now;
    let account = record.account;
    for jail in bits(newly).filter(|jail| rules.by_account(*jail)) {
        // One account counts once, by its latest attempt.
        let others = records
            .iter_mut()
            .enumerate()
            .filter(|(at, other)| *at != index && other.account == account);
        for (_, other) in others {
            other.live &= !(1 << jail);
        }
    }
    newly
}
