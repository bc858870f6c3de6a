//! Checking a ledger: its chain, its rules, its draws, and its tail against a head that was lodged outside.

use serde::Serialize;

use super::chain::Head;
use super::log::at_event;
use super::store::Ledger;
use crate::{Fault, Result};

/// What a ledger was found to be. Whoever gets this has a ledger whose events are as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// The number of events.
    pub events: u64,
    /// The families enrolled, those that split off others not counted.
    pub families: usize,
    /// The children of all families.
    pub children: usize,
    /// The head as it is now.
    pub head: Head,
    /// The event up to which a lodged head vouches for the tail; nothing where none was given.
    pub tail: Option<u64>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Ledger {
    /// The state of the ledger now, to be lodged outside: with it, and only with it, a tail that is cut off later
    /// can be found.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together.
    pub fn head(&self) -> Result<Head> {
        self.read(|state, _| Ok(Head { sequence: state.next - 1, code: state.code }))
    }

    /// Reads the whole file anew: follows the chain, replays the rules, draws every arm again from design and key,
    /// and compares with a head that was lodged outside.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] that names the first event which is wrong, and what is wrong with it.
    pub fn verify(&self, head: Option<&Head>) -> Result<Verified> {
        self.read_anew(|state, log| {
            let last = state.next - 1;
            let mut notes = Vec::new();
            match head {
                None => notes.push(
                    "tail not checked: events cut off at the end are found only against the head of the last receipt"
                        .to_owned(),
                ),
                Some(head) if head.sequence > last => {
                    return Err(at_event(
                        last + 1,
                        None,
                        Fault::new(format!(
                            "the end of the ledger is cut off: the lodged head is that of event {}, and the last \
                             event in the file is {last}",
                            head.sequence
                        ))
                        .remedy(
                            "Keep the file for inspection; look for its -wal, which holds the latest events, and \
                             restore both from a copy",
                        )
                        .ledger(),
                    ));
                }
                Some(head) if log.head_at(head.sequence)? != *head => {
                    return Err(at_event(
                        head.sequence,
                        None,
                        Fault::new("it is not the event that the lodged head was given for")
                            .remedy(
                                "The head is another ledger's, or the chain was written anew by somebody who has \
                                 the key",
                            )
                            .ledger(),
                    ));
                }
                Some(head) if head.sequence < last => notes.push(format!(
                    "tail checked up to event {} of {last}: later events are whole, but more may have followed",
                    head.sequence
                )),
                Some(_) => {}
            }
            Ok(Verified {
                events: state.next,
                families: state.families.iter().filter(|family| family.origin.is_none()).count(),
                children: state.families.iter().map(|family| family.children.len()).sum(),
                head: Head { sequence: last, code: state.code },
                tail: head.map(|head| head.sequence),
                notes,
            })
        })
    }
}
