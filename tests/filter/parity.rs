//! The same log and the same filter files through fail2ban and through ringfence.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::lab::{Answer, filters, ours, ringfence, sample, theirs};

/// Files in filter.d that are no filters but parts of others.
const PARTS: [&str; 5] = [
    "apache-common",
    "botsearch-common",
    "common",
    "exim-common",
    "selinux-common",
];

#[test]
fn every_filter_of_debian_loads() {
    let names = filters();
    assert!(names.len() > 85, "{names:?}");
    let mut refused = Vec::new();
    for name in &names {
        let output = ringfence(&["one line", name]);
        if PARTS.contains(&name.as_str()) {
            assert!(!output.status.success(), "{name} is a filter now");
        } else if !output.status.success() {
            refused.push(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn fail2bans_own_examples_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    let mut different = String::new();
    for name in filters() {
        let log = sample(&name);
        if !log.is_file() {
            continue;
        }
        // fail2ban-regex passes over a last line without its end.
        let mut bytes = fs::read(&log).unwrap();
        bytes.push(b'\n');
        let log = folder.path().join(&name);
        fs::write(&log, bytes).unwrap();
        compare(&log, &name, &mut different);
        compared += 1;
    }
    assert!(compared > 80, "{compared}");
    assert!(different.is_empty(), "{different}");
}

#[test]
fn modes_and_options_of_filters_give_the_same() {
    let mut different = String::new();
    for (log, filter) in [
        ("sshd", "sshd[mode=ddos]"),
        ("sshd", "sshd[mode=extra, publickey=any]"),
        ("sshd", "sshd[mode=\"aggressive\"][publickey='invalid']"),
        ("sshd", "sshd[logtype=short]"),
        ("sshd-journal", "sshd[logtype=journal]"),
        ("postfix", "postfix[mode=aggressive]"),
        ("dovecot", "dovecot[mode=aggressive]"),
        ("exim", "exim[mode=aggressive]"),
        ("nginx-http-auth", "nginx-http-auth[mode=fallback]"),
        ("guacamole", "guacamole[logging=webapp]"),
        ("freeswitch", "freeswitch[mode=ddos]"),
    ] {
        compare(&sample(log), filter, &mut different);
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn logs_of_real_servers_give_the_same() {
    let mut different = String::new();
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filter/logs");
    let mut matched = 0;
    for log in files(&logs) {
        matched += compare(&log, "asterisk", &mut different).lines[1];
    }
    assert!(matched > 100, "{matched}");
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/freeswitch");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("freeswitch.log");
    let mut all = Vec::new();
    for capture in files(&captures)
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "fslog"))
    {
        all.extend(fs::read(capture).unwrap());
        all.push(b'\n');
    }
    fs::write(&log, &all).unwrap();
    compare(&log, "freeswitch", &mut different);
    compare(&log, "freeswitch[mode=ddos]", &mut different);
    assert!(different.is_empty(), "{different}");
}

#[test]
fn generated_logs_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut different = String::new();
    for (name, lines) in generated() {
        let log = folder.path().join(name.split('[').next().unwrap());
        fs::write(&log, lines.join("\n") + "\n").unwrap();
        let answer = compare(&log, name, &mut different);
        assert!(answer.lines[1] >= 20, "{name}: {answer:?}");
        assert!(answer.lines[2] >= 20, "{name}: {answer:?}");
    }
    assert!(different.is_empty(), "{different}");
}

/// Lines that fail, lines that don't, dates in different forms, bytes that are no text, addresses of both kinds.
#[allow(clippy::too_many_lines, reason = "a list of lines")]
pub fn generated() -> Vec<(&'static str, Vec<String>)> {
    let mut logs: Vec<(&str, Vec<String>)> = [
        "asterisk",
        "freeswitch",
        "sshd",
        "recidive",
        "dovecot",
        "postfix",
        "nginx-http-auth",
    ]
    .into_iter()
    .map(|name| (name, Vec::new()))
    .collect();
    for n in 0..60_u32 {
        let who = match n % 4 {
            3 => format!("2001:db8::{n:x}"),
            _ => format!("192.0.2.{n}"),
        };
        let (minute, second) = (n % 60, n * 7 % 60);
        let iso = format!("2026-03-04 05:{minute:02}:{second:02}");
        let syslog = format!("Mar  4 05:{minute:02}:{second:02} host");
        let stamp = if n % 2 == 0 {
            format!("[{iso}]")
        } else {
            format!("[Mar  4 05:{minute:02}:{second:02}]")
        };
        let port = 1024 + n;
        let pid = 100 + n / 3;
        let mut add = |name: &str, text: String| {
            let log = logs.iter_mut().find(|(known, _)| *known == name).unwrap();
            log.1.push(text);
        };
        add(
            "asterisk",
            format!(
                "{stamp} NOTICE[{n}][C-0000{n:04x}] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from \
            '\"a' b\" <sip:{n}@pbx>' failed for '{who}:{port}' (callid: x{n}) - Failed to authenticate"
            ),
        );
        add(
            "asterisk",
            format!(
                "{stamp} VERBOSE[{n}] app_dial.c: SIP/{n} answered, '{who}' - No matching endpoint found"
            ),
        );
        add(
            "freeswitch",
            format!(
                "{iso}.{n:06} [WARNING] sofia_reg.c:1792 SIP auth failure (REGISTER) on sofia profile \
            'internal' for [{n}@pbx.example] from ip {who}"
            ),
        );
        add(
            "freeswitch",
            format!("{iso}.{n:06} [NOTICE] sofia_reg.c:1 SIP auth failure (REGISTER) from ip {who}"),
        );
        add(
            "sshd",
            format!(
                "{syslog} sshd[{pid}]: Failed password for invalid user u{n} from 192.0.2.{n} port {port} ssh2"
            ),
        );
        add(
            "sshd",
            format!("{syslog} sshd[{pid}]: Connection closed by {who} port {port} [preauth]"),
        );
        add(
            "sshd",
            format!("{syslog} sshd[{pid}]: Server listening on {who} port 22."),
        );
        add(
            "recidive",
            format!("{iso},{n:03} fail2ban.actions        [{pid}]: NOTICE  [sshd] Ban {who}"),
        );
        add(
            "recidive",
            format!("{iso},{n:03} fail2ban.actions        [{pid}]: NOTICE  [recidive] Ban {who}"),
        );
        add(
            "dovecot",
            format!(
                "{syslog} dovecot: imap-login: Disconnected (auth failed, {n} attempts in 2 secs): \
            user=<a{n}>, method=PLAIN, rip={who}, lip=192.0.2.1, TLS"
            ),
        );
        add(
            "dovecot",
            format!("{syslog} dovecot: imap-login: Login: user=<a{n}>, method=PLAIN, rip={who}"),
        );
        add(
            "postfix",
            format!(
                "{syslog} postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{who}]: 554 5.7.1 \
            <a@b>: Relay access denied; from=<x@y> to=<a@b> proto=ESMTP helo=<z>"
            ),
        );
        add(
            "postfix",
            format!("{syslog} postfix/smtpd[{pid}]: connect from unknown[{who}]"),
        );
        add(
            "nginx-http-auth",
            format!(
                "{} [error] {n}#0: *{n} user \"a\" was not found in \"/etc/x\", client: {who}, \
            server: _, request: \"GET / HTTP/1.1\", host: \"h\"",
                iso.replace('-', "/")
            ),
        );
        add(
            "nginx-http-auth",
            format!(
                "{} [warn] {n}#0: *{n} user \u{fffd} é, client: {who}",
                iso.replace('-', "/")
            ),
        );
    }
    logs
}

/// Both answers for a log; what differs is added to `different`.
fn compare(log: &Path, filter: &str, different: &mut String) -> Answer {
    let (ours, theirs) = (ours(log, filter), theirs(log, filter));
    if ours != theirs {
        let _ = writeln!(
            different,
            "{filter} on {}:\n  ours   {ours:?}\n  theirs {theirs:?}",
            log.display()
        );
    }
    ours
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}
