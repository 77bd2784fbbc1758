//! Opens the database file, and gets over a damaged one: it is moved aside, never deleted, and its bans are carried over.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_event::Moment;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::StoreError;
use super::places;
use super::recall::Recall;
use super::rows::{self, Kept};
use super::schema::{self, CURRENT, Found};
use super::settings::StoreSettings;
use crate::engine::Target;

/// How long another process may hold the file for a moment, the `sqlite3` shell for instance.
const PATIENCE: Duration = Duration::from_secs(2);
/// Tries to get the lock while another process holds it, and the pause after each: half a second in all.
const LOCK_TRIES: u32 = 20;
/// See [`LOCK_TRIES`].
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// Damaged files kept at most; the oldest go first.
const MOST_DAMAGED: usize = 3;

/// An open database.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) db: Connection,
    /// What it knows of bans.
    pub(super) recall: Recall,
    /// What the admin should know.
    pub(super) notes: Vec<String>,
    /// Whether something that was written may not be there.
    pub(super) incomplete: bool,
    /// Where readers of logs stopped.
    pub(super) places: Vec<(String, Moment, String)>,
    /// The file, to notice when another one takes its place.
    pub(super) inode: u64,
}

/// Why it is not open.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing gets better by itself.
    Lasting(StoreError),
    /// It may get better: disk full, read-only, I/O errors.
    Passing(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Lasting(error)
    }
}

/// Opens the file at `path`, makes it if there is none, brings it to the current version, reads every ban.
pub(super) fn open(settings: &StoreSettings, now: Moment) -> Result<Opened, Trouble> {
    let empty = prepare(&settings.path)?;
    match connect(settings, now) {
        Ok(mut opened) => {
            opened.incomplete = empty;
            Ok(opened)
        }
        Err(Failure::Damaged(why)) => rebuild(settings, now, &why),
        Err(Failure::Trouble(trouble)) => Err(trouble),
    }
}

/// Moves a damaged file aside and starts a new one with what can still be read of the old.
pub(super) fn rebuild(settings: &StoreSettings, now: Moment, why: &str) -> Result<Opened, Trouble> {
    let path = &settings.path;
    let aside =
        move_aside(path, now).map_err(|error| Trouble::Passing(format!("{}: {error}", path.display())))?;
    let saved = salvage(&aside);
    prepare(path)?;
    let mut opened = connect(settings, now).map_err(|failure| match failure {
        Failure::Damaged(why) => Trouble::Passing(why),
        Failure::Trouble(trouble) => trouble,
    })?;
    let written = opened.db.transaction().and_then(|change| {
        for kept in &saved {
            rows::put(&change, kept)?;
        }
        change.commit()
    });
    written.map_err(|error| Trouble::Passing(error.to_string()))?;
    opened.notes.push(format!(
        "{} is damaged ({why}): it was moved to {}, {} bans were carried over into a new file, its history was not",
        path.display(),
        aside.display(),
        saved.len()
    ));
    for kept in saved {
        opened.recall.take(kept);
    }
    opened.incomplete = true;
    Ok(opened)
}

/// Reads what a file holds that can't be opened for writing; nothing if that fails too. Its latest changes may be missing.
pub(super) fn peek(settings: &StoreSettings, now: Moment) -> (Recall, Vec<(String, Moment, String)>) {
    let uri = format!("file:{}?immutable=1", escaped(&settings.path));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut recall = Recall::new(settings, now);
    let mut known = Vec::new();
    if let Ok(db) = Connection::open_with_flags(uri, flags)
        && matches!(schema::look(&db), Ok(Found::Version(version)) if version <= CURRENT)
    {
        if let Err(error) = rows::bans(&db, false, |row| recall.take(row)) {
            tracing::warn!(%error, "not every ban could be read");
        }
        // an older file has no such table
        known = places::read(&db).unwrap_or_default();
    }
    (recall, known)
}

/// Holds the store for this process alone.
///
/// A file of its own: closing any descriptor of the database would let go of SQLite's locks on it.
pub(super) fn lock(path: &Path) -> Result<File, Trouble> {
    let lock_path = with_suffix(path, ".lock");
    make_folder(path)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(&lock_path)
        .map_err(|error| trouble_of(&lock_path, &error))?;
    for attempt in 0..=LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => {
                // Only for people: who holds it is what the lock says.
                let _ = file
                    .set_len(0)
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                return Ok(file);
            }
            // The one before may be about to end; a child process may hold it between fork and exec.
            Err(fs::TryLockError::WouldBlock) if attempt < LOCK_TRIES => std::thread::sleep(LOCK_PAUSE),
            Err(fs::TryLockError::WouldBlock) => {}
            Err(fs::TryLockError::Error(error)) => return Err(trouble_of(&lock_path, &error)),
        }
    }
    let mut holder = String::new();
    let _ = file.take(20).read_to_string(&mut holder);
    let holder = holder.trim().to_owned();
    Err(StoreError::Locked {
        path: path.to_owned(),
        holder,
    }
    .into())
}

