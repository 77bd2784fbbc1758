//! Bans and history as rows: the only place that knows the columns.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ringfence_event::{Moment, Proof, Span};
use rusqlite::{Connection, Row, params};

use super::history::{Happening, HistoryEntry};
use super::schema::{moment, sql_time};
use crate::engine::{Ban, Evidence, LiftReason, Target};

/// A row of `bans`: a ban, and how often its target was banned before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The ban, without the events of its evidence: those are in the history.
    pub(super) ban: Ban,
    /// The last count that was not 0, and the end of that ban.
    pub(super) times: (u32, Moment),
}

impl Kept {
    pub(super) fn new(ban: &Ban) -> Self {
        let evidence = Evidence {
            events: Vec::new(),
            tenants: ban.evidence.tenants.clone(),
            ..ban.evidence
        };
        let times = if ban.count > 0 {
            (ban.count, ban.until)
        } else {
            (0, Moment::EPOCH)
        };
        Self {
            ban: Ban {
                evidence,
                jail: ban.jail.clone(),
                ..*ban
            },
            times,
        }
    }
}

const INSERT: &str = "INSERT INTO bans (target, since, until, jail, count, attempts, proof, times, times_until, \
     tenants) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (target) DO UPDATE SET since = excluded.since, \
     until = excluded.until, jail = excluded.jail, count = excluded.count, attempts = excluded.attempts, \
     proof = excluded.proof, tenants = excluded.tenants, \
     times = CASE WHEN excluded.times > 0 THEN excluded.times ELSE times END, \
     times_until = CASE WHEN excluded.times > 0 THEN excluded.times_until ELSE times_until END";
const COLUMNS: &str = "target, since, until, jail, count, attempts, proof, times, times_until, tenants";

/// Writes a ban; what is known of earlier ones of the same target stays.
pub(super) fn put(db: &Connection, kept: &Kept) -> rusqlite::Result<()> {
    let ban = &kept.ban;
    db.prepare_cached(INSERT)?.execute(params![
        ban.target.to_string(),
        sql_time(ban.since),
        sql_time(ban.until),
        ban.jail,
        ban.count,
        ban.evidence.attempts,
        ban.evidence.proof.name(),
        kept.times.0,
        sql_time(kept.times.1),
        ban.evidence.tenants.join(" "),
    ])?;
    Ok(())
}

/// Forgets a ban, and that there ever was one.
pub(super) fn delete(db: &Connection, target: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM bans WHERE target = ?1")?
        .execute([target])?;
    Ok(())
}

/// Hands every row that can be read to `each`, in order or in reverse, until one can't; a row that makes no sense is
/// left out. How many were left out.
pub(super) fn bans(db: &Connection, reverse: bool, mut each: impl FnMut(Kept)) -> rusqlite::Result<usize> {
    let order = if reverse { "DESC" } else { "ASC" };
    let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM bans ORDER BY target {order}"))?;
    let mut rows = statement.query([])?;
    let mut senseless = 0;
    while let Some(row) = rows.next()? {
        match kept(row)? {
            Some(kept) => each(kept),
            None => senseless += 1,
        }
    }
    Ok(senseless)
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Option<Kept>> {
    let (Ok(target), Ok(proof)) = (row.get_ref(0)?.as_str(), row.get_ref(6)?.as_str()) else {
        return Ok(None);
    };
    let (Some(target), Some(proof)) = (parse_target(target), parse_proof(proof)) else {
        return Ok(None);
    };
    let tenants: String = row.get(9)?;
    let ban = Ban {
        target,
        since: moment(row.get(1)?),
        until: moment(row.get(2)?),
        jail: row.get(3)?,
        count: row.get(4)?,
        evidence: Evidence {
            attempts: row.get(5)?,
            proof,
            tenants: tenants.split_whitespace().map(ToOwned::to_owned).collect(),
            events: Vec::new(),
        },
    };
    Ok(Some(Kept {
        ban,
        times: (row.get(7)?, moment(row.get(8)?)),
    }))
}

/// Removes bans that are over and no longer remembered.
pub(super) fn prune_bans(db: &Connection, now: Moment, memory: Span) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM bans WHERE until <= ?1 AND (times = 0 OR times_until <= ?2)")?
        .execute(params![sql_time(now), sql_time(now - memory)])?;
    Ok(())
}

/// The rows of bans that are over and by which there are more of these than `memories`, at most `most`: those that would be
/// remembered for the shortest time. Somebody who has a network of addresses can be banned with each of them.
pub(super) fn surplus_memories(
    db: &Connection,
    now: Moment,
    memories: u64,
    most: u32,
) -> rusqlite::Result<Vec<String>> {
    let over: i64 = db
        .prepare_cached("SELECT count(*) FROM bans WHERE until <= ?1")?
        .query_row([sql_time(now)], |row| row.get(0))?;
    let surplus = over
        .saturating_sub(i64::try_from(memories).unwrap_or(i64::MAX))
        .min(i64::from(most));
    if surplus <= 0 {
        return Ok(Vec::new());
    }
    db.prepare_cached("SELECT target FROM bans WHERE until <= ?1 ORDER BY times_until, target LIMIT ?2")?
        .query_map(params![sql_time(now), surplus], |row| row.get(0))?
        .collect()
}

