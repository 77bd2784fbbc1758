//! What the admin orders, reload and restart, told as stories in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::{World, event, ip, start};
use ringfence::engine::{
    Alert, Ban, Command, Evidence, IgnoreReason, Jail, LiftReason, Policy, Reply, Target, Verdict,
};
use ringfence_event::{Cause, Moment, Span};

const ATTACKER: &str = "192.0.2.101";

fn world() -> World {
    World::new(Policy::default())
}

fn address(addr: &str) -> Target {
    Target::Address(ip(addr))
}

fn prefix(net: &str) -> Target {
    Target::Prefix(net.parse().unwrap())
}

fn ban(target: Target) -> Command {
    Command::Ban {
        target,
        duration: None,
    }
}

fn ban_for(target: Target, secs: u64) -> Command {
    Command::Ban {
        target,
        duration: Some(Span::from_secs(secs)),
    }
}

#[test]
fn a_manual_ban_lasts_an_hour_or_as_long_as_asked() {
    let mut world = world();
    assert_eq!(world.order(ban(address(ATTACKER))), Reply::Done(1));
    assert_eq!(world.ban().jail, "manual");
    assert_eq!(world.ban().remaining(world.now), Span::from_secs(3600));
    assert_eq!(
        world.order(ban_for(address(ATTACKER), 60)),
        Reply::Done(0),
        "a shorter one changes nothing"
    );
    assert_eq!(
        world.order(Command::Ban {
            target: address(ATTACKER),
            duration: Some(Span::FOREVER)
        }),
        Reply::Done(1)
    );
    assert_eq!(world.engine.ban_of(ip(ATTACKER)).unwrap().until, Moment::NEVER);
    assert!(matches!(world.verdicts.last(), Some((_, Verdict::Extend(_)))));
    world.after(365 * 86_400_000);
    assert!(world.lifts().is_empty());
}

#[test]
fn targets_are_named_in_one_way() {
    let mut world = world();
    world.order(ban(address("::ffff:192.0.2.101")));
    world.order(ban(prefix("198.51.100.77/24")));
    world.order(ban(prefix("203.0.113.5/32")));
    world.order(ban(prefix("::ffff:203.0.113.64/122")));
    let targets: Vec<Target> = world.engine.bans().map(|ban| ban.target).collect();
    let expected = [
        address(ATTACKER),
        address("203.0.113.5"),
        prefix("198.51.100.0/24"),
        prefix("203.0.113.64/26"),
    ];
    assert_eq!(targets, expected);
}

#[test]
fn what_must_never_be_banned_is_refused() {
    let mut world = World::ignoring("203.0.113.10/32");
    world.order(Command::Own(vec![ip("192.0.2.16"), ip("2001:db8::16")]));
    world.order(Command::Resolved(vec!["198.51.100.9/32".parse().unwrap()]));
    let never = [
        (address("203.0.113.10"), "203.0.113.10 is in ignoreip"),
        (
            Target::Socket("203.0.113.10:5060".parse().unwrap()),
            "203.0.113.10:5060 is in ignoreip",
        ),
        (
            prefix("203.0.113.0/24"),
            "203.0.113.0/24 holds 203.0.113.10, which is in ignoreip",
        ),
        (
            address("192.0.2.16"),
            "192.0.2.16 is an address of this machine or of a PBX",
        ),
        (
            prefix("192.0.2.0/24"),
            "192.0.2.0/24 holds 192.0.2.16, which is an address of this machine or of a PBX",
        ),
        (
            prefix("2001:db8::/64"),
            "2001:db8::/64 holds 2001:db8::16, which is an address of this machine or of a PBX",
        ),
        (
            address("198.51.100.9"),
            "198.51.100.9 is an address of a host name in ignoreip",
        ),
        (
            prefix("0.0.0.0/0"),
            "0.0.0.0/0 holds 203.0.113.10, which is in ignoreip",
        ),
        (prefix("::/0"), "::/0 holds 203.0.113.10, which is in ignoreip"),
    ];
    for (target, words) in never {
        assert_eq!(world.order(ban(target)), Reply::Refused(words.into()));
    }
    world.is_quiet();
}

#[test]
fn a_refusal_names_the_first_entry_in_the_way() {
    let mut world = World::ignoring("203.0.113.0/24");
    world.order(Command::Resolved(vec!["203.0.113.10/32".parse().unwrap()]));
    for (target, words) in [
        (
            address("203.0.113.10"),
            "203.0.113.10 is in 203.0.113.0/24, which is in ignoreip",
        ),
        (
            prefix("203.0.113.64/26"),
            "203.0.113.64/26 is in 203.0.113.0/24, which is in ignoreip",
        ),
        (prefix("203.0.113.0/24"), "203.0.113.0/24 is in ignoreip"),
        (
            prefix("203.0.112.0/23"),
            "203.0.112.0/23 holds 203.0.113.0/24, which is in ignoreip",
        ),
    ] {
        assert_eq!(world.order(ban(target)), Reply::Refused(words.into()));
    }
}

