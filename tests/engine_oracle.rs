//! The engine against a naive one: plain lists of times, written from the rules, compared verdict by verdict.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

mod engine_world;

use std::collections::BTreeMap;

use engine_world::{event, over_tcp, start};
use proptest::prelude::*;
use ringfence::engine::{Engine, Policy, Target, Verdict};
use ringfence_event::{Cause, SecurityEvent, Span};

const NAMES: [&str; 3] = ["alice", "bob", "9999"];
const HOSTS: u8 = 3;
/// maxretry, findtime and bantime in milliseconds, whether bans grow: auth, enumeration, flood.
const JAILS: [(&str, usize, u64, u64, bool); 3] = [
    ("auth", 3, 10_000, 30_000, true),
    ("enumeration", 2, 20_000, 60_000, true),
    ("flood", 4, 5_000, 45_000, false),
];
const MEMORY: u64 = 120_000;
const LONGEST: u64 = 200_000;

#[derive(Clone, Copy, Debug)]
enum Try {
    Wrong,
    Good,
    Unknown { answers: bool },
    Silence,
}

/// What one try says, event by event, and what each event means.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    /// A challenge of this try is open.
    Open,
    /// The account does not exist.
    NoSuch,
    /// The try failed: its challenge is answered.
    Failed,
    /// The try succeeded.
    Succeeded,
    /// Said already.
    Again,
}

impl Try {
    fn told(self, host: u8, name: &str, call: usize, tcp: bool) -> Vec<(Meaning, SecurityEvent)> {
        let (addr, call) = (format!("198.51.100.{host}"), format!("call-{call}"));
        let tell = |cause, name: &str| {
            let event = event(&addr, cause, name, &call);
            if tcp { over_tcp(event) } else { event }
        };
        let open = (Meaning::Open, tell(Cause::Challenged, name));
        let no_such = (Meaning::NoSuch, tell(Cause::UnknownAccount, name));
        let open_nobody = (Meaning::Open, tell(Cause::Challenged, ""));
        match self {
            Self::Wrong => vec![open, (Meaning::Failed, tell(Cause::WrongPassword, name))],
            Self::Good => vec![open, (Meaning::Succeeded, tell(Cause::Succeeded, name))],
            Self::Unknown { answers: false } => vec![no_such, open_nobody],
            Self::Unknown { answers: true } => vec![
                no_such,
                open_nobody,
                (Meaning::Again, tell(Cause::UnknownAccount, name)),
                (Meaning::Failed, tell(Cause::UnknownAccount, "")),
            ],
            Self::Silence => vec![open],
        }
    }
}

/// One thing that one jail counts.
#[derive(Clone, Debug)]
struct Counted {
    at: u64,
    name: usize,
    call: usize,
    tcp: bool,
}

#[derive(Default)]
struct Naive {
    now: u64,
    /// By host and jail.
    lists: BTreeMap<(u8, usize), Vec<Counted>>,
    /// Until when, decided by whom, and whether it has raised the number of bans.
    bans: BTreeMap<u8, (u64, usize, bool)>,
    /// How often, and when the last one ends.
    past: BTreeMap<u8, (u32, u64)>,
    said: Vec<String>,
}

impl Naive {
    fn pass(&mut self, millis: u64) {
        self.now += millis;
        let mut over: Vec<(u64, u8)> = self
            .bans
            .iter()
            .filter(|(_, ban)| ban.0 <= self.now)
            .map(|(host, ban)| (ban.0, *host))
            .collect();
        over.sort_unstable();
        for (_, host) in over {
            self.bans.remove(&host);
            self.said.push(format!("lift {host}"));
        }
    }

    fn hear(&mut self, meaning: Meaning, host: u8, new: &Counted) {
        match meaning {
            Meaning::Open => self.add(host, 2, new),
            Meaning::NoSuch => {
                self.list(host, 1).retain(|old| old.name != new.name);
                self.add(host, 1, new);
            }
            Meaning::Failed => {
                self.list(host, 2).retain(|old| old.call != new.call);
                self.add(host, 0, new);
            }
            Meaning::Succeeded => {
                self.list(host, 2)
                    .retain(|old| old.call != new.call && old.name != new.name);
                self.list(host, 0).retain(|old| old.name != new.name);
            }
            Meaning::Again => {}
        }
    }

