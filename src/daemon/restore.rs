//! What was banned before is banned again: from the store, and from what the kernel still holds.

use std::collections::HashSet;

use ringfence_event::{Moment, Span};

use super::enforcer::align;
use crate::engine::{Ban, Engine, Evidence, Target, Verdict};
use crate::fence::{Fence, FenceError, KernelOp};
use crate::store::Restored;

/// Makes engine and kernel hold every ban of before. The fence is installed, and the engine knows the own addresses.
pub fn restore(
    fence: &mut dyn Fence,
    engine: &mut Engine,
    now: Moment,
    restored: Restored,
    out: &mut Vec<Verdict>,
) -> Result<(), FenceError> {
    let held = fence.list()?;
    if !held.is_empty() {
        engine.restore_bans(now, restored.bans, restored.memories, out);
        let found: Vec<Ban> = held
            .iter()
            .map(|held| recovered(held.target, held.remaining, now))
            .collect();
        adopt(engine, now, found, out);
        return align(fence, now, engine).map(|_| ());
    }
    // After a reboot the kernel takes a while for many bans, so the engine takes them over meanwhile.
    let wanted: Vec<KernelOp> = restored
        .bans
        .iter()
        .filter(|ban| ban.until > now && !engine.is_forbidden(ban))
        .map(|ban| KernelOp::Add {
            target: ban.target,
            remaining: ban.remaining(now),
        })
        .collect();
    std::thread::scope(|scope| {
        let engine = scope.spawn(|| engine.restore_bans(now, restored.bans, restored.memories, out));
        let applied = fence.apply(&wanted);
        // a panic in there is ours, and goes on here
        engine
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        applied
    })
}

/// Takes over what the kernel still holds but the store does not know: a ban that holds stays a ban.
fn adopt(engine: &mut Engine, now: Moment, found: Vec<Ban>, out: &mut Vec<Verdict>) {
    let known: HashSet<Target> = engine.bans().map(|ban| ban.target).collect();
    let found: Vec<Ban> = found
        .into_iter()
        .filter(|ban| !known.contains(&ban.target))
        .collect();
    if found.is_empty() {
        return;
    }
    tracing::warn!(
        "{} bans were found in the kernel but not in the store; they are kept",
        found.len()
    );
    out.extend(found.iter().cloned().map(Verdict::Ban));
    engine.restore_bans(now, found, Vec::new(), out);
}

fn recovered(target: Target, remaining: Span, now: Moment) -> Ban {
    Ban {
        target,
        since: now,
        until: now + remaining,
        jail: "recovered".into(),
        count: 0,
        evidence: Evidence::default(),
    }
}
