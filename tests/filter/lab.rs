//! fail2ban, and both programs' answers in one form.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// What a program says of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Lines in all, matched, missed, ignored.
    pub lines: [u64; 4],
    /// Hits of each pattern.
    pub fail: Vec<u64>,
    /// Hits of each pattern to ignore.
    pub ignore: Vec<u64>,
    /// Hits of each address.
    pub who: BTreeMap<String, u64>,
    /// Lines of each date template.
    pub dates: BTreeMap<String, u64>,
}

/// Where fail2ban was unpacked.
pub fn fail2ban() -> &'static Path {
    static TREE: OnceLock<PathBuf> = OnceLock::new();
    TREE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fetched = Command::new(root.join("tests/lab/fetch-fail2ban"))
            .status()
            .unwrap();
        assert!(fetched.success(), "fail2ban could not be fetched");
        let lab = std::env::var_os("RINGFENCE_LAB").map_or_else(|| root.join(".lab"), PathBuf::from);
        lab.join("fail2ban")
    })
}

/// fail2ban's configuration.
pub fn folder() -> PathBuf {
    fail2ban().join("etc/fail2ban")
}

/// The names of all filters that are not only parts of others.
pub fn filters() -> Vec<String> {
    let entries = fs::read_dir(folder().join("filter.d")).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            Some(
                entry
                    .unwrap()
                    .file_name()
                    .to_str()?
                    .strip_suffix(".conf")?
                    .to_owned(),
            )
        })
        .collect();
    names.sort();
    names
}

/// The log that fail2ban's own tests have for a filter.
pub fn sample(name: &str) -> PathBuf {
    let packages = fail2ban().join("usr/lib/python3/dist-packages");
    packages.join("fail2ban/tests/files/logs").join(name)
}

/// Runs `ringfence regex`.
pub fn ringfence(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .arg("regex")
        .args(arguments)
        .arg("--fail2ban")
        .arg(folder())
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

/// What ringfence says of `log`.
pub fn ours(log: &Path, filter: &str) -> Answer {
    let output = ringfence(&["--json", log.to_str().unwrap(), filter]);
    assert!(
        output.status.success(),
        "{filter}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = records.pop().unwrap();
    let count = |name: &str| summary["lines"][name].as_u64().unwrap();
    let hits = |name: &str| -> Vec<u64> {
        let rules = summary[name].as_array().unwrap();
        rules.iter().map(|rule| rule["hits"].as_u64().unwrap()).collect()
    };
    let mut answer = Answer {
        lines: [
            count("total"),
            count("matched"),
            count("missed"),
            count("ignored"),
        ],
        fail: hits("failregex"),
        ignore: hits("ignoreregex"),
        ..Answer::default()
    };
    for record in records.iter().filter(|record| record.get("pattern").is_some()) {
        let who = record["who"].as_str().unwrap().replace('-', "None");
        *answer.who.entry(who).or_default() += 1;
    }
    for date in summary["dates"].as_array().unwrap() {
        let name = date["template"].as_str().unwrap().to_owned();
        answer.dates.insert(name, date["hits"].as_u64().unwrap());
    }
    answer
}

/// What `fail2ban-regex` says of `log`, names left out as ringfence leaves them out.
pub fn theirs(log: &Path, filter: &str) -> Answer {
    let output = Command::new("python3")
        .arg(fail2ban().join("usr/bin/fail2ban-regex"))
        .arg("-c")
        .arg(folder())
        .args(["--usedns", "no", "-v", "--print-no-missed", "--print-no-ignored"])
        .arg(log)
        .arg(filter)
        .env("PYTHONPATH", fail2ban().join("usr/lib/python3/dist-packages"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut answer = Answer::default();
    let mut part = "";
    for line in text.lines() {
        for start in ["Failregex:", "Ignoreregex:", "Date template hits:", "Lines: "] {
            if line.starts_with(start) {
                part = start;
            }
        }
        if part == "Lines: " && line.starts_with(part) {
            let numbers: Vec<u64> = line
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|n| n.parse().ok())
                .collect();
            answer.lines = [numbers[0], numbers[2], numbers[3], numbers[1]];
        }
        let Some(entry) = line.strip_prefix('|') else {
            continue;
        };
        let hits = |text: &str| {
            text.split(['[', ']'])
                .nth(1)
                .and_then(|hits| hits.parse::<u64>().ok())
        };
        match part {
            "Date template hits:" => {
                if let Some(count) = hits(entry).filter(|count| *count > 0) {
                    let name = entry.split_once("] ").unwrap().1.to_owned();
                    answer.dates.insert(name, count);
                }
            }
            "Failregex:" | "Ignoreregex:" => {
                let addressed = entry.strip_prefix("      ").filter(|rest| !rest.starts_with(' '));
                if let Some(who) = addressed.and_then(|rest| rest.split("  ").next()) {
                    *answer.who.entry(who.to_owned()).or_default() += 1;
                } else if let Some((number, _)) = entry.trim_start().split_once(')')
                    && number.parse::<u64>().is_ok()
                    && let Some(count) = hits(entry)
                {
                    let patterns = if part == "Failregex:" {
                        &mut answer.fail
                    } else {
                        &mut answer.ignore
                    };
                    patterns.push(count);
                }
            }
            _ => {}
        }
    }
    assert!(
        answer.lines[0] > 0 || text.contains("Lines: 0"),
        "{filter}: {text}"
    );
    answer
}
