//! Finds the attempt that an event belongs to: attempts are counted, not events.
//!
//! An event begins a new attempt when its dialogue has none open within 32 s (1 s without a dialogue), when the open
//! one has ended (a wrong password, an answered unknown account, a success), when it is a second challenge, or when it
//! names another account. So one PJSIP try of an unknown user (four events) is one attempt, and ten guesses on one
//! Call-ID are ten.

use ringfence_event::{Cause, Moment};

use super::record::{Record, Shown, Trace};

/// The position of the attempt that the event belongs to; `None` when it begins a new one.
pub(super) fn place(records: &[Record], trace: &Trace, now: Moment) -> Option<usize> {
    let lane = trace.lane;
    let current = newest(records, trace, now, |r| r.shown(Shown::Seen, lane))
        .filter(|(_, r)| !r.shown(Shown::End, lane) && continues(r, trace));
    if !trace.twinned {
        return current.map(|(at, _)| at);
    }
    match trace.cause {
        Cause::Challenged => current.map(|(at, _)| at).or_else(|| {
            let last = newest(records, trace, now, |r| r.shown(Shown::Challenge, lane)).map(|(at, _)| at);
            oldest(records, trace, now, last, |r| {
                r.any(Shown::Challenge) && !r.shown(Shown::Challenge, lane)
            })
        }),
        Cause::Succeeded => {
            let last = newest(records, trace, now, |r| {
                r.succeeded() && r.shown(Shown::End, lane)
            })
            .map(|(at, _)| at);
            oldest(records, trace, now, last, |r| {
                r.succeeded() && !r.shown(Shown::End, lane)
            })
            .or(current.map(|(at, _)| at))
            .or_else(|| newest(records, trace, now, Record::is_open_challenge).map(|(at, _)| at))
        }
        _ => match current {
            Some((at, record)) if record.shown(Shown::Failure, lane) => Some(at),
            _ => {
                let last = newest(records, trace, now, |r| r.shown(Shown::Failure, lane)).map(|(at, _)| at);
                oldest(records, trace, now, last, |r| {
                    r.failed() && !r.shown(Shown::Failure, lane) && r.suits(trace.account)
                })
                .or(current.map(|(at, _)| at))
                .or_else(|| {
                    newest(records, trace, now, |r| {
                        r.is_open_challenge() && !r.failed() && !r.shown(Shown::Seen, lane)
                    })
                    .map(|(at, _)| at)
                })
            }
        },
    }
}

/// Whether the event continues the open attempt of its own source.
fn continues(record: &Record, trace: &Trace) -> bool {
    match trace.cause {
        Cause::Challenged => !record.shown(Shown::Challenge, trace.lane),
        Cause::Succeeded => true,
        // Where some answers are never told, a failure under another name is no answer to this challenge.
        _ => record.suits(trace.account) || !(record.failed() || trace.silent),
    }
}

fn newest<'r>(
    records: &'r [Record],
    trace: &Trace,
    now: Moment,
    wanted: impl Fn(&Record) -> bool,
) -> Option<(usize, &'r Record)> {
    records
        .iter()
        .enumerate()
        .rev()
        .find(|(_, r)| r.dialogue == trace.dialogue && r.folds_at(now) && wanted(r))
}

/// The oldest one behind position `after`.
fn oldest(
    records: &[Record],
    trace: &Trace,
    now: Moment,
    after: Option<usize>,
    wanted: impl Fn(&Record) -> bool,
) -> Option<usize> {
    let start = after.map_or(0, |at| at + 1);
    let rest = records.get(start..).unwrap_or_default();
    rest.iter()
        .position(|r| r.dialogue == trace.dialogue && r.folds_at(now) && wanted(r))
        .map(|at| start + at)
}
