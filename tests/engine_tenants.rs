//! Tenants: whose attempts count by whose values, and what nobody gains by lying about names. The rules of docs/engine.md,
//! one by one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::{World, event, ip};
use ringfence::engine::{
    Command, Engine, Escalation, IgnoreReason, Jail, LiftReason, Names, Pattern, Policy, Reply, Snapshot,
    Target, Tenant, Verdict,
};
use ringfence_event::{Cause, Moment, SecurityEvent, Span, Text};

const ATTACKER: &str = "198.51.100.7";
const OFFICE: &str = "203.0.113.20";

/// A tenant by its domain, with another `maxretry` for `auth`.
fn tenant(name: &str, maxretry: u32) -> Tenant {
    Tenant {
        name: name.into(),
        names: Names {
            domain: vec![Pattern::folded(&format!("{name}.example"))],
            ..Names::default()
        },
        ignore: Vec::new(),
        jails: vec![Jail {
            maxretry,
            ..Jail::built_in()[0].clone()
        }],
    }
}

fn trusting(name: &str, maxretry: u32) -> Tenant {
    Tenant {
        ignore: vec!["203.0.113.0/24".parse().unwrap()],
        ..tenant(name, maxretry)
    }
}

fn with(tenants: Vec<Tenant>) -> World {
    World::new(Policy {
        tenants,
        ..Policy::default()
    })
}

/// A wrong password with these names.
fn wrong(addr: &str, account: &str, (realm, domain): (&str, &str), call: &str) -> SecurityEvent {
    SecurityEvent {
        tenant: Text::from(realm),
        domain: Text::from(domain),
        profile: Text::from("internal"),
        ..event(addr, Cause::WrongPassword, account, call)
    }
}

trait Attacks {
    fn at(&mut self, addr: &str, realm: &str, domain: &str) -> &mut Self;
    fn attack(&mut self, addr: &str, tenant: &str, times: usize) -> &mut Self;
}

impl Attacks for World {
    fn at(&mut self, addr: &str, realm: &str, domain: &str) -> &mut Self {
        let call = self.call_id();
        self.see(&wrong(addr, "100", (realm, domain), &call))
    }

    /// Honest names: realm and domain are those of the tenant.
    fn attack(&mut self, addr: &str, tenant: &str, times: usize) -> &mut Self {
        let name = format!("{tenant}.example");
        for _ in 0..times {
            self.at(addr, &name, &name);
        }
        self
    }
}

fn tenants_of(world: &World) -> Vec<String> {
    world.ban().evidence.tenants.clone()
}

/// The label of an address's first evidence.
fn label(names: Names, event: &SecurityEvent) -> String {
    let mut world = with(vec![Tenant {
        names,
        ..tenant("it", 5)
    }]);
    world.see(event);
    let dossier = world.engine.dossier(world.now, event.peer.addr());
    dossier.events[0].tenant.clone()
}

#[test]
fn every_key_must_fit_and_of_each_list_one() {
    let told = wrong(
        ATTACKER,
        "acme-100",
        ("Voice.ACME.example", "Voice.ACME.example"),
        "c",
    );
    let some = |list: &[&str]| list.iter().map(|name| Pattern::folded(name)).collect::<Vec<_>>();
    let exactly = |name: &str| vec![Pattern::exactly(name)];
    let none = Names::default;
    for (names, fits) in [
        (
            Names {
                domain: some(&["*.acme.example"]),
                ..none()
            },
            true,
        ),
        (
            Names {
                domain: some(&["x", "voice.acme.EXAMPLE"]),
                ..none()
            },
            true,
        ),
        (
            Names {
                domain: some(&["acme.example"]),
                ..none()
            },
            false,
        ),
        (
            Names {
                realm: some(&["voice.*"]),
                ..none()
            },
            true,
        ),
        (
            Names {
                profile: some(&["INTERNAL"]),
                ..none()
            },
            true,
        ),
        (
            Names {
                profile: some(&["external"]),
                ..none()
            },
            false,
        ),
        (
            Names {
                account: exactly("acme-*"),
                ..none()
            },
            true,
        ),
        (
            Names {
                account: exactly("ACME-*"),
                ..none()
            },
            false,
        ),
        (
            Names {
                account: exactly("acme-*"),
                profile: some(&["external"]),
                ..none()
            },
            false,
        ),
        (
            Names {
                account: exactly("acme-1??"),
                profile: some(&["int*"]),
                ..none()
            },
            true,
        ),
    ] {
        let expected = if fits { "it" } else { "" };
        assert_eq!(label(names.clone(), &told), expected, "{names:?}");
    }
    // an event without a domain: its realm stands for it
    let bare = wrong(ATTACKER, "100", ("acme.example", ""), "c");
    let names = Names {
        domain: some(&["acme.example"]),
        ..none()
    };
    assert_eq!(label(names, &bare), "it");
    // what is not there fits nothing
    let bare = wrong(ATTACKER, "100", ("", ""), "c");
    let names = Names {
        domain: some(&["*"]),
        ..none()
    };
    assert_eq!(label(names, &bare), "");
}

