//! `replay` and `parse` of logs, alone and beside a recording of the socket.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Stage, asterisk, claimed};

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/captures")
        .join(name)
}

fn lines(stage: &Stage, arguments: &[&str]) -> Vec<Value> {
    let output = stage.cli(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Whom it bans, by which jail, and what counted.
fn bans(stage: &Stage, arguments: &[&str], files: &[PathBuf]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let records = lines(stage, &[&["replay"], arguments, &files[..]].concat());
    let bans = records.iter().filter(|record| record["verdict"] == "ban");
    bans.map(|ban| format!("{} {} {}", ban["target"], ban["jail"], ban["attempts"]))
        .collect()
}

#[test]
fn the_recordings_of_one_attack_decide_together_what_each_decides() {
    let stage = Stage::new();
    stage.configure();
    let mut banned = 0;
    for scenario in [
        "22-pj-b5-register-wrongpw-5",
        "16-pj-b5-register-wrongpw-5",
        "22-pj-c-register-unknown",
        "22-pj-e2-invite-wrongpw",
    ] {
        let of = |end: &str| capture(&format!("asterisk/{scenario}.{end}"));
        let (ami, messages, security) = (of("ami.raw"), of("messages.log"), of("security.log"));
        if !ami.exists() {
            continue;
        }
        let wanted = bans(&stage, &[], std::slice::from_ref(&ami));
        for files in [
            vec![ami.clone(), messages.clone()],
            vec![messages.clone(), ami.clone()],
            vec![ami.clone(), security.clone()],
            vec![security.clone(), messages.clone(), ami.clone()],
        ] {
            assert_eq!(bans(&stage, &["--together"], &files), wanted, "{files:?}");
        }
        // one file that holds both kinds of lines, in the order of time
        let mut all: Vec<String> = [&messages, &security]
            .iter()
            .flat_map(|file| {
                let text = std::fs::read_to_string(file).unwrap();
                text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        all.sort_by_key(|line| line[..25].to_owned());
        let full = stage.home.path().join("full");
        std::fs::write(&full, all.concat()).unwrap();
        assert_eq!(bans(&stage, &[], &[full]), wanted, "{scenario}");
        banned += wanted.len();
    }
    assert!(banned > 0, "they ban somebody");
}

#[test]
fn recordings_of_freeswitch_decide_together_what_the_socket_decides() {
    let mut stage = Stage::new();
    stage.tables = "[jail.auth]\nmaxretry = 3\n".into();
    stage.configure();
    let copy = |name: &str| {
        // an attacker on loopback would be ignored; the new address is as long as the old one
        let bytes = std::fs::read(capture(&format!("freeswitch/{name}"))).unwrap();
        let text = String::from_utf8(bytes)
            .unwrap()
            .replace("127.0.0.2", "192.0.2.9");
        let file = stage.home.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let socket = copy("register_userscan.narrow.raw");
    let (log, fail2ban) = (copy("register_userscan.fslog"), copy("register_userscan.f2b"));
    let wanted = bans(&stage, &[], std::slice::from_ref(&socket));
    assert_eq!(wanted, ["\"192.0.2.9\" \"auth\" 3"]);
    for files in [
        vec![socket.clone(), log.clone()],
        vec![log.clone(), socket.clone()],
        vec![socket.clone(), fail2ban.clone()],
        vec![fail2ban.clone(), socket],
    ] {
        assert_eq!(bans(&stage, &["--together"], &files), wanted, "{files:?}");
    }
    for alone in [log, fail2ban] {
        assert_eq!(bans(&stage, &[], &[alone]), wanted);
    }
    // a hundred challenges in a log are no flood: it never says which of them were answered
    assert!(bans(&stage, &[], &[copy("register_flood.fslog")]).is_empty());
    assert_eq!(bans(&stage, &[], &[copy("register_flood.narrow.raw")]).len(), 1);
}

#[test]
fn what_only_the_caller_said_is_shown_and_bans_nobody() {
    let stage = Stage::new();
    stage.configure();
    let file = stage.home.path().join("messages");
    let mut text: String = (0..20).map(|_| claimed("192.0.2.101")).collect();
    text.push_str(&asterisk(0, "192.0.2.102", "call"));
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let parsed = lines(&stage, &["parse", path]);
    let shown = parsed.iter().filter(|line| line["proof"] == "claimed");
    let shown: Vec<_> = shown.map(|line| line["addr"].as_str().unwrap()).collect();
    assert_eq!(shown, ["192.0.2.101"; 20]);
    assert_eq!(parsed.len(), 21);
    assert!(bans(&stage, &[], &[file]).is_empty());
}
