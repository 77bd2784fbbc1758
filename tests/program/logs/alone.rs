//! A log without a socket: what counts of it, when, and how often.

use std::fs;

use nix::sys::signal::Signal;

use super::{
    append, asterisk, claimed, counted, file, freeswitch, source, stage, table, wait_for_ban, wait_for_count,
    wait_for_source, watching,
};

const ASTERISK: &str = "format = \"asterisk\"";

#[test]
fn freeswitch_lines_ban_and_an_office_that_only_registers_is_left_alone() {
    let stage = watching(&table("format = \"freeswitch\""), "log");
    for n in 0..60 {
        // nobody says that they were answered
        let line = freeswitch(0, "192.0.2.102");
        append(&file(&stage), line.split_inclusive('\n').next().unwrap());
        if n < 5 {
            append(&file(&stage), &freeswitch(0, "192.0.2.101"));
        }
    }
    wait_for_ban(&stage, "192.0.2.101");
    append(&file(&stage), &freeswitch(0, "192.0.2.102"));
    wait_for_count(&stage, "192.0.2.102", 1);
    assert_eq!(stage.banned(), ["192.0.2.101"]);
    let why = stage.json(&["why", "192.0.2.101"]);
    assert_eq!(why["now"]["bans"][0]["evidence"]["attempts"], 5, "{why}");
}

#[test]
fn what_was_written_before_counts_as_far_back_as_is_asked_and_in_its_own_time() {
    for (since, wanted) in [("", 0), ("since = \"1h\"", 3)] {
        let mut stage = stage(&table(&format!("{ASTERISK}\n{since}")));
        // ten tries within the hour, three of them in the ten minutes that the jail counts
        let times = [7200, 3000, 2700, 2400, 2100, 1800, 1500, 1200, 900, 500, 300, 100];
        let lines = times.map(|seconds| asterisk(seconds, "192.0.2.101", &format!("old{seconds}")));
        fs::write(file(&stage), lines.concat()).unwrap();
        stage.start();
        wait_for_source(&stage, "log", "watching");
        wait_for_count(&stage, "192.0.2.101", wanted);
        assert!(stage.banned().is_empty());
        for n in 0..5 - wanted {
            assert!(stage.banned().is_empty());
            append(&file(&stage), &asterisk(0, "192.0.2.101", &format!("new{n}")));
        }
        wait_for_ban(&stage, "192.0.2.101");
    }
}

#[test]
fn stamps_are_read_in_the_zone_of_the_log() {
    // nine hours ahead, all the year round
    let ahead = 9 * 3600;
    for (zone, wanted) in [("Asia/Tokyo", 1), ("UTC", 2)] {
        let mut stage = stage(&table(&format!("{ASTERISK}\nsince = \"10m\"")).replace("UTC", zone));
        let lines = [
            asterisk(100 - ahead, "192.0.2.101", "recent there"),
            asterisk(100, "192.0.2.101", "recent here, long ago there"),
        ];
        fs::write(file(&stage), lines.concat()).unwrap();
        stage.start();
        wait_for_source(&stage, "log", "watching");
        let now = if zone == "UTC" { 0 } else { -ahead };
        append(&file(&stage), &asterisk(now, "192.0.2.102", "mark"));
        wait_for_count(&stage, "192.0.2.102", 1);
        assert_eq!(counted(&stage, "192.0.2.101"), wanted, "{zone}");
    }
}

#[test]
fn what_is_written_while_nobody_reads_counts_once() {
    let mut stage = watching(&table(ASTERISK), "log");
    append(&file(&stage), &asterisk(0, "192.0.2.101", "one"));
    wait_for_count(&stage, "192.0.2.101", 1);
    assert_eq!(stage.end(Signal::SIGTERM), Some(0));
    for call in ["two", "three", "four"] {
        append(&file(&stage), &asterisk(0, "192.0.2.102", call));
    }
    stage.start();
    wait_for_count(&stage, "192.0.2.102", 3);
    append(&file(&stage), &asterisk(0, "192.0.2.102", "five"));
    wait_for_count(&stage, "192.0.2.102", 4);
    assert_eq!(stage.end(Signal::SIGTERM), Some(0));
    stage.start();
    append(&file(&stage), &asterisk(0, "192.0.2.103", "six"));
    wait_for_count(&stage, "192.0.2.103", 1);
    assert_eq!(
        source(&stage, "log")["events"],
        1,
        "nothing is read a second time"
    );
}

