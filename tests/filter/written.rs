//! Filters written by hand: the order of their files, what is refused and how it is said.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["regex", "--fail2ban"])
        .arg(folder)
        .args(arguments)
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn summary(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn error(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        !output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn later_files_win_and_may_use_what_they_replaced() {
    let folder = folder(&[
        (
            "filter.d/common.conf",
            "[DEFAULT]\nword = common\n[INCLUDES]\nafter = common.local\n",
        ),
        ("filter.d/common.local", "[DEFAULT]\nword = local\n"),
        (
            "filter.d/x.conf",
            "[INCLUDES]\nbefore = common.conf\n[Definition]\nfailregex = ^%(word)s <HOST>$\n  ^<tail-<kind>> <HOST>$\n\
             tail-a = A\ntail-b = B\nkind = a\n[Init]\nextra = none\n",
        ),
        ("filter.d/x.d/10.conf", "[Definition]\nkind = b\n"),
        (
            "filter.d/x.local",
            "[Definition]\nfailregex = %(known/failregex)s\n  ^<extra> <HOST>$\n",
        ),
    ]);
    let patterns = |filter: &str| -> Vec<String> {
        let summary = summary(folder.path(), &["--json", "a line", filter]);
        let rules = summary["failregex"].as_array().unwrap();
        rules
            .iter()
            .map(|rule| rule["pattern"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(patterns("x"), ["^local <HOST>$", "^B <HOST>$", "^none <HOST>$"]);
    assert_eq!(
        patterns("x[kind=a, extra=\"1,2\"]"),
        ["^local <HOST>$", "^A <HOST>$", "^1,2 <HOST>$"]
    );
}

#[test]
fn what_cannot_be_honoured_is_named_with_its_place() {
    for (definition, what) in [
        (
            "failregex = ^(a <HOST>$",
            "x.conf:2: failregex \"^(a <HOST>$\" has a group that is not closed",
        ),
        ("failregex = ^(?L:a) <HOST>$", "asks for the flag L"),
        (
            "failregex = ^<F-USER>a</F-USER> <F-USER>b</F-USER> <HOST>$",
            "x.conf:2: failregex",
        ),
        ("failregex = ^nobody$", "says of nobody"),
        (
            "failregex = ^%(nothing)s <HOST>$",
            "x.conf:2: refers to %(nothing)s, which nothing sets",
        ),
        ("failregex = ^<a> <HOST>$\na = <b>\nb = <a>", "refers to itself"),
        (
            "failregex = ^x <HOST>$\ndatepattern = %%Q",
            "x.conf:3: date pattern %Q: has the field %Q",
        ),
        (
            "failregex = ^x <HOST>$\nmaxlines = many",
            "x.conf:3: has maxlines \"many\"",
        ),
        ("ignoreregex = ^x$", "defines no failregex"),
    ] {
        let folder = folder(&[("filter.d/x.conf", &format!("[Definition]\n{definition}\n"))]);
        let error = error(folder.path(), &["a line", "x"]);
        assert!(error.contains(what), "{definition}: {error}");
    }
    let folder = folder(&[]);
    let error = error(folder.path(), &["a line", "nosuch"]);
    assert!(error.contains("there is no filter"), "{error}");
}

#[test]
fn nobody_is_blamed_by_a_name_or_by_what_is_no_address() {
    let folder = folder(&[]);
    let found = |arguments: &[&str]| -> Vec<(String, u64)> {
        let output = run(folder.path(), arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let records = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .filter(|record| record.get("pattern").is_some())
            .map(|record| {
                (
                    record["who"].as_str().unwrap().to_owned(),
                    record["n"].as_u64().unwrap(),
                )
            })
            .collect()
    };
    let line = "bad login from host.example.net";
    assert!(found(&["--json", line, "from <HOST>$"]).is_empty());
    let named = found(&["--json", "--usedns", "yes", line, "from <HOST>$"]);
    assert_eq!(named, [("host.example.net".to_owned(), 1)]);
    let odd = found(&["--json", "bad login from 192.0.2.999", "from <HOST>$"]);
    assert_eq!(odd, [("192.0.2.999".to_owned(), 1)]);
    let mapped = found(&["--json", "bad login from ::ffff:192.0.2.9", "from <HOST>$"]);
    assert_eq!(mapped, [("192.0.2.9".to_owned(), 1)]);
}

#[test]
fn the_first_pattern_wins_where_bans_are_decided() {
    let folder = folder(&[]);
    fs::create_dir_all(folder.path().join("filter.d")).unwrap();
    let filter = folder.path().join("filter.d/two.conf");
    fs::write(
        &filter,
        "[Definition]\nfailregex = ^a <HOST>$\n  <HOST>$\nignoreregex = 192\\.0\\.2\\.2$\n",
    )
    .unwrap();
    let log = folder.path().join("log");
    // The last line has no end, and counts.
    fs::write(
        &log,
        "a 192.0.2.1\nb 192.0.2.1\na 192.0.2.2\nnothing\na 192.0.2.3",
    )
    .unwrap();
    let log = log.to_str().unwrap();
    let hits = |summary: &Value| -> Vec<u64> {
        let rules = summary["failregex"].as_array().unwrap();
        rules.iter().map(|rule| rule["hits"].as_u64().unwrap()).collect()
    };
    let all = summary(folder.path(), &["--json", log, "two"]);
    assert_eq!(hits(&all), [2, 3]);
    let first = summary(folder.path(), &["--json", "--no-check-all", log, "two"]);
    assert_eq!(hits(&first), [2, 1]);
    for summary in [all, first] {
        let lines = &summary["lines"];
        let counts =
            ["total", "matched", "missed", "ignored", "skipped"].map(|name| lines[name].as_u64().unwrap());
        assert_eq!(counts, [5, 3, 1, 1, 0]);
    }
}

#[test]
fn a_missed_line_says_how_far_it_came() {
    let folder = folder(&[]);
    let output = run(
        folder.path(),
        &[
            "2026-03-04 05:06:07 login of bob failed at 192.0.2.1",
            "^ login of \\S+ failed from <HOST>$",
        ],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("lines: 1 total, 0 matched, 1 missed, 0 ignored, 0 skipped"),
        "{text}"
    );
    assert!(
        text.contains("nearest: pattern 1 matches \" login of bob failed\", not what follows: "),
        "{text}"
    );
}

#[test]
fn the_standard_input_is_a_log_unless_it_is_compressed() {
    let folder = folder(&[(
        "filter.d/x.conf",
        "[Definition]\nfailregex = ^ (?:\\S+ ){2}failed <HOST>$\n",
    )]);
    let feed = |bytes: &[u8]| -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(["regex", "-", "x", "--out", "ip", "--fail2ban"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    // as `journalctl -o short-iso` writes it
    let output = feed(b"2026-03-04T05:06:07+0000 host door[7]: failed 192.0.2.1\nnothing\n");
    assert!(output.status.success());
    assert_eq!(output.stdout, b"192.0.2.1\n");
    // a person sees how far it is, a file does not
    assert_eq!(output.stderr, b"");
    for (magic, reader) in [
        (&b"\x1f\x8b\x08\0"[..], "zcat"),
        (b"BZh9", "bzcat"),
        (b"\xfd7zXZ\0\0", "xzcat"),
        (b"\x28\xb5\x2f\xfd\0", "zstdcat"),
    ] {
        let output = feed(magic);
        assert_eq!(output.status.code(), Some(65), "{reader}");
        let said = String::from_utf8(output.stderr).unwrap();
        let how = format!("the standard input is compressed: COMMAND | {reader} | ringfence regex - x\n");
        assert!(said.ends_with(&how), "{said}");
    }
    assert_eq!(feed(b"").stdout, b"");
}