#[test]
fn the_first_that_fits_has_the_attempt_whether_by_name_or_by_pattern() {
    let wild = |name: &str| Tenant {
        names: Names {
            domain: vec![Pattern::folded("*.example")],
            ..Names::default()
        },
        ..tenant(name, 2)
    };
    let mut world = with(vec![tenant("acme", 2), wild("rest"), tenant("late", 2)]);
    world.attack(ATTACKER, "acme", 2);
    assert_eq!(tenants_of(&world), ["acme"]);
    let mut world = with(vec![wild("rest"), tenant("acme", 2)]);
    world.attack(ATTACKER, "acme", 2);
    assert_eq!(tenants_of(&world), ["rest"]);
}

#[test]
fn a_tenant_bans_by_its_own_number() {
    let mut world = with(vec![tenant("strict", 3), tenant("mild", 8)]);
    world.attack(ATTACKER, "strict", 2).is_quiet();
    world.attack(ATTACKER, "strict", 1);
    assert_eq!(
        (world.ban().evidence.attempts, tenants_of(&world)),
        (3, vec!["strict".to_owned()])
    );
    let mut world = with(vec![tenant("strict", 3), tenant("mild", 8)]);
    world.attack(ATTACKER, "mild", 7).is_quiet();
    world.attack(ATTACKER, "mild", 1);
    assert_eq!(world.ban().evidence.attempts, 8);
    // nobody's attempts: the shared five, and no label
    let mut world = with(vec![tenant("strict", 3)]);
    world.attack(ATTACKER, "other", 4).is_quiet();
    world.attack(ATTACKER, "other", 1);
    assert_eq!(tenants_of(&world), Vec::<String>::new());
}

#[test]
fn spreading_over_tenants_gains_nothing() {
    let mut world = with(vec![tenant("a", 4), tenant("b", 4), tenant("c", 2)]);
    // 1/4 + 1/4 + 1/2
    world.attack(ATTACKER, "a", 1).attack(ATTACKER, "b", 1).is_quiet();
    world.attack(ATTACKER, "c", 1);
    assert_eq!(world.ban().evidence.attempts, 3);
    assert_eq!(tenants_of(&world), ["c", "a", "b"]);
    let mut world = with(vec![tenant("a", 3), tenant("b", 6)]);
    // 2/3 + 1/6 + 1/5 of nobody
    world.attack(ATTACKER, "a", 2).attack(ATTACKER, "b", 1).is_quiet();
    world.attack(ATTACKER, "x", 1);
    assert_eq!(tenants_of(&world), ["a", "b"]);
}

