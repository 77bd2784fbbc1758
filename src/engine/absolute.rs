//! Addresses that must never be banned: `ignoreip`, what its host names resolve to, and our own.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{IgnoreReason, Target};

/// Sorted, merged ranges: a look-up is one binary search, whatever their number.
#[derive(Debug, Default)]
pub(super) struct Absolute {
    configured: Ranges,
    own: Ranges,
}

impl Absolute {
    pub(super) fn new<'n>(configured: impl Iterator<Item = &'n IpNet>, own: &[IpAddr]) -> Self {
        Self {
            configured: configured.map(|net| span(*net)).collect(),
            own: own
                .iter()
                .map(|addr| span(IpNet::from(addr.to_canonical())))
                .collect(),
        }
    }

    /// Why a target can't be banned: it is, or holds, an address that must never be.
    pub(super) fn reason(&self, target: &Target) -> Option<IgnoreReason> {
        let span = covered(target);
        if self.configured.overlap(span) {
            Some(IgnoreReason::Configured)
        } else {
            self.own.overlap(span).then_some(IgnoreReason::Own)
        }
    }
}

/// How a net that must never be banned stands in a target's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// They are the same.
    Same,
    /// The target holds the net.
    Holds,
    /// The target lies inside the net.
    Inside,
}

/// How `net` stands in the way of `target`, if it does. [`Absolute`] has forgotten which net is which: this is for the
/// words of a refusal.
pub(super) fn overlap(target: &Target, net: IpNet) -> Option<Overlap> {
    let ((first, last), (start, end)) = (covered(target), span(net));
    if (first, last) == (start, end) {
        Some(Overlap::Same)
    } else if first <= start && end <= last {
        Some(Overlap::Holds)
    } else {
        (start <= first && last <= end).then_some(Overlap::Inside)
    }
}

/// First and last address that a ban of `target` stops.
pub(super) fn covered(target: &Target) -> (u128, u128) {
    match target {
        Target::Address(addr) => span(IpNet::from(*addr)),
        Target::Socket(socket) => span(IpNet::from(socket.ip())),
        Target::Prefix(net) => span(*net),
    }
}

/// First and last address of a net, IPv4 in its IPv4-mapped form.
pub(super) fn span(net: IpNet) -> (u128, u128) {
    (number(net.network()), number(net.broadcast()))
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Ranges of addresses, sorted and merged.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<(u128, u128)>);

impl FromIterator<(u128, u128)> for Ranges {
    fn from_iter<I: IntoIterator<Item = (u128, u128)>>(spans: I) -> Self {
        let mut spans: Vec<_> = spans.into_iter().collect();
        spans.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(spans.len());
        for (first, last) in spans {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }
}

impl Ranges {
    pub(super) fn overlap(&self, (first, last): (u128, u128)) -> bool {
        let behind = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(behind).is_some_and(|(start, _)| *start <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_holds_an_ignored_address_is_refused_as_well() {
        let nets: Vec<IpNet> = vec!["192.0.2.0/25".parse().unwrap(), "192.0.2.128/25".parse().unwrap()];
        let own = ["2001:db8::1".parse().unwrap()];
        let absolute = Absolute::new(nets.iter(), &own);
        let reason = |target| absolute.reason(&target);
        assert_eq!(
            reason(Target::Address("192.0.2.200".parse().unwrap())),
            Some(IgnoreReason::Configured)
        );
        assert_eq!(reason(Target::Address("192.0.3.0".parse().unwrap())), None);
        assert_eq!(
            reason(Target::Prefix("192.0.0.0/16".parse().unwrap())),
            Some(IgnoreReason::Configured)
        );
        assert_eq!(
            reason(Target::Prefix("2001:db8::/64".parse().unwrap())),
            Some(IgnoreReason::Own)
        );
        assert_eq!(
            reason(Target::Socket("[2001:db8::1]:5060".parse().unwrap())),
            Some(IgnoreReason::Own)
        );
        assert_eq!(reason(Target::Prefix("198.51.100.0/24".parse().unwrap())), None);
    }
}
