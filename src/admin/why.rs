//! What is known of one address, as `why` shows it: times in UTC, sources by their names.

use std::net::IpAddr;

use ringfence_event::{Cause, Moment, Proof, Service, Transport};
use serde::{Deserialize, Serialize};

use super::protocol::BanView;
use crate::clock::iso;
use crate::engine::{Ban, Dossier, Evidence, EvidenceEvent, TenantCount};

/// Everything that is known of one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyView {
    /// The address.
    pub addr: IpAddr,
    /// What the engine knows now.
    pub now: NowView,
    /// What the store remembers, newest first.
    pub history: Vec<HistoryView>,
}

/// What the engine knows of an address now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NowView {
    /// The bans in force that stop it (its own, a prefix around it).
    pub bans: Vec<WhyBan>,
    /// How often it was banned by escalating jails.
    pub times_banned: u32,
    /// Why it can't be banned, if so.
    pub ignored: Option<String>,
    /// Tenants that trust it: it is banned only if it attacks them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
    /// Each jail's count now.
    pub counts: Vec<CountView>,
    /// The latest events kept of it, oldest first.
    pub events: Vec<EventView>,
    /// When it was first seen, in UTC, while it is tracked.
    pub first_seen: Option<String>,
    /// When it was last seen, in UTC, while it is tracked.
    pub last_seen: Option<String>,
}

/// A ban with what led to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyBan {
    /// The ban.
    #[serde(flatten)]
    pub ban: BanView,
    /// What led to it.
    pub evidence: EvidenceView,
}

/// One jail's count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountView {
    /// The jail.
    pub jail: String,
    /// How many count now.
    pub count: u32,
    /// How many ban where no tenant is among them.
    pub maxretry: u32,
    /// How much of what bans they are together, each by the values that hold for it, in percent.
    pub share: u32,
    /// Within how many seconds.
    pub findtime_s: u64,
    /// The tenants among it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantCountView>,
}

/// One tenant's part of a jail's count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantCountView {
    /// The tenant.
    pub tenant: String,
    /// How many count now.
    pub count: u32,
    /// How many would ban alone.
    pub maxretry: u32,
    /// Within how many seconds.
    pub findtime_s: u64,
    /// All but the mixed ones lead to no ban: the tenant trusts the address.
    pub ignored: bool,
    /// How many of them are mixed: their realm and domain disagree, and the stricter values hold.
    #[serde(default)]
    pub mixed: u32,
}

/// What led to a ban.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvidenceView {
    /// What the jail counted when it decided.
    pub attempts: u32,
    /// The weakest proof among what it counted.
    pub proof: Proof,
    /// The tenants whose attempts led to it, the greatest share first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// The latest events of the address at that time, oldest first.
    pub events: Vec<EventView>,
}

/// One event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventView {
    /// When, in UTC.
    pub at: String,
    /// The source's name, or its number when it is no longer configured.
    pub source: String,
    /// The part of the PBX.
    pub service: Service,
    /// What happened.
    pub cause: Cause,
    /// The account, escaped.
    pub account: String,
    /// The tenant it was tried at; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Source port, 0 when unknown.
    pub port: u16,
    /// Transport.
    pub transport: Transport,
}

/// One remembered verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryView {
    /// When, in UTC.
    pub at: String,
    /// `ban`, `extend` or `lift`.
    pub verdict: String,
    /// Whom it was about.
    pub target: String,
    /// The jail, or the reason of a lift.
    pub reason: String,
    /// Until when it was meant to last, in UTC.
    pub until: Option<String>,
    /// The evidence.
    pub evidence: Option<EvidenceView>,
}

impl NowView {
    /// How `dossier` looks at `now`; `sources` has the sources' names by their number.
    pub fn new(dossier: &Dossier, now: Moment, sources: &[String]) -> Self {
        let with_evidence = |ban: &Ban| WhyBan {
            ban: BanView::new(ban, None, now),
            evidence: EvidenceView::new(&ban.evidence, sources),
        };
        let count = |count: &crate::engine::JailCount| CountView {
            jail: count.jail.clone(),
            count: count.count,
            maxretry: count.maxretry,
            share: count.share,
            findtime_s: count.findtime.as_secs(),
            tenants: count.tenants.iter().map(TenantCountView::new).collect(),
        };
        Self {
            bans: dossier.bans.iter().map(with_evidence).collect(),
            times_banned: dossier.times_banned,
            ignored: dossier.ignored.clone(),
            trusted: dossier.trusted.clone(),
            counts: dossier.counts.iter().map(count).collect(),
            events: dossier
                .events
                .iter()
                .map(|event| EventView::new(event, sources))
                .collect(),
            first_seen: dossier.seen.map(|(first, _)| iso(first)),
            last_seen: dossier.seen.map(|(_, last)| iso(last)),
        }
    }
}

impl TenantCountView {
    fn new(count: &TenantCount) -> Self {
        Self {
            tenant: count.tenant.clone(),
            count: count.count,
            maxretry: count.maxretry,
            findtime_s: count.findtime.as_secs(),
            ignored: count.ignored,
            mixed: count.mixed,
        }
    }
}

impl EvidenceView {
    /// How `evidence` looks.
    pub fn new(evidence: &Evidence, sources: &[String]) -> Self {
        Self {
            attempts: evidence.attempts,
            proof: evidence.proof,
            tenants: evidence.tenants.clone(),
            events: evidence
                .events
                .iter()
                .map(|event| EventView::new(event, sources))
                .collect(),
        }
    }
}

impl EventView {
    fn new(event: &EvidenceEvent, sources: &[String]) -> Self {
        let name = sources.get(usize::from(event.source)).cloned();
        Self {
            at: iso(event.at),
            source: name.unwrap_or_else(|| format!("#{}", event.source)),
            service: event.service,
            cause: event.cause,
            account: event.account.clone(),
            tenant: event.tenant.clone(),
            port: event.port,
            transport: event.transport,
        }
    }
}
