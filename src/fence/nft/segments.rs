//! Prefixes that nest, as the kernel can hold them: disjoint ranges, each until the last prefix around it ends.
//!
//! Interval sets refuse overlap. So the ranges are cut where a prefix begins or ends, each piece gets the latest end of
//! the prefixes around it, and neighbours with the same end become one. What the kernel then drops is right at every
//! later moment without another change.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use ringfence_event::{Moment, Span};

/// Two ends that differ by no more are the same: the kernel counts in ticks, and asking takes time.
const TOLERANCE: Span = Span::from_millis(100);

/// Which addresses a set of segments is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// The last address there is.
    pub(super) fn last(self) -> u128 {
        match self {
            Self::V4 => u128::from(u32::MAX),
            Self::V6 => u128::MAX,
        }
    }

    /// The address with this number.
    pub(super) fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
            Self::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

/// A range of addresses that is stopped until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The first address.
    pub(super) first: u128,
    /// The last address.
    pub(super) last: u128,
    /// When it ends.
    pub(super) until: Moment,
    /// Packets dropped, where it comes from the kernel.
    pub(super) packets: u64,
}

impl Segment {
    /// The prefixes that make it up; one if it is a prefix.
    pub(super) fn prefixes(&self, family: Family) -> Vec<IpNet> {
        match (family.address(self.first), family.address(self.last)) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
            }
            _ => Vec::new(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let apart = self.until.since(other.until).max(other.until.since(self.until));
        self.first == other.first && self.last == other.last && apart <= TOLERANCE
    }
}

/// The number of an address.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The segments that stop exactly what `wanted` (of one family) stops, in order of address.
pub(super) fn segments(family: Family, wanted: &BTreeMap<IpNet, Moment>) -> Vec<Segment> {
    let mut edges = Vec::with_capacity(wanted.len() * 2);
    for (net, until) in wanted {
        edges.push((number(net.network()), true, *until));
        if let Some(behind) = number(net.broadcast()).checked_add(1) {
            edges.push((behind, false, *until));
        }
    }
    edges.sort_unstable();
    let mut result: Vec<Segment> = Vec::with_capacity(edges.len());
    let mut active: BTreeMap<Moment, usize> = BTreeMap::new();
    let mut first = 0;
    for (at, opens, until) in edges {
        if at > first {
            push(&mut result, first, at - 1, &active);
        }
        first = at;
        if opens {
            *active.entry(until).or_default() += 1;
        } else if let Some(count) = active.get_mut(&until) {
            *count -= 1;
            if *count == 0 {
                active.remove(&until);
            }
        }
    }
    if first <= family.last() {
        push(&mut result, first, family.last(), &active);
    }
    result
}

fn push(result: &mut Vec<Segment>, first: u128, last: u128, active: &BTreeMap<Moment, usize>) {
    let Some((until, _)) = active.last_key_value() else {
        return;
    };
    match result.last_mut() {
        Some(before) if before.until == *until && before.last.checked_add(1) == Some(first) => {
            before.last = last;
        }
        _ => result.push(Segment {
            first,
            last,
            until: *until,
            packets: 0,
        }),
    }
}

/// What to remove from `held` and what to add so that it becomes `wanted`; both are in order of address.
pub(super) fn difference(held: &[Segment], wanted: &[Segment]) -> (Vec<Segment>, Vec<Segment>) {
    let lacks = |list: &[Segment], segment: &Segment| {
        let index = list.partition_point(|other| other.first < segment.first);
        !list.get(index).is_some_and(|other| other.is_same(segment))
    };
    let remove = held
        .iter()
        .filter(|segment| lacks(wanted, segment))
        .copied()
        .collect();
    let add = wanted
        .iter()
        .filter(|segment| lacks(held, segment))
        .copied()
        .collect();
    (remove, add)
}

