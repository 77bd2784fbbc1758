//! The database's tables, and how an older file becomes a current one.

use ringfence_event::Moment;
use rusqlite::Connection;

/// Marks the file as ringfence's (`PRAGMA application_id`): "RGFN".
pub(super) const APPLICATION_ID: i32 = 0x5247_464e;

/// What each schema version adds to the one before it. Never change one that was released: add another.
const MIGRATIONS: [&str; 4] = [
    // 1: the bans in force and remembered, and what happened to each.
    "CREATE TABLE bans (
         target      TEXT    NOT NULL PRIMARY KEY, -- 192.0.2.1, 192.0.2.1:5060, 192.0.2.0/24
         since       INTEGER NOT NULL,             -- milliseconds since 1970; so is every time here
         until       INTEGER NOT NULL,             -- 9223372036854775807: without end
         jail        TEXT    NOT NULL,
         count       INTEGER NOT NULL,
         attempts    INTEGER NOT NULL,
         proof       TEXT    NOT NULL,
         times       INTEGER NOT NULL,             -- the last count that was not 0 …
         times_until INTEGER NOT NULL              -- … and the end of that ban: what makes the next one longer
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE history (
         id       INTEGER PRIMARY KEY,             -- in the order it happened
         at       INTEGER NOT NULL,
         address  TEXT    NOT NULL,                -- the target without its port
         target   TEXT    NOT NULL,
         kind     TEXT    NOT NULL,                -- ban, extend, lift
         since    INTEGER,
         until    INTEGER,
         jail     TEXT,
         count    INTEGER,
         evidence TEXT,                            -- JSON
         reason   TEXT                             -- of a lift
     ) STRICT;",
    // 2: `why` asks by address.
    "CREATE INDEX history_by_address ON history (address, id);",
    // 3: whose attempts led to a ban, separated by blanks: without them a restart would lift it for a tenant's sake.
    "ALTER TABLE bans ADD COLUMN tenants TEXT NOT NULL DEFAULT '';",
    // 4: where readers of logs stopped.
    "CREATE TABLE places (
         reader TEXT    NOT NULL PRIMARY KEY,      -- the source's name
         at     INTEGER NOT NULL,
         place  TEXT    NOT NULL                   -- the reader's own words: JSON, or a journal's cursor
     ) STRICT, WITHOUT ROWID;",
];

/// The version that this program writes.
pub(super) const CURRENT: usize = MIGRATIONS.len();

/// Whose file it is, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// Ours, of this version.
    Version(usize),
    /// Somebody else's database.
    Foreign,
}

/// What a file holds.
pub(super) fn look(db: &Connection) -> rusqlite::Result<Found> {
    let application: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, usize::try_from(version)) {
        (APPLICATION_ID, Ok(version)) => Found::Version(version),
        (0, Ok(0)) if tables == 0 => Found::Empty,
        _ => Found::Foreign,
    })
}

/// Brings a file of version `from` (0: empty) to the current one, in one transaction.
pub(super) fn migrate(db: &mut Connection, from: usize) -> rusqlite::Result<()> {
    if from >= CURRENT {
        return Ok(());
    }
    let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(from) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", i64::try_from(CURRENT).unwrap_or(i64::MAX))?;
    change.commit()
}

/// A moment as it is kept.
pub(super) fn sql_time(moment: Moment) -> i64 {
    i64::try_from(moment.as_millis()).unwrap_or(i64::MAX)
}

/// A kept time as a moment.
pub(super) fn moment(time: i64) -> Moment {
    if time == i64::MAX {
        Moment::NEVER
    } else {
        Moment::from_millis(u64::try_from(time).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive() {
        for time in [
            Moment::EPOCH,
            Moment::from_millis(1_795_000_000_123),
            Moment::NEVER,
        ] {
            assert_eq!(moment(sql_time(time)), time);
        }
        assert_eq!(moment(-5), Moment::EPOCH);
    }

    #[test]
    fn an_empty_file_becomes_current() {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(look(&db), Ok(Found::Empty));
        migrate(&mut db, 0).unwrap();
        assert_eq!(look(&db), Ok(Found::Version(CURRENT)));
        migrate(&mut db, CURRENT).unwrap();
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE history (id INTEGER)").unwrap();
        assert!(migrate(&mut db, 0).is_err());
        let bans: i64 = db
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'bans'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(bans, 0);
    }

    #[test]
    fn other_peoples_databases_are_recognised() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE bips (ip TEXT)").unwrap();
        assert_eq!(look(&db), Ok(Found::Foreign));
    }
}
