//! Judges one frame after the other of a connection: a believed event, one that is withheld, or nothing of interest.

use ringfence_event::{SecurityEvent, Service};

use super::kind::Kind;
use super::meaning::uri_user;
use super::statement::{Statement, claimed_service};
use crate::frame::{Class, Frame, Next, Shape};

/// What a frame turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is a value of bounded size and is never allocated"
)]
pub enum Mapped {
    /// Nothing that says who failed or succeeded.
    Other,
    /// A security event, its `source` still to be set.
    Event(SecurityEvent),
    /// Something an attacker has tampered with; counted, and nobody is blamed or freed by it.
    Suspicious(Suspicion),
}

/// Why a frame is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Its headers are not in the order that Asterisk writes, or it is a piece of a block.
    Broken,
    /// It is well formed, but a neighbour is broken: it may have been written by an attacker as a whole.
    Withheld,
}

/// What a [`Mapper`] did not take at face value; every count is evidence that somebody tampers with the PBX's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames out of order, pieces of frames, and oversized ones.
    pub broken: u64,
    /// Well-formed events that were withheld because of a neighbour.
    pub withheld: u64,
    /// Events with added lines whose address was certain all the same; these were handed on.
    pub injected: u64,
}

/// How the block before was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Broke {
    #[default]
    No,
    /// By a value too short to hold a whole event: what stands whole behind it is genuine.
    Short,
    /// By its size alone. It may be a lone long value, which must not silence the failure behind it; but a success behind
    /// it may have come out of that value.
    Size,
    /// By a value of any length.
    Long,
}

/// Turns the frames of one connection into security events; every frame goes through it, in order.
#[derive(Clone, Debug, Default)]
pub struct Mapper {
    broke: Broke,
    calls: Calls,
    counts: Counts,
}

impl Mapper {
    /// A mapper for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was not taken at face value so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Judges the next frame. Never waits for another one: an event without neighbours is handed on at once.
    pub fn map(&mut self, frame: &Frame<'_>) -> Mapped {
        match frame.class() {
            Class::SecurityEvent(kind) => self.security_event(frame, kind),
            // the stream ended here, which is nobody's doing
            Class::Fragment if frame.shape() == Shape::Truncated => Mapped::Other,
            Class::Fragment => {
                // no short value makes an oversized block, whatever was broken before it
                let how = if frame.shape() == Shape::Oversized {
                    self.broke.max(Broke::Size)
                } else {
                    self.same_value()
                };
                self.broken(how)
            }
            _ => Mapped::Other,
        }
    }

    fn security_event(&mut self, frame: &Frame<'_>, kind: Kind) -> Mapped {
        let Some(statement) = Statement::read(frame, kind) else {
            // a head that can be read is a new event (or a piece of a long value), with a value of its own
            let how = claimed_service(frame).map(|service| self.broke.max(reach(service)));
            return self.broken(how.unwrap_or_else(|| self.same_value()));
        };
        let before = std::mem::take(&mut self.broke);
        let ended_early = frame.next() == Next::Fragment;
        if ended_early {
            self.broke = before.max(reach(statement.service));
        }
        let success = kind == Kind::SuccessfulAuth;
        let tampered = statement.injected && (success || before != Broke::No);
        if ended_early || tampered || before == Broke::Long || (before == Broke::Size && success) {
            self.counts.withheld += 1;
            return Mapped::Suspicious(Suspicion::Withheld);
        }
        self.counts.injected += u64::from(statement.injected);
        let dialled = self.calls.is_call(&statement);
        Mapped::Event(statement.event(dialled))
    }

    fn broken(&mut self, how: Broke) -> Mapped {
        self.counts.broken += 1;
        self.broke = how;
        Mapped::Suspicious(Suspicion::Broken)
    }

    /// How far the value reaches that a piece without a head came out of: the one that broke the block before.
    fn same_value(&self) -> Broke {
        match self.broke {
            Broke::No => Broke::Long,
            before => before,
        }
    }
}

/// How much a peer of `service` can write into one event: PJSIP keeps 36 bytes of a name, chan_sip 79.
fn reach(service: Service) -> Broke {
    match service {
        Service::PjSip | Service::ChanSip => Broke::Short,
        _ => Broke::Long,
    }
}

/// Which chan_sip sessions are calls.
///
/// chan_sip's later events about a call carry the dialled number as `AccountID` and do not say so; but the challenge that
/// comes first names the caller's From URI. The table remembers the latest sessions; what it has forgotten only costs a
/// number shown as an account.
#[derive(Clone, Debug)]
struct Calls {
    sessions: Box<[u64; Self::SLOTS]>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            sessions: Box::new([0; Self::SLOTS]),
        }
    }
}

impl Calls {
    const SLOTS: usize = 512;

    fn is_call(&mut self, statement: &Statement<'_>) -> bool {
        if statement.service != Service::ChanSip {
            return false;
        }
        let Some(session) = pointer(statement.session) else {
            return false;
        };
        // allocations are 16 bytes apart at least
        let slot = usize::try_from((session >> 4) % Self::SLOTS as u64).unwrap_or_default();
        let Some(slot) = self.sessions.get_mut(slot) else {
            return false;
        };
        if statement.kind != Kind::ChallengeSent {
            return *slot == session;
        }
        if uri_user(statement.account).is_some() {
            *slot = session;
        } else if *slot == session {
            *slot = 0;
        }
        false
    }
}

fn pointer(session: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(session.strip_prefix(b"0x")?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}
