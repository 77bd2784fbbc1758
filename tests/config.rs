//! Configurations good and bad: what the admin sees, and what the daemon gets.

// A test that fails may panic, and a long list of settings is one story.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ringfence::config::{self, Config, Diagnosis, LogTarget, Severity, Warning};
use ringfence::fence::{Backend, Block};
use ringfence::source::ami::AuthMethod;
use ringfence_event::{Cause, Service, Span};
use secrecy::ExposeSecret;

/// A folder with a configuration, and the secrets it names.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("pbx1.secret", 0o640, "hunter2\n");
        folder.write("open.secret", 0o644, "hunter2\n");
        folder.write("writable.secret", 0o660, "hunter2\n");
        folder.write("empty.secret", 0o640, "\n");
        folder.write("lines.secret", 0o640, "hunter2\nhunter3\n");
        folder.write("ca.pem", 0o644, "");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, mode: u32, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load_with(&self, env: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), Diagnosis> {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        config::load(&self.path("ringfence.toml"), env)
    }

    fn load(&self, text: impl AsRef<[u8]>) -> Result<(Config, Vec<Warning>), Diagnosis> {
        self.write("ringfence.toml", 0o640, text);
        self.load_with(&[])
    }

    /// Text as it reads wherever the folder is.
    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

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

const PBX: &str = "[[asterisk]]\nname = \"pbx1\"\naddress = \"127.0.0.1:5038\"\nusername = \"ringfence\"\n\
                   secret_file = \"pbx1.secret\"\n";

#[test]
fn an_empty_file_gives_the_defaults_and_a_warning() {
    let (config, warnings) = Folder::new().load("").unwrap();
    let ignored: Vec<String> = config.policy.ignore.iter().map(ToString::to_string).collect();
    assert_eq!(ignored, ["127.0.0.0/8", "::1/128"]);
    assert_eq!(config.policy.jails, ringfence::engine::Jail::built_in());
    assert_eq!(config.fence, ringfence::fence::FenceSettings::default());
    assert_eq!(config.store, ringfence::store::StoreSettings::default());
    assert_eq!(config.control.socket, Path::new("/run/ringfence/ringfence.sock"));
    assert_eq!((config.control.mode, config.control.group), (0o660, None));
    assert_eq!(config.log.target, LogTarget::Stderr);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("nothing is watched"));
}

