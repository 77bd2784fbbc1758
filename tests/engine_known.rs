//! Accounts that have succeeded at an address: their unanswered challenges weigh less, but not nothing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside test functions"
)]

mod engine_world;

use engine_world::tenants::tenant;
use engine_world::{World, event, ip, start};
use ringfence::engine::{Engine, Jail, Names, Pattern, Policy, Snapshot, Target, Tenant};
use ringfence_event::{Cause, SecurityEvent, Service, Span, Text};

const OFFICE: &str = "203.0.113.20";
const ELSEWHERE: &str = "203.0.113.21";
const HOUR: u64 = 3_600_000;
/// FreeSWITCH challenges with the domain, and tells of a login with the realm.
const DOMAIN: &str = "192.0.2.22";

fn world() -> World {
    World::new(Policy::default())
}

/// An event as FreeSWITCH tells it.
fn sofia(addr: &str, cause: Cause, account: &str, call: &str) -> SecurityEvent {
    let realm = if cause == Cause::Challenged {
        DOMAIN
    } else {
        "pbx.example"
    };
    SecurityEvent {
        service: Service::Sofia,
        tenant: Text::from(realm),
        domain: Text::from(DOMAIN),
        profile: Text::from("internal"),
        ..event(addr, cause, account, call)
    }
}

trait Phones {
    fn registers(&mut self, addr: &str, account: &str) -> &mut Self;
    fn subscribes(&mut self, addr: &str, account: &str) -> &mut Self;
}

impl Phones for World {
    fn registers(&mut self, addr: &str, account: &str) -> &mut Self {
        let call = self.call_id();
        self.see(&sofia(addr, Cause::Challenged, account, &call));
        self.see(&sofia(addr, Cause::Succeeded, account, &call))
    }

    /// Or sends a message, or guesses: FreeSWITCH tells them alike.
    fn subscribes(&mut self, addr: &str, account: &str) -> &mut Self {
        let call = self.call_id();
        self.see(&sofia(addr, Cause::Challenged, account, &call))
    }
}

#[test]
fn an_office_of_ten_phones_with_ten_keys_each_is_not_banned_and_neither_an_hour_later() {
    let mut world = world();
    for _ in 0..24 {
        for phone in 0..10 {
            world.registers(OFFICE, &format!("phone{phone}"));
        }
        for key in 0..100 {
            world.subscribes(OFFICE, &format!("phone{}", key % 10));
        }
        assert_eq!(world.count(OFFICE, "flood"), 100);
        world.after(HOUR);
    }
    world.is_quiet();
}

#[test]
fn a_phone_that_subscribes_each_key_as_soon_as_it_has_registered_is_known() {
    let mut world = world();
    for phone in 0..10 {
        let phone = format!("phone{phone}");
        world.registers(OFFICE, &phone);
        for _ in 0..10 {
            world.subscribes(OFFICE, &phone);
        }
    }
    world.is_quiet();
}

#[test]
fn forty_phones_with_twelve_keys_each_within_thirty_seconds_are_no_flood() {
    let mut world = world();
    for phone in 0..40 {
        world.registers(OFFICE, &format!("phone{phone}"));
    }
    for key in 0..480 {
        world.subscribes(OFFICE, &format!("phone{}", key % 40)).after(60);
    }
    world.is_quiet();
    assert_eq!(world.count(OFFICE, "flood"), 480);
}

#[test]
fn who_never_succeeded_is_banned_at_the_fiftieth_challenge() {
    let mut world = world();
    world.registers(ELSEWHERE, "alice");
    for _ in 0..49 {
        world.subscribes(OFFICE, "alice");
    }
    world.is_quiet();
    world.subscribes(OFFICE, "alice");
    assert_eq!(world.ban().target, Target::Address(ip(OFFICE)));
    assert_eq!(world.ban().evidence.attempts, 50);
}

#[test]
fn behind_a_known_account_exactly_the_eight_hundredth_bans() {
    let mut world = world();
    world.registers(OFFICE, "alice").after(16_000);
    for _ in 0..799 {
        world.subscribes(OFFICE, "alice");
    }
    world.is_quiet();
    world.subscribes(OFFICE, "alice");
    assert_eq!(
        (world.ban().jail.as_str(), world.ban().evidence.attempts),
        ("flood", 800)
    );
    assert_eq!(world.ban().evidence.events.len(), 6);
}

#[test]
fn known_and_unknown_ones_add_up_exactly() {
    for unknown in [1, 25, 49] {
        let mut world = world();
        world.registers(OFFICE, "alice");
        for _ in 0..unknown {
            world.subscribes(OFFICE, "mallory");
        }
        for _ in 0..16 * (50 - unknown) - 1 {
            world.subscribes(OFFICE, "alice");
        }
        world.is_quiet();
        world.subscribes(OFFICE, "alice");
        assert_eq!(world.ban().jail, "flood");
    }
}

