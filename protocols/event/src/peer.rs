//! Who talked to the PBX, as the PBX saw the packet's source.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Proof;

/// A peer's address, port and transport, built once at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    addr: IpAddr,
    port: u16,
    transport: Transport,
}

impl Peer {
    /// Nobody yet, to be filled in.
    pub const UNKNOWN: Self = Self {
        addr: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        port: 0,
        transport: Transport::Unknown,
    };

    /// Builds a peer; an IPv4-mapped IPv6 address becomes the IPv4 address it is. `port` is 0 when unknown.
    pub fn new(addr: IpAddr, port: u16, transport: Transport) -> Self {
        Self {
            addr: addr.to_canonical(),
            port,
            transport,
        }
    }

    /// The address; never an IPv4-mapped IPv6 one.
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// The source port, 0 when unknown.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How it talked to the PBX.
    pub fn transport(&self) -> Transport {
        self.transport
    }
}

/// How a peer talked to the PBX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Transport {
    /// The source does not say; counts as UDP, the transport that proves nothing.
    #[default]
    Unknown,
    /// Datagrams: the source address can be forged.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// The name used in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// What the transport alone proves about the peer's address.
    pub fn proof(self) -> Proof {
        match self {
            Self::Unknown | Self::Udp => Proof::None,
            Self::Tcp | Self::Tls | Self::Ws | Self::Wss => Proof::Handshake,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let peer = Peer::new("::ffff:192.0.2.1".parse().unwrap(), 5060, Transport::Udp);
        assert_eq!(peer.addr(), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn only_a_handshake_proves_by_itself() {
        assert_eq!(Transport::Unknown.proof(), Proof::None);
        assert_eq!(Transport::Udp.proof(), Proof::None);
        assert_eq!(Transport::Wss.proof(), Proof::Handshake);
    }
}
