//! A log in one SQLite file: its transactions, and how long they wait for others.

mod opening;
mod place;
mod schema;

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use self::opening::{Opened, Rest};
use self::place::{Identity, Place};
use self::schema::{is_busy, sql};
use super::{Access, Log, Stored, Turn, Wait, at_event, damaged};
use crate::ledger::chain::{Code, Head};
use crate::progress::check;
use crate::{Fault, Result};

/// What follows where a file is found to be gone before the commit.
const NOTHING: &str = "nothing was recorded";

/// The file of a ledger, open.
pub(super) struct Sqlite {
    /// Nothing once it was let go of.
    connection: Option<Connection>,
    /// Whether it was opened to be read only.
    reads: bool,
    /// Where the files were when they were opened.
    place: Place,
    /// What the file was when it was opened, where it is read as one that does not change.
    rest: Option<Rest>,
}

impl Sqlite {
    /// Opens a file.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be opened, or not read without writing beside it, or that is
    /// replaced meanwhile.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        let before = Identity::of(path);
        let Opened { connection, reads, rest } = opening::open(path, access)?;
        let place = Place::new(path, before)?;
        Ok(Self { connection: Some(connection), reads, place, rest })
    }

    fn connection(&self) -> Result<&Connection> {
        connected(self.connection.as_ref())
    }

    /// Commits, and answers for it only where the file is still the one at its path before and after.
    fn commit_at_place(connection: &Connection, place: &mut Place) -> Result<()> {
        place.check(connection.path(), NOTHING)?;
        connection.execute_batch("COMMIT").map_err(|error| sql(&error))?;
        place.check(connection.path(), "the last entry is in the file that was there before, and in no other")
    }
}

impl Log for Sqlite {
    fn reads(&self) -> bool {
        self.reads
    }

    fn make(&mut self, body: &str, code: &Code, wait: &Wait<'_>) -> Result<()> {
        let connection = connected(self.connection.as_ref())?;
        schema::check_empty(connection)?;
        if !patiently(wait, || opening::switch_on_log(connection))? {
            return Err(Fault::new("this disk takes no write-ahead log, so no ledger can be kept on it")
                .remedy("Use a disk of this machine")
                .ledger());
        }
        begin(connection, Turn::Write, wait)?;
        let made = schema::check_empty(connection).and_then(|()| {
            schema::make(connection)
                .and_then(|()| insert(connection, 0, body, code))
                .map_err(|error| sql(&error))
                .and_then(|()| Self::commit_at_place(connection, &mut self.place))
        });
        self.roll_back();
        made?;
        if let Some(folder) = self.place.path().parent() {
            // The entry in the folder must reach the disk too; where a folder cannot be opened, nothing can be done.
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            drop(std::fs::File::open(folder).and_then(|folder| folder.sync_all()));
        }
        Ok(())
    }

    /// Puts the write-ahead log back where it was switched off.
    fn settle(&mut self) -> Result<Option<String>> {
        if self.reads {
            return Ok((!opening::has_log(self.place.path())).then(|| {
                "the write-ahead log has been switched off by another program; who opens the ledger to write \
                 switches it on again"
                    .to_owned()
            }));
        }
        Ok(opening::restore_log(self.connection()?)?.then(|| {
            "the write-ahead log had been switched off by another program; it is on again".to_owned()
        }))
    }

    fn renew(&mut self) -> Result<bool> {
        let path = self.place.path();
        let changed = self.rest.is_some_and(|before| Rest::of(path) != Some(before) && before.is(path));
        let again = self.reads && (changed || self.connection.is_none());
        if again {
            let Opened { connection, rest, .. } = opening::open(path, Access::Read)?;
            (self.connection, self.rest) = (Some(connection), rest);
        }
        Ok(again)
    }

    fn begin(&mut self, turn: Turn, wait: &Wait<'_>) -> Result<()> {
        let connection = connected(self.connection.as_ref())?;
        begin(connection, turn, wait)?;
        let beside = if self.reads { None } else { connection.path() };
        let consequence = match turn {
            Turn::Read => "what is in it is not what stands at the path",
            Turn::Write => NOTHING,
        };
        let here = self.place.check(beside, consequence);
        if here.is_err() {
            match turn {
                Turn::Read => self.leave()?,
                Turn::Write => {
                    self.roll_back();
                }
            }
        }
        here
    }

    fn check(&self) -> Result<()> {
        schema::check(self.connection()?)
    }

