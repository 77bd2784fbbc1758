//! Adds and removes single addresses and sockets: one transaction for up to a thousand.
//!
//! A transaction is all or nothing. If the kernel refuses one, each change becomes a message of its own, the kernel says
//! of each what is wrong with it, and the next try leaves out what can't be done: that is reported, the rest is in force.

use std::io;

use nix::libc::{ENFILE, ENOENT, ENOSPC};
use ringfence_event::Span;
use ringfence_nfnl::{Batch, Element};

use super::dialect::Dialect;
use super::failure::Failures;
use super::layout::{Key, SetId, TABLE, place};
use super::link::{Link, errno};
use super::timeout::millis;
use crate::engine::Target;
use crate::fence::KernelOp;

/// Changes in one transaction.
const CHUNK: usize = 1000;

/// How often a refused transaction is tried with what was learned from the try before; only elements that expire between
/// two tries need more than two.
const TRIES: usize = 4;

/// One change on its way into the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    target: Target,
    set: SetId,
    key: Key,
    step: Step,
}

/// What the next transaction does about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Hold it for so many milliseconds from now, or for ever.
    Hold(Option<u64>),
    /// Hold it no longer.
    Release,
    /// Remove it; it is there if anything is.
    Remove,
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
            | KernelOp::Delete { target } => (target, Step::Release),
            KernelOp::Add { target, remaining } => (target, Step::Hold(millis(remaining))),
        };
        let (set, key) = place(&target)?;
        Some(Self {
            target,
            set,
            key,
            step,
        })
    }

    fn element(&self) -> Element<'_> {
        let timeout = if let Step::Hold(timeout) = self.step {
            timeout
        } else {
            None
        };
        Element::new(self.key.bytes()).timeout(timeout)
    }

    fn is_hold(&self) -> bool {
        matches!(self.step, Step::Hold(_))
    }
}

/// Carries out all changes, of which no two have the same target; adds to `failures` what can't be done.
pub(super) fn apply(
    link: &mut Link,
    dialect: Dialect,
    changes: &mut [Change],
    failures: &mut Failures,
) -> io::Result<()> {
    for chunk in changes.chunks_mut(CHUNK) {
        let alone = chunk.len() == 1;
        if alone
            || !link
                .transact(|batch| fill_grouped(batch, dialect, chunk))?
                .1
                .is_empty()
        {
            settle(link, dialect, chunk, failures)?;
        }
    }
    Ok(())
}

/// As few messages as possible. What is let go comes first and makes room.
fn fill_grouped(batch: &mut Batch, dialect: Dialect, chunk: &[Change]) {
    for set in SetId::HASHED {
        let released = chunk
            .iter()
            .filter(|change| change.set == set && change.step == Step::Release);
        dialect.release(batch, set, released.map(Change::element));
    }
    for set in SetId::HASHED {
        let held = chunk
            .iter()
            .filter(|change| change.set == set && change.is_hold());
        dialect.hold(batch, set, held.map(Change::element));
    }
}

/// One message (or a few) for each change, tried until the kernel takes all that can be taken.
fn settle(
    link: &mut Link,
    dialect: Dialect,
    chunk: &mut [Change],
    failures: &mut Failures,
) -> io::Result<()> {
    for attempt in 1..=TRIES {
        let mut owners = Vec::with_capacity(chunk.len());
        let (first, refusals) = link.transact(|batch| fill_single(batch, dialect, chunk, &mut owners))?;
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
            change.step = match (change.step, errno(&refusal.error)) {
                (Step::Settled, _) | (Step::Release | Step::Remove, Some(ENOENT)) => Step::Settled,
                // There is no room for what isn't there, not even for a moment.
                (Step::Release, Some(ENFILE | ENOSPC)) => Step::Remove,
                // It ended while it was replaced.
                (Step::Hold(timeout), Some(ENOENT)) if dialect == Dialect::Keeping && attempt < TRIES => {
                    Step::Hold(timeout)
                }
                _ => {
                    failures.push(change.target, change.set, refusal.error);
                    Step::Settled
                }
            };
        }
    }
    for change in chunk.iter().filter(|change| change.step != Step::Settled) {
        let error = io::Error::new(io::ErrorKind::TimedOut, "the set kept changing");
        failures.push(change.target, change.set, error);
    }
    Ok(())
}

/// `owners` gets, for each message, the index of the change behind it.
fn fill_single(batch: &mut Batch, dialect: Dialect, chunk: &[Change], owners: &mut Vec<usize>) {
    for holds in [false, true] {
        for (index, change) in chunk
            .iter()
            .enumerate()
            .filter(|(_, change)| change.is_hold() == holds)
        {
            let before = batch.last_seq();
            let element = std::iter::once(change.element());
            match change.step {
                Step::Hold(_) => dialect.hold(batch, change.set, element),
                Step::Release => dialect.release(batch, change.set, element),
                Step::Remove => batch.delete_elements(TABLE, change.set.name(), element),
                Step::Settled => (),
            }
            let messages = usize::try_from(batch.last_seq().wrapping_sub(before)).unwrap_or(0);
            owners.extend(std::iter::repeat_n(index, messages));
        }
    }
}