/// Adds an entry to the history.
pub(super) fn add_history(db: &Connection, entry: &HistoryEntry) -> rusqlite::Result<()> {
    let (ban, reason) = match &entry.what {
        Happening::Ban(ban) | Happening::Extend(ban) => (Some(ban), None),
        Happening::Lift(reason) => (None, Some(reason_name(*reason))),
    };
    let evidence = ban.and_then(|ban| serde_json::to_string(&ban.evidence).ok());
    db.prepare_cached(
        "INSERT INTO history (at, address, target, kind, since, until, jail, count, evidence, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        sql_time(entry.at),
        address_of(&entry.target),
        entry.target.to_string(),
        entry.what.kind(),
        ban.map(|ban| sql_time(ban.since)),
        ban.map(|ban| sql_time(ban.until)),
        ban.map(|ban| ban.jail.as_str()),
        ban.map(|ban| ban.count),
        evidence,
        reason,
    ])?;
    Ok(())
}

/// What happened to an address, its ports and the prefixes around it, latest first.
pub(super) fn history(db: &Connection, addr: IpAddr, limit: usize) -> rusqlite::Result<Vec<HistoryEntry>> {
    let names = serde_json::to_string(&names_of(addr)).unwrap_or_default();
    let mut statement = db.prepare_cached(
        "SELECT at, target, kind, since, until, jail, count, evidence, reason FROM history \
         WHERE address IN (SELECT value FROM json_each(?1)) ORDER BY id DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![names, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.extend(entry(row)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Option<HistoryEntry>> {
    let Some(target) = row.get_ref(1)?.as_str().ok().and_then(parse_target) else {
        return Ok(None);
    };
    let kind: String = row.get(2)?;
    let what = if kind == "lift" {
        let reason: String = row.get(8)?;
        let Some(reason) = LIFTS.into_iter().find(|lift| reason_name(*lift) == reason) else {
            return Ok(None);
        };
        Happening::Lift(reason)
    } else {
        let evidence: Option<String> = row.get(7)?;
        let evidence = evidence
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default();
        let ban = Ban {
            target,
            since: moment(row.get(3)?),
            until: moment(row.get(4)?),
            jail: row.get(5)?,
            count: row.get(6)?,
            evidence,
        };
        if kind == "ban" {
            Happening::Ban(ban)
        } else {
            Happening::Extend(ban)
        }
    };
    Ok(Some(HistoryEntry {
        at: moment(row.get(0)?),
        target,
        what,
    }))
}

/// Removes at most `most` of the oldest entries, if they are older than `before` or if more than `rows` would stay. How
/// many were removed.
pub(super) fn prune_history(
    db: &Connection,
    before: Moment,
    rows: u64,
    most: u32,
) -> rusqlite::Result<usize> {
    let newest: Option<i64> = db
        .prepare_cached("SELECT max(id) FROM history")?
        .query_row([], |row| row.get(0))?;
    // Only the oldest are ever removed, so the numbers have no gaps.
    let last_surplus = newest
        .unwrap_or(0)
        .saturating_sub(i64::try_from(rows).unwrap_or(i64::MAX));
    db.prepare_cached(
        "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?3) AND (at < ?1 OR id <= ?2)",
    )?
    .execute(params![sql_time(before), last_surplus, most])
}

/// Whether an entry belongs to the history of an address.
pub(super) fn concerns(target: &Target, addr: IpAddr) -> bool {
    match target {
        Target::Address(banned) => *banned == addr,
        Target::Socket(socket) => socket.ip() == addr,
        Target::Prefix(net) => net.contains(&addr),
    }
}

/// Everything that `history.address` can be when an entry concerns `addr`.
fn names_of(addr: IpAddr) -> Vec<String> {
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    let prefixes =
        (0..=longest).filter_map(|length| Some(IpNet::new(addr, length).ok()?.trunc().to_string()));
    std::iter::once(addr.to_string()).chain(prefixes).collect()
}

fn address_of(target: &Target) -> String {
    match target {
        Target::Socket(socket) => socket.ip().to_string(),
        other => other.to_string(),
    }
}

fn parse_target(text: &str) -> Option<Target> {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Some(Target::Address(addr));
    }
    if text.contains('/') {
        return text.parse::<IpNet>().ok().map(|net| Target::Prefix(net.trunc()));
    }
    text.parse::<SocketAddr>().ok().map(Target::Socket)
}

fn parse_proof(text: &str) -> Option<Proof> {
    [Proof::Claimed, Proof::None, Proof::Answered, Proof::Handshake]
        .into_iter()
        .find(|proof| proof.name() == text)
}

const LIFTS: [LiftReason; 3] = [LiftReason::Expired, LiftReason::Unbanned, LiftReason::Ignored];

fn reason_name(reason: LiftReason) -> &'static str {
    match reason {
        LiftReason::Expired => "expired",
        LiftReason::Unbanned => "unbanned",
        LiftReason::Ignored => "ignored",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for text in [
            "192.0.2.1",
            "2001:db8::1",
            "192.0.2.1:5060",
            "[2001:db8::1]:5060",
            "192.0.2.0/24",
            "2001:db8::/64",
        ] {
            let target = parse_target(text).unwrap();
            assert_eq!(target.to_string(), text);
        }
        for text in ["", "x", "192.0.2.1/", "192.0.2.1:", "192.0.2.1:99999"] {
            assert_eq!(parse_target(text), None);
        }
    }

    #[test]
    fn an_address_is_found_by_its_port_and_its_prefixes() {
        let addr: IpAddr = "192.0.2.77".parse().unwrap();
        let names = names_of(addr);
        for text in ["192.0.2.77", "192.0.2.77:5060", "192.0.2.0/24", "0.0.0.0/0"] {
            let target = parse_target(text).unwrap();
            assert!(concerns(&target, addr), "{text}");
            assert!(names.contains(&address_of(&target)), "{text}");
        }
        for text in ["192.0.2.78", "192.0.2.78:5060", "192.0.3.0/24", "::/0"] {
            let target = parse_target(text).unwrap();
            assert!(!concerns(&target, addr), "{text}");
            assert!(!names.contains(&address_of(&target)), "{text}");
        }
    }
}
