//! Tenants: customers of the same PBX, and the names that lead to them.

use ipnet::IpNet;

use super::homes::Told;
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
    pub(super) fn are_chosen(&self) -> bool {
        !self.domain.is_empty() || !self.realm.is_empty()
    }

    /// Whether only the profile leads here, the one name that the peer does not choose.
    pub(super) fn are_of_profile(&self) -> bool {
        !self.are_chosen() && self.account.is_empty()
    }

    /// Whether an event with these names is led here.
    pub(super) fn lead_here(&self, told: &Told<'_>) -> bool {
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
