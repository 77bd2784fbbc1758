//! What `status` and `why` show of the engine.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_event::Moment;

use super::absolute::Overlap;
use super::rules::bits;
use super::shares;
use super::suspect::{AddrKey, Suspect};
use super::{
    Dossier, Engine, IgnoreReason, JailCount, JailTotals, Target, TenantCount, TenantTotals, Totals,
};

impl Engine {
    /// What is known of one address.
    pub fn dossier(&self, at: Moment, addr: IpAddr) -> Dossier {
        let now = self.now.max(at);
        let addr = addr.to_canonical();
        let suspect = self
            .table
            .find(AddrKey::from(addr))
            .and_then(|slot| self.table.at(slot));
        let own = self
            .bans
            .of_address(addr)
            .into_iter()
            .filter_map(|target| self.bans.get(&target));
        let shields = self.shields.around(&Target::Address(addr));
        let off = self.rules.shares.off_everywhere();
        let counts = self
            .rules
            .jails()
            .iter()
            .zip(0_u32..)
            .filter(|(_, index)| off & (1 << index) == 0)
            .map(|(jail, index)| {
                (
                    jail,
                    index,
                    suspect.map(|s| self.rules.tally(index, s.records(), now, &shields)),
                )
            })
            .map(|(jail, index, tally)| JailCount {
                jail: jail.name.clone(),
                count: tally.map_or(0, |tally| tally.count),
                maxretry: shares::maxretry(jail),
                share: tally.map_or(0, |tally| tally.percent()),
                findtime: jail.findtime,
                tenants: suspect.map_or_else(Vec::new, |s| self.tenant_counts(index, s, now, &shields)),
            });
        Dossier {
            bans: own
                .chain(self.bans.prefixes_around(addr))
                .map(|held| held.ban.clone())
                .collect(),
            times_banned: self.memory.times(addr, now, self.policy.limits.memory),
            ignored: self.ignored(addr),
            trusted: self.trusted(addr),
            counts: counts.collect(),
            events: suspect
                .map(|s| s.evidence(&self.policy.tenants))
                .unwrap_or_default(),
            seen: suspect.map(|s| (s.first, s.last)),
        }
    }

    /// Totals since the start and now. Looks at every tracked address: some milliseconds for a million.
    pub fn totals(&self) -> Totals {
        let mut jails: Vec<JailTotals> = self
            .policy
            .jails
            .iter()
            .zip(0..)
            .map(|(jail, index)| JailTotals {
                jail: jail.name.clone(),
                enabled: jail.enabled,
                otherwise: self.rules.shares.otherwise(index),
                ..JailTotals::default()
            })
            .collect();
        for (jail, counters) in jails.iter_mut().zip(&self.counters.jails) {
            jail.counted = counters.counted;
            jail.bans = counters.bans;
        }
        for (_, suspect) in self.table.iter() {
            let live = suspect.records().iter().fold(0, |all, record| all | record.live);
            for jail in
                bits(live).filter(|jail| self.rules.tally(*jail, suspect.records(), self.now, &[]).count > 0)
            {
                if let Some(jail) = jails.get_mut(jail as usize) {
                    jail.suspects += 1;
                }
            }
        }
        for ban in self.bans() {
            if let Some(jail) = jails.iter_mut().find(|jail| jail.jail == ban.jail) {
                jail.banned += 1;
            }
        }
        Totals {
            events: self.counters.events,
            attempts: self.counters.attempts,
            tracked: self.table.len(),
            forgotten: self.counters.forgotten,
            banned: self.bans.len(),
            jails,
            tenants: self.tenant_totals(),
        }
    }

    fn tenant_totals(&self) -> Vec<TenantTotals> {
        let mut banned: HashMap<&str, usize> = HashMap::new();
        for tenant in self.bans().flat_map(|ban| &ban.evidence.tenants) {
            *banned.entry(tenant).or_default() += 1;
        }
        let tenants = self.policy.tenants.iter().zip(&self.counters.tenants);
        let totals = tenants.map(|(tenant, counters)| TenantTotals {
            tenant: tenant.name.clone(),
            counted: counters.counted,
            bans: counters.bans,
            banned: banned.get(tenant.name.as_str()).copied().unwrap_or(0),
        });
        totals.collect()
    }

    fn tenant_counts(&self, jail: u32, suspect: &Suspect, now: Moment, shields: &[u16]) -> Vec<TenantCount> {
        let parts = self.rules.parts(jail, suspect.records(), now, &[]);
        let counts = parts.iter().filter_map(|part| {
            let (maxretry, findtime) = self.rules.shares.told(jail, part.tenant)?;
            Some(TenantCount {
                tenant: self.label(part.tenant)?.to_owned(),
                count: part.count,
                maxretry,
                findtime,
                ignored: shields.contains(&part.tenant),
                mixed: part.mixed,
            })
        });
        counts.collect()
    }

    fn trusted(&self, addr: IpAddr) -> Vec<String> {
        let target = Target::Address(addr);
        let words = self
            .trusting(&target)
            .map(|(tenant, net, overlap)| match overlap {
                Overlap::Same => format!("tenant {tenant} (its ignoreip has it)"),
                _ => format!("tenant {tenant} (its ignoreip has {net})"),
            });
        words.collect()
    }

    fn ignored(&self, addr: IpAddr) -> Option<String> {
        let listed = |nets: &[IpNet]| nets.iter().find(|net| net.contains(&addr)).copied();
        Some(match self.absolute.reason(&Target::Address(addr))? {
            IgnoreReason::Own => "it is an address of this machine or of a PBX".to_owned(),
            IgnoreReason::Configured | IgnoreReason::Tenant => {
                match (listed(&self.policy.ignore), listed(&self.resolved)) {
                    (Some(net), _) => format!("ignoreip has {net}"),
                    (None, Some(net)) => format!("a host name in ignoreip resolves to {net}"),
                    (None, None) => "it is in ignoreip".to_owned(),
                }
            }
        })
    }
}