/// How many guesses an insider gets through who clears them with good logins: `guess` and `login` say how.
fn guesses_until_banned(
    mut guess: impl FnMut(&mut World, u32),
    mut login: impl FnMut(&mut World, u32),
    pace: u32,
    pause: u64,
) -> u32 {
    let mut world = world();
    world.registers(OFFICE, "alice");
    for n in 1..=5000 {
        guess(&mut world, n);
        if !world.bans().is_empty() {
            return n;
        }
        if n % pace == 0 {
            login(&mut world, n);
        }
        world.after(pause);
        if !world.bans().is_empty() {
            return n;
        }
    }
    0
}

#[test]
fn an_insider_who_registers_between_the_guesses_is_banned_all_the_same() {
    let guess = |world: &mut World, _| {
        world.subscribes(OFFICE, "alice");
    };
    let login = |world: &mut World, _| {
        world.registers(OFFICE, "alice");
    };
    // Its registrations take back their own challenges, and no guess.
    assert_eq!(guesses_until_banned(guess, login, 45, 0), 800);
    assert_eq!(guesses_until_banned(guess, login, 45, 30), 800);
    // As fast as 30 s allow: 26 in a second are never banned.
    assert_eq!(guesses_until_banned(guess, login, u32::MAX, 37), 800);
    assert_eq!(guesses_until_banned(guess, login, u32::MAX, 38), 0);
}

#[test]
fn good_logins_on_the_guesses_own_call_ids_clear_no_more_than_a_hundred_a_second() {
    let guess = |world: &mut World, n: u32| {
        world.see(&sofia(OFFICE, Cause::Challenged, "alice", &format!("g{n}")));
    };
    // Without a challenge of its own: the nonce of an earlier one is used again.
    let login = |world: &mut World, n: u32| {
        world.see(&sofia(OFFICE, Cause::Succeeded, "alice", &format!("g{n}")));
    };
    // 1,600 successes in 16 s take something back, the one before the guesses among them; then 800 guesses count.
    assert_eq!(guesses_until_banned(guess, login, 1, 0), 1599 + 800);
    // That much is what an honest trunk with a password looks like.
    assert_eq!(guesses_until_banned(guess, login, 1, 30), 0);
}

#[test]
fn logins_on_a_call_id_clear_one_guess_under_another_name_each_and_failures_none() {
    let guess = |world: &mut World, n: u32| {
        world.see(&sofia(OFFICE, Cause::Challenged, &format!("name{n}"), "same"));
    };
    let login = |world: &mut World, _| {
        world.see(&sofia(OFFICE, Cause::Succeeded, "alice", "same"));
    };
    assert_eq!(guesses_until_banned(guess, login, 1, 0), 1599 + 50);
    // A wrong password that is forgiven by a good one afterwards clears none.
    let login = |world: &mut World, _| {
        world.see(&sofia(OFFICE, Cause::WrongPassword, "alice", "same"));
        world.registers(OFFICE, "alice");
    };
    assert_eq!(guesses_until_banned(guess, login, 10, 0), 50);
}

#[test]
fn a_trunk_with_a_password_whose_calls_name_their_callers_is_no_flood() {
    let mut world = world();
    for n in 0..40 * 60 {
        let (caller, call) = (format!("+4930{n}"), format!("call-{n}"));
        world.see(&sofia(OFFICE, Cause::Challenged, &caller, &call));
        world.see(&sofia(OFFICE, Cause::Succeeded, "trunk", &call));
        world.after(25);
    }
    assert!(world.bans().is_empty(), "40 calls a second for a minute");
}

#[test]
fn the_first_success_takes_back_what_came_before_it() {
    let mut world = world();
    for _ in 0..49 {
        world.subscribes(OFFICE, "alice");
    }
    let call = world.call_id();
    let mut login = sofia(OFFICE, Cause::Succeeded, "alice", &call);
    login.tenant = Text::from(DOMAIN);
    world.see(&login);
    assert_eq!(world.count(OFFICE, "flood"), 0);
    world.subscribes(OFFICE, "alice");
    world.see(&login);
    assert_eq!(world.count(OFFICE, "flood"), 1);
}

#[test]
fn after_two_hours_without_success_an_account_is_unknown_again() {
    for (hours_and, banned) in [(0, false), (16_000, true)] {
        let mut world = world();
        world
            .registers(OFFICE, "alice")
            .after(HOUR)
            .registers(OFFICE, "alice")
            .after(2 * HOUR + hours_and);
        for _ in 0..50 {
            world.subscribes(OFFICE, "alice");
        }
        assert_eq!(world.bans().len(), usize::from(banned), "{hours_and}");
    }
}

#[test]
fn wrong_passwords_of_a_known_account_count_in_full() {
    let mut world = world();
    world.registers(OFFICE, "alice");
    for n in 0..5 {
        assert!(world.bans().is_empty());
        let call = format!("wrong{n}");
        world.see(&sofia(OFFICE, Cause::Challenged, "alice", &call));
        world.see(&sofia(OFFICE, Cause::WrongPassword, "alice", &call));
    }
    assert_eq!(
        (world.ban().jail.as_str(), world.ban().evidence.attempts),
        ("auth", 5)
    );
}

