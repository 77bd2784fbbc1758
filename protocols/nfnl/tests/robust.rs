//! Whatever bytes come, nothing panics and nothing is read beyond its message; what we write we read back.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::collection::vec;
use proptest::prelude::*;
use ringfence_nfnl::{
    Batch, Chain, Comparison, Element, EncodeError, Expr, MAX_ELEMENTS, Meta, Rule, Set, SetFlags, Table,
    elements, messages,
};

/// Asks everything of everything.
fn read_all(bytes: &[u8]) -> usize {
    let mut count = 0;
    for message in messages(bytes) {
        let Ok(message) = message else { break };
        let _ = (
            message.reply(),
            message.table(),
            message.family(),
            message.interrupted(),
        );
        let _ = (
            Table::decode(&message),
            Chain::decode(&message),
            Set::decode(&message),
            Rule::decode(&message),
        );
        if let Ok((_, _, list)) = elements(&message) {
            count += list.flatten().count();
        }
        count += 1;
    }
    count
}

/// A batch with one of each kind.
fn sample() -> Vec<u8> {
    let mut batch = Batch::new(1);
    batch.new_table(&Table {
        name: "t".into(),
        flags: 0,
        comment: Some("c".into()),
    });
    batch.new_chain(&Chain {
        table: "t".into(),
        name: "c".into(),
        hook: Some((0, -1)),
        ..Chain::default()
    });
    batch.new_set(
        &Set {
            table: "t".into(),
            name: "s".into(),
            counter: true,
            size: 1,
            ..Set::default()
        },
        1,
    );
    let expressions = vec![
        Expr::Meta(Meta::Transport, 1),
        Expr::Compare(1, Comparison::AtMost, vec![1, 2]),
        Expr::Lookup {
            set: "s".into(),
            register: 1,
        },
        Expr::Accept,
        Expr::Reject(1),
    ];
    batch.new_rule(&Rule {
        table: "t".into(),
        chain: "c".into(),
        expressions,
    });
    batch.add_elements(
        "t",
        "s",
        [Element::new(&[1, 2, 3, 4]).timeout(Some(5)), Element::end(&[6])],
    );
    batch.finish().unwrap().to_vec()
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn damaged_messages_are_survived(at in 0_usize..700, byte in any::<u8>(), cut in 0_usize..700) {
        let mut bytes = sample();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        read_all(&bytes);
    }

    #[test]
    fn rules_are_read_as_written(
        set in "[a-z0-9]{1,30}",
        register in 1_u32..24,
        value in vec(any::<u8>(), 1..16),
        code in any::<u8>(),
    ) {
        let expressions = vec![
            Expr::Meta(Meta::Family, register),
            Expr::Compare(register, Comparison::AtLeast, value),
            Expr::Lookup { set: set.clone(), register },
            Expr::Counter,
            Expr::Drop,
            Expr::Accept,
            Expr::Reject(code),
            Expr::Other("masq".into()),
        ];
        let rule = Rule { table: set.clone(), chain: set, expressions };
        let mut batch = Batch::new(0);
        batch.new_rule(&rule);
        let bytes = batch.finish().unwrap();
        let read: Vec<_> = messages(bytes).map(Result::unwrap).filter_map(|message| Rule::decode(&message).ok()).collect();
        prop_assert_eq!(read, vec![rule]);
    }

    #[test]
    fn however_many_elements_all_are_written_once(count in 0_usize..3500, len in 1_usize..64) {
        let keys: Vec<Vec<u8>> = (0..count).map(|n| {
            let mut key = n.to_be_bytes().to_vec();
            key.resize(8 + len, 0);
            key
        }).collect();
        let mut batch = Batch::new(0);
        batch.add_elements("t", "s", keys.iter().map(|key| Element::new(key).timeout(Some(1))));
        prop_assert_eq!(batch.is_empty(), count == 0);
        let bytes = batch.finish().unwrap();
        let mut read = Vec::new();
        for message in messages(bytes).map(Result::unwrap) {
            if let Ok((table, set, list)) = elements(&message) {
                prop_assert_eq!((table, set), ("t", "s"));
                let list: Vec<_> = list.map(Result::unwrap).collect();
                prop_assert!(list.len() <= MAX_ELEMENTS);
                read.extend(list.iter().map(|element| element.key.to_vec()));
            }
        }
        prop_assert_eq!(read, keys);
    }
}

#[test]
fn the_sample_is_whole() {
    assert_eq!(read_all(&sample()), 9);
}

#[test]
fn sets_are_read_as_written() {
    let set = Set {
        table: "t".into(),
        name: "s".into(),
        flags: SetFlags::INTERVAL | SetFlags::TIMEOUT,
        key_type: 7,
        key_len: 4,
        size: 0,
        counter: false,
    };
    let mut batch = Batch::new(0);
    batch.new_set(&set, 1);
    let bytes = batch.finish().unwrap();
    assert!(
        messages(bytes)
            .map(Result::unwrap)
            .any(|message| Set::decode(&message) == Ok(set.clone()))
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut batch = Batch::new(0);
    batch.delete_table(&"x".repeat(70_000));
    assert_eq!(batch.finish(), Err(EncodeError::TooLong));
    batch.restart(0);
    batch.delete_table("x");
    assert!(batch.finish().is_ok());
}
