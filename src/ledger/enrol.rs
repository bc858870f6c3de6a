//! Enrolling a family: its approval is recorded, then its arm is drawn, and both are on the disk or neither.

use serde::Serialize;

use super::chain::Head;
use super::event::{self, Event, Record};
use super::state::State;
use super::store::{Ledger, Writer, read_clock};
use super::time::{Time, When};
use crate::design::{Noun, nfc};
use crate::{Error, Fault, Result};

/// A family put forward for the trial, built step by step.
///
/// Identifiers and values are brought to Unicode NFC. Use pseudonyms: what is recorded is never removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Application {
    family: String,
    children: Vec<String>,
    stratum: Vec<String>,
    factors: Vec<String>,
    approved_by: String,
    proposed_by: Option<String>,
    consent: Option<String>,
    at: When,
    request: Option<String>,
}

/// The id of a request; the empty one that a form sends where nothing was filled in names no request.
pub(super) fn request_id(id: &str) -> Option<String> {
    (!id.trim().is_empty()).then(|| nfc(id))
}

fn all<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Vec<String> {
    values.into_iter().map(|value| nfc(value.as_ref())).collect()
}

impl Application {
    /// An application for this family (or individual, where the design randomises individuals).
    #[must_use]
    pub fn new(family: &str) -> Self {
        Self { family: nfc(family), ..Self::default() }
    }

    /// The children known now; they may be none.
    #[must_use]
    pub fn children<S: AsRef<str>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.children = all(ids);
        self
    }

    /// The values of the design's strata, in its order.
    #[must_use]
    pub fn stratum<S: AsRef<str>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.stratum = all(values);
        self
    }

    /// The values of the procedure's factors, in its order ([`Ledger::factor_columns`]).
    #[must_use]
    pub fn factors<S: AsRef<str>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.factors = all(values);
        self
    }

    /// Who approved; needed.
    #[must_use]
    pub fn approved_by(mut self, who: &str) -> Self {
        self.approved_by = nfc(who);
        self
    }

    /// Who put the family forward.
    #[must_use]
    pub fn proposed_by(mut self, who: &str) -> Self {
        self.proposed_by = Some(nfc(who));
        self
    }

    /// How and when the family consented.
    #[must_use]
    pub fn consent(mut self, how: &str) -> Self {
        self.consent = Some(nfc(how));
        self
    }

    /// When; the moment of recording unless this says otherwise.
    #[must_use]
    pub fn at(mut self, when: impl Into<When>) -> Self {
        self.at = when.into();
        self
    }

    /// Names this request, so that a second try gives the first answer instead of an error; an empty id is none.
    #[must_use]
    pub fn request(mut self, id: &str) -> Self {
        self.request = request_id(id);
        self
    }

    fn recorded(&self) -> event::Application {
        event::Application {
            approved_by: self.approved_by.clone(),
            children: self.children.clone(),
            consent: self.consent.clone(),
            factors: self.factors.clone(),
            family: self.family.clone(),
            proposed_by: self.proposed_by.clone(),
            stratum: self.stratum.clone(),
        }
    }
}

/// What an entry is answered with, once it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The number of the last event that the request wrote.
    pub sequence: u64,
    /// The state of the ledger after it, to be lodged outside.
    pub head: Head,
    /// The arm and what it means, for a family enrolled or a child who joined it.
    pub placement: Option<Placement>,
    /// Whether the request had been answered before, and this is the first answer.
    pub again: bool,
}

/// Where a family is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Placement {
    /// The family.
    pub family: String,
    /// The arm that it drew.
    pub arm: String,
    /// Whether that arm was full: the family goes to the usual service, outside the comparison.
    pub overflow: bool,
    /// Whether it came while no arm was full, so that it is in the comparison.
    pub comparison: bool,
    /// When it was enrolled.
    pub enrolled: Time,
}

impl Placement {
    pub(super) fn of(state: &State, family: &str) -> Result<Self> {
        let family = state.family(family)?;
        Ok(Self {
            family: family.id.clone(),
            arm: state.arm_name(family.arm).to_owned(),
            overflow: family.overflow,
            comparison: !family.while_full,
            enrolled: family.enrolled,
        })
    }
}

