//! A world of phones and attackers in virtual time, for the engine's tests.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the tests' own code")]

pub(crate) mod tenants;

use std::net::IpAddr;

use ringfence::engine::{Ban, Command, Engine, LiftReason, Policy, Reply, Target, Verdict};
use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, SourceId, Span, Text, Transport};

/// One engine, its clock, and every verdict so far.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    pub(crate) verdicts: Vec<(Moment, Verdict)>,
    calls: u32,
}

pub(crate) fn start() -> Moment {
    Moment::from_millis(1_795_000_000_000)
}

pub(crate) fn ip(addr: &str) -> IpAddr {
    addr.parse().unwrap()
}

/// An event of PJSIP over UDP, which proves nothing.
pub(crate) fn event(addr: &str, cause: Cause, account: &str, dialogue: &str) -> SecurityEvent {
    SecurityEvent {
        at: None,
        source: SourceId(0),
        service: Service::PjSip,
        cause,
        peer: Peer::new(ip(addr), 5060, Transport::Udp),
        account: Text::from(account),
        tenant: Text::EMPTY,
        domain: Text::EMPTY,
        profile: Text::EMPTY,
        dialogue: Text::from(dialogue),
        proof: Proof::None,
        detail: Text::EMPTY,
    }
}

pub(crate) fn over_tcp(mut event: SecurityEvent) -> SecurityEvent {
    event.peer = Peer::new(event.peer.addr(), event.peer.port(), Transport::Tcp);
    event.proof = Proof::Handshake;
    event
}

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            engine: Engine::new(policy, 7),
            now: start(),
            verdicts: Vec::new(),
            calls: 0,
        }
    }

    pub(crate) fn ignoring(net: &str) -> Self {
        Self::new(Policy {
            ignore: vec![net.parse().unwrap()],
            ..Policy::default()
        })
    }

    /// Time passes, in milliseconds; what ends meanwhile ends.
    pub(crate) fn after(&mut self, millis: u64) -> &mut Self {
        self.now = self.now + Span::from_millis(millis);
        self.tell(Engine::expire);
        self
    }

    pub(crate) fn tell<T>(&mut self, call: impl FnOnce(&mut Engine, Moment, &mut Vec<Verdict>) -> T) -> T {
        let mut out = Vec::new();
        let answer = call(&mut self.engine, self.now, &mut out);
        self.verdicts
            .extend(out.into_iter().map(|verdict| (self.now, verdict)));
        answer
    }

    pub(crate) fn see(&mut self, event: &SecurityEvent) -> &mut Self {
        self.tell(|engine, now, out| engine.observe(now, event, out));
        self
    }

    pub(crate) fn order(&mut self, command: Command) -> Reply {
        self.tell(|engine, now, out| engine.command(now, command, out))
    }

    /// A Call-ID that was never used before.
    pub(crate) fn call_id(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }

    /// One wrong password as PJSIP tells it.
    pub(crate) fn fail(&mut self, addr: &str, account: &str) -> &mut Self {
        let id = self.call_id();
        self.see(&event(addr, Cause::Challenged, account, &id));
        self.see(&event(addr, Cause::WrongPassword, account, &id))
    }

    /// The same over TCP.
    pub(crate) fn fail_tcp(&mut self, addr: &str, account: &str) -> &mut Self {
        let id = self.call_id();
        self.see(&over_tcp(event(addr, Cause::Challenged, account, &id)));
        self.see(&over_tcp(event(addr, Cause::WrongPassword, account, &id)))
    }

    pub(crate) fn succeed(&mut self, addr: &str, account: &str) -> &mut Self {
        let id = self.call_id();
        self.see(&event(addr, Cause::Challenged, account, &id));
        self.see(&event(addr, Cause::Succeeded, account, &id))
    }

    pub(crate) fn challenge(&mut self, addr: &str, account: &str) -> &mut Self {
        let id = self.call_id();
        self.see(&event(addr, Cause::Challenged, account, &id))
    }

    /// A try of an account that does not exist, as PJSIP tells it.
    pub(crate) fn unknown(&mut self, addr: &str, account: &str, answers: bool) -> &mut Self {
        let id = self.call_id();
        self.unknown_in(addr, account, answers, &id)
    }

    pub(crate) fn unknown_in(&mut self, addr: &str, account: &str, answers: bool, id: &str) -> &mut Self {
        self.see(&event(addr, Cause::UnknownAccount, account, id));
        self.see(&event(addr, Cause::Challenged, "", id));
        if answers {
            self.see(&event(addr, Cause::UnknownAccount, account, id));
            self.see(&event(addr, Cause::UnknownAccount, "", id));
        }
        self
    }

    /// Every ban and extension so far.
    pub(crate) fn bans(&self) -> Vec<&Ban> {
        let bans = self.verdicts.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Ban(ban) | Verdict::Extend(ban) => Some(ban),
            _ => None,
        });
        bans.collect()
    }

    pub(crate) fn ban(&self) -> &Ban {
        let bans = self.bans();
        assert_eq!(bans.len(), 1, "{:?}", self.verdicts);
        bans[0]
    }

    pub(crate) fn lifts(&self) -> Vec<(Target, LiftReason)> {
        let lifts = self.verdicts.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Lift { target, reason } => Some((*target, *reason)),
            _ => None,
        });
        lifts.collect()
    }

    pub(crate) fn count(&self, addr: &str, jail: &str) -> u32 {
        let dossier = self.engine.dossier(self.now, ip(addr));
        dossier
            .counts
            .iter()
            .find(|count| count.jail == jail)
            .unwrap()
            .count
    }

    #[track_caller]
    pub(crate) fn is_quiet(&self) {
        assert!(self.verdicts.is_empty(), "{:?}", self.verdicts);
    }
}
