//! One or more FreeSWITCH nodes: what is seen of them, and what is said when nothing is.

use std::net::SocketAddr;
use std::time::Duration;

use ringfence_testkit::FakeFreeswitch;
use ringfence_testkit::fake_freeswitch::{Block, Ending, User};
use ringfence_testkit::fs_events;
use serde_json::Value;

use super::stage::Stage;

mod hostile;
mod strangers;
mod trouble;

/// A node, and a daemon that is to watch it.
struct Node {
    stage: Stage,
    fs: FakeFreeswitch,
}

impl Node {
    fn new(keys: &str) -> Self {
        let fs = FakeFreeswitch::start(None, "ClueCon");
        let mut stage = Stage::new();
        stage.pbxes = Some(table("fs1", fs.address(), keys));
        Self { stage, fs }
    }

    fn watching() -> Self {
        let mut node = Self::new("password = \"ClueCon\"");
        node.stage.start();
        node.stage.wait_for_state("watching");
        node.wait_for_stream("log", "flowing");
        node
    }

    fn stream(&self, name: &str) -> Value {
        let source = self.stage.source();
        let streams = source["streams"].as_array().cloned().unwrap_or_default();
        streams
            .into_iter()
            .find(|stream| stream["name"] == name)
            .unwrap_or_default()
    }

    fn wait_for_stream(&self, name: &str, state: &str) {
        self.stage.until(&format!("{name} {state}"), |_| {
            self.stream(name)["state"] == state
        });
    }

    /// As many wrong passwords, and waits until they are judged.
    fn guess(&self, peer: &str, times: u32) {
        let before = self.events();
        let peer = SocketAddr::new(peer.parse().unwrap(), 5060);
        for n in 0..times {
            let call = format!("{before}-{n}@{peer}");
            let told = fs_events::brute_force_try(peer, "1000", "tenant-a.example", &call);
            assert!(self.fs.inject(&told) > 0);
        }
        // a challenge and an attempt each: the failure is the attempt's other half
        self.stage.until("the guesses are judged", |_| {
            self.events() >= before + u64::from(times) * 2
        });
    }

    fn events(&self) -> u64 {
        self.stage.json(&["status"])["engine"]["events"].as_u64().unwrap()
    }
}

/// What `status` says of one source.
fn source(stage: &Stage, name: &str) -> Value {
    let status = stage.json(&["status"]);
    let sources = status["sources"].as_array().cloned().unwrap_or_default();
    let found = sources.into_iter().find(|source| source["name"] == name);
    found.unwrap_or_default()
}

fn table(name: &str, address: SocketAddr, keys: &str) -> String {
    format!("[[freeswitch]]\nname = \"{name}\"\naddress = \"{address}\"\n{keys}\n")
}

#[test]
fn a_node_is_watched_and_asked_little() {
    let node = Node::watching();
    let source = node.stage.source();
    assert_eq!(source["kind"], "freeswitch");
    assert_eq!(node.stream("events")["state"], "flowing");
    assert!(source["ping_us"].as_u64().unwrap() > 0);
    assert!(!source["version"].as_str().unwrap().is_empty());
    assert_eq!(
        node.stage.status().unwrap()["state"],
        "dry-run",
        "nothing is amiss"
    );
    std::thread::sleep(Duration::from_secs(2));
    let report = node.fs.reports().pop().unwrap();
    assert_eq!(report.commands.len(), 9, "{:?}", report.commands);
}

#[test]
fn the_fifth_wrong_password_bans() {
    let node = Node::watching();
    node.guess("192.0.2.101", 4);
    assert!(node.stage.banned().is_empty());
    node.guess("192.0.2.101", 1);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
    let why = node.stage.json(&["why", "192.0.2.101"]);
    assert!(why.to_string().contains("1000"), "{why}");
}

#[test]
fn a_refusal_by_an_access_list_is_read_from_the_log() {
    let node = Node::watching();
    let address = "192.0.2.102".parse().unwrap();
    for n in 0..5 {
        let before = node.events();
        assert_eq!(
            node.fs
                .inject(&[Block::Log(fs_events::register_acl(address, "lan"))]),
            1
        );
        node.stage.until("it is judged", |_| node.events() > before);
        if n < 4 {
            // without a dialogue, refusals within a second are one attempt
            std::thread::sleep(Duration::from_millis(1100));
        }
    }
    assert_eq!(node.stage.banned(), ["192.0.2.102"]);
}

#[test]
fn a_wrong_password_is_said_and_not_hammered() {
    let mut node = Node::new("password = \"wrong\"");
    node.stage.start();
    node.stage.wait_for_state("refused");
    let problem = node.stage.source()["problem"].to_string();
    assert!(problem.contains("event_socket.conf.xml"), "{problem}");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(node.fs.connections(), 1, "one try in three seconds");
    let check = node.stage.cli(&["check", "--live"]);
    assert_eq!(check.status.code(), Some(69));
    node.stage.pbxes = Some(table("fs1", node.fs.address(), "password = \"ClueCon\""));
    node.stage.configure();
    assert!(node.stage.cli(&["reload"]).status.success());
    node.stage.wait_for_state("watching");
}

#[test]
fn a_user_without_permissions_is_told_which() {
    let keys = "user = \"ringfence@default\"\npassword = \"s3cret\"";
    let mut node = Node::new(keys);
    let mut user = User::new("ringfence@default", "s3cret");
    user.events = Some(
        "CUSTOM sofia::pre_register sofia::register_attempt sofia::register_failure \
         sofia::wrong_call_state ringfence::probe"
            .into(),
    );
    user.api = Some("version".into());
    user.log = false;
    node.fs.admit(user);
    node.stage.start();
    node.stage.wait_for_state("watching");
    for name in ["verto", "calls", "log"] {
        node.wait_for_stream(name, "refused");
        let problem = node.stream(name)["problem"].to_string();
        assert!(problem.contains("esl-allowed"), "{problem}");
    }
    assert_eq!(node.stage.cli(&["status"]).status.code(), Some(1));
    node.guess("192.0.2.101", 5);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
}

#[test]
fn a_log_that_the_core_does_not_write_is_blind() {
    let mut node = Node::new("password = \"ClueCon\"");
    node.fs.behave(|manners| manners.core_loglevel = 0);
    node.stage.start();
    node.stage.wait_for_state("watching");
    node.wait_for_stream("log", "blind");
    assert!(
        node.stream("log")["problem"]
            .as_str()
            .unwrap()
            .contains("fsctl loglevel warning")
    );
    assert_eq!(node.stage.status().unwrap()["state"], "degraded");
}

#[test]
fn events_that_never_come_are_noticed() {
    let mut node = Node::new("password = \"ClueCon\"");
    node.fs.behave(|manners| manners.silent_events = true);
    node.stage.start();
    node.stage.wait_for_state("blind");
    assert_eq!(node.stream("events")["state"], "blind");
    node.fs.behave(|manners| manners.silent_events = false);
    node.stage.wait_for_state("watching");
}

#[test]
fn a_node_that_was_started_anew_is_known_and_counted_on() {
    let mut node = Node::watching();
    node.guess("192.0.2.101", 3);
    node.fs.restart(Ending::Killed, Duration::from_millis(500));
    node.stage.until("it is back", |stage| {
        let source = stage.source();
        source["state"] == "watching" && source["restarts"] == 1
    });
    node.guess("192.0.2.101", 2);
    assert_eq!(node.stage.banned(), ["192.0.2.101"]);
}
