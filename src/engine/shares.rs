//! What an attempt weighs: its share of a threshold, by the values of its tenant or the shared ones.
//!
//! A jail bans when the sum of 1/maxretry over what it counts reaches 1, each with the `maxretry` that holds for it. With one
//! set of values that is exactly the maxretry-th; whoever spreads attempts over many tenants gains nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringfence_event::{Moment, Proof, Span};

use super::homes::Home;
use super::record::Record;
use super::rules::{MAX_JAILS, MAX_RETRY, Rules};
use super::tenants::MOST_TENANTS;
use super::{Count, Jail, Policy};

/// A whole threshold. A weight is this divided by `maxretry`, rounded up: m of them reach it, and m − 1 never do while m is
/// at most 1000.
pub(super) const WHOLE: u64 = 1 << 32;
/// An unanswered challenge of an account that has succeeded at its address is this part of another's. The rounding stays exact: a
/// sum is short of the whole while it lacks one of 16 × maxretry parts.
const KNOWN_PART: u32 = 16;

/// What holds for one tenant, or for nobody's attempts, in one jail.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// What an attempt weighs; 0 where the jail is off.
    weight: u64,
    /// What the challenge of a known account weighs, in a jail that counts unanswered ones; else the same.
    light: u64,
    findtime: Span,
    /// Everybody may claim to be this tenant here, since a challenge checks no name: the shared values hold as well.
    guarded: bool,
    pub(super) jail: Arc<Jail>,
}

/// Every jail's terms, by tenant; those without a tenant first.
#[derive(Debug, Default)]
pub(super) struct Shares {
    jails: usize,
    terms: Vec<Terms>,
    /// The jails that are off, one bit each, by tenant.
    off: Vec<u32>,
}

/// What a jail counts of one address now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// How many.
    pub(super) count: u32,
    /// How many of them have a proven address.
    pub(super) proven: u32,
    /// The weakest proof among them.
    pub(super) weakest: Proof,
    /// What they weigh together; [`WHOLE`] bans.
    pub(super) weight: u64,
}

impl Tally {
    /// How much of a threshold it is.
    pub(super) fn percent(&self) -> u32 {
        u32::try_from(self.weight.saturating_mul(100) / WHOLE).unwrap_or(u32::MAX)
    }
}

/// One tenant's part of what a jail counts of an address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) tenant: u16,
    pub(super) count: u32,
    /// What weighs by the tenant's values and what by the shared ones, being mixed: an attempt is [`KNOWN_PART`], a known
    /// account's challenge 1.
    by_own: u64,
    by_shared: u64,
    /// How many of them are mixed.
    pub(super) mixed: u32,
}

impl Terms {
    fn new(jail: Arc<Jail>, count: Count) -> Self {
        let part = |parts: u32| {
            if jail.enabled {
                WHOLE.div_ceil(u64::from(maxretry(&jail) * parts))
            } else {
                0
            }
        };
        let weight = part(1);
        Self {
            weight,
            light: match count {
                Count::Unanswered => part(KNOWN_PART),
                _ => weight,
            },
            findtime: jail.findtime,
            guarded: false,
            jail,
        }
    }

    fn each(&self, known: bool) -> u64 {
        if known { self.light } else { self.weight }
    }

    fn weight_at(&self, age: Span, known: bool) -> u64 {
        if age < self.findtime { self.each(known) } else { 0 }
    }
}

impl Shares {
    pub(super) fn new(policy: &Policy) -> Self {
        let nobody: Vec<Terms> = policy
            .jails
            .iter()
            .take(MAX_JAILS)
            .cloned()
            .map(|jail| {
                let count = jail.count;
                Terms::new(Arc::new(jail), count)
            })
            .collect();
        let mut shares = Self {
            jails: nobody.len(),
            ..Self::default()
        };
        for tenant in policy.tenants.iter().take(MOST_TENANTS) {
            shares.terms.extend(nobody.iter().map(|terms| {
                let own = tenant.jails.iter().find(|own| own.name == terms.jail.name);
                let Some(own) = own else { return terms.clone() };
                let count = terms.jail.count;
                Terms {
                    guarded: count == Count::Unanswered && !tenant.names.are_of_profile(),
                    ..Terms::new(Arc::new(own.clone()), count)
                }
            }));
        }
        shares.terms.splice(0..0, nobody);
        let rows = shares.terms.chunks(shares.jails.max(1));
        shares.off = rows
            .map(|row| {
                let by_shared = |terms: &Terms, index| terms.guarded && shares.is_on(0, index);
                let off = row
                    .iter()
                    .zip(0_u32..)
                    .filter(|(terms, index)| terms.weight == 0 && !by_shared(terms, *index));
                off.fold(0, |all, (_, index)| all | 1 << index)
            })
            .collect();
        shares
    }

