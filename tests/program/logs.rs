//! Logs: alone, beside a socket, and replayed.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::stage::Stage;

mod alone;
mod beside;
mod kinds;
mod recorded;

/// A stage whose only sources are these tables; `HOME` stands for its folder.
fn stage(tables: &str) -> Stage {
    let mut stage = Stage::new();
    stage.pbxes = Some(tables.replace("HOME", stage.home.path().to_str().unwrap()));
    stage
}

/// It runs, and its source `name` is read.
fn watching(tables: &str, name: &str) -> Stage {
    let mut stage = stage(tables);
    fs::write(file(&stage), "").unwrap();
    stage.start();
    wait_for_source(&stage, name, "watching");
    stage
}

/// `[[logfile]]` of the file that [`file`] names; stamps are in UTC.
fn table(keys: &str) -> String {
    format!("[[logfile]]\nname = \"log\"\nfiles = [\"HOME/log\"]\ntimezone = \"UTC\"\n{keys}\n")
}

fn file(stage: &Stage) -> PathBuf {
    stage.home.path().join("log")
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn source(stage: &Stage, name: &str) -> Value {
    let status = stage.json(&["status"]);
    let sources = status["sources"].as_array().cloned().unwrap_or_default();
    let found = sources.into_iter().find(|source| source["name"] == name);
    found.unwrap_or_default()
}

fn wait_for_source(stage: &Stage, name: &str, wanted: &str) {
    stage.until(&format!("{name} {wanted}"), |stage| {
        source(stage, name)["state"] == wanted
    });
}

/// What jail auth counts of an address now.
fn counted(stage: &Stage, addr: &str) -> u64 {
    let why = stage.json(&["why", addr]);
    let counts = why["now"]["counts"].as_array().cloned().unwrap_or_default();
    let auth = counts.iter().find(|count| count["jail"] == "auth");
    auth.and_then(|count| count["count"].as_u64()).unwrap_or(0)
}

fn wait_for_count(stage: &Stage, addr: &str, wanted: u64) {
    stage.until(&format!("{wanted} attempts of {addr}"), |stage| {
        counted(stage, addr) == wanted
    });
}

fn wait_for_ban(stage: &Stage, addr: &str) {
    stage.until(&format!("the ban of {addr}"), |stage| {
        stage.banned().iter().any(|banned| banned == addr)
    });
}

/// Moments `ago` seconds before now, in UTC.
fn ago(seconds: i64, format: &str) -> String {
    let at = Timestamp::now() - SignedDuration::from_secs(seconds);
    at.strftime(format).to_string()
}

/// A wrong password in Asterisk's messages.
fn asterisk(seconds: i64, addr: &str, call: &str) -> String {
    format!(
        "[{}] NOTICE[1836] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:alice@192.0.2.22>' failed for \
         '{addr}:5060' (callid: {call}) - Failed to authenticate\n",
        ago(seconds, "%Y-%m-%d %H:%M:%S%.3f")
    )
}

/// A challenge and a wrong password in FreeSWITCH's log.
fn freeswitch(seconds: i64, addr: &str) -> String {
    let line = |number: u32, what: &str| {
        format!(
            "{} 62.10% [WARNING] sofia_reg.c:{number} SIP auth {what} (REGISTER) on sofia profile 'internal' for \
             [1000@tenant-a.example] from ip {addr}\n",
            ago(seconds, "%Y-%m-%d %H:%M:%S%.6f")
        )
    };
    line(1842, "challenge") + &line(1787, "failure")
}

/// One that only says whom the caller claimed to be: the address is in his own words.
fn claimed(addr: &str) -> String {
    format!(
        "[{}] NOTICE[22409][C-00000002] chan_sip.c: Failed to authenticate device <sip:sipalice@{addr}>;tag=pfsdjigz for \
         INVITE, code = -1\n",
        ago(0, "%Y-%m-%d %H:%M:%S%.3f")
    )
}
