//! The demonstration, as somebody sees it who tries ringfence for the first time.

use std::process::{Command, Output};

use serde_json::Value;

/// Every attacker: who told of it, its address, the jail that has to ban it.
const ATTACKERS: [(&str, &str, &str); 11] = [
    ("asterisk", "192.0.2.111", "auth"),
    ("asterisk", "192.0.2.112", "auth"),
    ("asterisk", "192.0.2.113", "enumeration"),
    ("asterisk", "192.0.2.114", "flood"),
    ("asterisk", "192.0.2.115", "management"),
    ("asterisk", "192.0.2.116", "enumeration"),
    ("freeswitch", "198.51.100.111", "auth"),
    ("freeswitch", "198.51.100.112", "auth"),
    ("freeswitch", "198.51.100.113", "flood"),
    ("freeswitch", "198.51.100.114", "auth"),
    ("freeswitch", "198.51.100.115", "auth"),
];

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["demo", "--fast"])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn every_attacker_of_the_demonstration_ends_in_the_kernel_and_nobody_else() {
    let output = demo(&["--json"]);
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let (outcome, verdicts) = lines.split_last().unwrap();
    assert_eq!(outcome["enforced"], true, "a network namespace of its own");
    assert_eq!(outcome["wrong"], serde_json::json!([]));
    assert_eq!(outcome["confirmed"], ATTACKERS.len());
    let bans: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            assert_eq!(verdict["in_kernel"], true, "{verdict}");
            let word = |key: &str| verdict[key].as_str().unwrap();
            (word("source"), word("target"), word("jail"))
        })
        .collect();
    assert_eq!(bans, ATTACKERS, "in the order of the acts");
    assert_eq!(
        outcome["banned"].as_object().unwrap().len(),
        ATTACKERS.len(),
        "neither the honest callers nor 8.8.8.8"
    );
    for source in ["asterisk", "freeswitch"] {
        assert!(outcome["events"][source].as_u64().unwrap() > 100, "{outcome}");
    }
}

#[test]
fn a_person_sees_events_decisions_and_what_the_kernel_holds() {
    let output = demo(&[]);
    let said = String::from_utf8(output.stdout).unwrap();
    for part in [
        "event    asterisk   pjsip    wrong-password  192.0.2.111 port",
        "VERDICT  ban 192.0.2.111 for 1h: jail auth",
        "kernel   holds 192.0.2.111",
        "event    freeswitch sofia    wrong-password  198.51.100.111 port",
        "VERDICT  ban 198.51.100.111 for 1h: jail auth",
        "kernel   holds 198.51.100.111",
        "event    freeswitch sofia    acl-denied      198.51.100.114\n",
        "rightly nobody is banned",
        "median",
        "11 of 11 attackers banned by the right jail, 2 of 2 honest callers left alone",
        "8.8.8.8, which forged lines named, never",
    ] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}