#[test]
fn an_unban_forgets_counts_and_earlier_bans() {
    let mut world = world();
    for _ in 0..5 {
        world.fail_tcp(ATTACKER, "alice");
    }
    world.fail_tcp(ATTACKER, "alice");
    assert_eq!(world.engine.dossier(world.now, ip(ATTACKER)).times_banned, 1);
    assert_eq!(world.order(Command::Unban(address(ATTACKER))), Reply::Done(1));
    assert_eq!(world.lifts(), [(address(ATTACKER), LiftReason::Unbanned)]);
    let dossier = world.engine.dossier(world.now, ip(ATTACKER));
    assert_eq!((dossier.times_banned, dossier.seen), (0, None));
    assert_eq!(world.order(Command::Unban(address(ATTACKER))), Reply::Done(0));
}

#[test]
fn an_unban_of_a_prefix_lifts_everything_inside_it() {
    let mut world = world();
    let inside = [
        address("198.51.100.7"),
        Target::Socket("198.51.100.8:5060".parse().unwrap()),
        prefix("198.51.100.0/25"),
        prefix("198.51.100.0/24"),
    ];
    for target in inside {
        world.order(ban(target));
    }
    world.order(ban(address("198.51.101.7")));
    world.order(ban(address("2001:db8::1")));
    assert_eq!(
        world.order(Command::Unban(prefix("198.51.100.0/24"))),
        Reply::Done(4)
    );
    assert_eq!(world.engine.bans().count(), 2);
    assert_eq!(world.order(Command::UnbanAll), Reply::Done(2));
    assert_eq!(world.engine.bans().count(), 0);
}

#[test]
fn an_unban_says_when_a_prefix_around_it_stays_banned() {
    let mut world = world();
    world.order(ban(prefix("198.51.100.0/24")));
    world.order(ban(address("198.51.100.7")));
    let Reply::Refused(words) = world.order(Command::Unban(address("198.51.100.7"))) else {
        panic!("not told")
    };
    assert!(words.contains("198.51.100.0/24"), "{words}");
    assert_eq!(world.lifts(), [(address("198.51.100.7"), LiftReason::Unbanned)]);
    let dossier = world.engine.dossier(world.now, ip("198.51.100.7"));
    assert_eq!(dossier.bans.len(), 1);
}

#[test]
fn an_address_inside_a_banned_prefix_is_not_banned_twice() {
    let mut world = world();
    world.order(ban_for(prefix("192.0.2.0/24"), 86_400));
    world.verdicts.clear();
    for _ in 0..10 {
        world.fail(ATTACKER, "alice");
    }
    world.is_quiet();
}

#[test]
fn a_new_ignoreip_lifts_the_ban_against_it() {
    let mut world = world();
    for host in ["192.0.2.101", "192.0.2.102", "192.0.2.103"] {
        world.order(ban(address(host)));
    }
    assert_eq!(
        world.order(Command::Resolved(vec!["192.0.2.101/32".parse().unwrap()])),
        Reply::Done(1)
    );
    assert_eq!(world.order(Command::Own(vec![ip("192.0.2.102")])), Reply::Done(1));
    let policy = Policy {
        ignore: vec!["192.0.2.103/32".parse().unwrap()],
        ..Policy::default()
    };
    world.tell(|engine, now, out| engine.reconfigure(now, policy, out));
    assert_eq!(world.lifts().len(), 3);
    assert!(
        world
            .lifts()
            .iter()
            .all(|(_, reason)| *reason == LiftReason::Ignored)
    );
    assert!(
        matches!(world.order(ban(address("192.0.2.102"))), Reply::Refused(_)),
        "own addresses outlive a reload"
    );
    world.order(Command::Resolved(Vec::new()));
    assert_eq!(world.order(ban(address("192.0.2.101"))), Reply::Done(1));
}

#[test]
fn a_trunk_that_fails_is_reported_with_the_reason() {
    let mut world = world();
    world.order(Command::Own(vec![ip(ATTACKER)]));
    for _ in 0..5 {
        world.fail(ATTACKER, "alice");
    }
    let ignored = Verdict::Ignore {
        target: address(ATTACKER),
        reason: IgnoreReason::Own,
        jail: "auth".into(),
        tenants: Vec::new(),
    };
    assert_eq!(world.verdicts, [(start(), ignored)]);
}

#[test]
fn a_reload_keeps_the_counts_of_jails_that_keep_their_name() {
    let mut world = world();
    for _ in 0..4 {
        world.fail(ATTACKER, "alice");
    }
    world.unknown(ATTACKER, "1000", true);
    assert_eq!(world.bans().len(), 1);
    world.verdicts.clear();
    world
        .unknown("192.0.2.102", "1000", true)
        .unknown("192.0.2.102", "1001", true);
    // Another order, another maxretry, one jail gone, one new.
    let mut policy = Policy::default();
    policy.jails.retain(|jail| jail.name != "flood");
    policy.jails.reverse();
    policy.jails.insert(
        0,
        Jail {
            name: "mine".into(),
            maxretry: 3,
            ..policy.jails[2].clone()
        },
    );
    world.tell(|engine, now, out| engine.reconfigure(now, policy, out));
    assert_eq!(world.count("192.0.2.102", "enumeration"), 2);
    assert_eq!(world.count("192.0.2.102", "auth"), 2);
    assert_eq!(world.count("192.0.2.102", "mine"), 0);
    assert_eq!(world.engine.bans().count(), 1, "bans in force stay");
    world.unknown("192.0.2.102", "1002", true);
    assert_eq!(world.ban().jail, "enumeration");
}

