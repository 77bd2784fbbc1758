//! Every place that lines can come from.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::Mode;

use super::{
    ago, append, asterisk, counted, file, freeswitch, source, stage, table, wait_for_ban, wait_for_count,
    wait_for_source, watching,
};

/// Whether `check --live` finds nothing wrong, and what it says.
fn check(stage: &super::Stage) -> (bool, String) {
    let output = stage.cli(&["check", "--live"]);
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said)
}

/// Debian's filter for sshd.
fn sshd() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched = Command::new(root.join("tests/lab/fetch-fail2ban"))
        .status()
        .unwrap();
    assert!(fetched.success(), "fail2ban could not be fetched");
    let lab = std::env::var_os("RINGFENCE_LAB").map_or_else(|| root.join(".lab"), PathBuf::from);
    lab.join("fail2ban/etc/fail2ban/filter.d/sshd.conf")
}

#[test]
fn debians_filter_for_sshd_bans() {
    let keys = format!("filter = \"{}\"", sshd().display());
    let stage = watching(&table(&keys), "log");
    let line = |n: u32, addr: &str| {
        format!(
            "{} host sshd[{n}]: Failed password for invalid user admin from {addr} port 41{n:03} ssh2\n",
            ago(0, "%Y-%m-%dT%H:%M:%S%.6f+00:00")
        )
    };
    for n in 0..4 {
        append(&file(&stage), &line(n, "192.0.2.101"));
    }
    wait_for_count(&stage, "192.0.2.101", 4);
    assert!(stage.banned().is_empty());
    append(&file(&stage), &line(4, "192.0.2.101"));
    wait_for_ban(&stage, "192.0.2.101");
    let source = source(&stage, "log");
    assert_eq!(source["kind"], "logfile");
    assert_eq!(source["events"], 5);
    let why = stage.json(&["why", "192.0.2.101"]);
    let event = &why["now"]["bans"][0]["evidence"]["events"][0];
    assert_eq!(
        (&event["source"], &event["account"]),
        (&"log".into(), &"admin".into()),
        "{why}"
    );
    let (fine, said) = check(&stage);
    assert!(fine && said.contains("1 file readable"), "{said}");
}

#[test]
fn the_file_of_a_container_is_unwrapped() {
    let stage = watching(&table("format = \"asterisk\"\ndocker = true"), "log");
    let wrapped = |line: &str| {
        let record = serde_json::json!({
            "log": line, "stream": "stdout", "time": ago(0, "%Y-%m-%dT%H:%M:%S%.9fZ"),
        });
        format!("{record}\n")
    };
    for call in ["a", "b", "c", "d", "e"] {
        append(&file(&stage), &wrapped(&asterisk(0, "192.0.2.101", call)));
    }
    wait_for_ban(&stage, "192.0.2.101");
    assert!(check(&stage).0);
    // what is no record may be the rest of somebody's words: for 8 KiB nobody is believed
    append(&file(&stage), &asterisk(0, "192.0.2.102", "bare"));
    let plain = format!(
        "[{}] VERBOSE[1] pbx.c: {}\n",
        ago(0, "%Y-%m-%d %H:%M:%S"),
        "x".repeat(900)
    );
    append(&file(&stage), &wrapped(&plain).repeat(12));
    append(&file(&stage), &wrapped(&asterisk(0, "192.0.2.103", "f")));
    wait_for_count(&stage, "192.0.2.103", 1);
    assert_eq!(counted(&stage, "192.0.2.102"), 0, "nothing but records is read");
}

#[test]
fn a_named_pipe_is_read() {
    let mut stage = stage("[[logfile]]\nname = \"pipe\"\nfifo = \"HOME/pipe\"\nformat = \"freeswitch\"\n");
    let pipe = stage.home.path().join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
    stage.start();
    stage.until("it says that nobody writes", |stage| {
        source(stage, "pipe")["problem"]
            .as_str()
            .unwrap()
            .contains("nobody has it open")
    });
    for _ in 0..5 {
        // whoever writes may come and go
        let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
        writer.write_all(freeswitch(0, "192.0.2.101").as_bytes()).unwrap();
    }
    wait_for_ban(&stage, "192.0.2.101");
    assert_eq!(source(&stage, "pipe")["state"], "watching");
    let (fine, said) = check(&stage);
    assert!(fine && said.contains("named pipe"), "{said}");
}

#[test]
fn the_journal_is_read() {
    let mut stage = stage(
        "[[logfile]]\nname = \"journal\"\njournal = [\"_SYSTEMD_UNIT=asterisk.service\"]\nformat = \"asterisk\"\n",
    );
    let folder = stage.home.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let entries = folder.join("entries");
    fs::write(&entries, "").unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>'{}/arguments'\ncase \"$*\" in *--output=cat*) echo seen; exit 0;; esac\n\
         exec tail -n +1 -f '{}'\n",
        folder.display(),
        entries.display()
    );
    fs::write(folder.join("journalctl"), script).unwrap();
    fs::set_permissions(folder.join("journalctl"), PermissionsExt::from_mode(0o755)).unwrap();
    stage.programs = Some(folder.clone());
    stage.start();
    wait_for_source(&stage, "journal", "watching");
    for n in 0..5 {
        let line = asterisk(0, "192.0.2.101", &format!("call{n}"));
        let at = jiff::Timestamp::now().as_microsecond();
        let entry = serde_json::json!({
            "__CURSOR": format!("s=1;i={n}"), "__REALTIME_TIMESTAMP": at.to_string(), "MESSAGE": line.trim_end(),
        });
        append(&entries, &format!("{entry}\n"));
    }
    wait_for_ban(&stage, "192.0.2.101");
    let arguments = fs::read_to_string(folder.join("arguments")).unwrap();
    assert!(
        arguments.contains("_SYSTEMD_UNIT=asterisk.service"),
        "{arguments}"
    );
    let (fine, said) = check(&stage);
    assert!(fine && said.contains("entries that match"), "{said}");
}

#[test]
fn a_check_names_what_is_wrong_with_a_log() {
    let wrong = |keys: &str, prepare: &dyn Fn(&super::Stage)| {
        let stage = stage(&format!("[[logfile]]\nname = \"log\"\n{keys}\n"));
        prepare(&stage);
        stage.configure();
        let output = stage.cli(&["check", "--live"]);
        assert_eq!(output.status.code(), Some(69), "{output:?}");
        let json = stage.json(&["check", "--live"]);
        assert_eq!(json["ok"], false, "{json}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = wrong("files = [\"HOME/log\"]\nformat = \"asterisk\"", &|stage| {
        fs::write(file(stage), freeswitch(0, "192.0.2.1")).unwrap();
    });
    assert!(said.contains("is it the right file?"), "{said}");
    let said = wrong(
        "files = [\"HOME/log\"]\nformat = \"asterisk\"\ndocker = true",
        &|stage| {
            fs::write(file(stage), asterisk(0, "192.0.2.1", "x")).unwrap();
        },
    );
    assert!(said.contains("docker's json file"), "{said}");
    let said = wrong("fifo = \"HOME/log\"\nformat = \"asterisk\"", &|stage| {
        fs::write(file(stage), "").unwrap();
    });
    assert!(said.contains("is no named pipe"), "{said}");
    let said = wrong("fifo = \"HOME/log\"\nformat = \"asterisk\"", &|_| {});
    assert!(said.contains("mkfifo"), "{said}");
}
