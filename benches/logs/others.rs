//! Other programs on the same log.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How many lines `grep` finds.
pub fn grep(log: &Path) -> u64 {
    let found = output(Command::new("grep").args(["-c", "SecurityEvent"]).arg(log));
    found.trim().parse().unwrap()
}

/// What `ringfence regex` says of all lines with Debian's filter.
pub fn ringfence_regex(log: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    command.arg("regex").arg(log).arg("asterisk");
    command
        .arg("--fail2ban")
        .arg(fail2ban().join("etc/fail2ban"))
        .env("TZ", "UTC");
    counts(&output(&mut command))
}

/// What `fail2ban-regex` says of them.
pub fn fail2ban_regex(log: &Path) -> String {
    let tree = fail2ban();
    let mut command = Command::new("python3");
    command
        .arg(tree.join("usr/bin/fail2ban-regex"))
        .arg("-c")
        .arg(tree.join("etc/fail2ban"))
        .args(["--usedns", "no", "--print-no-missed", "--print-no-ignored"])
        .arg(log)
        .arg("asterisk")
        .env("PYTHONPATH", tree.join("usr/lib/python3/dist-packages"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    counts(&output(&mut command))
}

/// How many lines there were, matched and missed, in words: one says `Lines: 9 lines, 0 ignored, 4 matched, 5 missed`, the other
/// `lines: 9 total, 4 matched, 5 missed, …`.
fn counts(text: &str) -> String {
    let line = text.lines().find_map(|line| line.split_once("ines: "));
    let (_, line) = line.unwrap_or_else(|| panic!("no counts in {text}"));
    let parts: Vec<&str> = line.split(", ").collect();
    let count = |word: &str| {
        parts
            .iter()
            .find_map(|part| part.strip_suffix(word))
            .unwrap_or("no")
    };
    let total = line.split(' ').next().unwrap_or(line);
    format!(
        "{total} lines, {} matched, {} missed",
        count(" matched"),
        count(" missed")
    )
}

/// Debian's fail2ban, fetched where it is missing.
fn fail2ban() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched = Command::new(root.join("tests/lab/fetch-fail2ban"))
        .status()
        .unwrap();
    assert!(fetched.success(), "fail2ban could not be fetched");
    let lab = std::env::var_os("RINGFENCE_LAB").map_or_else(|| root.join(".lab"), PathBuf::from);
    lab.join("fail2ban")
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
