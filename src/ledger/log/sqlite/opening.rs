//! How the file is opened: to be made, to be written, or only to be read.
//!
//! A ledger that is only read is left exactly as it is, with nothing beside it: on read-only media, in a folder of
//! somebody else, in an archive. SQLite reads a write-ahead log through a -shm, which it would make where there is none.
//! So a ledger whose events are all in the file itself is read as one that does not change, and looked at before and
//! after whether it did; one with a log beside it is read through the -shm of whoever writes to it.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::place::Identity;
use super::schema::sql;
use crate::ledger::log::Access;
use crate::{Error, Fault, Result};

/// How long SQLite itself waits for a lock before it asks whether to go on.
const STEP: Duration = Duration::from_millis(20);

/// A connection, and what it is for.
pub(super) struct Opened {
    pub connection: Connection,
    /// Whether it only reads.
    pub reads: bool,
    /// What the file was when it was opened as one that does not change.
    pub rest: Option<Rest>,
}

/// Opens a file.
///
/// # Errors
/// [`crate::Error::Ledger`] for a file that cannot be opened, or not read without writing beside it.
pub(super) fn open(path: &Path, access: Access) -> Result<Opened> {
    if path.is_dir() || path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(Fault::new("a ledger cannot be opened or kept where the path names no file")
            .values([path.display().to_string()])
            .remedy("Name a file on a disk of this machine")
            .ledger());
    }
    let written = |connection| Opened { connection, reads: false, rest: None };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match access {
        Access::Create => {
            make_private(path);
            connect(path, flags | OpenFlags::SQLITE_OPEN_CREATE).map(written).map_err(|error| sql(&error))
        }
        Access::Write => match connect(path, flags).and_then(writes) {
            Ok(Some(connection)) => Ok(written(connection)),
            Ok(None) => open_to_read(path),
            Err(error) if lacks_rights(&error) => open_to_read(path),
            Err(error) => Err(sql(&error)),
        },
        Access::Read => open_to_read(path),
    }
}

/// The connection where it can write to the file and beside it.
fn writes(connection: Connection) -> rusqlite::Result<Option<Connection>> {
    // Before anything is asked of it, for that would make files beside one that only others may write.
    if connection.is_readonly("main")? {
        return Ok(None);
    }
    match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Err(error) if lacks_rights(&error) => Err(error),
        // Whatever else is wrong is found, and said, where the file is read.
        _ => Ok(Some(connection)),
    }
}

fn lacks_rights(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

fn open_to_read(path: &Path) -> Result<Opened> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let rest = Rest::of(path);
    let how = if rest.is_some() { "immutable=1" } else { "mode=ro&readonly_shm=1" };
    let opened = connect(address(path, how), flags).and_then(|connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    });
    match opened {
        Ok(connection) => Ok(Opened { connection, reads: true, rest }),
        Err(error) if lacks_rights(&error) && rest.is_none() && path.is_file() => Err(Fault::new(
            "the latest events of the ledger are in the log beside it, which cannot be read where nothing may be \
             written",
        )
        .values([error.to_string()])
        .remedy(
            "Close the ledger where it is kept, which moves them into the file, or copy the file and its -wal to a \
             folder of your own and open the copy",
        )
        .ledger()),
        Err(error) => Err(sql(&error)),
    }
}

/// A file that holds all events itself, as it was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    file: Identity,
    length: u64,
    modified: Option<SystemTime>,
}

impl Rest {
    /// The file as it is now; nothing where events may be in a log beside it, or there is no file.
    pub fn of(path: &Path) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        let about = std::fs::metadata(&real).ok().filter(std::fs::Metadata::is_file)?;
        let rests = ["-wal", "-journal"].iter().all(|end| {
            let mut log = real.clone().into_os_string();
            log.push(end);
            match std::fs::metadata(PathBuf::from(log)) {
                Ok(log) => log.len() == 0,
                // What cannot be looked at may hold events.
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            }
        });
        let (file, length) = (Identity::of(&real)?, about.len());
        rests.then(|| Self { file, length, modified: about.modified().ok() })
    }

    /// Whether this file stands at a path.
    pub fn is(&self, path: &Path) -> bool {
        Identity::of(path) == Some(self.file)
    }
}

/// What a reader says where the file changed while it was read.
pub(super) fn changed() -> Error {
    Fault::new("the ledger was written to while it was read").remedy("Try again").ledger()
}

/// The address under which SQLite opens a file in some way.
fn address(path: &Path, how: &str) -> String {
    use std::fmt::Write;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut address = String::from(if cfg!(windows) { "file:///" } else { "file:" });
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => address.push('/'),
            b'/' | b'.' | b'-' | b'_' | b':' => address.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => address.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(address, "%{byte:02x}")),
        }
    }
    address + "?" + how
}

/// Makes a new file that only its owner may read; SQLite gives its -wal and -shm the same rights.
///
/// A file that is there already is left to whoever finds that it is not empty.
fn make_private(path: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // Where it cannot be made SQLite cannot make it either, and says so.
    let Ok(file) = options.open(path) else { return };
    #[cfg(unix)]
    if file.metadata().is_ok_and(|about| about.len() == 0) {
        use std::os::unix::fs::PermissionsExt;
        // There are disks that know no rights.
        drop(file.set_permissions(std::fs::Permissions::from_mode(0o600)));
    }
    drop(file);
}

/// Whether the file says that it has a write-ahead log; a program that switches it off says so there.
pub(super) fn has_log(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head[18..] == [2, 2]
}

/// Puts the write-ahead log back where it was switched off, and says whether it was.
///
/// # Errors
/// [`crate::Error::Ledger`] where that cannot be done.
pub(super) fn restore_log(connection: &Connection) -> Result<bool> {
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let found = connection.pragma_query_value(None, "journal_mode", mode).map_err(|error| sql(&error))?;
    if found.eq_ignore_ascii_case("wal") {
        return Ok(false);
    }
    match switch_on_log(connection) {
        Ok(true) => Ok(true),
        _ => Err(Fault::new(
            "the write-ahead log of the ledger was switched off, and cannot be switched on again",
        )
        .values([format!("journal_mode {found}")])
        .remedy("Close whatever else has the file open, and open the ledger on a disk of this machine")
        .ledger()),
    }
}

/// Switches the write-ahead log on, and says whether it is.
pub(super) fn switch_on_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let now = connection.pragma_update_and_check(None, "journal_mode", "WAL", mode)?;
    Ok(now.eq_ignore_ascii_case("wal"))
}

/// A connection that trusts nothing in the file but its tables.
fn connect(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(STEP)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A commit returns when the disk has it (on macOS too); damaged pages are looked at before they are used; and a
    // file that shrinks under us is an error of reading, not a signal.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; \
         PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}
