//! Chains that hang on a hook.

use crate::attr::{ParseError, attributes};
use crate::message::{Kind, Message};
use crate::wire::Writer;

/// A chain; one without a hook is reached only by jumps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The table it is in.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Hook number (0 is prerouting) and priority.
    pub hook: Option<(u32, i32)>,
    /// Its type, `filter` for instance; empty for a chain without a hook.
    pub kind: String,
    /// What happens to a packet that no rule decided: 0 drop, 1 accept.
    pub policy: Option<u32>,
}

impl Chain {
    /// From a message about it.
    pub fn decode(message: &Message<'_>) -> Result<Self, ParseError> {
        let mut chain = Self::default();
        for attr in attributes(message.body(&[Kind::NewChain, Kind::DeleteChain])?) {
            let attr = attr?;
            match attr.kind {
                1 => attr.name()?.clone_into(&mut chain.table),
                3 => attr.name()?.clone_into(&mut chain.name),
                4 => chain.hook = hook(attr.value)?,
                5 => chain.policy = Some(attr.be32()?),
                7 => attr.name()?.clone_into(&mut chain.kind),
                _ => (),
            }
        }
        Ok(chain)
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.name(1, &self.table);
        w.name(3, &self.name);
        if !self.kind.is_empty() {
            w.name(7, &self.kind);
        }
        if let Some(policy) = self.policy {
            w.be32(5, policy);
        }
        if let Some((number, priority)) = self.hook {
            w.nest(4, |w| {
                w.be32(1, number);
                w.attr(2, &priority.to_be_bytes());
            });
        }
    }
}

fn hook(bytes: &[u8]) -> Result<Option<(u32, i32)>, ParseError> {
    let (mut number, mut priority) = (None, None);
    for attr in attributes(bytes) {
        let attr = attr?;
        match attr.kind {
            1 => number = Some(attr.be32()?),
            2 => priority = Some(attr.be32()?.cast_signed()),
            _ => (),
        }
    }
    Ok(number.zip(priority))
}
