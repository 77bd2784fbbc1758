//! Whose attempt it is: tenants, and how an event's names lead to one of them.
//!
//! Every name but the profile is chosen by whoever talks to the PBX. So a name only ever chooses *whose* values count; where
//! two names disagree the attempt is mixed, and gets nobody's leniency.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use ipnet::IpNet;
use ringfence_event::{SecurityEvent, Text};

use super::{Jail, Pattern};

/// Tenants at most.
pub const MOST_TENANTS: usize = 1000;

/// One of several customers of the same PBX, with values of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name in configuration and reports; stands once.
    pub name: String,
    /// What its attempts look like.
    pub names: Names,
    /// Addresses that attempts at this tenant never ban, and that attempts at others don't either unless they attack this
    /// one as well.
    pub ignore: Vec<IpNet>,
    /// Jails with values of its own, found by their names: whether they are on, `maxretry`, `findtime`, `bantime` and the
    /// escalation. What they count and where is the shared jail's.
    pub jails: Vec<Jail>,
}

/// The names that lead to a tenant: of each list that is not empty one pattern must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The SIP domain; the realm where an event has no domain.
    pub domain: Vec<Pattern>,
    /// The digest realm.
    pub realm: Vec<Pattern>,
    /// The PBX's profile.
    pub profile: Vec<Pattern>,
    /// The account.
    pub account: Vec<Pattern>,
}

impl Names {
    /// Whether every event that these lead to is led away by `earlier`, where that is simple to tell.
    pub fn are_taken_by(&self, earlier: &Self) -> bool {
        let taken = |wide: &[Pattern], narrow: &[Pattern]| {
            wide.is_empty()
                || (!narrow.is_empty()
                    && narrow
                        .iter()
                        .all(|name| wide.iter().any(|wide| wide.covers(name))))
        };
        let same_kinds = earlier.domain.is_empty() == self.domain.is_empty()
            && earlier.realm.is_empty() == self.realm.is_empty();
        (same_kinds || !earlier.are_chosen())
            && taken(&earlier.domain, &self.domain)
            && taken(&earlier.realm, &self.realm)
            && taken(&earlier.profile, &self.profile)
            && taken(&earlier.account, &self.account)
    }

    /// Whether the peer's choice of realm or domain leads here.
    fn are_chosen(&self) -> bool {
        !self.domain.is_empty() || !self.realm.is_empty()
    }

    fn lead_here(&self, told: &Told<'_>) -> bool {
        let by_name = match (self.domain.is_empty(), self.realm.is_empty()) {
            (true, true) => true,
            (false, true) => fits(&self.domain, told.either),
            (true, false) => told.by_realm && fits(&self.realm, told.realm),
            (false, false) => fits(&self.domain, told.domain) && fits(&self.realm, told.realm),
        };
        by_name
            && (self.profile.is_empty() || fits(&self.profile, told.profile))
            && (self.account.is_empty() || fits(&self.account, told.account))
    }
}

fn fits(patterns: &[Pattern], name: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.fits(name))
}

/// Whose attempt an event tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Home {
    /// The tenant's place in the policy, from 1; 0 for none.
    pub(super) tenant: u16,
    /// Realm and domain lead to different tenants.
    pub(super) mixed: bool,
}

/// An event's names for one look-up: all but the account in lower case.
struct Told<'e> {
    /// What a tenant with domains alone looks at.
    either: &'e [u8],
    /// Whether a tenant with realms alone looks at all.
    by_realm: bool,
    domain: &'e [u8],
    realm: &'e [u8],
    profile: &'e [u8],
    account: &'e [u8],
}

/// The tenants by the names that lead to them.
#[derive(Debug, Default)]
pub(super) struct Homes {
    tenants: Vec<Names>,
    /// By one exact name each, ascending: domain, realm, account, profile.
    exact: [Exact; 4],
    /// Those that wildcards lead to, ascending.
    wild: Vec<u16>,
}

