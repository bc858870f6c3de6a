//! The file: one table of events, which refuses to be changed.
//!
//! Only the text of an event and its code are stored; everything else is worked out from them, so that nothing in the
//! file can contradict them. A view shows the events to whoever opens the file with other tools.

use rusqlite::{Connection, ErrorCode};

use crate::{Error, Fault, Result};

/// "crew" in ASCII marks the file as a ledger.
const APPLICATION: i32 = 0x6372_6577;
/// The version of the tables.
const VERSION: i32 = 1;

/// What the file must hold, in the order in which it is made.
const OBJECTS: [&str; 4] = [
    "CREATE TABLE event (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL, code BLOB NOT NULL)",
    "CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END",
    "CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END",
    "CREATE VIEW history AS SELECT sequence, json_extract(body, '$.at') AS at, json_extract(body, '$.kind') AS kind, \
     json_extract(body, '$.family') AS family, json_extract(body, '$.arm') AS arm, body FROM event",
];

/// What an error of SQLite means for whoever keeps the ledger.
pub(super) fn sql(error: &rusqlite::Error) -> Error {
    let (problem, remedy) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another process is writing to the ledger and does not finish",
            "Try again; a request id keeps a second try from enrolling twice",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            "the ledger cannot be written: the file, its folder or the disk is read-only; nothing was recorded",
            "Give this user the right to write to the file and its folder",
        ),
        Some(ErrorCode::DiskFull) => (
            "the disk is full; nothing was recorded, and what was recorded before is safe",
            "Make room and try again",
        ),
        Some(ErrorCode::NotADatabase) => (
            "the file is no ledger, or its first bytes are damaged",
            "Check the path, or restore the file and its -wal from a copy",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            "the file is damaged",
            "Keep it for inspection, and restore it and its -wal from a copy that verifies against the last receipt",
        ),
        Some(ErrorCode::CannotOpen) => (
            "the ledger cannot be opened: the file or its folder is not there, or may not be written",
            "Check the path; SQLite needs to write beside the file, on a disk of this machine",
        ),
        Some(ErrorCode::SystemIoFailure | ErrorCode::TooBig) => (
            "the disk reported an error, so the last change may not be recorded",
            "Check the disk, open the ledger again and verify it against the last receipt",
        ),
        _ => ("the ledger cannot be read", "Check that the file is a ledger of this version of crewe"),
    };
    Fault::new(problem).values([error.to_string()]).remedy(remedy).ledger()
}

/// Whether somebody else holds the lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Refuses a file that already holds something.
pub(super) fn check_empty(connection: &Connection) -> Result<()> {
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| sql(&e))?;
    if objects == 0 && number(connection, "application_id")? == 0 {
        return Ok(());
    }
    Err(Fault::new("there is a file of this name already, and it is not empty")
        .remedy("Open it with Ledger.open, or choose another path: a ledger is never written over")
        .ledger())
}

/// Makes the table, its triggers and the view, inside a transaction.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    OBJECTS.iter().try_for_each(|object| connection.execute_batch(object))
}

/// Refuses a file that is no ledger, or not one of this version, or whose triggers or view were changed.
pub(super) fn check(connection: &Connection) -> Result<()> {
    let application = number(connection, "application_id")?;
    let version = number(connection, "user_version")?;
    if application != APPLICATION {
        return Err(Fault::new("the file is no ledger of crewe, or was cut off before it became one")
            .values([format!("application id {application}")])
            .remedy("Check the path, or restore the file and its -wal from a copy")
            .ledger());
    }
    if version != VERSION {
        let than = if version > VERSION { "newer" } else { "older" };
        return Err(Fault::new(format!("the ledger was written by a {than} version of crewe"))
            .values([format!("version {version}, this is {VERSION}")])
            .remedy("Use the version of crewe that wrote it")
            .ledger());
    }
    let read = || -> rusqlite::Result<Vec<Option<String>>> {
        let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    let found = read().map_err(|error| sql(&error))?;
    if found.iter().map(Option::as_deref).eq(OBJECTS.iter().map(|object| Some(*object))) {
        return Ok(());
    }
    Err(Fault::new(
        "the tables of the ledger were changed: its triggers or its view are not those it was made with",
    )
    .remedy("Keep the file for inspection, and restore it and its -wal from a copy")
    .ledger())
}

fn number(connection: &Connection, pragma: &str) -> Result<i32> {
    connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|error| sql(&error))
}
