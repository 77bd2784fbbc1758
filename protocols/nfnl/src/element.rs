//! Elements of sets.

use crate::attr::{Attr, ParseError, attributes, find};
use crate::message::{Kind, Message};
use crate::wire::Writer;

/// `NFT_SET_ELEM_INTERVAL_END`.
const INTERVAL_END: u32 = 1;
/// User data that makes `nft list` show a start without an end as a range up to the last address.
const OPEN_INTERVAL: [u8; 2] = [1, 4];

/// An element to add or to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its key, as long as the set's keys are.
    pub key: &'a [u8],
    /// Milliseconds until it ends by itself; `None` for never.
    pub timeout: Option<u64>,
    /// Whether it is the first key after a range instead of a key (interval sets).
    pub end: bool,
    /// Whether all of the timeout is left even if it is there already, with the same timeout (since Linux 6.12).
    pub anew: bool,
    /// Whether its range has no end, because it goes up to the last key there is (interval sets).
    pub open: bool,
}

impl<'a> Element<'a> {
    /// An element that stays until it is removed.
    pub fn new(key: &'a [u8]) -> Self {
        Self {
            key,
            timeout: None,
            end: false,
            anew: false,
            open: false,
        }
    }

    /// The same, ending by itself after `millis`.
    #[must_use]
    pub fn timeout(self, millis: Option<u64>) -> Self {
        Self {
            timeout: millis,
            ..self
        }
    }

    /// The same, with all of its timeout left even if it is there already.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { anew: true, ..self }
    }

    /// The first key after a range.
    pub fn end(key: &'a [u8]) -> Self {
        Self {
            end: true,
            ..Self::new(key)
        }
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.nest(1, |w| {
            if self.end {
                w.be32(3, INTERVAL_END);
            } else if let Some(millis) = self.timeout {
                w.be64(4, millis);
                if self.anew {
                    w.be64(5, millis);
                }
            }
            w.nest(1, |w| w.attr(1, self.key));
            if self.open {
                let mut udata = OPEN_INTERVAL.to_vec();
                udata.extend_from_slice(&1_u32.to_ne_bytes());
                w.attr(6, &udata);
            }
        });
    }
}

/// An element that the kernel holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldElement<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Whether it is the first key after a range.
    pub end: bool,
    /// Milliseconds it was given; `None` when it never ends by itself.
    pub timeout: Option<u64>,
    /// Milliseconds that are left.
    pub expiration: Option<u64>,
    /// Packets that it matched, where the set counts.
    pub packets: Option<u64>,
}

/// The elements that a message carries, with the names of their table and set.
pub fn elements<'a>(
    message: &Message<'a>,
) -> Result<
    (
        &'a str,
        &'a str,
        impl Iterator<Item = Result<HeldElement<'a>, ParseError>> + use<'a>,
    ),
    ParseError,
> {
    let body = message.body(&[Kind::NewElement, Kind::DeleteElement])?;
    let table = find(body, 1)?.ok_or(ParseError::Missing(1))?.name()?;
    let set = find(body, 2)?.ok_or(ParseError::Missing(2))?.name()?;
    let list = find(body, 3)?.map(|attr| attr.value).unwrap_or_default();
    Ok((table, set, attributes(list).map(|attr| element(attr?))))
}

fn element(attr: Attr<'_>) -> Result<HeldElement<'_>, ParseError> {
    let mut held = HeldElement::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            1 => held.key = find(attr.value, 1)?.map(|value| value.value).unwrap_or_default(),
            3 => held.end = attr.be32()? & INTERVAL_END != 0,
            4 => held.timeout = Some(attr.be64()?).filter(|millis| *millis > 0),
            5 => held.expiration = Some(attr.be64()?),
            7 => held.packets = packets(attr.value)?.or(held.packets),
            11 => {
                for expr in attr.nested() {
                    held.packets = packets(expr?.value)?.or(held.packets);
                }
            }
            _ => (),
        }
    }
    Ok(held)
}

/// The packets of a counter expression; `None` for any other.
fn packets(expr: &[u8]) -> Result<Option<u64>, ParseError> {
    let Some(name) = find(expr, 1)? else {
        return Ok(None);
    };
    if name.name()? != "counter" {
        return Ok(None);
    }
    let Some(data) = find(expr, 2)? else {
        return Ok(None);
    };
    find(data.value, 2)?.map(|packets| packets.be64()).transpose()
}
