//! Logs that are cut anywhere, by whatever reads and writes them: a peer's words blame nobody but their author.

// A test that fails may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::tz::TimeZone;
use ringfence::clock::Clock;
use ringfence::health::{Health, HealthReport};
use ringfence::place::Passing;
use ringfence::source::EventSink;
use ringfence::source::log::{Desk, Grammar, Origin, Reader, WatchedLog, When, start};
use ringfence_event::{SecurityEvent, SourceId};
use ringfence_testkit::until;
use tokio::runtime::Runtime;

const VICTIM: &str = "198.51.100.9";
const ATTACKER: &str = "192.0.2.1";
/// Whoever is named last, so that everything before has been judged.
const LAST: &str = "192.0.2.77";
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Blamed(Mutex<Vec<IpAddr>>);

impl EventSink for Blamed {
    fn take(&self, events: &mut Vec<SecurityEvent>) {
        let addrs = events.drain(..).map(|event| event.peer.addr());
        self.0.lock().unwrap().extend(addrs);
    }

    fn take_late(&self, events: &mut Vec<SecurityEvent>) {
        self.take(events);
    }
}

/// A log that is read.
struct Scene {
    dir: tempfile::TempDir,
    log: WatchedLog,
    blamed: Arc<Blamed>,
    places: Arc<Passing>,
    health: Health,
    runtime: Runtime,
    reader: Option<Reader>,
}

impl Scene {
    fn new(grammar: Grammar, docker: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = WatchedLog {
            name: "log".to_owned(),
            of: None,
            when: When::Always,
            origin: Origin::Files {
                paths: vec![dir.path().join("log")],
                docker,
            },
            grammar,
            since: None,
            zone: TimeZone::UTC,
            count_claimed: false,
        };
        let mut scene = Self {
            dir,
            log,
            blamed: Arc::default(),
            places: Arc::default(),
            health: Health::new(HealthReport::default()),
            runtime: Runtime::new().unwrap(),
            reader: None,
        };
        scene.write(b"\n");
        scene.start();
        scene
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn start(&mut self) {
        let desk = Desk {
            ids: [SourceId(1), SourceId(2)],
            health: self.health.clone(),
            pbx: None,
            clock: Clock::start(),
            places: Arc::clone(&self.places),
            sink: Arc::clone(&self.blamed),
        };
        self.reader = Some(start(&self.log, desk, self.runtime.handle()).unwrap());
        // whatever is there has been looked at once the reader watches
        until(PATIENCE, "the log to be read", || {
            (self.health.report().state == ringfence::health::State::Watching).then_some(())
        });
    }

    fn stop(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.stop(PATIENCE);
        }
    }

    fn write(&self, bytes: &[u8]) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path())
            .unwrap();
        file.write_all(bytes).unwrap();
    }

    /// Waits until `addr` was blamed `times`; everybody who was blamed by then.
    fn wait_for(&self, addr: &str, times: usize) -> Vec<String> {
        until(PATIENCE, &format!("{addr} to be blamed"), || {
            let blamed = self.blamed();
            (blamed.iter().filter(|who| *who == addr).count() >= times).then_some(blamed)
        })
    }

    fn blamed(&self) -> Vec<String> {
        self.blamed
            .0
            .lock()
            .unwrap()
            .iter()
            .map(IpAddr::to_string)
            .collect()
    }
}

const STAMP: &str = "[2026-11-21 19:24:39.140]";
const FS_STAMP: &str = "2026-11-21 19:34:22.269825 62.10% [WARNING]";

/// What Asterisk writes of a wrong password, whoever it names.
fn refused(addr: &str) -> String {
    format!(
        "{STAMP} NOTICE[123] chan_sip.c: Registration from '<sip:1@h>' failed for '{addr}:5060' - Wrong password\n"
    )
}

/// What FreeSWITCH writes of a wrong password.
fn failure(name: &str, addr: &str) -> String {
    format!(
        "{FS_STAMP} sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'p' for [{name}@a] from ip {addr}\n"
    )
}

