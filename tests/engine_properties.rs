//! What holds for every stream of events, whoever sends it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

mod engine_world;

use std::collections::VecDeque;
use std::net::IpAddr;

use engine_world::{event, ip, start};
use proptest::prelude::*;
use ringfence::engine::{
    Engine, Jail, JailTotals, Names, Pattern, Policy, Snapshot, Target, Tenant, Verdict,
};
use ringfence_event::{Cause, Moment, Peer, Proof, SecurityEvent, Service, SourceId, Span, Text, Transport};

const IGNORED: &str = "192.0.2.2";
/// Tenant acme trusts it.
const TRUSTED: &str = "192.0.2.3";

/// Small numbers, so that short streams reach every threshold.
fn policy() -> Policy {
    let mut policy = Policy {
        ignore: vec![IGNORED.parse::<IpAddr>().unwrap().into()],
        ..Policy::default()
    };
    for (jail, (maxretry, findtime, bantime)) in
        policy
            .jails
            .iter_mut()
            .zip([(3, 10, 30), (2, 20, 60), (4, 5, 45), (2, 15, 25)])
    {
        jail.maxretry = maxretry;
        jail.findtime = Span::from_secs(findtime);
        jail.bantime = Span::from_secs(bantime);
    }
    policy.jails.push(Jail {
        name: "everything".into(),
        causes: Cause::ALL.into(),
        services: Service::ALL.into(),
        maxretry: 9,
        ..policy.jails[0].clone()
    });
    policy.limits.memory = Span::from_secs(300);
    let jail = |at: usize, maxretry, findtime| Jail {
        maxretry,
        findtime: Span::from_secs(findtime),
        ..policy.jails[at].clone()
    };
    let (mild, strict) = (jail(0, 7, 40), jail(0, 2, 5));
    let off = Jail {
        enabled: false,
        ..policy.jails[4].clone()
    };
    policy.tenants = vec![tenant("acme", vec![strict]), tenant("beta", vec![mild, off])];
    policy.tenants[0].ignore = vec![TRUSTED.parse::<IpAddr>().unwrap().into()];
    policy
}

fn tenant(name: &str, jails: Vec<Jail>) -> Tenant {
    Tenant {
        name: name.into(),
        names: Names {
            domain: vec![Pattern::folded(&format!("{name}.example"))],
            ..Names::default()
        },
        ignore: Vec::new(),
        jails,
    }
}

const PLACES: [&str; 4] = ["", "x", "acme.example", "beta.example"];

/// One call: time that passed since the one before (or went back), and an event.
type Step = (i64, SecurityEvent);

fn any_event() -> impl Strategy<Value = SecurityEvent> {
    let place = (
        0..6_u8,
        0..3_u16,
        prop::sample::select(vec![Transport::Udp, Transport::Tcp]),
        0..3_u16,
    );
    let what = (
        prop::sample::select(Cause::ALL.to_vec()),
        prop::sample::select(vec![
            Service::PjSip,
            Service::PjSip,
            Service::PjSip,
            Service::ChanSip,
            Service::Ami,
        ]),
    );
    let text = (
        0..4_usize,
        0..5_usize,
        prop::sample::select(vec![Proof::None, Proof::Answered]),
        (0..4_usize, 0..4_usize),
    );
    (place, what, text).prop_map(
        |((host, port, transport, source), (cause, service), (account, dialogue, proof, (realm, domain)))| {
            SecurityEvent {
                at: None,
                source: SourceId(source),
                service,
                cause,
                peer: Peer::new(format!("192.0.2.{host}").parse().unwrap(), 5060 + port, transport),
                account: Text::from(["", "alice", "bob", "9999"][account]),
                tenant: Text::from(PLACES[realm]),
                domain: Text::from(PLACES[domain]),
                profile: Text::EMPTY,
                dialogue: Text::from(["", "", "a", "b", "c"][dialogue]),
                proof: proof.max(transport.proof()),
                detail: Text::EMPTY,
            }
        },
    )
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![8 => 0..3_000_i64, 1 => -2_000..0_i64, 1 => 3_000..60_000_i64];
    prop::collection::vec((pause, any_event()), 0..150)
}

struct Run {
    engine: Engine,
    at: i64,
    verdicts: Vec<Verdict>,
}

impl Run {
    fn new(policy: Policy, seed: u64) -> Self {
        let mut engine = Engine::new(policy, seed);
        engine.watch_together(vec![vec![SourceId(0), SourceId(1)]]);
        Self {
            engine,
            at: i64::try_from(start().as_millis()).unwrap(),
            verdicts: Vec::new(),
        }
    }

    fn now(&self) -> Moment {
        Moment::from_millis(u64::try_from(self.at).unwrap())
    }

    fn step(&mut self, (pause, event): &Step) {
        self.at += pause;
        self.engine.observe(self.now(), event, &mut self.verdicts);
    }

    fn steps(mut self, steps: &[Step]) -> Self {
        for step in steps {
            self.step(step);
        }
        self
    }
}