#[test]
fn names_that_disagree_never_get_leniency() {
    // credentials are looked up by the realm, whatever the domain says
    for (realm, domain) in [
        ("strict.example", "mild.example"),
        ("mild.example", "strict.example"),
    ] {
        let mut world = with(vec![tenant("mild", 100), tenant("strict", 5)]);
        for _ in 0..4 {
            world.at(ATTACKER, realm, domain);
        }
        world.is_quiet();
        world.at(ATTACKER, realm, domain);
        let label = realm.strip_suffix(".example").unwrap();
        assert_eq!(tenants_of(&world), [label]);
    }
    // a domain that leads to the mild tenant and a realm that leads nowhere
    let mut world = with(vec![tenant("mild", 100)]);
    for _ in 0..5 {
        world.at(ATTACKER, "strict.example", "mild.example");
    }
    assert_eq!(world.ban().evidence.attempts, 5);
    // a stricter tenant stays stricter
    let mut world = with(vec![tenant("strict", 2)]);
    world
        .at(ATTACKER, "strict.example", "x")
        .at(ATTACKER, "x", "strict.example");
    assert_eq!(world.ban().evidence.attempts, 2);
    // off for the tenant, yet counted when mixed
    let mut off = tenant("off", 5);
    off.jails[0].enabled = false;
    let mut world = with(vec![off.clone()]);
    world.attack(ATTACKER, "off", 50).is_quiet();
    for _ in 0..5 {
        world.at(ATTACKER, "off.example", "x");
    }
    assert_eq!(world.ban().evidence.attempts, 5);
    // neither a shorter time to count nor a shorter ban
    let mut quick = tenant("quick", 5);
    quick.jails[0].findtime = Span::from_secs(1);
    quick.jails[0].bantime = Span::from_secs(1);
    quick.jails[0].escalation = None;
    let mut world = with(vec![quick]);
    for _ in 0..5 {
        world.at(ATTACKER, "quick.example", "x").after(60_000);
    }
    assert_eq!(world.ban().remaining(world.ban().since), Span::from_secs(3600));
}

#[test]
fn a_tenant_by_its_profile_is_never_mixed() {
    let by_profile = Tenant {
        names: Names {
            profile: vec![Pattern::folded("internal")],
            ..Names::default()
        },
        ..tenant("acme", 8)
    };
    let mut world = with(vec![by_profile]);
    for _ in 0..7 {
        world.at(ATTACKER, "anything", "else");
    }
    world.is_quiet();
    world.at(ATTACKER, "anything", "else");
    assert_eq!(tenants_of(&world), ["acme"]);
}

#[test]
fn one_attempt_that_names_two_tenants_is_mixed() {
    let mut world = with(vec![tenant("mild", 100), tenant("strict", 5)]);
    for n in 0..5 {
        let call = format!("c{n}");
        let first = SecurityEvent {
            cause: Cause::AclDenied,
            ..wrong(ATTACKER, "", ("strict.example", "strict.example"), &call)
        };
        world.see(&first);
        world.see(&wrong(ATTACKER, "100", ("mild.example", "mild.example"), &call));
    }
    assert_eq!(world.ban().evidence.attempts, 5);
}

#[test]
fn an_event_without_names_changes_nothing_about_whose_attempt_it_is() {
    let by_account = Tenant {
        names: Names {
            account: vec![Pattern::exactly("acme-*")],
            ..Names::default()
        },
        ..tenant("acme", 8)
    };
    let mut world = with(vec![by_account]);
    // PJSIP ends an unknown account's attempt with an event that names none
    for _ in 0..7 {
        world.unknown(ATTACKER, "acme-9", true);
    }
    world.is_quiet();
    world.unknown(ATTACKER, "acme-9", true);
    assert_eq!(tenants_of(&world), ["acme"]);
}

