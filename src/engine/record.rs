//! One attempt as the engine remembers it: 40 bytes, whatever was sent.

use std::ops::Range;

use ringfence_event::{Cause, Moment, Proof, SecurityEvent, Service, Span, Transport};
use serde::{Deserialize, Serialize};

use super::homes::Home;

/// Events of one dialogue belong to one attempt within this time.
const DIALOGUE_WINDOW: Span = Span::from_secs(32);
/// Without a dialogue, events of one address, port and account belong to one attempt within this time.
const LOOSE_WINDOW: Span = Span::from_secs(1);

/// Two sources of a PBX that stamp their events so far apart, in tenths of a second, tell of two tries: a slow writer takes
/// less, and whatever is more comes from a clock in another time zone and says nothing.
const OTHER_TRY: Range<u16> = 31..1200;

/// A line and its reason in the line before it are no further apart, in tenths of a second.
const NEXT_LINE: u16 = 10;

/// A moment in tenths of a second, of which only differences of some minutes are meant; 0 for none.
pub(super) fn stamp(at: Option<Moment>) -> u16 {
    let tenths = |at: Moment| u16::try_from(at.as_millis() / 100 % (1 << 16)).unwrap_or_default();
    at.map_or(0, |at| tenths(at).max(1))
}

/// One attempt: what binds its events together, what it turned out to be, and which jails count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Its moment: that of its first event, or of the latest event that made a jail count it.
    pub(super) at: Moment,
    /// Hash of what binds its events together.
    pub(super) dialogue: u32,
    /// Hash of the account; 0 while no event named one.
    pub(super) account: u32,
    /// Jails that have counted it, one bit each: none counts it twice.
    pub(super) counted: u32,
    /// Jails that count it still: not forgiven, not answered, not used up by a ban.
    pub(super) live: u32,
    /// Source port of the latest event.
    pub(super) port: u16,
    /// Source of the latest event.
    pub(super) source: u16,
    /// The tenant it was made at, from 1; 0 for none.
    #[serde(default)]
    pub(super) tenant: u16,
    /// When its first failure happened, or else its first event, as the PBX says: see [`stamp`].
    #[serde(default)]
    stamp: u16,
    lanes: u16,
    flags: u8,
    /// The worst of its events.
    pub(super) cause: Cause,
    /// The strongest of its events' proofs.
    pub(super) proof: Proof,
    /// The part of the PBX.
    pub(super) service: Service,
    /// The transport of the latest event.
    pub(super) transport: Transport,
}

/// What one source has shown of an attempt. Sources that watch the same PBX are a lane each; a repeated event in one lane
/// is a new event, another lane's is the same one seen twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Anything.
    Seen = 0,
    /// A failure.
    Failure = 4,
    /// What ends an attempt.
    End = 8,
    /// A challenge.
    Challenge = 12,
}

/// Sources that may watch the same PBX: the socket, and two kinds of lines in its log.
pub(super) const LANES: usize = 4;
const ALL_LANES: u16 = (1 << LANES) - 1;

const LOOSE: u8 = 1;
const ANSWERED: u8 = 2;
const SUCCESS: u8 = 4;
const TWINNED: u8 = 8;
/// Its names lead to different tenants.
const MIXED: u8 = 16;
/// An event that named an account, or failed, has said whose it is.
const SETTLED: u8 = 32;
/// Its challenge counts as that of an account that has succeeded at its address.
const KNOWN: u8 = 64;

/// What an event says about the attempt it belongs to, hashed once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    /// Hash of what binds the events of one attempt together.
    pub(super) dialogue: u32,
    /// Hash of the account, 0 for none.
    pub(super) account: u32,
    /// The source's lane, below [`LANES`].
    pub(super) lane: u8,
    /// Whether there is another lane at all.
    pub(super) twinned: bool,
    /// Whether there is no dialogue to rely on.
    pub(super) loose: bool,
    /// The part of the PBX, and the peer's port; 0 where it is not told.
    pub(super) service: Service,
    pub(super) port: u16,
    /// When it happened, as the PBX says: see [`stamp`].
    pub(super) stamp: u16,
    /// Whether the event ends its attempt.
    pub(super) ends: bool,
    /// What happened.
    pub(super) cause: Cause,
    /// Whose attempt it tells of.
    pub(super) home: Home,
    /// Whether it is the challenge of an account that has lately succeeded at its address.
    pub(super) known: bool,
    /// Whether it is a success that takes back its own challenge, whatever that weighs and whomever it names.
    pub(super) relieves: bool,
    /// Whether the PBX keeps silent about some answers to its challenges: FreeSWITCH, those to SUBSCRIBE and MESSAGE.
    pub(super) silent: bool,
    /// Whether it has anything to tell of that: an account, a realm, a domain, or a tenant by its profile.
    pub(super) says_whose: bool,
}

