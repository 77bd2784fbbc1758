//! What holds for known accounts, whoever registers and asks in whatever order.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::{event, start};
use proptest::prelude::*;
use ringfence::engine::{Engine, Policy, Verdict};
use ringfence_event::{Cause, Moment, SecurityEvent, Service, SourceId, Span};

/// Pause, host, account, and whether it registers or asks only.
type Step = (u64, u8, u8, bool);

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![30 => 0..300_u64, 1 => 10_000..40_000_u64, 1 => 7_190_000..7_220_000_u64];
    prop::collection::vec((pause, 0..2_u8, 0..3_u8, prop::bool::weighted(0.2)), 0..250)
}

fn small() -> Policy {
    let mut policy = Policy::default();
    policy.jails[2].maxretry = 3;
    policy
}

fn told(host: u8, account: u8, registers: bool, id: usize, service: Service) -> Vec<SecurityEvent> {
    let (addr, name, call) = (
        format!("198.51.100.{host}"),
        format!("phone{account}"),
        format!("call{id}"),
    );
    let tell = |cause| SecurityEvent {
        service,
        ..event(&addr, cause, &name, &call)
    };
    let mut events = vec![tell(Cause::Challenged)];
    if registers {
        events.push(tell(Cause::Succeeded));
    }
    events
}

fn run(
    engine: &mut Engine,
    at: &mut Moment,
    steps: &[Step],
    first: usize,
    twins: impl Fn(usize) -> Option<bool>,
) -> Vec<Verdict> {
    let mut out = Vec::new();
    for (id, (pause, host, account, registers)) in (first..).zip(steps) {
        *at = *at + Span::from_millis(*pause);
        let service = if id % 2 == 0 {
            Service::Sofia
        } else {
            Service::PjSip
        };
        for event in told(*host, *account, *registers, id, service) {
            let log = SecurityEvent {
                source: SourceId(1),
                ..event.clone()
            };
            match twins(id) {
                None => engine.observe(*at, &event, &mut out),
                Some(log_first) => {
                    let both = if log_first { [&log, &event] } else { [&event, &log] };
                    for event in both {
                        engine.observe(*at, event, &mut out);
                    }
                }
            }
        }
    }
    out
}

/// Who was banned by which jail, when and until when, for how many attempts.
fn decisions(verdicts: &[Verdict]) -> Vec<String> {
    let tell = |verdict: &Verdict| match verdict {
        Verdict::Ban(ban) | Verdict::Extend(ban) => {
            format!(
                "{} {} {:?} {:?} {}",
                ban.target, ban.jail, ban.since, ban.until, ban.evidence.attempts
            )
        }
        other => format!("{other:?}"),
    };
    verdicts.iter().map(tell).collect()
}

fn twinned(seed: u64) -> Engine {
    let mut engine = Engine::new(small(), seed);
    engine.watch_together(vec![vec![SourceId(0), SourceId(1)]]);
    engine
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_source_and_its_order_and_another_seed_change_nothing(steps in any_steps(), order in prop::collection::vec(any::<bool>(), 250)) {
        let alone = run(&mut twinned(1), &mut start(), &steps, 0, |_| None);
        let both = run(&mut twinned(2), &mut start(), &steps, 0, |id| Some(order[id]));
        prop_assert_eq!(decisions(&alone), decisions(&both));
    }

    #[test]
    fn going_on_from_a_snapshot_is_going_on(steps in any_steps(), cut in 0..250_usize) {
        let (mut whole, mut at) = (twinned(1), start());
        let verdicts = run(&mut whole, &mut at, &steps, 0, |_| None);
        let (before, after) = steps.split_at(cut.min(steps.len()));
        let (mut engine, mut at) = (twinned(1), start());
        let mut parts = run(&mut engine, &mut at, before, 0, |_| None);
        let saved = serde_json::to_string(&engine.snapshot()).unwrap();
        let mut engine = Engine::restore(small(), 2, Moment::EPOCH, serde_json::from_str(&saved).unwrap(), &mut parts);
        parts.extend(run(&mut engine, &mut at, after, before.len(), |_| None));
        prop_assert_eq!(verdicts, parts);
        prop_assert!(whole.snapshot() == engine.snapshot());
    }
}
