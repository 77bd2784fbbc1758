//! Setting up, healing, refusing and leaving.

use std::time::{Duration, Instant};

use ringfence::engine::Target;
use ringfence::fence::{Block, Fence, FenceError, FenceSettings, open, plan};
use ringfence_event::Span;

use crate::net::{
    HOUR, Line, Net, about, address, ban, held, installed, installed_keeping, installed_with, nth, prefix,
    run, socket, unban,
};

const ALL: [&str; 8] = [
    "192.0.2.10",
    "2001:db8::10",
    "192.0.2.11:5060",
    "[2001:db8::11]:5060",
    "198.51.100.0/24",
    "2001:db8:1::/48",
    "192.0.2.77",
    "198.51.101.0/24",
];

fn all() -> Vec<Target> {
    ALL.iter()
        .map(|text| {
            if text.contains('/') {
                prefix(text)
            } else if text.parse::<std::net::IpAddr>().is_ok() {
                address(text)
            } else {
                socket(text)
            }
        })
        .collect()
}

/// Bans in each set; half of them for ever, and two prefixes that touch.
fn ban_all(fence: &mut dyn Fence) {
    let span = |n| if n % 2 == 0 { HOUR } else { Span::FOREVER };
    let ops: Vec<_> = all()
        .into_iter()
        .enumerate()
        .map(|(n, target)| ban(target, span(n)))
        .collect();
    fence.apply(&ops).unwrap();
}

fn all_held(fence: &mut dyn Fence) {
    let list = fence.list().unwrap();
    assert_eq!(list.len(), ALL.len(), "{list:?}");
    for (n, target) in all().into_iter().enumerate() {
        let held = list
            .iter()
            .find(|held| held.target == target)
            .unwrap_or_else(|| panic!("{target} is held"));
        if n % 2 == 0 {
            about(held.remaining, HOUR);
        } else {
            assert_eq!(held.remaining, Span::FOREVER);
        }
    }
}

#[test]
fn installing_again_keeps_everything() {
    Net::test(|net| {
        let mut fence = installed();
        ban_all(&mut *fence);
        // Anything made anew would have got another handle.
        let handles = |net: &Net| -> Vec<String> {
            let listing = net.nft("-a list table inet ringfence");
            listing
                .lines()
                .filter_map(|line| Some(line.split_once("# handle ")?.1.to_owned()))
                .collect()
        };
        let before = handles(net);
        assert!(before.len() > 10, "{before:?}");
        fence.install().unwrap();
        all_held(&mut *installed());
        assert_eq!(handles(net), before);
        assert!(fence.intact().unwrap());
    });
}

#[test]
fn whatever_was_changed_is_put_right_with_the_elements_kept() {
    Net::test(|net| {
        let mut fence = installed();
        ban_all(&mut *fence);
        let guard = "inet ringfence guard";
        let hook = "type filter hook prerouting priority";
        let damages: [&[String]; 8] = [
            &[format!("flush chain {guard}")],
            &[format!("insert rule {guard} accept")],
            &[format!("add rule {guard} counter")],
            &[format!("flush chain {guard}"), format!("delete chain {guard}")],
            &[
                format!("flush chain {guard}"),
                format!("delete chain {guard}"),
                format!("add chain {guard} {{ {hook} 0 ; }}"),
            ],
            &[format!("add chain {guard} {{ {hook} raw ; policy drop ; }}")],
            &["add table inet ringfence { flags dormant ; }".to_owned()],
            &[
                "add chain inet ringfence other".to_owned(),
                "add rule inet ringfence other ip saddr @banned4 accept".to_owned(),
                format!("flush chain {guard}"),
            ],
        ];
        for damage in damages {
            assert!(fence.intact().unwrap());
            for command in damage {
                net.nft(command);
            }
            assert!(!fence.intact().unwrap(), "noticed: {damage:?}");
            let proven = fence.install().unwrap();
            assert_eq!(proven.gaps, Vec::<String>::new());
            assert!(fence.intact().unwrap(), "put right: {damage:?}");
            all_held(&mut *fence);
        }
    });
}