    fn list(&mut self, host: u8, jail: usize) -> &mut Vec<Counted> {
        self.lists.entry((host, jail)).or_default()
    }

    fn add(&mut self, host: u8, jail: usize, new: &Counted) {
        let (_, maxretry, findtime, _, _) = JAILS[jail];
        let now = self.now;
        let list = self.list(host, jail);
        list.push(new.clone());
        list.retain(|old| now - old.at < findtime);
        if list.len() >= maxretry {
            let reached = std::mem::take(list);
            self.decide(host, jail, &reached);
        }
    }

    fn decide(&mut self, host: u8, jail: usize, reached: &[Counted]) {
        let (name, _, _, bantime, grows) = JAILS[jail];
        let proven = reached.iter().filter(|counted| counted.tcp).count();
        let grows = grows && 2 * proven >= reached.len();
        let earlier = self
            .past
            .get(&host)
            .filter(|past| past.1 + MEMORY > self.now)
            .map_or(0, |past| past.0);
        let present = self.bans.get(&host).copied();
        let raised = present.is_some_and(|ban| ban.2);
        let times = if grows && !raised { earlier + 1 } else { earlier };
        let term = if grows {
            (bantime << (times - 1)).min(LONGEST)
        } else {
            bantime
        };
        let until = self.now + term;
        if present.is_some_and(|ban| until < ban.0 + term / 10 || until <= ban.0) {
            return;
        }
        if grows {
            self.past.insert(host, (times, until));
        }
        self.bans.insert(host, (until, jail, raised || grows));
        let word = if present.is_some() { "extend" } else { "ban" };
        self.said
            .push(format!("{word} {host} {name} {term} {times} {}", reached.len()));
    }
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.limits.memory = Span::from_millis(MEMORY);
    for (jail, (name, maxretry, findtime, bantime, grows)) in policy.jails.iter_mut().zip(JAILS) {
        assert_eq!(jail.name, name);
        jail.maxretry = u32::try_from(maxretry).unwrap();
        jail.findtime = Span::from_millis(findtime);
        jail.bantime = Span::from_millis(bantime);
        assert_eq!(jail.escalation.is_some(), grows);
        if let Some(escalation) = &mut jail.escalation {
            escalation.maximum = Span::from_millis(LONGEST);
        }
    }
    policy
}

fn say(verdict: &Verdict, now: u64) -> String {
    let host = |target: &Target| target.to_string().rsplit('.').next().unwrap().to_owned();
    let ban = |word: &str, ban: &ringfence::engine::Ban| {
        let term = ban.until.since(start()).as_millis() - now;
        format!(
            "{word} {} {} {term} {} {}",
            host(&ban.target),
            ban.jail,
            ban.count,
            ban.evidence.attempts
        )
    };
    match verdict {
        Verdict::Ban(new) => ban("ban", new),
        Verdict::Extend(new) => ban("extend", new),
        Verdict::Lift { target, .. } => format!("lift {}", host(target)),
        other => format!("{other:?}"),
    }
}

fn any_try() -> impl Strategy<Value = Try> {
    prop::sample::select(vec![
        Try::Wrong,
        Try::Wrong,
        Try::Wrong,
        Try::Good,
        Try::Unknown { answers: true },
        Try::Unknown { answers: false },
        Try::Silence,
        Try::Silence,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_verdict_is_the_naive_one(
        tries in prop::collection::vec(
            (prop_oneof![9 => 0..6_u64, 1 => 0..160_u64].prop_map(|n| n * 500), 0..HOSTS, any_try(), 0..3_usize, any::<bool>()),
            0..120,
        ),
    ) {
        let mut engine = Engine::new(policy(), 3);
        let mut naive = Naive::default();
        let mut said = Vec::new();
        for (call, (pause, host, kind, name, tcp)) in tries.into_iter().enumerate() {
            naive.pass(pause);
            for (meaning, event) in kind.told(host, NAMES[name], call, tcp) {
                let mut out = Vec::new();
                engine.observe(start() + Span::from_millis(naive.now), &event, &mut out);
                said.extend(out.iter().map(|verdict| say(verdict, naive.now)));
                naive.hear(meaning, host, &Counted { at: naive.now, name, call, tcp });
            }
        }
        prop_assert_eq!(said, naive.said);
    }
}
