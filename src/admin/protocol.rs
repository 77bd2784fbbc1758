//! What goes over the control socket, and what `--json` prints.

use std::net::IpAddr;

use ringfence_event::{Moment, Proof, Span};
use serde::{Deserialize, Serialize};

use super::why::WhyView;
use crate::clock::iso;
use crate::engine::{Ban, Target, Totals};
use crate::health::{HealthReport, State, StreamReport};

/// One request, one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verb")]
pub enum AdminRequest {
    /// How the daemon is doing.
    Status,
    /// Every ban in force.
    Banned,
    /// Ban a target by order.
    Ban {
        /// Whom.
        target: Target,
        /// For how long; the auth jail's bantime when absent.
        duration: Option<Span>,
    },
    /// Lift a target's ban and forget what was counted.
    Unban {
        /// Whose.
        target: Target,
    },
    /// Lift every ban.
    UnbanAll,
    /// What is known of one address.
    Why {
        /// Which.
        addr: IpAddr,
    },
    /// Read the configuration again.
    Reload,
}

/// One answer, one line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminAnswer {
    /// Answer to [`AdminRequest::Status`].
    Status(Box<StatusView>),
    /// Answer to [`AdminRequest::Banned`].
    Banned(Vec<BanView>),
    /// Answer to [`AdminRequest::Why`].
    Why(Box<WhyView>),
    /// It was done, to that many targets; what the kernel refused, if anything.
    Done {
        /// How many targets changed.
        changed: usize,
        /// Anything the admin should know.
        notes: Vec<String>,
    },
    /// It was not done.
    Refused(Refusal),
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The exit code that the command line ends with, from sysexits.h.
    pub exit: u8,
    /// What happened and what to do.
    pub message: String,
}

/// How the daemon is doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// The program's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// `enforcing`, `dry-run`, or `degraded` when something below needs attention.
    pub state: String,
    /// What makes the kernel drop packets.
    pub fence: FenceView,
    /// Every configured source.
    pub sources: Vec<SourceView>,
    /// What the engine counted.
    pub engine: Totals,
    /// The database.
    pub store: StoreView,
    /// Events dropped because the engine was outrun.
    pub dropped: u64,
    /// Names in `ignoreip` that could not be resolved; their last known addresses stay in force.
    pub unresolved: Vec<String>,
    /// Median and 99th percentile of the latest bans, from the wire to the kernel, in microseconds.
    pub latency_us: Option<(u32, u32)>,
}

/// One source, for `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceView {
    /// The source's configured name.
    pub name: String,
    /// Its kind: `asterisk`, `freeswitch`, `log` beside one of them, or `logfile`.
    pub kind: String,
    /// Where it connects to, or what it reads.
    pub address: String,
    /// What it is doing.
    pub state: State,
    /// What keeps it from watching and what to do about it; empty while it watches.
    pub problem: String,
    /// What the PBX says it is.
    pub version: String,
    /// Since when it has been in this state, in UTC.
    pub since: String,
    /// When the latest security event came, in UTC.
    pub last_event: Option<String>,
    /// Security events delivered.
    pub events: u64,
    /// Security events that were not believed: injected into the stream, or made up by another client; none was counted.
    pub suspicious: u64,
    /// Events that were larger than the cap.
    pub oversized: u64,
    /// Connections that were established.
    pub connects: u64,
    /// The latest round trip of a Ping or a probe, in microseconds.
    pub ping_us: Option<u64>,
    /// Its streams, where it has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamReport>,
    /// How often the PBX was seen to have been started anew.
    #[serde(default)]
    pub restarts: u64,
}

impl From<HealthReport> for SourceView {
    fn from(report: HealthReport) -> Self {
        Self {
            name: report.name,
            kind: report.kind,
            address: report.address,
            state: report.state,
            problem: report.problem,
            version: report.version,
            since: iso(report.since),
            last_event: report.last_event.map(iso),
            events: report.events,
            suspicious: report.suspicious,
            oversized: report.oversized,
            connects: report.connects,
            ping_us: report.ping_us,
            streams: report.streams,
            restarts: report.restarts,
        }
    }
}

/// The fence, for `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FenceView {
    /// The backend's name.
    pub backend: String,
    /// How it is known to work.
    pub proven: String,
    /// What could not be shown.
    pub gaps: Vec<String>,
    /// What is wrong now.
    pub problem: Option<String>,
    /// How often the kernel had to be put right.
    pub healed: u64,
}

/// The store, for `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreView {
    /// Where it is.
    pub path: String,
    /// What keeps it from saving.
    pub problem: Option<String>,
}

/// One ban in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BanView {
    /// Who is stopped.
    pub target: String,
    /// `address`, `socket` or `prefix`.
    pub scope: String,
    /// The jail that decided it.
    pub jail: String,
    /// When, in UTC.
    pub since: String,
    /// Until when, in UTC; absent for a ban without end.
    pub until: Option<String>,
    /// Seconds left; absent for a ban without end.
    pub remaining_s: Option<u64>,
    /// What the jail counted when it decided.
    pub attempts: u32,
    /// The weakest proof among what it counted.
    pub proof: Proof,
    /// The tenants whose attempts led to it, the greatest share first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// How often the target was banned by escalating jails.
    pub count: u32,
    /// Packets the kernel dropped, where it counts them.
    pub packets: Option<u64>,
}

impl BanView {
    /// How `ban` looks at `now`.
    pub fn new(ban: &Ban, packets: Option<u64>, now: Moment) -> Self {
        let ends = ban.until != Moment::NEVER;
        Self {
            target: ban.target.to_string(),
            scope: ban.target.scope().into(),
            jail: ban.jail.clone(),
            since: iso(ban.since),
            until: ends.then(|| iso(ban.until)),
            remaining_s: ends.then(|| ban.remaining(now).as_secs()),
            attempts: ban.evidence.attempts,
            proof: ban.evidence.proof,
            tenants: ban.evidence.tenants.clone(),
            count: ban.count,
            packets,
        }
    }
}
