//! Offices whose phones all come back at once, and phones with old nonces: never banned.

use super::{AuthResult, Block, DOMAIN, Nodes, SocketAddr, Try, kernel};

/// Phones behind one address.
const PHONES: u16 = 40;

fn phones(prefix: &str) -> Vec<Try> {
    (0..PHONES)
        .map(|number| {
            let peer = SocketAddr::new("192.0.2.51".parse().unwrap(), 20_000 + number);
            let user = format!("{}", 1000 + number);
            Try::register(peer, &user, DOMAIN, &format!("{prefix}-{number}"))
        })
        .collect()
}

fn challenged(phone: &Try) -> [Block; 2] {
    [phone.challenge_log().into(), phone.pre_register().into()]
}

fn answered(phone: &Try) -> [Block; 2] {
    [
        phone.register_attempt(AuthResult::Renewed).into(),
        phone.registered().into(),
    ]
}

#[test]
fn an_office_that_comes_back_at_once() {
    let nodes = Nodes::new(1, "");
    let count = u64::from(PHONES);
    for round in 0..3 {
        // each finishes before the next
        let one_by_one: Vec<Block> = phones(&format!("one-{round}"))
            .iter()
            .flat_map(Try::right_password)
            .collect();
        nodes.tell(0, &one_by_one, 2 * count);
        // all are challenged before the first answers
        let office = phones(&format!("all-{round}"));
        let mut worst: Vec<Block> = office.iter().flat_map(challenged).collect();
        worst.extend(office.iter().rev().flat_map(answered));
        nodes.tell(0, &worst, 2 * count);
    }
    assert!(kernel::elements(nodes.net.pbx()).is_empty());
    nodes.assert_nobody_else_is_banned();
    nodes.assert_passes("192.0.2.51".parse().unwrap());
}

#[test]
fn an_office_whose_phones_try_twice_after_an_outage() {
    let nodes = Nodes::new(1, "");
    let office = phones("outage");
    // each tries again in the same dialogue, its first challenge lost, then answers
    let tries: Vec<Block> = office
        .iter()
        .flat_map(|phone| {
            challenged(phone)
                .into_iter()
                .chain(challenged(phone))
                .chain(answered(phone))
        })
        .collect();
    nodes.tell(0, &tries, 3 * u64::from(PHONES));
    assert!(kernel::elements(nodes.net.pbx()).is_empty(), "one by one");
    // the same with all the first tries before all the second ones
    let office = phones("again");
    let mut worst: Vec<Block> = office.iter().flat_map(challenged).collect();
    worst.extend(
        office
            .iter()
            .flat_map(|phone| challenged(phone).into_iter().chain(answered(phone))),
    );
    nodes.tell(0, &worst, 3 * u64::from(PHONES));
    nodes.assert_nobody_else_is_banned();
    nodes.assert_passes("192.0.2.51".parse().unwrap());
}

#[test]
fn phones_with_old_nonces() {
    let nodes = Nodes::new(1, "");
    // each answers with a nonce that has expired, is challenged again, and answers that
    for round in 0..3 {
        let blocks: Vec<Block> = phones(&format!("stale-{round}"))
            .iter()
            .flat_map(|phone| {
                let stale: Block = phone.register_attempt(AuthResult::Stale).into();
                [stale]
                    .into_iter()
                    .chain(challenged(phone))
                    .chain(answered(phone))
            })
            .collect();
        nodes.tell(0, &blocks, 2 * u64::from(PHONES));
    }
    // one phone with a clock of its own, which never gets a nonce right: nothing says that its password is wrong
    let peer: SocketAddr = "192.0.2.52:5060".parse().unwrap();
    let phone = Try::register(peer, "1000", DOMAIN, "loop");
    let blocks: Vec<Block> = (0..20)
        .flat_map(|_| {
            [
                phone.register_attempt(AuthResult::Stale).into(),
                phone.pre_register().into(),
            ]
        })
        .collect();
    nodes.tell(0, &blocks, 20);
    nodes.assert_nobody_else_is_banned();
}
