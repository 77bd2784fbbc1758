//! Where readers of logs stopped: the latest place of each, in memory and on its way to the disk.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_event::Moment;
use rusqlite::{Connection, params};

use super::Store;
use super::schema::{moment, sql_time};
use crate::place::{LONGEST, Places};

/// Readers whose place is kept at most; the one that was heard of longest ago goes first.
const MOST_READERS: usize = 1000;

/// The latest place of every reader. They stay in memory, so that asking never waits for the disk and a file that was lost
/// can be written anew.
#[derive(Debug, Default)]
pub(super) struct Latest {
    places: BTreeMap<String, (Moment, String)>,
    /// Readers whose place, or whose absence, is not on disk yet.
    unwritten: BTreeSet<String>,
}

impl Latest {
    /// What the file held at the start.
    pub(super) fn restored(places: Vec<(String, Moment, String)>) -> Self {
        let places = places
            .into_iter()
            .map(|(reader, at, place)| (reader, (at, place)))
            .collect();
        Self {
            places,
            unwritten: BTreeSet::new(),
        }
    }

    fn keep(&mut self, now: Moment, reader: &str, place: String) {
        if !self.places.contains_key(reader) && self.places.len() >= MOST_READERS {
            let oldest = self.places.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(reader, _)| reader.clone()) {
                self.places.remove(&oldest);
                self.unwritten.insert(oldest);
            }
        }
        self.places.insert(reader.to_owned(), (now, place));
        self.unwritten.insert(reader.to_owned());
    }

    /// What is to be written: a place, or `None` for a reader that is forgotten.
    pub(super) fn take_unwritten(&mut self) -> Vec<Unwritten> {
        std::mem::take(&mut self.unwritten)
            .into_iter()
            .map(|reader| Unwritten {
                place: self.places.get(&reader).cloned(),
                reader,
            })
            .collect()
    }

    /// What could not be written is to be written later, in its latest form.
    pub(super) fn put_back(&mut self, unwritten: Vec<Unwritten>) {
        self.unwritten
            .extend(unwritten.into_iter().map(|unwritten| unwritten.reader));
    }

    /// The file may lack any of them.
    pub(super) fn rewrite(&mut self) {
        self.unwritten.extend(self.places.keys().cloned());
    }

    pub(super) fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }
}

/// A place on its way to the disk.
#[derive(Debug)]
pub(super) struct Unwritten {
    reader: String,
    place: Option<(Moment, String)>,
}

/// Writes places in one transaction.
pub(super) fn write(db: &mut Connection, unwritten: &[Unwritten]) -> rusqlite::Result<()> {
    if unwritten.is_empty() {
        return Ok(());
    }
    let change = db.transaction()?;
    for Unwritten { reader, place } in unwritten {
        match place {
            Some((at, place)) => change
                .prepare_cached(
                    "INSERT INTO places (reader, at, place) VALUES (?1, ?2, ?3) ON CONFLICT (reader) DO UPDATE \
                     SET at = excluded.at, place = excluded.place",
                )?
                .execute(params![reader, sql_time(*at), place])?,
            None => change
                .prepare_cached("DELETE FROM places WHERE reader = ?1")?
                .execute([reader])?,
        };
    }
    change.commit()
}

/// Every place that can be read.
pub(super) fn read(db: &Connection) -> rusqlite::Result<Vec<(String, Moment, String)>> {
    let mut statement = db.prepare(
        "SELECT reader, at, place FROM places WHERE length(place) <= ?2 ORDER BY at DESC LIMIT ?1",
    )?;
    let most = i64::try_from(MOST_READERS).unwrap_or(i64::MAX);
    let longest = i64::try_from(LONGEST).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![most, longest], |row| {
        Ok((row.get(0)?, moment(row.get(1)?), row.get(2)?))
    })?;
    rows.collect()
}

impl Places for Store {
    fn keep(&self, now: Moment, reader: &str, place: String) {
        if place.len() > LONGEST {
            return;
        }
        let mut state = self.shared.state();
        state.places.keep(now, reader, place);
        state.handed += 1;
        drop(state);
        self.shared.wake.notify_one();
    }

    fn kept(&self, reader: &str) -> Option<String> {
        let state = self.shared.state();
        state.places.places.get(reader).map(|(_, place)| place.clone())
    }
}

#[cfg(test)]
mod tests {
    use ringfence_event::Span;

    use super::*;

    #[test]
    fn the_oldest_reader_gives_way() {
        let mut latest = Latest::default();
        for number in 0..=MOST_READERS as u64 {
            let now = Moment::EPOCH + Span::from_secs(number);
            latest.keep(now, &format!("reader {number}"), "x".into());
        }
        assert_eq!(latest.places.len(), MOST_READERS);
        let unwritten = latest.take_unwritten();
        let gone: Vec<_> = unwritten.iter().filter(|one| one.place.is_none()).collect();
        assert_eq!((unwritten.len(), gone.len()), (MOST_READERS + 1, 1));
        assert_eq!(gone[0].reader, "reader 0");
        assert!(latest.is_written());
    }

    #[test]
    fn what_failed_is_written_later_in_its_latest_form() {
        let mut latest = Latest::default();
        latest.keep(Moment::EPOCH, "a", "1".into());
        let failed = latest.take_unwritten();
        latest.keep(Moment::EPOCH, "a", "2".into());
        latest.put_back(failed);
        let unwritten = latest.take_unwritten();
        assert_eq!(unwritten.len(), 1);
        assert_eq!(unwritten[0].place.as_ref().unwrap().1, "2");
    }
}
