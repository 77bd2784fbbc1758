//! Prefixes that nest, against the kernel's interval sets.

use std::time::Duration;

use ringfence::fence::{Change, Fence, FenceSettings, open, plan};
use ringfence_event::Span;

use crate::net::{HOUR, Line, Net, about, address, ban, held, installed, prefix, unban};

/// All targets held, sorted, with whole seconds.
fn listed(fence: &mut dyn Fence) -> Vec<String> {
    let mut list: Vec<_> = fence
        .list()
        .unwrap()
        .into_iter()
        .map(|held| held.target.to_string())
        .collect();
    list.sort();
    list
}

#[test]
fn a_nested_prefix_holds_until_the_last_around_it_ends() {
    Net::test(|net| {
        let mut fence = installed();
        let line = Line::v4(net);
        let (nine, ten) = (line.caller("192.0.2.9:0"), line.caller("192.0.2.10:0"));
        fence
            .apply(&[
                ban(prefix("192.0.2.8/30"), Span::from_millis(400)),
                ban(prefix("192.0.2.10/31"), HOUR),
                ban(prefix("192.0.2.10/32"), Span::from_secs(60)),
            ])
            .unwrap();
        assert!(!line.arrives(&nine) && !line.arrives(&ten));
        about(
            held(&mut *fence, prefix("192.0.2.10/32")).unwrap().remaining,
            Span::from_secs(60),
        );
        about(
            held(&mut *fence, prefix("192.0.2.10/31")).unwrap().remaining,
            HOUR,
        );
        assert!(held(&mut *fence, prefix("192.0.2.8/30")).unwrap().remaining <= Span::from_millis(400));
        std::thread::sleep(Duration::from_millis(450));
        assert!(line.arrives(&nine), "the outer prefix has ended");
        assert!(!line.arrives(&ten), "still in the inner prefix");
        fence.apply(&[unban(prefix("192.0.2.10/31"))]).unwrap();
        assert!(!line.arrives(&ten), "still banned by itself");
        fence.apply(&[unban(prefix("192.0.2.10/32"))]).unwrap();
        assert!(line.arrives(&ten));
        assert!(fence.list().unwrap().is_empty());
    });
}

#[test]
fn neighbours_ends_of_the_range_and_everything_can_be_held() {
    Net::test(|_| {
        let mut fence = installed();
        let all = [
            "0.0.0.0/8",
            "198.51.100.0/25",
            "198.51.100.128/25",
            "203.0.113.255/32",
            "255.255.255.0/24",
            "::/16",
            "2001:db8::/32",
            "ffff::/16",
        ];
        for text in all {
            fence.apply(&[ban(prefix(text), HOUR)]).unwrap();
        }
        let mut sorted = all;
        sorted.sort_unstable();
        assert_eq!(listed(&mut *fence), sorted);
        let more: Vec<_> = ["0.0.0.0/0", "::/0"]
            .into_iter()
            .map(|text| ban(prefix(text), HOUR.times(2)))
            .collect();
        fence.apply(&more).unwrap();
        assert_eq!(listed(&mut *fence).len(), all.len() + 2);
        let gone: Vec<_> = all.into_iter().map(|text| unban(prefix(text))).collect();
        fence.apply(&gone).unwrap();
        assert_eq!(listed(&mut *fence), ["0.0.0.0/0", "::/0"]);
    });
}

#[test]
fn a_new_daemon_takes_over_nested_prefixes_without_touching_the_kernel() {
    Net::test(|net| {
        let wanted = [
            (prefix("198.51.0.0/16"), HOUR),
            (prefix("198.51.100.0/24"), HOUR.times(2)),
            (prefix("198.51.100.0/25"), Span::from_secs(60)),
        ];
        let ops: Vec<_> = wanted
            .iter()
            .map(|(target, remaining)| ban(*target, *remaining))
            .collect();
        installed().apply(&ops).unwrap();
        let mut fence = installed();
        // To another fence these are somebody else's changes.
        let (sender, receiver) = std::sync::mpsc::channel();
        let observer = open(&FenceSettings::default()).unwrap();
        let watch = observer.watch(Box::new(move |change| {
            let _ = sender.send(change);
        }));
        let tolerance = Span::from_secs(5);
        let changes = plan(&wanted, &fence.list().unwrap(), tolerance);
        assert!(
            !changes.is_empty(),
            "the kernel's pieces are not what was asked for"
        );
        fence.apply(&changes).unwrap();
        assert_eq!(plan(&wanted, &fence.list().unwrap(), tolerance), []);
        net.nft("add chain inet ringfence last");
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(Change::Altered));
        drop(watch);
        assert!(receiver.recv().is_err(), "nothing else was changed");
    });
}

#[test]
fn what_somebody_else_put_into_the_set_is_found_and_removed() {
    Net::test(|net| {
        let mut fence = installed();
        let wanted = [(prefix("198.51.100.0/24"), HOUR), (address("192.0.2.10"), HOUR)];
        fence
            .apply(&[ban(wanted[0].0, HOUR), ban(wanted[1].0, HOUR)])
            .unwrap();
        net.nft("delete element inet ringfence prefixes4 { 198.51.100.0/24 }");
        net.nft(
            "add element inet ringfence prefixes4 { 198.51.100.64/26 timeout 2h, 203.0.113.1-203.0.113.6 }",
        );
        net.nft("add element inet ringfence banned4 { 203.0.113.99 }");
        let changes = plan(&wanted, &fence.list().unwrap(), Span::from_secs(5));
        fence.apply(&changes).unwrap();
        assert_eq!(plan(&wanted, &fence.list().unwrap(), Span::from_secs(5)), []);
        assert_eq!(listed(&mut *fence), ["192.0.2.10", "198.51.100.0/24"]);
        // Behind the fence's back, without being asked to look first.
        net.nft("flush set inet ringfence prefixes4");
        fence.apply(&[unban(wanted[0].0)]).unwrap();
        net.nft("add element inet ringfence prefixes4 { 198.51.100.128/25 timeout 2h }");
        fence.apply(&[ban(wanted[0].0, HOUR)]).unwrap();
        assert_eq!(listed(&mut *fence), ["192.0.2.10", "198.51.100.0/24"]);
    });
}
