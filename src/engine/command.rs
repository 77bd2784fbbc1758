//! What the daemon and the admin can ask of the engine, and what it answers.

use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_event::{Moment, SourceId, Span};
use serde::{Deserialize, Serialize};

use super::{Ban, EvidenceEvent, Target};

/// A request to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ban a target by order of the admin; refused for one that must never be banned.
    Ban {
        /// Whom.
        target: Target,
        /// For how long; `None` for the auth jail's bantime (1 h by default).
        duration: Option<Span>,
    },
    /// Lift a target's ban and forget what was counted against it (a prefix lifts everything inside it). Its number of
    /// earlier bans is forgotten too: an admin who unbans has judged.
    Unban(Target),
    /// Lift every ban.
    UnbanAll,
    /// The addresses that the configured host names in `ignoreip` resolve to now; replaces the previous answer and lifts
    /// bans that stand against it.
    Resolved(Vec<IpNet>),
    /// This machine's and the PBXes' addresses as they are now; replaces the previous list and lifts bans likewise.
    Own(Vec<IpAddr>),
    /// Which sources watch the same PBX, see [`Engine::watch_together`](super::Engine::watch_together).
    WatchTogether(Vec<Vec<SourceId>>),
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was carried out; the verdicts say what changed. The number of targets it touched.
    Done(usize),
    /// It was not (or not wholly) carried out: the target must never be banned, or a wider ban still covers what was
    /// unbanned. Why, in words for the admin; the verdicts say what changed all the same.
    Refused(String),
}

/// What the engine knows of one address, for `why`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    /// The bans in force that stop this address (its own, a prefix around it).
    pub bans: Vec<Ban>,
    /// How often it has been banned by escalating jails.
    pub times_banned: u32,
    /// Why it can't be banned, if so.
    pub ignored: Option<String>,
    /// Tenants that trust it, each with the entry of its `ignoreip`, in words: it is banned only if it attacks them too.
    pub trusted: Vec<String>,
    /// Each jail's count now.
    pub counts: Vec<JailCount>,
    /// The latest events kept of it, oldest first.
    pub events: Vec<EvidenceEvent>,
    /// When it was first and last seen, while it is tracked.
    pub seen: Option<(Moment, Moment)>,
}

/// One jail's count for one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailCount {
    /// The jail.
    pub jail: String,
    /// How many count now.
    pub count: u32,
    /// How many ban where no tenant is among them.
    pub maxretry: u32,
    /// How much of what bans they are together, each by the values that hold for it, in percent.
    pub share: u32,
    /// Within which time, in milliseconds.
    pub findtime: Span,
    /// The tenants among it, by their own values; also what does not count since a tenant trusts the address.
    pub tenants: Vec<TenantCount>,
}

/// One tenant's part of a jail's count for one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCount {
    /// The tenant.
    pub tenant: String,
    /// How many count now.
    pub count: u32,
    /// How many would ban alone.
    pub maxretry: u32,
    /// Within which time, in milliseconds.
    pub findtime: Span,
    /// All but the mixed ones lead to no ban: the tenant trusts the address.
    pub ignored: bool,
    /// How many of them are mixed: their realm and domain disagree, and the stricter values hold.
    pub mixed: u32,
}

/// Totals for `status` and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events observed.
    pub events: u64,
    /// Attempts they were folded into.
    pub attempts: u64,
    /// Addresses tracked now.
    pub tracked: usize,
    /// Addresses let go because the table was full.
    pub forgotten: u64,
    /// Bans in force now.
    pub banned: usize,
    /// Per jail, in the policy's order.
    pub jails: Vec<JailTotals>,
    /// Per tenant, in the policy's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantTotals>,
}

/// One tenant's totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantTotals {
    /// The tenant.
    pub tenant: String,
    /// Failed attempts at it that some jail counted since the start.
    pub counted: u64,
    /// Bans that attempts at it had the greatest share in, since the start.
    pub bans: u64,
    /// Of the bans in force, those that it led to, alone or with others.
    pub banned: usize,
}

/// One jail's totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailTotals {
    /// The jail.
    pub jail: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Tenants for which it is the other way round.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub otherwise: usize,
    /// Addresses that have something counted against them now.
    pub suspects: usize,
    /// Attempts (or challenges) it counted since the start.
    pub counted: u64,
    /// Bans it decided since the start.
    pub bans: u64,
    /// Its bans in force now.
    pub banned: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it like this")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
