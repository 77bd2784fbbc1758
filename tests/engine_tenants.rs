//! Tenants: whose attempts count by whose values, and what nobody gains by lying about names. The rules of docs/engine.md,
//! one by one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::World;
use engine_world::tenants::{ATTACKER, Attacks, tenant, tenants_of, with, wrong};
use ringfence::engine::{Escalation, Jail, Names, Pattern, Tenant};
use ringfence_event::{Cause, SecurityEvent, Span};

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
        built_in[2].maxretry = 25;
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
    for _ in 0..10 {
        tell(&mut world, Cause::Challenged, "1", "acme.example");
    }
    for _ in 0..29 {
        tell(&mut world, Cause::Challenged, "1", "x");
    }
    world.is_quiet();
    tell(&mut world, Cause::Challenged, "1", "x");
    assert_eq!(
        (world.ban().jail.as_str(), world.ban().evidence.attempts),
        ("flood", 40)
    );
}
