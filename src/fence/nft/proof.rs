//! Shows with real packets that what is banned is dropped.
//!
//! A UDP socket gets an address that nobody has (a random one of 127.0.0.0/8; for IPv6 one of the discard-only prefix
//! 100::/64 of RFC 6666, so that even an answer to it goes nowhere). That address is banned, a packet goes from it to
//! another socket of ours over loopback: it must not arrive, and the element must have counted it. Then the ban is lifted
//! and the next packet must arrive. The test elements end by themselves after a second, whatever happens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ringfence_nfnl::{Batch, Element, elements, request};
use socket2::{Domain, Protocol, Socket, Type};

use super::failure::failure;
use super::layout::{Key, SetId, TABLE, place};
use super::link::{Link, invalid};
use crate::engine::Target;
use crate::fence::{FenceError, Proven};

/// Milliseconds after which a test element ends by itself.
const TEST_TIMEOUT: u64 = 1000;
/// How long a packet may take over loopback. It is delivered within the call that sends it, unless the machine is so
/// busy that the kernel puts that off.
const PATIENCE: Duration = Duration::from_millis(20);
/// An interval set with more segments than that isn't touched for a test: each change then costs a noticeable time.
const MANY_SEGMENTS: usize = 1000;

/// 100::/64.
const DISCARD_ONLY: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0);