/// Lines that say nothing of anybody, longer than one message.
fn innocent() -> String {
    format!("{STAMP} NOTICE[123] x.c: {}\n", "x".repeat(1000)).repeat(10)
}

#[test]
fn a_name_with_a_containers_wrapping_hides_no_end() {
    let scene = Scene::new(Grammar::Asterisk, false);
    let name = format!("x' (from {VICTIM})\n{{\"log\":\"y\",\"stream\":\"");
    for _ in 0..6 {
        scene.write(
            format!("{STAMP} NOTICE[1] chan_iax2.c: No registration for peer '{name}' (from {ATTACKER})\n")
                .as_bytes(),
        );
    }
    scene.write((innocent() + &refused(LAST)).as_bytes());
    let blamed = scene.wait_for(LAST, 1);
    assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
}

#[test]
fn a_line_that_is_too_long_ends_no_doubt() {
    let scene = Scene::new(Grammar::Freeswitch, false);
    scene.write(failure("1", ATTACKER).as_bytes());
    let body = format!("{}\n{}", "x".repeat(70_000), failure("1", VICTIM).repeat(6));
    let told = "A registration failed user[1] ip[198.51.100.9] at[2026-11-21T19:38:06.509825+0000]\n";
    let flipped = format!("{}\n{}", "x".repeat(70_000), told.repeat(6));
    for body in [body, flipped] {
        let record = format!("{FS_STAMP} sofia_presence.c:272 Chat proto [sip]\nfrom [x]\nto [y]\n{body}\n");
        scene.write(record.as_bytes());
    }
    let long = format!("{FS_STAMP} a.c:1 {}\n", "x".repeat(60_000)).repeat(80);
    scene.write((long + &failure("1", LAST) + &failure("1", LAST)).as_bytes());
    let blamed = scene.wait_for(LAST, 1);
    assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
}

/// A line as docker keeps it: 16 KiB in each part, control bytes escaped.
fn docker(line: &str) -> String {
    let mut parts = String::new();
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(rest.len().min(16 * 1024));
        let log = serde_json::to_string(std::str::from_utf8(part).unwrap()).unwrap();
        let end = ",\"stream\":\"stdout\",\"time\":\"2026-11-21T19:24:39.1Z\"}\n";
        parts.push_str(&["{\"log\":", &log, end].concat());
        rest = behind;
    }
    parts
}

#[test]
fn a_record_whose_end_takes_its_time_in_a_relay_blames_nobody_meanwhile() {
    let scene = Scene::new(Grammar::Freeswitch, true);
    let name = format!("x\r\n {}", failure("1", VICTIM).replace('\n', "\r\n "));
    let record = failure(&name, ATTACKER);
    for line in record.split_inclusive('\n') {
        scene.write(docker(line).as_bytes());
        // as long as a busy relay may take from one line to the next
        std::thread::sleep(Duration::from_millis(200));
    }
    let blamed = scene.wait_for(ATTACKER, 1);
    assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
}

#[test]
fn an_unfinished_line_may_be_the_end_of_the_record_before_it() {
    let scene = Scene::new(Grammar::Freeswitch, false);
    let name = format!("x\r\n {}", failure("1", VICTIM).replace('\n', "\r\n "));
    let record = failure(&name, ATTACKER);
    let (first, last) = record.split_at(record.len() - 10);
    scene.write(first.as_bytes());
    std::thread::sleep(Duration::from_millis(300));
    scene.write(last.as_bytes());
    let blamed = scene.wait_for(ATTACKER, 1);
    assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
}

/// A packet that PJSIP prints as it came, in two pieces: what announces it, and what looks like lines of the log.
fn packet() -> (String, String) {
    let announced = format!(
        "{STAMP} ERROR[1] pjproject: \t sip_endpoint.c Error processing packet from {ATTACKER}:5060: Missing required header(s) Call-ID [code 171050]:\nREGISTER sip:h SIP/2.0\r\n"
    );
    (announced, refused(VICTIM).repeat(6) + "-- end of packet.\n")
}

