//! What the engine decides, told as stories in virtual time.

mod engine_world;

use engine_world::{World, event, ip};
use ringfence::engine::{Policy, Target};
use ringfence_event::{Cause, Proof, Span};

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