#[test]
fn the_greatest_share_decides_for_how_long() {
    let lasting = |name: &str, secs: u64, maxretry: u32| {
        let mut tenant = tenant(name, maxretry);
        tenant.jails[0].bantime = Span::from_secs(secs);
        tenant.jails[0].escalation = None;
        tenant
    };
    let hours = |world: &World| world.ban().remaining(world.ban().since).as_secs();
    let mut world = with(vec![lasting("short", 60, 4), lasting("long", 9000, 4)]);
    world.attack(ATTACKER, "long", 1).attack(ATTACKER, "short", 3);
    assert_eq!(
        (hours(&world), tenants_of(&world)),
        (60, vec!["short".into(), "long".into()])
    );
    let mut world = with(vec![lasting("short", 60, 4), lasting("long", 9000, 4)]);
    world.attack(ATTACKER, "long", 2).attack(ATTACKER, "short", 2);
    assert_eq!(
        (hours(&world), tenants_of(&world)),
        (9000, vec!["long".into(), "short".into()])
    );
    // nobody's attempts have the greatest share
    let mut world = with(vec![lasting("short", 60, 5)]);
    world.attack(ATTACKER, "x", 3).attack(ATTACKER, "short", 2);
    assert_eq!(
        (hours(&world), tenants_of(&world)),
        (3600, vec!["short".to_owned()])
    );
    // its own growth
    let mut grows = tenant("grows", 1);
    grows.jails[0].escalation = Some(Escalation {
        factor: 10,
        maximum: Span::from_secs(1_000_000),
    });
    let mut world = with(vec![grows]);
    for _ in 0..2 {
        let call = world.call_id();
        let event = wrong(ATTACKER, "100", ("grows.example", ""), &call);
        world.see(&engine_world::over_tcp(event)).after(3_600_001);
    }
    let lengths: Vec<u64> = world
        .bans()
        .iter()
        .map(|ban| ban.remaining(ban.since).as_secs())
        .collect();
    assert_eq!(lengths, [3600, 36_000]);
}

#[test]
fn distinct_accounts_and_silence_follow_the_same_shares() {
    let own = |name: &str| {
        let mut built_in = Jail::built_in();
        built_in[1].maxretry = 6;
        built_in[2].maxretry = 100;
        Tenant {
            jails: vec![built_in[1].clone(), built_in[2].clone()],
            ..tenant(name, 5)
        }
    };
    let tell = |world: &mut World, cause: Cause, account: &str, place: &str| {
        let call = world.call_id();
        let told = wrong(ATTACKER, account, (place, place), &call);
        world.see(&SecurityEvent { cause, ..told });
    };
    let mut world = with(vec![own("acme")]);
    for n in 0..3 {
        tell(&mut world, Cause::UnknownAccount, &format!("{n}"), "acme.example");
        tell(&mut world, Cause::UnknownAccount, "0", "acme.example");
    }
    // 3/6 so far, and 2/3 of nobody's is more than a whole
    tell(&mut world, Cause::UnknownAccount, "0", "x");
    world.is_quiet();
    tell(&mut world, Cause::UnknownAccount, "1", "x");
    assert_eq!(
        (world.ban().jail.as_str(), world.ban().evidence.attempts),
        ("enumeration", 5)
    );
    let mut world = with(vec![own("acme")]);
    for _ in 0..50 {
        tell(&mut world, Cause::Challenged, "1", "acme.example");
    }
    for _ in 0..24 {
        tell(&mut world, Cause::Challenged, "1", "x");
    }
    world.is_quiet();
    tell(&mut world, Cause::Challenged, "1", "x");
    assert_eq!(
        (world.ban().jail.as_str(), world.ban().evidence.attempts),
        ("flood", 75)
    );
}

#[test]
fn whom_a_tenant_trusts_can_fail_there_for_ever() {
    let mut world = with(vec![trusting("acme", 3)]);
    world.attack(OFFICE, "acme", 500).is_quiet();
    assert_eq!(world.count(OFFICE, "auth"), 0);
    let counts = world.engine.dossier(world.now, ip(OFFICE)).counts;
    assert!(counts[0].tenants[0].ignored && counts[0].tenants[0].count >= 3);
}

