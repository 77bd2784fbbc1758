//! What the engine decides, told as stories in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::{World, event, ip, over_tcp, start};
use ringfence::engine::{LiftReason, Policy, Target, Verdict};
use ringfence_event::{Cause, Peer, Proof, Service, SourceId, Span, Transport};

const ATTACKER: &str = "192.0.2.101";
const OFFICE: &str = "198.51.100.7";
const MINUTE: u64 = 60_000;

fn world() -> World {
    World::new(Policy::default())
}

#[test]
fn the_fifth_wrong_password_bans_for_an_hour() {
    let mut world = world();
    for _ in 0..4 {
        world.fail(ATTACKER, "alice").after(10);
    }
    world.is_quiet();
    world.fail(ATTACKER, "alice");
    let ban = world.ban();
    assert_eq!(ban.target, Target::Address(ip(ATTACKER)));
    assert_eq!(
        (ban.jail.as_str(), ban.evidence.attempts, ban.count),
        ("auth", 5, 0)
    );
    assert_eq!(ban.remaining(world.now), Span::from_secs(3600));
    assert_eq!(ban.evidence.proof, Proof::None);
    assert_eq!(ban.evidence.events.len(), 5);
    assert!(
        ban.evidence
            .events
            .iter()
            .all(|e| e.cause == Cause::WrongPassword && e.account == "alice")
    );
}

#[test]
fn five_guesses_on_one_call_id_are_five_attempts() {
    let mut world = world();
    world.see(&event(ATTACKER, Cause::Challenged, "alice", "same"));
    for _ in 0..4 {
        world.see(&event(ATTACKER, Cause::WrongPassword, "alice", "same"));
    }
    world.is_quiet();
    world.see(&event(ATTACKER, Cause::WrongPassword, "alice", "same"));
    assert_eq!(world.ban().jail, "auth");
}

#[test]
fn one_try_of_an_unknown_user_is_one_attempt_though_it_is_four_events() {
    let mut world = world();
    world.unknown(ATTACKER, "9999", true);
    assert_eq!(world.count(ATTACKER, "auth"), 1);
    assert_eq!(world.count(ATTACKER, "enumeration"), 1);
    assert_eq!(world.count(ATTACKER, "flood"), 0);
    assert_eq!(world.engine.totals().attempts, 1);
}

#[test]
fn an_unknown_user_that_never_answers_counts_as_an_account_and_a_challenge() {
    let mut world = world();
    world.unknown(ATTACKER, "9999", false);
    assert_eq!(world.count(ATTACKER, "auth"), 0);
    assert_eq!(world.count(ATTACKER, "enumeration"), 1);
    assert_eq!(world.count(ATTACKER, "flood"), 1);
    assert_eq!(world.engine.totals().attempts, 1);
}

#[test]
fn a_phone_that_mistypes_twice_and_then_succeeds_is_forgiven() {
    let mut world = world();
    for _ in 0..10 {
        world
            .fail(OFFICE, "alice")
            .after(5000)
            .fail(OFFICE, "alice")
            .after(5000)
            .succeed(OFFICE, "alice")
            .after(5000);
        assert_eq!(world.count(OFFICE, "auth"), 0);
    }
    world.is_quiet();
}

#[test]
fn keep_alives_that_are_never_answered_are_no_flood() {
    let mut world = world();
    for _ in 0..60 {
        world.challenge(OFFICE, "alice").after(MINUTE);
    }
    world.is_quiet();
}

#[test]
fn three_hundred_phones_behind_one_address_register_again_at_once() {
    let mut world = world();
    for round in 0..3 {
        for phone in 0..300 {
            world
                .succeed(OFFICE, &format!("phone{phone}"))
                .after(if phone % 20 == 0 { 300 } else { 0 });
        }
        world.after(MINUTE * round);
    }
    world.is_quiet();
    assert_eq!(world.count(OFFICE, "flood"), 0);
}

#[test]
fn fifty_unanswered_challenges_ban_for_a_hundred_minutes_and_never_grow() {
    let mut world = world();
    for round in 1..=3 {
        for _ in 0..49 {
            world.challenge(ATTACKER, "alice").after(100);
        }
        assert_eq!(world.bans().len(), round - 1);
        world.challenge(ATTACKER, "alice");
        let ban = world.bans()[round - 1];
        assert_eq!(
            (ban.jail.as_str(), ban.evidence.attempts, ban.count),
            ("flood", 50, 0)
        );
        assert_eq!(ban.remaining(world.now), Span::from_secs(6000));
        assert_eq!(ban.evidence.events.len(), 6);
        world.after(6_000_000);
    }
    assert_eq!(
        world.lifts(),
        [(Target::Address(ip(ATTACKER)), LiftReason::Expired); 3]
    );
}

