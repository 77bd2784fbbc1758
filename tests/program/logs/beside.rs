//! The log of a PBX whose socket is cut off: nothing is missed, nothing counts twice.

use std::fs;
use std::net::SocketAddr;

use ringfence_testkit::fake_freeswitch::Block;
use ringfence_testkit::{FakeFreeswitch, events, fs_events};

use super::{
    append, asterisk, counted, file, freeswitch, source, stage, wait_for_ban, wait_for_count, wait_for_source,
};

const ATTACKER: &str = "192.0.2.101";

fn log(when: &str) -> String {
    format!("log = {{ files = [\"HOME/log\"], when = \"{when}\", timezone = \"UTC\" }}\n")
}

fn fake_asterisk(when: &str) -> super::Stage {
    let mut stage = stage("");
    let table = format!(
        "[[asterisk]]\nname = \"pbx\"\naddress = \"{}\"\nusername = \"ringfence\"\nsecret = \"right\"\nping = \"1s\"\n{}",
        stage.ami.address(),
        log(when)
    );
    stage.pbxes = Some(table.replace("HOME", stage.home.path().to_str().unwrap()));
    fs::write(file(&stage), "").unwrap();
    stage.start();
    wait_for_source(&stage, "pbx", "watching");
    wait_for_source(&stage, "pbx:log", "watching");
    stage
}

#[test]
fn while_asterisk_is_cut_off_its_log_speaks() {
    for when in ["blind", "always"] {
        let mut stage = fake_asterisk(when);
        let peer = SocketAddr::new(ATTACKER.parse().unwrap(), 5060);
        // as a real one does it: the log and the socket say the same
        let guess = |stage: &super::Stage, call: &str| {
            append(&file(stage), &asterisk(0, ATTACKER, call));
            let told = events::wrong_password(&events::now(), "alice", call, peer);
            stage.ami.inject(told.as_bytes());
        };
        guess(&stage, "one");
        wait_for_count(&stage, ATTACKER, 1);
        stage.ami.close();
        // the very moment: nobody may know of it yet
        guess(&stage, "two");
        wait_for_count(&stage, ATTACKER, 2);
        stage.until("it is noticed", |stage| {
            source(stage, "pbx")["state"] == "connecting"
        });
        guess(&stage, "three");
        wait_for_count(&stage, ATTACKER, 3);
        stage.ami.open();
        wait_for_source(&stage, "pbx", "watching");
        guess(&stage, "four");
        wait_for_count(&stage, ATTACKER, 4);
        // what was held back of another one is over by now
        let other = SocketAddr::new("192.0.2.102".parse().unwrap(), 5060);
        let told = events::wrong_password(&events::now(), "alice", "other", other);
        stage.ami.inject(told.as_bytes());
        wait_for_count(&stage, "192.0.2.102", 1);
        std::thread::sleep(std::time::Duration::from_secs(8));
        assert_eq!(counted(&stage, ATTACKER), 4, "{when}");
        guess(&stage, "five");
        wait_for_ban(&stage, ATTACKER);
        let why = stage.json(&["why", ATTACKER]);
        assert_eq!(why["now"]["bans"][0]["evidence"]["attempts"], 5, "{when}: {why}");
    }
}

#[test]
fn while_freeswitch_is_cut_off_its_log_speaks() {
    for (when, stream) in [
        ("blind", true),
        ("blind", false),
        ("always", true),
        ("always", false),
    ] {
        let mut fs = FakeFreeswitch::start(None, "ClueCon");
        let mut stage = stage("");
        let log = log(when).replace("when", &format!("stream = {stream}, when"));
        let table = format!(
            "[[freeswitch]]\nname = \"fs\"\naddress = \"{}\"\npassword = \"ClueCon\"\nprobe = \"1s\"\n{log}",
            fs.address()
        );
        stage.pbxes = Some(table.replace("HOME", stage.home.path().to_str().unwrap()));
        fs::write(file(&stage), "").unwrap();
        stage.start();
        wait_for_source(&stage, "fs", "watching");
        wait_for_source(&stage, "fs:log", "watching");
        let peer = SocketAddr::new(ATTACKER.parse().unwrap(), 5060);
        let guess = |fs: &FakeFreeswitch, stage: &super::Stage, call: &str| {
            append(&file(stage), &freeswitch(0, ATTACKER));
            fs.inject(&fs_events::brute_force_try(
                peer,
                "1000",
                "tenant-a.example",
                call,
            ));
        };
        guess(&fs, &stage, "one");
        wait_for_count(&stage, ATTACKER, 1);
        fs.close();
        guess(&fs, &stage, "two");
        wait_for_count(&stage, ATTACKER, 2);
        stage.until("it is noticed", |stage| {
            source(stage, "fs")["state"] == "connecting"
        });
        guess(&fs, &stage, "three");
        wait_for_count(&stage, ATTACKER, 3);
        // long enough for times to tell one try from the next
        std::thread::sleep(std::time::Duration::from_secs(4));
        fs.open();
        wait_for_source(&stage, "fs", "watching");
        fs.wait_for_listener(&Block::from(fs_events::wrong_call_state(peer, "x")));
        guess(&fs, &stage, "four");
        wait_for_count(&stage, ATTACKER, 4);
        std::thread::sleep(std::time::Duration::from_secs(8));
        assert_eq!(counted(&stage, ATTACKER), 4, "{when} {stream}");
        guess(&fs, &stage, "five");
        wait_for_ban(&stage, ATTACKER);
        let why = stage.json(&["why", ATTACKER]);
        assert_eq!(
            why["now"]["bans"][0]["evidence"]["attempts"], 5,
            "{when} {stream}: {why}"
        );
    }
}
