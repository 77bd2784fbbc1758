//! How kernels differ in what they do to an element that is there already, or isn't there any more.
//!
//! A transaction that fails costs the kernel about 16 ms (it waits until every CPU has let go of what it undoes), a
//! thousand times as much as one that succeeds. So nothing may fail that happens every day: banning again what is banned,
//! lifting what has just ended.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use ringfence_nfnl::{Batch, Element, elements, request};

use super::layout::{SetId, TABLE, place};
use super::link::{Link, invalid};
use crate::engine::Target;

/// What a kernel does; [`crate::fence::Fence::install`] finds it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Since Linux 6.12: adding what is there sets its new time, and what isn't there can be removed.
    Refreshing,
    /// Before: adding what is there changes nothing, removing what isn't there fails.
    Keeping,
}

impl Dialect {
    /// Makes a set hold these elements, each for its time from now, whether or not it holds them already.
    pub(super) fn hold<'a>(
        self,
        batch: &mut Batch,
        set: SetId,
        list: impl Iterator<Item = Element<'a>> + Clone,
    ) {
        match self {
            Self::Refreshing => batch.put_elements(TABLE, set.name(), list.map(Element::anew)),
            Self::Keeping => {
                // Now it is there in any case, so it can be removed, so it can be added with its new time.
                batch.put_elements(TABLE, set.name(), list.clone());
                batch.delete_elements(TABLE, set.name(), list.clone());
                batch.put_elements(TABLE, set.name(), list);
            }
        }
    }

    /// Makes a set not hold these elements, whether or not it holds them now.
    pub(super) fn release<'a>(
        self,
        batch: &mut Batch,
        set: SetId,
        list: impl Iterator<Item = Element<'a>> + Clone,
    ) {
        match self {
            Self::Refreshing => batch.destroy_elements(TABLE, set.name(), list),
            Self::Keeping => {
                batch.put_elements(TABLE, set.name(), list.clone());
                batch.delete_elements(TABLE, set.name(), list);
            }
        }
    }

    /// Finds it out with an element that means nothing: it ends by itself before anybody could be sent a packet from it.
    pub(super) fn of(link: &mut Link) -> io::Result<Self> {
        // 127.255.255.254 is no source of anything, and no test packet comes from there.
        let address = Ipv4Addr::new(127, 255, 255, 254);
        let Some((set, key)) = place(&Target::Address(IpAddr::V4(address))) else {
            return Ok(Self::Keeping);
        };
        for millis in [1000, 500] {
            let (_, refusals) = link.transact(|batch| {
                let element = Element::new(key.bytes()).timeout(Some(millis));
                batch.put_elements(TABLE, set.name(), [element.anew()]);
            })?;
            // A full set, for instance: what works everywhere works here.
            if !refusals.is_empty() {
                return Ok(Self::Keeping);
            }
        }
        let timeout = link.ask(
            |seq| request::element(seq, TABLE, set.name(), key.bytes()),
            |message| {
                let element = elements(message)
                    .map_err(invalid)?
                    .2
                    .next()
                    .transpose()
                    .map_err(invalid)?;
                Ok(element.and_then(|element| element.timeout))
            },
        )?;
        let dialect = if timeout.flatten().is_some_and(|millis| millis <= 500) {
            Self::Refreshing
        } else {
            Self::Keeping
        };
        link.transact(|batch| dialect.release(batch, set, std::iter::once(Element::new(key.bytes()))))?;
        Ok(dialect)
    }
}
