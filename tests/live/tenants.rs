//! Customers of one node, each with values and trusted addresses of its own, and one kernel that can't tell them apart.

mod cluster;

use self::cluster::{Cluster, lenient, strict, tenant};

/// Attackers.
const ANN: &str = "192.0.2.101";
const BEN: &str = "192.0.2.102";
const CAT: &str = "192.0.2.103";
const DAN: &str = "192.0.2.104";
/// Both are trusted by the tenant `lenient`.
const OFFICE: &str = "192.0.2.50";
const BRANCH: &str = "192.0.2.51";
/// A phone that never did anything wrong.
const PHONE: &str = "192.0.2.59";

/// The attackers' target that belongs to no tenant.
const ELSEWHERE: &str = "else.example";

#[test]
fn each_tenant_bans_at_its_own_number_for_its_own_time() {
    let cluster = Cluster::new("", &(strict() + &lenient()));
    for (source, domain, number, hours, labels) in [
        (ANN, "a.strict.example", 3, 2, vec!["strict"]),
        (BEN, "b.lenient.example", 20, 1, vec!["lenient"]),
        (CAT, ELSEWHERE, 5, 1, vec![]),
    ] {
        cluster.guess(source, domain, number - 1);
        cluster.assert_free(source);
        cluster.guess(source, domain, 1);
        cluster.assert_banned(source, hours);
        assert_eq!(cluster.labels(source), labels, "{source}");
        assert_eq!(cluster.daemon.ban_of(source).unwrap()["attempts"], number);
    }
    cluster.assert_free(PHONE);
}

#[test]
fn a_spread_over_tenants_is_one_attack() {
    let cluster = Cluster::new("", &(strict() + &lenient()));
    // two thirds and six twentieths; the seventh makes it a whole
    cluster.guess(ANN, "strict.example", 2);
    cluster.guess(ANN, "lenient.example", 6);
    cluster.assert_free(ANN);
    cluster.guess(ANN, "lenient.example", 1);
    // by the values of the tenant with the greatest share
    cluster.assert_banned(ANN, 2);
    assert_eq!(cluster.labels(ANN), ["strict", "lenient"]);
    // nobody's two fifths are more than the third of one tenant
    cluster.guess(BEN, ELSEWHERE, 2);
    cluster.guess(BEN, "strict.example", 1);
    cluster.guess(BEN, "lenient.example", 5);
    cluster.assert_free(BEN);
    cluster.guess(BEN, "lenient.example", 1);
    cluster.assert_banned(BEN, 1);
    assert_eq!(cluster.labels(BEN), ["strict", "lenient"]);
}

#[test]
fn whom_a_tenant_trusts_is_banned_only_after_attacking_it_too() {
    let top = "ignoreip = [\"192.0.2.150\"]";
    let cluster = Cluster::new(top, &(strict() + &lenient()));
    // what it does to the tenant that trusts it never bans
    cluster.guess(OFFICE, "lenient.example", 25);
    cluster.guess(OFFICE, "strict.example", 2);
    cluster.assert_free(OFFICE);
    // what it does to others neither
    cluster.guess(BRANCH, "strict.example", 10);
    cluster.assert_free(BRANCH);
    let why = cluster.why(BRANCH);
    let trust = "It is banned only if it also attacks tenant lenient (its ignoreip has 192.0.2.48/29)";
    assert!(why.contains(trust), "{why}");
    let held_back = "ignore 192.0.2.51: it reached jail auth, but is in the ignoreip of a tenant that it has not \
                     attacked: lenient";
    assert_eq!(
        cluster.daemon.log().matches(held_back).count(),
        1,
        "once per findtime"
    );
    let order = cluster.daemon.cli(&["ban", BRANCH]);
    assert!(
        order.code != Some(0) && order.stderr.contains("lenient"),
        "{order:?}"
    );
    cluster.assert_free(BRANCH);
    // both, each by its own number
    cluster.guess(BRANCH, "lenient.example", 19);
    cluster.guess(BRANCH, "strict.example", 1);
    cluster.assert_free(BRANCH);
    cluster.guess(BRANCH, "lenient.example", 1);
    cluster.assert_banned(BRANCH, 2);
    assert_eq!(cluster.labels(BRANCH), ["strict", "lenient"]);
    cluster.guess(OFFICE, "strict.example", 1);
    cluster.assert_banned(OFFICE, 2);
    // the site's own list is above all tenants
    let trunk = "192.0.2.150";
    cluster.guess(trunk, "strict.example", 5);
    cluster.guess(trunk, "lenient.example", 25);
    cluster.guess(trunk, ELSEWHERE, 10);
    cluster.assert_free(trunk);
    let why = cluster.why(trunk);
    assert!(
        why.contains("It is never banned: ignoreip has 192.0.2.150/32"),
        "{why}"
    );
}

#[test]
fn names_that_disagree_get_nobodys_leniency() {
    let hotel = tenant("hotel", "profile = \"hotel\"", "", "maxretry = 8");
    let cluster = Cluster::new("", &(hotel + &lenient()));
    let forced = ("a.lenient.example", "forced.example");
    // the profile is the node's own word: realm and domain may differ
    cluster.guess_forced(ANN, "hotel", forced, 7);
    cluster.assert_free(ANN);
    cluster.guess_forced(ANN, "hotel", forced, 1);
    cluster.assert_banned(ANN, 1);
    assert_eq!(cluster.labels(ANN), ["hotel"]);
    // elsewhere realm and domain are the peer's: one of the two alone gains it nothing, not even trust
    for (source, names) in [
        (BEN, forced),
        (CAT, ("forced.example", "lenient.example")),
        (OFFICE, forced),
    ] {
        cluster.guess_forced(source, "internal", names, 4);
        cluster.assert_free(source);
        let why = cluster.why(source);
        let but = if source == OFFICE {
            "which trusts it: only those whose realm and domain disagree lead to a ban, 4 of them"
        } else {
            "the stricter values hold for 4 whose realm and domain disagree"
        };
        assert!(why.contains("Jail auth: 4 counted, 80 % of what bans\n"), "{why}");
        assert!(why.contains(&format!("at tenant lenient, {but}\n")), "{why}");
        cluster.guess_forced(source, "internal", names, 1);
        cluster.assert_banned(source, 1);
        assert_eq!(cluster.labels(source), ["lenient"], "{source}");
    }
}

