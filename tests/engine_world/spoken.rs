//! The policy that the naive engine follows, and verdicts in its words.
use ringfence::engine::{Escalation, Jail, Names, Pattern, Policy, Target, Tenant, Verdict};
use ringfence_event::Span;

use super::engine_world::start;
use super::{JAILS, LONGEST, MEMORY, TRUSTED, VALUES, Values};

pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.limits.memory = Span::from_millis(MEMORY);
    let set = |jail: &mut Jail, name: &str, values: Values| {
        assert_eq!(jail.name, name);
        jail.enabled = values.is_some();
        if let Some((maxretry, findtime, bantime, grows)) = values {
            jail.maxretry = u32::try_from(maxretry).unwrap();
            jail.findtime = Span::from_millis(findtime);
            jail.bantime = Span::from_millis(bantime);
            jail.escalation = grows.then_some(Escalation {
                factor: 2,
                maximum: Span::from_millis(LONGEST),
            });
        }
    };
    for ((jail, name), values) in policy.jails.iter_mut().zip(JAILS).zip(VALUES[0]) {
        set(jail, name, values);
    }
    policy.tenants = ["a", "b"]
        .into_iter()
        .zip(&VALUES[1..])
        .map(|(tenant, values)| {
            let mut jails = policy.jails.clone();
            for ((jail, name), values) in jails.iter_mut().zip(JAILS).zip(values) {
                set(jail, name, *values);
            }
            Tenant {
                name: tenant.into(),
                names: Names {
                    domain: vec![Pattern::folded(&format!("{tenant}.example"))],
                    ..Names::default()
                },
                ignore: if tenant == "a" {
                    vec![format!("198.51.100.{TRUSTED}/32").parse().unwrap()]
                } else {
                    Vec::new()
                },
                jails,
            }
        })
        .collect();
    policy
}

pub(crate) fn say(verdict: &Verdict, now: u64) -> String {
    let host = |target: &Target| target.to_string().rsplit('.').next().unwrap().to_owned();
    let ban = |word: &str, ban: &ringfence::engine::Ban| {
        let term = ban.until.since(start()).as_millis() - now;
        format!(
            "{word} {} {} {term} {} {} {}",
            host(&ban.target),
            ban.jail,
            ban.count,
            ban.evidence.attempts,
            ban.evidence.tenants.concat()
        )
    };
    match verdict {
        Verdict::Ban(new) => ban("ban", new),
        Verdict::Extend(new) => ban("extend", new),
        Verdict::Lift { target, .. } => format!("lift {}", host(target)),
        Verdict::Ignore {
            target,
            jail,
            tenants,
            ..
        } => format!("ignore {} {jail} {}", host(target), tenants.concat()),
        other @ Verdict::Alert(_) => format!("{other:?}"),
    }
}
