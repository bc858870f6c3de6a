//! The events of a ledger, and the text in which they are kept and hashed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time::Time;
use crate::design::{Nouns, Wording};
use crate::json::canonical;
use crate::setters::setters;
use crate::words::words;
use crate::{Fault, Result};

/// The version of the file's events.
pub(super) const FORMAT: u32 = 1;

/// What happens to a family that comes while an arm is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Overflow {
    /// Enrolment pauses: the family is refused, which is recorded and counted, and nothing is drawn.
    #[default]
    Pause,
    /// The arm is drawn first. A family drawn for the full arm goes to the usual service outside the comparison, and
    /// the comparison leaves out every family that came while any arm was full, whichever arm it drew. What is
    /// compared is then confounded with calendar time where being full is.
    DrawFirst,
}

words!(
    @unserialised Overflow, "rule for families that come while an arm is full", as ledger,
    Pause => "pause",
    DrawFirst => "draw-first",
);

/// By which arm families that merge are analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Merged {
    /// Each stays analysed as it was randomised, in its own arm and as its own cluster.
    #[default]
    AsRandomised,
    /// They are analysed as one cluster, in the arm of the one that was enrolled first.
    Earliest,
}

words!(
    @unserialised Merged, "rule for families that merge", as ledger,
    AsRandomised => "as-randomised",
    Earliest => "earliest",
);

/// What is fixed when a ledger is created and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rules {
    /// What happens while an arm is full.
    pub overflow: Overflow,
    /// How families that merge are analysed.
    pub merged: Merged,
    /// How many seconds a time may lie before the latest one in the ledger; 0 by default.
    pub clock_tolerance: u32,
    /// The values that each column of strata and then of factors may take, in the order of the design's columns;
    /// an empty list takes any. Empty as a whole by default.
    pub levels: Vec<Vec<String>>,
}

setters!(Rules, overflow: plain(Overflow), merged: plain(Merged), clock_tolerance: plain(u32), levels: plain(Vec<Vec<String>>));

/// A family that is put forward for the trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Application {
    pub approved_by: String,
    pub children: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent: Option<String>,
    pub factors: Vec<String>,
    pub family: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proposed_by: Option<String>,
    pub stratum: Vec<String>,
}

/// Who made an entry, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signature {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Event {
    /// The ledger was made. The design is kept as the very text that its commitment hashes.
    Created {
        commitment: String,
        design: String,
        format: u32,
        id: String,
        rules: Rules,
        /// What the trial calls its families, children and arms, where it was declared.
        #[serde(skip_serializing_if = "Wording::is_empty", default)]
        wording: Wording,
    },
    /// A family was approved; its draw is the next event.
    Approved {
        #[serde(flatten)]
        application: Application,
    },
    /// The arm of the family approved just before.
    Drawn { family: String, arm: String },
    /// A family came while enrolment was paused.
    Refused {
        #[serde(flatten)]
        application: Application,
        full: Vec<String>,
    },
    /// A child joined a family and took its arm.
    Child {
        family: String,
        child: String,
        #[serde(flatten)]
        signature: Signature,
    },
    /// An arm is full, or no longer.
    Capacity {
        arm: String,
        full: bool,
        #[serde(flatten)]
        signature: Signature,
    },
    /// A family gets another arm's service than it drew.
    Override {
        family: String,
        delivered: String,
        #[serde(flatten)]
        signature: Signature,
    },
    /// A family or one of its children left; `data` says whether what is known of them may be used.
    Withdrawn {
        family: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        child: Option<String>,
        data: bool,
        #[serde(flatten)]
        signature: Signature,
    },
    /// A family became one with another.
    Merged {
        family: String,
        into: String,
        #[serde(flatten)]
        signature: Signature,
    },
    /// Some children of a family became a family of their own.
    Split {
        family: String,
        into: String,
        children: Vec<String>,
        #[serde(flatten)]
        signature: Signature,
    },
    /// The outcome of a family or of one of its children is left out.
    Excluded {
        family: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        child: Option<String>,
        #[serde(flatten)]
        signature: Signature,
    },
    /// The trial ended.
    Closed {
        #[serde(flatten)]
        signature: Signature,
    },
}

