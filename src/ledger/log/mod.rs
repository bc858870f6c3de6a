//! Where the events lie: what a ledger asks of whatever keeps them, and SQLite, which does.
//!
//! The handle ([`super::Ledger`]) knows the rules of the trial, its chain and its draw, and nothing of files; a [`Log`]
//! keeps numbered texts with their codes, and knows nothing of what they say. Whatever keeps them owes this:
//!
//! * **All or nothing.** What was appended since [`Log::begin`] is there after [`Log::commit`], on the disk, or none of it
//!   is, whenever the process dies.
//! * **One after the other.** Between the beginning of a turn and its end the events are those of one moment, and nobody
//!   else adds any to a log that is being written.
//! * **Where it is looked for.** It answers only for events that whoever opens the same path next will find.
//! * **As it was left.** A log that is only read is not written to, nor is anything beside it.
//!
//! It is a trait object, since a `Ledger` is one type whatever keeps its events, and a call that goes to the disk does not
//! feel it. Stored events are handed to a closure rather than given as an iterator, which would have to own the
//! statement that it borrows its rows from. Two things stay with the handle, because its lock is there. It refuses to
//! work in a process that was forked off before it touches the lock, which a thread may hold that does not exist in the
//! child; what such a process must leave alone is the log's own ([`Log::abandon`]). And it keeps the state of the trial,
//! which must be read anew where a turn was cut off ([`Log::roll_back`]) or the log was opened again ([`Log::renew`]).
//!
//! A second store is one file beside `sqlite/`, with its `mod` and its choice by the path in [`open`]. Messages of the
//! reader and of [`damaged`] name "the file and its -wal": each store then says in its own words what is to be restored.

mod sqlite;

use std::path::Path;
use std::time::Duration;

use super::chain::{Code, Head};
use crate::progress::Monitor;
use crate::{Error, Fault, Result};

/// What a ledger is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To be made.
    Create,
    /// To be written, or read where this user may not write.
    Write,
    /// To be read.
    Read,
}

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The events are looked at.
    Read,
    /// Events are added, by nobody else meanwhile.
    Write,
}

/// How long a call waits for other processes, and who may stop it.
pub(super) struct Wait<'a> {
    pub patience: Duration,
    pub monitor: &'a dyn Monitor,
}

/// An event as it is stored.
pub(super) struct Stored<'a> {
    /// Nothing where it is not a number that an event can have.
    pub number: Option<u64>,
    pub body: &'a [u8],
    pub code: &'a [u8],
}

/// The events of one ledger, open; used by one thread at a time.
pub(super) trait Log: Send {
    /// Whether it is only read.
    fn reads(&self) -> bool;

    /// Makes the log, where there is none yet, with its first event.
    ///
    /// # Errors
    /// [`Error::Ledger`] where something is there already, or it cannot be kept there.
    fn make(&mut self, body: &str, code: &Code, wait: &Wait<'_>) -> Result<()>;

    /// Puts right how the log is kept, once it is known to be a ledger, and gives what a reader should know of that.
    ///
    /// # Errors
    /// [`Error::Ledger`] where it cannot be put right.
    fn settle(&mut self) -> Result<Option<String>>;

    /// Opens a log that is only read again where it changed or was let go of, and says whether it did: what was read
    /// before then counts no longer.
    ///
    /// # Errors
    /// [`Error::Ledger`] where it cannot be opened any more.
    fn renew(&mut self) -> Result<bool>;

    /// Begins a turn, in which the events are those of this moment. None is open before, and none after an error.
    ///
    /// # Errors
    /// [`Error::Ledger`] where another process does not let go of the log, or another log stands at the path;
    /// [`Error::Interrupted`].
    fn begin(&mut self, turn: Turn, wait: &Wait<'_>) -> Result<()>;

    /// Refuses what is no ledger, or none of this version, or one whose tables were changed. In a turn.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    fn check(&self) -> Result<()>;

    /// Hands on the events from this number on, in their order. In a turn.
    ///
    /// # Errors
    /// [`Error::Ledger`] for what cannot be read or does not begin with event 0; the first error of `take`.
    fn since(&self, from: u64, take: &mut dyn FnMut(&Stored<'_>) -> Result<()>) -> Result<()>;

    /// The head as it was after an event that the chain was followed through. In a turn.
    ///
    /// # Errors
    /// [`Error::Ledger`] where it cannot be read.
    fn head_at(&self, number: u64) -> Result<Head>;

    /// Adds an event. In a turn of writing.
    ///
    /// # Errors
    /// [`Error::Ledger`] where it cannot be written.
    fn append(&self, number: u64, body: &str, code: &Code) -> Result<()>;

    /// Ends a turn of writing: the events are on the disk, in the log that is found at the path.
    ///
    /// # Errors
    /// [`Error::Ledger`] where they are not, or not there; the turn may still be open then.
    fn commit(&mut self) -> Result<()>;

    /// Ends a turn without a trace, and says whether one was open.
    fn roll_back(&mut self) -> bool;

    /// Ends a turn of reading.
    ///
    /// # Errors
    /// [`Error::Ledger`] where what was read may not have been of one moment.
    fn leave(&mut self) -> Result<()>;

    /// Lets go of everything without touching it, not even to close it: another process has it open.
    fn abandon(&mut self);

    /// Makes something go wrong.
    #[cfg(test)]
    fn meddle(&self, how: &str);
}

/// Opens the log at a path.
///
/// # Errors
/// [`Error::Ledger`] where that cannot be done.
pub(super) fn open(path: &Path, access: Access) -> Result<Box<dyn Log>> {
    Ok(Box::new(sqlite::Sqlite::open(path, access)?))
}

/// Says at which event something was found.
pub(super) fn at_event(number: u64, name: Option<&str>, error: Error) -> Error {
    let Some(fault) = error.fault() else { return error };
    let what = name.map_or_else(String::new, |name| format!(" ({name})"));
    let mut fault = fault.clone();
    fault.problem = format!("event {number}{what}: {}", fault.problem);
    fault.ledger()
}

/// An event that is not as it was written.
pub(super) fn damaged(number: u64, what: &str) -> Error {
    at_event(
        number,
        None,
        Fault::new(what)
            .remedy("Keep the file for inspection, and restore it and its -wal from a copy that verifies")
            .ledger(),
    )
}
