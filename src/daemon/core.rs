//! The core thread: judges events and makes the kernel hold the verdicts, before anything else happens.
//!
//! It owns the engine and the fence, so nothing on the way from an event to the kernel waits for a lock, a process, a disk
//! or another task.

use std::sync::Arc;
use std::time::Duration;

use ringfence_event::{Moment, Span};

use super::enforcer::{Enforcer, Look};
use super::inbox::{Delivery, Inbox, Read};
use super::latency::Latency;
use super::request::{Commanded, CoreStatus, Request};
use super::witness::Witness;
use crate::clock::{Clock, Stopwatch};
use crate::engine::{Ban, Engine, Verdict};
use crate::store::Store;

/// Closes the inbox however the core thread ends, so that nobody waits for an answer that never comes.
struct Closing(Arc<Inbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Events judged between two looks at the kernel's queue: bounds how long a verdict waits for its neighbours in a flood.
const BATCH: usize = 512;

/// Engine, enforcement and what is told about them.
pub struct Core {
    /// Tells the time.
    pub clock: Clock,
    /// What waits to be judged.
    pub inbox: Arc<Inbox>,
    /// Who is attacking.
    pub engine: Engine,
    /// What the kernel holds.
    pub enforcer: Enforcer,
    /// Where bans and their evidence are kept.
    pub store: Arc<Store>,
    /// Who is told, in a demonstration.
    pub witness: Option<Box<dyn Witness>>,
    /// How often the kernel is compared with what is wanted.
    pub verify: Span,
    /// How long the latest bans took.
    pub latency: Latency,
    verdicts: Vec<Verdict>,
}

impl Core {
    /// Puts the parts together.
    pub fn new(
        clock: Clock,
        inbox: Arc<Inbox>,
        engine: Engine,
        enforcer: Enforcer,
        store: Arc<Store>,
        verify: Span,
    ) -> Self {
        let latency = Latency::default();
        Self {
            clock,
            inbox,
            engine,
            enforcer,
            store,
            witness: None,
            verify,
            latency,
            verdicts: Vec::new(),
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        let _closed = Closing(Arc::clone(&self.inbox));
        let mut delivery = Delivery::default();
        let mut verified = self.clock.now();
        loop {
            self.inbox
                .wait(Some(self.patience(verified)), BATCH, &mut delivery);
            let now = self.clock.now();
            self.judge(now, &delivery);
            let mut changed = None;
            for request in delivery.requests.drain(..) {
                match request {
                    Request::Stop => return,
                    Request::RulesetChanged(change) => changed = changed.max(Some(change)),
                    other => self.answer(now, other),
                }
            }
            self.engine.expire(now, &mut self.verdicts);
            self.carry_out_orders(now);
            if let Some(change) = changed {
                self.enforcer.heal(now, &self.engine, Look::after(change));
            } else if let Some(look) = self.enforcer.overdue(now) {
                self.enforcer.heal(now, &self.engine, look);
            } else if now.since(verified) >= self.verify {
                verified = now;
                self.enforcer.heal(now, &self.engine, Look::AtRules);
                self.keep_store_complete();
            }
        }
    }

    /// Hands the store every ban in force when its file was damaged or taken away meanwhile.
    fn keep_store_complete(&self) {
        if self.store.take_incomplete() {
            let bans: Vec<Ban> = self.engine.bans().cloned().collect();
            self.store.put_all(&bans);
        }
    }

    /// How long there is nothing to do.
    fn patience(&self, verified: Moment) -> Duration {
        let mut next = verified + self.verify;
        next = next.min(self.engine.deadline().unwrap_or(Moment::NEVER));
        next = next.min(self.enforcer.retry_at().unwrap_or(Moment::NEVER));
        // a millisecond more than the truncated moment, so that it has come when we look
        Duration::from(next.since(self.clock.now())) + Duration::from_millis(1)
    }

    /// Judges what was delivered, then makes the kernel hold all of it in one transaction: judging an event takes less than
    /// a microsecond, a transaction several.
    fn judge(&mut self, now: Moment, delivery: &Delivery) {
        let mut read = Vec::new();
        for Read { since, late, event } in &delivery.events {
            let happened = event.at.filter(|_| *late).unwrap_or(now);
            self.engine.observe_late(now, happened, event, &mut self.verdicts);
            read.resize(self.verdicts.len(), Some(*since));
        }
        self.carry_out(now, &read, delivery);
    }

    /// Kernel first, then who watches, then the log and the store. `read` has a stopwatch for each verdict that came from
    /// an event, started when that was read from the wire.
    fn carry_out(&mut self, now: Moment, read: &[Option<Stopwatch>], because: &Delivery) {
        let mut took = Vec::new();
        if !self.verdicts.is_empty() {
            self.enforcer.enforce(now, &self.verdicts);
            took.extend(read.iter().map(|read| read.map(|read| read.elapsed())));
        }
        took.resize(self.verdicts.len(), None);
        if let Some(witness) = &mut self.witness {
            for read in &because.events {
                witness.saw(now, &read.event);
            }
            for (verdict, took) in self.verdicts.iter().zip(&took) {
                witness.decided(now, verdict, *took);
            }
        }
        if self.verdicts.is_empty() {
            return;
        }
        for (verdict, took) in self.verdicts.iter().zip(took) {
            if let (Verdict::Ban(_), Some(took)) = (verdict, took) {
                self.latency.add(took);
            }
            super::report::log(verdict);
        }
        self.store.record(now, self.verdicts.drain(..));
    }

    /// Carries out what did not come from an event.
    fn carry_out_orders(&mut self, now: Moment) {
        self.carry_out(now, &[], &Delivery::default());
    }

    fn answer(&mut self, now: Moment, request: Request) {
        match request {
            Request::Command(command, answer) => {
                let reply = self.engine.command(now, command, &mut self.verdicts);
                self.carry_out_orders(now);
                let kernel = self.enforcer.problem().map(ToOwned::to_owned);
                let _ = answer.send(Commanded { reply, kernel });
            }
            Request::Alive(answer) => {
                let _ = answer.send(());
            }
            Request::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Request::Bans(answer) => {
                let _ = answer.send(self.engine.bans().cloned().collect());
            }
            Request::Why(addr, answer) => {
                let _ = answer.send(self.engine.dossier(now, addr));
            }
            Request::Reconfigure(policy, answer) => {
                self.engine.reconfigure(now, *policy, &mut self.verdicts);
                self.carry_out_orders(now);
                let _ = answer.send(());
            }
            Request::Refence(new, answer) => {
                self.verify = new.verify;
                self.enforcer.replace(now, (new.fence, new.proven), &self.engine);
                let _ = answer.send(());
            }
            Request::RulesetChanged(_) | Request::Stop => {}
        }
    }

    fn status(&self) -> CoreStatus {
        let health = self.store.health();
        CoreStatus {
            totals: self.engine.totals(),
            backend: self.enforcer.backend(),
            proven: self.enforcer.proven().how.clone(),
            gaps: self.enforcer.proven().gaps.clone(),
            problem: self.enforcer.problem().map(ToOwned::to_owned),
            healed: self.enforcer.healed(),
            store_problem: (!health.ok).then_some(health.message),
            latency_us: self.latency.percentiles(),
        }
    }
}
