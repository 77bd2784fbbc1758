//! What `[[tenant]]` becomes, from files and from the environment.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

#[path = "config/common.rs"]
mod common;

use common::{Folder, PBX};
use ringfence::engine::{Names, Pattern};
use ringfence_event::Span;

#[test]
fn tenants_arrive_with_the_shared_values_changed() {
    let folder = Folder::new();
    folder.write(
        "conf.d/beta.toml",
        0o640,
        "[[tenant]]\nname = \"beta\"\nmatch = { profile = \"External\", account = [\"B-*\", \"7??\"] }\n",
    );
    let text = format!(
        r#"{PBX}
        [jail.auth]
        findtime = "30m"
        [[tenant]]
        name = "acme"
        match = {{ domain = "*.ACME.example", realm = ["acme"] }}
        ignoreip = ["198.51.100.0/24", "2001:db8::7", "198.51.100.0/24"]
        [tenant.jail.auth]
        maxretry = 3
        increment = false
        [tenant.jail.flood]
        enabled = false
        "#
    );
    folder.write("ringfence.toml", 0o640, text);
    let env = [
        ("RINGFENCE__TENANT__BETA__JAIL__AUTH__BANTIME", "2h"),
        ("RINGFENCE__TENANT__GAMMA__MATCH__REALM", "gamma, delta"),
    ];
    let (config, warnings) = folder.load_with(&env).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let tenants = config.policy.tenants;
    let names: Vec<&str> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["acme", "beta", "gamma"]);
    let ignored: Vec<String> = tenants[0].ignore.iter().map(ToString::to_string).collect();
    assert_eq!(ignored, ["198.51.100.0/24", "2001:db8::7/128"]);
    assert_eq!(
        tenants[0].names,
        Names {
            domain: vec![Pattern::folded("*.acme.example")],
            realm: vec![Pattern::folded("acme")],
            ..Names::default()
        }
    );
    let [auth, flood] = &tenants[0].jails[..] else {
        unreachable!("two jails are said")
    };
    assert_eq!(
        (auth.maxretry, auth.findtime, auth.escalation, auth.enabled),
        (3, Span::from_secs(1800), None, true)
    );
    assert_eq!((flood.name.as_str(), flood.enabled), ("flood", false));
    assert_eq!(
        tenants[1].names,
        Names {
            profile: vec![Pattern::folded("external")],
            account: vec![Pattern::exactly("B-*"), Pattern::exactly("7??")],
            ..Names::default()
        }
    );
    assert_eq!(tenants[1].jails[0].bantime, Span::from_secs(7200));
    assert_eq!(tenants[2].names.realm.len(), 2);
    assert!(config.policy.jails.iter().all(|jail| jail.enabled));
}

#[test]
fn a_tenant_that_never_gets_an_attempt_is_a_warning() {
    let tenants = |matches: &[&str]| {
        let list = matches.iter().zip(0..);
        let list = list.map(|(names, n)| format!("[[tenant]]\nname = \"t{n}\"\nmatch = {{ {names} }}\n"));
        let (_, warnings) = Folder::new()
            .load(format!("{PBX}{}", list.collect::<String>()))
            .unwrap();
        let messages: Vec<String> = warnings.into_iter().map(|warning| warning.message).collect();
        messages
    };
    let never = ["tenant `t1` never gets an attempt"];
    assert_eq!(
        tenants(&["domain = \"*.example\"", "domain = \"a.example\""]),
        never
    );
    assert_eq!(
        tenants(&["domain = [\"*\"]", "domain = \"?.x\", account = \"1*\""]),
        never
    );
    assert_eq!(
        tenants(&["profile = \"p\"", "profile = \"P\", realm = \"x\""]),
        never
    );
    for fine in [
        ["domain = \"a.example\"", "domain = \"*.example\""],
        ["domain = \"*.example\"", "realm = \"a.example\""],
        // a domain that stands for a realm is not the domain
        ["domain = \"*\"", "domain = \"a.example\", realm = \"x\""],
        ["account = \"A\"", "account = \"a\""],
        ["account = \"1*\"", "domain = \"x\""],
    ] {
        assert!(tenants(&fine).is_empty(), "{fine:?}");
    }
}

#[test]
fn a_thousand_tenants_are_possible_and_one_more_is_not() {
    let tenants = |count: usize| {
        let list =
            (0..count).map(|n| format!("[[tenant]]\nname = \"t{n}\"\nmatch.realm = \"t{n}.example\"\n"));
        Folder::new().load(format!("{PBX}{}", list.collect::<String>()))
    };
    assert_eq!(tenants(1000).unwrap().0.policy.tenants.len(), 1000);
    let shown = tenants(1001).unwrap_err().to_string();
    assert!(
        shown.contains("1001 tenants are too many") && shown.contains("at most 1000"),
        "{shown}"
    );
}
