//! Our bytes against those that `nft` 1.0.6 sends for the same thing (recorded with `strace -e write`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use ringfence_nfnl::{
    Base, Batch, Chain, Comparison, Element, Expr, HeldElement, Meta, Reply, Rule, Set, SetFlags, Table,
    elements, messages,
};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// The one message that `fill` writes, numbered `seq`.
fn written<T>(seq: u32, fill: impl FnOnce(&mut Batch) -> T) -> Vec<u8> {
    let mut batch = Batch::new(seq.wrapping_sub(1));
    fill(&mut batch);
    assert_eq!(batch.last_seq(), seq, "one message");
    // The last message is marked: let it be another one.
    batch.delete_table("other");
    let bytes = batch.finish().unwrap();
    let begin = 20;
    let length = u32::from_ne_bytes(bytes[begin..begin + 4].try_into().unwrap()) as usize;
    bytes[begin..begin + length].to_vec()
}

#[track_caller]
fn same(ours: &[u8], nft: &str) {
    assert_eq!(ours, bytes(nft));
}

const NEW_TABLE: &str = "44000000000a01000100000000000000010000000e00010072696e6766656e636500000008000200000000001800060000126d\
    6164652062792072696e6766656e636500";
const NEW_CHAIN: &str = "58000000030a01040200000000000000010000000e00010072696e6766656e63650000000a00030067756172640000000b0007\
    0066696c7465720000080005000000000114000480080001000000000008000200fffffed4";
const NEW_HASH_SET: &str = "7c000000090a01040300000000000000010000000e00010072696e6766656e63650000000c00020062616e6e656434000800\
    0300000000100800040000000007080005000000000408000a00000000010c00098008000100000003e80a000d0000040200000000001400\
    11800c000100636f756e7465720004000280";
const NEW_INTERVAL_SET: &str = "80000000090a01040400000000000000010000000e00010072696e6766656e63650000000e0002007072656669786573\
    3600000008000300000000140800040000000008080005000000001008000a00000000020c00098008000100000007d00a000d0000040200\
    00000000140011800c000100636f756e7465720004000280";
const NEW_DROP_RULE: &str = "2c010000060a010c0100000000000000010000000e00010072696e6766656e63650000000a0002006775617264000000fc00\
    048024000180090001006d6574610000000014000280080002000000000f08000100000000012c00018008000100636d7000200002800800\
    01000000000108000200000000000c0003800500010002000000340001800c0001007061796c6f6164002400028008000100000000010800\
    020000000001080003000000000c0800040000000004300001800b0001006c6f6f6b757000002000028008000200000000010c0001006261\
    6e6e656434000800040000000001140001800c000100636f756e7465720004000280300001800e000100696d6d6564696174650000001c00\
    02800800010000000000100002800c0002800800010000000000";
const NEW_REJECT_RULE: &str = "0c010000060a010c0200000000000000010000000e00010072696e6766656e63650000000a0002006775617264000000dc\
    00048024000180090001006d6574610000000014000280080002000000000f08000100000000012c00018008000100636d70002000028008\
    0001000000000108000200000000000c000380050001000a00000024000180090001006d6574610000000014000280080002000000001008\
    000100000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005000100110000001400018\
    00c000100636f756e7465720004000280240001800b00010072656a65637400001400028008000100000000020500020003000000";
const NEW_ELEMENTS: &str = "680000000c0a01040300000000000000010000000e00010072696e6766656e63650000000c00020062616e6e656434000800\
    04000000000130000380\
    1c0001800c000400000000000036ee800c00018008000100c0000201100002800c00018008000100c0000202";
const NEW_RANGE: &str = "b00000000c0a01040400000000000000010000000e00010072696e6766656e63650000000e00020070726566697865733600000008\
    0004000000000274000380240001800800030000000001180001801400010000000000000000000000000000000000280002800c000400\
    000000000036ee80180001801400010020010db8000000000000000000000000240003800800030000000001180001801400010020010d\
    b8000000010000000000000000";
const DELETE_ELEMENT: &str = "440000000e0a01000100000000000000010000000e00010072696e6766656e63650000000c00020062616e6e65643400140003\
    80100001800c00018008000100c0000201";
