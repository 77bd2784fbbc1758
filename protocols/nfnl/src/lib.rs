//! nfnetlink bytes: nf_tables tables, sets, elements, chains and rules, without I/O.
//!
//! A [`Batch`] collects changes that the kernel carries out all together or not at all; [`request`] asks for what it
//! holds; [`messages`] takes its answers and notifications apart. Everything is of the family `inet`. Layouts and numbers
//! are those of `linux/netlink.h`, `linux/netfilter/nfnetlink.h` and `linux/netfilter/nf_tables.h`.
//!
//! What comes from the kernel is parsed like what comes from anywhere else: bounded, and never with a panic.

mod attr;
mod batch;
mod chain;
mod element;
mod expr;
mod message;
pub mod request;
mod rule;
mod set;
mod table;
mod wire;

pub use attr::ParseError;
pub use batch::{Batch, EncodeError, MAX_ELEMENTS};
pub use chain::Chain;
pub use element::{Element, HeldElement, elements};
pub use expr::{Base, Comparison, Expr, Meta, Register};
pub use message::{Kind, Message, Reply, messages};
pub use rule::Rule;
pub use set::{Set, SetFlags};
pub use table::Table;

/// `NFPROTO_INET`: IPv4 and IPv6 in one table.
pub const FAMILY_INET: u8 = 1;

/// The multicast group of nf_tables notifications (`NFNLGRP_NFTABLES`).
pub const GROUP_NFTABLES: u32 = 7;
