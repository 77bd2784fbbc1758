//! Compares our table with what it should be and puts right what is wrong, keeping the elements.

use std::io;

use ringfence_nfnl::{Batch, Chain, Element, Message, Rule, Set, Table, request};

use super::failure::{failure, first_question, foreign};
use super::held::{Item, items};
use super::layout::{CHAIN, Layout, SetId, TABLE};
use super::link::{Link, errno, invalid};
use super::timeout::millis;
use crate::fence::FenceError;

/// How often installing is tried when somebody else changes the table meanwhile.
const TRIES: usize = 4;

/// How our table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is none.
    Absent,
    /// As it should be.
    Right,
    /// The sets are right, the chain or its rules aren't.
    WrongChain {
        /// Whether the chain is there at all.
        present: bool,
    },
    /// Sets are missing or can't do what they should.
    WrongSets,
    /// Somebody switched the table off.
    Dormant,
}

/// Makes our table what it should be; does nothing if it is.
pub(super) fn install(link: &mut Link, layout: &Layout) -> Result<(), FenceError> {
    let mut last = None;
    for _ in 0..TRIES {
        let refusal = match state(link, layout)? {
            State::Right => return Ok(()),
            State::Absent => transact(link, |batch| fill_table(batch, layout))?,
            // A transaction of its own: together with a change of the chain the kernel refuses it.
            State::Dormant => transact(link, |batch| {
                batch.new_table(&layout.table);
            })?,
            State::WrongChain { present } => match rewrite_chain(link, layout, present)? {
                // Somebody's rules jump to our chain, for instance: it can only go with the table.
                Some(error) if errno(&error) == Some(nix::libc::EBUSY) => rebuild(link, layout)?,
                refusal => refusal,
            },
            State::WrongSets => rebuild(link, layout)?,
        };
        let Some(error) = refusal else {
            if state(link, layout)? == State::Right {
                return Ok(());
            }
            continue;
        };
        last = Some(error);
        if !matches!(
            last.as_ref().and_then(errno),
            Some(nix::libc::ENOENT | nix::libc::EEXIST | nix::libc::EBUSY)
        ) {
            break;
        }
    }
    let error = last.unwrap_or_else(|| io::Error::other("the table is not what was asked for"));
    Err(failure("set up the table inet ringfence", error))
}

/// Whether our table is as it should be.
pub(super) fn intact(link: &mut Link, layout: &Layout) -> Result<bool, FenceError> {
    Ok(state(link, layout)? == State::Right)
}

/// Removes our table; somebody else's stays.
pub(super) fn purge(link: &mut Link, layout: &Layout) -> Result<(), FenceError> {
    for _ in 0..TRIES {
        if state(link, layout)? == State::Absent {
            return Ok(());
        }
        let refusals = transact(link, |batch| {
            batch.delete_table(TABLE);
        })?;
        match refusals {
            Some(error) if errno(&error) != Some(nix::libc::ENOENT) => {
                return Err(failure("remove the table inet ringfence", error));
            }
            _ => (),
        }
    }
    Ok(())
}

fn state(link: &mut Link, layout: &Layout) -> Result<State, FenceError> {
    let table = link
        .ask(
            |seq| request::table(seq, TABLE),
            |message| Table::decode(message).map_err(invalid),
        )
        .map_err(first_question)?;
    let Some(table) = table else {
        return Ok(State::Absent);
    };
    if table.comment != layout.table.comment {
        return Err(foreign());
    }
    inside(link, layout, &table).map_err(|error| failure("read the table inet ringfence", error))
}

fn inside(link: &mut Link, layout: &Layout, table: &Table) -> io::Result<State> {
    if table.flags != layout.table.flags {
        return Ok(State::Dormant);
    }
    let mut sets = Vec::new();
    link.dump(
        |seq| request::sets(seq, TABLE),
        |message| {
            collect(message, &mut sets, |message| {
                Set::decode(message).map_err(invalid)
            })
        },
    )?;
    let right = |wanted: &Set| sets.iter().any(|set| is_same_set(set, wanted));
    if !layout.sets.iter().all(right) {
        return Ok(State::WrongSets);
    }
    let chain = link.ask(
        |seq| request::chain(seq, TABLE, CHAIN),
        |message| Chain::decode(message).map_err(invalid),
    )?;
    let mut rules = Vec::new();
    link.dump(
        |seq| request::rules(seq, TABLE, CHAIN),
        |message| {
            collect(message, &mut rules, |message| {
                Rule::decode(message).map_err(invalid)
            })
        },
    )?;
    let present = chain.is_some();
    if chain.as_ref() == Some(&layout.chain) && rules == layout.rules {
        Ok(State::Right)
    } else {
        Ok(State::WrongChain { present })
    }
}

/// Whether a set can do what ours must; the flags that kernels set by themselves don't matter.
fn is_same_set(set: &Set, wanted: &Set) -> bool {
    const OURS: u32 = 0x4 | 0x8 | 0x10;
    set.table == wanted.table
        && set.name == wanted.name
        && set.flags.0 & OURS == wanted.flags.0
        && set.key_len == wanted.key_len
        && set.size == wanted.size
        && set.counter == wanted.counter
}

fn collect<T>(
    message: Option<&Message<'_>>,
    list: &mut Vec<T>,
    decode: impl Fn(&Message<'_>) -> io::Result<T>,
) -> io::Result<()> {
    match message {
        None => list.clear(),
        Some(message) => list.push(decode(message)?),
    }
    Ok(())
}

/// The whole table.
fn fill_table(batch: &mut Batch, layout: &Layout) {
    batch.new_table(&layout.table);
    for (id, set) in (1..).zip(&layout.sets) {
        batch.new_set(set, id);
    }
    batch.new_chain(&layout.chain);
    for rule in &layout.rules {
        batch.new_rule(rule);
    }
}

/// The chain anew, its rules with it, in one transaction: there is no moment without them. The sets aren't touched.
fn rewrite_chain(link: &mut Link, layout: &Layout, present: bool) -> Result<Option<io::Error>, FenceError> {
    transact(link, |batch| {
        if present {
            batch.delete_rules(TABLE, CHAIN);
            batch.delete_chain(TABLE, CHAIN);
        }
        batch.new_chain(&layout.chain);
        for rule in &layout.rules {
            batch.new_rule(rule);
        }
    })
}

/// The table anew with the elements of the old one, in one transaction.
fn rebuild(link: &mut Link, layout: &Layout) -> Result<Option<io::Error>, FenceError> {
    let mut kept = Vec::new();
    for id in SetId::ALL {
        kept.push((
            id,
            items(link, id).map_err(|error| failure("read the elements to keep", error))?,
        ));
    }
    transact(link, |batch| {
        batch.delete_table(TABLE);
        fill_table(batch, layout);
        for (id, list) in &kept {
            batch.add_elements(TABLE, id.name(), list.iter().map(element));
        }
    })
}

/// An element on its way from the old set to the new one.
fn element(item: &Item) -> Element<'_> {
    if item.end {
        Element::end(item.key.bytes())
    } else {
        Element::new(item.key.bytes()).timeout(millis(item.remaining))
    }
}

/// The first refusal, if any. Not being allowed at all is an error of its own.
fn transact(link: &mut Link, fill: impl FnOnce(&mut Batch)) -> Result<Option<io::Error>, FenceError> {
    let (_, refusals) = link
        .transact(fill)
        .map_err(|error| failure("set up the table inet ringfence", error))?;
    Ok(refusals.into_iter().next().map(|refusal| refusal.error))
}
