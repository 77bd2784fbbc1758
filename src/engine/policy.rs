//! What the engine is told to do: jails, limits and the addresses that are never banned.

use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_event::{Cause, Service, Span};

use super::Tenant;

/// An index into [`Policy::jails`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JailId(pub u8);

/// Everything the engine is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// At most 32 jails; a name stands once.
    pub jails: Vec<Jail>,
    /// Addresses and prefixes that are never banned, as the admin configured them.
    pub ignore: Vec<IpNet>,
    /// This machine's own addresses and those of the PBXes: never banned either.
    pub own: Vec<IpAddr>,
    /// The PBXes' customers with values of their own, at most 1000; the first that an event's names lead to has it.
    pub tenants: Vec<Tenant>,
    /// Bounds on memory.
    pub limits: Limits,
}

/// One rule: what is counted, until when it is tolerated, and for how long it bans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jail {
    /// Its name in configuration and reports.
    pub name: String,
    /// A jail that is off counts nothing.
    pub enabled: bool,
    /// What it counts.
    pub count: Count,
    /// The causes it counts.
    pub causes: Vec<Cause>,
    /// The services it looks at.
    pub services: Vec<Service>,
    /// How many are tolerated: the `maxretry`-th bans.
    pub maxretry: u32,
    /// The time within which they count together.
    pub findtime: Span,
    /// How long a first ban lasts; [`Span::FOREVER`] for no end.
    pub bantime: Span,
    /// How bans of the same address grow; `None` keeps `bantime`.
    pub escalation: Option<Escalation>,
}

/// What a jail counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Attempts with one of the causes.
    Attempts,
    /// Distinct accounts among those attempts.
    Accounts,
    /// Challenges that nobody answered.
    Unanswered,
}

/// How bans grow with each time: bantime × factor^(times − 1), at most `maximum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// What each further ban is multiplied with, 1 or more.
    pub factor: u32,
    /// No ban gets longer than this.
    pub maximum: Span,
}

/// Bounds on the engine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tracked addresses at most; when full the least suspicious go first.
    pub max_tracked: usize,
    /// How long an address without bans or counted evidence is remembered for escalation after its last ban.
    pub memory: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tracked: 1_000_000,
            memory: Span::from_secs(4 * 7 * 86_400),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            jails: Jail::built_in(),
            ignore: Vec::new(),
            own: Vec::new(),
            tenants: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Jail {
    /// The jails that exist without any configuration, with their defaults.
    pub fn built_in() -> Vec<Self> {
        let sip = vec![
            Service::PjSip,
            Service::ChanSip,
            Service::Iax2,
            Service::Sofia,
            Service::Verto,
            Service::Other,
        ];
        let doubling = Some(Escalation {
            factor: 2,
            maximum: Span::from_secs(4 * 7 * 86_400),
        });
        let ten_minutes = Span::from_secs(600);
        vec![
            Self {
                name: "auth".into(),
                enabled: true,
                count: Count::Attempts,
                causes: vec![Cause::WrongPassword, Cause::UnknownAccount, Cause::AclDenied],
                services: sip.clone(),
                maxretry: 5,
                findtime: ten_minutes,
                bantime: Span::from_secs(3600),
                escalation: doubling,
            },
            Self {
                name: "enumeration".into(),
                enabled: true,
                count: Count::Accounts,
                causes: vec![Cause::UnknownAccount],
                services: sip.clone(),
                maxretry: 3,
                findtime: ten_minutes,
                bantime: Span::from_secs(86_400),
                escalation: doubling,
            },
            Self {
                name: "flood".into(),
                enabled: true,
                count: Count::Unanswered,
                causes: vec![Cause::Challenged],
                services: sip,
                maxretry: 50,
                findtime: Span::from_secs(30),
                bantime: Span::from_secs(6000),
                escalation: None,
            },
            Self {
                name: "management".into(),
                enabled: true,
                count: Count::Attempts,
                causes: vec![
                    Cause::WrongPassword,
                    Cause::UnknownAccount,
                    Cause::AclDenied,
                    Cause::Refused,
                    Cause::Malformed,
                    Cause::Limit,
                ],
                services: vec![Service::Ami, Service::Http, Service::Esl],
                maxretry: 3,
                findtime: ten_minutes,
                bantime: Span::from_secs(86_400),
                escalation: doubling,
            },
        ]
    }
}
