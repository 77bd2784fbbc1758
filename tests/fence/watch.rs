//! Noticing that somebody else changed the table.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ringfence::engine::Target;
use ringfence::fence::{Change, Fence, Watch};

use crate::net::{HOUR, Net, address, ban, installed, nth, unban};

fn watched(fence: &dyn Fence) -> (Watch, Receiver<Change>) {
    let (sender, receiver) = channel();
    let watch = fence
        .watch(Box::new(move |change| {
            let _ = sender.send(change);
        }))
        .unwrap()
        .expect("nftables can watch");
    (watch, receiver)
}

/// The most severe change within the time that is allowed for noticing it.
fn noticed(receiver: &Receiver<Change>) -> Option<Change> {
    let first = receiver.recv_timeout(Duration::from_millis(100)).ok()?;
    std::iter::once(first).chain(receiver.try_iter()).max()
}

#[test]
fn what_others_do_to_our_table_is_noticed_at_once() {
    Net::test(|net| {
        let mut fence = installed();
        fence.apply(&[ban(address("192.0.2.10"), HOUR)]).unwrap();
        let (_watch, receiver) = watched(&*fence);
        for (command, change) in [
            (
                "delete element inet ringfence banned4 { 192.0.2.10 }",
                Change::Removed,
            ),
            (
                "add element inet ringfence banned4 { 192.0.2.12 }",
                Change::Altered,
            ),
            ("insert rule inet ringfence guard accept", Change::Altered),
            ("flush chain inet ringfence guard", Change::Removed),
            ("flush ruleset", Change::Removed),
        ] {
            net.nft(command);
            assert_eq!(noticed(&receiver), Some(change), "{command}");
        }
        fence.install().unwrap();
        net.nft("delete table inet ringfence");
        assert_eq!(noticed(&receiver), Some(Change::Removed));
    });
}

#[test]
fn our_own_changes_and_other_tables_wake_nobody() {
    Net::test(|net| {
        let mut fence = installed();
        let (watch, receiver) = watched(&*fence);
        let ops: Vec<_> = (0..5000).map(|n| ban(Target::Address(nth(n)), HOUR)).collect();
        fence.apply(&ops).unwrap();
        fence.apply(&ops).unwrap();
        fence.apply(&[unban(Target::Address(nth(0)))]).unwrap();
        fence.install().unwrap();
        fence.purge().unwrap();
        fence.install().unwrap();
        net.nft("add table inet other");
        net.nft("add table ip ringfence");
        net.nft("delete table inet other");
        // Announcements come in order: whatever came before this one has been looked at.
        net.nft("add chain inet ringfence last");
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(Change::Altered));
        drop(watch);
        assert!(
            receiver.recv().is_err(),
            "nothing else was noticed, and the watch is over"
        );
    });
}

#[test]
fn more_than_can_be_followed_counts_as_a_change() {
    Net::test(|net| {
        let fence = installed();
        let (sender, receiver) = channel();
        let (block, blocked) = channel::<()>();
        let watch = fence.watch(Box::new(move |change| {
            let _ = sender.send(change);
            let _ = blocked.recv();
        }));
        net.nft("add chain inet ringfence one");
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(Change::Altered));
        let rules: String = (0..40_000).fold(
            "add table ip other\nadd chain ip other c\n".to_owned(),
            |mut text, n| {
                use std::fmt::Write as _;
                let _ = writeln!(text, "add rule ip other c ip saddr {} accept", nth(n));
                text
            },
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rules).unwrap();
        net.nft(&format!("-f {}", file.path().display()));
        drop(block);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(Change::Lost));
        drop(watch);
    });
}

#[test]
fn a_watch_ends_at_once_when_dropped() {
    Net::test(|_| {
        let fence = installed();
        let (watch, receiver) = watched(&*fence);
        let start = Instant::now();
        drop(watch);
        assert!(receiver.recv().is_err());
        assert!(start.elapsed() < Duration::from_secs(1));
    });
}
