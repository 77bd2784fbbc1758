//! What an admin of a node with several customers sees of them; and that nothing of it is seen where there are none.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Output;

use ringfence_testkit::{FakeFreeswitch, fs_events};

use super::stage::Stage;

/// `strict` has auth of its own, and enumeration off; `lenient` trusts an address; `spare` is never attacked and alone has the
/// jail that is off for the others.
const TENANTS: &str = r#"
[jail.management]
enabled = false
[[tenant]]
name = "strict"
match = { domain = "strict.example" }
[tenant.jail.auth]
maxretry = 3
bantime = "2h"
[tenant.jail.enumeration]
enabled = false
[[tenant]]
name = "lenient"
match = { domain = "*.lenient.example" }
ignoreip = ["192.0.2.50"]
[tenant.jail.auth]
maxretry = 20
[[tenant]]
name = "spare"
match = { profile = "spare" }
[tenant.jail.management]
enabled = true
"#;

struct Node {
    stage: Stage,
    fs: FakeFreeswitch,
}

impl Node {
    fn watching(tables: &str) -> Self {
        let fs = FakeFreeswitch::start(None, "ClueCon");
        let mut stage = Stage::new();
        stage.pbxes = Some(format!(
            "[[freeswitch]]\nname = \"fs1\"\naddress = \"{}\"\npassword = \"ClueCon\"\n",
            fs.address()
        ));
        stage.tables = tables.into();
        stage.start();
        stage.wait_for_state("watching");
        Self { stage, fs }
    }

    /// As many wrong passwords for an account of `domain`, judged when this returns.
    fn guess(&self, peer: &str, domain: &str, times: u64) {
        let events = || self.stage.json(&["status"])["engine"]["events"].as_u64().unwrap();
        let before = events();
        for n in 0..times {
            let call = format!("{before}-{n}@{peer}");
            let told = fs_events::brute_force_try(at(peer), "1000", domain, &call);
            assert!(self.fs.inject(&told) > 0);
        }
        self.stage
            .until("the guesses are judged", |_| events() >= before + 2 * times);
    }

    fn said(&self, arguments: &[&str]) -> String {
        text(&self.stage.cli(arguments))
    }
}

fn at(peer: &str) -> SocketAddr {
    SocketAddr::new(peer.parse().unwrap(), 5060)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The words of the line that begins with this one.
fn row<'t>(text: &'t str, first: &str) -> Vec<&'t str> {
    let rows = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.into_iter()
        .find(|row| row.first() == Some(&first))
        .unwrap_or_else(|| panic!("no line of {first} in\n{text}"))
}

