//! Customers of one PBX, and who attacks which of them.

use ringfence::engine::{Jail, Names, Pattern, Policy, Tenant};
use ringfence_event::{Cause, SecurityEvent, Text};

use super::{World, event};

pub(crate) const ATTACKER: &str = "198.51.100.7";
pub(crate) const OFFICE: &str = "203.0.113.20";

/// A tenant by its domain, with another `maxretry` for `auth`.
pub(crate) fn tenant(name: &str, maxretry: u32) -> Tenant {
    Tenant {
        name: name.into(),
        names: Names {
            domain: vec![Pattern::folded(&format!("{name}.example"))],
            ..Names::default()
        },
        ignore: Vec::new(),
        jails: vec![Jail {
            maxretry,
            ..Jail::built_in()[0].clone()
        }],
    }
}

/// The same; it trusts the office.
pub(crate) fn trusting(name: &str, maxretry: u32) -> Tenant {
    Tenant {
        ignore: vec!["203.0.113.0/24".parse().unwrap()],
        ..tenant(name, maxretry)
    }
}

/// A world with these tenants and the shared jails as they are built in.
pub(crate) fn with(tenants: Vec<Tenant>) -> World {
    World::new(Policy {
        tenants,
        ..Policy::default()
    })
}

/// A wrong password with these names.
pub(crate) fn wrong(addr: &str, account: &str, (realm, domain): (&str, &str), call: &str) -> SecurityEvent {
    SecurityEvent {
        tenant: Text::from(realm),
        domain: Text::from(domain),
        profile: Text::from("internal"),
        ..event(addr, Cause::WrongPassword, account, call)
    }
}

pub(crate) trait Attacks {
    fn at(&mut self, addr: &str, realm: &str, domain: &str) -> &mut Self;
    fn attack(&mut self, addr: &str, tenant: &str, times: usize) -> &mut Self;
}

impl Attacks for World {
    fn at(&mut self, addr: &str, realm: &str, domain: &str) -> &mut Self {
        let call = self.call_id();
        self.see(&wrong(addr, "100", (realm, domain), &call))
    }

    /// Honest names: realm and domain are those of the tenant.
    fn attack(&mut self, addr: &str, tenant: &str, times: usize) -> &mut Self {
        let name = format!("{tenant}.example");
        for _ in 0..times {
            self.at(addr, &name, &name);
        }
        self
    }
}

/// Whom the only ban names.
pub(crate) fn tenants_of(world: &World) -> Vec<String> {
    world.ban().evidence.tenants.clone()
}
