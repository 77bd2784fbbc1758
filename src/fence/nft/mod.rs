//! Bans with an own nf_tables table, spoken to over netlink: nothing is executed, no other program is needed.
//!
//! The table is made once (see `layout`); a ban is one element with a timeout. It stays when the daemon stops or dies, and
//! ends by itself.

mod claim;
mod dialect;
mod elements;
mod failure;
mod held;
mod install;
mod layout;
mod link;
mod prefixes;
mod proof;
mod segments;
mod timeout;
mod watch;

use std::collections::HashSet;

use self::elements::Change;
use self::failure::{Failures, failure};
use self::held::items;
use self::layout::{Layout, SetId, target};
use self::link::Link;
use self::prefixes::Prefixes;
use self::segments::Family;
use super::{Clock, Fence, FenceError, FenceSettings, Held, KernelOp, Proven};
use crate::engine::Target;

pub use claim::Claim;
pub use dialect::Dialect;
pub use watch::{OnChange, Watch};

/// The nf_tables backend.
pub struct NftFence {
    layout: Layout,
    capacity: u32,
    clock: Clock,
    link: Link,
    dialect: Option<Dialect>,
    prefixes: [Prefixes; 2],
}

impl NftFence {
    /// Opens a netlink socket in the network namespace of the calling thread; changes nothing yet.
    ///
    /// `clock` tells the time that passes, from whatever moment on.
    pub fn open(settings: &FenceSettings, clock: Clock) -> Result<Self, FenceError> {
        let link = Link::open().map_err(|error| failure("open a netlink socket", error))?;
        Ok(Self {
            layout: Layout::new(settings),
            capacity: settings.capacity,
            clock,
            link,
            dialect: None,
            prefixes: [Prefixes::new(Family::V4), Prefixes::new(Family::V6)],
        })
    }

    /// Fixes how elements are changed instead of finding it out when installing.
    #[must_use]
    pub fn speaking(self, dialect: Dialect) -> Self {
        Self {
            dialect: Some(dialect),
            ..self
        }
    }

    fn hashed(&mut self, list: &mut Vec<Held>) -> std::io::Result<()> {
        for set in SetId::HASHED {
            list.extend(items(&mut self.link, set)?.into_iter().filter_map(|item| {
                let target = target(set, item.key.bytes())?;
                Some(Held {
                    target,
                    remaining: item.remaining,
                    packets: item.packets,
                })
            }));
        }
        Ok(())
    }
}

impl Fence for NftFence {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn install(&mut self) -> Result<Proven, FenceError> {
        install::install(&mut self.link, &self.layout)?;
        if self.dialect.is_none() {
            let found = Dialect::of(&mut self.link).map_err(|error| failure("hold a test element", error))?;
            self.dialect = Some(found);
        }
        let now = (self.clock)();
        for prefixes in &mut self.prefixes {
            let adopted = prefixes.adopt(&mut self.link, now);
            adopted.map_err(|error| failure("read the prefixes", error))?;
        }
        let segments = self.prefixes.iter().map(Prefixes::len).max().unwrap_or(0);
        proof::prove(&mut self.link, segments)
    }

    fn apply(&mut self, ops: &[KernelOp]) -> Result<(), FenceError> {
        let mut failures = Failures::default();
        let mut changes = latest(ops);
        elements::apply(
            &mut self.link,
            self.dialect.unwrap_or(Dialect::Keeping),
            &mut changes,
            &mut failures,
        )
        .map_err(|error| failure("change the banned addresses", error))?;
        if ops.len() > changes.len() {
            let now = (self.clock)();
            for prefixes in &mut self.prefixes {
                let applied = prefixes.apply(&mut self.link, now, ops, &mut failures);
                applied.map_err(|error| failure("change the banned prefixes", error))?;
            }
        }
        failures.into_result(self.capacity)
    }

    fn list(&mut self) -> Result<Vec<Held>, FenceError> {
        let mut list = Vec::new();
        self.hashed(&mut list)
            .map_err(|error| failure("read the banned addresses", error))?;
        let now = (self.clock)();
        for prefixes in &mut self.prefixes {
            let listed = prefixes.list(&mut self.link, now, &mut list);
            listed.map_err(|error| failure("read the banned prefixes", error))?;
        }
        Ok(list)
    }

    fn intact(&mut self) -> Result<bool, FenceError> {
        install::intact(&mut self.link, &self.layout)
    }

    fn purge(&mut self) -> Result<(), FenceError> {
        install::purge(&mut self.link, &self.layout)
    }

    fn claim(&self) -> Result<Option<Claim>, FenceError> {
        Claim::stake().map(Some)
    }

    fn watch(&self, on_change: OnChange) -> Result<Option<Watch>, FenceError> {
        Watch::start(self.link.port(), on_change)
            .map(Some)
            .map_err(|error| failure("listen to changes of the ruleset", error))
    }
}

/// The changes of hash sets among `ops`: of several for one target, the last.
fn latest(ops: &[KernelOp]) -> Vec<Change> {
    if let [op] = ops {
        return Change::new(op).into_iter().collect();
    }
    let mut seen: HashSet<Target> = HashSet::with_capacity(ops.len());
    let mut changes: Vec<Change> = Vec::with_capacity(ops.len());
    for op in ops.iter().rev() {
        let (KernelOp::Add { target, .. } | KernelOp::Delete { target }) = op;
        if seen.insert(super::canonical(*target)) {
            changes.extend(Change::new(op));
        }
    }
    changes.reverse();
    changes
}