impl Event {
    /// What the event is called in messages.
    pub fn name(&self, nouns: &Nouns) -> String {
        let Nouns { unit, member } = nouns;
        match self {
            Self::Created { .. } => "creation of the ledger".into(),
            Self::Approved { application } => format!("approval of {unit} '{}'", application.family),
            Self::Drawn { family, .. } => format!("draw of {unit} '{family}'"),
            Self::Refused { application, .. } => {
                format!("refusal of {unit} '{}' at capacity", application.family)
            }
            Self::Child { child, family, .. } => format!("{member} '{child}' joining {unit} '{family}'"),
            Self::Capacity { arm, .. } => format!("capacity of arm '{arm}'"),
            Self::Override { family, .. } => format!("override for {unit} '{family}'"),
            Self::Withdrawn { family, .. } => format!("withdrawal of {unit} '{family}'"),
            Self::Merged { family, into, .. } => format!("merger of {unit} '{family}' into '{into}'"),
            Self::Split { family, .. } => format!("split of {unit} '{family}'"),
            Self::Excluded { family, .. } => format!("exclusion of {unit} '{family}'"),
            Self::Closed { .. } => "closing of the trial".into(),
        }
    }
}

/// An event with its time and the request that it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub at: Time,
    #[serde(flatten)]
    pub event: Event,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
}

impl Record {
    fn value(&self) -> Value {
        // Strings, lists and whole numbers are all there is, and every name is text.
        serde_json::to_value(self).unwrap_or_else(|_| unreachable!("an event is plain JSON"))
    }

    /// The text that is stored and hashed.
    pub fn body(&self) -> String {
        canonical(&self.value())
    }

    /// Reads a stored text.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for text that this version would not have written.
    pub fn read(body: &str) -> Result<Self> {
        let record: Option<Self> = serde_json::from_str(body).ok();
        record.filter(|record| record.body() == body).ok_or_else(|| {
            Fault::new("its text is none that this version of crewe writes")
                .remedy("Use the version of crewe that wrote the ledger")
                .ledger()
        })
    }

    /// What was asked for, whenever it was asked and however it was answered: two requests of one id must agree on it.
    pub fn asked(&self) -> String {
        let mut value = self.value();
        if let Value::Object(map) = &mut value {
            for name in ["at", "full", "request"] {
                // An arm that is full is part of what a capacity event says.
                if name != "full" || !matches!(self.event, Event::Capacity { .. }) {
                    map.remove(name);
                }
            }
            if matches!(self.event, Event::Approved { .. } | Event::Refused { .. }) {
                map.insert("kind".into(), "enrol".into());
            }
        }
        canonical(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application() -> Application {
        Application {
            approved_by: "Ann".into(),
            children: vec!["c1".into(), "c2".into()],
            consent: None,
            factors: vec![],
            family: "F1".into(),
            proposed_by: Some("Bob".into()),
            stratum: vec!["north".into()],
        }
    }

    #[test]
    fn events_are_canonical_text() -> Result<()> {
        let at: Time = "2017-03-01T09:30:00Z".parse()?;
        let approved =
            Record { at, event: Event::Approved { application: application() }, request: Some("r1".into()) };
        let body = "{\"approved_by\":\"Ann\",\"at\":\"2017-03-01T09:30:00.000000Z\",\"children\":[\"c1\",\"c2\"],\
                    \"factors\":[],\"family\":\"F1\",\"kind\":\"approved\",\"proposed_by\":\"Bob\",\
                    \"request\":\"r1\",\"stratum\":[\"north\"]}";
        assert_eq!(approved.body(), body);
        assert_eq!(Record::read(body)?, approved);
        for wrong in [
            body.replace("\"factors\":[],", ""),
            body.replace("\"factors\"", "\"extra\":1,\"factors\""),
            body.replace("\":[]", "\": []"),
            body.replace("00.000000Z", "00Z"),
            String::new(),
        ] {
            assert!(Record::read(&wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn a_request_is_known_by_what_it_asked() -> Result<()> {
        let at: Time = "2017-03-01T09:30:00Z".parse()?;
        let later: Time = "2017-03-02T09:30:00Z".parse()?;
        let record = |at, event| Record { at, event, request: Some("r".into()) };
        let approved = record(at, Event::Approved { application: application() });
        let refused =
            record(later, Event::Refused { application: application(), full: vec!["crewe".into()] });
        assert_eq!(approved.asked(), refused.asked());
        let signature = Signature { by: None, reason: None };
        let capacity = |full| {
            record(at, Event::Capacity { arm: "crewe".into(), full, signature: signature.clone() }).asked()
        };
        assert_ne!(capacity(true), capacity(false));
        Ok(())
    }
}
