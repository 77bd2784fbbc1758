//! A node that is cut off, reloaded, hangs or gives less than was asked for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringfence_testkit::fake_freeswitch::{Block, User};
use ringfence_testkit::fs_events::{self, AuthResult, Try};
use ringfence_testkit::until;

use super::Node;

/// Long enough for a node that hangs to be given up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

fn refused(peer: &str) -> Block {
    let peer: SocketAddr = peer.parse().unwrap();
    Try::register(peer, "1000", "tenant-a.example", "cut")
        .register_attempt(AuthResult::Forbidden)
        .into()
}

#[test]
fn a_stream_that_breaks_in_any_way_is_taken_up_again() {
    let mut node = Node::watching();
    let blocks = [
        refused("192.0.2.101:5060"),
        fs_events::register_acl("192.0.2.101".parse().unwrap(), "lan").into(),
    ];
    let mut connects = 1;
    let mut back = |node: &Node, what: &str| {
        connects += 1;
        node.stage.until(what, |stage| {
            let source = stage.source();
            source["state"] == "watching" && source["connects"] == connects
        });
    };
    for block in &blocks {
        assert_eq!(node.fs.truncate(block), 1);
        back(&node, "the cut frame is over");
        assert_eq!(node.fs.splice(block), 1);
        back(&node, "the notice inside a frame is over");
    }
    node.fs.cut();
    back(&node, "the cut connection is over");
    node.fs.reload();
    back(&node, "the reload is over");
    let source = node.stage.source();
    assert_eq!(source["restarts"], 0, "always the same process: {source}");
    node.guess("192.0.2.101", 4);
    assert!(
        node.stage.banned().is_empty(),
        "what was cut off counts for nobody"
    );
    node.guess("192.0.2.101", 1);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
}

#[test]
fn a_node_that_hangs_is_given_up_and_found_again() {
    let mut node = Node::new("password = \"ClueCon\"\nprobe = \"1s\"");
    node.stage.start();
    node.stage.wait_for_state("watching");
    node.fs.behave(|manners| manners.stalled = true);
    until(PATIENCE, "the node to be given up", || {
        let source = node.stage.source();
        (source["state"] == "connecting" && source["problem"] != "").then_some(())
    });
    assert_eq!(node.stage.cli(&["status"]).status.code(), Some(1));
    node.fs.behave(|manners| manners.stalled = false);
    until(PATIENCE, "the node to be found again", || {
        (node.stage.source()["state"] == "watching").then_some(())
    });
    assert_eq!(node.stage.source()["restarts"], 0);
    node.guess("192.0.2.101", 5);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
}

#[test]
fn a_user_who_may_not_see_logins_is_refused_by_us() {
    let mut node = Node::new("user = \"ringfence@default\"\npassword = \"s3cret-w0rd\"");
    let mut user = User::new("ringfence@default", "s3cret-w0rd");
    user.events = Some("HEARTBEAT".into());
    node.fs.admit(user);
    node.stage.start();
    node.stage.wait_for_state("refused");
    let problem = node.stage.source()["problem"].to_string();
    for part in [
        "ringfence@default",
        "esl-allowed-events",
        "sofia::register_attempt",
    ] {
        assert!(problem.contains(part), "no {part} in {problem}");
    }
    let check = node.stage.cli(&["check", "--live"]);
    assert_eq!(check.status.code(), Some(69));
    let shown = [
        node.stage.log(),
        node.stage.json(&["status"]).to_string(),
        String::from_utf8(check.stdout).unwrap(),
        String::from_utf8(node.stage.cli(&["why", "192.0.2.101"]).stdout).unwrap(),
    ];
    assert!(shown[2].contains("esl-allowed-events"), "{}", shown[2]);
    for text in shown {
        assert!(!text.contains("s3cret-w0rd"), "{text}");
    }
}

