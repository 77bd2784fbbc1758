//! What the admin and the daemon order: bans, unbans, the addresses that must never be banned, a new policy.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ringfence_event::{Moment, Span};

use super::absolute::{self, Absolute, Overlap};
use super::bans::Held;
use super::known;
use super::rules::Rules;
use super::shields::Shields;
use super::suspect::{AddrKey, Suspect};
use super::{
    Ban, Command, Engine, Evidence, IgnoreReason, JailCounters, LiftReason, Policy, Reply, Target, Verdict,
};

/// The jail of a ban ordered by the admin.
const MANUAL: &str = "manual";
/// How long such a ban lasts when nothing says so.
const MANUAL_BANTIME: Span = Span::from_secs(3600);

impl Engine {
    /// Carries out a command; the verdicts say what changed.
    pub fn command(&mut self, at: Moment, command: Command, out: &mut Vec<Verdict>) -> Reply {
        let now = self.advance(at, out);
        match command {
            Command::Ban { target, duration } => self.ban(canonical(target), duration, now, out),
            Command::Unban(target) => self.unban(canonical(target), out),
            Command::UnbanAll => {
                let targets = self.bans.targets();
                for target in &targets {
                    self.forget(*target);
                }
                Reply::Done(self.lift(&targets, LiftReason::Unbanned, out))
            }
            Command::Resolved(nets) => {
                self.resolved = nets;
                Reply::Done(self.protect(out))
            }
            Command::Own(addrs) => {
                self.policy.own = addrs;
                Reply::Done(self.protect(out))
            }
            Command::WatchTogether(twins) => {
                self.watch_together(twins);
                Reply::Done(0)
            }
        }
    }

    /// Takes a new policy without losing state.
    ///
    /// A jail that keeps its name keeps its counts; bans in force stay as they are, whatever becomes of their jail; bans
    /// against a new `ignoreip` are lifted. An empty list of own addresses keeps the present one.
    pub fn reconfigure(&mut self, at: Moment, mut policy: Policy, out: &mut Vec<Verdict>) {
        let now = self.advance(at, out);
        if policy.own.is_empty() {
            policy.own = std::mem::take(&mut self.policy.own);
        }
        let jails: Vec<String> = self.policy.jails.iter().map(|jail| jail.name.clone()).collect();
        let tenants: Vec<String> = self
            .policy
            .tenants
            .iter()
            .map(|tenant| tenant.name.clone())
            .collect();
        self.policy = policy;
        self.known.trim(known::capacity(self.policy.limits.max_tracked));
        self.adopt(&jails, &tenants);
        self.protect(out);
        while self.table.len() > self.policy.limits.max_tracked.max(1) {
            self.shed(false, now, out);
        }
    }

