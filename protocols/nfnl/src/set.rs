//! Sets.

use std::ops::BitOr;

use crate::attr::{ParseError, attributes, find};
use crate::message::{Kind, Message};
use crate::wire::Writer;

/// User data that says that keys are big-endian, for `nft list` (`NFTNL_UDATA_SET_KEYBYTEORDER`, big endian).
const BIG_ENDIAN_KEYS: [u8; 2] = [0, 4];

/// What a set can do (`NFT_SET_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetFlags(pub u32);

impl SetFlags {
    /// Its elements are the two ends of ranges.
    pub const INTERVAL: Self = Self(0x4);
    /// Its elements end by themselves.
    pub const TIMEOUT: Self = Self(0x10);
}

impl BitOr for SetFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The table it is in.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What it can do.
    pub flags: SetFlags,
    /// What its keys are, for `nft list` only: 7 an IPv4 address, 8 an IPv6 address, 13 a port, six bits a part.
    pub key_type: u32,
    /// Bytes of a key.
    pub key_len: u32,
    /// At most this many elements; 0 for no limit.
    pub size: u32,
    /// Whether each element counts the packets that it matched.
    pub counter: bool,
}

impl Set {
    /// From a message about it.
    pub fn decode(message: &Message<'_>) -> Result<Self, ParseError> {
        let mut set = Self::default();
        for attr in attributes(message.body(&[Kind::NewSet, Kind::DeleteSet])?) {
            let attr = attr?;
            match attr.kind {
                1 => attr.name()?.clone_into(&mut set.table),
                2 => attr.name()?.clone_into(&mut set.name),
                3 => set.flags = SetFlags(attr.be32()?),
                4 => set.key_type = attr.be32()?,
                5 => set.key_len = attr.be32()?,
                9 => {
                    if let Some(size) = find(attr.value, 1)? {
                        set.size = size.be32()?;
                    }
                }
                17 => set.counter |= is_counter(attr.value)?,
                18 => {
                    for expr in attr.nested() {
                        set.counter |= is_counter(expr?.value)?;
                    }
                }
                _ => (),
            }
        }
        Ok(set)
    }

    pub(crate) fn encode(&self, w: &mut Writer, id: u32) {
        w.name(1, &self.table);
        w.name(2, &self.name);
        w.be32(3, self.flags.0);
        w.be32(4, self.key_type);
        w.be32(5, self.key_len);
        w.be32(10, id);
        if self.size > 0 {
            w.nest(9, |w| w.be32(1, self.size));
        }
        let mut udata = BIG_ENDIAN_KEYS.to_vec();
        udata.extend_from_slice(&2_u32.to_ne_bytes());
        w.attr(13, &udata);
        if self.counter {
            w.nest(17, |w| {
                w.name(1, "counter");
                w.nest(2, |_| ());
            });
        }
    }
}

fn is_counter(expr: &[u8]) -> Result<bool, ParseError> {
    Ok(match find(expr, 1)? {
        Some(name) => name.name()? == "counter",
        None => false,
    })
}
