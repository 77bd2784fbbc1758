//! What to change so that the kernel holds what is wanted.

use std::collections::HashMap;

use ringfence_event::Span;

use super::{Held, KernelOp, LONGEST, canonical};
use crate::engine::Target;

/// The changes that turn what is `held` into what is `wanted`; none when they agree.
///
/// A remaining time that is off by more than `tolerance` is corrected, either way: some time always passes between
/// asking the engine and asking the kernel. Of a target wanted twice, the later end counts. Deletions come first, so that
/// they make room.
pub fn plan(wanted: &[(Target, Span)], held: &[Held], tolerance: Span) -> Vec<KernelOp> {
    let mut ends: HashMap<Target, Span> = HashMap::with_capacity(wanted.len());
    for (target, remaining) in wanted {
        if *remaining > Span::ZERO {
            let end = ends.entry(canonical(*target)).or_insert(Span::ZERO);
            *end = (*end).max(as_held(*remaining));
        }
    }
    let mut ops = Vec::new();
    for held in held {
        let target = canonical(held.target);
        match ends.get(&target) {
            None => ops.push(KernelOp::Delete { target }),
            Some(end) if apart(*end, as_held(held.remaining)) <= tolerance => {
                ends.remove(&target);
            }
            Some(_) => (),
        }
    }
    let deletions = ops.len();
    ops.extend(
        ends.into_iter()
            .map(|(target, remaining)| KernelOp::Add { target, remaining }),
    );
    // The same input gives the same changes.
    if let Some(additions) = ops.get_mut(deletions..) {
        additions.sort_unstable_by_key(|op| match op {
            KernelOp::Add { target, .. } | KernelOp::Delete { target } => *target,
        });
    }
    ops
}

/// What a backend holds for this: a time beyond [`LONGEST`] never ends.
fn as_held(remaining: Span) -> Span {
    if remaining >= LONGEST {
        Span::FOREVER
    } else {
        remaining
    }
}

fn apart(one: Span, other: Span) -> Span {
    Span::from_millis(one.as_millis().abs_diff(other.as_millis()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const TOLERANCE: Span = Span::from_millis(100);

    fn target() -> impl Strategy<Value = Target> {
        let address = (0_u8..6).prop_map(|last| IpAddr::from([192, 0, 2, last]));
        prop_oneof![
            address.clone().prop_map(Target::Address),
            address
                .clone()
                .prop_map(|address| Target::Socket((address, 5060).into())),
            address.prop_map(|address| Target::Prefix(ipnet::IpNet::new(address, 31).unwrap().trunc())),
        ]
    }

    fn span() -> impl Strategy<Value = Span> {
        prop_oneof![
            (0_u64..1000).prop_map(Span::from_millis),
            Just(Span::FOREVER),
            Just(Span::from_millis(u64::MAX - 1)),
        ]
    }

    proptest! {
        #[test]
        fn carrying_out_the_plan_gives_what_is_wanted(
            wanted in proptest::collection::vec((target(), span()), 0..20),
            held in proptest::collection::btree_map(target(), span(), 0..20),
        ) {
            let list: Vec<Held> = held
                .iter()
                .map(|(target, remaining)| Held { target: *target, remaining: *remaining, packets: None })
                .collect();
            let ops = plan(&wanted, &list, TOLERANCE);
            let mut kernel = held;
            for op in &ops {
                match *op {
                    KernelOp::Add { target, remaining } => {
                        prop_assert!(remaining > Span::ZERO);
                        kernel.insert(target, remaining);
                    }
                    KernelOp::Delete { target } => prop_assert!(kernel.remove(&target).is_some(), "nothing in vain"),
                }
            }
            let mut expected: BTreeMap<Target, Span> = BTreeMap::new();
            for (target, remaining) in wanted.iter().filter(|(_, remaining)| *remaining > Span::ZERO) {
                let end = expected.entry(*target).or_default();
                *end = (*end).max(*remaining);
            }
            prop_assert!(kernel.keys().eq(expected.keys()));
            for (target, remaining) in &expected {
                prop_assert!(apart(as_held(*remaining), as_held(kernel[target])) <= TOLERANCE);
            }
            let now_held: Vec<Held> = kernel
                .iter()
                .map(|(target, remaining)| Held { target: *target, remaining: *remaining, packets: None })
                .collect();
            prop_assert_eq!(plan(&wanted, &now_held, TOLERANCE), vec![], "nothing is left to do");
        }
    }
}