#[test]
fn everything_that_is_said_arrives() {
    let folder = Folder::new();
    let fingerprint = "ab:".repeat(31) + "ab";
    let text = format!(
        r#"
        ignoreip = ["192.0.2.0/24", "2001:db8::7", "office.example.net", "192.0.2.0/24"]
        [[asterisk]]
        name = "pbx1"
        address = "[2001:db8::1]"
        tls = true
        fingerprint = "{fingerprint}"
        server_name = "pbx.example.net"
        username = "ringfence"
        secret = "with = \"quotes\" and spaces "
        auth = "plain"
        ping = "500ms"
        [[asterisk]]
        name = "pbx2"
        address = "pbx.example.net"
        username = "ringfence"
        secret_credential = "pbx2"
        [jail.auth]
        maxretry = 3
        findtime = 120
        bantime = "8w"
        [jail.flood]
        enabled = false
        increment = true
        factor = 4
        maxtime = "1d"
        [jail.enumeration]
        increment = false
        bantime = -1
        [jail.scan]
        causes = ["malformed", "scanner"]
        services = ["pjsip", "chan-sip"]
        count = "attempts"
        maxretry = 10
        [limits]
        max_tracked = 2000
        memory = "1w"
        [fence]
        backend = "dry-run"
        block = "reject"
        verify = "1m"
        capacity = 5000
        [store]
        path = "state/bans.db"
        history = "forever"
        history_rows = 5000
        [control]
        socket = "/run/rf.sock"
        group = "root"
        [log]
        target = "file"
        file = "/var/log/ringfence.log"
        level = "debug"
        "#
    );
    folder.write("ringfence.toml", 0o640, text);
    folder.write("credentials/pbx2", 0o444, "from systemd");
    let credentials = folder.path("credentials");
    let (config, warnings) = folder
        .load_with(&[("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())])
        .unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");

    let [pbx1, pbx2] = config.asterisk.as_slice() else {
        panic!("two PBXes")
    };
    assert_eq!(
        (pbx1.name.as_str(), pbx1.host.as_str(), pbx1.port),
        ("pbx1", "2001:db8::1", 5039)
    );
    assert_eq!(pbx1.secret.expose_secret(), "with = \"quotes\" and spaces ");
    assert_eq!(
        (pbx1.auth, pbx1.ping),
        (AuthMethod::Plain, Span::from_millis(500))
    );
    let tls = pbx1.tls.as_ref().unwrap();
    assert_eq!(
        (tls.pinned, tls.server_name.as_deref()),
        (Some([0xab; 32]), Some("pbx.example.net"))
    );
    assert_eq!(
        (pbx2.host.as_str(), pbx2.port, pbx2.auth),
        ("pbx.example.net", 5038, AuthMethod::Md5)
    );
    assert_eq!(
        (pbx2.secret.expose_secret(), pbx2.ping),
        ("from systemd", Span::from_secs(1))
    );

    let ignored: Vec<String> = config.policy.ignore.iter().map(ToString::to_string).collect();
    assert_eq!(
        ignored,
        ["127.0.0.0/8", "::1/128", "192.0.2.0/24", "2001:db8::7/128"]
    );
    assert_eq!(config.ignore_names, ["office.example.net"]);
    let jail = |name: &str| config.policy.jails.iter().find(|jail| jail.name == name).unwrap();
    let weeks = |count: u64| Span::from_secs(count * 604_800);
    assert_eq!(
        (jail("auth").maxretry, jail("auth").findtime),
        (3, Span::from_secs(120))
    );
    assert_eq!(jail("auth").bantime, weeks(8));
    assert_eq!(jail("auth").escalation.unwrap().maximum, weeks(8));
    assert!(!jail("flood").enabled);
    let escalation = jail("flood").escalation.unwrap();
    assert_eq!(
        (escalation.factor, escalation.maximum),
        (4, Span::from_secs(86_400))
    );
    assert_eq!(
        (jail("enumeration").bantime, jail("enumeration").escalation),
        (Span::FOREVER, None)
    );
    assert_eq!(jail("scan").causes, [Cause::Malformed, Cause::Scanner]);
    assert_eq!(jail("scan").services, [Service::PjSip, Service::ChanSip]);
    assert_eq!(
        (jail("scan").maxretry, jail("scan").findtime),
        (10, Span::from_secs(600))
    );
    assert_eq!(
        (config.policy.limits.max_tracked, config.policy.limits.memory),
        (2000, weeks(1))
    );

    assert_eq!(
        (config.fence.backend, config.fence.block),
        (Backend::DryRun, Block::Reject)
    );
    assert_eq!(
        (config.fence.verify, config.fence.capacity),
        (Span::from_secs(60), 5000)
    );
    assert_eq!(config.store.path, folder.path("state/bans.db"));
    assert_eq!(
        (config.store.history, config.store.history_rows),
        (Span::FOREVER, 5000)
    );
    assert_eq!(config.store.memory, weeks(1));
    assert_eq!(config.control.socket, Path::new("/run/rf.sock"));
    assert_eq!(config.control.group.as_deref(), Some("root"));
    assert_eq!(
        config.log.target,
        LogTarget::File("/var/log/ringfence.log".into())
    );
    assert_eq!(config.log.level, tracing::Level::DEBUG);
}

#[test]
fn conf_d_adds_and_overrides_in_the_order_of_names() {
    let folder = Folder::new();
    folder.write("conf.d/20-second.toml", 0o640, "[jail.auth]\nmaxretry = 7\n");
    folder.write(
        "conf.d/10-first.toml",
        0o640,
        format!(
            "ignoreip = [\"198.51.100.1\"]\n{}\n[jail.auth]\nmaxretry = 6\n",
            PBX.replace("pbx1\"", "pbx2\"")
                .replace("pbx1.secret", "../pbx1.secret")
        ),
    );
    folder.write("conf.d/30-off.toml.disabled", 0o640, "nonsense");
    folder.write("conf.d/.hidden.toml", 0o640, "nonsense");
    let text = format!("ignoreip = [\"192.0.2.1\"]\n{PBX}[jail.auth]\nmaxretry = 4\nfindtime = 60\n");
    let (config, warnings) = folder.load(text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let names: Vec<&str> = config.asterisk.iter().map(|pbx| pbx.name.as_str()).collect();
    assert_eq!(names, ["pbx1", "pbx2"]);
    assert_eq!(config.policy.ignore.len(), 4, "ignoreip adds up");
    assert_eq!(
        (config.policy.jails[0].maxretry, config.policy.jails[0].findtime),
        (7, Span::from_secs(60))
    );
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
fn the_environment_wins_and_needs_no_file_entry() {
    let folder = Folder::new();
    let text = format!("ignoreip = [\"192.0.2.1\"]\n{PBX}[jail.own-one]\ncauses = [\"scanner\"]\n");
    folder.write("ringfence.toml", 0o640, text);
    let (config, warnings) = folder
        .load_with(&[
            ("RINGFENCE__FENCE__BACKEND", "dry-run"),
            ("RINGFENCE__FENCE__BLOCK", ""),
            ("RINGFENCE__JAIL__AUTH__MAXRETRY", "9"),
            ("RINGFENCE__JAIL__AUTH__ENABLED", "no"),
            ("RINGFENCE__JAIL__OWN_ONE__BANTIME", "2h"),
            ("RINGFENCE__JAIL__OWN_ONE__SERVICES", "pjsip, chan-sip"),
            ("RINGFENCE__JAIL__OWN_ONE__CAUSES", "[\"malformed\", \"scanner\"]"),
            ("RINGFENCE__IGNOREIP", "198.51.100.0/24, office.example.net"),
            ("RINGFENCE__ASTERISK__PBX1__ADDRESS", "pbx.example.net:5040"),
            ("RINGFENCE__ASTERISK__PBX1__SECRET", "12345"),
            ("RINGFENCE__ASTERISK__PBX2__ADDRESS", "192.0.2.7"),
            ("RINGFENCE__ASTERISK__PBX2__USERNAME", "ringfence"),
            ("RINGFENCE__ASTERISK__PBX2__SECRET_FILE", "pbx1.secret"),
            ("JOURNAL_STREAM", "8:1234"),
            ("PATH", "/usr/bin"),
        ])
        .unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        (config.fence.backend, config.fence.block),
        (Backend::DryRun, Block::Drop)
    );
    assert_eq!(
        (config.policy.jails[0].maxretry, config.policy.jails[0].enabled),
        (9, false)
    );
    let own = config.policy.jails.last().unwrap();
    assert_eq!(
        (own.name.as_str(), own.bantime),
        ("own-one", Span::from_secs(7200))
    );
    assert_eq!(own.services, [Service::PjSip, Service::ChanSip]);
    assert_eq!(own.causes, [Cause::Malformed, Cause::Scanner]);
    assert_eq!((config.policy.ignore.len(), config.ignore_names.len()), (4, 1));
    let [pbx1, pbx2] = config.asterisk.as_slice() else {
        panic!("two PBXes")
    };
    assert_eq!((pbx1.host.as_str(), pbx1.port), ("pbx.example.net", 5040));
    assert_eq!(pbx1.secret.expose_secret(), "12345");
    assert_eq!((pbx2.name.as_str(), pbx2.host.as_str()), ("pbx2", "192.0.2.7"));
    assert_eq!(config.log.target, LogTarget::Journal);
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

#[test]
fn text_with_a_byte_order_mark_and_crlf_loads() {
    let folder = Folder::new();
    let text = format!("\u{feff}{PBX}").replace('\n', "\r\n");
    let (config, warnings) = folder.load(text).unwrap();
    assert_eq!((config.asterisk.len(), warnings.len()), (1, 0));
}

/// The shipped example is right as it is, up to the secret that only the admin knows.
#[test]
fn the_shipped_configuration_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("deploy/ringfence.toml")).unwrap();
    let folder = Folder::new();
    let (config, warnings) = folder.load(text.replace("/etc/ringfence/", "")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.asterisk.len(), 1);
}

/// Every TOML block of the reference loads, alone, and every key it must explain is explained.
#[test]
fn the_reference_is_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let blocks: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    for block in blocks {
        let folder = Folder::new();
        folder.write("credentials/pbx1", 0o400, "hunter2");
        let block = block
            .replace("/etc/ringfence/", "")
            .replace("/etc/asterisk/keys/ca.crt", "ca.pem");
        let block = block.replace("group = \"voip\"", "group = \"root\"");
        folder.write("ringfence.toml", 0o640, &block);
        let credentials = folder.path("credentials");
        let result = folder.load_with(&[("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())]);
        assert!(result.is_ok(), "{block}\n{}", result.unwrap_err());
    }
    // What an unknown key is told is allowed is the list of all keys: none may be missing from the reference.
    let unknown = "xx = 1\n[[asterisk]]\nxx = 1\n[jail.auth]\nxx = 1\n[limits]\nxx = 1\n[fence]\nxx = 1\n[store]\nxx = 1\n\
                   [control]\nxx = 1\n[log]\nxx = 1\n";
    let diagnosis = Folder::new().load(unknown).unwrap_err();
    let allowed = diagnosis
        .errors()
        .flat_map(|error| &error.help)
        .filter_map(|help| help.strip_prefix("allowed here: "));
    let keys: Vec<&str> = allowed.flat_map(|list| list.split(", ")).collect();
    assert!(keys.len() >= 44, "{keys:?}");
    for key in keys {
        let bare = key.trim_matches('`');
        assert!(
            text.contains(key) || text.contains(&format!("`[{bare}")) || text.contains(&format!("`[[{bare}")),
            "{key}"
        );
    }
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