/// Which sets of which family are shown with packets.
const PROVEN: [(IpFamily, [SetId; 3]); 2] = [
    (IpFamily::V4, [SetId::Banned4, SetId::Sockets4, SetId::Prefixes4]),
    (IpFamily::V6, [SetId::Banned6, SetId::Sockets6, SetId::Prefixes6]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IpFamily {
    V4,
    V6,
}

/// Proves each set of each family; what can't be shown is a gap. `segments` is how many the interval sets hold.
pub(super) fn prove(link: &mut Link, segments: usize) -> Result<Proven, FenceError> {
    let (mut shown, mut gaps) = (Vec::new(), Vec::new());
    for (family, sets) in PROVEN {
        let probe = match Probe::open(family) {
            Ok(probe) => probe,
            Err(error) => {
                gaps.push(format!(
                    "no packet could be sent over loopback with {family:?}: {error}"
                ));
                continue;
            }
        };
        let mut dropped = Vec::new();
        for set in sets {
            if set.is_interval() && segments > MANY_SEGMENTS {
                gaps.push(format!(
                    "{}: not tried with a packet, it holds {segments} ranges",
                    set.name()
                ));
                continue;
            }
            match probe.is_dropped(link, set)? {
                Ok(()) => dropped.push(set.name()),
                Err(gap) => {
                    gaps.push(format!("{}: {gap}", set.name()));
                    break;
                }
            }
        }
        if dropped.is_empty() {
            continue;
        }
        let suspect = probe.suspect_address.ip();
        shown.push(format!(
            "a packet from {suspect} was dropped by {}",
            dropped.join(", ")
        ));
        if !probe.arrives() {
            gaps.push(format!(
                "a packet from {suspect} did not arrive after the ban was lifted: another rule drops it"
            ));
        }
    }
    let how = if shown.is_empty() {
        format!("the kernel says that the chain and rules of table inet {TABLE} are in place")
    } else {
        format!("{} of table inet {TABLE}", shown.join("; "))
    };
    Ok(Proven { how, gaps })
}

/// Two sockets: one with an address nobody has, and one that it sends to.
struct Probe {
    suspect: UdpSocket,
    suspect_address: SocketAddr,
    victim: UdpSocket,
    victim_address: SocketAddr,
}

impl Probe {
    fn open(family: IpFamily) -> io::Result<Self> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let (suspect, victim) = match family {
            IpFamily::V4 => {
                // Neither 127.0.0.x, which people use, nor anything that ends in 0 or 255.
                let [second, third, fourth, ..] = random;
                let address = Ipv4Addr::new(127, second.clamp(1, 254), third, fourth.clamp(1, 254));
                (
                    UdpSocket::bind((address, 0))?,
                    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
                )
            }
            IpFamily::V6 => {
                let host = u128::from(u64::from_be_bytes(random) | 1);
                let address = Ipv6Addr::from(u128::from(DISCARD_ONLY) | host);
                let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
                socket.set_freebind_v6(true)?;
                socket.bind(&SocketAddr::new(IpAddr::V6(address), 0).into())?;
                (socket.into(), UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?)
            }
        };
        victim.set_nonblocking(true)?;
        let (suspect_address, victim_address) = (suspect.local_addr()?, victim.local_addr()?);
        let probe = Self {
            suspect,
            suspect_address,
            victim,
            victim_address,
        };
        // Loopback may be down or without addresses: better known before anything is concluded.
        probe.send(b"r")?;
        Ok(probe)
    }

    fn send(&self, mark: &[u8]) -> io::Result<()> {
        self.suspect.send_to(mark, self.victim_address).map(drop)
    }

    /// Bans the suspect through one set and sends a packet. The inner error says what could not be shown.
    fn is_dropped(&self, link: &mut Link, set: SetId) -> Result<Result<(), String>, FenceError> {
        let test = TestBan::new(set, self.suspect_address);
        let what = || format!("hold a test element in the set {}", set.name());
        let (_, refusals) = link
            .transact(|batch| test.add(batch))
            .map_err(|error| failure(&what(), error))?;
        if let Some(refusal) = refusals.into_iter().next() {
            return Err(failure(&what(), refusal.error));
        }
        let verdict = self.observe(link, set, &test);
        // It ends by itself in any case; a failure here changes nothing.
        let _ = link.transact(|batch| test.delete(batch));
        verdict
    }

    fn observe(&self, link: &mut Link, set: SetId, test: &TestBan) -> Result<Result<(), String>, FenceError> {
        let mark = set.name().as_bytes();
        if let Err(error) = self.send(mark) {
            return Ok(Err(format!("the test packet could not be sent: {error}")));
        }
        let start = Instant::now();
        loop {
            let packets = test
                .packets(link)
                .map_err(|error| failure("ask for the test element", error))?;
            let Some(packets) = packets else {
                return Err(unproven(format!(
                    "the kernel doesn't have the test element just put into {}",
                    set.name()
                )));
            };
            if self.received(mark) {
                let from = self.suspect_address.ip();
                return Err(unproven(format!(
                    "a packet from {from}, banned in the set {}, arrived",
                    set.name()
                )));
            }
            if packets > 0 {
                return Ok(Ok(()));
            }
            if start.elapsed() > PATIENCE {
                return Ok(Err(
                    "a test packet was lost before it reached our chain".to_owned()
                ));
            }
            std::thread::yield_now();
        }
    }

    /// Whether a packet from the suspect, banned no longer, arrives.
    fn arrives(&self) -> bool {
        const FREE: &[u8] = b"free";
        if self.send(FREE).is_err() {
            return false;
        }
        let start = Instant::now();
        while !self.received(FREE) {
            if start.elapsed() > PATIENCE {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// Whether the packet with this mark has arrived; anything else that arrived is dropped.
    fn received(&self, mark: &[u8]) -> bool {
        let mut buffer = [0; 32];
        while let Ok((len, from)) = self.victim.recv_from(&mut buffer) {
            if from == self.suspect_address && buffer.get(..len) == Some(mark) {
                return true;
            }
        }
        false
    }
}

fn unproven(detail: String) -> FenceError {
    FenceError::Unproven {
        detail,
        remedy: format!(
            "Look at 'nft list table inet {TABLE}' and at what else accepts packets before it ('nft list ruleset'), \
             and report it"
        ),
    }
}

/// The elements that ban the suspect in one set.
struct TestBan {
    set: SetId,
    key: Key,
    /// The first address behind it, for an interval set.
    behind: Option<Key>,
}

impl TestBan {
    fn new(set: SetId, suspect: SocketAddr) -> Self {
        let ip = suspect.ip();
        let next = match ip {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4).saturating_add(1))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6).saturating_add(1))),
        };
        let key = |target| place(&target).map_or_else(Key::default, |(_, key)| key);
        match set {
            SetId::Banned4 | SetId::Banned6 => Self {
                set,
                key: key(Target::Address(ip)),
                behind: None,
            },
            SetId::Sockets4 | SetId::Sockets6 => Self {
                set,
                key: key(Target::Socket(suspect)),
                behind: None,
            },
            SetId::Prefixes4 | SetId::Prefixes6 => Self {
                set,
                key: key(Target::Address(ip)),
                behind: Some(key(Target::Address(next))),
            },
        }
    }

    fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        let start = Element::new(self.key.bytes()).timeout(Some(TEST_TIMEOUT));
        std::iter::once(start).chain(self.behind.as_ref().map(|key| Element::end(key.bytes())))
    }

    fn add(&self, batch: &mut Batch) {
        batch.add_elements(TABLE, self.set.name(), self.elements());
    }

    fn delete(&self, batch: &mut Batch) {
        batch.delete_elements(TABLE, self.set.name(), self.elements());
    }

    /// What the kernel's element has counted; `None` if the kernel has no such element.
    fn packets(&self, link: &mut Link) -> io::Result<Option<u64>> {
        let found = link.ask(
            |seq| request::element(seq, TABLE, self.set.name(), self.key.bytes()),
            |message| {
                let (_, _, mut list) = elements(message).map_err(invalid)?;
                list.next()
                    .transpose()
                    .map_err(invalid)
                    .map(|element| element.map(|element| element.packets.unwrap_or(0)))
            },
        )?;
        Ok(found.flatten())
    }
}
