//! The ledger on the disk: created, opened, read and written under a lock.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::chain::{Chain, Code, Head, START};
use super::event::{Event, FORMAT, Record, Rules};
use super::limits;
use super::opening::{self, Access, Opened, Rest};
use super::place::{Identity, Place};
use super::reading::Reader;
use super::schema::{self, is_busy, sql};
use super::state::{State, at_event};
use super::time::{Time, When};
use crate::design::{Commitment, Design, Drawn, Sequence, nfc};
use crate::progress::{Monitor, check, watcher};
use crate::rng::Seed;
use crate::{Fault, Result};

/// How long a call waits for other processes unless [`Ledger::waiting`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// What follows where a file is found to be gone before the commit.
const NOTHING: &str = "nothing was recorded";

/// An open ledger. It may be shared between threads; other processes may have the same file open.
pub struct Ledger {
    path: PathBuf,
    design: Design,
    key: Seed,
    chain: Chain,
    pub(super) inner: Mutex<Inner>,
    pub(super) process: u32,
    /// Whether it was opened to be read only.
    reads: bool,
    patience: Duration,
    monitor: Box<dyn Monitor + Send>,
    notes: Vec<String>,
}

pub(super) struct Inner {
    /// Nothing once the handle is being dropped.
    pub connection: Option<Connection>,
    /// What the events say up to the last one that this handle has seen.
    state: Option<State>,
    /// Where the files were when they were opened.
    place: Place,
    /// What the file was when it was opened, where it is read as one that does not change.
    rest: Option<Rest>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("path", &self.path)
            .field("trial", &self.design.name())
            .finish_non_exhaustive()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            // A forked child must not touch the parent's connection, not even to close it.
            let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(inner.connection.take());
        }
    }
}

impl Ledger {
    /// Creates a ledger for a design whose seed is a key of 256 bits.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for a design that cannot be carried out, has no seed, or has a procedure that needs
    /// the whole list of units; [`crate::Error::Ledger`] for an integer seed, a file that is there already, and
    /// a disk that cannot be written.
    pub fn create(path: impl AsRef<Path>, design: &Design, rules: &Rules) -> Result<Self> {
        Self::create_at(path, design, rules, When::Now)
    }

    /// As [`Ledger::create`], at a given time.
    ///
    /// # Errors
    /// As [`Ledger::create`].
    pub fn create_at(
        path: impl AsRef<Path>,
        design: &Design,
        rules: &Rules,
        at: impl Into<When>,
    ) -> Result<Self> {
        let key = design.the_seed()?.clone();
        let chain = Chain::new(&key)?;
        Sequence::new(design, &key)?;
        let commitment = design.commitment()?;
        let Seed::Key(id) = Seed::new_key()? else {
            return Err(Fault::new("the system gave no random identifier").remedy("Try again").ledger());
        };
        let rules = Rules {
            levels: rules
                .levels
                .iter()
                .map(|levels| levels.iter().map(|level| nfc(level)).collect())
                .collect(),
            ..rules.clone()
        };
        let record = Record {
            at: read_clock(at.into())?,
            event: Event::Created {
                commitment: commitment.digest,
                design: commitment.design,
                format: FORMAT,
                // Tells ledgers of one key and design apart.
                id: Head { sequence: 0, code: id }.to_string()[2..34].to_owned(),
                rules,
                wording: design.wording().clone(),
            },
            request: None,
        };
        limits::check(&record, &record.body(), &design.nouns(), |_| false)?;
        // Checks the levels against the design before anything is written.
        State::new(&record, &key)?;
        let path = path.as_ref();
        let ledger = Self::handle(path, design.clone(), key, chain, Access::Create)?;
        ledger.write_first(&record)?;
        if let Some(folder) = path.parent() {
            // The entry in the folder must reach the disk too; where a folder cannot be opened, nothing can be done.
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            drop(std::fs::File::open(folder).and_then(|folder| folder.sync_all()));
        }
        Ok(ledger)
    }