#[test]
fn a_flood_on_one_call_id_is_a_flood() {
    let mut world = world();
    for _ in 0..50 {
        world.see(&event(ATTACKER, Cause::Challenged, "alice", "same"));
    }
    assert_eq!(world.ban().jail, "flood");
}

#[test]
fn a_success_takes_back_the_open_challenges_of_its_account_only() {
    let mut world = world();
    for _ in 0..20 {
        world.challenge(OFFICE, "alice").challenge(OFFICE, "bob");
    }
    world.succeed(OFFICE, "alice");
    assert_eq!(world.count(OFFICE, "flood"), 20);
}

#[test]
fn three_unknown_accounts_ban_for_a_day_even_on_one_call_id() {
    for answers in [true, false] {
        let mut world = world();
        world
            .unknown_in(ATTACKER, "1000", answers, "same")
            .unknown_in(ATTACKER, "1001", answers, "same");
        world.is_quiet();
        world.unknown_in(ATTACKER, "1002", answers, "same");
        let ban = world.ban();
        assert_eq!(
            (ban.jail.as_str(), ban.remaining(world.now)),
            ("enumeration", Span::from_secs(86_400))
        );
    }
}

#[test]
fn one_unknown_account_tried_again_and_again_is_no_enumeration() {
    let mut world = world();
    for _ in 0..20 {
        world.unknown(OFFICE, "9999", false).after(10_000);
    }
    world.is_quiet();
    assert_eq!(world.count(OFFICE, "enumeration"), 1);
}

#[test]
fn an_acl_refusal_told_three_times_is_one_attempt() {
    let mut world = world();
    world.see(&event(ATTACKER, Cause::AclDenied, "carol", "a"));
    world.see(&event(ATTACKER, Cause::Challenged, "", "a"));
    world.see(&event(ATTACKER, Cause::AclDenied, "carol", "a"));
    world.see(&event(ATTACKER, Cause::UnknownAccount, "", "a"));
    assert_eq!(world.count(ATTACKER, "auth"), 1);
    assert_eq!(world.count(ATTACKER, "enumeration"), 0);
    assert_eq!(world.count(ATTACKER, "flood"), 0);
}

#[test]
fn tries_of_a_closed_account_on_one_call_id_count_each() {
    let mut world = world();
    for _ in 0..5 {
        world.is_quiet();
        world.see(&event(ATTACKER, Cause::AclDenied, "carol", "same"));
        world.see(&event(ATTACKER, Cause::Challenged, "", "same"));
        world.see(&event(ATTACKER, Cause::AclDenied, "carol", "same"));
    }
    assert_eq!(world.ban().jail, "auth");
}

#[test]
fn somebody_with_one_good_account_is_not_forgiven_the_others() {
    let mut world = world();
    for _ in 0..4 {
        world.fail(ATTACKER, "alice").succeed(ATTACKER, "mallory");
    }
    world.is_quiet();
    world.fail(ATTACKER, "alice");
    assert_eq!(world.ban().jail, "auth");
}

#[test]
fn failures_further_apart_than_findtime_do_not_add_up() {
    let mut world = world();
    for _ in 0..20 {
        world.fail(OFFICE, "alice").after(150_001);
    }
    world.is_quiet();
}

#[test]
fn the_third_failure_at_the_manager_interface_bans_for_a_day() {
    let mut world = world();
    for n in 0..3 {
        world.is_quiet();
        let mut event = over_tcp(event(ATTACKER, Cause::WrongPassword, "admin", ""));
        event.service = Service::Ami;
        event.peer = Peer::new(ip(ATTACKER), 40_000 + n, Transport::Tcp);
        world.see(&event);
    }
    let ban = world.ban();
    assert_eq!((ban.jail.as_str(), ban.count), ("management", 1));
    assert_eq!(ban.evidence.proof, Proof::Handshake);
    assert_eq!(ban.evidence.events.len(), 3);
}

