//! Reads what a set holds.

use std::io;

use ringfence_event::Span;
use ringfence_nfnl::{elements, request};

use super::layout::{Key, SetId, TABLE};
use super::link::{Link, invalid};
use super::timeout::remaining;

/// How often a set is read when its elements move meanwhile; then what was seen at any time counts.
const READS: usize = 8;

/// An element that the kernel holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) key: Key,
    /// Whether it is the first key behind a range.
    pub(super) end: bool,
    pub(super) remaining: Span,
    pub(super) packets: Option<u64>,
}

/// The elements of a set, each once, in order of their keys; those whose keys have another size than the set's are left
/// out, and so are those that have ended.
///
/// The kernel reads a set out in pieces and goes on by position. When a hash set has just grown, its elements move
/// between two pieces: some are missed, and as many are shown twice. So an element seen twice means: read again.
pub(super) fn items(link: &mut Link, set: SetId) -> io::Result<Vec<Item>> {
    let mut seen = Vec::new();
    for _ in 0..READS {
        let mut list = read(link, set)?;
        let length = list.len();
        once(&mut list);
        let whole = list.len() == length;
        if whole {
            return Ok(list);
        }
        seen.append(&mut list);
    }
    once(&mut seen);
    Ok(seen)
}

fn once(list: &mut Vec<Item>) {
    // An end stands before a start of the same key, so that the list can be added again in its order.
    list.sort_unstable_by_key(|item| (item.key, !item.end));
    list.dedup_by_key(|item| (item.key, item.end));
}

fn read(link: &mut Link, set: SetId) -> io::Result<Vec<Item>> {
    let mut list = Vec::new();
    link.dump(
        |seq| request::elements(seq, TABLE, set.name()),
        |message| {
            let Some(message) = message else {
                list.clear();
                return Ok(());
            };
            let (_, _, found) = elements(message).map_err(invalid)?;
            for element in found {
                let element = element.map_err(invalid)?;
                let key = Key::of(set, element.key).filter(|_| set.is_interval() || !element.end);
                if let Some((key, remaining)) = key.zip(remaining(element.timeout, element.expiration)) {
                    list.push(Item {
                        key,
                        end: element.end,
                        remaining,
                        packets: element.packets,
                    });
                }
            }
            Ok(())
        },
    )?;
    Ok(list)
}