    /// Opens a ledger, follows its chain and draws every arm again.
    ///
    /// With the head of the last receipt a tail that was cut off is found; without it [`Ledger::notes`] says that the
    /// tail was not checked. A ledger that this user may read and not write is opened as [`Ledger::read_only`] does.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that is no ledger, another key, and any event that is not as it was
    /// written.
    pub fn open(path: impl AsRef<Path>, key: &Seed, head: Option<&Head>) -> Result<Self> {
        Self::opened(path.as_ref(), key, head, Access::Write)
    }

    /// Opens a ledger as [`Ledger::open`] does, to be read and verified only: nothing is written to the file or beside
    /// it, so that it may lie on read-only media. Whatever would record something is refused.
    ///
    /// # Errors
    /// As [`Ledger::open`]; also where events are in a -wal beside the file that cannot be read without writing.
    pub fn read_only(path: impl AsRef<Path>, key: &Seed, head: Option<&Head>) -> Result<Self> {
        Self::opened(path.as_ref(), key, head, Access::Read)
    }

    fn opened(path: &Path, key: &Seed, head: Option<&Head>, access: Access) -> Result<Self> {
        let chain = Chain::new(key)?;
        // Until the first event has been read the design is not known.
        let mut ledger = Self::handle(path, Design::new(""), key.clone(), chain, access)?;
        let verified = ledger.verify(head)?;
        ledger.design = ledger.read(|state, _| Ok(state.design.clone()))?;
        ledger.notes = verified.notes;
        ledger.see_to_log()?;
        Ok(ledger)
    }