impl Ledger {
    /// Enrols a family: records the approval, draws the arm, and returns when the disk has both.
    ///
    /// ```
    /// # use crewe::{design::{Design, Simple}, ledger::*, rng::Seed};
    /// # let path = std::env::temp_dir().join(format!("crewe-enrol-{}", std::process::id()));
    /// # let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("f").method(Simple {}).seed(Seed::new_key()?);
    /// # let ledger = Ledger::create(&path, &design, &Rules::default())?;
    /// let family = Application::new("F1").children(["C1"]).approved_by("A. Officer").request("web-17");
    /// let receipt = ledger.enrol(&family)?;
    /// let again = ledger.enrol(&family)?;
    /// assert!(again.again && again.placement == receipt.placement && again.head == receipt.head);
    /// # drop(ledger);
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Ledger`] for a family or a child that is enrolled already, a family that was randomised in another
    /// stratum, values that the ledger does not know, a time before the latest one, a closed trial, a request id
    /// used for something else, and (under [`event::Overflow::Pause`]) while an arm is full, which is recorded as a
    /// refusal; for a disk that does not take the event, when nothing is recorded.
    pub fn enrol(&self, application: &Application) -> Result<Receipt> {
        let answer = self.write(|writer| {
            let recorded = application.recorded();
            let mut record = Record {
                at: read_clock(application.at)?,
                event: Event::Approved { application: recorded.clone() },
                request: application.request.clone(),
            };
            if let Some(sequence) = answered(writer, &record)? {
                return answer(writer, &recorded.family, sequence, true);
            }
            if writer.state.paused() {
                let full = writer.state.full_arms();
                record.event = Event::Refused { application: recorded, full: full.clone() };
                writer.append(&record, None)?;
                return Ok(Err(full_fault(&full, &writer.state.nouns.unit)));
            }
            writer.append(&record, None)?;
            let drawn = writer.state.draw();
            let arm = drawn.as_ref().map_or("", |drawn| writer.state.arm_name(drawn.arm)).to_owned();
            let family = recorded.family;
            let event = Event::Drawn { family: family.clone(), arm };
            let head = writer.append(&Record { at: record.at, event, request: None }, drawn)?;
            answer(writer, &family, head.sequence, false)
        })?;
        // A refusal is on the disk by now.
        answer
    }

    /// The columns whose values every family must bring besides its strata, in order.
    ///
    /// # Errors
    /// [`Error::Ledger`] for a file that cannot be read.
    pub fn factor_columns(&self) -> Result<Vec<String>> {
        self.read(|state, _| Ok(state.factor_columns().to_vec()))
    }
}

/// The receipt of an enrolment, or the refusal that it met.
fn answer(writer: &Writer<'_>, family: &str, sequence: u64, again: bool) -> Result<Result<Receipt>> {
    // A request that was refused is refused again, whatever happened to the family later.
    let enrolled = writer.state.family(family).ok().filter(|family| family.sequence == sequence);
    if enrolled.is_none() {
        return Ok(Err(full_fault(&[], &writer.state.nouns.unit)));
    }
    let placement = Some(Placement::of(&writer.state, family)?);
    Ok(Ok(Receipt { sequence, head: writer.head_at(sequence)?, placement, again }))
}

fn full_fault(full: &[String], unit: &Noun) -> Error {
    Fault::new(format!(
        "enrolment is paused, since an arm is full; the {unit} was not enrolled, and the refusal is recorded"
    ))
    .values(full.iter().cloned())
    .remedy("Enrol it, with a new request id, once capacity says that the arm has room again")
    .ledger()
}

/// The event that answered this request before, if any.
pub(super) fn answered(writer: &Writer<'_>, record: &Record) -> Result<Option<u64>> {
    let Some(request) = &record.request else { return Ok(None) };
    match writer.state.answers.get(request) {
        None => Ok(None),
        Some(answer) if answer.asked == record.asked() => Ok(Some(answer.sequence)),
        Some(answer) => Err(Fault::new(format!(
            "request id '{}' was used for something else",
            crate::error::cut(request)
        ))
        .values([format!("event {}", answer.sequence)])
        .remedy("Give every request an id of its own, and repeat it only to repeat the very same request")
        .ledger()),
    }
}