    /// Makes the policy ready and carries the counts of the jails and tenants with these names, as they stood before, over to
    /// those of the same names.
    pub(super) fn adopt(&mut self, before: &[String], tenants: &[String]) {
        self.rules = Rules::new(&self.policy);
        self.adopt_tenants(tenants);
        let off = self.rules.shares.off_everywhere();
        let jails = self.rules.jails();
        let place = |name: &String| {
            let mut listed = jails.iter().enumerate();
            let found = listed.find(|(_, jail)| jail.name == *name).map(|(at, _)| at);
            found.filter(|at| off & (1 << at) == 0)
        };
        let moves: Vec<Option<usize>> = before.iter().map(place).collect();
        let mut counters = vec![JailCounters::default(); self.policy.jails.len()];
        for (old, new) in self.counters.jails.iter().zip(&moves) {
            if let Some(counter) = new.and_then(|new| counters.get_mut(new)) {
                *counter = *old;
            }
        }
        self.counters.jails = counters;
        if moves.iter().enumerate().all(|(old, new)| *new == Some(old)) {
            return;
        }
        let remap = |mask: u32| {
            let bits = moves
                .iter()
                .take(32)
                .enumerate()
                .filter(|(old, _)| mask & (1 << old) != 0);
            bits.filter_map(|(_, new)| *new)
                .fold(0, |all, new| all | (1 << new))
        };
        let slots: Vec<u32> = self.table.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            for record in self.table.at_mut(slot).into_iter().flat_map(Suspect::records_mut) {
                record.counted = remap(record.counted);
                record.live = remap(record.live);
            }
        }
    }

    fn adopt_tenants(&mut self, before: &[String]) {
        let now = self.policy.tenants.iter().map(|tenant| tenant.name.as_str());
        let now: HashMap<&str, u16> = now.zip(1..).collect();
        let moves: Vec<u16> = before
            .iter()
            .map(|name| now.get(name.as_str()).copied().unwrap_or(0))
            .collect();
        let mut counters = vec![JailCounters::default(); self.policy.tenants.len()];
        for (old, new) in self.counters.tenants.iter().zip(&moves) {
            let new = usize::from(*new).checked_sub(1);
            if let Some(counter) = new.and_then(|new| counters.get_mut(new)) {
                *counter = *old;
            }
        }
        self.counters.tenants = counters;
        if moves.iter().zip(1_u16..).all(|(new, old)| *new == old) {
            return;
        }
        let place = |old: u16| {
            let at = usize::from(old).checked_sub(1);
            at.and_then(|at| moves.get(at)).copied().unwrap_or(0)
        };
        let slots: Vec<u32> = self.table.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(suspect) = self.table.at_mut(slot) {
                suspect.rehome(place);
            }
        }
    }

    /// Makes the addresses that must never be banned ready and lifts the bans that stand against them; how many.
    pub(super) fn protect(&mut self, out: &mut Vec<Verdict>) -> usize {
        self.absolute = Absolute::new(self.policy.ignore.iter().chain(&self.resolved), &self.policy.own);
        self.shields = Shields::new(&self.policy.tenants);
        let against: Vec<Target> = self
            .bans()
            .filter(|ban| self.is_forbidden(ban))
            .map(|ban| ban.target)
            .collect();
        self.lift(&against, LiftReason::Ignored, out)
    }

    fn ban(&mut self, target: Target, duration: Option<Span>, now: Moment, out: &mut Vec<Verdict>) -> Reply {
        if let Some(reason) = self.absolute.reason(&target) {
            return Reply::Refused(self.refusal(&target, reason));
        }
        if let Some((tenant, net, overlap)) = self.trusting(&target).next() {
            let why = format!("in ignoreip of tenant {tenant}");
            return Reply::Refused(stands_in_the_way(&target, Some((net, overlap)), &why));
        }
        if matches!(target, Target::Prefix(net) if net.prefix_len() == 0) {
            return Reply::Refused(format!("{target} is everybody"));
        }
        let auth = self.policy.jails.iter().find(|jail| jail.name == "auth");
        let term = duration.unwrap_or(auth.map_or(MANUAL_BANTIME, |jail| jail.bantime));
        let until = now + term;
        let present = self.bans.get(&target);
        if present.is_some_and(|held| held.ban.until >= until) {
            return Reply::Done(0);
        }
        let (addr, events) = match target {
            Target::Address(addr) => {
                let suspect = self
                    .table
                    .find(AddrKey::from(addr))
                    .and_then(|slot| self.table.at(slot));
                (
                    Some(addr),
                    suspect
                        .map(|s| s.evidence(&self.policy.tenants))
                        .unwrap_or_default(),
                )
            }
            _ => (None, Vec::new()),
        };
        let ban = Ban {
            target,
            since: present.map_or(now, |held| held.ban.since),
            until,
            jail: MANUAL.to_owned(),
            count: addr.map_or(0, |addr| self.memory.times(addr, now, self.policy.limits.memory)),
            evidence: Evidence {
                events,
                ..Evidence::default()
            },
        };
        let raised = present.is_some_and(|held| held.raised);
        out.push(if present.is_some() {
            Verdict::Extend(ban.clone())
        } else {
            Verdict::Ban(ban.clone())
        });
        self.bans.put(Held { ban, raised });
        Reply::Done(1)
    }

    /// Why `target` can't be banned, naming the first entry that stands in the way.
    fn refusal(&self, target: &Target, reason: IgnoreReason) -> String {
        let named = |nets: &[IpNet]| {
            let mut found = nets.iter().map(|net| (*net, absolute::overlap(target, *net)));
            found.find_map(|(net, overlap)| Some((net, overlap?)))
        };
        let (entry, why) = match reason {
            IgnoreReason::Configured | IgnoreReason::Tenant => match named(&self.policy.ignore) {
                None => (
                    named(&self.resolved),
                    "an address of a host name in ignoreip".to_owned(),
                ),
                entry => (entry, reason.to_string()),
            },
            IgnoreReason::Own => {
                let own = self.policy.own.iter().map(|addr| addr.to_canonical().into());
                (named(&own.collect::<Vec<IpNet>>()), reason.to_string())
            }
        };
        stands_in_the_way(target, entry, &why)
    }

    fn unban(&mut self, target: Target, out: &mut Vec<Verdict>) -> Reply {
        let (targets, wider): (Vec<Target>, Vec<Target>) = match target {
            Target::Address(addr) => (self.bans.of_address(addr), self.around(addr)),
            Target::Socket(socket) => {
                let own = self
                    .bans
                    .get(&Target::Address(socket.ip()))
                    .map(|held| held.ban.target);
                let mut wider = self.around(socket.ip());
                wider.extend(own);
                (
                    self.bans
                        .get(&target)
                        .map(|held| held.ban.target)
                        .into_iter()
                        .collect(),
                    wider,
                )
            }
            Target::Prefix(net) => (
                self.bans.inside(net),
                self.bans
                    .prefixes_beyond(net)
                    .map(|held| held.ban.target)
                    .collect(),
            ),
        };
        self.forget(target);
        let lifted = self.lift(&targets, LiftReason::Unbanned, out);
        match wider.first() {
            Some(wide) => Reply::Refused(format!("{target} stays banned by {wide}: unban that")),
            None => Reply::Done(lifted),
        }
    }

    fn around(&self, addr: IpAddr) -> Vec<Target> {
        self.bans
            .prefixes_around(addr)
            .map(|held| held.ban.target)
            .collect()
    }

    fn lift(&mut self, targets: &[Target], reason: LiftReason, out: &mut Vec<Verdict>) -> usize {
        for target in targets {
            self.bans.remove(target);
            out.push(Verdict::Lift {
                target: *target,
                reason,
            });
        }
        targets.len()
    }

    /// Forgets what was counted against a target and how often it was banned.
    fn forget(&mut self, target: Target) {
        match target {
            Target::Socket(_) => {}
            Target::Address(addr) => {
                self.memory.forget(addr);
                if let Some(slot) = self.table.find(AddrKey::from(addr)) {
                    self.table.remove(slot);
                }
            }
            Target::Prefix(net) => {
                self.memory.forget_range(net.network(), net.broadcast());
                let inside = self
                    .table
                    .iter()
                    .filter(|(_, suspect)| net.contains(&IpAddr::from(suspect.addr)));
                let slots: Vec<u32> = inside.map(|(slot, _)| slot).collect();
                for slot in slots {
                    self.table.remove(slot);
                }
            }
        }
    }
}

