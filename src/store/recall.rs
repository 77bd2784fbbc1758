//! What a start takes up of the rows: every ban in force, and of the earlier ones no more than fit into memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use ringfence_event::{Moment, Span};

use super::rows::Kept;
use super::settings::StoreSettings;
use crate::engine::{Ban, Target};

/// Parts rows into bans in force and memories of earlier ones, as they are read.
#[derive(Debug)]
pub(super) struct Recall {
    now: Moment,
    memory: Span,
    most: usize,
    /// Rows that came in.
    pub(super) rows: usize,
    bans: Vec<Ban>,
    /// What made the bans in force as long as they are.
    current: Vec<(IpAddr, u32, Moment)>,
    /// Memories of bans that are over; the one that ends soonest is on top and gives way first.
    over: BinaryHeap<Reverse<(Moment, IpAddr, u32)>>,
}

impl Recall {
    /// Nothing yet; `now` decides what is in force.
    pub(super) fn new(settings: &StoreSettings, now: Moment) -> Self {
        Self {
            now,
            memory: settings.memory,
            most: usize::try_from(settings.memories).unwrap_or(usize::MAX),
            rows: 0,
            bans: Vec::new(),
            current: Vec::new(),
            over: BinaryHeap::new(),
        }
    }

    /// Takes in a row.
    pub(super) fn take(&mut self, Kept { ban, times }: Kept) {
        self.rows += 1;
        let (times, last) = times;
        let in_force = ban.until > self.now;
        if let Target::Address(addr) = ban.target
            && times > 0
            && last + self.memory > self.now
        {
            if in_force {
                self.current.push((addr, times, last));
            } else {
                self.remember(Reverse((last, addr, times)));
            }
        }
        if in_force {
            self.bans.push(ban);
        }
    }

    fn remember(&mut self, memory: Reverse<(Moment, IpAddr, u32)>) {
        self.over.push(memory);
        if self.over.len() > self.most {
            self.over.pop();
        }
    }

    /// The bans in force, and the memories: those of the bans in force, then the others.
    pub(super) fn finish(self) -> (Vec<Ban>, Vec<(IpAddr, u32, Moment)>) {
        let mut memories = self.current;
        let over = self.over.into_iter();
        memories.extend(over.map(|Reverse((last, addr, times))| (addr, times, last)));
        (self.bans, memories)
    }
}
