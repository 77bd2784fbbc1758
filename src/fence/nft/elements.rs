//! Adds and removes single addresses and sockets: one transaction for up to a thousand.
//!
//! A transaction is all or nothing, and kernels differ in what an `add` of something present does to its timeout. So the
//! first try adds everything under the condition that it isn't there. If the kernel refuses, each change becomes a
//! message of its own, the kernel says of each what is wrong with it, and the next try takes that into account: what is
//! there already is replaced, what is gone already isn't removed, what can't be done is reported, and the rest is in
//! force.

use std::io;

use nix::libc::{EEXIST, ENOENT};
use ringfence_event::Span;
use ringfence_nfnl::{Batch, Element};

use super::failure::Failures;
use super::layout::{Key, SetId, TABLE, place};
use super::link::Link;
use super::timeout::millis;
use crate::engine::Target;
use crate::fence::KernelOp;

/// Changes in one transaction.
const CHUNK: usize = 1000;

/// How often a transaction is tried; each try settles what it learned from the one before, so that only elements that
/// expire between two tries need more than three.
const TRIES: usize = 6;

/// One change on its way into the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    target: Target,
    set: SetId,
    key: Key,
    step: Step,
}

/// What the next transaction does about a change.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Add it; it isn't there, as far as is known.
    Add(Option<u64>),
    /// Remove it and add it with a new timeout.
    Replace(Option<u64>),
    /// Remove it.
    Delete,
    /// Nothing any more.
    Settled,
}

impl Change {
    /// What `op` means for a hash set; `None` for a prefix.
    pub(super) fn new(op: &KernelOp) -> Option<Self> {
        let (target, step) = match *op {
            KernelOp::Add {
                target,
                remaining: Span::ZERO,
            }
            | KernelOp::Delete { target } => (target, Step::Delete),
            KernelOp::Add { target, remaining } => (target, Step::Add(millis(remaining))),
        };
        let (set, key) = place(&target)?;
        Some(Self {
            target,
            set,
            key,
            step,
        })
    }

    fn element(&self, timeout: Option<u64>) -> Element<'_> {
        Element::new(self.key.bytes()).timeout(timeout)
    }
}

/// Carries out all changes, of which no two have the same target; adds to `failures` what can't be done.
pub(super) fn apply(link: &mut Link, changes: &mut [Change], failures: &mut Failures) -> io::Result<()> {
    for chunk in changes.chunks_mut(CHUNK) {
        if chunk.len() == 1 || !link.transact(|batch| fill_grouped(batch, chunk))?.1.is_empty() {
            settle(link, chunk, failures)?;
        }
    }
    Ok(())
}

/// One message for all additions to a set, one for all removals.
fn fill_grouped(batch: &mut Batch, chunk: &[Change]) {
    for set in SetId::HASHED {
        let of_set = || chunk.iter().filter(|change| change.set == set);
        let deletes = of_set().filter(|change| matches!(change.step, Step::Delete));
        batch.delete_elements(TABLE, set.name(), deletes.map(|change| change.element(None)));
    }
    for set in SetId::HASHED {
        let adds = chunk
            .iter()
            .filter(|change| change.set == set)
            .filter_map(|change| match change.step {
                Step::Add(timeout) => Some(change.element(timeout)),
                _ => None,
            });
        batch.add_elements(TABLE, set.name(), adds);
    }
}

/// One message for each change, tried until the kernel takes all that can be taken.
fn settle(link: &mut Link, chunk: &mut [Change], failures: &mut Failures) -> io::Result<()> {
    let mut latest = None;
    for _ in 0..TRIES {
        let mut owners = Vec::with_capacity(chunk.len());
        let (first, refusals) = link.transact(|batch| fill_single(batch, chunk, &mut owners))?;
        if refusals.is_empty() {
            return Ok(());
        }
        for refusal in refusals {
            let index = usize::try_from(refusal.seq.wrapping_sub(first)).ok();
            let owner = index
                .and_then(|index| owners.get(index))
                .and_then(|index| chunk.get_mut(*index));
            // Not of one message: the transaction was refused as a whole.
            let Some(change) = owner else {
                return Err(refusal.error);
            };
            change.step = match (change.step, super::link::errno(&refusal.error)) {
                (Step::Add(timeout), Some(EEXIST)) => Step::Replace(timeout),
                (Step::Replace(timeout), Some(ENOENT)) => Step::Add(timeout),
                (Step::Settled, _) | (Step::Delete, Some(ENOENT)) => Step::Settled,
                _ => {
                    failures.push(change.target, change.set, refusal.error);
                    Step::Settled
                }
            };
            latest = Some(change.set);
        }
    }
    let set = latest.unwrap_or(SetId::Banned4);
    for change in chunk
        .iter()
        .filter(|change| !matches!(change.step, Step::Settled))
    {
        failures.push(
            change.target,
            set,
            io::Error::new(io::ErrorKind::TimedOut, "the set kept changing"),
        );
    }
    Ok(())
}

/// Removals first, so that they make room; `owners` gets the change behind each message.
fn fill_single(batch: &mut Batch, chunk: &[Change], owners: &mut Vec<usize>) {
    for (index, change) in chunk.iter().enumerate() {
        if matches!(change.step, Step::Delete | Step::Replace(_)) {
            batch.delete_elements(TABLE, change.set.name(), [change.element(None)]);
            owners.push(index);
        }
    }
    for (index, change) in chunk.iter().enumerate() {
        if let Step::Add(timeout) | Step::Replace(timeout) = change.step {
            batch.add_elements(TABLE, change.set.name(), [change.element(timeout)]);
            owners.push(index);
        }
    }
}