/// Why a target can't be banned, in words.
fn stands_in_the_way(target: &Target, entry: Option<(IpNet, Overlap)>, why: &str) -> String {
    match entry {
        Some((net, Overlap::Holds)) => format!("{target} holds {}, which is {why}", entry_name(net)),
        Some((net, Overlap::Inside)) => format!("{target} is in {}, which is {why}", entry_name(net)),
        Some((_, Overlap::Same)) | None => format!("{target} is {why}"),
    }
}

/// A single address without the length of its prefix.
fn entry_name(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.to_string()
    }
}

/// One way to name each target: IPv4 for an IPv4-mapped address, no host bits, an address for a prefix of one.
pub(super) fn canonical(target: Target) -> Target {
    match target {
        Target::Address(addr) => Target::Address(addr.to_canonical()),
        Target::Socket(socket) => Target::Socket(SocketAddr::new(socket.ip().to_canonical(), socket.port())),
        Target::Prefix(net) => {
            let net = match net {
                IpNet::V6(v6) if v6.prefix_len() >= 96 && v6.addr().to_ipv4_mapped().is_some() => {
                    IpNet::new(v6.addr().to_canonical(), v6.prefix_len() - 96).unwrap_or(net)
                }
                _ => net,
            };
            if net.prefix_len() == net.max_prefix_len() {
                Target::Address(net.addr())
            } else {
                Target::Prefix(net.trunc())
            }
        }
    }
}
