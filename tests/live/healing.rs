//! Somebody else empties the firewall while an attacker keeps sending: back within a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_testkit::{Answer, Caller, Request, Transport, Version};

use crate::site::Site;

#[test]
fn a_flushed_ruleset_is_back_within_a_second() {
    let site = Site::new(Version::V22);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    let flooder = site.caller("192.0.2.102", Transport::Udp);
    for caller in [&attacker, &flooder] {
        site.daemon.must(&["ban", &caller.source().to_string()]);
        site.assert_silent(caller);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| flood(&flooder, &done));
        for script in ["flush ruleset", "flush ruleset", "delete table inet ringfence"] {
            site.net.pbx().nft(script);
            assert_silent_within_a_second(&attacker, script);
            site.assert_silent(&attacker);
        }
        // Only the elements, or only the chain: the table is still there.
        let listing = site.net.pbx().nft("list table inet ringfence");
        let names = |kind: &str| {
            let lines = listing
                .lines()
                .filter_map(|line| line.trim().strip_prefix(kind)?.strip_suffix(" {"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let chains = names("chain ")
            .into_iter()
            .map(|chain| format!("flush chain inet ringfence {chain}"));
        let sets = names("set ")
            .into_iter()
            .map(|set| format!("flush set inet ringfence {set}"));
        for script in chains.chain(sets) {
            site.net.pbx().nft(&script);
            assert_silent_within_a_second(&attacker, &script);
        }
        done.store(true, Ordering::Relaxed);
    });
    site.assert_silent(&attacker);
    site.assert_silent(&flooder);
}

/// Sends requests for a second and a half; each answer must have come within the first second.
#[track_caller]
fn assert_silent_within_a_second(caller: &Caller, after: &str) {
    let caller = caller.clone().patience(Duration::from_millis(50));
    let start = Instant::now();
    let mut answers = Vec::new();
    while start.elapsed() < Duration::from_millis(1500) {
        let answer = caller.send(&Request::register("bob"));
        if answer != Answer::Silence {
            answers.push((start.elapsed(), answer));
        }
    }
    let late = answers
        .last()
        .is_some_and(|(at, _)| *at >= Duration::from_secs(1));
    assert!(!late, "still answered after {after}: {answers:?}");
}

/// Sends as fast as a thousand requests a second until `done`.
fn flood(caller: &Caller, done: &AtomicBool) {
    let mut line = caller.line().unwrap();
    // A bound of its own: a test that fails elsewhere must not leave this behind.
    let end = Instant::now() + Duration::from_mins(1);
    while !done.load(Ordering::Relaxed) && Instant::now() < end {
        line.throw(&Request::register("bob"));
        thread::sleep(Duration::from_millis(1));
    }
}