/// Until when all of `net` is stopped by `held`, and how many packets its segments dropped; `None` if a part isn't.
pub(super) fn covered(held: &[Segment], net: &IpNet) -> Option<(Moment, u64)> {
    let (mut at, last) = (number(net.network()), number(net.broadcast()));
    let (mut until, mut packets) = (Moment::NEVER, 0_u64);
    let start = held.partition_point(|segment| segment.last < at);
    for segment in held.get(start..)? {
        if segment.first > at {
            return None;
        }
        until = until.min(segment.until);
        packets = packets.saturating_add(segment.packets);
        if segment.last >= last {
            return Some((until, packets));
        }
        at = segment.last + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Prefixes from a small corner, so that they nest and touch often.
    fn wanted() -> impl Strategy<Value = BTreeMap<IpNet, Moment>> {
        let low = (22_u8..=32, 0_u32..1024, 1_u64..6)
            .prop_map(|(len, host, until)| (0xC000_0000 + host, len, until));
        let high =
            (22_u8..=32, 0_u32..1024, 1_u64..6).prop_map(|(len, host, until)| (u32::MAX - host, len, until));
        let one = prop_oneof![low, high].prop_map(|(address, len, until)| {
            let net = IpNet::new(IpAddr::V4(address.into()), len).unwrap().trunc();
            (
                net,
                if until == 5 {
                    Moment::NEVER
                } else {
                    Moment::from_millis(until * 1000)
                },
            )
        });
        proptest::collection::btree_map(
            one.clone().prop_map(|(net, _)| net),
            one.prop_map(|(_, until)| until),
            0..12,
        )
    }

    /// Until when an address is stopped, by looking at each prefix.
    fn brute(wanted: &BTreeMap<IpNet, Moment>, address: IpAddr) -> Option<Moment> {
        wanted
            .iter()
            .filter(|(net, _)| net.contains(&address))
            .map(|(_, until)| *until)
            .max()
    }

    fn corner() -> impl Iterator<Item = u32> {
        (0xC000_0000 - 2..0xC000_0000 + 1026).chain(u32::MAX - 1026..=u32::MAX)
    }

    proptest! {
        #[test]
        fn every_address_is_stopped_until_its_last_prefix_ends(wanted in wanted()) {
            let segments = segments(Family::V4, &wanted);
            for pair in segments.windows(2) {
                prop_assert!(pair[0].last < pair[1].first, "disjoint and in order");
                let touches = pair[0].last + 1 == pair[1].first;
                prop_assert!(!touches || pair[0].until != pair[1].until, "neighbours of one end are one");
            }
            for address in corner() {
                let number = u128::from(address);
                let found = segments.iter().find(|segment| segment.first <= number && number <= segment.last);
                prop_assert_eq!(found.map(|segment| segment.until), brute(&wanted, IpAddr::V4(address.into())));
            }
            for (net, until) in &wanted {
                let held = covered(&segments, net).map(|(held, _)| held);
                prop_assert!(held.is_some_and(|held| held >= *until));
            }
        }

        #[test]
        fn carrying_out_the_difference_gives_what_is_wanted(before in wanted(), after in wanted()) {
            let (before, after) = (segments(Family::V4, &before), segments(Family::V4, &after));
            let (remove, add) = difference(&before, &after);
            let mut held: Vec<_> = before.into_iter().filter(|segment| !remove.contains(segment)).collect();
            held.extend(add);
            held.sort_unstable_by_key(|segment| segment.first);
            prop_assert_eq!(held, after);
        }

        #[test]
        fn a_segment_is_its_prefixes(wanted in wanted()) {
            let whole = segments(Family::V4, &wanted);
            let pieces = whole.iter().flat_map(|segment| {
                segment.prefixes(Family::V4).into_iter().map(|net| (net, segment.until))
            });
            prop_assert_eq!(segments(Family::V4, &pieces.collect()), whole);
        }
    }

    #[test]
    fn everything_can_be_stopped() {
        let all: IpNet = "::/0".parse().unwrap();
        let half: IpNet = "8000::/1".parse().unwrap();
        let wanted = BTreeMap::from([(all, Moment::from_millis(1)), (half, Moment::NEVER)]);
        let segments = segments(Family::V6, &wanted);
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[1].last, u128::MAX);
        assert_eq!(covered(&segments, &all).unwrap().0, Moment::from_millis(1));
        assert_eq!(segments[1].prefixes(Family::V6), [half]);
    }
}
