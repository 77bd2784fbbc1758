//! The core thread: judges events and makes the kernel hold the verdicts, before anything else happens.
//!
//! It owns the engine and the fence, so nothing on the way from an event to the kernel waits for a lock, a process, a disk
//! or another task.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ringfence_event::{Moment, SecurityEvent, Span};

use super::enforcer::Enforcer;
use super::inbox::{Delivery, Inbox};
use super::latency::Latency;
use super::request::{Commanded, CoreStatus, Request};
use super::witness::Witness;
use crate::clock::{Clock, Stopwatch};
use crate::engine::{Ban, Engine, Verdict};
use crate::store::Store;

/// Events judged between two looks at the kernel's queue: bounds how long a verdict waits for its neighbours in a flood.
const BATCH: usize = 128;

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
        let mut delivery = Delivery::default();
        let mut verified = self.clock.now();
        loop {
            self.inbox
                .wait(Some(self.patience(verified)), BATCH, &mut delivery);
            let now = self.clock.now();
            self.judge(now, &delivery);
            let mut ruleset_changed = false;
            for request in delivery.requests.drain(..) {
                match request {
                    Request::Stop => return,
                    Request::RulesetChanged => ruleset_changed = true,
                    other => self.answer(now, other),
                }
            }
            self.engine.expire(now, &mut self.verdicts);
            self.carry_out(now, None);
            if ruleset_changed || now.since(verified) >= self.verify || self.enforcer.wants_healing(now) {
                verified = now;
                if self.store.take_incomplete() {
                    let bans: Vec<Ban> = self.engine.bans().cloned().collect();
                    self.store.put_all(&bans);
                }
                self.enforcer.heal(now, &self.engine);
            }
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

    fn judge(&mut self, now: Moment, delivery: &Delivery) {
        for (read, event) in &delivery.events {
            self.engine.observe(now, event, &mut self.verdicts);
            self.carry_out(now, Some((*read, event)));
        }
    }

    /// Kernel first, then who watches, then the store, then the log.
    fn carry_out(&mut self, now: Moment, because: Option<(Stopwatch, &SecurityEvent)>) {
        if !self.verdicts.is_empty() {
            self.enforcer.enforce(now, &self.verdicts);
        }
        let took = because
            .filter(|_| !self.verdicts.is_empty())
            .map(|(read, _)| read.elapsed());
        if let Some(witness) = &mut self.witness {
            if let Some((_, event)) = because {
                witness.saw(now, event);
            }
            for verdict in &self.verdicts {
                witness.decided(now, verdict, took);
            }
        }
        if self.verdicts.is_empty() {
            return;
        }
        self.store.record(now, &self.verdicts);
        for verdict in self.verdicts.drain(..) {
            if let (Verdict::Ban(_), Some(took)) = (&verdict, took) {
                self.latency.add(took);
            }
            super::report::log(&verdict);
        }
    }

    fn answer(&mut self, now: Moment, request: Request) {
        match request {
            Request::Command(command, answer) => {
                let reply = self.engine.command(now, command, &mut self.verdicts);
                self.carry_out(now, None);
                let kernel = self.enforcer.problem().map(ToOwned::to_owned);
                let _ = answer.send(Commanded { reply, kernel });
            }
            Request::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Request::Bans(answer) => {
                let _ = answer.send(self.bans());
            }
            Request::Why(addr, answer) => {
                let _ = answer.send(self.dossier(now, addr));
            }
            Request::Reconfigure(policy, answer) => {
                self.engine.reconfigure(now, *policy, &mut self.verdicts);
                self.carry_out(now, None);
                let _ = answer.send(());
            }
            Request::Refence(fence, answer) => {
                self.enforcer.replace(now, fence, &self.engine);
                let _ = answer.send(());
            }
            Request::RulesetChanged | Request::Stop => {}
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

    fn bans(&mut self) -> Vec<(Ban, Option<u64>)> {
        let packets = self.enforcer.packets();
        self.engine
            .bans()
            .map(|ban| (ban.clone(), packets.get(&ban.target).copied()))
            .collect()
    }

    fn dossier(&self, now: Moment, addr: IpAddr) -> crate::engine::Dossier {
        self.engine.dossier(now, addr)
    }
}