#[test]
fn permissions_given_later_are_used_from_the_next_reload_on() {
    let mut node = Node::new("user = \"ringfence@default\"\npassword = \"s3cret\"");
    let mut user = User::new("ringfence@default", "s3cret");
    user.log = false;
    node.fs.admit(user.clone());
    node.stage.start();
    node.wait_for_stream("log", "refused");
    let problem = node.stream("log")["problem"].to_string();
    assert!(
        problem.contains("esl-allowed-log") && problem.contains("ringfence reload"),
        "{problem}"
    );
    assert!(node.stage.cli(&["reload"]).status.success());
    node.wait_for_stream("log", "refused");
    user.log = true;
    user.api = Some("version".into());
    node.fs.admit(user.clone());
    assert!(node.stage.cli(&["reload"]).status.success());
    node.wait_for_stream("log", "unproven");
    user.api = None;
    node.fs.admit(user);
    assert!(node.stage.cli(&["reload"]).status.success());
    node.wait_for_stream("log", "flowing");
    node.stage.wait_for_state("watching");
    let logins = node.fs.logins();
    assert!(node.stage.cli(&["reload"]).status.success());
    node.guess("192.0.2.101", 5);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
    assert_eq!(
        node.fs.logins(),
        logins,
        "nothing was missing: it goes on without a break"
    );
}

#[test]
fn a_user_who_may_not_see_the_probe_is_watched_without_proof() {
    let mut node = Node::new("user = \"ringfence@default\"\npassword = \"s3cret\"\nprobe = \"1s\"");
    let mut user = User::new("ringfence@default", "s3cret");
    user.events = Some(
        "CHANNEL_HANGUP_COMPLETE CUSTOM sofia::pre_register sofia::register_attempt sofia::register_failure \
         sofia::wrong_call_state verto::login"
            .into(),
    );
    user.api = Some("version".into());
    node.fs.admit(user);
    node.stage.start();
    node.wait_for_stream("events", "unproven");
    node.wait_for_stream("log", "unproven");
    let problem = node.stage.source()["problem"].to_string();
    assert!(problem.contains("CUSTOM ringfence::probe"), "{problem}");
    assert!(node.stage.log().contains("log unproven"));
    node.guess("192.0.2.101", 1);
    node.stage.wait_for_state("watching");
    // it is quiet for longer than any probe would be given: nothing was to come back
    let asked = node.fs.reports()[0].commands.len();
    std::thread::sleep(Duration::from_secs(8));
    let source = node.stage.source();
    assert!(
        source["state"] == "watching" && source["connects"] == 1,
        "{source}"
    );
    assert!(
        node.fs.reports()[0].commands.len() > asked,
        "that it lives is still asked"
    );
}

#[test]
fn a_blind_log_is_found_out_however_busy_the_node_is() {
    let mut node = Node::new("password = \"ClueCon\"");
    node.fs.behave(|manners| manners.core_loglevel = 3);
    node.stage.configure();
    let done = AtomicBool::new(false);
    let (check, json) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let peer: SocketAddr = "192.0.2.51:5060".parse().unwrap();
            while !done.load(Ordering::SeqCst) {
                node.fs
                    .inject(&fs_events::login(peer, "1000", "tenant-a.example", "busy"));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let check = node.stage.cli(&["check", "--live"]);
        node.stage.start();
        node.wait_for_stream("log", "blind");
        let json = node.stage.json(&["check", "--live"]);
        done.store(true, Ordering::SeqCst);
        (check, json)
    });
    assert_eq!(check.status.code(), Some(69));
    let text = String::from_utf8(check.stdout).unwrap();
    assert!(
        text.contains("fsctl loglevel warning") && !text.contains("not even a probe"),
        "{text}"
    );
    assert_eq!(json["ok"], false);
    assert_eq!(node.stage.source()["state"], "watching");
    let told = node.stage.log().matches("log blind: ").count();
    assert_eq!(told, 1, "{}", node.stage.log());
}

#[test]
fn a_check_of_a_good_node_names_its_streams() {
    let node = Node::new("password = \"ClueCon\"");
    node.stage.configure();
    let check = node.stage.cli(&["check", "--live"]);
    let text = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(0), "{text}");
    for part in [
        "ok    fs1: ",
        "FreeSWITCH 1.11.3",
        "events flowing",
        "log flowing",
        "probe event came back",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let json = node.stage.json(&["check", "--live"]);
    assert_eq!(json["ok"], true, "{json}");
}
