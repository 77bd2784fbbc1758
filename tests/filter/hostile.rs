//! Lines that an attacker made: nothing panics, nothing takes long, what was not judged is said, nobody is blamed.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{filters, ringfence};

/// Far more than any of these needs, far less than a pattern without bounds would take.
const LONG: Duration = Duration::from_mins(1);

fn records(log: &[u8], filter: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, log).unwrap();
    let output = ringfence(&["--json", path.to_str().unwrap(), filter]);
    assert!(
        output.status.success(),
        "{filter}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn bytes_that_are_no_text_are_judged_like_any_other() {
    let mut log = b"Mar  4 05:06:07 h sshd[1]: Failed password for invalid user \xff\xfe\x00\x1b[2J from 192.0.2.7 port 9 ssh2\n".to_vec();
    log.extend(b"\x00\x00\xff\n\n\r\r\n");
    let records = records(&log, "sshd");
    let found: Vec<_> = records
        .iter()
        .filter(|record| record.get("pattern").is_some())
        .collect();
    assert_eq!(found.len(), 1, "{records:?}");
    assert_eq!(
        (found[0]["n"].as_u64(), found[0]["who"].as_str()),
        (Some(1), Some("192.0.2.7"))
    );
}

#[test]
fn a_line_of_a_megabyte_is_skipped_and_said_to_be() {
    let mut log = b"Mar  4 05:06:07 h sshd[1]: Failed password for root from 192.0.2.7 port 9 ssh2 ".to_vec();
    log.extend(vec![b'a'; 1 << 20]);
    log.extend(b"\nMar  4 05:06:08 h sshd[2]: Failed password for root from 192.0.2.8 port 9 ssh2\n");
    let records = records(&log, "sshd");
    let skipped: Vec<_> = records
        .iter()
        .filter(|record| record["line"] == "skipped")
        .collect();
    assert_eq!((skipped.len(), skipped[0]["n"].as_u64()), (1, Some(1)));
    assert_eq!(skipped[0]["why"], "longer than 16 KiB");
    let found: Vec<_> = records
        .iter()
        .filter_map(|record| record["who"].as_str())
        .collect();
    assert_eq!(found, ["192.0.2.8"]);
    assert_eq!(records.last().unwrap()["lines"]["skipped"], 1);
}

#[test]
fn a_pattern_that_backtracks_for_ever_is_stopped() {
    // Exponential in the length of the line for an engine that backtracks; the look-ahead keeps it from the linear one.
    let line = format!("{} x 192.0.2.1", "a".repeat(60));
    let started = Instant::now();
    let records = records(line.as_bytes(), "^(?:(?:a|aa)+)+(?=b| x)(?!.*192) <HOST>$");
    assert!(started.elapsed() < LONG);
    let last = records.last().unwrap();
    assert_eq!(last["lines"]["matched"], 0, "{last}");
    assert_eq!(
        last["lines"]["missed"].as_u64().unwrap() + last["lines"]["skipped"].as_u64().unwrap(),
        1
    );
    let line = format!("{} x", "a".repeat(60));
    let last = self::records(
        line.as_bytes(),
        r"^(?:(a|a)+)+(?=.)\1(?<!x)y?(?<=b) ?x?<F-ID>.?</F-ID>$",
    )
    .pop()
    .unwrap();
    assert_eq!(last["lines"]["skipped"], 1, "{last}");
}

#[test]
fn lines_made_for_the_worst_patterns_of_debian_end_soon() {
    let endless = |unit: &str| unit.repeat(15_000 / unit.len());
    let mut log = String::new();
    for inner in [
        endless("a"),
        endless(" from "),
        endless(",a=\"\""),
        endless("<"),
        endless("user="),
        endless("::"),
        endless("1."),
        endless("RemoteAddress="),
        endless("(\\"),
        endless(" \t"),
        endless("é"),
    ] {
        for start in [
            "Mar  4 05:06:07 h sshd[1]: Failed password for invalid user ",
            "[2026-03-04 05:06:07] SECURITY[1] res_security_log.c: SecurityEvent=\"InvalidPassword\"",
            "Mar  4 05:06:07 h postfix/smtpd[1]: NOQUEUE: reject: RCPT from ",
            "04-Mar-2026 05:06:07.123 security: info: client @0x1 192.0.2.1#5 (",
            "[04-Mar-2026 05:06:07 +0000]: Login failed for ",
            "",
        ] {
            log.push_str(start);
            log.push_str(&inner);
            log.push('\n');
        }
    }
    for name in filters() {
        if name.ends_with("common") {
            continue;
        }
        let started = Instant::now();
        let last = records(log.as_bytes(), &name).pop().unwrap();
        assert!(started.elapsed() < LONG, "{name}: {:?}", started.elapsed());
        assert_eq!(last["lines"]["total"], 66, "{name}");
    }
}
