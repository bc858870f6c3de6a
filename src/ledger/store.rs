//! The handle of a ledger: created, opened, read and written under a lock, by turns of its log.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::chain::{Chain, Head, START};
use super::event::{Event, FORMAT, Record, Rules};
use super::limits;
use super::log::{self, Access, Log, Turn, Wait};
use super::reading::Reader;
use super::state::State;
use super::time::{Time, When};
use crate::design::{Commitment, Design, Drawn, Sequence, nfc};
use crate::progress::{Monitor, watcher};
use crate::rng::Seed;
use crate::{Fault, Result};

/// How long a call waits for other processes unless [`Ledger::waiting`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open ledger. It may be shared between threads; other processes may have the same file open.
pub struct Ledger {
    path: PathBuf,
    design: Design,
    key: Seed,
    chain: Chain,
    pub(super) inner: Mutex<Inner>,
    pub(super) process: u32,
    patience: Duration,
    monitor: Box<dyn Monitor + Send>,
    notes: Vec<String>,
}

pub(super) struct Inner {
    pub log: Box<dyn Log>,
    /// What the events say up to the last one that this handle has seen.
    state: Option<State>,
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
            // A forked child must not touch what the parent has open, not even to close it.
            self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).log.abandon();
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
        let ledger = Self::handle(path.as_ref(), design.clone(), key, chain, Access::Create)?;
        ledger.write_first(&record)?;
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
        ledger.settle()?;
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
        let log = log::open(path, access)?;
        Ok(Self {
            path: path.to_owned(),
            design,
            key,
            chain,
            inner: Mutex::new(Inner { log, state: None }),
            process: std::process::id(),
            patience: PATIENCE,
            monitor: Box::new(watcher()),
            notes: Vec::new(),
        })
    }

    /// Sees to how the log is kept, once it is known to be a ledger.
    fn settle(&mut self) -> Result<()> {
        let log = &mut self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).log;
        if log.reads() {
            self.notes.push("opened to be read only: nothing can be recorded".to_owned());
        }
        self.notes.extend(log.settle()?);
        Ok(())
    }

    fn write_first(&self, record: &Record) -> Result<()> {
        let body = record.body();
        let code = self.chain.code(&START, 0, &body);
        self.lock()?.log.make(&body, &code, &self.wait())
    }

    /// Reads the state as of now, in one view of the log.
    pub(super) fn read<T>(&self, work: impl FnOnce(&State, &dyn Log) -> Result<T>) -> Result<T> {
        let mut guard = self.lock()?;
        let Inner { log, state } = &mut *guard;
        if log.renew()? {
            *state = None;
        }
        log.begin(Turn::Read, &self.wait())?;
        let done =
            self.catch_up(log.as_ref(), state.take()).and_then(|now| Ok((work(&now, log.as_ref())?, now)));
        log.leave()?;
        let (value, now) = done?;
        *state = Some(now);
        Ok(value)
    }

    /// Reads every event anew, trusting nothing that this handle has seen before.
    pub(super) fn read_anew<T>(&self, work: impl FnOnce(&State, &dyn Log) -> Result<T>) -> Result<T> {
        self.lock()?.state = None;
        self.read(work)
    }

    /// Adds events: all that `work` writes, or nothing.
    pub(super) fn write<T>(&self, work: impl FnOnce(&mut Writer<'_>) -> Result<T>) -> Result<T> {
        let mut guard = self.lock()?;
        if guard.log.reads() {
            return Err(Fault::new("the ledger was opened to be read only; nothing was recorded")
                .remedy("Open it without read_only, as a user who may write to the file and its folder")
                .ledger());
        }
        let Inner { log, state: kept } = &mut *guard;
        log.begin(Turn::Write, &self.wait())?;
        // The state is taken out, so that whatever goes wrong the next call reads the file anew.
        let mut writer = match self.catch_up(log.as_ref(), kept.take()) {
            Ok(state) => Writer { chain: &self.chain, log: log.as_ref(), state, written: false },
            Err(error) => {
                log.roll_back();
                return Err(error);
            }
        };
        let done = work(&mut writer);
        let Writer { state, written, .. } = writer;
        let committed = match (&done, written) {
            (Ok(_), true) => log.commit(),
            _ => Ok(()),
        };
        log.roll_back();
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
        if guard.log.roll_back() {
            // A call was cut off in the middle.
            guard.state = None;
        }
        Ok(guard)
    }

    fn wait(&self) -> Wait<'_> {
        Wait { patience: self.patience, monitor: self.monitor.as_ref() }
    }

    /// Reads the events that came since `state`, or all of them, in a turn.
    fn catch_up(&self, log: &dyn Log, state: Option<State>) -> Result<State> {
        Reader::new(&self.chain, &self.key, state).run(log, self.monitor.as_ref())
    }
}

/// Adds events in a turn of writing.
pub(super) struct Writer<'a> {
    chain: &'a Chain,
    log: &'a dyn Log,
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
        self.log.append(number, &body, &code)?;
        Ok(Head { sequence: number, code })
    }

    /// The head as it was after an event that is in the log.
    pub fn head_at(&self, number: u64) -> Result<Head> {
        self.log.head_at(number)
    }
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
