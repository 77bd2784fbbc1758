//! One verdict as a record for scripts.

use ringfence_event::Moment;
use serde::Serialize;

use crate::clock::iso;
use crate::engine::{Alert, Ban, IgnoreReason, LiftReason, Verdict};

/// The record of one verdict, as the command line promises it to scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictLine<'a> {
    at: String,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
enum What<'a> {
    Ban(BanLine<'a>),
    Extend(BanLine<'a>),
    Lift {
        target: String,
        scope: &'static str,
        reason: LiftReason,
    },
    Ignore {
        target: String,
        scope: &'static str,
        jail: &'a str,
        reason: IgnoreReason,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        tenants: &'a [String],
    },
    Alert {
        alert: &'static str,
        forgotten: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct BanLine<'a> {
    target: String,
    scope: &'static str,
    jail: &'a str,
    /// Seconds that are left; `null` for a ban without end.
    for_s: Option<u64>,
    attempts: u32,
    proof: &'static str,
    /// Whose attempts led to it, the greatest share first; left out when no tenant's did.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tenants: &'a [String],
}

impl<'a> VerdictLine<'a> {
    /// The record of a verdict that was reached at `at`.
    pub fn new(at: Moment, verdict: &'a Verdict) -> Self {
        let what = match verdict {
            Verdict::Ban(ban) => What::Ban(BanLine::new(at, ban)),
            Verdict::Extend(ban) => What::Extend(BanLine::new(at, ban)),
            Verdict::Lift { target, reason } => What::Lift {
                target: target.to_string(),
                scope: target.scope(),
                reason: *reason,
            },
            Verdict::Ignore {
                target,
                reason,
                jail,
                tenants,
            } => What::Ignore {
                target: target.to_string(),
                scope: target.scope(),
                jail,
                reason: *reason,
                tenants,
            },
            Verdict::Alert(Alert::TableFull { forgotten }) => What::Alert {
                alert: "table-full",
                forgotten: *forgotten,
            },
        };
        Self { at: iso(at), what }
    }
}

impl<'a> BanLine<'a> {
    fn new(at: Moment, ban: &'a Ban) -> Self {
        Self {
            target: ban.target.to_string(),
            scope: ban.target.scope(),
            jail: &ban.jail,
            for_s: (ban.until != Moment::NEVER).then(|| ban.remaining(at).as_secs()),
            attempts: ban.evidence.attempts,
            proof: ban.evidence.proof.name(),
            tenants: &ban.evidence.tenants,
        }
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::Proof;

    use super::*;
    use crate::engine::{Evidence, Target};

    fn ban(until: Moment) -> Ban {
        Ban {
            target: Target::Prefix("2001:db8::/64".parse().unwrap()),
            since: Moment::EPOCH,
            until,
            jail: "auth".into(),
            count: 1,
            evidence: Evidence {
                attempts: 5,
                proof: Proof::Handshake,
                ..Evidence::default()
            },
        }
    }

    fn json(verdict: &Verdict) -> String {
        serde_json::to_string(&VerdictLine::new(Moment::EPOCH, verdict)).unwrap()
    }

    #[test]
    fn every_verdict_has_its_record() {
        let target = Target::Address("192.0.2.1".parse().unwrap());
        for (verdict, record) in [
            (
                Verdict::Extend(ban(Moment::NEVER)),
                r#""verdict":"extend","target":"2001:db8::/64","scope":"prefix","jail":"auth","for_s":null,"attempts":5,"proof":"handshake"}"#,
            ),
            (
                Verdict::Lift {
                    target,
                    reason: LiftReason::Unbanned,
                },
                r#""verdict":"lift","target":"192.0.2.1","scope":"address","reason":"unbanned"}"#,
            ),
            (
                Verdict::Ignore {
                    target,
                    reason: IgnoreReason::Own,
                    jail: "auth".into(),
                    tenants: Vec::new(),
                },
                r#""verdict":"ignore","target":"192.0.2.1","scope":"address","jail":"auth","reason":"own"}"#,
            ),
            (
                Verdict::Ignore {
                    target,
                    reason: IgnoreReason::Tenant,
                    jail: "auth".into(),
                    tenants: vec!["acme".into()],
                },
                r#""verdict":"ignore","target":"192.0.2.1","scope":"address","jail":"auth","reason":"tenant","tenants":["acme"]}"#,
            ),
            (
                Verdict::Alert(Alert::TableFull { forgotten: 3 }),
                r#""verdict":"alert","alert":"table-full","forgotten":3}"#,
            ),
        ] {
            assert_eq!(
                json(&verdict),
                format!(r#"{{"at":"1970-01-01T00:00:00.000Z",{record}"#)
            );
        }
    }

    #[test]
    fn a_ban_says_how_long_is_left() {
        let verdict = Verdict::Ban(ban(Moment::from_millis(3_600_999)));
        assert!(json(&verdict).contains(r#""for_s":3600,"#));
    }
}
