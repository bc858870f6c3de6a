//! The events of the log, read in their order along the chain.

use std::time::{Duration, Instant};

use super::chain::{Chain, START};
use super::event::{Event, Record};
use super::log::{Log, Stored, at_event, damaged};
use super::state::State;
use crate::design::Design;
use crate::progress::{Monitor, go_on};
use crate::rng::Seed;
use crate::{Fault, Result};

/// How long a ledger is read before whoever watches is asked whether to go on.
const LOOK: Duration = Duration::from_millis(10);

/// Follows the chain through the events of the log.
pub(super) struct Reader<'a> {
    chain: &'a Chain,
    key: &'a Seed,
    state: Option<State>,
    /// The number that the next event must have.
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

    /// Reads the events that came since, or all of them, in a turn.
    pub fn run(mut self, log: &dyn Log, monitor: &dyn Monitor) -> Result<State> {
        if self.state.is_none() {
            log.check()?;
        }
        let from = self.known;
        let mut asked = Instant::now();
        log.since(from, &mut |stored| {
            self.take(stored)?;
            if asked.elapsed() > LOOK {
                go_on(monitor)?;
                asked = Instant::now();
            }
            Ok(())
        })?;
        match self.state {
            Some(state) if self.next > from => Ok(state),
            _ => Err(damaged(from, "it is missing from the file, and so is all that came after it")),
        }
    }

    fn take(&mut self, stored: &Stored<'_>) -> Result<()> {
        let (expected, code) = (self.next, stored.code);
        if stored.number != Some(expected) {
            return Err(damaged(expected, "it is missing from the file"));
        }
        let Ok(body) = std::str::from_utf8(stored.body) else {
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
