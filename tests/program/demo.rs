//! The demonstration, as somebody sees it who tries ringfence for the first time.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_attacker_of_the_demonstration_ends_in_the_kernel_and_nobody_else() {
    let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["demo", "--fast", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let (outcome, verdicts) = lines.split_last().unwrap();
    assert_eq!(outcome["enforced"], true, "a network namespace of its own");
    assert_eq!(outcome["wrong"], serde_json::json!([]));
    assert_eq!(verdicts.len(), 6);
    assert!(
        verdicts.iter().all(|verdict| verdict["in_kernel"] == true),
        "{verdicts:?}"
    );
    assert!(outcome["banned"]["8.8.8.8"].is_null() && outcome["banned"]["192.0.2.201"].is_null());
}

#[test]
fn a_person_sees_events_decisions_and_what_the_kernel_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["demo", "--fast"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for part in [
        "wrong-password",
        "VERDICT  ban 192.0.2.111 for 1h: jail auth",
        "kernel   holds 192.0.2.111",
        "median",
    ] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}