#[test]
fn a_reload_adds_changes_and_removes_logs() {
    let mut stage = watching(&table(ASTERISK), "log");
    append(&file(&stage), &asterisk(0, "192.0.2.101", "one"));
    wait_for_count(&stage, "192.0.2.101", 1);
    let first = stage.pbxes.clone().unwrap();
    let second = first
        .replace("\"log\"", "\"more\"")
        .replace("/log\"", "/more\"")
        .replace("\"asterisk\"", "\"freeswitch\"");
    let more = stage.home.path().join("more");
    fs::write(&more, "").unwrap();
    let reload = |stage: &super::Stage| {
        stage.configure();
        let output = stage.cli(&["reload"]);
        assert!(output.status.success(), "{output:?}");
    };
    // one is added, the other goes on
    stage.pbxes = Some(format!("{first}{second}"));
    reload(&stage);
    wait_for_source(&stage, "more", "watching");
    append(&file(&stage), &asterisk(0, "192.0.2.101", "two"));
    append(&more, &freeswitch(0, "192.0.2.102"));
    wait_for_count(&stage, "192.0.2.101", 2);
    wait_for_count(&stage, "192.0.2.102", 1);
    // one is read otherwise from now on, and goes on where it was
    stage.pbxes = Some(format!("{first}{second}\nsince = \"1h\"\n"));
    reload(&stage);
    append(&more, &freeswitch(0, "192.0.2.102"));
    wait_for_count(&stage, "192.0.2.102", 2);
    // one is gone
    stage.pbxes = Some(first);
    reload(&stage);
    stage.until("only one is left", |stage| {
        stage.json(&["status"])["sources"].as_array().unwrap().len() == 1
    });
    append(&more, &freeswitch(0, "192.0.2.102"));
    append(&file(&stage), &asterisk(0, "192.0.2.101", "five"));
    wait_for_count(&stage, "192.0.2.101", 3);
    assert_eq!(counted(&stage, "192.0.2.102"), 2);
}

#[test]
fn a_log_that_is_missing_is_named_until_it_appears() {
    let mut stage = stage(&table(ASTERISK));
    stage.start();
    stage.until("it says which", |stage| {
        source(stage, "log")["problem"].as_str().unwrap().contains("/log")
    });
    assert_eq!(stage.json(&["status"])["state"], "degraded");
    assert_eq!(stage.cli(&["status"]).status.code(), Some(1));
    let check = stage.cli(&["check", "--live"]);
    assert_eq!(check.status.code(), Some(69), "{check:?}");
    assert!(String::from_utf8(check.stdout).unwrap().contains("/log"));
    append(&file(&stage), &asterisk(0, "192.0.2.101", "first"));
    wait_for_source(&stage, "log", "watching");
    wait_for_count(&stage, "192.0.2.101", 1);
    assert_eq!(stage.json(&["status"])["state"], "dry-run");
    assert_eq!(stage.cli(&["status"]).status.code(), Some(0));
}

#[test]
fn what_only_the_caller_said_counts_where_the_admin_wants_it() {
    for (keys, wanted) in [("count_claimed = true", 4), ("count_claimed = false", 0), ("", 0)] {
        let stage = watching(&table(&format!("{ASTERISK}\n{keys}")), "log");
        for _ in 0..4 {
            append(&file(&stage), &claimed("192.0.2.101"));
        }
        append(&file(&stage), &asterisk(0, "192.0.2.102", "mark"));
        wait_for_count(&stage, "192.0.2.102", 1);
        assert_eq!(counted(&stage, "192.0.2.101"), wanted, "{keys}");
        let left_out = source(&stage, "log")["suspicious"].as_u64().unwrap();
        assert!(
            (wanted == 0) == (left_out >= 4),
            "{keys}: {left_out} are said to be left out"
        );
        append(&file(&stage), &claimed("192.0.2.101"));
        append(&file(&stage), &asterisk(0, "192.0.2.102", "mark again"));
        wait_for_count(&stage, "192.0.2.102", 2);
        let banned = stage.banned();
        assert_eq!(banned.contains(&"192.0.2.101".to_owned()), wanted == 4, "{keys}");
    }
}