impl Trace {
    /// Whether it says that the peer failed (neither a challenge nor a success).
    pub(super) fn fails(&self) -> bool {
        !matches!(self.cause, Cause::Challenged | Cause::Succeeded)
    }
}

impl Record {
    /// A new attempt that begins with `event`.
    pub(super) fn new(now: Moment, event: &SecurityEvent, trace: &Trace) -> Self {
        Self {
            at: now,
            dialogue: trace.dialogue,
            account: 0,
            counted: 0,
            live: 0,
            port: 0,
            source: 0,
            tenant: 0,
            stamp: 0,
            lanes: 0,
            flags: (if trace.loose { LOOSE } else { 0 }) | (if trace.twinned { TWINNED } else { 0 }),
            cause: event.cause,
            proof: event.proof,
            service: event.service,
            transport: Transport::Unknown,
        }
    }

    /// Adds an event of this attempt: the worst cause, the strongest proof, the first account of a failure.
    pub(super) fn add(&mut self, event: &SecurityEvent, trace: &Trace) {
        if trace.stamp != 0 && (self.stamp == 0 || (trace.fails() && !self.failed())) {
            self.stamp = trace.stamp;
        }
        // another source knows its dialogue, and the account better
        let known = self.flags & LOOSE != 0 && !trace.loose;
        if trace.account != 0 && (self.account == 0 || (trace.fails() && (known || !self.failed()))) {
            self.account = trace.account;
        }
        if known {
            self.dialogue = trace.dialogue;
            self.flags &= !LOOSE;
        }
        self.settle_at(trace);
        self.cause = self.cause.max(event.cause);
        self.proof = self.proof.max(event.proof);
        self.port = event.peer.port();
        self.transport = event.peer.transport();
        self.source = event.source.0;
        self.show(Shown::Seen, trace.lane);
        match event.cause {
            Cause::Challenged => self.show(Shown::Challenge, trace.lane),
            Cause::Succeeded => self.flags |= SUCCESS,
            _ => self.show(Shown::Failure, trace.lane),
        }
        if trace.ends {
            self.show(Shown::End, trace.lane);
        }
    }

    /// Notes whose attempt the event says it is. A challenge without an account only stands until an event says more; where
    /// two events disagree after that, the attempt is mixed and carries the latest tenant.
    fn settle_at(&mut self, trace: &Trace) {
        if !trace.says_whose {
            return;
        }
        let home = trace.home;
        if self.flags & SETTLED == 0 {
            self.tenant = home.tenant;
            self.flags = if home.mixed {
                self.flags | MIXED
            } else {
                self.flags & !MIXED
            };
        } else if self.tenant != home.tenant || home.mixed {
            self.flags |= MIXED;
            if home.tenant != 0 {
                self.tenant = home.tenant;
            }
        }
        if trace.account != 0 || trace.fails() {
            self.flags |= SETTLED;
        }
    }

    /// Whose attempt it is.
    pub(super) fn home(&self) -> Home {
        Home {
            tenant: self.tenant,
            mixed: self.tenant != 0 && self.flags & MIXED != 0,
        }
    }

    /// Whether `lane` has shown that much of it.
    pub(super) fn shown(&self, what: Shown, lane: u8) -> bool {
        self.lanes & (1 << (what as u8 + lane)) != 0
    }

    fn show(&mut self, what: Shown, lane: u8) {
        self.lanes |= 1 << (what as u8 + lane);
    }

    /// Whether any source has shown that much of it.
    pub(super) fn any(&self, what: Shown) -> bool {
        self.lanes & (ALL_LANES << (what as u8)) != 0
    }

    /// Whether one of its events was a failure.
    pub(super) fn failed(&self) -> bool {
        self.any(Shown::Failure)
    }

    /// Whether it has succeeded.
    pub(super) fn succeeded(&self) -> bool {
        self.flags & SUCCESS != 0
    }

    /// Whether it has a challenge that nobody answered.
    pub(super) fn is_open_challenge(&self) -> bool {
        self.any(Shown::Challenge) && self.flags & ANSWERED == 0
    }

    /// Its challenge counts as that of an account that has succeeded at its address.
    pub(super) fn recognise(&mut self) {
        self.flags |= KNOWN;
    }

