//! Tenants: whom they trust, what reloads and restarts keep of them. The rules of docs/engine.md, one by one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::tenants::{ATTACKER, Attacks, OFFICE, tenant, tenants_of, trusting, with, wrong};
use engine_world::{World, ip};
use ringfence::engine::{
    Command, Engine, IgnoreReason, LiftReason, Policy, Reply, Snapshot, Target, Verdict,
};
use ringfence_event::{Cause, Moment, SecurityEvent, Text};

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

/// Takes out everything that was not there before tenants were.
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

#[test]
fn snapshots_and_evidence_of_before_tenants_are_read() {
    let mut world = World::new(Policy::default());
    world.fail(ATTACKER, "alice").fail(ATTACKER, "alice");
    let mut saved = serde_json::to_value(world.engine.snapshot()).unwrap();
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