const FLUSH_CHAIN: &str =
    "30000000080a01000200000000000000010000000e00010072696e6766656e63650000000a0002006775617264000000";
const DELETE_CHAIN: &str =
    "30000000050a01000300000000000000010000000e00010072696e6766656e63650000000a0003006775617264000000";
const DELETE_SET: &str =
    "300000000b0a01000400000000000000010000000e00010072696e6766656e63650000000c00020062616e6e65643400";
const DELETE_TABLE: &str = "24000000020a01000500000000000000010000000e00010072696e6766656e6365000000";

fn table() -> Table {
    Table {
        name: "ringfence".into(),
        flags: 0,
        comment: Some("made by ringfence".into()),
    }
}

fn chain() -> Chain {
    Chain {
        table: "ringfence".into(),
        name: "guard".into(),
        hook: Some((0, -300)),
        kind: "filter".into(),
        policy: Some(1),
    }
}

fn hash_set() -> Set {
    Set {
        table: "ringfence".into(),
        name: "banned4".into(),
        flags: SetFlags::TIMEOUT,
        key_type: 7,
        key_len: 4,
        size: 1000,
        counter: true,
    }
}

fn interval_set() -> Set {
    Set {
        name: "prefixes6".into(),
        flags: SetFlags::TIMEOUT | SetFlags::INTERVAL,
        key_type: 8,
        key_len: 16,
        size: 2000,
        ..hash_set()
    }
}

#[test]
fn we_write_what_nft_writes() {
    same(&written(1, |batch| batch.new_table(&table())), NEW_TABLE);
    same(&written(2, |batch| batch.new_chain(&chain())), NEW_CHAIN);
    same(&written(3, |batch| batch.new_set(&hash_set(), 1)), NEW_HASH_SET);
    same(
        &written(4, |batch| batch.new_set(&interval_set(), 2)),
        NEW_INTERVAL_SET,
    );
    let element = Element::new(&[192, 0, 2, 1]);
    same(
        &written(1, |batch| {
            batch.delete_elements("ringfence", "banned4", [element]);
        }),
        DELETE_ELEMENT,
    );
    same(
        &written(2, |batch| batch.delete_rules("ringfence", "guard")),
        FLUSH_CHAIN,
    );
    same(
        &written(3, |batch| batch.delete_chain("ringfence", "guard")),
        DELETE_CHAIN,
    );
    same(
        &written(4, |batch| batch.delete_set("ringfence", "banned4")),
        DELETE_SET,
    );
    same(&written(5, |batch| batch.delete_table("ringfence")), DELETE_TABLE);
}

#[test]
fn we_read_what_nft_writes() {
    assert_eq!(
        Table::decode(&messages(&bytes(NEW_TABLE)).next().unwrap().unwrap()),
        Ok(table())
    );
    assert_eq!(
        Chain::decode(&messages(&bytes(NEW_CHAIN)).next().unwrap().unwrap()),
        Ok(chain())
    );
    assert_eq!(
        Set::decode(&messages(&bytes(NEW_HASH_SET)).next().unwrap().unwrap()),
        Ok(hash_set())
    );
    assert_eq!(
        Set::decode(&messages(&bytes(NEW_INTERVAL_SET)).next().unwrap().unwrap()),
        Ok(interval_set())
    );
}

/// nft writes the number of the set as well (it may be a nameless one); apart from that rules are the same.
#[test]
fn our_rules_mean_what_those_of_nft_mean() {
    let equal = |register, value| Expr::Compare(register, Comparison::Equal, vec![value]);
    let dropped = Rule {
        table: "ringfence".into(),
        chain: "guard".into(),
        expressions: vec![
            Expr::Meta(Meta::Family, 1),
            equal(1, 2),
            Expr::Payload {
                base: Base::Network,
                offset: 12,
                len: 4,
                register: 1,
            },
            Expr::Lookup {
                set: "banned4".into(),
                register: 1,
            },
            Expr::Counter,
            Expr::Drop,
        ],
    };
    assert_eq!(
        Rule::decode(&messages(&bytes(NEW_DROP_RULE)).next().unwrap().unwrap()),
        Ok(dropped)
    );
    let rejected = Rule {
        table: "ringfence".into(),
        chain: "guard".into(),
        expressions: vec![
            Expr::Meta(Meta::Family, 1),
            equal(1, 10),
            Expr::Meta(Meta::Transport, 1),
            equal(1, 17),
            Expr::Counter,
            Expr::Reject(3),
        ],
    };
    same(&written(2, |batch| batch.new_rule(&rejected)), NEW_REJECT_RULE);
    assert_eq!(
        Rule::decode(&messages(&bytes(NEW_REJECT_RULE)).next().unwrap().unwrap()),
        Ok(rejected)
    );
}