#[test]
fn a_ban_names_those_who_were_attacked() {
    let node = Node::watching(TENANTS);
    node.guess("192.0.2.101", "strict.example", 3);
    node.guess("192.0.2.102", "strict.example", 2);
    node.guess("192.0.2.102", "a.lenient.example", 7);
    node.guess("192.0.2.103", "else.example", 5);

    let banned = node.stage.json(&["banned"]);
    let labels = |at: usize| banned[at]["tenants"].clone();
    assert_eq!(labels(0), serde_json::json!(["strict"]));
    assert_eq!(labels(1), serde_json::json!(["strict", "lenient"]));
    assert!(labels(2).is_null(), "{banned}");
    let said = node.said(&["banned"]);
    assert!(said.lines().next().unwrap().ends_with("TENANTS"), "{said}");
    assert!(
        row(&said, "192.0.2.102").ends_with(&["strict", "lenient"]),
        "{said}"
    );
    assert_eq!(row(&said, "192.0.2.103").last(), Some(&"-"), "{said}");

    let why = node.stage.json(&["why", "192.0.2.102"]);
    let ban = &why["now"]["bans"][0];
    assert_eq!(ban["evidence"]["tenants"], labels(1));
    assert_eq!(ban["evidence"]["events"][5]["tenant"], "lenient");
    let said = node.said(&["why", "192.0.2.102"]);
    assert!(
        said.contains("9 counted, proof none, tenants strict lenient, "),
        "{said}"
    );
    let said = node.said(&["why", "192.0.2.101"]);
    assert!(said.contains("3 counted, proof none, tenant strict, "), "{said}");

    let log = node.stage.log();
    for line in [
        "ban 192.0.2.101 for 2h: jail auth, 3 counted, proof none, tenant strict",
        "ban 192.0.2.102 for 2h: jail auth, 9 counted, proof none, tenants strict lenient",
        "ban 192.0.2.103 for 1h: jail auth, 5 counted, proof none",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

#[test]
fn why_says_how_near_a_ban_is_and_who_holds_it_back() {
    let node = Node::watching(TENANTS);
    // ten of twenty are half a ban, although the shared number is five
    node.guess("192.0.2.101", "a.lenient.example", 10);
    node.guess("192.0.2.101", "else.example", 1);
    let why = node.stage.json(&["why", "192.0.2.101"]);
    let auth = &why["now"]["counts"][0];
    assert_eq!(
        (&auth["jail"], &auth["count"], &auth["share"]),
        (&"auth".into(), &11.into(), &70.into())
    );
    assert_eq!(
        auth["tenants"],
        serde_json::json!([
            { "tenant": "lenient", "count": 10, "maxretry": 20, "findtime_s": 600, "ignored": false, "mixed": 0 }
        ])
    );
    let said = node.said(&["why", "192.0.2.101"]);
    let counts = "Jail auth: 11 counted, 70 % of what bans\n  10 of 20 within 10m at tenant lenient\n";
    assert!(said.contains(counts), "{said}");
    assert!(!said.contains("only if it also attacks"), "{said}");

    // whom a tenant trusts
    node.guess("192.0.2.50", "a.lenient.example", 3);
    node.guess("192.0.2.50", "strict.example", 4);
    assert!(node.stage.banned().is_empty());
    let trust = "tenant lenient (its ignoreip has it)";
    let why = node.stage.json(&["why", "192.0.2.50"]);
    assert_eq!(why["now"]["trusted"], serde_json::json!([trust]));
    let said = node.said(&["why", "192.0.2.50"]);
    for line in [
        format!("It is banned only if it also attacks {trust}"),
        "Jail auth: 3 counted, 100 % of what bans".into(),
        "  3 of 3 within 10m at tenant strict".into(),
        "  3 of 20 within 10m at tenant lenient, which trusts it: they lead to no ban".into(),
    ] {
        assert!(said.lines().any(|said| *said == line), "{line}\n{said}");
    }
    let log = node.stage.log();
    let line = "ignore 192.0.2.50: it reached jail auth, but is in the ignoreip of a tenant that it has not attacked: lenient";
    assert!(log.contains(line), "{log}");

    let refused = node.stage.cli(&["ban", "192.0.2.48/29"]);
    assert_eq!(refused.status.code(), Some(77));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("192.0.2.50") && said.contains("lenient"), "{said}");
}

#[test]
fn status_counts_by_tenant_and_says_for_whom_a_jail_is_otherwise() {
    let mut node = Node::watching(TENANTS);
    node.guess("192.0.2.101", "strict.example", 3);
    node.guess("192.0.2.102", "a.lenient.example", 4);
    node.guess("192.0.2.103", "else.example", 5);
    let status = node.stage.json(&["status"]);
    assert_eq!(
        status["engine"]["tenants"],
        serde_json::json!([
            { "tenant": "strict", "counted": 3, "bans": 1, "banned": 1 },
            { "tenant": "lenient", "counted": 4, "bans": 0, "banned": 0 },
            { "tenant": "spare", "counted": 0, "bans": 0, "banned": 0 },
        ])
    );
    let said = node.said(&["status"]);
    for (first, rest) in [
        ("strict", &["3", "1", "1"]),
        ("lenient", &["4", "0", "0"]),
        ("spare", &["0", "0", "0"]),
    ] {
        assert_eq!(row(&said, first)[1..], *rest, "{said}");
    }
    for (jail, on) in [
        ("auth", vec!["yes"]),
        ("enumeration", vec!["yes,", "not", "for", "1", "tenant"]),
        ("management", vec!["only", "for", "1", "tenant"]),
    ] {
        let said = node.said(&["status", jail]);
        assert_eq!(row(&said, jail)[1..=on.len()], on, "{said}");
    }
    let jail = node.stage.json(&["status", "enumeration"]);
    assert_eq!((&jail["enabled"], &jail["otherwise"]), (&true.into(), &1.into()));
    assert!(node.stage.json(&["status", "auth"])["otherwise"].is_null());
    // the counts go with the names, whatever the order
    let (jail, tenants) = TENANTS.split_once("[[tenant]]").unwrap();
    let mut tables: Vec<&str> = tenants.split("[[tenant]]").collect();
    tables.reverse();
    node.stage.tables = format!("{jail}[[tenant]]{}", tables.join("[[tenant]]"));
    node.stage.configure();
    assert!(node.stage.cli(&["reload"]).status.success());
    let said = node.said(&["status"]);
    assert_eq!(row(&said, "strict")[1..], ["3", "1", "1"], "{said}");
    assert_eq!(row(&said, "lenient")[1..], ["4", "0", "0"], "{said}");
    assert!(
        said.find("spare").unwrap() < said.find("strict").unwrap(),
        "{said}"
    );
    // of many only those that were attacked are listed
    for n in 0..20 {
        let _ = write!(
            node.stage.tables,
            "[[tenant]]\nname = \"quiet{n}\"\nmatch = {{ domain = \"q{n}.example\" }}\n"
        );
    }
    node.stage.configure();
    assert!(node.stage.cli(&["reload"]).status.success());
    let said = node.said(&["status"]);
    assert_eq!(row(&said, "lenient")[1..], ["4", "0", "0"], "{said}");
    assert!(
        said.ends_with("\n21 tenants at which nothing was counted\n"),
        "{said}"
    );
    assert_eq!(
        node.stage.json(&["status"])["engine"]["tenants"]
            .as_array()
            .unwrap()
            .len(),
        23
    );
}

#[test]
fn check_names_the_tenants_in_their_order() {
    let node = Node::watching(TENANTS);
    let said = node.said(&["check"]);
    assert!(
        said.trim_end()
            .ends_with("4 jails, 3 tenants: strict lenient spare"),
        "{said}"
    );
    let record = node.stage.json(&["check"]);
    assert_eq!(
        record["tenants"],
        serde_json::json!(["strict", "lenient", "spare"])
    );
}

#[test]
fn a_recording_is_replayed_with_tenants() {
    let recorded = include_bytes!("../captures/freeswitch/register_badpw.narrow.raw");
    // an attacker on loopback would be ignored; the new address is as long as the old one
    let recorded = String::from_utf8(recorded.to_vec()).unwrap();
    let mut stage = Stage::new();
    let file = stage.home.path().join("recording");
    std::fs::write(&file, recorded.replace("127.0.0.2", "192.0.2.9")).unwrap();
    let replay = |stage: &Stage, more: &[&str]| {
        stage.configure();
        text(&stage.cli(&[&["replay", file.to_str().unwrap()], more].concat()))
    };
    stage.tables = "[jail.auth]\nmaxretry = 1\n".into();
    let replayed = replay(&stage, &[]);
    assert!(
        replayed.contains("ban 192.0.2.9 for 1h: jail auth, 1 counted, proof none\n"),
        "{replayed}"
    );
    stage.tables += "[[tenant]]\nname = \"recorded\"\nmatch = { domain = \"tenant-a.example\" }\n\
                     [tenant.jail.auth]\nbantime = \"3h\"\n";
    let replayed = replay(&stage, &[]);
    let ban = "ban 192.0.2.9 for 3h: jail auth, 1 counted, proof none, tenant recorded\n";
    assert!(replayed.contains(ban), "{replayed}");
    let records = replay(&stage, &["--json"]);
    let ban: serde_json::Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!(ban["tenants"], serde_json::json!(["recorded"]), "{records}");
}

#[test]
fn without_tenants_nothing_of_them_is_said() {
    let node = Node::watching("");
    node.guess("192.0.2.101", "else.example", 5);
    node.guess("192.0.2.102", "else.example", 2);
    for arguments in [
        &["banned"][..],
        &["status"],
        &["status", "auth"],
        &["why", "192.0.2.101"],
        &["why", "192.0.2.102"],
        &["check"],
    ] {
        let json = [arguments, &["--json"]].concat();
        for said in [node.said(arguments), node.said(&json)] {
            assert!(!said.is_empty());
            for word in ["tenant", "TENANT", "trusted", "otherwise"] {
                assert!(!said.contains(word), "{word} in {arguments:?}:\n{said}");
            }
        }
    }
    let said = node.said(&["why", "192.0.2.102"]);
    assert!(said.contains("Jail auth: 2 of 5 within 10m\n"), "{said}");
    let log = node.stage.log();
    assert!(
        log.contains("ban 192.0.2.101") && !log.contains("tenant"),
        "{log}"
    );
}