#[test]
fn a_smaller_table_lets_the_surplus_go() {
    let mut world = world();
    for n in 0..100 {
        world.fail(&format!("198.51.100.{n}"), "alice");
    }
    let mut policy = Policy::default();
    policy.limits.max_tracked = 10;
    world.tell(|engine, now, out| engine.reconfigure(now, policy, out));
    assert_eq!(world.engine.totals().tracked, 10);
    assert_eq!(world.engine.totals().forgotten, 90);
}

#[test]
fn a_full_table_keeps_who_is_near_a_threshold_and_says_so_once_a_minute() {
    let mut policy = Policy::default();
    policy.limits.max_tracked = 50;
    let mut world = World::new(policy);
    for _ in 0..4 {
        world.fail(ATTACKER, "alice");
    }
    for n in 0..20_000_u32 {
        let spoofed = format!("10.0.{}.{}", n / 256, n % 256);
        world.see(&event(&spoofed, Cause::WrongPassword, "alice", "x"));
        if n % 100 == 0 {
            world.after(1000);
        }
    }
    assert_eq!(world.engine.totals().tracked, 50);
    let alerts: Vec<&(Moment, Verdict)> = world
        .verdicts
        .iter()
        .filter(|(_, v)| matches!(v, Verdict::Alert(Alert::TableFull { .. })))
        .collect();
    assert_eq!(alerts.len(), 4, "200 s");
    assert_eq!(world.count(ATTACKER, "auth"), 4);
    world.fail(ATTACKER, "alice");
    assert_eq!(world.ban().target, address(ATTACKER));
}

#[test]
fn after_a_restart_bans_go_on_and_escalation_is_remembered() {
    let mut world = world();
    for _ in 0..5 {
        world.fail_tcp(ATTACKER, "alice");
    }
    let kept: Ban = world.ban().clone();
    let manual = Ban {
        target: prefix("198.51.100.0/24"),
        since: start(),
        until: Moment::NEVER,
        jail: "manual".into(),
        count: 0,
        evidence: Evidence::default(),
    };
    let over = Ban {
        target: address("203.0.113.1"),
        until: start() + Span::from_secs(60),
        ..manual.clone()
    };
    let ignored = Ban {
        target: address("203.0.113.2"),
        ..manual.clone()
    };
    let policy = Policy {
        ignore: vec!["203.0.113.2/32".parse().unwrap()],
        ..Policy::default()
    };
    let mut after = World::new(policy);
    after.now = start() + Span::from_secs(600);
    let memories = [(ip(ATTACKER), 1, kept.until)];
    after.tell(|engine, now, out| {
        engine.restore_bans(now, [kept.clone(), manual, over, ignored], memories, out);
    });
    assert!(after.bans().is_empty(), "nothing is banned anew");
    let lifts = [
        (address("203.0.113.1"), LiftReason::Expired),
        (address("203.0.113.2"), LiftReason::Ignored),
    ];
    assert_eq!(after.lifts(), lifts);
    assert_eq!(after.engine.ban_of(ip(ATTACKER)), Some(&kept));
    assert_eq!(after.engine.bans().count(), 2);
    assert_eq!(after.engine.deadline(), Some(kept.until));
    after.after(3000 * 1000);
    assert_eq!(after.lifts().len(), 3);
    for _ in 0..5 {
        after.fail_tcp(ATTACKER, "alice");
    }
    assert_eq!(
        (after.ban().count, after.ban().remaining(after.now)),
        (2, Span::from_secs(7200))
    );
}

#[test]
fn a_dossier_tells_what_is_known() {
    let mut world = world();
    world
        .fail(ATTACKER, "alice")
        .after(5000)
        .fail(ATTACKER, "bob\r\n");
    let dossier = world.engine.dossier(world.now, ip(ATTACKER));
    assert_eq!(dossier.seen, Some((start(), world.now)));
    let accounts: Vec<&str> = dossier
        .events
        .iter()
        .map(|event| event.account.as_str())
        .collect();
    assert_eq!(accounts, ["alice", "bob\\x0d\\x0a"]);
    assert_eq!(dossier.counts.len(), 4);
    let totals = world.engine.totals();
    assert_eq!((totals.events, totals.attempts, totals.tracked), (4, 2, 1));
    assert_eq!((totals.jails[0].suspects, totals.jails[0].counted), (1, 2));
    world.after(700_000);
    assert_eq!(
        world.engine.totals().tracked,
        0,
        "forgotten when its windows are over"
    );
}