#[test]
fn a_restart_within_a_packet_believes_none_of_it() {
    let mut scene = Scene::new(Grammar::Asterisk, false);
    let (first, rest) = packet();
    scene.write(first.as_bytes());
    scene.wait_for(ATTACKER, 1);
    scene.stop();
    scene.write(rest.as_bytes());
    scene.start();
    scene.write((innocent() + &refused(LAST)).as_bytes());
    let blamed = scene.wait_for(LAST, 1);
    assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
}

#[test]
fn a_restart_loses_nothing_of_what_is_told_meanwhile() {
    let mut scene = Scene::new(Grammar::Asterisk, false);
    scene.write(refused(ATTACKER).as_bytes());
    scene.wait_for(ATTACKER, 1);
    scene.stop();
    scene.write(refused(LAST).repeat(3).as_bytes());
    scene.start();
    let blamed = scene.wait_for(LAST, 3);
    assert_eq!(
        blamed.iter().filter(|who| *who == ATTACKER).count(),
        1,
        "{blamed:?}"
    );
}

#[test]
fn a_record_that_was_told_before_a_restart_is_not_told_again() {
    let mut scene = Scene::new(Grammar::Freeswitch, false);
    scene.write(failure("1", ATTACKER).as_bytes());
    scene.wait_for(ATTACKER, 1);
    scene.stop();
    scene.write(failure("1", LAST).repeat(3).as_bytes());
    scene.start();
    let blamed = scene.wait_for(LAST, 3);
    assert_eq!(
        blamed.iter().filter(|who| *who == ATTACKER).count(),
        1,
        "{blamed:?}"
    );
}

#[test]
fn a_restart_within_a_message_believes_none_of_it() {
    for docker_file in [false, true] {
        let mut scene = Scene::new(Grammar::Freeswitch, docker_file);
        let kept = |text: &str| {
            let lines = text.split_inclusive('\n');
            if docker_file {
                lines.map(docker).collect()
            } else {
                text.to_owned()
            }
        };
        scene.write(kept(&failure("1", ATTACKER)).as_bytes());
        scene.wait_for(ATTACKER, 1);
        let printed = format!("{FS_STAMP} sofia_presence.c:272 Chat proto [sip]\nfrom [x]\nto [y]\n");
        scene.write(kept(&(printed + &failure("1", ATTACKER))).as_bytes());
        until(PATIENCE, "a line in doubt", || {
            (scene.health.report().suspicious > 0).then_some(())
        });
        scene.stop();
        scene.write(kept(&failure("1", VICTIM).repeat(6)).as_bytes());
        scene.start();
        let long = format!("{FS_STAMP} a.c:1 {}\n", "x".repeat(60_000)).repeat(80);
        scene.write(kept(&(long + &failure("1", LAST).repeat(2))).as_bytes());
        let blamed = scene.wait_for(LAST, 1);
        assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
    }
}

#[test]
fn a_rotation_within_a_packet_believes_none_of_it() {
    let scene = Scene::new(Grammar::Asterisk, false);
    let (first, rest) = packet();
    scene.write(first.as_bytes());
    scene.wait_for(ATTACKER, 1);
    let mut old = OpenOptions::new().append(true).open(scene.path()).unwrap();
    std::fs::rename(scene.path(), scene.dir.path().join("log.1")).unwrap();
    scene.write(b"\n");
    std::thread::sleep(Duration::from_millis(300));
    old.write_all(rest.as_bytes()).unwrap();
    old.write_all((innocent() + &refused(LAST)).as_bytes()).unwrap();
    let blamed = scene.wait_for(LAST, 1);
    assert!(!blamed.iter().any(|who| who == VICTIM), "{blamed:?}");
}
