//! The engine against a naive one: plain lists of times, written from the rules, compared verdict by verdict.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

mod engine_world;
#[path = "engine_world/spoken.rs"]
mod spoken;

use std::collections::BTreeMap;

use engine_world::{event, over_tcp, start};
use proptest::prelude::*;
use ringfence::engine::Engine;
use ringfence_event::{Cause, SecurityEvent, Service, Span, Text};
use spoken::{policy, say};

const NAMES: [&str; 3] = ["alice", "bob", "9999"];
const HOSTS: u8 = 3;
const JAILS: [&str; 3] = ["auth", "enumeration", "flood"];
/// maxretry, findtime and bantime in milliseconds, whether bans grow; `None`: off.
type Values = Option<(u64, u64, u64, bool)>;
/// Of nobody, of tenant a, of tenant b; each for auth, enumeration, flood.
const VALUES: [[Values; 3]; 3] = [
    [
        Some((3, 10_000, 30_000, true)),
        Some((2, 20_000, 60_000, true)),
        Some((4, 5_000, 45_000, false)),
    ],
    [
        Some((2, 4_000, 50_000, false)),
        Some((3, 20_000, 60_000, true)),
        Some((8, 5_000, 45_000, false)),
    ],
    [
        Some((5, 15_000, 20_000, true)),
        None,
        Some((4, 5_000, 10_000, true)),
    ],
];
/// Every maxretry divides a sixteenth of it.
const WHOLE: u64 = 16 * 120;
/// A success makes its account known for so long, counted in whole ticks.
const KNOWN_TICKS: u64 = 7200 / 16;
/// Realm and domain, whose attempt that is, and whether they disagree.
const PLACES: [(&str, &str, usize, bool); 7] = [
    ("x", "x", 0, false),
    ("", "", 0, false),
    ("A.example", "a.example", 1, false),
    ("b.example", "b.example", 2, false),
    ("a.example", "b.example", 1, true),
    ("b.example", "x", 2, true),
    ("x", "b.example", 2, true),
];
/// Tenant a trusts it.
const TRUSTED: u8 = 1;
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
    /// One that names nobody.
    OpenNobody,
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
    fn told(self, host: u8, new: &Counted) -> Vec<(Meaning, SecurityEvent)> {
        let (name, place) = (NAMES[new.name], new.place);
        let (addr, call) = (format!("198.51.100.{host}"), format!("call-{}", new.call));
        let tell = |cause, name: &str| {
            let mut event = event(&addr, cause, name, &call);
            event.tenant = Text::from(PLACES[place].0);
            event.domain = Text::from(PLACES[place].1);
            if new.sofia {
                event.service = Service::Sofia;
            }
            if new.tcp { over_tcp(event) } else { event }
        };
        let open = (Meaning::Open, tell(Cause::Challenged, name));
        let no_such = (Meaning::NoSuch, tell(Cause::UnknownAccount, name));
        let open_nobody = (Meaning::OpenNobody, tell(Cause::Challenged, ""));
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
    place: usize,
    call: usize,
    tcp: bool,
    /// At FreeSWITCH, which keeps silent about some answers.
    sofia: bool,
    /// The challenge of an account that had succeeded at the host.
    known: bool,
}

impl Counted {
    fn tenant(&self) -> usize {
        PLACES[self.place].2
    }

    fn mixed(&self) -> bool {
        PLACES[self.place].3
    }

    /// An account is one of its realm.
    fn account(&self) -> (usize, &str) {
        (self.name, PLACES[self.place].0)
    }

    /// A challenge checks no name, so that both tenants may be named falsely.
    fn may_be_feigned(&self, jail: usize) -> bool {
        self.mixed() || (jail == 2 && self.tenant() != 0)
    }

    /// The values that may hold for it.
    fn values(&self, jail: usize) -> Vec<(u64, u64, u64, bool)> {
        let shared = self.may_be_feigned(jail).then_some(VALUES[0][jail]);
        [Some(VALUES[self.tenant()][jail]), shared]
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }

