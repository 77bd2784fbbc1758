//! Changes that the kernel carries out all together or not at all.

use crate::message::Kind;
use crate::wire::{HEADER, Writer};
use crate::{Chain, Element, FAMILY_INET, Rule, Set, Table};

/// At most this many elements go into one message: the list's length is a 16-bit number.
pub const MAX_ELEMENTS: usize = 1000;

/// The list of elements of a message is closed before it reaches this size, whatever the elements hold.
const MAX_LIST: usize = 60_000;

/// A thousand elements take 60 kB; restoring a whole table may take a thousand times that, once.
const KEPT_MEMORY: usize = 256 << 10;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFNL_SUBSYS_NFTABLES`, the resource of the begin and end of a batch.
const NFTABLES: u16 = 10;

/// Why a batch can't be sent: we are at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// An attribute outgrew its 16-bit length.
    #[error("an attribute is longer than 65535 bytes")]
    TooLong,
}

/// A transaction in the making.
///
/// Each message gets a number of its own, counted up from that of the beginning; the kernel's refusals carry it. Only the
/// last message asks for an answer: with one for each, the socket's buffer would overflow.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    writer: Writer,
    first: u32,
    next: u32,
    last_at: usize,
}

impl Batch {
    /// An empty transaction whose messages are numbered from `seq`.
    pub fn new(seq: u32) -> Self {
        let mut batch = Self::default();
        batch.restart(seq);
        batch
    }

    /// Drops everything and begins anew, keeping the memory unless it was unusually much.
    pub fn restart(&mut self, seq: u32) {
        self.writer.bytes.clear();
        self.writer.bytes.shrink_to(KEPT_MEMORY);
        self.writer.overflow = false;
        self.first = seq;
        self.next = seq;
        self.last_at = 0;
        self.push(BATCH_BEGIN, 0, 0, NFTABLES, |_| ());
    }

    /// The number of the beginning; the kernel refuses the transaction as a whole under it.
    pub fn first_seq(&self) -> u32 {
        self.first
    }

    /// The number of the latest message.
    pub fn last_seq(&self) -> u32 {
        self.next.wrapping_sub(1)
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.last_seq() == self.first
    }

    /// Closes the transaction; what to send. Ask once.
    pub fn finish(&mut self) -> Result<&[u8], EncodeError> {
        let flags_at = self.last_at + 6;
        if let Some(flags) = crate::attr::ne16(&self.writer.bytes, flags_at) {
            self.writer.patch(flags_at, &(flags | ACK).to_ne_bytes());
        }
        let end = self.next;
        self.writer.message(BATCH_END, REQUEST, end, 0, NFTABLES, |_| ());
        if self.writer.overflow {
            return Err(EncodeError::TooLong);
        }
        Ok(&self.writer.bytes)
    }

    /// The number of the message that ends it; valid after [`Batch::finish`].
    pub fn end_seq(&self) -> u32 {
        self.next
    }

    /// Makes a table; nothing happens when it is there.
    pub fn new_table(&mut self, table: &Table) -> u32 {
        self.change(Kind::NewTable, 0, |w| table.encode(w))
    }

    /// Removes a table with everything in it.
    pub fn delete_table(&mut self, table: &str) -> u32 {
        self.change(Kind::DeleteTable, 0, |w| w.name(1, table))
    }

    /// Makes a set. `id` is any number that no other set of the transaction has.
    pub fn new_set(&mut self, set: &Set, id: u32) -> u32 {
        self.change(Kind::NewSet, CREATE, |w| set.encode(w, id))
    }

    /// Removes a set with its elements; refused while a rule uses it.
    pub fn delete_set(&mut self, table: &str, set: &str) -> u32 {
        self.change(Kind::DeleteSet, 0, |w| {
            w.name(1, table);
            w.name(2, set);
        })
    }

    /// Makes a chain.
    pub fn new_chain(&mut self, chain: &Chain) -> u32 {
        self.change(Kind::NewChain, CREATE, |w| chain.encode(w))
    }

    /// Removes a chain; refused while it has rules.
    pub fn delete_chain(&mut self, table: &str, chain: &str) -> u32 {
        self.change(Kind::DeleteChain, 0, |w| {
            w.name(1, table);
            w.name(3, chain);
        })
    }

    /// Appends a rule to its chain.
    pub fn new_rule(&mut self, rule: &Rule) -> u32 {
        self.change(Kind::NewRule, CREATE | APPEND, |w| rule.encode(w))
    }

    /// Removes every rule of a chain.
    pub fn delete_rules(&mut self, table: &str, chain: &str) -> u32 {
        self.change(Kind::DeleteRule, 0, |w| {
            w.name(1, table);
            w.name(2, chain);
        })
    }

    /// Adds elements to a set, in as many messages as they need; refused (`EEXIST`) when one is there already.
    pub fn add_elements<'a>(
        &mut self,
        table: &str,
        set: &str,
        elements: impl IntoIterator<Item = Element<'a>>,
    ) {
        self.elements(Kind::NewElement, CREATE | EXCLUSIVE, table, set, elements);
    }

    /// The same, but not refused when one is there already. Kernels before 6.12 then leave it as it is, later ones take
    /// over its timeout.
    pub fn put_elements<'a>(
        &mut self,
        table: &str,
        set: &str,
        elements: impl IntoIterator<Item = Element<'a>>,
    ) {
        self.elements(Kind::NewElement, CREATE, table, set, elements);
    }

    /// Removes elements from a set, in as many messages as they need; refused (`ENOENT`) when one isn't there.
    pub fn delete_elements<'a>(
        &mut self,
        table: &str,
        set: &str,
        elements: impl IntoIterator<Item = Element<'a>>,
    ) {
        self.elements(Kind::DeleteElement, 0, table, set, elements);
    }

    /// The same, but not refused when one isn't there; since Linux 6.3.
    pub fn destroy_elements<'a>(
        &mut self,
        table: &str,
        set: &str,
        elements: impl IntoIterator<Item = Element<'a>>,
    ) {
        self.elements(Kind::DestroyElement, 0, table, set, elements);
    }

    fn elements<'a>(
        &mut self,
        kind: Kind,
        flags: u16,
        table: &str,
        set: &str,
        elements: impl IntoIterator<Item = Element<'a>>,
    ) {
        let mut elements = elements.into_iter().peekable();
        while elements.peek().is_some() {
            self.change(kind, flags, |w| {
                w.name(1, table);
                w.name(2, set);
                w.nest(3, |w| {
                    let start = w.bytes.len();
                    for element in elements.by_ref().take(MAX_ELEMENTS) {
                        element.encode(w);
                        if w.bytes.len() - start > MAX_LIST {
                            break;
                        }
                    }
                });
            });
        }
    }

    fn change(&mut self, kind: Kind, flags: u16, body: impl FnOnce(&mut Writer)) -> u32 {
        self.push(kind.number(), flags, FAMILY_INET, 0, body)
    }

    fn push(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        resource: u16,
        body: impl FnOnce(&mut Writer),
    ) -> u32 {
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        self.last_at = self
            .writer
            .message(kind, REQUEST | flags, seq, family, resource, body);
        debug_assert!(self.writer.bytes.len() >= self.last_at + HEADER);
        seq
    }
}