#[test]
fn what_asterisk_tells_makes_accounts_known_too_and_every_login_there_takes_back_its_challenge() {
    let mut world = world();
    for n in 0..5000 {
        world.succeed(OFFICE, &format!("phone{}", n % 3));
    }
    assert_eq!(world.count(OFFICE, "flood"), 0);
    for _ in 0..799 {
        world.challenge(OFFICE, "phone1");
    }
    world.is_quiet();
    world.challenge(OFFICE, "phone1");
    assert_eq!(world.ban().evidence.attempts, 800);
}

/// A tenant with a `flood` of its own.
fn with_flood(names: Names, change: impl FnOnce(&mut Jail)) -> World {
    let mut flood = Jail::built_in()[2].clone();
    change(&mut flood);
    World::new(Policy {
        tenants: vec![Tenant {
            names,
            jails: vec![flood],
            ..tenant("acme", 5)
        }],
        ..Policy::default()
    })
}

fn names(kind: &str) -> Names {
    let list = |wanted: &str, name: &str| {
        let pattern = kind.contains(wanted).then(|| Pattern::exactly(name));
        pattern.into_iter().collect::<Vec<_>>()
    };
    Names {
        domain: list("domain", DOMAIN),
        realm: list("realm", DOMAIN),
        profile: list("profile", "internal"),
        account: list("account", "alice"),
    }
}

fn challenges_until_banned(world: &mut World) -> Option<usize> {
    (1..=3000).find(|_| !world.subscribes(OFFICE, "alice").bans().is_empty())
}

#[test]
fn a_milder_flood_of_a_tenant_that_anybody_can_name_is_for_nobody() {
    for kind in ["domain", "realm", "account", "domain profile", "profile account"] {
        let mut off = with_flood(names(kind), |flood| flood.enabled = false);
        assert_eq!(challenges_until_banned(&mut off), Some(50), "{kind}");
        let mut mild = with_flood(names(kind), |flood| flood.maxretry = 1000);
        assert_eq!(challenges_until_banned(&mut mild), Some(50), "{kind}");
        assert_eq!(mild.ban().evidence.tenants, ["acme"]);
        let mut short = with_flood(names(kind), |flood| flood.findtime = Span::from_secs(1));
        assert_eq!(
            (0..50).find(|_| !short.subscribes(OFFICE, "alice").after(500).bans().is_empty()),
            Some(49)
        );
        let mut soon_over = with_flood(names(kind), |flood| flood.bantime = Span::from_secs(1));
        challenges_until_banned(&mut soon_over);
        let ban = soon_over.ban();
        assert_eq!(ban.until.since(ban.since), Span::from_secs(6000));
    }
}

#[test]
fn a_stricter_flood_of_a_tenant_holds_and_a_milder_one_where_the_pbx_chose_the_name() {
    let mut strict = with_flood(names("domain"), |flood| flood.maxretry = 10);
    assert_eq!(challenges_until_banned(&mut strict), Some(10));
    let mut mild = with_flood(names("profile"), |flood| flood.maxretry = 300);
    assert_eq!(challenges_until_banned(&mut mild), Some(300));
    let mut off = with_flood(names("profile"), |flood| flood.enabled = false);
    assert_eq!(challenges_until_banned(&mut off), None);
}

#[test]
fn why_shows_the_values_that_hold_at_a_tenant() {
    for (kind, maxretry) in [("domain", 50), ("profile", 300)] {
        let mut world = with_flood(names(kind), |flood| flood.maxretry = 300);
        world.subscribes(OFFICE, "alice");
        let counts = world.engine.dossier(world.now, ip(OFFICE)).counts;
        let flood = counts.iter().find(|count| count.jail == "flood").unwrap();
        assert_eq!(flood.tenants[0].maxretry, maxretry);
    }
}

#[test]
fn a_snapshot_of_before_has_no_known_accounts() {
    let mut world = world();
    world.registers(OFFICE, "alice");
    let mut saved = serde_json::to_value(world.engine.snapshot()).unwrap();
    assert_eq!(saved["known"].as_array().unwrap().len(), 1);
    saved.as_object_mut().unwrap().remove("known");
    let saved: Snapshot = serde_json::from_value(saved).unwrap();
    world.engine = Engine::restore(Policy::default(), 1, world.now, saved, &mut Vec::new());
    assert_eq!(challenges_until_banned(&mut world), Some(50));
}

#[test]
fn a_million_accounts_that_succeed_leave_a_bounded_trace() {
    let mut engine = Engine::new(Policy::default(), 1);
    let mut out = Vec::new();
    for n in 0..1_000_000_u32 {
        let good = event(OFFICE, Cause::Succeeded, &format!("phone{n}"), "call");
        engine.observe(start() + Span::from_millis(u64::from(n)), &good, &mut out);
    }
    let saved = serde_json::to_value(engine.snapshot()).unwrap();
    assert_eq!(saved["known"].as_array().unwrap().len(), 250_000);
    assert_eq!(engine.totals().tracked, 0);
    while let Some(at) = engine.deadline() {
        engine.expire(at, &mut out);
    }
    let saved = serde_json::to_value(engine.snapshot()).unwrap();
    assert!(saved["known"].as_array().unwrap().is_empty());
}