    /// Whether its challenge was that of such an account when a jail began to count it.
    pub(super) fn is_known(&self) -> bool {
        self.flags & KNOWN != 0
    }

    /// Its challenge was answered: jails that count unanswered ones no longer count it, nor ever will.
    pub(super) fn answer(&mut self, unanswered: u32) {
        self.flags |= ANSWERED;
        self.counted |= unanswered;
        self.live &= !unanswered;
    }

    /// Whether an event of its own source, at this moment, can still belong to it: `loose` where nothing binds the two but
    /// address, port and account.
    pub(super) fn folds_at(&self, now: Moment, loose: bool) -> bool {
        now.since(self.at) < if loose { LOOSE_WINDOW } else { DIALOGUE_WINDOW }
    }

    /// Whether it is of the account that an event of another source names; where one of the two names none, both must have
    /// seen the same thing happen, or one of them only the challenge before it.
    fn may_name(&self, trace: &Trace) -> bool {
        if self.account != 0 && trace.account != 0 {
            return self.account == trace.account;
        }
        self.cause == trace.cause || [self.cause, trace.cause].contains(&Cause::Challenged)
    }

    /// Whether a further event could still belong to it: one that has ended waits for its other sources only.
    pub(super) fn awaits(&self, now: Moment) -> bool {
        if self.flags & TWINNED != 0 {
            return self.folds_at(now, false);
        }
        self.folds_at(now, self.flags & LOOSE != 0) && !self.any(Shown::End)
    }

    /// Whether an event of any source of this PBX may tell of the same try: it is of the same dialogue, or one of the two
    /// has none, and service, account, port and time, as far as they are told, are the same.
    pub(super) fn is_kin_of(&self, trace: &Trace) -> bool {
        self.dialogue == trace.dialogue
            || (trace.twinned
                && self.service == trace.service
                && self.may_name(trace)
                && self.may_be_beside(trace))
    }

    /// Like [`is_kin_of`](Self::is_kin_of), for two failures that FreeSWITCH may give different names: an event has the one in the
    /// answer, a line of the log that of the request, and the file of mod_fail2ban knows no realm and takes a dialled number for
    /// a name. All of them come in the same order, which is relied on instead.
    pub(super) fn is_twin_of(&self, trace: &Trace) -> bool {
        self.cause == trace.cause && self.is_refusal_of(trace)
    }

    /// Whether it may be the same refusal at FreeSWITCH, whatever it was called: what a line about an access list refuses, the
    /// event calls a wrong password.
    pub(super) fn is_refusal_of(&self, trace: &Trace) -> bool {
        let refused = |cause| matches!(cause, Cause::WrongPassword | Cause::AclDenied);
        trace.twinned
            && [self.service, trace.service] == [Service::Sofia; 2]
            && self.failed()
            && refused(trace.cause)
            && refused(self.cause)
            && (self.dialogue == trace.dialogue || self.may_be_beside(trace))
    }

    /// Whether one of the two knows no dialogue, and port and time, as far as they are told, agree.
    fn may_be_beside(&self, trace: &Trace) -> bool {
        (trace.loose || self.flags & LOOSE != 0)
            && (self.port == trace.port || self.port == 0 || trace.port == 0)
            && !self.apart(trace).is_some_and(|apart| OTHER_TRY.contains(&apart))
    }

    /// How far the stamps of the two are apart, in tenths of a second, where both are told.
    fn apart(&self, trace: &Trace) -> Option<u16> {
        let apart = self.stamp.wrapping_sub(trace.stamp);
        (self.stamp != 0 && trace.stamp != 0).then(|| apart.min(apart.wrapping_neg()))
    }

    /// Whether its own source has told only the reason for the failure that FreeSWITCH's next line tells of.
    pub(super) fn explains(&self, trace: &Trace) -> bool {
        trace.loose
            && [self.service, trace.service] == [Service::Sofia; 2]
            && trace.cause == Cause::WrongPassword
            && matches!(self.cause, Cause::AclDenied | Cause::WrongPassword)
            && self.shown(Shown::Failure, trace.lane)
            && !self.shown(Shown::End, trace.lane)
            && self.apart(trace).is_none_or(|apart| apart <= NEXT_LINE)
    }

    /// Whether an event with this account (0 for none) can belong to it: a second name is a second attempt.
    pub(super) fn suits(&self, account: u32) -> bool {
        account == 0 || self.account == 0 || self.account == account
    }
}

/// The longest time an attempt is kept for folding alone.
pub(super) const FOLD: Span = DIALOGUE_WINDOW;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_forty_bytes() {
        assert_eq!(size_of::<Record>(), 40);
    }
}
