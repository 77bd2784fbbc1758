//! One verdict as a line: a record for scripts, a sentence for people.

use ringfence_event::{Moment, Span};
use serde::Serialize;

use crate::clock::iso;
use crate::engine::{Alert, Ban, IgnoreReason, LiftReason, Target, Verdict};

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
            Verdict::Ignore { target, reason, jail } => What::Ignore {
                target: target.to_string(),
                scope: target.scope(),
                jail,
                reason: *reason,
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
        }
    }
}

/// What a verdict that was reached at `at` says, for people.
pub fn sentence(at: Moment, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ban(ban) => format!("ban     {}", terms(at, ban)),
        Verdict::Extend(ban) => format!("extend  {}", terms(at, ban)),
        Verdict::Lift { target, reason } => format!("lift    {target}  ({})", lift_reason(*reason)),
        Verdict::Ignore { target, reason, jail } => ignored(target, *reason, jail),
        Verdict::Alert(Alert::TableFull { forgotten }) => {
            format!("alert   the table of addresses is full: {forgotten} forgotten")
        }
    }
}

fn terms(at: Moment, ban: &Ban) -> String {
    let Ban {
        target,
        jail,
        evidence,
        ..
    } = ban;
    let term = match ban.remaining(at) {
        Span::FOREVER => "forever".to_owned(),
        left => format!("for {}", Span::from_secs(left.as_secs())),
    };
    let proof = evidence.proof.name();
    format!(
        "{target}  {term}  ({jail}: {} counted, proof {proof})",
        evidence.attempts
    )
}

fn ignored(target: &Target, reason: IgnoreReason, jail: &str) -> String {
    let reason = match reason {
        IgnoreReason::Configured => "it is in ignoreip",
        IgnoreReason::Own => "it is our own or a PBX's",
    };
    format!("ignore  {target}  ({jail}: {reason})")
}

fn lift_reason(reason: LiftReason) -> &'static str {
    match reason {
        LiftReason::Expired => "its time is over",
        LiftReason::Unbanned => "unbanned",
        LiftReason::Ignored => "it is to be ignored now",
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::Proof;

    use super::*;
    use crate::engine::Evidence;

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
                events: Vec::new(),
            },
        }
    }

    fn json(verdict: &Verdict) -> String {
        serde_json::to_string(&VerdictLine::new(Moment::EPOCH, verdict)).unwrap()
    }

    #[test]
    fn every_verdict_has_its_record_and_its_sentence() {
        let target = Target::Address("192.0.2.1".parse().unwrap());
        for (verdict, record, words) in [
            (
                Verdict::Extend(ban(Moment::NEVER)),
                r#""verdict":"extend","target":"2001:db8::/64","scope":"prefix","jail":"auth","for_s":null,"attempts":5,"proof":"handshake"}"#,
                "extend  2001:db8::/64  forever  (auth: 5 counted, proof handshake)",
            ),
            (
                Verdict::Lift {
                    target,
                    reason: LiftReason::Unbanned,
                },
                r#""verdict":"lift","target":"192.0.2.1","scope":"address","reason":"unbanned"}"#,
                "lift    192.0.2.1  (unbanned)",
            ),
            (
                Verdict::Ignore {
                    target,
                    reason: IgnoreReason::Own,
                    jail: "auth".into(),
                },
                r#""verdict":"ignore","target":"192.0.2.1","scope":"address","jail":"auth","reason":"own"}"#,
                "ignore  192.0.2.1  (auth: it is our own or a PBX's)",
            ),
            (
                Verdict::Alert(Alert::TableFull { forgotten: 3 }),
                r#""verdict":"alert","alert":"table-full","forgotten":3}"#,
                "alert   the table of addresses is full: 3 forgotten",
            ),
        ] {
            assert_eq!(
                json(&verdict),
                format!(r#"{{"at":"1970-01-01T00:00:00.000Z",{record}"#)
            );
            assert_eq!(sentence(Moment::EPOCH, &verdict), words);
        }
    }

    #[test]
    fn a_ban_says_how_long_is_left() {
        let verdict = Verdict::Ban(ban(Moment::from_millis(3_600_999)));
        assert!(json(&verdict).contains(r#""for_s":3600,"#));
        assert!(sentence(Moment::EPOCH, &verdict).contains("for 1h  ("));
    }
}