#[test]
fn whom_a_tenant_trusts_is_banned_only_if_it_attacks_that_tenant_too() {
    let mut world = with(vec![trusting("acme", 3), tenant("beta", 4)]);
    world.attack(OFFICE, "beta", 40);
    let ignored = Verdict::Ignore {
        target: Target::Address(ip(OFFICE)),
        reason: IgnoreReason::Tenant,
        jail: "auth".into(),
        tenants: vec!["acme".into()],
    };
    assert_eq!(world.verdicts, [(world.now, ignored)], "told once");
    world.attack(OFFICE, "acme", 2);
    assert_eq!(world.bans().len(), 0);
    world.attack(OFFICE, "acme", 1);
    let ban = world.bans()[0].clone();
    assert_eq!(
        ban.evidence.tenants,
        ["beta", "acme"],
        "what was held back is not forgotten"
    );
    assert_eq!(
        ban.evidence.attempts, 4,
        "of what was held back, what reaches the threshold"
    );
    // the ban stands although the tenant trusts the address: at every look, after a reload, after a restart
    assert_eq!(world.order(Command::Own(Vec::new())), Reply::Done(0));
    let policy = Policy {
        tenants: vec![trusting("acme", 3), tenant("beta", 4)],
        ..Policy::default()
    };
    world.tell(|engine, now, out| engine.reconfigure(now, policy.clone(), out));
    assert!(world.engine.ban_of(ip(OFFICE)).is_some());
    let (mut engine, mut out) = (Engine::new(policy, 1), Vec::new());
    engine.restore_bans(world.now, [ban], [], &mut out);
    assert!(engine.ban_of(ip(OFFICE)).is_some() && out.is_empty());
}

#[test]
fn every_tenant_that_trusts_an_address_protects_it() {
    let mut world = with(vec![trusting("a", 2), trusting("b", 2), tenant("c", 2)]);
    world.attack(OFFICE, "c", 2).attack(OFFICE, "a", 2);
    assert!(world.bans().is_empty());
    world.attack(OFFICE, "b", 2);
    assert_eq!(tenants_of(&world), ["c", "a", "b"]);
    // so many that a ban could not name them all
    let names = ["a", "b", "d", "e", "f", "g", "h", "i"];
    let mut world = with(
        names
            .iter()
            .map(|name| trusting(name, 1))
            .chain([tenant("c", 2)])
            .collect(),
    );
    for name in names {
        world.attack(OFFICE, name, 2);
    }
    world.attack(OFFICE, "c", 10);
    assert!(world.bans().is_empty());
}

#[test]
fn names_that_disagree_are_never_covered() {
    let mut world = with(vec![trusting("acme", 3), tenant("beta", 4)]);
    for _ in 0..2 {
        world.at(OFFICE, "acme.example", "beta.example");
    }
    world.is_quiet();
    world.at(OFFICE, "acme.example", "beta.example");
    assert_eq!(tenants_of(&world), ["acme"]);
}

#[test]
fn a_trusted_address_is_not_remembered_without_bound() {
    for attacked in ["acme", "beta"] {
        let mut world = with(vec![trusting("acme", 3), tenant("beta", 4)]);
        world.attack(OFFICE, attacked, 5000);
        assert!(world.bans().is_empty());
        let saved = serde_json::to_string(&world.engine.snapshot()).unwrap();
        assert!(saved.len() < 20_000, "{} bytes", saved.len());
    }
}

#[test]
fn orders_against_a_trusted_address_name_the_tenant() {
    let mut world = with(vec![trusting("acme", 3)]);
    for (target, words) in [
        (
            Target::Address(ip(OFFICE)),
            "203.0.113.20 is in 203.0.113.0/24, which is in ignoreip of tenant acme",
        ),
        (
            Target::Prefix("203.0.0.0/16".parse().unwrap()),
            "203.0.0.0/16 holds 203.0.113.0/24, which is in ignoreip of tenant acme",
        ),
    ] {
        let duration = None;
        assert_eq!(
            world.order(Command::Ban { target, duration }),
            Reply::Refused(words.into())
        );
    }
    world.is_quiet();
    let dossier = world.engine.dossier(world.now, ip(OFFICE));
    assert_eq!(dossier.trusted, ["tenant acme (its ignoreip has 203.0.113.0/24)"]);
    assert_eq!(dossier.ignored, None);
}

#[test]
fn bans_against_a_newly_trusted_address_are_lifted_unless_it_attacked_that_tenant() {
    for (attacked, stays) in [("acme", true), ("beta", false)] {
        let mut world = with(vec![tenant("acme", 3), tenant("beta", 3)]);
        world.attack(OFFICE, attacked, 3);
        let ban = world.ban().clone();
        let policy = Policy {
            tenants: vec![trusting("acme", 3), tenant("beta", 3)],
            ..Policy::default()
        };
        world.tell(|engine, now, out| engine.reconfigure(now, policy.clone(), out));
        assert_eq!(world.engine.ban_of(ip(OFFICE)).is_some(), stays, "{attacked}");
        let lifted = (Target::Address(ip(OFFICE)), LiftReason::Ignored);
        assert_eq!(world.lifts().contains(&lifted), !stays);
        let (mut engine, mut out) = (Engine::new(policy, 1), Vec::new());
        engine.restore_bans(world.now, [ban], [], &mut out);
        assert_eq!(engine.ban_of(ip(OFFICE)).is_some(), stays, "{attacked}");
    }
}

