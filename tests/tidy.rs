//! The house rules that a compiler doesn't check: which part may know which, how long a file may get.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// What each part of the library may use of the others. What stands on no line may be used by nobody.
const MAY_USE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("exit", &[]),
    ("health", &[]),
    ("place", &[]),
    ("engine", &[]),
    ("filter", &[]),
    ("source", &["engine", "clock", "health", "place"]),
    ("fence", &["engine", "clock"]),
    ("store", &["engine", "clock", "place"]),
    ("admin", &["engine", "clock", "health"]),
    (
        "config",
        &["engine", "clock", "filter", "source", "fence", "store"],
    ),
    (
        "daemon",
        &[
            "engine", "clock", "exit", "health", "place", "source", "fence", "store", "admin", "config",
        ],
    ),
    (
        "demo",
        &["engine", "clock", "source", "fence", "store", "config", "daemon"],
    ),
    (
        "cli",
        &[
            "engine", "clock", "exit", "health", "source", "fence", "store", "admin", "config", "daemon",
            "demo", "filter",
        ],
    ),
];

/// What each protocol crate may depend on of ours, and that none of them does I/O.
const PROTOCOLS: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("ami", &["ringfence-event"]),
    ("esl", &["ringfence-event"]),
    ("nfnl", &[]),
    ("seclog", &["ringfence-event"]),
    ("fail2ban", &[]),
];

/// Lines of code in a file; more means more than one idea.
const LONGEST: usize = 450;

#[test]
fn parts_only_use_what_stands_below_them() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let part = part_of(&file);
        if part == "lib" || part == "main" {
            continue;
        }
        let allowed = MAY_USE
            .iter()
            .find(|(name, _)| *name == part)
            .unwrap_or_else(|| panic!("src/{part} has no line in the table of parts"))
            .1;
        let text = fs::read_to_string(&file).unwrap();
        for used in uses_of_crate(&text) {
            if used != part && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses crate::{used}", file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "against the direction of docs/architecture.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_engine_does_no_io_and_reads_no_clock() {
    for file in rust_files(&root().join("src/engine")) {
        let text = fs::read_to_string(&file).unwrap();
        for forbidden in [
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "std::io",
            "std::time",
            "tokio",
            "std::thread",
            "std::env",
        ] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
        }
    }
}

#[test]
fn only_the_clock_reads_the_clock() {
    for file in rust_files(&root().join("src")) {
        if part_of(&file) == "clock" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for forbidden in [
            "SystemTime::now",
            "std::time::Instant",
            "Timestamp::now",
            "Zoned::now",
        ] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
        }
    }
}

#[test]
fn protocol_crates_do_no_io() {
    for (name, allowed) in PROTOCOLS {
        let folder = root().join("protocols").join(name);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .unwrap()
            .split("\n[")
            .next()
            .unwrap();
        for line in dependencies.lines().filter(|line| line.starts_with("ringfence-")) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap();
            assert!(
                allowed.contains(&dependency),
                "protocols/{name} depends on {dependency}"
            );
        }
        for file in rust_files(&folder.join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            for forbidden in [
                "std::fs",
                "TcpStream",
                "UdpSocket",
                "std::thread",
                "tokio::net",
                "SystemTime",
            ] {
                assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
            }
        }
    }
}

#[test]
fn a_file_holds_one_idea() {
    let mut long = Vec::new();
    for folder in ["src", "protocols", "tests", "benches"] {
        for file in rust_files(&root().join(folder)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > LONGEST {
                long.push(format!("{}: {lines}", file.display()));
            }
        }
    }
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines:\n{}",
        long.join("\n")
    );
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The part of the library a file below src/ belongs to.
fn part_of(file: &Path) -> String {
    let below = file.strip_prefix(root().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_string()
}

/// The parts named as `crate::part` or inside `use crate::{part…}`.
fn uses_of_crate(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for after in text.split("crate::").skip(1) {
        let names: Vec<&str> = match after.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![after],
        };
        for name in names {
            let name: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !name.is_empty() {
                parts.push(name);
            }
        }
    }
    parts
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