    /// The shared jails, by bit.
    pub(super) fn of_nobody(&self) -> Vec<Arc<Jail>> {
        let shared = self.terms.iter().take(self.jails);
        shared.map(|terms| Arc::clone(&terms.jail)).collect()
    }

    fn is_on(&self, tenant: u16, jail: u32) -> bool {
        self.of(tenant, jail).is_some_and(|terms| terms.weight > 0)
    }

    pub(super) fn of(&self, tenant: u16, jail: u32) -> Option<&Terms> {
        self.terms.get(usize::from(tenant) * self.jails + jail as usize)
    }

    /// Jails that count nothing of such attempts. A mixed one is counted where either set of values counts it.
    pub(super) fn off(&self, home: Home) -> u32 {
        let off = |tenant: u16| self.off.get(usize::from(tenant)).copied().unwrap_or(0);
        if home.mixed {
            off(home.tenant) & off(0)
        } else {
            off(home.tenant)
        }
    }

    /// The jails that are off for everybody.
    pub(super) fn off_everywhere(&self) -> u32 {
        self.off.iter().fold(u32::MAX, |all, off| all & off)
    }

    /// For how many tenants a jail is on that is off without a tenant, or off that is on.
    pub(super) fn otherwise(&self, jail: u32) -> usize {
        let is_off = |off: &u32| off >> jail & 1;
        let shared = self.off.first().map(is_off);
        self.off.iter().filter(|off| Some(is_off(off)) != shared).count()
    }

    /// The longest findtime of any jail that counts anything.
    pub(super) fn longest(&self) -> Span {
        let on = self.terms.iter().filter(|terms| terms.weight > 0);
        on.map(|terms| terms.findtime).max().unwrap_or_default()
    }

    /// What an attempt of this age weighs: a mixed one, or one at a tenant that everybody may claim to be, never less than
    /// without its tenant.
    pub(super) fn weight(&self, jail: u32, home: Home, age: Span, known: bool) -> u64 {
        let Some(own) = self.of(home.tenant, jail) else {
            return 0;
        };
        let weight = own.weight_at(age, known);
        if home.mixed || own.guarded {
            weight.max(self.of(0, jail).map_or(0, |terms| terms.weight_at(age, known)))
        } else {
            weight
        }
    }

    /// How many ban and within which time at a tenant alone, as far as two sets of values can be told as one.
    pub(super) fn told(&self, jail: u32, tenant: u16) -> Option<(u32, Span)> {
        let own = self.of(tenant, jail)?;
        let shared = self
            .of(0, jail)
            .filter(|shared| own.guarded && shared.weight > own.weight);
        let terms = shared.unwrap_or(own);
        Some((maxretry(&terms.jail), terms.findtime))
    }

    /// From what age on an attempt counts no longer.
    pub(super) fn lifetime(&self, jail: u32, home: Home) -> Span {
        let span = |tenant| {
            let terms = self.of(tenant, jail).filter(|terms| terms.weight > 0);
            terms.map_or(Span::ZERO, |terms| terms.findtime)
        };
        if home.mixed || self.of(home.tenant, jail).is_some_and(|terms| terms.guarded) {
            span(home.tenant).max(span(0))
        } else {
            span(home.tenant)
        }
    }
}

impl Rules {
    /// What an attempt weighs in jail `index` now, whoever its address belongs to.
    pub(super) fn weight(&self, index: u32, record: &Record, now: Moment) -> u64 {
        if record.live & (1 << index) == 0 {
            return 0;
        }
        self.shares
            .weight(index, record.home(), now.since(record.at), record.is_known())
    }

    /// What jail `index` counts now: exact over the sliding window of each attempt's findtime. Attempts at the tenants in
    /// `shields`, whose `ignoreip` holds the address, lead to nothing unless they are mixed.
    pub(super) fn tally(&self, index: u32, records: &[Record], now: Moment, shields: &[u16]) -> Tally {
        let mut tally = Tally {
            count: 0,
            proven: 0,
            weakest: Proof::Handshake,
            weight: 0,
        };
        for record in records {
            let weight = self.weight(index, record, now);
            if weight == 0 || is_shielded(record.home(), shields) {
                continue;
            }
            tally.count += 1;
            tally.proven += u32::from(record.proof > Proof::None);
            tally.weakest = tally.weakest.min(record.proof);
            tally.weight += weight;
        }
        tally
    }

