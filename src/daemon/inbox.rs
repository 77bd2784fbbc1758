//! What waits for the core thread: events from sources and requests from the admin.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use ringfence_event::SecurityEvent;

use super::request::Request;
use crate::clock::Stopwatch;
use crate::source::EventSink;

/// Events that may wait. When a flood outruns the engine, the oldest of the source that has the most go first and are
/// counted: the newest tell who attacks now, a noisy PBX takes nothing from a quiet one, and the sources' readers never wait.
const EVENTS: usize = 65_536;

/// The queue in front of the core thread. Requests are never dropped; each waits for its answer, so their number is bounded
/// by the admin connections.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By source.
    events: Vec<VecDeque<Read>>,
    /// In all of them.
    count: usize,
    /// The source that is asked first the next time.
    turn: usize,
    requests: VecDeque<Request>,
    dropped: u64,
    asleep: bool,
    closed: bool,
}

/// An event that was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Started when it was read from the wire.
    pub since: Stopwatch,
    /// Whether it is told of late, and counts at the moment it carries.
    pub late: bool,
    /// What was read.
    pub event: SecurityEvent,
}

/// What one [`Inbox::wait`] brought.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Events in the order they came.
    pub events: Vec<Read>,
    /// Requests in the order they came.
    pub requests: Vec<Request>,
}

impl Inbox {
    /// Puts a request into the queue.
    pub fn request(&self, request: Request) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return;
        }
        waiting.requests.push_back(request);
        let asleep = waiting.asleep;
        drop(waiting);
        if asleep {
            self.wake.notify_one();
        }
    }

    fn put(&self, events: &mut Vec<SecurityEvent>, late: bool) {
        if events.is_empty() {
            return;
        }
        let since = Stopwatch::start();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            events.clear();
        }
        for event in events.drain(..) {
            waiting.put(Read { since, late, event });
        }
        // the core thread should find the lock free when it wakes
        let asleep = waiting.asleep;
        drop(waiting);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// From now on everything that comes is thrown away: nobody works on it any more. Whoever waits for an answer learns it.
    pub fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.requests.clear();
        waiting.events.clear();
        waiting.count = 0;
    }

    /// How many events were dropped because the engine was outrun.
    pub fn dropped(&self) -> u64 {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dropped
    }

    /// Waits until something is there, `patience` at most (`None` waits for ever), then moves at most `limit` events and all requests into
    /// `delivery`, which is emptied first.
    pub fn wait(&self, patience: Option<Duration>, limit: usize, delivery: &mut Delivery) {
        delivery.events.clear();
        delivery.requests.clear();
        let waited = Stopwatch::start();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.count == 0 && waiting.requests.is_empty() {
            waiting.asleep = true;
            waiting = match patience {
                None => self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let left = patience.saturating_sub(waited.elapsed());
                    if left.is_zero() {
                        break;
                    }
                    self.wake
                        .wait_timeout(waiting, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        waiting.asleep = false;
        delivery.requests.extend(waiting.requests.drain(..));
        waiting.deliver(limit, &mut delivery.events);
    }
}

impl Waiting {
    fn put(&mut self, read: Read) {
        if self.count == EVENTS {
            let longest = self.events.iter_mut().max_by_key(|queue| queue.len());
            if longest.and_then(VecDeque::pop_front).is_some() {
                self.count -= 1;
                self.dropped += 1;
            }
        }
        let source = usize::from(read.event.source.0);
        if self.events.len() <= source {
            self.events.resize_with(source + 1, VecDeque::new);
        }
        if let Some(queue) = self.events.get_mut(source) {
            queue.push_back(read);
            self.count += 1;
        }
    }

    /// Moves at most `limit` events, each source's in their order, as many of one source as of another.
    fn deliver(&mut self, limit: usize, events: &mut Vec<Read>) {
        let sources = self.events.iter().filter(|queue| !queue.is_empty()).count();
        let each = limit.div_ceil(sources.max(1));
        for _ in 0..self.events.len() {
            self.turn = (self.turn + 1) % self.events.len();
            let Some(queue) = self.events.get_mut(self.turn) else {
                continue;
            };
            let take = queue.len().min(each).min(limit - events.len());
            events.extend(queue.drain(..take));
            self.count -= take;
            if queue.is_empty() && queue.capacity() > 4096 {
                *queue = VecDeque::new();
            }
        }
    }
}

impl EventSink for Inbox {
    fn take(&self, events: &mut Vec<SecurityEvent>) {
        self.put(events, false);
    }

    fn take_late(&self, events: &mut Vec<SecurityEvent>) {
        self.put(events, true);
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::{Cause, Peer, Proof, Service, SourceId, Text, Transport};

    use super::*;

    fn event(n: u32) -> SecurityEvent {
        SecurityEvent {
            at: None,
            source: SourceId(0),
            service: Service::PjSip,
            cause: Cause::WrongPassword,
            peer: Peer::new(
                std::net::Ipv4Addr::from_bits(0xc000_0200 + n).into(),
                5060,
                Transport::Udp,
            ),
            account: Text::from("alice"),
            tenant: Text::EMPTY,
            domain: Text::EMPTY,
            profile: Text::EMPTY,
            dialogue: Text::EMPTY,
            proof: Proof::None,
            detail: Text::EMPTY,
        }
    }

    #[test]
    fn a_flood_drops_the_oldest_and_counts_them() {
        let inbox = Inbox::default();
        let more = 10;
        let mut all: Vec<_> = (0..u32::try_from(EVENTS).unwrap() + more).map(event).collect();
        inbox.take(&mut all);
        assert!(all.is_empty());
        assert_eq!(inbox.dropped(), u64::from(more));
        let mut delivery = Delivery::default();
        inbox.wait(None, 1, &mut delivery);
        assert_eq!(delivery.events[0].event, event(more));
    }

    #[test]
    fn a_noisy_source_takes_nothing_from_a_quiet_one() {
        let inbox = Inbox::default();
        let of = |source: u16, n: u32| SecurityEvent {
            source: SourceId(source),
            ..event(n)
        };
        inbox.take(&mut vec![of(3, 1), of(3, 2)]);
        let mut flood: Vec<_> = (0..200_000).map(|n| of(1, n)).collect();
        inbox.take(&mut flood);
        assert_eq!(inbox.dropped(), 200_002 - EVENTS as u64);
        let (mut delivery, mut of_quiet, mut of_noisy) = (Delivery::default(), Vec::new(), 0_u64);
        inbox.wait(None, 10, &mut delivery);
        assert_eq!(
            delivery.events.len(),
            7,
            "five of the noisy one, both of the quiet one"
        );
        loop {
            for Read { event, .. } in &delivery.events {
                if event.source == SourceId(3) {
                    of_quiet.push(event.clone());
                } else {
                    of_noisy += 1;
                }
            }
            inbox.wait(Some(Duration::ZERO), 512, &mut delivery);
            if delivery.events.is_empty() {
                break;
            }
        }
        assert_eq!(of_quiet, [of(3, 1), of(3, 2)]);
        assert_eq!(of_noisy + inbox.dropped(), 200_000);
    }

    #[test]
    fn patience_ends_the_wait() {
        let inbox = Inbox::default();
        let mut delivery = Delivery::default();
        inbox.wait(Some(Duration::ZERO), 10, &mut delivery);
        assert!(delivery.events.is_empty() && delivery.requests.is_empty());
    }
}
