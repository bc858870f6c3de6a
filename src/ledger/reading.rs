//! The events of the file, read in their order along the chain.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::chain::{Chain, START};
use super::event::{Event, Record};
use super::schema::{self, sql};
use super::state::{State, at_event};
use crate::design::Design;
use crate::progress::{Monitor, go_on};
use crate::rng::Seed;
use crate::{Fault, Result};

/// How long a ledger is read before whoever watches is asked whether to go on.
const LOOK: Duration = Duration::from_millis(10);

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

/// Follows the chain through the rows of the file.
pub(super) struct Reader<'a> {
    chain: &'a Chain,
    key: &'a Seed,
    state: Option<State>,
    /// The number that the next row must have.
    next: u64,
    /// The number of the event that the state already holds, where there is one.
    known: u64,
}

impl<'a> Reader<'a> {
    /// After what is known already.
    pub fn new(chain: &'a Chain, key: &'a Seed, state: Option<State>) -> Self {
        // The last event that is known is read again: it must still be there.
        let from = state.as_ref().map_or(0, |state| state.next - 1);
        Self { chain, key, state, next: from, known: from }
    }

    /// Reads the events that came since, or all of them, inside a transaction.
    pub fn run(mut self, connection: &Connection, monitor: &dyn Monitor) -> Result<State> {
        if self.state.is_none() {
            schema::check(connection)?;
        }
        check_start(connection)?;
        let from = self.known;
        let mut statement = connection
            .prepare_cached("SELECT sequence, body, code FROM event WHERE sequence >= ?1 ORDER BY sequence")
            .map_err(|error| sql(&error))?;
        let mut rows = statement.query([from as i64]).map_err(|error| sql(&error))?;
        let mut asked = Instant::now();
        loop {
            if asked.elapsed() > LOOK {
                go_on(monitor)?;
                asked = Instant::now();
            }
            let row = rows.next().map_err(|error| at_event(self.next, None, sql(&error)))?;
            let Some(row) = row else { break };
            let number = row.get_ref(0).ok().and_then(|value| value.as_i64().ok());
            match (row.get_ref(1), row.get_ref(2)) {
                (Ok(ValueRef::Text(body)), Ok(ValueRef::Blob(code))) => self.take(number, body, code)?,
                _ => return Err(damaged(self.next, "its text or its code has another type")),
            }
        }
        match self.state {
            Some(state) if self.next > from => Ok(state),
            _ => Err(damaged(from, "it is missing from the file, and so is all that came after it")),
        }
    }

    fn take(&mut self, number: Option<i64>, body: &[u8], code: &[u8]) -> Result<()> {
        let expected = self.next;
        if number != i64::try_from(expected).ok() {
            return Err(damaged(expected, "it is missing from the file"));
        }
        let Ok(body) = std::str::from_utf8(body) else {
            return Err(damaged(expected, "its text is not UTF-8"));
        };
        self.next += 1;
        if let Some(state) = &mut self.state {
            if expected == self.known {
                let same = code == state.code;
                return if same {
                    Ok(())
                } else {
                    Err(damaged(expected, "it is not the event that was read before"))
                };
            }
            let previous = state.code;
            let due = self.chain.code(&previous, expected, body);
            if code != due {
                return Err(damaged(
                    expected,
                    "its text, its number or its place was changed: the code of the chain does not fit",
                ));
            }
            let record = Record::read(body).map_err(|error| at_event(expected, None, error))?;
            state
                .apply(&record, None)
                .map_err(|error| at_event(expected, Some(&record.event.name(&state.nouns)), error))?;
            state.code = due;
            return Ok(());
        }
        let due = self.chain.code(&START, 0, body);
        let fits = code == due;
        let record = Record::read(body);
        if !fits && !record.as_ref().is_ok_and(|record| self.has_key_of(record)) {
            return Err(Fault::new("the key is not the one that the ledger was created with")
                .remedy(
                    "Pass the key of this trial; if it is the right one, the first event, which holds the design \
                     and the commitment, was changed (event 0)",
                )
                .ledger());
        }
        if !fits {
            return Err(damaged(0, "the design, the commitment or the rules were changed"));
        }
        let record = record.map_err(|error| at_event(0, None, error))?;
        let mut state = State::new(&record, self.key).map_err(|error| at_event(0, None, error))?;
        state.code = due;
        self.state = Some(state);
        Ok(())
    }

    /// Whether the first event, though its code does not fit, holds the commitment to this key.
    fn has_key_of(&self, record: &Record) -> bool {
        let Event::Created { commitment, design, .. } = &record.event else { return false };
        Design::from_json(design)
            .and_then(|design| design.seed(self.key.clone()).commitment())
            .is_ok_and(|made| made.digest == *commitment)
    }
}

fn damaged(number: u64, what: &str) -> crate::Error {
    at_event(
        number,
        None,
        Fault::new(what)
            .remedy("Keep the file for inspection, and restore it and its -wal from a copy that verifies")
            .ledger(),
    )
}
