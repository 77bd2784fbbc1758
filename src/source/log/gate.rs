//! Lets the log of a PBX speak for the time that its socket did not cover, and for no other.
//!
//! While the socket is proven to deliver, lines are held back until it is known to have told of the time they were read at;
//! then they are dropped. When it breaks, those that it may not have told of any more are let through at once, and so is
//! all that follows until events are proven to flow again. Around both moments socket and log may both tell of one try: the
//! engine counts it once. So nothing is missed, whenever the break is noticed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringfence_event::{Moment, SecurityEvent, Span};

use crate::clock::Clock;
use crate::health::Health;
use crate::source::EventSink;

/// How often the socket's health is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a line is held back at most, besides the time between two signs of life: a socket that has said nothing for so long
/// may be dead, though nobody knows it yet.
const HOLD: Duration = Duration::from_secs(5);
/// Events that are held back; the oldest give way, which takes 500 a second for two minutes.
const MOST: usize = 65_536;

/// The PBX whose log it is.
#[derive(Clone, Debug)]
pub struct Pbx {
    /// The health of its socket.
    pub health: Health,
    /// How often the socket is proven to be alive.
    pub pulse: Duration,
}

/// Where a log's events pass, or wait.
pub(super) struct Gate<S> {
    /// Where its socket comes first.
    pbx: Option<Pbx>,
    clock: Clock,
    sink: Arc<S>,
    held: Mutex<VecDeque<(Moment, SecurityEvent)>>,
}

impl<S: EventSink> Gate<S> {
    pub(super) fn new(pbx: Option<Pbx>, clock: Clock, sink: Arc<S>) -> Self {
        Self {
            pbx,
            clock,
            sink,
            held: Mutex::default(),
        }
    }

    /// Whether there is a socket that comes first.
    pub(super) fn is_shut_at_times(&self) -> bool {
        self.pbx.is_some()
    }

    /// Takes events of lines that were read just now.
    pub(super) fn take(&self, events: &mut Vec<SecurityEvent>) {
        let Some(pbx) = &self.pbx else {
            self.sink.take(events);
            return;
        };
        let now = self.clock.now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend(events.drain(..).map(|event| (now, event)));
        self.settle(pbx, &mut held);
        let surplus = held.len().saturating_sub(MOST);
        held.drain(..surplus);
    }

    /// Takes events of lines that were written some time ago. What was written while the daemon was `away` no socket told of
    /// either; else a socket that flows has told of it then.
    pub(super) fn take_late(&self, events: &mut Vec<SecurityEvent>, away: bool) {
        let told = self.pbx.as_ref().is_some_and(|pbx| pbx.health.covered().flows);
        if told && !away {
            events.clear();
        } else {
            self.sink.take_late(events);
        }
    }

    /// Lets go what need not wait any more, for ever.
    pub(super) async fn watch(&self) {
        let Some(pbx) = &self.pbx else { return };
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if !held.is_empty() {
                self.settle(pbx, &mut held);
            }
        }
    }

    fn settle(&self, pbx: &Pbx, held: &mut VecDeque<(Moment, SecurityEvent)>) {
        let covered = pbx.health.covered();
        let overdue = self.clock.now() - Span::from(HOLD + pbx.pulse);
        let mut events = Vec::new();
        while let Some((read, _)) = held.front() {
            let told = covered.from <= *read && *read < covered.until;
            let waits = covered.flows && *read >= covered.until && *read > overdue;
            if waits {
                break;
            }
            let Some((_, event)) = held.pop_front() else { break };
            if !told {
                events.push(event);
            }
        }
        if !events.is_empty() {
            self.sink.take(&mut events);
        }
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::{Cause, Peer, Service, Transport};

    use super::*;
    use crate::health::{HealthReport, State};

    #[derive(Default)]
    struct Taken(Mutex<Vec<u16>>);

    impl EventSink for Taken {
        fn take(&self, events: &mut Vec<SecurityEvent>) {
            let ports = events.drain(..).map(|event| event.peer.port());
            self.0.lock().unwrap().extend(ports);
        }

        fn take_late(&self, events: &mut Vec<SecurityEvent>) {
            self.take(events);
        }
    }

    fn event(port: u16) -> SecurityEvent {
        let peer = Peer::new([192, 0, 2, 1].into(), port, Transport::Udp);
        SecurityEvent::blank(Cause::WrongPassword, Service::PjSip, peer)
    }

    struct World {
        clock: Clock,
        health: Health,
        gate: Gate<Taken>,
    }

    impl World {
        fn new() -> Self {
            let (clock, health) = (Clock::start(), Health::new(HealthReport::default()));
            let pbx = Pbx {
                health: health.clone(),
                pulse: Duration::ZERO,
            };
            let gate = Gate::new(Some(pbx), clock, Arc::default());
            Self { clock, health, gate }
        }

        fn read(&self, port: u16) -> Vec<u16> {
            self.gate.take(&mut vec![event(port)]);
            self.taken()
        }

        fn taken(&self) -> Vec<u16> {
            std::mem::take(&mut *self.gate.sink.0.lock().unwrap())
        }

        fn look(&self) -> Vec<u16> {
            let pbx = self.gate.pbx.as_ref().unwrap();
            self.gate.settle(pbx, &mut self.gate.held.lock().unwrap());
            self.taken()
        }
    }

    #[test]
    fn a_socket_that_is_away_lets_everything_through() {
        let world = World::new();
        assert_eq!(world.read(1), [1]);
        world.health.enter(world.clock.now(), State::Refused, "no");
        assert_eq!(world.read(2), [2]);
    }

    #[test]
    fn what_the_socket_has_told_is_dropped_and_what_it_may_not_have_told_comes_when_it_breaks() {
        let world = World::new();
        world.health.begin_cover(world.clock.now());
        world.health.enter(world.clock.now(), State::Watching, "");
        assert_eq!(world.read(1), [0_u16; 0]);
        world
            .health
            .cover_until(world.clock.now() + Duration::from_millis(1).into());
        assert_eq!(world.look(), [0_u16; 0]);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(world.read(2), [0_u16; 0]);
        world.health.enter(world.clock.now(), State::Connecting, "broke");
        assert_eq!(world.look(), [2]);
        assert_eq!(world.read(3), [3]);
    }

    #[test]
    fn a_break_that_is_over_before_anybody_looks_loses_nothing() {
        let world = World::new();
        world.health.begin_cover(world.clock.now());
        world.health.enter(world.clock.now(), State::Watching, "");
        assert_eq!(world.read(1), [0_u16; 0]);
        std::thread::sleep(Duration::from_millis(2));
        world.health.begin_cover(world.clock.now());
        world
            .health
            .cover_until(world.clock.now() + Duration::from_millis(1).into());
        assert_eq!(world.look(), [1]);
    }

    #[test]
    fn a_socket_that_says_nothing_holds_nothing_back_for_long() {
        let world = World::new();
        world.health.begin_cover(world.clock.now());
        world.health.enter(world.clock.now(), State::Watching, "");
        let now = world.clock.now();
        let old = now - Span::from_millis(5_001);
        world.gate.held.lock().unwrap().push_back((old, event(1)));
        world.gate.held.lock().unwrap().push_back((now, event(2)));
        world.health.update(|report| report.covered = (old, old));
        assert_eq!(world.look(), [1]);
    }
}