    fn weight(&self, jail: usize, now: u64) -> u64 {
        let live = self
            .values(jail)
            .into_iter()
            .filter(|values| now - self.at < values.1);
        let parts = if self.known && jail == 2 { 16 } else { 1 };
        live.map(|values| WHOLE / values.0 / parts).max().unwrap_or(0)
    }

    fn ends(&self, jail: usize) -> u64 {
        self.values(jail)
            .iter()
            .map(|values| self.at + values.1)
            .max()
            .unwrap_or(0)
    }

    /// Leads to nothing: tenant a trusts the host.
    fn covered(&self, host: u8) -> bool {
        host == TRUSTED && self.tenant() == 1 && !self.mixed()
    }
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
    /// By host and name, the tick of the last success.
    known: BTreeMap<(u8, usize), u64>,
    /// Until when no refusal is told.
    quiet: u64,
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
            Meaning::Open => {
                let last = self.known.get(&(host, new.name));
                let known = last.is_some_and(|last| self.tick() <= last + KNOWN_TICKS);
                self.add(host, 2, &Counted { known, ..new.clone() });
            }
            Meaning::OpenNobody => self.add(host, 2, new),
            Meaning::NoSuch => self.add(host, 1, new),
            Meaning::Failed => {
                self.list(host, 2)
                    .retain(|old| old.call != new.call || (old.sofia && old.known));
                self.add(host, 0, new);
            }
            Meaning::Succeeded => {
                let tick = self.tick();
                self.known.insert((host, new.name), tick);
                self.list(host, 2).retain(|old| {
                    let own = old.call == new.call;
                    !own && (old.known || old.account() != new.account())
                });
                self.list(host, 0).retain(|old| old.account() != new.account());
            }
            Meaning::Again => {}
        }
    }

    fn tick(&self) -> u64 {
        (start().as_millis() + self.now) / 16_000
    }

    fn list(&mut self, host: u8, jail: usize) -> &mut Vec<Counted> {
        self.lists.entry((host, jail)).or_default()
    }

    fn add(&mut self, host: u8, jail: usize, new: &Counted) {
        let now = self.now;
        if new.weight(jail, now) == 0 {
            return;
        }
        let list = self.list(host, jail);
        if jail == 1 {
            list.retain(|old| old.account() != new.account());
        }
        list.push(new.clone());
        list.retain(|old| old.weight(jail, now) > 0);
        let list = list.clone();
        let reached: Vec<Counted> = list.iter().filter(|old| !old.covered(host)).cloned().collect();
        let sum = |list: &[Counted]| list.iter().map(|old| old.weight(jail, now)).sum::<u64>();
        let at_a: Vec<Counted> = list.iter().filter(|old| old.tenant() == 1).cloned().collect();
        if sum(&reached) >= WHOLE && (host != TRUSTED || sum(&at_a) >= WHOLE) {
            self.list(host, jail).clear();
            self.decide(host, jail, &reached);
            return;
        }
        if host != TRUSTED {
            return;
        }
        if sum(&reached) >= WHOLE && self.quiet <= now {
            self.quiet = now + VALUES[0][jail].unwrap().1;
            self.said.push(format!("ignore {host} {} a", JAILS[jail]));
        }
        // Kept is what is needed, of what counts longest, to reach the threshold and that of tenant a.
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse((list[*at].ends(jail), *at)));
        let (mut all, mut alone, mut needed) = (0, 0, Vec::new());
        for at in order {
            let (old, weight) = (&list[at], list[at].weight(jail, now));
            if (!old.covered(host) && all < WHOLE) || (old.tenant() == 1 && alone < WHOLE) {
                needed.push(old.call);
            }
            all += if old.covered(host) { 0 } else { weight };
            alone += if old.tenant() == 1 { weight } else { 0 };
        }
        self.list(host, jail).retain(|old| needed.contains(&old.call));
    }

    /// The tenants by their shares, the greatest first, and the values of the first.
    fn shares(&self, jail: usize, reached: &[Counted]) -> (Vec<usize>, (u64, u64, u64, bool)) {
        let mut parts = Vec::new();
        for tenant in [1, 2, 0] {
            let its: Vec<&Counted> = reached.iter().filter(|old| old.tenant() == tenant).collect();
            let weight: u64 = its.iter().map(|old| old.weight(jail, self.now)).sum();
            let mixed = its.iter().any(|old| old.may_be_feigned(jail));
            let own = VALUES[tenant][jail];
            let shared = VALUES[0][jail].filter(|_| mixed);
            let strictest = [own, shared]
                .into_iter()
                .flatten()
                .max_by_key(|values| (values.2, values.3));
            parts.extend(
                strictest
                    .filter(|_| weight > 0)
                    .map(|values| (weight, tenant, values)),
            );
        }
        parts.sort_by_key(|(weight, _, values)| std::cmp::Reverse((*weight, values.2, values.3)));
        (parts.iter().map(|part| part.1).collect(), parts[0].2)
    }

    fn decide(&mut self, host: u8, jail: usize, reached: &[Counted]) {
        let (mut tenants, (_, _, bantime, grows)) = self.shares(jail, reached);
        tenants.retain(|tenant| *tenant != 0);
        if host == TRUSTED && !tenants.contains(&1) {
            tenants.push(1);
        }
        let tenants: String = tenants.iter().map(|tenant| ["", "a", "b"][*tenant]).collect();
        let name = JAILS[jail];
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
        self.said.push(format!(
            "{word} {host} {name} {term} {times} {} {tenants}",
            reached.len()
        ));
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

/// What an office full of telephones does, and now and then somebody else.
fn any_call() -> impl Strategy<Value = Try> {
    prop_oneof![12 => Just(Try::Silence), 4 => Just(Try::Good), 1 => Just(Try::Wrong)]
}

/// The pause before it, the host, and what is tried with which name, where, over TCP or not, at FreeSWITCH or not.
type Step = (u64, u8, Try, usize, usize, bool, bool);

fn agree(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut engine = Engine::new(policy(), 3);
    let mut naive = Naive::default();
    let mut said = Vec::new();
    for (call, (pause, host, kind, name, place, tcp, sofia)) in steps.into_iter().enumerate() {
        naive.pass(pause);
        let new = Counted {
            at: naive.now,
            name,
            place,
            call,
            tcp,
            sofia: sofia && !matches!(kind, Try::Unknown { .. }),
            known: false,
        };
        for (meaning, event) in kind.told(host, &new) {
            let mut out = Vec::new();
            engine.observe(start() + Span::from_millis(naive.now), &event, &mut out);
            said.extend(out.iter().map(|verdict| say(verdict, naive.now)));
            naive.hear(meaning, host, &new);
        }
    }
    prop_assert_eq!(said, naive.said);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_verdict_is_the_naive_one(
        steps in prop::collection::vec(
            (prop_oneof![9 => 0..6_u64, 1 => 0..160_u64].prop_map(|n| n * 500), 0..HOSTS, any_try(), 0..3_usize, 0..PLACES.len(), any::<bool>(), any::<bool>()),
            0..120,
        ),
    ) {
        agree(steps)?;
    }

    #[test]
    fn every_verdict_on_a_busy_office_is_the_naive_one(
        steps in prop::collection::vec(
            (prop_oneof![40 => 0..3_u64, 1 => 0..80_u64, 1 => 70_000..74_000_u64].prop_map(|n| n * 100), 0..HOSTS, any_call(), 0..3_usize, 0..PLACES.len(), any::<bool>(), any::<bool>()),
            0..400,
        ),
    ) {
        agree(steps)?;
    }
}
