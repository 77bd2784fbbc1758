//! The bans in force, and when each ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use ringfence_event::Moment;

use super::{Ban, Target};

/// Every ban in force, ordered by target, so that those inside a prefix lie together.
#[derive(Debug, Default)]
pub(super) struct Bans {
    held: BTreeMap<Target, Held>,
    ends: BTreeSet<(Moment, Target)>,
    prefixes: usize,
    /// When the first of them ends: asked with every event.
    soonest: Option<Moment>,
}

/// One ban in force.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) ban: Ban,
    /// Whether it has raised the address's number of bans: it does so once, however often it is extended.
    pub(super) raised: bool,
}

/// With more bans in force than this, a further one is held without its evidence: that went out with the verdict, and
/// forged packets must not fill the memory with it.
const EVIDENCE_HELD: usize = 16_384;

impl Held {
    /// A new ban beside `others`.
    pub(super) fn new(mut ban: Ban, raised: bool, others: usize) -> Self {
        if others >= EVIDENCE_HELD {
            ban.evidence.events = Vec::new();
        }
        Self { ban, raised }
    }
}

impl Bans {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn get(&self, target: &Target) -> Option<&Held> {
        self.held.get(target)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Held> {
        self.held.values()
    }

    /// Puts a ban in force, in place of the target's present one.
    pub(super) fn put(&mut self, held: Held) {
        let (target, until) = (held.ban.target, held.ban.until);
        match self.held.insert(target, held) {
            Some(old) => {
                self.ends.remove(&(old.ban.until, target));
            }
            None => self.prefixes += usize::from(matches!(target, Target::Prefix(_))),
        }
        if until != Moment::NEVER {
            self.ends.insert((until, target));
        }
        self.soonest = self.ends.first().map(|(until, _)| *until);
    }

    pub(super) fn remove(&mut self, target: &Target) -> Option<Held> {
        let held = self.held.remove(target)?;
        self.ends.remove(&(held.ban.until, *target));
        self.soonest = self.ends.first().map(|(until, _)| *until);
        self.prefixes -= usize::from(matches!(target, Target::Prefix(_)));
        Some(held)
    }

    /// Takes out a ban whose time is over, the longest over first.
    pub(super) fn pop_ended(&mut self, now: Moment) -> Option<Held> {
        self.soonest.filter(|until| *until <= now)?;
        let target = self.ends.first().map(|(_, target)| *target)?;
        self.remove(&target)
    }

    pub(super) fn next_end(&self) -> Option<Moment> {
        self.soonest
    }

    /// The banned prefixes around an address, widest first.
    pub(super) fn prefixes_around(&self, addr: IpAddr) -> impl Iterator<Item = &Held> {
        let widest = if self.prefixes == 0 {
            None
        } else {
            Some(if addr.is_ipv4() { 32 } else { 128 })
        };
        widest
            .into_iter()
            .flat_map(|max: u8| 0..=max)
            .filter_map(move |len| {
                let net = IpNet::new(addr, len).ok()?.trunc();
                self.held.get(&Target::Prefix(net))
            })
    }

    /// The banned prefixes around a whole prefix, itself not among them.
    pub(super) fn prefixes_beyond(&self, net: IpNet) -> impl Iterator<Item = &Held> {
        self.prefixes_around(net.network())
            .filter(move |held| matches!(held.ban.target, Target::Prefix(wide) if wide.prefix_len() < net.prefix_len()))
    }

    /// The bans of one address: its own and those of its ports.
    pub(super) fn of_address(&self, addr: IpAddr) -> Vec<Target> {
        let ports =
            Target::Socket(SocketAddr::new(addr, 0))..=Target::Socket(SocketAddr::new(addr, u16::MAX));
        let own = Target::Address(addr);
        let sockets = self.held.range(ports).map(|(target, _)| *target);
        self.held
            .get_key_value(&own)
            .map(|(target, _)| *target)
            .into_iter()
            .chain(sockets)
            .collect()
    }

    /// The bans inside a prefix, itself among them.
    pub(super) fn inside(&self, net: IpNet) -> Vec<Target> {
        let (first, last) = (net.network(), net.broadcast());
        let addresses = self.held.range(Target::Address(first)..=Target::Address(last));
        let sockets =
            Target::Socket(SocketAddr::new(first, 0))..=Target::Socket(SocketAddr::new(last, u16::MAX));
        let prefixes = Target::Prefix(lowest_net(net))..;
        addresses
            .chain(self.held.range(sockets))
            .chain(self.held.range(prefixes))
            .map(|(target, _)| *target)
            .filter(|target| within(target, net))
            .collect()
    }

    /// Every target with a ban.
    pub(super) fn targets(&self) -> Vec<Target> {
        self.held.keys().copied().collect()
    }
}

fn lowest_net(net: IpNet) -> IpNet {
    let lowest = match net {
        IpNet::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpNet::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    IpNet::new(lowest, 0).unwrap_or(net)
}

fn within(target: &Target, net: IpNet) -> bool {
    match target {
        Target::Address(addr) => net.contains(addr),
        Target::Socket(socket) => net.contains(&socket.ip()),
        Target::Prefix(inner) => net.contains(inner),
    }
}