    /// Sets how long a call waits for other processes; a minute unless this says otherwise.
    #[must_use]
    pub fn waiting(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Lets `monitor` stop a call that waits for other processes or reads for long; unless this says otherwise it is
    /// whoever watched the thread that opened the ledger ([`crate::progress::watched`]).
    #[must_use]
    pub fn monitored(mut self, monitor: impl Monitor + Send + 'static) -> Self {
        self.monitor = Box::new(monitor);
        self
    }

    /// The design of the trial, with its key.
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// The commitment to design and key, which the file holds in place of the key.
    ///
    /// # Errors
    /// None for a ledger that is open; [`crate::Error::Design`] where the design could not be written.
    pub fn commitment(&self) -> Result<Commitment> {
        self.design.commitment()
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a reader should know, from the moment the ledger was opened.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn handle(path: &Path, design: Design, key: Seed, chain: Chain, access: Access) -> Result<Self> {
        let before = Identity::of(path);
        let Opened { connection, reads, rest } = opening::open(path, access)?;
        let place = Place::new(path, before)?;
        Ok(Self {
            path: path.to_owned(),
            design,
            key,
            chain,
            inner: Mutex::new(Inner { connection: Some(connection), state: None, place, rest }),
            process: std::process::id(),
            reads,
            patience: PATIENCE,
            monitor: Box::new(watcher()),
            notes: Vec::new(),
        })
    }

    /// Puts the write-ahead log back where it was switched off, once the file is known to be a ledger.
    fn see_to_log(&mut self) -> Result<()> {
        if self.reads {
            self.notes.push("opened to be read only: nothing can be recorded".to_owned());
            if !opening::has_log(&self.path) {
                self.notes.push(
                    "the write-ahead log has been switched off by another program; who opens the ledger to write \
                     switches it on again"
                        .to_owned(),
                );
            }
            return Ok(());
        }
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if opening::restore_log(connected(inner.connection.as_ref())?)? {
            self.notes.push(
                "the write-ahead log had been switched off by another program; it is on again".to_owned(),
            );
        }
        Ok(())
    }

    fn write_first(&self, record: &Record) -> Result<()> {
        let mut guard = self.lock()?;
        let Inner { connection, place, .. } = &mut *guard;
        let connection = connected(connection.as_ref())?;
        schema::check_empty(connection)?;
        if !self.patiently(|| opening::switch_on_log(connection))? {
            return Err(Fault::new("this disk takes no write-ahead log, so no ledger can be kept on it")
                .remedy("Use a disk of this machine")
                .ledger());
        }
        self.begin(connection, "BEGIN IMMEDIATE")?;
        let body = record.body();
        let code = self.chain.code(&START, 0, &body);
        let made = schema::check_empty(connection).and_then(|()| {
            schema::make(connection)
                .and_then(|()| insert(connection, 0, &body, &code))
                .map_err(|error| sql(&error))
                .and_then(|()| commit(connection, place))
        });
        if !connection.is_autocommit() {
            roll_back(connection);
        }
        made
    }

    /// Reads the state as of now, in one view of the file.
    pub(super) fn read<T>(&self, work: impl FnOnce(&State, &Connection) -> Result<T>) -> Result<T> {
        let mut guard = self.lock()?;
        if self.reads {
            open_anew(&mut guard)?;
        }
        let Inner { connection: open, state, place, rest } = &mut *guard;
        let connection = connected(open.as_ref())?;
        self.begin(connection, "BEGIN")?;
        let beside = if self.reads { None } else { connection.path() };
        let done = place
            .check(beside, "what is in it is not what stands at the path")
            .and_then(|()| self.catch_up(connection, state.take()))
            .and_then(|now| Ok((work(&now, connection)?, now)));
        roll_back(connection);
        match rest {
            // Another file in its place is no write to it, and was found above.
            Some(before) if before.is(place.path()) && Rest::of(place.path()) != Some(*before) => {
                return Err(opening::changed());
            }
            // Whoever looks on beside a writer must not keep it from putting its log away.
            None if self.reads => *open = None,
            _ => {}
        }
        let (value, now) = done?;
        *state = Some(now);
        Ok(value)
    }

    /// Reads every event anew, trusting nothing that this handle has seen before.
    pub(super) fn read_anew<T>(&self, work: impl FnOnce(&State, &Connection) -> Result<T>) -> Result<T> {
        self.lock()?.state = None;
        self.read(work)
    }

    /// Adds events: all that `work` writes, or nothing.
    pub(super) fn write<T>(&self, work: impl FnOnce(&mut Writer<'_>) -> Result<T>) -> Result<T> {
        let mut guard = self.lock()?;
        if self.reads {
            return Err(Fault::new("the ledger was opened to be read only; nothing was recorded")
                .remedy("Open it without read_only, as a user who may write to the file and its folder")
                .ledger());
        }
        let Inner { connection, state: kept, place, .. } = &mut *guard;
        let connection = connected(connection.as_ref())?;
        self.begin(connection, "BEGIN IMMEDIATE")?;
        // The state is taken out, so that whatever goes wrong the next call reads the file anew.
        let here = place.check(connection.path(), NOTHING);
        let mut writer = match here.and_then(|()| self.catch_up(connection, kept.take())) {
            Ok(state) => Writer { chain: &self.chain, connection, state, written: false },
            Err(error) => {
                roll_back(connection);
                return Err(error);
            }
        };
        let done = work(&mut writer);
        let Writer { state, written, .. } = writer;
        let committed = match (&done, written) {
            (Ok(_), true) => commit(connection, place),
            _ => Ok(()),
        };
        if !connection.is_autocommit() {
            roll_back(connection);
        }
        // The state goes with it: whatever was wrong, the next call reads the file anew.
        committed?;
        if done.is_ok() || !written {
            *kept = Some(state);
        }
        done
    }

    fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        // First, since in a forked child the lock may be held by a thread that is not there.
        if std::process::id() != self.process {
            return Err(Fault::new(
                "the ledger was opened in another process, from which this one was forked",
            )
            .remedy("Open it again in this process: SQLite's locks do not follow a fork")
            .ledger());
        }
        let mut guard = self.inner.lock().unwrap_or_else(|poisoned| {
            self.inner.clear_poison();
            poisoned.into_inner()
        });
        if let Some(connection) = &guard.connection
            && !connection.is_autocommit()
        {
            // A call was cut off in the middle.
            roll_back(connection);
            guard.state = None;
        }
        Ok(guard)
    }

    fn begin(&self, connection: &Connection, how: &str) -> Result<()> {
        self.patiently(|| {
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
    fn patiently<T>(&self, mut work: impl FnMut() -> rusqlite::Result<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            match work() {
                Err(error) if is_busy(&error) && start.elapsed() < self.patience => {
                    let waited = start.elapsed().as_millis() as u64;
                    check(self.monitor.as_ref(), waited, self.patience.as_millis() as u64)?;
                    std::thread::sleep(Duration::from_millis(1));
                }
                done => return done.map_err(|error| sql(&error)),
            }
        }
    }

    /// Reads the events that came since `state`, or all of them, inside a transaction.
    fn catch_up(&self, connection: &Connection, state: Option<State>) -> Result<State> {
        Reader::new(&self.chain, &self.key, state).run(connection, self.monitor.as_ref())
    }
}

/// Adds events inside a transaction.
pub(super) struct Writer<'a> {
    chain: &'a Chain,
    connection: &'a Connection,
    pub state: State,
    written: bool,
}

impl Writer<'_> {
    /// Adds one event; `drawn` is the arm that was drawn for it.
    pub fn append(&mut self, record: &Record, drawn: Option<Drawn>) -> Result<Head> {
        let number = self.state.next;
        let body = record.body();
        limits::check(record, &body, &self.state.nouns, |family| self.state.family(family).is_ok())?;
        self.state.apply(record, drawn)?;
        self.written = true;
        let code = self.chain.code(&self.state.code, number, &body);
        self.state.code = code;
        insert(self.connection, number, &body, &code).map_err(|error| sql(&error))?;
        Ok(Head { sequence: number, code })
    }

    /// The head as it was after an event that is in the file.
    pub fn head_at(&self, number: u64) -> Result<Head> {
        head_at(self.connection, number)
    }
}

/// The code of an event that the chain was followed through.
pub(super) fn head_at(connection: &Connection, number: u64) -> Result<Head> {
    let read = || -> rusqlite::Result<Code> {
        let mut statement = connection.prepare_cached("SELECT code FROM event WHERE sequence = ?1")?;
        statement.query_row([number as i64], |row| row.get(0))
    };
    Ok(Head { sequence: number, code: read().map_err(|error| at_event(number, None, sql(&error)))? })
}

fn insert(connection: &Connection, number: u64, body: &str, code: &Code) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT INTO event (sequence, body, code) VALUES (?1, ?2, ?3)")?;
    statement.execute(rusqlite::params![number as i64, body, code]).map(|_| ())
}

/// Commits, and answers for it only where the file is still the one at its path before and after.
fn commit(connection: &Connection, place: &mut Place) -> Result<()> {
    place.check(connection.path(), NOTHING)?;
    connection.execute_batch("COMMIT").map_err(|error| sql(&error))?;
    place.check(connection.path(), "the last entry is in the file that was there before, and in no other")
}

/// Opens a file that is only read again, where it changed or was let go of.
fn open_anew(inner: &mut Inner) -> Result<()> {
    let path = inner.place.path();
    let changed = inner.rest.is_some_and(|before| Rest::of(path) != Some(before) && before.is(path));
    if changed || inner.connection.is_none() {
        let Opened { connection, rest, .. } = opening::open(path, Access::Read)?;
        (inner.connection, inner.state, inner.rest) = (Some(connection), None, rest);
    }
    Ok(())
}

fn roll_back(connection: &Connection) {
    // Where it fails there is no transaction left, which is what was wanted.
    drop(connection.execute_batch("ROLLBACK"));
}

fn connected(connection: Option<&Connection>) -> Result<&Connection> {
    connection.ok_or_else(|| Fault::new("the ledger is closed").remedy("Open it again").ledger())
}

/// The time of an event: as given, or what the clock says now.
///
/// A time in the future is refused: nothing could be recorded any more until it had come.
pub(super) fn read_clock(when: When) -> Result<Time> {
    const DAY: i64 = 86_400_000_000;
    let now = Time::now();
    match when {
        When::At(time) if time.micros() - DAY > now.micros() => {
            Err(Fault::new("the time lies more than a day in the future")
                .values([format!("at {time}"), format!("this machine's clock {now}")])
                .remedy("Correct the time, or the clock: no later entry could come before it")
                .ledger())
        }
        When::At(time) => Ok(time),
        When::Now => Ok(now),
    }
}
