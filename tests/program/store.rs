//! What survives: restarts, crashes, a broken database.

use nix::sys::signal::Signal;

use super::stage::Stage;

#[test]
fn bans_and_escalation_survive_kill_9() {
    let mut stage = Stage::watching();
    stage.guess("192.0.2.101", "alice", 5);
    let before = stage.json(&["banned"])[0].clone();
    // what was written is what counts, however the daemon ends
    stage.until("it is written", |stage| {
        let why = stage.json(&["why", "192.0.2.101"]);
        why["history"]
            .as_array()
            .is_some_and(|history| !history.is_empty())
    });
    assert_eq!(stage.end(Signal::SIGKILL), None);
    stage.start();
    let after = stage.json(&["banned"])[0].clone();
    assert_eq!(
        (&after["target"], &after["jail"]),
        (&before["target"], &before["jail"])
    );
    assert_eq!(after["until"], before["until"], "the same end");
    let why = stage.json(&["why", "192.0.2.101"]);
    assert_eq!(why["history"][0]["verdict"], "ban");
    assert_eq!(why["history"][0]["evidence"]["attempts"], 5);
}

#[test]
fn a_stale_socket_is_replaced() {
    let mut stage = Stage::watching();
    stage.end(Signal::SIGKILL);
    assert!(stage.home.path().join("ringfence.sock").exists());
    stage.start();
    stage.wait_for_state("watching");
}

#[test]
fn a_corrupt_store_is_put_aside_and_said() {
    let mut stage = Stage::new();
    let mut damaged = b"SQLite format 3\0".to_vec();
    damaged.extend(b"\xffand then only rubbish".repeat(1000));
    std::fs::write(stage.store(), damaged).unwrap();
    stage.start();
    stage.wait_for_state("watching");
    let kept = std::fs::read_dir(stage.home.path())
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("corrupt")
        })
        .count();
    assert_eq!(kept, 1, "the broken file is kept for whoever wants to look");
    assert!(stage.log().contains("corrupt"));
    stage.guess("192.0.2.101", "alice", 5);
    assert_eq!(stage.banned(), ["192.0.2.101"]);
}
