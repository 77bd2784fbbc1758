//! Finds the attempt that an event belongs to: attempts are counted, not events.
//!
//! An event begins a new attempt when its dialogue has none open within 32 s (1 s without a dialogue), when the open
//! one has ended (a wrong password, an answered unknown account, a success), when it is a second challenge, or when it
//! names another account. So one PJSIP try of an unknown user (four events) is one attempt, and ten guesses on one
//! Call-ID are ten.
//!
//! Where several sources watch one PBX, an event joins the oldest attempt that another source has told of and its own
//! has not. A line that knows no dialogue finds it by service, account and port; one of FreeSWITCH by its order, since there names
//! differ.

use ringfence_event::{Cause, Moment};

use super::record::{Record, Shown, Trace};

/// The position of the attempt that the event belongs to; `None` when it begins a new one.
pub(super) fn place(records: &[Record], trace: &Trace, now: Moment) -> Option<usize> {
    let lane = trace.lane;
    let current = newest(records, |r| {
        let own = r.is_kin_of(trace) && r.folds_at(now, trace.loose);
        (own || (r.explains(trace) && r.folds_at(now, false))) && r.shown(Shown::Seen, lane)
    })
    .filter(|(_, r)| !r.shown(Shown::End, lane) && continues(r, trace))
    .map(|(at, _)| at);
    if !trace.twinned {
        return current;
    }
    let kin = |r: &Record| r.is_kin_of(trace) && r.folds_at(now, false);
    match trace.cause {
        Cause::Challenged => current
            .or_else(|| {
                let mine = |r: &Record| kin(r) && r.shown(Shown::Challenge, lane);
                first_behind(records, mine, |r| kin(r) && r.any(Shown::Challenge))
            })
            // a source that tells of no challenges may have told of the answer already; one that knows no dialogue does not say
            // of which, and FreeSWITCH's answer finds its challenge itself
            .or_else(|| {
                if trace.silent {
                    return None;
                }
                let mine = |r: &Record| kin(r) && r.shown(Shown::Seen, lane);
                first_behind(records, mine, |r| {
                    kin(r) && r.failed() && !r.any(Shown::Challenge)
                })
            }),
        Cause::Succeeded => {
            let mine = |r: &Record| kin(r) && r.succeeded() && r.shown(Shown::End, lane);
            first_behind(records, mine, |r| kin(r) && r.succeeded())
                .or(current)
                .or_else(|| newest(records, |r| kin(r) && r.is_open_challenge()).map(|(at, _)| at))
        }
        _ => {
            let goes_on = current.and_then(|at| records.get(at));
            if goes_on.is_some_and(|r| r.shown(Shown::Failure, lane)) {
                return current;
            }
            let mine = |r: &Record| kin(r) && r.shown(Shown::Failure, lane);
            let untold = |wanted: &dyn Fn(&Record) -> bool| {
                let untold = |r: &Record| !r.shown(Shown::Failure, lane) && r.folds_at(now, false);
                records.iter().position(|r| wanted(r) && untold(r))
            };
            untold(&|r| r.is_twin_of(trace))
                .or_else(|| first_behind(records, mine, |r| kin(r) && r.failed() && r.suits(trace.account)))
                .or_else(|| untold(&|r| r.is_refusal_of(trace)))
                .or(current)
                .or_else(|| {
                    if trace.silent {
                        // which of several it answers only the socket knows
                        return None;
                    }
                    let open =
                        |r: &Record| r.is_open_challenge() && !r.failed() && !r.shown(Shown::Seen, lane);
                    newest(records, |r| kin(r) && open(r)).map(|(at, _)| at)
                })
        }
    }
}

/// Whether the event continues the open attempt of its own source.
fn continues(record: &Record, trace: &Trace) -> bool {
    match trace.cause {
        Cause::Challenged => !record.shown(Shown::Challenge, trace.lane),
        Cause::Succeeded => true,
        // Where some answers are never told, a failure under another name is no answer to this challenge.
        _ => record.explains(trace) || record.suits(trace.account) || !(record.failed() || trace.silent),
    }
}

fn newest(records: &[Record], wanted: impl Fn(&Record) -> bool) -> Option<(usize, &Record)> {
    records.iter().enumerate().rev().find(|(_, r)| wanted(r))
}

/// The oldest that is `wanted`, behind the latest that its own source has told as much of.
fn first_behind(
    records: &[Record],
    mine: impl Fn(&Record) -> bool,
    wanted: impl Fn(&Record) -> bool,
) -> Option<usize> {
    let start = newest(records, mine).map_or(0, |(at, _)| at + 1);
    let rest = records.get(start..).unwrap_or_default();
    rest.iter().position(wanted).map(|found| start + found)
}
