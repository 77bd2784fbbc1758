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
    /// It said again what the PBX's other source had said.
    pub(super) repeated: bool,
}

impl Effect {
    /// Of an event that no jail counts and that begins an attempt.
    const NOTHING: Self = Self {
        fresh: true,
        newly: 0,
        failed_at: 0,
        repeated: false,
    };
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
            clear_success(suspect.records_mut(), None, event, trace, rules);
            return Effect::NOTHING;
        }
        None => suspect.begin(Record::new(now, event, trace), now, rules),
    };
    if trace.fails() {
        suspect.keep(now, event, trace, place.is_none());
    }
    let records = suspect.records_mut();
    let Some(record) = records.get_mut(index) else {
        return Effect::NOTHING;
    };
    // Its challenge named another account, which this event does not answer.
    let strange = trace.silent && !record.suits(trace.account);
    record.add(event, trace);
    if event.cause == Cause::Challenged && record.any(Shown::End) && !strange {
        // another source has told of its answer already
        record.answer(rules.unanswered);
    }
    // What FreeSWITCH's log told before knew no dialogue and took nothing back.
    let first_hand = trace.silent && trace.fails() && !trace.loose;
    if repeated && !first_hand {
        // Nothing to take back a second time.
    } else if succeeded {
        clear_success(records, Some(index), event, trace, rules);
    } else if trace.ends {
        answer(records, (index, strange), trace, rules);
    }
    let counted = |records: &[Record]| records.get(index).map_or(0, |r| r.counted & !rules.unanswered);
    let before = counted(records);
    let newly = count(records, index, event, trace, rules, now);
    let begins = before == 0 && newly & !rules.unanswered != 0;
    let failed_at = records
        .get(index)
        .filter(|_| begins)
        .map_or(0, |record| record.tenant);
    if newly & rules.unanswered != 0
        && trace.known
        && let Some(record) = records.get_mut(index)
    {
        record.recognise();
    }
    if trace.ends {
        suspect.settle(index, now, rules);
    }
    Effect {
        fresh: place.is_none(),
        newly,
        failed_at,
        repeated,
    }
}

/// A success takes back the challenge it answers and its account's open ones that count in full, and forgives that account's
/// failed attempts. Nothing else: whoever owns one account, or forges its success, clears nothing of what was tried on others.
fn clear_success(
    records: &mut [Record],
    own: Option<usize>,
    event: &SecurityEvent,
    trace: &Trace,
    rules: &Rules,
) {
    let forgiving = rules.forgiving(event.service);
    for (at, record) in records.iter_mut().enumerate() {
        let same_account = trace.account != 0 && record.account == trace.account;
        if same_account {
            record.live &= !forgiving;
        }
        if !record.is_open_challenge() {
            continue;
        }
        let its_own = trace.relieves && own == Some(at);
        let earlier = !record.is_known() && (same_account || is_beside(record, trace));
        // Without its permission even its own challenge stays: a good login must not pay for a guess each time.
        if its_own || (earlier && (same_account || own != Some(at))) {
            record.answer(rules.unanswered);
        }
    }
}

/// An answer that is wrong takes back the challenge it answers and its dialogue's that count in full. Where the PBX keeps silent
/// about some answers, only what names its account and counts in full: the others may be guesses.
fn answer(records: &mut [Record], (own, strange): (usize, bool), trace: &Trace, rules: &Rules) {
    for (at, record) in records.iter_mut().enumerate() {
        let its_own = at == own && !strange && !(trace.silent && record.is_known());
        let beside = at != own && !record.is_known() && is_beside(record, trace);
        if record.is_open_challenge() && (its_own || beside) {
            record.answer(rules.unanswered);
        }
    }
}

/// Whether an answer in the same dialogue says that this challenge, too, was none that nobody answers.
fn is_beside(record: &Record, trace: &Trace) -> bool {
    record.dialogue == trace.dialogue && (!trace.silent || record.suits(trace.account))
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
