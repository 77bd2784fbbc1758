//! Questions: what the kernel holds.
//!
//! The plural ones ask for a dump: many messages that end with [`crate::Reply::Done`]. The singular ones are answered
//! with exactly one message: what was asked for, or an error (`ENOENT` when it isn't there).

use crate::message::Kind;
use crate::wire::Writer;
use crate::{Element, FAMILY_INET};

const REQUEST: u16 = 0x1;
const DUMP: u16 = 0x300;

/// The number of the current ruleset; the cheapest question there is.
pub fn generation(seq: u32) -> Vec<u8> {
    message(Kind::GetGeneration, 0, seq, |_| ())
}

/// One table.
pub fn table(seq: u32, table: &str) -> Vec<u8> {
    message(Kind::GetTable, 0, seq, |w| w.name(1, table))
}

/// One chain.
pub fn chain(seq: u32, table: &str, chain: &str) -> Vec<u8> {
    message(Kind::GetChain, 0, seq, |w| {
        w.name(1, table);
        w.name(3, chain);
    })
}

/// The sets of a table.
pub fn sets(seq: u32, table: &str) -> Vec<u8> {
    message(Kind::GetSet, DUMP, seq, |w| w.name(1, table))
}

/// The rules of a chain, in their order.
pub fn rules(seq: u32, table: &str, chain: &str) -> Vec<u8> {
    message(Kind::GetRule, DUMP, seq, |w| {
        w.name(1, table);
        w.name(2, chain);
    })
}

/// The elements of a set.
pub fn elements(seq: u32, table: &str, set: &str) -> Vec<u8> {
    message(Kind::GetElement, DUMP, seq, |w| {
        w.name(1, table);
        w.name(2, set);
    })
}

/// One element of a set.
pub fn element(seq: u32, table: &str, set: &str, key: &[u8]) -> Vec<u8> {
    message(Kind::GetElement, 0, seq, |w| {
        w.name(1, table);
        w.name(2, set);
        w.nest(3, |w| Element::new(key).encode(w));
    })
}

fn message(kind: Kind, flags: u16, seq: u32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(kind.number(), REQUEST | flags, seq, FAMILY_INET, 0, body);
    writer.bytes
}
