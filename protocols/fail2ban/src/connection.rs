//! Lines of one connection, put together by what `<F-MLFID>` matched.

use std::collections::{BTreeSet, VecDeque};

use crate::fields::{Fields, filled, text};

/// Connections remembered, and for how many seconds; the oldest go first.
const MOST: usize = 100;
const LONGEST: i64 = 300;
/// Accounts remembered of one connection: all that matters is whether there are several.
const MOST_USERS: usize = 2;

/// What is known of one connection.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The fields of its lines so far, later ones over earlier ones.
    pub fields: Fields,
    users: BTreeSet<String>,
    /// A failure whose line did not say who.
    pub pending: bool,
}

/// The connections that are remembered.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    known: VecDeque<(String, i64, Connection)>,
}

impl Connections {
    fn position(&self, id: &str) -> Option<usize> {
        self.known.iter().position(|(known, _, _)| known == id)
    }

    fn take(&mut self, id: &str, now: i64) -> Option<(usize, i64, Connection)> {
        let at = self.position(id)?;
        let (_, until, connection) = self.known.remove(at)?;
        (until > now).then_some((at, until, connection))
    }

    /// Merges the fields of a line into connection `id` and hands the result to `judge`, which may change it; what it
    /// leaves is remembered unless the line ended the connection.
    pub fn merge<T>(
        &mut self,
        id: &str,
        mut line: Fields,
        now: i64,
        judge: impl FnOnce(&mut Connection) -> T,
    ) -> T {
        let gained = filled(&line, "mlfgained");
        if gained && !filled(&line, "nofail") {
            let value = line.get("mlfgained").cloned().flatten();
            line.insert("nofail".into(), value);
        }
        let forget = filled(&line, "mlfforget");
        line.remove("mlfforget");
        let known = self.take(id, now);
        let (place, mut connection) = if let Some((at, until, mut connection)) = known {
            connection.remember(text(&line, "user"));
            connection.fields.remove("nofail");
            connection.fields.remove("mlfgained");
            // Whoever got in was no failure before; accounts stay known.
            if gained {
                connection.pending = false;
            }
            let said = line.into_iter().filter(|(_, value)| value.is_some());
            connection.fields.extend(said);
            (Some((at, until)), connection)
        } else {
            let mut connection = Connection {
                fields: line,
                ..Connection::default()
            };
            if !forget {
                let user = text(&connection.fields, "user").map(str::to_owned);
                connection.remember(user.as_deref());
            }
            (None, connection)
        };
        // Several accounts on one connection are failures, whatever the last line says.
        if std::mem::take(&mut connection.pending) || connection.users.len() > 1 {
            connection.fields.remove("nofail");
            connection.fields.remove("mlfgained");
        }
        let result = judge(&mut connection);
        if !forget {
            if let Some((at, until)) = place {
                let at = at.min(self.known.len());
                self.known.insert(at, (id.to_owned(), until, connection));
            } else {
                while self.known.len() >= MOST {
                    self.known.pop_front();
                }
                self.known.push_back((id.to_owned(), now + LONGEST, connection));
            }
        }
        result
    }
}

impl Connection {
    fn remember(&mut self, user: Option<&str>) {
        if let Some(user) = user.filter(|user| !user.is_empty())
            && self.users.len() < MOST_USERS
        {
            self.users.insert(user.to_owned());
        }
    }
}
