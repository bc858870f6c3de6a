//! What happens to families after they were enrolled. No entry changes the arm that was drawn.

use super::enrol::{Placement, Receipt, answered, request_id};
use super::event::{Event, Record, Signature};
use super::rules::other_stratum;
use super::store::{Ledger, read_clock};
use super::time::When;
use crate::Result;
use crate::design::nfc;

/// Who makes an entry, why and when, built step by step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    by: Option<String>,
    reason: Option<String>,
    at: When,
    request: Option<String>,
}

impl Entry {
    /// An entry by this person.
    #[must_use]
    pub fn by(who: &str) -> Self {
        Self { by: Some(nfc(who)), ..Self::default() }
    }

    /// Why.
    #[must_use]
    pub fn reason(mut self, why: &str) -> Self {
        self.reason = Some(nfc(why));
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

    fn signature(&self) -> Signature {
        Signature { by: self.by.clone(), reason: self.reason.clone() }
    }
}

impl Ledger {
    /// Adds a child who came after the draw: it takes the family's arm and is marked as inherited. Nothing is drawn.
    ///
    /// `stratum`, where it is given, is compared with the one in which the family was randomised.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a family that is not enrolled, a child that is in the trial already, and another
    /// stratum.
    pub fn add_child(
        &self,
        family: &str,
        child: &str,
        stratum: Option<&[String]>,
        entry: &Entry,
    ) -> Result<Receipt> {
        let (family, child) = (nfc(family), nfc(child));
        if let Some(stratum) = stratum {
            let drawn = self.read(|state, _| Ok(state.family(&family)?.stratum.clone()))?;
            if stratum.iter().map(|value| nfc(value)).ne(drawn.iter().cloned()) {
                let unit = self.design().nouns().unit;
                return Err(other_stratum(&unit, &family, &drawn, stratum).ledger());
            }
        }
        let event = Event::Child { family: family.clone(), child, signature: entry.signature() };
        self.enter(event, entry, Some(&family))
    }

    /// Says that an arm is full, or no longer full.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a name that is no arm, and an arm that is so already.
    pub fn capacity(&self, arm: &str, full: bool, entry: &Entry) -> Result<Receipt> {
        self.enter(Event::Capacity { arm: nfc(arm), full, signature: entry.signature() }, entry, None)
    }

    /// Records that a family gets another arm's service than it drew; the arm drawn stays for intention to treat.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a family that is not enrolled, a name that is no arm, an arm that the family gets
    /// already, and an entry without person or reason.
    pub fn override_arm(&self, family: &str, delivered: &str, entry: &Entry) -> Result<Receipt> {
        let (family, delivered) = (nfc(family), nfc(delivered));
        self.enter(Event::Override { family, delivered, signature: entry.signature() }, entry, None)
    }

    /// Records that a family, or one of its children, left; `data` says whether what is known of them may be used.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a family or a child that is not enrolled, one that left already, and an entry
    /// without person or reason.
    pub fn withdraw(&self, family: &str, child: Option<&str>, data: bool, entry: &Entry) -> Result<Receipt> {
        let (family, child) = (nfc(family), child.map(nfc));
        self.enter(Event::Withdrawn { family, child, data, signature: entry.signature() }, entry, None)
    }

    /// Records that `family` became one with `into`. How both are analysed was fixed when the ledger was created.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for families that are not enrolled or were merged before, and an entry without person
    /// or reason.
    pub fn merge(&self, family: &str, into: &str, entry: &Entry) -> Result<Receipt> {
        let (family, into) = (nfc(family), nfc(into));
        self.enter(Event::Merged { family, into, signature: entry.signature() }, entry, None)
    }

    /// Records that some children of `family` became the family `into`, which keeps the arm and stays analysed with
    /// the family that was randomised.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a family that is not enrolled, an identifier that is taken, children of others,
    /// and an entry without person or reason.
    pub fn split<S: AsRef<str>>(
        &self,
        family: &str,
        into: &str,
        children: impl IntoIterator<Item = S>,
        entry: &Entry,
    ) -> Result<Receipt> {
        let (family, into) = (nfc(family), nfc(into));
        let children = children.into_iter().map(|child| nfc(child.as_ref())).collect();
        self.enter(Event::Split { family, into, children, signature: entry.signature() }, entry, None)
    }

    /// Leaves the outcome of a family, or of one of its children, out of the analysis.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a family or a child that is not enrolled or left out already, and an entry without
    /// person or reason.
    pub fn exclude(&self, family: &str, child: Option<&str>, entry: &Entry) -> Result<Receipt> {
        let (family, child) = (nfc(family), child.map(nfc));
        self.enter(Event::Excluded { family, child, signature: entry.signature() }, entry, None)
    }

    /// Ends the trial: nobody is enrolled any more, and frames may show blocks and conditional probabilities.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a trial that is closed already.
    pub fn close(&self, entry: &Entry) -> Result<Receipt> {
        self.enter(Event::Closed { signature: entry.signature() }, entry, None)
    }

    fn enter(&self, event: Event, entry: &Entry, place: Option<&str>) -> Result<Receipt> {
        self.write(|writer| {
            let record = Record { at: read_clock(entry.at)?, event, request: entry.request.clone() };
            let (sequence, again) = match answered(writer, &record)? {
                Some(sequence) => (sequence, true),
                None => (writer.append(&record, None)?.sequence, false),
            };
            let placement = place.map(|family| Placement::of(&writer.state, family)).transpose()?;
            Ok(Receipt { sequence, head: writer.head_at(sequence)?, placement, again })
        })
    }
}
