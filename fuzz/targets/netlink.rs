//! Whatever a read from the kernel's socket may give.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_nfnl::{Chain, Rule, Set, Table, elements, messages};

fuzz_target!(|input: &[u8]| {
    // A malformed message is an answer like any other here: what counts is that none is read out of bounds or for ever.
    for message in messages(input).map_while(Result::ok) {
        let _ = (
            message.reply(),
            message.interrupted(),
            message.family(),
            message.table(),
        );
        let _ = (
            Table::decode(&message),
            Set::decode(&message),
            Chain::decode(&message),
            Rule::decode(&message),
        );
        if let Ok((_, _, list)) = elements(&message) {
            list.for_each(drop);
        }
    }
});
