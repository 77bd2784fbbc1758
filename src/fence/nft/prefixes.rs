//! Keeps the interval sets: remembers which prefixes are wanted, lets the kernel hold the segments they make.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use nix::libc::{EEXIST, ENOENT, ENOTEMPTY};
use ringfence_event::{Moment, Span};
use ringfence_nfnl::{Batch, Element};

use super::failure::Failures;
use super::held::items;
use super::layout::{SetId, TABLE};
use super::link::{Link, Refusal, errno};
use super::segments::{Family, Segment, covered, difference, number, segments};
use super::timeout::{left, millis, until};
use crate::engine::Target;
use crate::fence::{Held, KernelOp};

/// How often a change is tried when the kernel holds other segments than remembered, because some just ended.
const TRIES: usize = 4;

/// The prefixes of one family.
pub(super) struct Prefixes {
    family: Family,
    set: SetId,
    /// What is wanted, with its end.
    wanted: BTreeMap<IpNet, Moment>,
    /// What the kernel holds as far as known, in order of address.
    held: Vec<Segment>,
}

impl Prefixes {
    /// Nothing wanted, nothing held.
    pub(super) fn new(family: Family) -> Self {
        let set = match family {
            Family::V4 => SetId::Prefixes4,
            Family::V6 => SetId::Prefixes6,
        };
        Self {
            family,
            set,
            wanted: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    /// How many segments the kernel holds as far as known.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Takes what the kernel holds for what is wanted, unless it is what is wanted already.
    pub(super) fn adopt(&mut self, link: &mut Link, now: Moment) -> io::Result<()> {
        self.read(link, now)?;
        self.wanted.retain(|_, until| *until > now);
        let (surplus, lacking) = difference(&self.held, &segments(self.family, &self.wanted));
        if !surplus.is_empty() || !lacking.is_empty() {
            let pieces = |segment: &Segment| {
                let until = segment.until;
                segment
                    .prefixes(self.family)
                    .into_iter()
                    .map(move |net| (net, until))
            };
            self.wanted = self.held.iter().flat_map(pieces).collect();
        }
        Ok(())
    }

    /// Carries out those of `ops` that are about prefixes of this family, all in one transaction; one by one if that is
    /// refused, so that one that can't be held doesn't keep the others out.
    pub(super) fn apply(
        &mut self,
        link: &mut Link,
        now: Moment,
        ops: &[KernelOp],
        failures: &mut Failures,
    ) -> io::Result<()> {
        let mine = |op: &&KernelOp| self.concerns(op);
        let ops: Vec<KernelOp> = ops.iter().filter(mine).copied().collect();
        if ops.is_empty() {
            return Ok(());
        }
        self.wanted.retain(|_, until| *until > now);
        if self.attempt(link, now, &ops)?.is_none() {
            return Ok(());
        }
        for op in ops {
            if let Some(error) = self.attempt(link, now, &[op])? {
                let (KernelOp::Add { target, .. } | KernelOp::Delete { target }) = op;
                failures.push(target, self.set, error);
            }
        }
        Ok(())
    }

    /// What the kernel holds now. A wanted prefix counts as held if all of it is stopped; what is held beyond the wanted
    /// ones is listed as the prefixes it is made of.
    pub(super) fn list(&mut self, link: &mut Link, now: Moment, list: &mut Vec<Held>) -> io::Result<()> {
        self.read(link, now)?;
        self.wanted.retain(|_, until| *until > now);
        let mut found: BTreeMap<IpNet, (Moment, u64)> = BTreeMap::new();
        let (surplus, _) = difference(&self.held, &segments(self.family, &self.wanted));
        for segment in surplus {
            found.extend(
                segment
                    .prefixes(self.family)
                    .into_iter()
                    .map(|net| (net, (segment.until, segment.packets))),
            );
        }
        for (net, until) in &self.wanted {
            if let Some((held_until, packets)) = covered(&self.held, net) {
                found.insert(*net, (held_until.min(*until), packets));
            } else {
                found.remove(net);
            }
        }
        list.extend(found.into_iter().map(|(net, (until, packets))| Held {
            target: Target::Prefix(net),
            remaining: left(now, until),
            packets: Some(packets),
        }));
        Ok(())
    }

    fn concerns(&self, op: &KernelOp) -> bool {
        let (KernelOp::Add { target, .. } | KernelOp::Delete { target }) = op;
        match target {
            Target::Prefix(IpNet::V4(_)) => self.family == Family::V4,
            Target::Prefix(IpNet::V6(_)) => self.family == Family::V6,
            _ => false,
        }
    }

    /// Changes what is wanted and lets the kernel follow; takes it back if the kernel refuses, with its reason.
    fn attempt(&mut self, link: &mut Link, now: Moment, ops: &[KernelOp]) -> io::Result<Option<io::Error>> {
        let before = self.wanted.clone();
        for op in ops {
            match *op {
                KernelOp::Add {
                    target: Target::Prefix(net),
                    remaining,
                } if remaining > Span::ZERO => {
                    self.wanted.insert(net.trunc(), until(now, remaining));
                }
                KernelOp::Add {
                    target: Target::Prefix(net),
                    ..
                }
                | KernelOp::Delete {
                    target: Target::Prefix(net),
                } => {
                    self.wanted.remove(&net.trunc());
                }
                _ => (),
            }
        }
        let outcome = self.follow(link, now);
        if !matches!(outcome, Ok(None)) {
            self.wanted = before;
        }
        outcome
    }

    /// Makes the kernel hold what is wanted.
    fn follow(&mut self, link: &mut Link, now: Moment) -> io::Result<Option<io::Error>> {
        let wanted = segments(self.family, &self.wanted);
        let mut refusal = None;
        for _ in 0..TRIES {
            self.held.retain(|segment| segment.until > now);
            let (remove, add) = difference(&self.held, &wanted);
            let (_, refusals) = link.transact(|batch| self.fill(batch, now, &remove, &add))?;
            let Some(first) = refusals.into_iter().next() else {
                self.held.retain(|segment| !remove.contains(segment));
                self.held.extend(add);
                self.held.sort_unstable_by_key(|segment| segment.first);
                return Ok(None);
            };
            let Refusal { error, .. } = first;
            if !matches!(errno(&error), Some(EEXIST | ENOENT | ENOTEMPTY)) {
                return Ok(Some(error));
            }
            refusal = Some(error);
            self.read(link, now)?;
        }
        Ok(refusal)
    }

    fn fill(&self, batch: &mut Batch, now: Moment, remove: &[Segment], add: &[Segment]) {
        let ends = |list: &[Segment]| -> Vec<Ends> {
            list.iter()
                .map(|segment| Ends::new(self.family, now, segment))
                .collect()
        };
        let (remove, add) = (ends(remove), ends(add));
        batch.delete_elements(TABLE, self.set.name(), remove.iter().flat_map(Ends::elements));
        batch.add_elements(TABLE, self.set.name(), add.iter().flat_map(Ends::elements));
    }

    /// Asks the kernel for its segments.
    fn read(&mut self, link: &mut Link, now: Moment) -> io::Result<()> {
        let ends = items(link, self.set)?.into_iter().filter_map(|item| {
            let at = address(self.family, item.key.bytes())?;
            Some(if item.end {
                (at, false, Moment::NEVER, 0)
            } else {
                (at, true, until(now, item.remaining), item.packets.unwrap_or(0))
            })
        });
        self.held = join(self.family, ends.collect());
        Ok(())
    }
}

/// A segment as the kernel takes it: its first address and the first behind it.
struct Ends {
    first: Vec<u8>,
    /// A range up to the last address has none behind it.
    behind: Option<Vec<u8>>,
    timeout: Option<u64>,
}

impl Ends {
    fn new(family: Family, now: Moment, segment: &Segment) -> Self {
        let key = |number| match family.address(number) {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        Self {
            first: key(segment.first),
            behind: (segment.last < family.last()).then(|| key(segment.last + 1)),
            timeout: millis(left(now, segment.until)),
        }
    }

    fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        let open = self.behind.is_none();
        let start = Element {
            open,
            ..Element::new(&self.first).timeout(self.timeout)
        };
        std::iter::once(start).chain(self.behind.as_deref().map(Element::end))
    }
}

fn address(family: Family, key: &[u8]) -> Option<u128> {
    match family {
        Family::V4 => Some(number(IpAddr::from(<[u8; 4]>::try_from(key).ok()?))),
        Family::V6 => Some(number(IpAddr::from(<[u8; 16]>::try_from(key).ok()?))),
    }
}

/// Puts starts and ends together, in whatever order they come.
fn join(family: Family, mut ends: Vec<(u128, bool, Moment, u64)>) -> Vec<Segment> {
    // An end sorts before a start at the same address.
    ends.sort_unstable();
    let mut result = Vec::with_capacity(ends.len() / 2);
    let mut open: Option<Segment> = None;
    for (at, starts, until, packets) in ends {
        if let Some(segment) = open.take()
            && at > segment.first
        {
            result.push(Segment {
                last: at - 1,
                ..segment
            });
        }
        if starts {
            open = Some(Segment {
                first: at,
                last: family.last(),
                until,
                packets,
            });
        }
    }
    result.extend(open);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_ends_find_each_other() {
        let end = Moment::from_millis(9);
        let ends = vec![
            (30, true, end, 0),
            (20, false, Moment::NEVER, 0),
            (0, false, Moment::NEVER, 0),
            (20, true, end, 7),
            (10, true, end, 1),
            (25, false, Moment::NEVER, 0),
        ];
        let joined: Vec<_> = join(Family::V4, ends)
            .iter()
            .map(|s| (s.first, s.last, s.packets))
            .collect();
        assert_eq!(joined, [(10, 19, 1), (20, 24, 7), (30, u128::from(u32::MAX), 0)]);
    }
}