#[test]
fn proven_attackers_are_banned_longer_each_time_up_to_four_weeks() {
    let mut world = world();
    let mut hours = Vec::new();
    for _ in 0..12 {
        for _ in 0..5 {
            world.fail_tcp(ATTACKER, "alice").after(1000);
        }
        let ban = world.bans().last().copied().unwrap().clone();
        hours.push((ban.until.since(ban.since).as_secs() / 3600, ban.count));
        world.after(ban.remaining(world.now).as_millis());
    }
    let expected: Vec<(u64, u32)> = (0..12).map(|n| ((1 << n).min(4 * 7 * 24), n + 1)).collect();
    assert_eq!(hours, expected);
    world.after(4 * 7 * 86_400_000);
    assert_eq!(world.engine.dossier(world.now, ip(ATTACKER)).times_banned, 0);
    assert_eq!(world.engine.deadline(), None);
}

#[test]
fn forged_packets_ban_but_never_longer() {
    let mut world = world();
    for _ in 0..4 {
        for _ in 0..5 {
            world.fail(OFFICE, "alice");
        }
        assert_eq!(
            world.bans().last().unwrap().remaining(world.now),
            Span::from_secs(3600)
        );
        world.after(3_600_000);
    }
    // Two proven failures among five are not enough, three are.
    for proven in [2, 3] {
        for n in 0..5 {
            if n < proven {
                world.fail_tcp(OFFICE, "alice")
            } else {
                world.fail(OFFICE, "alice")
            };
        }
        let ban = world.bans().last().copied().unwrap().clone();
        assert_eq!(
            (ban.count, ban.evidence.proof),
            (u32::from(proven == 3), Proof::None)
        );
        world.after(3_600_000);
    }
}

#[test]
fn a_banned_address_that_goes_on_makes_no_storm_of_verdicts() {
    let mut world = world();
    for _ in 0..1000 {
        world.fail(ATTACKER, "alice").after(10);
    }
    assert_eq!(world.bans().len(), 1);
    // Enumeration asks for a day, which is longer: one extension, by that jail, since the same moment.
    for n in 0..100 {
        world.unknown(ATTACKER, &format!("{n}"), true);
    }
    let bans = world.bans();
    assert_eq!(bans.len(), 2);
    assert_eq!(
        (bans[1].jail.as_str(), bans[1].since),
        ("enumeration", bans[0].since)
    );
    assert!(bans[1].until > bans[0].until);
    assert_eq!(world.engine.bans().count(), 1);
}

#[test]
fn in_a_dry_run_a_ban_grows_by_tenths_and_counts_once() {
    let mut world = world();
    for _ in 0..7200 {
        world.fail_tcp(ATTACKER, "alice").after(1000);
    }
    let bans = world.bans();
    assert!((18..=21).contains(&bans.len()), "{}", bans.len());
    assert!(bans.iter().all(|ban| ban.count == 1));
    assert!(bans.windows(2).all(|two| two[0].until < two[1].until));
}

#[test]
fn an_ignored_address_is_told_of_once_a_findtime_and_never_banned() {
    let mut world = World::ignoring("198.51.100.0/24");
    for _ in 0..120 {
        world.fail(OFFICE, "alice").after(10_000);
    }
    let told = world
        .verdicts
        .iter()
        .filter(|(_, v)| matches!(v, Verdict::Ignore { .. }))
        .count();
    assert_eq!(told, 2);
    assert!(world.bans().is_empty());
    assert!(world.engine.dossier(world.now, ip(OFFICE)).ignored.is_some());
}

#[test]
fn time_that_goes_backwards_stands_still() {
    let mut world = world();
    world.fail(ATTACKER, "alice").fail(ATTACKER, "alice");
    world.now = world.now - Span::from_secs(3000);
    world
        .fail(ATTACKER, "alice")
        .fail(ATTACKER, "alice")
        .fail(ATTACKER, "alice");
    assert_eq!(world.ban().since, start());
}

#[test]
fn one_try_seen_in_the_manager_interface_and_in_the_log_is_one_attempt() {
    let mut world = world();
    world.engine.watch_together(vec![vec![SourceId(0), SourceId(1)]]);
    for n in 0..4 {
        world.fail(ATTACKER, "alice");
        let mut line = event(
            ATTACKER,
            Cause::WrongPassword,
            "alice",
            &format!("call-{}", n + 1),
        );
        line.source = SourceId(1);
        world.see(&line);
    }
    world.is_quiet();
    assert_eq!(world.count(ATTACKER, "auth"), 4);
}

#[test]
fn one_call_id_at_two_independent_pbxes_is_two_attempts() {
    let mut world = world();
    let mut there = event(ATTACKER, Cause::WrongPassword, "alice", "same");
    world.see(&there);
    there.source = SourceId(1);
    world.see(&there);
    assert_eq!(world.count(ATTACKER, "auth"), 2);
}