#[test]
fn own_addresses_and_the_global_list_stay_absolute() {
    let mut world = World::new(Policy {
        tenants: vec![trusting("acme", 3), tenant("beta", 2)],
        ignore: vec!["203.0.113.20/32".parse().unwrap()],
        ..Policy::default()
    });
    world.attack(OFFICE, "beta", 20).attack(OFFICE, "acme", 20);
    assert!(world.bans().is_empty());
    let reasons: Vec<_> = world
        .verdicts
        .iter()
        .filter_map(|(_, verdict)| match verdict {
            Verdict::Ignore { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [IgnoreReason::Configured]);
}

#[test]
fn a_reload_keeps_counts_by_the_tenants_names() {
    let mut world = with(vec![tenant("gone", 4), tenant("acme", 4)]);
    world.attack(ATTACKER, "acme", 2).attack(ATTACKER, "gone", 1);
    let policy = Policy {
        tenants: vec![tenant("new", 4), tenant("beta", 4), tenant("acme", 4)],
        ..Policy::default()
    };
    world.tell(|engine, now, out| engine.reconfigure(now, policy, out));
    let dossier = world.engine.dossier(world.now, ip(ATTACKER));
    let labels: Vec<&str> = dossier.events.iter().map(|event| event.tenant.as_str()).collect();
    assert_eq!(labels, ["acme", "acme", ""]);
    assert_eq!(
        (dossier.counts[0].count, dossier.counts[0].tenants[0].count),
        (3, 2)
    );
    // 2/4 + 1/5 of nobody's + 1/4
    world.attack(ATTACKER, "acme", 1).is_quiet();
    world.attack(ATTACKER, "acme", 1);
    assert_eq!(tenants_of(&world), ["acme"]);
    let totals = world.engine.totals().tenants;
    let acme = totals.iter().find(|totals| totals.tenant == "acme").unwrap();
    assert_eq!((acme.counted, acme.bans, acme.banned), (4, 1, 1));
    assert_eq!(totals.len(), 3);
}

#[test]
fn snapshots_and_evidence_of_before_tenants_are_read() {
    let mut world = World::new(Policy::default());
    world.fail(ATTACKER, "alice").fail(ATTACKER, "alice");
    let mut saved = serde_json::to_value(world.engine.snapshot()).unwrap();
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.remove("tenant");
                map.remove("tenants");
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut saved);
    let saved: Snapshot = serde_json::from_value(saved).unwrap();
    let mut out = Vec::new();
    let policy = Policy {
        tenants: vec![tenant("acme", 3)],
        ..Policy::default()
    };
    world.engine = Engine::restore(policy, 1, Moment::EPOCH, saved, &mut out);
    assert_eq!(world.count(ATTACKER, "auth"), 2);
    world.attack(ATTACKER, "acme", 1);
    assert_eq!(world.engine.totals().tenants[0].counted, 1);
}

#[test]
fn a_success_forgives_its_account_at_its_tenant_only() {
    let mut world = with(vec![tenant("acme", 3), tenant("beta", 3)]);
    world.attack(ATTACKER, "acme", 2).attack(ATTACKER, "beta", 0);
    let good = SecurityEvent {
        cause: Cause::Succeeded,
        ..wrong(ATTACKER, "100", ("beta.example", "beta.example"), "good")
    };
    world.see(&good);
    assert_eq!(world.count(ATTACKER, "auth"), 2);
    let good = SecurityEvent {
        tenant: Text::from("acme.example"),
        ..good
    };
    world.see(&good);
    assert_eq!(world.count(ATTACKER, "auth"), 0);
}
