//! A verdict in words: the same sentence in the log, in a replay and in the demonstration.

use std::fmt;

use ringfence_event::Span;

use super::{Alert, Ban, IgnoreReason, LiftReason, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ban(ban) => match term(ban) {
                Span::FOREVER => write!(f, "ban {} forever: {}", ban.target, Why(ban)),
                term => write!(f, "ban {} for {term}: {}", ban.target, Why(ban)),
            },
            Self::Extend(ban) => match term(ban) {
                Span::FOREVER => write!(f, "extend {} forever: {}", ban.target, Why(ban)),
                term => write!(f, "extend {} to {term} in all: {}", ban.target, Why(ban)),
            },
            Self::Lift { target, reason } => write!(f, "lift {target}: {reason}"),
            Self::Ignore {
                target,
                reason,
                jail,
                tenants,
            } => {
                write!(f, "ignore {target}: it reached jail {jail}, but is {reason}")?;
                tenants.iter().try_for_each(|tenant| write!(f, " {tenant}"))
            }
            Self::Alert(Alert::TableFull { forgotten }) => write!(
                f,
                "alert: the table of addresses is full: {forgotten} of the least suspicious were let go; raise \
                 limits.max_tracked"
            ),
        }
    }
}

/// From the start of a ban to its end; milliseconds only where there is nothing else.
fn term(ban: &Ban) -> Span {
    match ban.remaining(ban.since) {
        Span::FOREVER => Span::FOREVER,
        short if short.as_secs() == 0 => short,
        term => Span::from_secs(term.as_secs()),
    }
}

/// What led to a ban.
struct Why<'a>(&'a Ban);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ban {
            jail,
            evidence,
            count,
            ..
        } = self.0;
        let proof = evidence.proof.name();
        write!(f, "jail {jail}, {} counted, proof {proof}", evidence.attempts)?;
        match evidence.tenants.as_slice() {
            [] => {}
            [tenant] => write!(f, ", tenant {tenant}")?,
            tenants => write!(f, ", tenants {}", tenants.join(" "))?,
        }
        // 0: no jail that counts bans has banned it
        if *count > 0 {
            write!(f, ", ban number {count}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LiftReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "its time is over",
            Self::Unbanned => "as ordered",
            Self::Ignored => "it must never be banned",
        })
    }
}

/// What the target is: goes on after "is".
impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "in ignoreip",
            Self::Own => "an address of this machine or of a PBX",
            Self::Tenant => "in the ignoreip of a tenant that it has not attacked:",
        })
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::{Moment, Proof};

    use super::super::{Evidence, Target};
    use super::*;

    fn ban(until: u64, count: u32) -> Ban {
        Ban {
            target: Target::Prefix("2001:db8::/64".parse().unwrap()),
            since: Moment::from_millis(1000),
            until: Moment::from_millis(until),
            jail: "auth".into(),
            count,
            evidence: Evidence {
                attempts: 5,
                proof: Proof::Handshake,
                ..Evidence::default()
            },
        }
    }

    #[test]
    fn every_verdict_has_its_sentence() {
        let target = Target::Address("192.0.2.1".parse().unwrap());
        let forever = Ban {
            until: Moment::NEVER,
            ..ban(0, 0)
        };
        for (verdict, words) in [
            (
                Verdict::Ban(ban(3_601_000, 2)),
                "ban 2001:db8::/64 for 1h: jail auth, 5 counted, proof handshake, ban number 2",
            ),
            (
                Verdict::Ban(ban(1500, 0)),
                "ban 2001:db8::/64 for 500ms: jail auth, 5 counted, proof handshake",
            ),
            (
                Verdict::Ban(forever.clone()),
                "ban 2001:db8::/64 forever: jail auth, 5 counted, proof handshake",
            ),
            (
                Verdict::Extend(ban(7_201_999, 3)),
                "extend 2001:db8::/64 to 2h in all: jail auth, 5 counted, proof handshake, ban number 3",
            ),
            (
                Verdict::Extend(forever),
                "extend 2001:db8::/64 forever: jail auth, 5 counted, proof handshake",
            ),
            (
                Verdict::Lift {
                    target,
                    reason: LiftReason::Unbanned,
                },
                "lift 192.0.2.1: as ordered",
            ),
            (
                Verdict::Ignore {
                    target,
                    reason: IgnoreReason::Own,
                    jail: "auth".into(),
                    tenants: Vec::new(),
                },
                "ignore 192.0.2.1: it reached jail auth, but is an address of this machine or of a PBX",
            ),
            (
                Verdict::Ignore {
                    target,
                    reason: IgnoreReason::Tenant,
                    jail: "auth".into(),
                    tenants: vec!["acme".into(), "beta".into()],
                },
                "ignore 192.0.2.1: it reached jail auth, but is in the ignoreip of a tenant that it has not attacked: acme beta",
            ),
            (
                Verdict::Ban(Ban {
                    evidence: Evidence {
                        tenants: vec!["acme".into(), "beta".into()],
                        ..ban(0, 0).evidence
                    },
                    ..ban(3_601_000, 2)
                }),
                "ban 2001:db8::/64 for 1h: jail auth, 5 counted, proof handshake, tenants acme beta, ban number 2",
            ),
            (
                Verdict::Alert(Alert::TableFull { forgotten: 3 }),
                "alert: the table of addresses is full: 3 of the least suspicious were let go; raise limits.max_tracked",
            ),
        ] {
            assert_eq!(verdict.to_string(), words);
        }
    }
}