/// Only the admin chooses what stands in it, so that its hash needs no secret.
type Exact = HashMap<Box<[u8]>, Vec<u16>, BuildHasherDefault<DefaultHasher>>;

impl Homes {
    pub(super) fn new(tenants: &[Tenant]) -> Self {
        let mut homes = Self::default();
        for (tenant, index) in tenants.iter().take(MOST_TENANTS).zip(1_u16..) {
            homes.add(index, &tenant.names);
            homes.tenants.push(tenant.names.clone());
        }
        homes
    }

    /// Files a tenant under the list of names with the fewest wildcards.
    fn add(&mut self, index: u16, names: &Names) {
        let lists = [&names.domain, &names.realm, &names.account, &names.profile];
        let wild = |list: &[Pattern]| list.iter().filter(|name| name.name().is_none()).count();
        let listed = lists.into_iter().zip(&mut self.exact);
        let Some((list, exact)) = listed
            .filter(|(list, _)| !list.is_empty())
            .min_by_key(|(list, _)| wild(list))
        else {
            return;
        };
        for name in list.iter().filter_map(Pattern::name) {
            let filed = exact.entry(name.into()).or_default();
            if filed.last() != Some(&index) {
                filed.push(index);
            }
        }
        if wild(list) > 0 {
            self.wild.push(index);
        }
    }

    pub(super) fn are_any(&self) -> bool {
        !self.tenants.is_empty()
    }

    /// Whose attempt the event tells of.
    pub(super) fn of(&self, event: &SecurityEvent) -> Home {
        if self.tenants.is_empty() {
            return Home::default();
        }
        self.look_up(event)
    }

    #[inline(never)]
    fn look_up(&self, event: &SecurityEvent) -> Home {
        let (realm, domain) = (Folded::new(&event.tenant), Folded::new(&event.domain));
        let profile = Folded::new(&event.profile);
        let (realm, domain) = (realm.bytes(), domain.bytes());
        let told = Told {
            either: if domain.is_empty() { realm } else { domain },
            by_realm: true,
            domain: if domain.is_empty() { realm } else { domain },
            realm,
            profile: profile.bytes(),
            account: event.account.as_bytes(),
        };
        if realm.is_empty() || domain.is_empty() || realm == domain {
            let tenant = self.first(&told);
            return Home { tenant, mixed: false };
        }
        let by_realm = self.first(&Told {
            either: realm,
            ..told
        });
        let by_domain = self.first(&Told {
            by_realm: false,
            ..told
        });
        let tenant = if by_realm == 0 { by_domain } else { by_realm };
        let chosen = self
            .tenants
            .get(usize::from(tenant).wrapping_sub(1))
            .is_some_and(Names::are_chosen);
        Home {
            tenant,
            mixed: chosen && by_realm != by_domain,
        }
    }

    /// The first tenant, in the admin's order, that the names lead to; 0 for none.
    fn first(&self, told: &Told<'_>) -> u16 {
        let [domains, realms, accounts, profiles] = &self.exact;
        let filed = [
            domains.get(told.either),
            domains.get(told.domain),
            realms.get(told.realm),
            accounts.get(told.account),
            profiles.get(told.profile),
        ];
        let mut best = u16::MAX;
        for list in filed.into_iter().flatten().chain([&self.wild]) {
            let sooner = list.iter().take_while(|index| **index < best);
            let found = sooner.copied().find(|index| self.leads(*index, told));
            best = found.unwrap_or(best);
        }
        if best == u16::MAX { 0 } else { best }
    }

    fn leads(&self, index: u16, told: &Told<'_>) -> bool {
        self.tenants
            .get(usize::from(index) - 1)
            .is_some_and(|names| names.lead_here(told))
    }
}

/// A name in lower case.
struct Folded {
    bytes: [u8; 64],
    len: usize,
}

impl Folded {
    fn new(text: &Text) -> Self {
        let mut bytes = [0; 64];
        let from = text.as_bytes();
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = from.to_ascii_lowercase();
        }
        Self {
            bytes,
            len: from.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