    fn since(&self, from: u64, take: &mut dyn FnMut(&Stored<'_>) -> Result<()>) -> Result<()> {
        let connection = self.connection()?;
        check_start(connection)?;
        let mut statement = connection
            .prepare_cached("SELECT sequence, body, code FROM event WHERE sequence >= ?1 ORDER BY sequence")
            .map_err(|error| sql(&error))?;
        let mut rows = statement.query([from as i64]).map_err(|error| sql(&error))?;
        for next in from.. {
            let row = rows.next().map_err(|error| at_event(next, None, sql(&error)))?;
            let Some(row) = row else { break };
            let number = row.get_ref(0).ok().and_then(|value| value.as_i64().ok());
            let number = number.and_then(|number| u64::try_from(number).ok());
            match (row.get_ref(1), row.get_ref(2)) {
                (Ok(ValueRef::Text(body)), Ok(ValueRef::Blob(code))) => take(&Stored { number, body, code })?,
                _ => return Err(damaged(next, "its text or its code has another type")),
            }
        }
        Ok(())
    }

    fn head_at(&self, number: u64) -> Result<Head> {
        let connection = self.connection()?;
        let read = || -> rusqlite::Result<Code> {
            let mut statement = connection.prepare_cached("SELECT code FROM event WHERE sequence = ?1")?;
            statement.query_row([number as i64], |row| row.get(0))
        };
        Ok(Head { sequence: number, code: read().map_err(|error| at_event(number, None, sql(&error)))? })
    }

    fn append(&self, number: u64, body: &str, code: &Code) -> Result<()> {
        insert(self.connection()?, number, body, code).map_err(|error| sql(&error))
    }

    fn commit(&mut self) -> Result<()> {
        Self::commit_at_place(connected(self.connection.as_ref())?, &mut self.place)
    }

    fn roll_back(&mut self) -> bool {
        let Some(connection) = self.connection.as_ref().filter(|open| !open.is_autocommit()) else {
            return false;
        };
        roll_back(connection);
        true
    }

    fn leave(&mut self) -> Result<()> {
        self.roll_back();
        let path = self.place.path();
        match self.rest {
            // Another file in its place is no write to it, and is found where a turn begins.
            Some(before) if before.is(path) && Rest::of(path) != Some(before) => {
                return Err(opening::changed());
            }
            // Whoever looks on beside a writer must not keep it from putting its log away.
            None if self.reads => self.connection = None,
            _ => {}
        }
        Ok(())
    }

    /// A forked child must not touch the parent's connection, not even to close it.
    fn abandon(&mut self) {
        std::mem::forget(self.connection.take());
    }

    #[cfg(test)]
    fn meddle(&self, how: &str) {
        if let Some(connection) = &self.connection {
            drop(connection.execute_batch(how));
        }
    }
}

/// Refuses rows before the first event. SQLite numbers them from any whole number, so they would stand in the table and
/// in the view, and yet outside what is read from 0 on.
fn check_start(connection: &Connection) -> Result<()> {
    let lowest: Option<i64> = connection
        .query_row("SELECT min(sequence) FROM event", [], |row| row.get(0))
        .map_err(|error| at_event(0, None, sql(&error)))?;
    match lowest {
        Some(0) => Ok(()),
        Some(number) if number < 0 => {
            Err(Fault::new("the file holds a row before its first event, which the ledger did not write")
                .values([format!("sequence {number}")])
                .remedy("Keep the file for inspection, and restore it and its -wal from a copy that verifies")
                .ledger())
        }
        _ => Err(damaged(0, "it is missing from the file")),
    }
}

fn insert(connection: &Connection, number: u64, body: &str, code: &Code) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT INTO event (sequence, body, code) VALUES (?1, ?2, ?3)")?;
    statement.execute(rusqlite::params![number as i64, body, code]).map(|_| ())
}

fn begin(connection: &Connection, turn: Turn, wait: &Wait<'_>) -> Result<()> {
    let how = match turn {
        Turn::Read => "BEGIN",
        Turn::Write => "BEGIN IMMEDIATE",
    };
    patiently(wait, || {
        connection.execute_batch(how)?;
        // Fixes the view of the file, which BEGIN alone does not.
        let looked =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        if looked.is_err() {
            roll_back(connection);
        }
        looked
    })
    .map(|_| ())
}

/// Does something again while another process holds the lock, until the patience runs out.
fn patiently<T>(wait: &Wait<'_>, mut work: impl FnMut() -> rusqlite::Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match work() {
            Err(error) if is_busy(&error) && start.elapsed() < wait.patience => {
                let waited = start.elapsed().as_millis() as u64;
                check(wait.monitor, waited, wait.patience.as_millis() as u64)?;
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return done.map_err(|error| sql(&error)),
        }
    }
}

fn roll_back(connection: &Connection) {
    // Where it fails there is no transaction left, which is what was wanted.
    drop(connection.execute_batch("ROLLBACK"));
}

fn connected(connection: Option<&Connection>) -> Result<&Connection> {
    connection.ok_or_else(|| Fault::new("the ledger is closed").remedy("Open it again").ledger())
}