/// nft writes the number of the set as well, and an end at the very first address of a range set.
#[test]
fn our_elements_are_those_of_nft() {
    let nft = bytes(NEW_ELEMENTS);
    let nft: Vec<_> = elements(&messages(&nft).next().unwrap().unwrap())
        .unwrap()
        .2
        .map(Result::unwrap)
        .collect();
    let ours = written(3, |batch| {
        let list = [
            Element::new(&[192, 0, 2, 1]).timeout(Some(3_600_000)),
            Element::new(&[192, 0, 2, 2]),
        ];
        batch.add_elements("ringfence", "banned4", list);
    });
    let message = messages(&ours).next().unwrap().unwrap();
    let (table, set, ours) = elements(&message).unwrap();
    assert_eq!((table, set), ("ringfence", "banned4"));
    assert_eq!(ours.map(Result::unwrap).collect::<Vec<_>>(), nft);
    assert_eq!(nft[0].timeout, Some(3_600_000));

    let nft = bytes(NEW_RANGE);
    let nft: Vec<_> = elements(&messages(&nft).next().unwrap().unwrap())
        .unwrap()
        .2
        .map(Result::unwrap)
        .collect();
    let first = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut behind = first;
    behind[7] = 1;
    let ours = written(4, |batch| {
        let list = [
            Element::new(&first).timeout(Some(3_600_000)),
            Element::end(&behind),
        ];
        batch.add_elements("ringfence", "prefixes6", list);
    });
    let ours: Vec<HeldElement<'_>> = elements(&messages(&ours).next().unwrap().unwrap())
        .unwrap()
        .2
        .map(Result::unwrap)
        .collect();
    assert_eq!(ours, nft[1..]);
}

#[test]
fn the_last_message_asks_for_the_answer() {
    let mut batch = Batch::new(7);
    assert!(batch.is_empty());
    batch.new_table(&table());
    let last = batch.delete_table("ringfence");
    assert_eq!((batch.first_seq(), last, batch.last_seq()), (7, 9, 9));
    let bytes = batch.finish().unwrap().to_vec();
    assert_eq!(batch.end_seq(), 10);
    let flags: Vec<u16> = headers(&bytes).map(|(_, flags)| flags).collect();
    assert_eq!(flags, [0x1, 0x1, 0x5, 0x1]);
}

fn headers(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u16)> {
    let mut list = Vec::new();
    while bytes.len() >= 16 {
        let length = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        let number = |at: usize| u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap());
        list.push((number(4), number(6)));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    list.into_iter()
}

/// Laid out as `linux/netlink.h` says, with and without the whole request quoted.
#[test]
fn the_kernels_own_words_are_read() {
    let text = b"Unknown chain type\0";
    let mut attribute = (u16::try_from(text.len()).unwrap() + 4).to_ne_bytes().to_vec();
    attribute.extend([1, 0]);
    attribute.extend(text);
    for (flags, quoted) in [(0x300_u16, 16_u32), (0x200, 36)] {
        let mut message = vec![0; 4];
        message.extend(2_u16.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([5, 0, 0, 0, 0, 0, 0, 0]);
        message.extend((-2_i32).to_ne_bytes());
        message.extend(36_u32.to_ne_bytes());
        message.resize(message.len() + quoted as usize - 4, 0);
        message.extend(&attribute);
        let length = u32::try_from(message.len()).unwrap();
        message[..4].copy_from_slice(&length.to_ne_bytes());
        let parsed = messages(&message).next().unwrap().unwrap();
        assert_eq!(parsed.seq, 5);
        assert_eq!(
            parsed.reply(),
            Ok(Reply::Refused {
                errno: 2,
                text: Some("Unknown chain type")
            })
        );
    }
}