#[test]
fn missing_and_wrong_sets_are_made_anew_with_the_elements_kept() {
    Net::test(|net| {
        let mut fence = installed();
        ban_all(&mut *fence);
        net.nft("flush chain inet ringfence guard");
        net.nft("delete set inet ringfence sockets4");
        net.nft("add set inet ringfence sockets4 { type inet_service ; }");
        net.nft("add element inet ringfence sockets4 { 5060 }");
        assert!(!fence.intact().unwrap());
        fence.install().unwrap();
        assert!(fence.intact().unwrap());
        assert_eq!(
            held(&mut *fence, socket("192.0.2.11:5060")),
            None,
            "its set was somebody else's"
        );
        fence.apply(&[ban(socket("192.0.2.11:5060"), HOUR)]).unwrap();
        all_held(&mut *fence);
        // Another capacity is another set.
        let small = FenceSettings {
            capacity: 5,
            ..FenceSettings::default()
        };
        all_held(&mut *installed_with(&small));
        assert!(!fence.intact().unwrap());
        all_held(&mut *installed());
    });
}

#[test]
fn another_way_of_blocking_keeps_the_elements() {
    Net::test(|net| {
        ban_all(&mut *installed());
        let mut fence = installed_with(&FenceSettings {
            block: Block::Reject,
            ..FenceSettings::default()
        });
        assert_eq!(
            net.nft("list chain inet ringfence guard")
                .matches("reject")
                .count(),
            8
        );
        all_held(&mut *fence);
        assert_eq!(
            fence
                .list()
                .unwrap()
                .iter()
                .filter_map(|held| held.packets)
                .sum::<u64>(),
            0
        );
    });
}

#[test]
fn a_flushed_ruleset_comes_back_with_every_ban() {
    Net::test(|net| {
        let mut fence = installed();
        let line = Line::v4(net);
        let caller = line.caller("192.0.2.10:0");
        let wanted: Vec<_> = all().into_iter().map(|target| (target, HOUR)).collect();
        let ops: Vec<_> = wanted
            .iter()
            .map(|(target, remaining)| ban(*target, *remaining))
            .collect();
        fence.apply(&ops).unwrap();
        net.nft("flush ruleset");
        assert!(line.arrives(&caller));
        assert!(!fence.intact().unwrap());
        assert!(fence.list().unwrap().is_empty());
        fence.apply(&ops).expect_err("there is nothing to put a ban into");
        fence.install().unwrap();
        let missing = plan(&wanted, &fence.list().unwrap(), Span::from_secs(1));
        fence.apply(&missing).unwrap();
        assert!(!line.arrives(&caller));
        assert_eq!(plan(&wanted, &fence.list().unwrap(), Span::from_secs(5)), []);
    });
}

#[test]
fn somebody_elses_table_stays_untouched() {
    Net::test(|net| {
        net.nft("add table inet ringfence");
        net.nft("add set inet ringfence banned4 { type ipv4_addr ; }");
        let before = net.nft("list ruleset");
        let mut fence = open(&FenceSettings::default()).unwrap();
        for outcome in [fence.install().map(drop), fence.intact().map(drop), fence.purge()] {
            let error = outcome.expect_err("it isn't ours");
            assert!(matches!(error, FenceError::Foreign { .. }), "{error}");
            assert!(
                error.to_string().contains("nft delete table inet ringfence"),
                "names the remedy: {error}"
            );
        }
        assert_eq!(net.nft("list ruleset"), before);
    });
}

#[test]
fn purge_leaves_nothing_of_ours_and_all_of_others() {
    Net::test(|net| {
        let mut fence = installed();
        ban_all(&mut *fence);
        fence.purge().unwrap();
        assert_eq!(net.nft("list ruleset"), "");
        fence.purge().unwrap();
        net.nft("add table ip ringfence");
        fence.install().unwrap();
        fence.purge().unwrap();
        assert_eq!(net.nft("list ruleset").trim(), "table ip ringfence {\n}");
    });
}

#[test]
fn a_full_set_says_so_and_takes_what_fits() {
    let small = FenceSettings {
        capacity: 3,
        ..FenceSettings::default()
    };
    Net::test(|_| full(installed_with(&small)));
    Net::test(|_| full(installed_keeping(&small)));
}

