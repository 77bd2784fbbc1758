//! What is remembered of one address: 88 bytes while it has made one attempt, more only after a second.

use std::net::{IpAddr, Ipv6Addr};

use ringfence_event::{Moment, SecurityEvent, Span, Text};
use serde::{Deserialize, Serialize};

use super::evidence::{Kept, SavedKept, ShortText};
use super::record::{Record, Trace};
use super::rules::Rules;
use super::table::NIL;
use super::{EvidenceEvent, Tenant};

/// Evidence kept of one address: a handful, the latest.
pub(super) const KEPT: u32 = 6;
/// Attempts there is room for as soon as there are several.
const FIRST_ROOM: usize = 4;
/// Attempts that no jail counts any more and that are kept only so that late events find them.
const IDLE_RECORDS: usize = 16;

/// An address as a key: IPv4 in its IPv4-mapped form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AddrKey(pub(super) [u64; 2]);

impl From<IpAddr> for AddrKey {
    fn from(addr: IpAddr) -> Self {
        let bits = match addr {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)];
        Self([high, low].map(|half| u64::try_from(half).unwrap_or_default()))
    }
}

impl From<AddrKey> for IpAddr {
    fn from(AddrKey([high, low]): AddrKey) -> Self {
        Self::V6(Ipv6Addr::from_bits((u128::from(high) << 64) | u128::from(low))).to_canonical()
    }
}

/// One tracked address.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) addr: AddrKey,
    attempts: Attempts,
    /// First and latest event.
    pub(super) first: Moment,
    pub(super) last: Moment,
    /// Neighbours in the table's queue.
    pub(super) prev: u32,
    pub(super) next: u32,
    account: ShortText,
    /// How many pieces of evidence it holds, here so that most events need not look at them.
    kept: u8,
}

/// What it has tried. The first two forms take no memory elsewhere.
#[derive(Debug)]
enum Attempts {
    None,
    One(Record),
    Several(Vec<Record>, Box<Rest>),
}

/// What an address with several attempts needs besides them.
#[derive(Debug, Default)]
struct Rest {
    kept: Vec<Kept>,
    /// Until when no further `Ignore` is reported for it.
    quiet_until: Moment,
}

impl Suspect {
    pub(super) fn new(addr: AddrKey, now: Moment) -> Self {
        Self {
            addr,
            attempts: Attempts::None,
            first: now,
            last: now,
            prev: NIL,
            next: NIL,
            account: ShortText::default(),
            kept: 0,
        }
    }

    /// Its attempts, oldest first.
    pub(super) fn records(&self) -> &[Record] {
        match &self.attempts {
            Attempts::None => &[],
            Attempts::One(record) => std::slice::from_ref(record),
            Attempts::Several(records, _) => records,
        }
    }

    /// Its attempts, oldest first.
    pub(super) fn records_mut(&mut self) -> &mut [Record] {
        match &mut self.attempts {
            Attempts::None => &mut [],
            Attempts::One(record) => std::slice::from_mut(record),
            Attempts::Several(records, _) => records,
        }
    }

    /// Whether it has outgrown the small form.
    pub(super) fn is_large(&self) -> bool {
        matches!(self.attempts, Attempts::Several(..))
    }

    /// Bytes it holds outside the table, about.
    pub(super) fn outside(&self) -> usize {
        match &self.attempts {
            Attempts::Several(records, _) => {
                size_of::<Rest>()
                    + size_of::<Record>() * (FIRST_ROOM + 2 * records.len())
                    + size_of::<Kept>() * usize::from(self.kept)
            }
            _ => 0,
        }
    }

    /// Begins a new attempt; its position.
    pub(super) fn begin(&mut self, record: Record, now: Moment, rules: &Rules) -> usize {
        if matches!(self.attempts, Attempts::None) {
            self.attempts = Attempts::One(record);
            return 0;
        }
        let (records, _) = self.grow();
        if records.len() >= 8 && records.len().is_power_of_two() {
            tidy(records, now, rules);
        }
        records.push(record);
        records.len() - 1
    }

    /// Drops one attempt at once when nothing needs it any more: an honest phone's good login leaves no trace.
    pub(super) fn settle(&mut self, index: usize, now: Moment, rules: &Rules) {
        if self
            .records()
            .get(index)
            .is_none_or(|record| is_needed(record, now, rules))
        {
            return;
        }
        match &mut self.attempts {
            // The room stays: a busy office must not take and give back memory with every login.
            Attempts::Several(records, _) => {
                records.remove(index);
            }
            _ => self.attempts = Attempts::None,
        }
    }

    /// Lets go what nothing needs any more.
    pub(super) fn tidy_up(&mut self, now: Moment, rules: &Rules) {
        if let Attempts::Several(records, _) = &mut self.attempts {
            tidy(records, now, rules);
        }
    }

    /// Changes the tenant of everything that is known of it.
    pub(super) fn rehome(&mut self, place: impl Fn(u16) -> u16) {
        for record in self.records_mut() {
            record.tenant = place(record.tenant);
        }
        if let Attempts::Several(_, rest) = &mut self.attempts {
            for kept in &mut rest.kept {
                kept.tenant = place(kept.tenant);
            }
        }
    }