    /// What jail `index` counts, by tenant: the greatest share first, of equal ones the stricter, of those the earlier in the
    /// configuration, no tenant last.
    pub(super) fn parts(&self, index: u32, records: &[Record], now: Moment, shields: &[u16]) -> Vec<Part> {
        let mut parts: BTreeMap<u16, Part> = BTreeMap::new();
        for record in records {
            let (home, weight) = (record.home(), self.weight(index, record, now));
            if weight == 0 || is_shielded(home, shields) {
                continue;
            }
            let part = parts.entry(home.tenant).or_default();
            part.tenant = home.tenant;
            part.count += 1;
            let known = record.is_known();
            if let Some(own) = self.shares.of(home.tenant, index) {
                let light = known && own.jail.count == Count::Unanswered;
                let units = if light { 1 } else { u64::from(KNOWN_PART) };
                if own.each(known) == weight {
                    part.by_own += units;
                } else {
                    part.by_shared += units;
                }
            }
            part.mixed += u32::from(home.mixed);
        }
        let mut parts: Vec<Part> = parts.into_values().collect();
        let strict = |part: &Part| self.values_of(index, part).map(|jail| strictness(&jail));
        parts.sort_by(|a, b| {
            let (of_a, of_b) = (self.fraction(index, a), self.fraction(index, b));
            (of_b.0 * of_a.1)
                .cmp(&(of_a.0 * of_b.1))
                .then_with(|| strict(b).cmp(&strict(a)))
                .then(a.tenant.wrapping_sub(1).cmp(&b.tenant.wrapping_sub(1)))
        });
        parts
    }

    /// A part's share as an exact fraction: weights are rounded up, and equal shares must be equal.
    fn fraction(&self, index: u32, part: &Part) -> (u64, u64) {
        let retries = |tenant| {
            let terms = self.shares.of(tenant, index);
            u64::from(terms.map_or(1, |terms| maxretry(&terms.jail)))
        };
        let (own, shared) = (retries(part.tenant), retries(0));
        (part.by_own * shared + part.by_shared * own, own * shared)
    }

    /// The values by which a part bans: where it has mixed attempts, or everybody may claim to be its tenant, the stricter of
    /// its tenant's and the shared ones.
    pub(super) fn values_of(&self, index: u32, part: &Part) -> Option<Arc<Jail>> {
        let (own, shared) = (self.shares.of(part.tenant, index)?, self.shares.of(0, index)?);
        let both = part.mixed > 0 || own.guarded;
        let stricter = both && strictness(&shared.jail) > strictness(&own.jail);
        Some(Arc::clone(if stricter { &shared.jail } else { &own.jail }))
    }

    /// What the live attempts at one tenant weigh alone.
    pub(super) fn weight_alone(&self, index: u32, records: &[Record], now: Moment, tenant: u16) -> u64 {
        let its_own = records.iter().filter(|record| record.home().tenant == tenant);
        its_own.map(|record| self.weight(index, record, now)).sum()
    }
}

/// Whether its address stands in its own tenant's `ignoreip`.
pub(super) fn is_shielded(home: Home, shields: &[u16]) -> bool {
    !shields.is_empty() && !home.mixed && shields.contains(&home.tenant)
}

/// How many ban: at least 1, at most [`MAX_RETRY`].
pub(super) fn maxretry(jail: &Jail) -> u32 {
    jail.maxretry.clamp(1, MAX_RETRY)
}

/// How hard a jail bans, first by how long.
fn strictness(jail: &Jail) -> (Span, Option<(u32, Span)>) {
    let growth = jail.escalation.map(|growth| (growth.factor, growth.maximum));
    (jail.bantime, growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_maxretry_reach_the_whole_and_one_less_never() {
        for retries in 1..=MAX_RETRY {
            let jail = Jail {
                maxretry: retries,
                ..Jail::built_in()[0].clone()
            };
            let Terms { weight, light, .. } = Terms::new(Arc::new(jail), Count::Unanswered);
            assert!(weight * u64::from(retries) >= WHOLE, "{retries}");
            assert!(weight * u64::from(retries - 1) < WHOLE, "{retries}");
            // As many sixteenths as are missing after some in full reach it, too, and one less never.
            let parts = u64::from(KNOWN_PART);
            for full in [0, 1, retries / 2, retries - 1].map(u64::from) {
                let rest = (u64::from(retries) - full) * parts;
                assert!(weight * full + light * rest >= WHOLE, "{retries} {full}");
                assert!(
                    weight * full + light * rest.saturating_sub(1) < WHOLE || rest == 0,
                    "{retries} {full}"
                );
            }
        }
    }
}
