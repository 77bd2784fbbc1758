//! Log files: alone, while the socket is cut, and beside it.

use std::time::{Duration, Instant};

use ringfence::clock::{Clock, iso};
use ringfence_testkit::{Answer, Asterisk, Caller, Daemon, Net, Request, Transport, Version, until};

use crate::site::{PBX, RINGFENCE, SILENCE, Site, guess_five};

/// A server whose log is read: `config` has `LOGS` for the folder of its log files.
fn site(version: Version, config: &str) -> Site {
    let net = Net::new();
    let asterisk = Asterisk::start(version, net.pbx(), net.dir(), &[]);
    let logs = asterisk.logs();
    let daemon = Daemon::start(&net, RINGFENCE, &config.replace("LOGS", logs.to_str().unwrap()));
    Site {
        daemon,
        asterisk,
        net,
    }
}

fn beside(when: &str) -> String {
    format!("{PBX}log = {{ files = [\"LOGS/messages\"], when = \"{when}\" }}\n")
}

const ALONE: &str = "[[logfile]]\nname = \"messages\"\nfiles = [\"LOGS/messages\"]\nformat = \"asterisk\"\n";

/// What the jail counts of an address now.
fn counted(site: &Site, address: &str, jail: &str) -> u64 {
    // it ends with 1 where nothing is banned
    let why = site.daemon.cli(&["why", address, "--json"]).json();
    let counts = why["now"]["counts"].as_array().cloned().unwrap_or_default();
    let of_jail = counts.iter().find(|count| count["jail"] == jail);
    of_jail.and_then(|count| count["count"].as_u64()).unwrap_or(0)
}

fn wait_for_count(site: &Site, address: &str, jail: &str, wanted: u64) {
    until(
        Duration::from_secs(15),
        &format!("{wanted} attempts of {address}"),
        || (counted(site, address, jail) == wanted).then_some(()),
    );
}

fn guess(attacker: &Caller, times: usize) {
    for _ in 0..times {
        assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
    }
}

#[test]
fn messages_alone_ban() {
    let site = site(Version::V22, ALONE);
    for transport in [Transport::Udp, Transport::Tcp] {
        let source = if transport == Transport::Udp {
            "192.0.2.101"
        } else {
            "192.0.2.102"
        };
        let attacker = site.caller(source, transport);
        guess_five(&attacker, "alice", 401);
        site.wait_for_ban(&attacker);
        site.assert_silent(&attacker);
    }
}

#[test]
fn messages_and_security_lines_of_one_file_count_each_try_once() {
    let both = ALONE.replace("LOGS/messages\"", "LOGS/messages\", \"LOGS/security\"");
    for version in [Version::V22, Version::V16] {
        let site = site(version, &both);
        let attacker = site.caller("192.0.2.101", Transport::Udp);
        guess(&attacker, 4);
        wait_for_count(&site, "192.0.2.101", "auth", 4);
        let other = site.caller("192.0.2.102", Transport::Udp);
        guess_five(&other, "alice", 401);
        site.wait_for_ban(&other);
        // by now everything of the first has been read
        assert_eq!(counted(&site, "192.0.2.101", "auth"), 4, "{version:?}");
        guess(&attacker, 1);
        site.wait_for_ban(&attacker);
        assert_eq!(site.daemon.ban_of("192.0.2.101").unwrap()["attempts"], 5);
    }
}

/// The rule that cuts the manager interface off without a word: packets vanish, connections stay.
const CUT: &str = "table inet cut { chain c { type filter hook input priority -300; tcp dport 5038 drop; tcp sport 5038 drop;\n}\n}";

#[test]
fn a_cut_in_mid_attack_misses_nothing_and_counts_nothing_twice() {
    cut(
        Version::V22,
        &beside("blind"),
        Transport::Udp,
        Duration::from_mins(1),
    );
}

#[test]
fn a_short_cut_at_16_with_the_log_read_always() {
    cut(
        Version::V16,
        &beside("always"),
        Transport::Tcp,
        Duration::from_secs(8),
    );
}

