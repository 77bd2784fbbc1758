//! What our table looks like: six sets and one chain with the rules that make them effective.
//!
//! ```text
//! table inet ringfence
//!   banned4   banned6     addresses: hash sets
//!   sockets4  sockets6    address and source port: hash sets
//!   prefixes4 prefixes6   prefixes: interval sets, which accept no overlap
//!   chain guard           prerouting, priority raw: before connection tracking, NAT, Docker and every accept rule
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ringfence_nfnl::{Base, Chain, Comparison, Expr, Meta, Rule, Set, SetFlags, Table};

use super::super::{Block, FenceSettings};
use crate::engine::Target;

/// The name of our table.
pub(super) const TABLE: &str = "ringfence";
/// The name of the chain that drops.
pub(super) const CHAIN: &str = "guard";
/// Marks the table as ours; a table of the same name without it is somebody else's.
const MARK: &str = "made by ringfence";

/// Prerouting (`NF_INET_PRE_ROUTING`).
const HOOK: u32 = 0;
/// `NF_IP_PRI_RAW`.
const PRIORITY: i32 = -300;
/// `NF_ACCEPT`.
const ACCEPT: u32 = 1;
/// "Administratively prohibited" for IPv4 and IPv6 alike (`NFT_REJECT_ICMPX_ADMIN_PROHIBITED`).
const PROHIBITED: u8 = 3;

/// `NFPROTO_IPV4` and `NFPROTO_IPV6`.
const V4: u8 = 2;
const V6: u8 = 10;
/// Transport protocols.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// The first and the last ICMPv6 type of neighbour discovery (RFC 4861).
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// One of our sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SetId {
    Banned4,
    Banned6,
    Sockets4,
    Sockets6,
    Prefixes4,
    Prefixes6,
}

impl SetId {
    /// In the order in which a packet meets them.
    pub(super) const ALL: [Self; 6] = [
        Self::Banned4,
        Self::Banned6,
        Self::Sockets4,
        Self::Sockets6,
        Self::Prefixes4,
        Self::Prefixes6,
    ];

    /// The sets that hold single addresses or sockets.
    pub(super) const HASHED: [Self; 4] = [Self::Banned4, Self::Banned6, Self::Sockets4, Self::Sockets6];

    /// The set's name in the kernel.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Banned4 => "banned4",
            Self::Banned6 => "banned6",
            Self::Sockets4 => "sockets4",
            Self::Sockets6 => "sockets6",
            Self::Prefixes4 => "prefixes4",
            Self::Prefixes6 => "prefixes6",
        }
    }

    fn is_v6(self) -> bool {
        matches!(self, Self::Banned6 | Self::Sockets6 | Self::Prefixes6)
    }

    fn has_port(self) -> bool {
        matches!(self, Self::Sockets4 | Self::Sockets6)
    }

    pub(super) fn is_interval(self) -> bool {
        matches!(self, Self::Prefixes4 | Self::Prefixes6)
    }

    /// Bytes of a key.
    pub(super) fn key_len(self) -> usize {
        let address = if self.is_v6() { 16 } else { 4 };
        if self.has_port() { address + 4 } else { address }
    }

    fn set(self, capacity: u32) -> Set {
        /// `nft`'s number of the type "port".
        const PORT: u32 = 13;
        let (address_type, address_len) = if self.is_v6() { (8, 16) } else { (7, 4) };
        // A part of a concatenated key takes six bits of the type and a multiple of four bytes of the key.
        let (key_type, key_len) = if self.has_port() {
            ((address_type << 6) + PORT, address_len + 4)
        } else {
            (address_type, address_len)
        };
        let kind = if self.is_interval() {
            SetFlags::INTERVAL
        } else {
            SetFlags::default()
        };
        // Kernels before 6.16 count both ends of a range.
        let size = if self.is_interval() {
            capacity.saturating_mul(2)
        } else {
            capacity
        };
        Set {
            table: TABLE.to_owned(),
            name: self.name().to_owned(),
            flags: kind | SetFlags::TIMEOUT,
            key_type,
            key_len,
            size,
            counter: true,
        }
    }

    /// The rules that look the packet's source up in this set and block it.
    fn rules(self, block: Block) -> Vec<Rule> {
        if self.has_port() {
            [UDP, TCP]
                .into_iter()
                .map(|transport| self.rule(Some(transport), block))
                .collect()
        } else {
            vec![self.rule(None, block)]
        }
    }

    fn rule(self, transport: Option<u8>, block: Block) -> Rule {
        let (family, offset, len, behind) = if self.is_v6() {
            (V6, 8, 16, 2)
        } else {
            (V4, 12, 4, 9)
        };
        let mut expressions = family_is(family).to_vec();
        if let Some(transport) = transport {
            expressions.extend(transport_is(transport));
        }
        expressions.push(Expr::Payload {
            base: Base::Network,
            offset,
            len,
            register: 1,
        });
        if transport.is_some() {
            expressions.push(Expr::Payload {
                base: Base::Transport,
                offset: 0,
                len: 2,
                register: behind,
            });
        }
        expressions.push(Expr::Lookup {
            set: self.name().to_owned(),
            register: 1,
        });
        expressions.push(Expr::Counter);
        expressions.push(match block {
            Block::Drop => Expr::Drop,
            Block::Reject => Expr::Reject(PROHIBITED),
        });
        rule(expressions)
    }
}

