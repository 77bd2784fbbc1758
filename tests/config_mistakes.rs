//! Configurations that are wrong, and what the admin is told.

// A test that fails may panic, and a long list of settings is one story.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

#[path = "config/common.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Folder, PBX};
use ringfence::config::{self, Severity};

/// Each bad configuration is shown exactly as the `.expected` file beside it says.
///
/// With `UPDATE_EXPECTED=1` the files are written instead: read the difference before committing it.
#[test]
fn bad_configurations_are_explained() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad");
    let mut paths: Vec<PathBuf> = fs::read_dir(&cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(paths.len() >= 20, "only {} cases", paths.len());
    let mut wrong = Vec::new();
    for path in &paths {
        let folder = Folder::new();
        let diagnosis = folder
            .load(fs::read(path).unwrap())
            .expect_err(&path.display().to_string());
        let shown = folder.shown(&diagnosis.to_string());
        assert!(
            !shown.contains("hunter"),
            "{}: shows a secret:\n{shown}",
            path.display()
        );
        assert!(!diagnosis.render(true).contains("hunter") && !format!("{diagnosis:?}").contains("hunter"));
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn mistakes_in_all_files_are_reported_at_once() {
    let folder = Folder::new();
    folder.write("conf.d/a.toml", 0o640, "[fence]\nbackend = \"ipset\"\n");
    folder.write("conf.d/b.toml", 0o640, "[fence\n");
    folder.write("conf.d/c.toml", 0o640, PBX);
    let diagnosis = folder
        .load(format!("{PBX}[jail.auth]\nmaxretry = 0\n"))
        .unwrap_err();
    let found: Vec<(String, Option<usize>)> = diagnosis
        .errors()
        .map(|error| (folder.shown(error.file.as_deref().unwrap()), error.line))
        .collect();
    let expected = [
        ("ringfence.toml", 7),
        ("conf.d/a.toml", 2),
        ("conf.d/b.toml", 1),
        ("conf.d/c.toml", 2),
    ];
    assert_eq!(
        found[..3],
        expected[..3]
            .iter()
            .map(|(file, line)| ((*file).into(), Some(*line)))
            .collect::<Vec<_>>()
    );
    let shown = folder.shown(&diagnosis.to_string());
    assert!(
        shown.contains("conf.d/c.toml"),
        "the file with the second pbx1 is named: {shown}"
    );
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let folder = Folder::new();
    folder.write("ringfence.toml", 0o640, PBX);
    let diagnosis = folder
        .load_with(&[
            ("RINGFENCE__ASTERISK__PBX1__SECRET", "hunter2\nhunter3"),
            ("RINGFENCE__ASTERISK__PBX1__SECERT", "hunter2"),
            ("RINGFENCE__FENCE__BACKEND", "ipset"),
            ("RINGFENCE__FENCE__", "1"),
            ("RINGFENCE__FENSE__BACKEND", "dry-run"),
            ("RINGFENCE__IGNOREIP", "192.0.2.1,192.0.2.5/24"),
            ("RINGFENCE__LOG", "stderr"),
            ("RINGFENCE__LOG__LEVEL", "debug"),
        ])
        .unwrap_err();
    let shown = diagnosis.to_string();
    assert!(!shown.contains("hunter"), "{shown}");
    for part in [
        "RINGFENCE__FENCE__BACKEND=ipset",
        "unknown key `secert` in [[asterisk]]",
        "`RINGFENCE__FENCE__` names no key",
        "unknown key `fense`",
        "`secret` has more than one line",
        "RINGFENCE__ASTERISK__PBX1__SECRET=********\n",
        "`RINGFENCE__LOG__LEVEL` contradicts another variable",
        "| RINGFENCE__IGNOREIP=192.0.2.1,192.0.2.5/24\n  |                               ^^^^^^^^^^^^ the host part of 192.0.2.5 is not zero",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
}

#[test]
fn an_inline_secret_needs_a_closed_file() {
    let folder = Folder::new();
    let text = PBX.replace("secret_file = \"pbx1.secret\"", "secret = \"hunter2\"");
    folder.write("ringfence.toml", 0o644, &text);
    let shown = folder.shown(&folder.load_with(&[]).unwrap_err().to_string());
    assert!(shown.contains("everybody on this machine may read"), "{shown}");
    assert!(shown.contains("run `chmod 0640 ringfence.toml`"), "{shown}");
    assert!(
        shown.contains("secret = ********") && !shown.contains("hunter2"),
        "{shown}"
    );
    folder.write("ringfence.toml", 0o640, &text);
    let (config, _) = folder.load_with(&[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let folder = Folder::new();
    let text = format!(
        "ignoreip = [\"0.0.0.0/0\", \"::/0\", \"10.0.0.0/7\"]\n{}auth = \"plain\"\n",
        PBX.replace("127.0.0.1:5038", "192.0.2.9")
    );
    let (_, warnings) = folder.load(text).unwrap();
    let messages: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`ignoreip` holds every IPv4 address: none would ever be banned",
            "`ignoreip` holds every IPv6 address: none would ever be banned",
            "`ignoreip`: `10.0.0.0/7` is very wide: nobody in it would ever be banned",
            "the secret goes over the network in clear text",
        ]
    );
    assert!(
        warnings
            .iter()
            .all(|warning| warning.severity == Severity::Warning)
    );
    assert!(warnings[0].render(false).starts_with("warning: "));
}

#[test]
fn findings_are_records_too() {
    let folder = Folder::new();
    let diagnosis = folder.load("[jail.auth]\n  maxretyr = 3\n").unwrap_err();
    let record = serde_json::to_value(diagnosis.errors().next().unwrap()).unwrap();
    assert_eq!(record["severity"], "error");
    assert_eq!(record["message"], "unknown key `maxretyr` in [jail.auth]");
    assert_eq!(
        (record["line"].as_u64(), record["column"].as_u64()),
        (Some(2), Some(3))
    );
    assert!(record["file"].as_str().unwrap().ends_with("ringfence.toml"));
    assert_eq!(record["help"][0], "did you mean `maxretry`?");
    assert!(diagnosis.render(true).contains('\u{1b}') && !diagnosis.render(false).contains('\u{1b}'));
}

#[test]
fn a_file_that_can_not_be_read_says_what_to_do() {
    let folder = Folder::new();
    let shown = folder.shown(&folder.load_with(&[]).unwrap_err().to_string());
    assert!(
        shown.contains("there is no configuration at ringfence.toml") && shown.contains("--config"),
        "{shown}"
    );
    let shown = config::load(folder.0.path(), std::iter::empty())
        .unwrap_err()
        .to_string();
    assert!(shown.contains("is a folder, not a file"), "{shown}");
    folder.write("ringfence.toml", 0o640, "#".repeat(2_000_000));
    let shown = folder.load_with(&[]).unwrap_err().to_string();
    assert!(shown.contains("larger than 1 MiB"), "{shown}");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Whatever stands in the file, it loads or is explained, and never shows what stands behind `secret`.
    #[test]
    fn any_text_loads_or_is_explained(
        lines in proptest::collection::vec("\\PC{0,30}|\\[\\[?[a-z.]{1,10}\\]?\\]|secret = \"hunter2.{0,5}\
            |[a-z_]{1,12} = (\\[[0-9\", a-z]{0,9}\\]?|\"[a-z0-9/. ]{0,9}\"?|[0-9.-]{1,20}|\\{[a-z =0-9]{0,8}\\}?)\
            |(jail|fence|store|limits)\\.[a-z]{1,9}\\.?[a-z]{0,8} = [0-9]{1,3}", 0..12),
        value in "\\PC{0,20}",
    ) {
        let folder = Folder::new();
        folder.write("ringfence.toml", 0o640, lines.join("\n"));
        let env = [("RINGFENCE__JAIL__AUTH__FINDTIME", value.as_str()), ("RINGFENCE__IGNOREIP", value.as_str())];
        if let Err(diagnosis) = folder.load_with(&env) {
            assert!(diagnosis.errors().count() > 0);
            assert!(!diagnosis.to_string().contains("hunter2"), "{diagnosis}");
        }
    }

    /// Bytes that are no text neither.
    #[test]
    fn any_bytes_load_or_are_explained(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Err(diagnosis) = Folder::new().load(bytes) {
            assert!(diagnosis.errors().count() > 0);
        }
    }
}