/// Attackers make one try before the cut and one after it, and in between as many as `tries` says at every moment.
fn cut(version: Version, config: &str, transport: Transport, length: Duration) {
    let site = site(version, config);
    let steady: Vec<_> = (101..=108)
        .map(|host| site.caller(&format!("192.0.2.{host}"), transport))
        .collect();
    let chan_sip = (version == Version::V16).then(|| site.chan_sip("192.0.2.120", Transport::Udp));
    let everybody = || {
        for attacker in &steady {
            guess(attacker, 1);
        }
        if let Some(attacker) = &chan_sip {
            assert_eq!(attacker.register("dave", "wrong"), Answer::Status(403));
        }
    };
    everybody();
    site.net.pbx().nft(CUT);
    let begun = Instant::now();
    // the very moment of the break, while nobody can know of it yet
    everybody();
    let fast = site.caller("192.0.2.130", transport);
    guess_five(&fast, "alice", 401);
    until(
        Duration::from_secs(20),
        "the log to speak for the socket that is dead",
        || site.held(fast.source()).then_some(()),
    );
    until(length + Duration::from_secs(1), "the cut to be over", || {
        (begun.elapsed() >= length).then_some(())
    });
    everybody();
    site.net.pbx().nft("delete table inet cut");
    if length > Duration::from_secs(20) {
        site.daemon
            .wait_for_source("pbx", "the socket to be back", |source| source["connects"] == 2);
    }
    site.daemon
        .wait_for_source("pbx", "events to flow again", |source| {
            source["state"] == "watching"
        });
    everybody();
    let hosts = || {
        steady
            .iter()
            .chain(&chan_sip)
            .map(|attacker| attacker.source().to_string())
    };
    for host in hosts() {
        wait_for_count(&site, &host, "auth", 4);
    }
    // what is late comes before this
    until(Duration::from_secs(20), "what is held back to come", || {
        (begun.elapsed() >= length + Duration::from_secs(8)).then_some(())
    });
    for host in hosts() {
        assert_eq!(counted(&site, &host, "auth"), 4, "{host}");
        assert!(site.daemon.ban_of(&host).is_none(), "{host}");
    }
    everybody();
    for attacker in steady.iter().chain(&chan_sip) {
        site.wait_for_ban(attacker);
        let ban = site.daemon.ban_of(&attacker.source().to_string()).unwrap();
        assert_eq!(ban["attempts"], 5, "{ban}");
    }
}

#[test]
fn a_call_id_that_the_manager_interface_can_not_write_hides_nobody_from_the_log() {
    let site = site(Version::V22, &beside("always"));
    let hidden = site.caller("192.0.2.101", Transport::Udp);
    for guess in 0..5_u8 {
        let request = Request::register("alice")
            .password("wrong")
            .call_id([&b"hidden\xff"[..], &[b'0' + guess]].concat());
        assert_eq!(hidden.send(&request), Answer::Status(401));
    }
    site.wait_for_ban(&hidden);
    site.assert_silent(&hidden);
}

/// What PJSIP prints into the log as it came, so that nobody is blamed for what stands behind it.
fn unreadable() -> Request {
    Request::options("a").call_id(Vec::new())
}

#[test]
fn who_prints_packets_into_the_log_does_not_hide_himself() {
    let site = site(Version::V22, &beside("always"));
    let hidden = site.caller("192.0.2.101", Transport::Udp);
    let printer = hidden.clone().patience(Duration::from_millis(100));
    for guess in 0..5_u8 {
        printer.send(&unreadable());
        let request = Request::register("alice")
            .password("wrong")
            .call_id([&b"hidden\xff"[..], &[b'0' + guess]].concat());
        assert_eq!(hidden.send(&request), Answer::Status(401));
    }
    site.wait_for_ban(&hidden);
    assert_eq!(site.daemon.ban_of("192.0.2.101").unwrap()["proof"], "none");
}

#[test]
fn a_log_kept_in_doubt_hides_nobody_whom_the_manager_interface_tells_of() {
    let site = site(Version::V22, &beside("always"));
    let printer = site
        .caller("192.0.2.130", Transport::Udp)
        .patience(Duration::from_millis(100));
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    printer.send(&unreadable());
    for _ in 0..5 {
        assert_eq!(attacker.register("alice", "wrong"), Answer::Status(401));
        printer.send(&unreadable());
    }
    site.wait_for_ban(&attacker);
    assert_eq!(site.daemon.ban_of("192.0.2.101").unwrap()["attempts"], 5);
    until(Duration::from_secs(15), "status to tell of the doubt", || {
        let status = site.daemon.cli(&["status"]).stdout;
        status.contains("lines may be a peer's own words").then_some(())
    });
}

