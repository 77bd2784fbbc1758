//! What Debian's filters find in logs of real servers under attack, and what our own grammar finds there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::lab::ours;
use crate::parity::generated;

/// The addresses that really sent packets.
fn is_real(addr: &str) -> bool {
    addr.starts_with("192.0.2.") || addr.starts_with("2001:db8:22::") || addr == "127.0.0.1"
}

/// How often `ringfence parse` finds that each address failed, and on how many lines it doubts who wrote them.
fn parsed(log: &Path, format: &str) -> (BTreeMap<String, u64>, u64) {
    let parse = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["parse", "--from", format])
            .args(arguments)
            .arg(log)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut found = BTreeMap::new();
    for line in parse(&["--json"]).lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["cause"] != "succeeded" {
            let addr = record["addr"].as_str().unwrap().to_owned();
            *found.entry(addr).or_default() += 1;
        }
    }
    let shown = parse(&["--all"]);
    let doubtful = shown
        .lines()
        .filter(|line| line.contains("tampered with"))
        .count();
    (found, doubtful as u64)
}

fn logs(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    files.sort();
    files
}

#[test]
fn our_own_grammar_finds_at_least_every_true_one() {
    let (mut found, mut missed) = (0, Vec::new());
    let asterisk = logs("tests/filter/logs", ".log");
    let captures = logs("tests/captures/asterisk", ".messages.log");
    let all: Vec<u8> = captures.iter().flat_map(|path| fs::read(path).unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let together = folder.path().join("messages");
    fs::write(&together, all).unwrap();
    for log in asterisk.iter().chain([&together]) {
        let theirs = ours(log, "asterisk").who;
        let (own, mut doubtful) = parsed(log, "asterisk");
        for (addr, hits) in theirs.iter().filter(|(addr, _)| is_real(addr)) {
            let mine = own.get(addr).copied().unwrap_or(0);
            found += mine;
            // behind lines that strangers had a part in, nobody is blamed, and it is said so
            let behind = hits.saturating_sub(mine);
            if behind > doubtful {
                missed.push(format!("{}: {addr} {mine} of {hits}", log.display()));
            }
            doubtful = doubtful.saturating_sub(behind);
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(found > 200, "{found}");
}

#[test]
fn in_logs_without_forgeries_nothing_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, lines) in generated() {
        if name != "asterisk" && name != "freeswitch" {
            continue;
        }
        let log = folder.path().join(name);
        fs::write(&log, lines.join("\n") + "\n").unwrap();
        let (theirs, (own, doubtful)) = (ours(&log, name).who, parsed(&log, name));
        assert_eq!(doubtful, 0, "{name}");
        assert!(theirs.len() >= 20, "{name}: {theirs:?}");
        for (addr, hits) in theirs {
            let mine = own.get(&addr).copied().unwrap_or(0);
            assert!(mine >= hits, "{name}: {addr} {mine} of {hits}");
        }
    }
}