    /// What has led to one decision leads to no second one: `jail` no longer counts any attempt so far.
    pub(super) fn spend(&mut self, jail: u32, now: Moment, rules: &Rules) {
        for record in self.records_mut() {
            record.live &= !(1 << jail);
        }
        if let Attempts::Several(records, _) = &mut self.attempts {
            records.retain(|record| is_needed(record, now, rules));
        }
    }

    /// Takes the large form.
    fn grow(&mut self) -> (&mut Vec<Record>, &mut Rest) {
        if !self.is_large() {
            let mut rest = Box::<Rest>::default();
            let mut records = Vec::with_capacity(FIRST_ROOM);
            if let Attempts::One(record) = &self.attempts {
                records.push(*record);
                rest.kept.extend(self.evidence_of_only());
                self.kept = u8::from(!rest.kept.is_empty());
            }
            self.attempts = Attempts::Several(records, rest);
        }
        match &mut self.attempts {
            Attempts::Several(records, rest) => (records, rest),
            _ => unreachable!("it has just grown"),
        }
    }

    /// Keeps an event as evidence: one line an attempt, its worst.
    pub(super) fn keep(&mut self, now: Moment, event: &SecurityEvent, trace: &Trace, fresh: bool) {
        let Attempts::Several(_, rest) = &mut self.attempts else {
            if !event.account.is_empty() && (trace.fails() || self.account.is_empty()) {
                self.account = ShortText::new(&event.account);
            }
            return;
        };
        let known = rest.kept.iter_mut().rfind(|kept| kept.is_of(trace));
        if let Some(kept) = known.filter(|_| !fresh) {
            kept.raise(now, event, trace);
            return;
        }
        if rest.kept.len() >= KEPT as usize {
            rest.kept.remove(0);
        } else {
            rest.kept
                .reserve_exact(2 * usize::from(rest.kept.len() == rest.kept.capacity()));
            self.kept += 1;
        }
        rest.kept.push(Kept::new(now, event, trace));
    }

    /// What is kept of it, oldest first.
    pub(super) fn evidence(&self, tenants: &[Tenant]) -> Vec<EvidenceEvent> {
        let show = |kept: &Kept| kept.show(tenants);
        if let Attempts::Several(_, rest) = &self.attempts {
            return rest.kept.iter().map(show).collect();
        }
        self.evidence_of_only().iter().map(show).collect()
    }

    fn evidence_of_only(&self) -> Option<Kept> {
        let Attempts::One(record) = &self.attempts else {
            return None;
        };
        (!record.succeeded() && record.failed()).then(|| Kept::of(record, self.last, self.account))
    }

    /// Whether a refusal to ban it may be reported now; once in `span`.
    pub(super) fn may_report(&mut self, now: Moment, span: Span) -> bool {
        let (_, rest) = self.grow();
        let may = rest.quiet_until <= now;
        if may {
            rest.quiet_until = now + span;
        }
        may
    }

    pub(super) fn save(&self) -> Saved {
        let rest = match &self.attempts {
            Attempts::Several(_, rest) => Some(rest),
            _ => None,
        };
        Saved {
            addr: self.addr,
            first: self.first,
            last: self.last,
            account: self.account.text().as_bytes().to_vec(),
            records: self.records().to_vec(),
            rest: rest.map(|rest| (rest.kept.iter().map(Kept::save).collect(), rest.quiet_until)),
        }
    }

    pub(super) fn restored(saved: Saved) -> Self {
        let mut suspect = Self::new(saved.addr, saved.first);
        suspect.last = saved.last;
        suspect.account = ShortText::new(&Text::new(&saved.account));
        suspect.attempts = match (saved.rest, saved.records.first()) {
            (Some((kept, quiet_until)), _) => {
                let kept: Vec<Kept> = kept.into_iter().map(SavedKept::restored).collect();
                suspect.kept = u8::try_from(kept.len()).unwrap_or(u8::MAX);
                Attempts::Several(saved.records, Box::new(Rest { kept, quiet_until }))
            }
            (None, Some(record)) => Attempts::One(*record),
            (None, None) => Attempts::None,
        };
        suspect
    }
}

/// Drops what no jail counts and no late event can reach, and all but the latest of those kept for late events alone.
fn tidy(records: &mut Vec<Record>, now: Moment, rules: &Rules) {
    let waits = |record: &Record| record.awaits(now) && !rules.holds(record, now);
    let mut surplus = records
        .iter()
        .filter(|record| waits(record))
        .count()
        .saturating_sub(IDLE_RECORDS);
    records.retain(|record| {
        if surplus > 0 && waits(record) {
            surplus -= 1;
            return false;
        }
        is_needed(record, now, rules)
    });
}

fn is_needed(record: &Record, now: Moment, rules: &Rules) -> bool {
    record.awaits(now) || rules.holds(record, now)
}

/// One address in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    addr: AddrKey,
    first: Moment,
    last: Moment,
    account: Vec<u8>,
    records: Vec<Record>,
    /// For one with several attempts: the evidence, and until when no refusal is reported.
    rest: Option<(Vec<SavedKept>, Moment)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_suspect_is_88_bytes() {
        assert_eq!(size_of::<Suspect>(), 88);
    }

    #[test]
    fn addresses_survive_the_key() {
        for addr in ["192.0.2.1", "2001:db8::1", "::1"] {
            let addr: IpAddr = addr.parse().unwrap();
            assert_eq!(IpAddr::from(AddrKey::from(addr)), addr);
        }
    }
}