fn tight(limit: usize) -> Policy {
    let mut policy = policy();
    policy.limits.max_tracked = limit;
    policy
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_ignored_address_is_never_banned(steps in any_steps()) {
        let run = Run::new(policy(), 1).steps(&steps);
        let banned = |v: &Verdict| matches!(v, Verdict::Ban(b) | Verdict::Extend(b) if b.target == Target::Address(ip(IGNORED)));
        prop_assert!(!run.verdicts.iter().any(banned));
        prop_assert!(run.engine.ban_of(ip(IGNORED)).is_none());
    }

    #[test]
    fn whom_a_tenant_trusts_is_never_banned_unless_it_attacks_that_tenant(steps in any_steps()) {
        let acme = Text::from("acme.example");
        let mut run = Run::new(policy(), 1);
        for step in &steps {
            let (addr, event) = (step.1.peer.addr(), &step.1);
            if addr != ip(TRUSTED) || (event.tenant != acme && event.domain != acme) {
                run.step(step);
            }
        }
        let banned = |v: &Verdict| matches!(v, Verdict::Ban(b) | Verdict::Extend(b) if b.target == Target::Address(ip(TRUSTED)));
        prop_assert!(!run.verdicts.iter().any(banned));
    }

    #[test]
    fn tenants_that_nobody_names_change_nothing(steps in any_steps(), limit in 2..8_usize) {
        let plain = Policy { tenants: Vec::new(), ..tight(limit) };
        let mut strangers = tight(limit);
        for tenant in &mut strangers.tenants {
            tenant.names.domain = vec![Pattern::folded("elsewhere.example")];
            tenant.ignore = Vec::new();
            // the longest findtime says how long addresses are tracked
            tenant.jails.iter_mut().for_each(|jail| jail.findtime = Span::from_secs(5));
        }
        let (one, two) = (Run::new(plain, 1).steps(&steps), Run::new(strangers, 1).steps(&steps));
        let counted = |run: &Run| run.engine.totals().jails.into_iter().map(|jail| JailTotals { otherwise: 0, ..jail });
        prop_assert!(counted(&one).eq(counted(&two)));
        prop_assert_eq!(one.verdicts, two.verdicts);
    }

    #[test]
    fn a_spread_over_tenants_bans_after_exactly_as_many(
        maxretry in 1..60_u32, places in prop::collection::vec(0..9_usize, 60),
    ) {
        let mut policy = Policy::default();
        policy.jails[0].maxretry = maxretry;
        let jail = policy.jails[0].clone();
        policy.tenants = (0..8).map(|n| tenant(&format!("t{n}"), vec![jail.clone()])).collect();
        let mut engine = Engine::new(policy, 1);
        let mut out = Vec::new();
        for (n, place) in (1..=maxretry).zip(places) {
            let mut event = event(IGNORED, Cause::WrongPassword, "alice", &format!("call-{n}"));
            event.tenant = Text::from(format!("t{place}.example").as_str());
            engine.observe(start(), &event, &mut out);
            prop_assert_eq!(out.len(), usize::from(n == maxretry));
        }
    }

    #[test]
    fn neither_replaying_nor_another_seed_changes_a_verdict(steps in any_steps(), seed in any::<u64>(), limit in 2..8_usize) {
        let one = Run::new(tight(limit), 1).steps(&steps);
        let two = Run::new(tight(limit), seed).steps(&steps);
        prop_assert_eq!(&one.verdicts, &two.verdicts);
        prop_assert_eq!(one.engine.totals(), two.engine.totals());
    }

    #[test]
    fn extra_calls_of_expire_change_nothing(steps in any_steps(), extra in prop::collection::vec(0..4_usize, 150), limit in 2..8_usize) {
        let plain = Run::new(tight(limit), 1).steps(&steps);
        let mut busy = Run::new(tight(limit), 1);
        for (step, extra) in steps.iter().zip(extra) {
            // Before the first event there is no time yet.
            let extra = if busy.engine.totals().events == 0 { 0 } else { extra };
            for part in 0..extra {
                let at = busy.at + step.0.max(0) * i64::try_from(part).unwrap() / 4;
                busy.engine.expire(Moment::from_millis(u64::try_from(at).unwrap()), &mut busy.verdicts);
            }
            busy.step(step);
        }
        prop_assert_eq!(plain.verdicts, busy.verdicts);
    }

    #[test]
    fn going_on_from_a_snapshot_is_going_on(steps in any_steps(), cut in 0..150_usize, seed in any::<u64>(), limit in 2..8_usize) {
        let whole = Run::new(tight(limit), 1).steps(&steps);
        let (before, after) = steps.split_at(cut.min(steps.len()));
        let mut run = Run::new(tight(limit), 1).steps(before);
        let saved = serde_json::to_string(&run.engine.snapshot()).unwrap();
        let saved: Snapshot = serde_json::from_str(&saved).unwrap();
        run.engine = Engine::restore(tight(limit), seed, Moment::EPOCH, saved, &mut run.verdicts);
        let run = run.steps(after);
        prop_assert_eq!(whole.verdicts, run.verdicts);
        prop_assert_eq!(whole.engine.totals(), run.engine.totals());
        let (whole, run) = (whole.engine.snapshot(), run.engine.snapshot());
        prop_assert!(whole == run, "{:?}\n{:?}", whole, run);
    }

    #[test]
    fn the_deadline_is_when_the_next_ban_ends_or_before(steps in any_steps()) {
        let mut run = Run::new(policy(), 1).steps(&steps);
        let ends: Vec<Moment> = run.engine.bans().map(|ban| ban.until).collect();
        if let Some(first) = ends.iter().min() {
            prop_assert!(run.engine.deadline().unwrap() <= *first);
        }
        // Calling when it asks to be called comes to an end, with nothing left.
        let mut calls = 0;
        while let Some(at) = run.engine.deadline() {
            run.engine.expire(at, &mut run.verdicts);
            calls += 1;
            prop_assert!(calls < 10_000);
        }
        prop_assert_eq!(run.engine.bans().count(), 0);
        prop_assert_eq!(run.engine.totals().tracked, 0);
    }
}

