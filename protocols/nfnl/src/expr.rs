//! Expressions: the steps of a rule.

use crate::attr::{Attr, ParseError, find};
use crate::wire::Writer;

/// Where a step puts or finds its value, by the kernel's numbers: 1 to 4 are 16 bytes wide, 8 to 23 the 4-byte pieces
/// of the same storage (9 is the second piece of 1).
pub type Register = u32;

/// A property of a packet that stands in none of its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// The protocol family, one byte: 2 for IPv4, 10 for IPv6 (`NFT_META_NFPROTO`).
    Family,
    /// The transport protocol, one byte (`NFT_META_L4PROTO`).
    Transport,
}

/// From where a header's offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The IP header.
    Network,
    /// The UDP or TCP header; a fragment without one matches no rule.
    Transport,
}

/// How two values compare, byte by byte from the first (`NFT_CMP_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal = 0,
    /// At most this.
    AtMost = 3,
    /// At least this.
    AtLeast = 5,
}

impl Comparison {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Equal, Self::AtMost, Self::AtLeast]
            .into_iter()
            .find(|comparison| *comparison as u32 == number)
    }
}

/// One step of a rule; the rule ends with the first that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Puts a property into a register.
    Meta(Meta, Register),
    /// Goes on if what stands in a register compares like this with a value.
    Compare(Register, Comparison, Vec<u8>),
    /// Puts bytes of a header into a register.
    Payload {
        /// Of which header.
        base: Base,
        /// From which byte on.
        offset: u32,
        /// How many.
        len: u32,
        /// Where to.
        register: Register,
    },
    /// Goes on if a set has what stands in a register.
    Lookup {
        /// The set's name.
        set: String,
        /// Where the key stands.
        register: Register,
    },
    /// Counts packets and bytes.
    Counter,
    /// The packet leaves the chain and goes on.
    Accept,
    /// The packet vanishes.
    Drop,
    /// The packet's sender is told with this ICMP code, IPv4 or IPv6 alike (`NFT_REJECT_ICMPX_*`; 3 is
    /// "administratively prohibited").
    Reject(u8),
    /// Something that this program never writes, by its name.
    Other(String),
}

/// `NFT_REJECT_ICMPX_UNREACH`.
const REJECT_ICMPX: u32 = 2;
/// `NFT_REG_VERDICT`.
const VERDICT: Register = 0;
/// `NF_DROP`.
const DROP: u32 = 0;
/// `NF_ACCEPT`.
const ACCEPT: u32 = 1;

impl Expr {
    pub(crate) fn encode(&self, w: &mut Writer) {
        w.nest(1, |w| {
            w.name(1, self.name());
            w.nest(2, |w| self.encode_data(w));
        });
    }

    fn name(&self) -> &str {
        match self {
            Self::Meta(..) => "meta",
            Self::Compare(..) => "cmp",
            Self::Payload { .. } => "payload",
            Self::Lookup { .. } => "lookup",
            Self::Counter => "counter",
            Self::Accept | Self::Drop => "immediate",
            Self::Reject(_) => "reject",
            Self::Other(name) => name,
        }
    }

    fn encode_data(&self, w: &mut Writer) {
        match self {
            Self::Meta(meta, register) => {
                w.be32(2, if *meta == Meta::Family { 15 } else { 16 });
                w.be32(1, *register);
            }
            Self::Compare(register, comparison, value) => {
                w.be32(1, *register);
                w.be32(2, *comparison as u32);
                w.nest(3, |w| w.attr(1, value));
            }
            Self::Payload {
                base,
                offset,
                len,
                register,
            } => {
                w.be32(1, *register);
                w.be32(2, if *base == Base::Network { 1 } else { 2 });
                w.be32(3, *offset);
                w.be32(4, *len);
            }
            Self::Lookup { set, register } => {
                w.be32(2, *register);
                w.name(1, set);
            }
            Self::Counter | Self::Other(_) => (),
            Self::Accept | Self::Drop => {
                w.be32(1, VERDICT);
                let code = if *self == Self::Accept { ACCEPT } else { DROP };
                w.nest(2, |w| w.nest(2, |w| w.be32(1, code)));
            }
            Self::Reject(code) => {
                w.be32(1, REJECT_ICMPX);
                w.attr(2, &[*code]);
            }
        }
    }

    /// From one element of a list of expressions.
    pub(crate) fn decode(attr: Attr<'_>) -> Result<Self, ParseError> {
        let name = find(attr.value, 1)?.ok_or(ParseError::Missing(1))?.name()?;
        let data = find(attr.value, 2)?.map(|attr| attr.value).unwrap_or_default();
        Ok(Self::decode_data(name, data)?.unwrap_or_else(|| Self::Other(name.to_owned())))
    }

    /// `None` for what this program never writes.
    fn decode_data(name: &str, data: &[u8]) -> Result<Option<Self>, ParseError> {
        let number = |kind| find(data, kind)?.map(|attr: Attr<'_>| attr.be32()).transpose();
        Ok(match name {
            "meta" => {
                let meta = match number(2)? {
                    Some(15) => Meta::Family,
                    Some(16) => Meta::Transport,
                    _ => return Ok(None),
                };
                number(1)?.map(|register| Self::Meta(meta, register))
            }
            "cmp" => {
                let comparison = number(2)?.and_then(Comparison::from_number);
                let value = find(data, 3)?
                    .map(|attr| find(attr.value, 1))
                    .transpose()?
                    .flatten();
                match (number(1)?, comparison, value) {
                    (Some(register), Some(comparison), Some(value)) => {
                        Some(Self::Compare(register, comparison, value.value.to_vec()))
                    }
                    _ => None,
                }
            }
            "payload" => {
                let base = match number(2)? {
                    Some(1) => Base::Network,
                    Some(2) => Base::Transport,
                    _ => return Ok(None),
                };
                match (number(1)?, number(3)?, number(4)?) {
                    (Some(register), Some(offset), Some(len)) => Some(Self::Payload {
                        base,
                        offset,
                        len,
                        register,
                    }),
                    _ => None,
                }
            }
            // An inverted lookup, or one that reads a map, is none of ours.
            "lookup" if number(3)?.is_none() && number(5)?.unwrap_or(0) == 0 => {
                let set = find(data, 1)?.map(|attr| attr.name()).transpose()?;
                number(2)?.zip(set).map(|(register, set)| Self::Lookup {
                    set: set.to_owned(),
                    register,
                })
            }
            "counter" => Some(Self::Counter),
            "immediate" => match verdict(data)? {
                Some(ACCEPT) => Some(Self::Accept),
                Some(DROP) => Some(Self::Drop),
                _ => None,
            },
            "reject" if number(1)? == Some(REJECT_ICMPX) => match find(data, 2)?.map(|attr| attr.value) {
                Some([code]) => Some(Self::Reject(*code)),
                _ => None,
            },
            _ => None,
        })
    }
}

/// The verdict that the data of an `immediate` gives; `None` if it puts a value into a register instead.
fn verdict(data: &[u8]) -> Result<Option<u32>, ParseError> {
    let register = find(data, 1)?.map(|register| register.be32()).transpose()?;
    let Some(value) = find(data, 2)? else {
        return Ok(None);
    };
    let Some(verdict) = find(value.value, 2)? else {
        return Ok(None);
    };
    let code = find(verdict.value, 1)?.map(|code| code.be32()).transpose()?;
    Ok(code.filter(|_| register == Some(VERDICT)))
}
