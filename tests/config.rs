//! Configurations that are right, and what the daemon gets from them.

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
use std::path::Path;

use common::{Folder, PBX};
use ringfence::config::LogTarget;
use ringfence::fence::{Backend, Block};
use ringfence::source::Settings;
use ringfence::source::ami::AuthMethod;
use ringfence_event::{Cause, Service, Span};
use secrecy::ExposeSecret;

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

    let [Settings::Asterisk(pbx1), Settings::Asterisk(pbx2)] = config.sources.as_slice() else {
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
    let names: Vec<&str> = config.sources.iter().map(Settings::name).collect();
    assert_eq!(names, ["pbx1", "pbx2"]);
    assert_eq!(config.policy.ignore.len(), 4, "ignoreip adds up");
    assert_eq!(
        (config.policy.jails[0].maxretry, config.policy.jails[0].findtime),
        (7, Span::from_secs(60))
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
    let [Settings::Asterisk(pbx1), Settings::Asterisk(pbx2)] = config.sources.as_slice() else {
        panic!("two PBXes")
    };
    assert_eq!((pbx1.host.as_str(), pbx1.port), ("pbx.example.net", 5040));
    assert_eq!(pbx1.secret.expose_secret(), "12345");
    assert_eq!((pbx2.name.as_str(), pbx2.host.as_str()), ("pbx2", "192.0.2.7"));
    assert_eq!(config.log.target, LogTarget::Journal);
}

#[test]
fn freeswitch_nodes_are_read_with_their_defaults() {
    let folder = Folder::new();
    folder.write("fs1.secret", 0o640, "s3cret\n");
    let text = "[[freeswitch]]\nname = \"fs1\"\naddress = \"127.0.0.1\"\npassword_file = \"fs1.secret\"\n\
        [[freeswitch]]\nname = \"fs2\"\naddress = \"[::1]:8022\"\nuser = \"ringfence@default\"\npassword = \"x\"\n\
        log = false\nprobe = \"30s\"\n";
    let (config, warnings) = folder.load(text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let [Settings::Freeswitch(fs1), Settings::Freeswitch(fs2)] = config.sources.as_slice() else {
        panic!("two nodes")
    };
    assert_eq!(
        (fs1.name.as_str(), fs1.host.as_str(), fs1.port),
        ("fs1", "127.0.0.1", 8021)
    );
    assert_eq!(fs1.password.expose_secret(), "s3cret");
    assert_eq!(
        (fs1.user.as_deref(), fs1.log, fs1.probe),
        (None, true, Span::from_secs(10))
    );
    assert_eq!((fs2.host.as_str(), fs2.port), ("::1", 8022));
    assert_eq!(
        (fs2.user.as_deref(), fs2.log, fs2.probe),
        (Some("ringfence@default"), false, Span::from_secs(30))
    );
}

#[test]
fn a_freeswitch_over_the_network_gets_a_warning() {
    let folder = Folder::new();
    let text = "[[freeswitch]]\nname = \"fs1\"\naddress = \"192.0.2.7:8021\"\npassword = \"ClueCon\"\n";
    let (_, warnings) = folder.load(text).unwrap();
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("clear text")));
    assert!(warnings.iter().any(|warning| warning.contains("installed with")));
}

#[test]
fn text_with_a_byte_order_mark_and_crlf_loads() {
    let folder = Folder::new();
    let text = format!("\u{feff}{PBX}").replace('\n', "\r\n");
    let (config, warnings) = folder.load(text).unwrap();
    assert_eq!((config.sources.len(), warnings.len()), (1, 0));
}

/// The shipped example is right as it is, up to the secret that only the admin knows.
#[test]
fn the_shipped_configuration_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("deploy/ringfence.toml")).unwrap();
    let folder = Folder::new();
    let (config, warnings) = folder.load(text.replace("/etc/ringfence/", "")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.sources.len(), 1);
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
    let unknown = "xx = 1\n[[asterisk]]\nxx = 1\n[[freeswitch]]\nxx = 1\n[jail.auth]\nxx = 1\n[limits]\nxx = 1\n[fence]\nxx = 1\n[store]\nxx = 1\n\
                   [control]\nxx = 1\n[log]\nxx = 1\n[[tenant]]\nxx = 1\nmatch = { xx = 1 }\n[tenant.jail.auth]\nxx = 1\n";
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
