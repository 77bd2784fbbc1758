//! What the engine decides: verdicts are data, shared by the fence, dry run, audit, reports and tests.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ringfence_event::{Cause, Moment, Proof, Service, Span, Transport};
use serde::{Deserialize, Serialize};

/// Whom a ban stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scope", content = "target")]
pub enum Target {
    /// Every packet of one address.
    Address(IpAddr),
    /// One address and source port, so that the others behind the same NAT go on.
    Socket(SocketAddr),
    /// Every address of a prefix (its host bits are zero).
    Prefix(IpNet),
}

impl Target {
    /// The word for its kind in records: `address`, `socket` or `prefix`.
    pub fn scope(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Socket(_) => "socket",
            Self::Prefix(_) => "prefix",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(addr) => addr.fmt(f),
            Self::Socket(socket) => socket.fmt(f),
            Self::Prefix(net) => net.fmt(f),
        }
    }
}

/// What the engine decided about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stop the target from now on.
    Ban(Ban),
    /// The target is banned already and stays so for longer; `until` is later than before.
    Extend(Ban),
    /// The target's ban ends.
    Lift {
        /// Whose ban ended.
        target: Target,
        /// Why.
        reason: LiftReason,
    },
    /// Something a person should know, without a ban.
    Alert(Alert),
    /// A threshold was reached, but the target must not be banned.
    Ignore {
        /// Who would have been banned.
        target: Target,
        /// Why it was not.
        reason: IgnoreReason,
        /// The jail whose threshold was reached.
        jail: String,
        /// The tenants that trust it, when that is why; at most a handful.
        tenants: Vec<String>,
    },
}

/// One ban, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom it stops.
    pub target: Target,
    /// When it was decided.
    pub since: Moment,
    /// When it ends; [`Moment::NEVER`] for a ban without end.
    pub until: Moment,
    /// The jail that decided it; `manual` for one ordered by the admin.
    pub jail: String,
    /// How often this target has been banned by escalating jails, this time included.
    pub count: u32,
    /// What led to it.
    pub evidence: Evidence,
}

impl Ban {
    /// How long is left of it at `now`; [`Span::FOREVER`] for a ban without end.
    pub fn remaining(&self, now: Moment) -> Span {
        if self.until == Moment::NEVER {
            Span::FOREVER
        } else {
            self.until.since(now)
        }
    }
}

/// What led to a ban, bounded in size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the jail counted when it decided (attempts, accounts or unanswered challenges).
    pub attempts: u32,
    /// The weakest proof among the counted attempts.
    pub proof: Proof,
    /// The tenants whose attempts counted, the greatest share first, and those that trust the address but were attacked as
    /// well; at most eight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// The latest events of the address, oldest first; at most a handful.
    pub events: Vec<EvidenceEvent>,
}

/// One event kept as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceEvent {
    /// When the engine saw it.
    pub at: Moment,
    /// What happened.
    pub cause: Cause,
    /// The part of the PBX.
    pub service: Service,
    /// The source's index at that time.
    pub source: u16,
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

/// Why a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiftReason {
    /// Its time was over; the kernel has dropped it by itself.
    Expired,
    /// The admin asked for it.
    Unbanned,
    /// The target became an address that must never be banned.
    Ignored,
}

impl LiftReason {
    /// The word for it in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unbanned => "unbanned",
            Self::Ignored => "ignored",
        }
    }
}

/// Why a target that reached a threshold was not banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreReason {
    /// Listed in `ignoreip`.
    Configured,
    /// One of this machine's own addresses, or a PBX's.
    Own,
    /// Listed in the `ignoreip` of tenants that it has not attacked.
    Tenant,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// The table of tracked addresses is full and lets the least suspicious go.
    TableFull {
        /// How many addresses were let go since the last such alert.
        forgotten: u64,
    },
}
