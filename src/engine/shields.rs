//! Tenants' own `ignoreip`: whom a ban that others decided must not stop.
//!
//! The kernel can't tell tenants apart, so a ban is for everybody. An address that one tenant trusts is banned only when it
//! attacks that tenant too.

use ipnet::IpNet;
use ringfence_event::Moment;

use super::absolute::{self, Overlap, Ranges};
use super::rules::Rules;
use super::shares::{Part, WHOLE, is_shielded};
use super::suspect::Suspect;
use super::tenants::MOST_TENANTS;
use super::{Engine, Target, Tenant};

/// Labels that a ban's evidence carries at most.
pub(super) const LABELS: usize = 8;

/// Every tenant's trusted addresses.
#[derive(Debug, Default)]
pub(super) struct Shields {
    any: Ranges,
    /// By tenant, in the admin's order.
    nets: Vec<(u16, (u128, u128))>,
}

impl Shields {
    pub(super) fn new(tenants: &[Tenant]) -> Self {
        let listed = tenants.iter().take(MOST_TENANTS).zip(1_u16..);
        let nets: Vec<_> = listed
            .flat_map(|(tenant, index)| tenant.ignore.iter().map(move |net| (index, absolute::span(*net))))
            .collect();
        Self {
            any: nets.iter().map(|(_, span)| *span).collect(),
            nets,
        }
    }

    /// The tenants that trust an address of the target, ascending.
    pub(super) fn around(&self, target: &Target) -> Vec<u16> {
        // asked with every event that counts, and most sites have no such list
        if self.nets.is_empty() {
            return Vec::new();
        }
        let (first, last) = absolute::covered(target);
        if !self.any.overlap((first, last)) {
            return Vec::new();
        }
        let touching = self
            .nets
            .iter()
            .filter(|(_, (start, end))| *start <= last && first <= *end);
        let mut tenants: Vec<u16> = touching.map(|(tenant, _)| *tenant).collect();
        tenants.dedup();
        tenants
    }
}

/// The tenants among `shields` that an address has not attacked enough, by their own values, to lose their protection. So many
/// that a ban's evidence could not name them all protect it whatever it does.
pub(super) fn holding(rules: &Rules, jail: u32, suspect: &Suspect, now: Moment, shields: &[u16]) -> Vec<u16> {
    if shields.len() >= LABELS {
        return shields.to_vec();
    }
    let spared = |tenant: &u16| rules.weight_alone(jail, suspect.records(), now, *tenant) < WHOLE;
    shields.iter().copied().filter(spared).collect()
}

/// Whom a ban names: those whose attempts counted, the greatest share first, then those that trust the address all the same.
/// These are never left out, since without them the ban would be lifted for their sake.
pub(super) fn attacked(parts: &[Part], shields: &[u16]) -> Vec<u16> {
    let mut counted: Vec<u16> = parts
        .iter()
        .map(|part| part.tenant)
        .filter(|tenant| *tenant != 0)
        .collect();
    let room = LABELS.saturating_sub(shields.len());
    let mut others = 0;
    counted.retain(|tenant| {
        others += usize::from(!shields.contains(tenant));
        shields.contains(tenant) || others <= room
    });
    let rest = shields.iter().filter(|tenant| !counted.contains(tenant));
    let rest: Vec<u16> = rest.copied().collect();
    counted.extend(rest);
    counted
}

/// A protected address may fail for ever without a decision that uses anything up: of its attempts only the latest are kept
/// that reach the threshold, and of those at a tenant that trusts it the latest that reach that tenant's own.
pub(super) fn thin_out(rules: &Rules, jail: u32, suspect: &mut Suspect, now: Moment, shields: &[u16]) {
    let records = suspect.records_mut();
    let mut order: Vec<(Moment, usize)> = records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.live & (1 << jail) != 0)
        .map(|(at, record)| (record.at + rules.shares.lifetime(jail, record.home()), at))
        .collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    let mut all = 0;
    let mut alone: Vec<(u16, u64)> = shields.iter().map(|tenant| (*tenant, 0)).collect();
    for (_, at) in order {
        let Some(record) = records.get_mut(at) else {
            continue;
        };
        let (home, weight) = (record.home(), rules.weight(jail, record, now));
        let mut needed = false;
        if !is_shielded(home, shields) {
            needed |= all < WHOLE;
            all += weight;
        }
        if let Some((_, sum)) = alone.iter_mut().find(|(tenant, _)| *tenant == home.tenant) {
            needed |= *sum < WHOLE;
            *sum += weight;
        }
        if !needed || weight == 0 {
            record.live &= !(1 << jail);
        }
    }
    if suspect.records().len() > SETTLED {
        suspect.tidy_up(now, rules);
    }
}

/// Attempts below which nothing is gained by looking for those that nobody needs.
const SETTLED: usize = 16;

impl Engine {
    /// The names of tenants, at most [`LABELS`].
    pub(super) fn labels(&self, tenants: impl IntoIterator<Item = u16>) -> Vec<String> {
        let names = tenants.into_iter().filter_map(|tenant| self.label(tenant));
        names.take(LABELS).map(ToOwned::to_owned).collect()
    }

    /// A tenant's name.
    pub(super) fn label(&self, tenant: u16) -> Option<&str> {
        let tenant = self.policy.tenants.get(usize::from(tenant).checked_sub(1)?)?;
        Some(&tenant.name)
    }

    /// The tenants, with their entry, that trust an address of the target.
    pub(super) fn trusting(&self, target: &Target) -> impl Iterator<Item = (&str, IpNet, Overlap)> {
        let around = self.shields.around(target);
        let tenants = around
            .into_iter()
            .filter_map(|index| self.policy.tenants.get(usize::from(index) - 1));
        tenants.filter_map(move |tenant| {
            let mut nets = tenant.ignore.iter();
            nets.find_map(|net| {
                let overlap = absolute::overlap(target, *net)?;
                Some((tenant.name.as_str(), *net, overlap))
            })
        })
    }

    /// Whether the ban of `target` stops somebody whom a tenant trusts that is not among the `attacked`.
    pub(super) fn is_shielded_from(&self, target: &Target, attacked: &[String]) -> bool {
        let shielding = self.shields.around(target);
        shielding.iter().any(|tenant| {
            self.label(*tenant)
                .is_some_and(|name| !attacked.iter().any(|attacked| attacked == name))
        })
    }
}