/// Neighbour discovery passes, as ARP does for IPv4: without it a banned neighbour, or a banned prefix with the router
/// in it, would take the link down for everybody. Only direct neighbours can send such packets.
fn neighbours() -> Rule {
    let mut expressions = family_is(V6).to_vec();
    expressions.extend(transport_is(ICMPV6));
    expressions.extend([
        Expr::Payload {
            base: Base::Transport,
            offset: 0,
            len: 1,
            register: 1,
        },
        Expr::Compare(1, Comparison::AtLeast, vec![ROUTER_SOLICITATION]),
        Expr::Compare(1, Comparison::AtMost, vec![NEIGHBOUR_ADVERTISEMENT]),
        Expr::Accept,
    ]);
    rule(expressions)
}

fn family_is(family: u8) -> [Expr; 2] {
    [
        Expr::Meta(Meta::Family, 1),
        Expr::Compare(1, Comparison::Equal, vec![family]),
    ]
}

fn transport_is(transport: u8) -> [Expr; 2] {
    [
        Expr::Meta(Meta::Transport, 1),
        Expr::Compare(1, Comparison::Equal, vec![transport]),
    ]
}

fn rule(expressions: Vec<Expr>) -> Rule {
    Rule {
        table: TABLE.to_owned(),
        chain: CHAIN.to_owned(),
        expressions,
    }
}

/// The whole of our table, as the settings want it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) table: Table,
    pub(super) sets: Vec<Set>,
    pub(super) chain: Chain,
    pub(super) rules: Vec<Rule>,
}

impl Layout {
    pub(super) fn new(settings: &FenceSettings) -> Self {
        Self {
            table: Table {
                name: TABLE.to_owned(),
                flags: 0,
                comment: Some(MARK.to_owned()),
            },
            sets: SetId::ALL.map(|id| id.set(settings.capacity)).to_vec(),
            chain: Chain {
                table: TABLE.to_owned(),
                name: CHAIN.to_owned(),
                hook: Some((HOOK, PRIORITY)),
                kind: "filter".to_owned(),
                policy: Some(ACCEPT),
            },
            rules: std::iter::once(neighbours())
                .chain(SetId::ALL.into_iter().flat_map(|id| id.rules(settings.block)))
                .collect(),
        }
    }
}

/// The key of an element, in the set's own layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    bytes: [u8; 20],
    len: u8,
}

impl Key {
    fn new(address: IpAddr, port: Option<u16>) -> Self {
        let mut key = Self {
            bytes: [0; 20],
            len: 0,
        };
        match address {
            IpAddr::V4(v4) => key.push(&v4.octets()),
            IpAddr::V6(v6) => key.push(&v6.octets()),
        }
        if let Some(port) = port {
            let [high, low] = port.to_be_bytes();
            key.push(&[high, low, 0, 0]);
        }
        key
    }

    fn push(&mut self, part: &[u8]) {
        let rest = self.bytes.iter_mut().skip(usize::from(self.len));
        rest.zip(part).for_each(|(to, from)| *to = *from);
        self.len = self
            .len
            .saturating_add(u8::try_from(part.len()).unwrap_or(u8::MAX));
    }

    /// From an element of `set`; `None` if it has another size than the set's keys.
    pub(super) fn of(set: SetId, bytes: &[u8]) -> Option<Self> {
        let mut key = Self::default();
        key.push(bytes);
        (bytes.len() == set.key_len()).then_some(key)
    }

    /// As it stands in the kernel.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}

/// In which hash set an address or socket stands, under which key; `None` for a prefix.
pub(super) fn place(target: &Target) -> Option<(SetId, Key)> {
    let (address, port) = match target {
        Target::Address(address) => (address.to_canonical(), None),
        Target::Socket(socket) => (socket.ip().to_canonical(), Some(socket.port())),
        Target::Prefix(_) => return None,
    };
    let set = match (address, port) {
        (IpAddr::V4(_), None) => SetId::Banned4,
        (IpAddr::V6(_), None) => SetId::Banned6,
        (IpAddr::V4(_), Some(_)) => SetId::Sockets4,
        (IpAddr::V6(_), Some(_)) => SetId::Sockets6,
    };
    Some((set, Key::new(address, port)))
}

/// Whom an element of a hash set stops; `None` if its key has another size than the set's.
pub(super) fn target(set: SetId, key: &[u8]) -> Option<Target> {
    let (address, rest) = if set.is_v6() {
        let (address, rest) = key.split_first_chunk::<16>()?;
        (IpAddr::V6(Ipv6Addr::from(*address)), rest)
    } else {
        let (address, rest) = key.split_first_chunk::<4>()?;
        (IpAddr::V4(Ipv4Addr::from(*address)), rest)
    };
    match (set.has_port(), rest) {
        (false, []) => Some(Target::Address(address)),
        (true, [high, low, _, _]) => {
            let port = u16::from_be_bytes([*high, *low]);
            Some(Target::Socket(match address {
                IpAddr::V4(_) => SocketAddr::new(address, port),
                IpAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(v6, port, 0, 0)),
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_target_back() {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let address: IpAddr = text.parse().unwrap();
            for wanted in [
                Target::Address(address),
                Target::Socket(SocketAddr::new(address, 5060)),
            ] {
                let (set, key) = place(&wanted).unwrap();
                assert_eq!(target(set, key.bytes()), Some(wanted));
                assert_eq!(target(set, &key.bytes()[1..]), None);
            }
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_stopped_as_what_its_packets_are() {
        let (set, key) = place(&Target::Address("::ffff:192.0.2.1".parse().unwrap())).unwrap();
        assert_eq!(set, SetId::Banned4);
        assert_eq!(key.bytes(), [192, 0, 2, 1]);
    }
}
