//! Whose attempt it is: how an event's names lead to a tenant.
//!
//! Every name but the profile is chosen by whoever talks to the PBX. So a name only ever chooses *whose* values count; where
//! two names disagree the attempt is mixed, and gets nobody's leniency.

use ringfence_event::{SecurityEvent, Text};

use super::filed::Filed;
use super::tenants::{MOST_TENANTS, Names, Tenant};

/// Whose attempt an event tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Home {
    /// The tenant's place in the policy, from 1; 0 for none.
    pub(super) tenant: u16,
    /// Realm and domain lead to different tenants.
    pub(super) mixed: bool,
}

/// An event's names for one look-up: all but the account in lower case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'e> {
    /// What a tenant with domains alone looks at.
    pub(super) either: &'e [u8],
    /// Whether a tenant with realms alone looks at all.
    pub(super) by_realm: bool,
    pub(super) domain: &'e [u8],
    pub(super) realm: &'e [u8],
    pub(super) profile: &'e [u8],
    pub(super) account: &'e [u8],
}

/// The tenants by the names that lead to them.
#[derive(Debug, Default)]
pub(super) struct Homes {
    tenants: Vec<Names>,
    /// Each tenant is filed in one of these.
    by_domain: Filed,
    by_realm: Filed,
    by_account: Filed,
    by_profile: Filed,
}

impl Homes {
    pub(super) fn new(tenants: &[Tenant]) -> Self {
        let mut homes = Self::default();
        for (tenant, index) in tenants.iter().take(MOST_TENANTS).zip(1_u16..) {
            homes.add(index, &tenant.names);
            homes.tenants.push(tenant.names.clone());
        }
        homes
    }

    /// Files a tenant under the names that are looked up best.
    fn add(&mut self, index: u16, names: &Names) {
        let lists = [
            (&names.domain, &mut self.by_domain),
            (&names.realm, &mut self.by_realm),
            (&names.account, &mut self.by_account),
            (&names.profile, &mut self.by_profile),
        ];
        let best = lists
            .into_iter()
            .filter(|(list, _)| !list.is_empty())
            .min_by_key(|(list, _)| Filed::burden(list));
        if let Some((list, filed)) = best {
            filed.add(index, list);
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
        let domain = if told.domain == told.either {
            &[]
        } else {
            told.domain
        };
        let mut best = u16::MAX;
        let mut nearer = |list: &[u16]| {
            let sooner = list.iter().take_while(|index| **index < best);
            let found = sooner.copied().find(|index| self.leads(*index, told));
            best = found.unwrap_or(best);
        };
        self.by_domain.each(told.either, &mut nearer);
        self.by_domain.each(domain, &mut nearer);
        self.by_realm.each(told.realm, &mut nearer);
        self.by_account.each(told.account, &mut nearer);
        self.by_profile.each(told.profile, &mut nearer);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Pattern;
    use super::*;

    /// Most lists are empty, the others hold names and patterns of every form.
    fn list() -> impl Strategy<Value = Vec<Pattern>> {
        let text = prop_oneof!["[ab.]{1,4}", "[*][.][ab.]{1,3}", "[ab.]{1,2}[*]", "[ab.*?]{1,5}"];
        let pattern = text.prop_map(|text: String| Pattern::exactly(&text));
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(pattern, 1..4)]
    }

    fn names() -> impl Strategy<Value = Names> {
        (list(), list(), list(), list()).prop_map(|(domain, realm, profile, account)| Names {
            domain,
            realm,
            profile,
            account,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_finds_the_one_that_a_look_at_each_in_turn_finds(
            tenants in prop::collection::vec(names().prop_filter("a key", |names| *names != Names::default()), 1..12),
            told in prop::array::uniform5("[ab.]{0,5}"),
            by_realm: bool,
        ) {
            let [either, domain, realm, profile, account] = told.each_ref().map(String::as_bytes);
            let told = Told { either, by_realm, domain, realm, profile, account };
            let first = tenants.iter().position(|names| names.lead_here(&told));
            let tenants: Vec<Tenant> = tenants
                .into_iter()
                .map(|names| Tenant { name: String::new(), names, ignore: Vec::new(), jails: Vec::new() })
                .collect();
            let found = usize::from(Homes::new(&tenants).first(&told));
            prop_assert_eq!(found, first.map_or(0, |place| place + 1));
        }
    }
}