/// Makes the folder and the file with the right modes; whether the file was empty.
fn prepare(path: &Path) -> Result<bool, Trouble> {
    make_folder(path)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(path)
        .map_err(|error| trouble_of(path, &error))?;
    let mut start = Vec::new();
    Read::by_ref(&mut file)
        .take(512)
        .read_to_end(&mut start)
        .map_err(|error| trouble_of(path, &error))?;
    let is_text = !start.starts_with(b"SQLite format 3\0")
        && std::str::from_utf8(&start)
            .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    if !start.is_empty() && is_text {
        let found = "a text file".to_owned();
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            found,
        }
        .into());
    }
    Ok(start.is_empty())
}

fn make_folder(path: &Path) -> Result<(), Trouble> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(folder)
        .map_err(|error| trouble_of(folder, &error))
}

/// Why a connection could not be made, before it is known whether that is the end.
enum Failure {
    Damaged(String),
    Trouble(Trouble),
}

/// What SQLite says while a file is opened: the statements are always the same, so that when one of them makes no sense, the
/// file doesn't.
impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) || matches!(error.sqlite_error_code(), None | Some(ErrorCode::Unknown)) {
            Self::Damaged(error.to_string())
        } else {
            Self::Trouble(Trouble::Passing(error.to_string()))
        }
    }
}

/// Whether an error means that the file's contents can't be trusted.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn connect(settings: &StoreSettings, now: Moment) -> Result<Opened, Failure> {
    let path = &settings.path;
    let mut db = settled(path)?;
    let from = match schema::look(&db)? {
        Found::Empty => 0,
        Found::Version(found) if found > CURRENT => {
            let path = path.clone();
            return Err(Failure::Trouble(
                StoreError::Newer {
                    path,
                    found,
                    known: CURRENT,
                }
                .into(),
            ));
        }
        Found::Version(found) => found,
        Found::Foreign => {
            let (path, found) = (path.clone(), "another program's database".to_owned());
            return Err(Failure::Trouble(StoreError::Foreign { path, found }.into()));
        }
    };
    schema::migrate(&mut db, from)?;
    let mut recall = Recall::new(settings, now);
    let reading = db.transaction()?;
    let verdict: String = reading.query_row("PRAGMA quick_check('bans')", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Failure::Damaged(
            verdict.lines().next().unwrap_or_default().to_owned(),
        ));
    }
    let senseless = rows::bans(&reading, false, |row| recall.take(row))?;
    // a damaged place costs a few lines of a log, never the bans
    let known = places::read(&reading).unwrap_or_default();
    reading.commit()?;
    db.execute_batch("PRAGMA shrink_memory")?;
    let notes = match senseless {
        0 => Vec::new(),
        count => vec![format!(
            "{count} rows of {} make no sense and were left out",
            path.display()
        )],
    };
    let inode = fs::metadata(path).map_or(0, |metadata| metadata.ino());
    Ok(Opened {
        db,
        recall,
        notes,
        places: known,
        incomplete: false,
        inode,
    })
}

/// A connection that no other process disturbs.
///
/// `EXCLUSIVE` keeps the index of the write-ahead log in this process's memory: nothing is mapped that could fault when
/// the disk is full. `FULL` makes each commit durable; commits are few, since what waits is written together.
fn settled(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}

/// Renames the file and its write-ahead log to `FILE.corrupt-TIME`.
fn move_aside(path: &Path, now: Moment) -> std::io::Result<PathBuf> {
    let time = i64::try_from(now.as_millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let time = time.map_or_else(
        || "unknown".to_owned(),
        |time| time.strftime("%Y%m%dT%H%M%SZ").to_string(),
    );
    let aside = (0..1000)
        .map(|number| {
            if number == 0 {
                String::new()
            } else {
                format!("-{number}")
            }
        })
        .map(|number| with_suffix(path, &format!(".corrupt-{time}{number}")))
        .find(|aside| !aside.exists())
        .ok_or(ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    if let Err(error) = fs::rename(with_suffix(path, "-wal"), with_suffix(&aside, "-wal"))
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let _ = fs::remove_file(with_suffix(path, "-shm"));
    forget_oldest(path);
    Ok(aside)
}

/// Keeps the disk from filling with damaged files.
fn forget_oldest(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let start = format!("{}.corrupt-", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut damaged: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            name.starts_with(&start) && !name.ends_with("-wal")
        })
        .collect();
    damaged.sort();
    for path in damaged.iter().rev().skip(MOST_DAMAGED) {
        let _ = fs::remove_file(path);
        let _ = fs::remove_file(with_suffix(path, "-wal"));
    }
}

/// Every ban that can still be read: from the front until the damage, then from the back.
fn salvage(aside: &Path) -> Vec<Kept> {
    let mut saved: HashMap<Target, Kept> = HashMap::new();
    if let Ok(db) = settled(aside) {
        for reverse in [false, true] {
            let whole = rows::bans(&db, reverse, |kept| {
                saved.insert(kept.ban.target, kept);
            });
            if whole.is_ok() {
                break;
            }
        }
    }
    saved.into_values().collect()
}

fn trouble_of(path: &Path, error: &std::io::Error) -> Trouble {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::PermissionDenied => StoreError::Permission { path }.into(),
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidFilename => StoreError::Path {
            path,
            why: error.to_string(),
        }
        .into(),
        _ => Trouble::Passing(format!("{}: {error}", path.display())),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A path within a `file:` URI.
fn escaped(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}