/// One try of an attacker or phone, as PJSIP tells it.
#[derive(Clone, Copy, Debug)]
enum Try {
    Wrong,
    Good,
    Unknown,
    UnknownUnanswered,
    Silence,
}

fn any_tries() -> impl Strategy<Value = Vec<(u64, u8, Try, usize)>> {
    use Try::{Good, Silence, Unknown, UnknownUnanswered, Wrong};
    let kind = prop::sample::select(vec![
        Wrong,
        Wrong,
        Wrong,
        Good,
        Unknown,
        UnknownUnanswered,
        Silence,
    ]);
    prop::collection::vec((0..2_500_u64, 0..3_u8, kind, 0..3_usize), 0..60)
}

fn told(host: u8, kind: Try, account: usize, id: usize) -> Vec<SecurityEvent> {
    let addr = format!("198.51.100.{host}");
    let (name, id) = (["alice", "bob", "9999"][account], format!("call-{id}"));
    let tell = |cause, account| event(&addr, cause, account, &id);
    let (named, answer) = (tell(Cause::UnknownAccount, name), tell(Cause::UnknownAccount, ""));
    match kind {
        Try::Wrong => vec![tell(Cause::Challenged, name), tell(Cause::WrongPassword, name)],
        Try::Good => vec![tell(Cause::Challenged, name), tell(Cause::Succeeded, name)],
        Try::Unknown => vec![named.clone(), tell(Cause::Challenged, ""), named, answer],
        Try::UnknownUnanswered => vec![named, tell(Cause::Challenged, "")],
        Try::Silence => vec![tell(Cause::Challenged, name)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The log repeats everything, before, after or in the middle of what the manager interface says.
    #[test]
    fn the_order_of_two_sources_changes_no_decision(
        tries in any_tries(), first in prop::collection::vec(any::<bool>(), 400), lag in 0..6_usize,
    ) {
        let alone = {
            let mut run = Run::new(policy(), 1);
            for (id, (pause, host, kind, account)) in tries.iter().enumerate() {
                run.at += i64::try_from(*pause).unwrap();
                for event in told(*host, *kind, *account, id / 2) {
                    run.step(&(0, event));
                }
            }
            decisions(&run.verdicts)
        };
        let mut run = Run::new(policy(), 1);
        let mut order = first.into_iter().cycle();
        let mut late: VecDeque<Vec<SecurityEvent>> = VecDeque::new();
        for (id, (pause, host, kind, account)) in tries.iter().enumerate() {
            run.at += i64::try_from(*pause).unwrap();
            let ami: VecDeque<SecurityEvent> = told(*host, *kind, *account, id / 2).into();
            let log = ami.iter().cloned().map(|mut event| { event.source = SourceId(1); event }).collect();
            if lag == 0 {
                let (mut ami, mut log): (VecDeque<_>, VecDeque<_>) = (ami, log);
                while let Some(event) = if order.next().unwrap() { ami.pop_front().or_else(|| log.pop_front()) } else { log.pop_front().or_else(|| ami.pop_front()) } {
                    run.step(&(0, event));
                }
            } else {
                late.push_back(log.into());
                for event in ami {
                    run.step(&(0, event));
                }
                if late.len() > lag {
                    for event in late.pop_front().unwrap() {
                        run.step(&(0, event));
                    }
                }
            }
        }
        prop_assert_eq!(decisions(&run.verdicts), alone);
    }
}

/// Who was banned by which jail until when, and who was let go.
fn decisions(verdicts: &[Verdict]) -> Vec<String> {
    let tell = |verdict: &Verdict| match verdict {
        Verdict::Ban(ban) | Verdict::Extend(ban) => {
            format!("{} {} {:?} {}", ban.target, ban.jail, ban.until, ban.count)
        }
        other => format!("{other:?}"),
    };
    verdicts.iter().map(tell).collect()
}