fn full(mut fence: Box<dyn Fence>) {
    fence.apply(&[ban(Target::Address(nth(0)), HOUR)]).unwrap();
    let more: Vec<_> = (0..5)
        .map(|n| ban(Target::Address(nth(n)), HOUR.times(2)))
        .collect();
    let error = fence.apply(&more).expect_err("five don't fit");
    assert!(
        matches!(&error, FenceError::Full { set, .. } if set == "banned4"),
        "{error}"
    );
    assert!(
        error.to_string().contains("fence.capacity"),
        "names the remedy: {error}"
    );
    assert_eq!(fence.list().unwrap().len(), 3);
    let full = fence.apply(&[ban(Target::Address(nth(9)), HOUR)]);
    assert!(matches!(full, Err(FenceError::Full { .. })));
    // One out, one in, in one call; and one that is there gets its new time.
    let out = fence.list().unwrap()[0].target;
    fence
        .apply(&[ban(Target::Address(nth(9)), HOUR), unban(out)])
        .unwrap();
    fence
        .apply(&[ban(Target::Address(nth(9)), HOUR.times(3))])
        .unwrap();
    about(
        held(&mut *fence, Target::Address(nth(9))).unwrap().remaining,
        HOUR.times(3),
    );
    assert_eq!(fence.list().unwrap().len(), 3);
    // One out, two in: one of them fits, and only the other is refused.
    let out = fence.list().unwrap()[0].target;
    let two = [
        ban(Target::Address(nth(20)), HOUR),
        ban(Target::Address(nth(21)), HOUR),
        unban(out),
    ];
    assert!(matches!(fence.apply(&two), Err(FenceError::Full { .. })));
    assert_eq!(fence.list().unwrap().len(), 3);
    let ops: Vec<_> = (0..10)
        .map(|n| ban(prefix(&format!("198.51.100.{}/32", 2 * n)), HOUR))
        .collect();
    assert!(matches!(fence.apply(&ops), Err(FenceError::Full { set, .. }) if set == "prefixes4"));
    // Three prefixes fit, or six with kernels that count a range as one element.
    let held = fence.list().unwrap().len() - 3;
    assert!(held == 3 || held == 6, "{held} prefixes");
}

#[test]
fn what_loopback_cannot_show_is_a_gap_not_a_failure() {
    Net::test(|_| {
        run("sysctl", &["-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
        let mut fence = open(&FenceSettings::default()).unwrap();
        let proven = fence.install().unwrap();
        assert!(
            proven.how.contains("dropped by banned4, sockets4, prefixes4"),
            "{proven}"
        );
        assert_eq!(proven.gaps.len(), 1, "{:?}", proven.gaps);
        run("ip", &["link", "set", "lo", "down"]);
        let proven = fence.install().unwrap();
        assert_eq!(proven.gaps.len(), 2, "{:?}", proven.gaps);
        assert!(proven.how.contains("the kernel says"), "{proven}");
    });
}

#[test]
fn the_proof_is_quick_always_succeeds_and_leaves_nothing() {
    Net::test(|_| {
        let mut fence = installed();
        // The quickest of many: others use this machine, too.
        let mut quickest = Duration::MAX;
        for _ in 0..1000 {
            let start = Instant::now();
            let proven = fence.install().unwrap();
            quickest = quickest.min(start.elapsed());
            assert_eq!(proven.gaps, Vec::<String>::new());
        }
        assert!(quickest < Duration::from_millis(5), "{quickest:?} for one proof");
        assert!(fence.list().unwrap().is_empty());
    });
}

#[test]
fn a_fence_in_the_wrong_place_is_not_proven() {
    Net::test(|net| {
        // The rules are in this namespace, the packets in the other: what a container without the host's network is.
        let mut fence = open(&FenceSettings::default()).unwrap();
        let error = net.elsewhere(|| fence.install().expect_err("the packet arrives"));
        assert!(matches!(error, FenceError::Unproven { .. }), "{error}");
        assert!(fence.install().unwrap().gaps.is_empty());
        assert!(fence.list().unwrap().is_empty(), "no test element is left");
    });
}