#[test]
fn accounts_of_an_asterisk_lead_to_tenants() {
    let callcentre = tenant(
        "callcentre",
        "account = [\"cc-*\", \"agent??\"]",
        "",
        "maxretry = 2\nbantime = \"3h\"",
    );
    let cluster = Cluster::new("", &(callcentre + &strict()));
    cluster.guess_at_asterisk(ANN, "cc-17", 1);
    cluster.assert_free(ANN);
    cluster.guess_at_asterisk(ANN, "agent07", 1);
    cluster.assert_banned(ANN, 3);
    assert_eq!(cluster.labels(ANN), ["callcentre"]);
    // upper and lower case of accounts differ
    cluster.guess_at_asterisk(BEN, "CC-17", 4);
    cluster.assert_free(BEN);
    cluster.guess_at_asterisk(BEN, "agent7", 1);
    cluster.assert_banned(BEN, 1);
    assert_eq!(cluster.labels(BEN), [""; 0]);
    // a half there, and a third twice at the other PBX
    cluster.guess_at_asterisk(CAT, "cc-1", 1);
    cluster.guess(CAT, "strict.example", 1);
    cluster.assert_free(CAT);
    cluster.guess(CAT, "strict.example", 1);
    cluster.assert_banned(CAT, 2);
    assert_eq!(cluster.labels(CAT), ["strict", "callcentre"]);
}

#[test]
fn a_reload_keeps_counts_and_labels_by_name() {
    let cluster = Cluster::new("", &(strict() + &lenient()));
    cluster.guess(ANN, "strict.example", 2);
    cluster.guess(BEN, "lenient.example", 19);
    cluster.guess(CAT, "strict.example", 3);
    cluster.guess(DAN, "strict.example", 2);
    // one more, and in another order
    let early = tenant("early", "domain = \"early.example\"", "", "maxretry = 2");
    cluster.reload(&(early + &lenient() + &strict()));
    for source in [ANN, BEN] {
        cluster.assert_free(source);
    }
    cluster.assert_banned(CAT, 2);
    cluster.guess(ANN, "strict.example", 1);
    cluster.assert_banned(ANN, 2);
    cluster.guess(BEN, "lenient.example", 1);
    cluster.assert_banned(BEN, 1);
    for (source, label) in [(ANN, "strict"), (BEN, "lenient"), (CAT, "strict")] {
        assert_eq!(cluster.labels(source), [label]);
    }
    // under another name it is another tenant: the two thirds become nobody's two fifths
    cluster.reload(&strict().replace("\"strict\"", "\"severe\""));
    cluster.guess(DAN, "strict.example", 1);
    cluster.assert_free(DAN);
    cluster.guess(DAN, "strict.example", 1);
    cluster.assert_banned(DAN, 2);
    assert_eq!(cluster.labels(DAN), ["severe"]);
    assert_eq!(cluster.labels(CAT), ["strict"], "by whom it was decided");
    // a tenant that begins to trust has what others decided lifted, not what was done to itself
    cluster.reload(&(strict() + &lenient()).replace("192.0.2.48/29", "192.0.2.96/28"));
    for source in [ANN, CAT, DAN] {
        cluster.assert_lifted(source);
    }
    cluster.assert_banned(BEN, 1);
    // and without tenants all is as it was before there were any
    cluster.reload("");
    cluster.guess("192.0.2.105", "strict.example", 4);
    cluster.assert_free("192.0.2.105");
    cluster.guess("192.0.2.105", "lenient.example", 1);
    cluster.assert_banned("192.0.2.105", 1);
    assert_eq!(cluster.labels("192.0.2.105"), [""; 0]);
}

#[test]
fn a_restart_keeps_bans_labels_and_protection() {
    let both = strict() + &lenient();
    let mut cluster = Cluster::new("", &both);
    cluster.guess(ANN, "strict.example", 3);
    cluster.guess(OFFICE, "lenient.example", 20);
    cluster.guess(OFFICE, "strict.example", 3);
    cluster.guess(BEN, "lenient.example", 20);
    let labels = |cluster: &Cluster| [ANN, OFFICE, BEN].map(|source| cluster.labels(source));
    for (source, hours) in [(ANN, 2), (OFFICE, 2), (BEN, 1)] {
        cluster.assert_banned(source, hours);
    }
    let before = labels(&cluster);
    assert_eq!(
        before,
        [vec!["strict"], vec!["strict", "lenient"], vec!["lenient"]]
    );

    cluster.crash(&both);
    for (source, hours) in [(ANN, 2), (OFFICE, 2), (BEN, 1)] {
        cluster.assert_banned(source, hours);
    }
    assert_eq!(labels(&cluster), before);
    // the branch is protected as before
    cluster.guess(BRANCH, "strict.example", 5);
    cluster.assert_free(BRANCH);

    // while the daemon was down, a tenant began to trust two that others had banned
    let trusting = both.replace("192.0.2.48/29", "192.0.2.96/28");
    cluster.crash(&trusting);
    cluster.assert_lifted(ANN);
    cluster.assert_banned(BEN, 1);
    cluster.assert_banned(OFFICE, 2);
}
