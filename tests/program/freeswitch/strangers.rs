//! What else may listen at the configured address: each is named once, asked seldom, and disturbs no other source.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ringfence_testkit::{FakeFreeswitch, until};
use serde_json::Value;

use super::{Stage, source, table};

/// Longer than the pause after a first refusal, on a busy machine.
const SECOND_TRY: Duration = Duration::from_mins(2);

/// More than any header is long, without an end of line.
static NOISE: [u8; 20_000] = [0xff; 20_000];

/// A server that says a few words to everybody; it ends with the test's process.
struct Stranger {
    name: &'static str,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Stranger {
    fn new(name: &'static str, words: &'static [u8], hangs_up: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stranger = Self {
            name,
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
        };
        let count = Arc::clone(&stranger.connections);
        thread::spawn(move || {
            let mut kept: Vec<TcpStream> = Vec::new();
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(words);
                if !hangs_up {
                    kept.push(stream);
                }
            }
        });
        stranger
    }

    fn table(&self) -> String {
        table(self.name, self.address, "password = \"s3cret-w0rd\"")
    }

    fn wait_for_connections(&self, count: usize) {
        until(
            SECOND_TRY,
            &format!("{} connections to {}", count, self.name),
            || (self.connections.load(Ordering::SeqCst) >= count).then_some(()),
        );
    }
}

/// Lines of the daemon's log that complain about a source.
fn complaints(stage: &Stage, name: &str) -> Vec<String> {
    let log = stage.log();
    let of = format!("source=\"{name}\"");
    log.lines()
        .filter(|line| line.contains(&of) && (line.contains("WARN") || line.contains("ERROR")))
        .map(ToOwned::to_owned)
        .collect()
}

fn guard(stage: &Stage) {
    for text in [
        stage.log(),
        String::from_utf8(stage.cli(&["status"]).stdout).unwrap(),
        stage.json(&["status"]).to_string(),
    ] {
        assert!(!text.contains("s3cret-w0rd"), "the password is shown: {text}");
    }
}

#[test]
fn other_servers_are_named_once_and_asked_seldom() {
    let strangers = [
        Stranger::new(
            "web",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        Stranger::new("ssh", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", false),
        Stranger::new("manager", b"Asterisk Call Manager/11.0.0\r\n", false),
        Stranger::new("alert", b"\x15\x03\x01\x00\x02\x02\x28", true),
        Stranger::new("noise", &NOISE, false),
        Stranger::new(
            "frame",
            b"Content-Type: text/html\nContent-Length: 2\n\nhi",
            false,
        ),
    ];
    let acl = FakeFreeswitch::start(None, "ClueCon");
    acl.behave(|manners| manners.refused_by_acl = true);
    let good = FakeFreeswitch::start(None, "ClueCon");
    let mut stage = Stage::new();
    let mut tables: String = strangers.iter().map(Stranger::table).collect();
    tables += &table("acl", acl.address(), "password = \"s3cret-w0rd\"");
    tables += &table("good", good.address(), "password = \"ClueCon\"");
    stage.pbxes = Some(tables);
    stage.start();
    let expected = [
        ("web", "a web server", "listen-port"),
        ("ssh", "an SSH server", "listen-port"),
        ("manager", "Asterisk's manager interface", "listen-port"),
        ("alert", "something else", "listen-port"),
        ("noise", "something else", "listen-port"),
        ("frame", "something else", "listen-port"),
        ("acl", "access list", "apply-inbound-acl"),
    ];
    stage.until("all are known", |stage| {
        expected
            .iter()
            .all(|(name, ..)| source(stage, name)["state"] == "refused")
            && source(stage, "good")["state"] == "watching"
    });
    for (name, what, remedy) in expected {
        let problem = source(&stage, name)["problem"].as_str().unwrap().to_owned();
        assert!(
            problem.contains(what) && problem.contains(remedy),
            "{name}: {problem}"
        );
    }
    let check = stage.json(&["check", "--live"]);
    assert_eq!(check["ok"], false, "{check}");
    let found = |name: &str| {
        let live = check["live"].as_array().unwrap();
        live.iter()
            .find(|finding| finding["what"] == name)
            .unwrap()
            .clone()
    };
    for (name, what, remedy) in expected {
        let finding = found(name);
        let detail = finding["detail"].as_str().unwrap();
        assert!(
            finding["ok"] == false && detail.contains(what) && detail.contains(remedy),
            "{finding}"
        );
    }
    assert_eq!(found("good")["ok"], true);
    let text = stage.cli(&["check", "--live"]);
    assert_eq!(text.status.code(), Some(69));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("FAIL  ssh: ") && text.contains("ok    good: "),
        "{text}"
    );
    assert!(!text.contains("s3cret-w0rd"));
    // two checks, and the daemon's own second try half a minute later: told once all the same
    strangers[1].wait_for_connections(4);
    stage.until("the second try is over", |stage| {
        source(stage, "ssh")["connects"] == 2 && source(stage, "ssh")["state"] == "refused"
    });
    for (name, what, _) in expected {
        let told = complaints(&stage, name);
        assert!(told.len() == 1 && told[0].contains(what), "{name}: {told:#?}");
    }
    assert!(complaints(&stage, "good").is_empty());
    guard(&stage);
}

#[test]
fn servers_that_cut_off_or_say_nothing_are_told_once_and_asked_again() {
    let strangers = [
        Stranger::new("cut", b"Content-Type: auth/req", true),
        Stranger::new("shut", b"", true),
        Stranger::new("silent", b"", false),
        Stranger::new("half", b"Content-Type: auth/request\n\n", false),
    ];
    let good = FakeFreeswitch::start(None, "ClueCon");
    let mut stage = Stage::new();
    let mut tables: String = strangers.iter().map(Stranger::table).collect();
    tables += &table("good", good.address(), "password = \"ClueCon\"");
    stage.pbxes = Some(tables);
    stage.start();
    // a login is given ten seconds each time
    for (stranger, count) in strangers.iter().zip([5, 5, 3, 3]) {
        stranger.wait_for_connections(count);
    }
    let expected = [
        ("cut", "ended inside a frame"),
        ("shut", "without a word"),
        ("silent", "does not answer a login"),
        ("half", "does not answer a login"),
    ];
    for (name, what) in expected {
        let seen: Value = source(&stage, name);
        assert_eq!(seen["state"], "connecting", "{seen}");
        assert!(seen["problem"].as_str().unwrap().contains(what), "{seen}");
        let told = complaints(&stage, name);
        assert!(told.len() == 1 && told[0].contains(what), "{name}: {told:#?}");
    }
    let seen = source(&stage, "good");
    assert!(seen["state"] == "watching" && seen["connects"] == 1, "{seen}");
    guard(&stage);
}