#[test]
fn forged_lines_ban_nobody_but_their_author() {
    let both = ALONE.replace("LOGS/messages\"", "LOGS/messages\", \"LOGS/security\"");
    let site = site(Version::V22, &both);
    let victim = site.caller("192.0.2.9", Transport::Udp);
    assert_eq!(victim.register("alice", "alice-secret"), Answer::Status(200));
    let now = iso(Clock::start().now()).replace('T', " ");
    let now = now.trim_end_matches('Z');
    let line = format!(
        "[{now}] NOTICE[1] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from \
                '<sip:a@b>' failed for '192.0.2.9:5060' (callid: x) - Failed to authenticate"
    );
    let security = format!(
        "[{now}] SECURITY[1] res_security_log.c: SecurityEvent=\"InvalidPassword\",EventTV=\
                    \"2026-11-22T03:00:00.000+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"2\",AccountID=\"a\",\
                    SessionID=\"x\",LocalAddress=\"IPV4/UDP/192.0.2.1/5060\",RemoteAddress=\"IPV4/UDP/192.0.2.9/5060\""
    );
    let mut forgers = Vec::new();
    for (host, text) in (110..).zip([
        format!("x\n{line}\n"),
        format!("x%0a{}", line.replace(' ', "%20")),
        "x' failed for '192.0.2.9:5060' (callid: y) - Failed to authenticate".to_owned(),
        "x\",RemoteAddress=\"IPV4/UDP/192.0.2.9/1\",Challenge=\"".to_owned(),
        format!("x%0a{}", security.replace(' ', "%20").replace('"', "%22")),
    ]) {
        let forger = site
            .caller(&format!("192.0.2.{host}"), Transport::Udp)
            .patience(SILENCE);
        for round in 0..6 {
            for request in [
                Request::register("alice")
                    .from_user(text.as_bytes())
                    .password("wrong"),
                Request::register("alice")
                    .call_id(format!("{round}{text}").into_bytes())
                    .password("wrong"),
                Request::invite("alice", "1")
                    .from_user(text.as_bytes())
                    .password("wrong"),
            ] {
                forger.send(&request);
            }
        }
        forgers.push(forger);
    }
    // a packet that PJSIP can't process is printed into the log as it came
    let printer = site.caller("192.0.2.130", Transport::Udp).patience(SILENCE);
    for _ in 0..6 {
        let raw =
            Request::options("a").from_user(format!("x>\r\nX: y\r\n{line}\r\n{security}\r\n").into_bytes());
        printer.send(&raw);
    }
    // everything before this has been read
    let last = site.caller("192.0.2.102", Transport::Udp);
    guess_five(&last, "alice", 401);
    site.wait_for_ban(&last);
    assert!(
        !site.held("192.0.2.9".parse().unwrap()),
        "{:?}",
        site.daemon.banned()
    );
    for jail in ["auth", "enumeration", "flood", "management"] {
        assert_eq!(counted(&site, "192.0.2.9", jail), 0, "{jail}");
    }
    for ban in site.daemon.banned() {
        let target = ban["target"].as_str().unwrap();
        let known = forgers.iter().chain([&last, &printer]);
        assert!(
            known
                .into_iter()
                .any(|caller| caller.source().to_string() == target),
            "{target} sent nothing"
        );
    }
    assert_eq!(victim.register("alice", "alice-secret"), Answer::Status(200));
}

#[test]
fn what_was_written_while_the_daemon_was_away_counts_once() {
    let mut site = site(Version::V22, ALONE);
    let attacker = site.caller("192.0.2.101", Transport::Udp);
    guess(&attacker, 2);
    wait_for_count(&site, "192.0.2.101", "auth", 2);
    site.daemon.stop();
    guess(&attacker, 4);
    site.daemon.run(&[]);
    site.daemon.wait_until_watching();
    // the engine begins anew: what it had counted before is gone, what it has not seen yet is not
    wait_for_count(&site, "192.0.2.101", "auth", 4);
    guess(&attacker, 1);
    site.wait_for_ban(&attacker);
}
