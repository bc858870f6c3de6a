//! The rows of an analysis: who was enrolled, what they drew, what they got, and whether they are compared.

use serde::Serialize;

use super::event::Overflow;
use super::state::{Child, Family, State};
use super::store::Ledger;
use super::time::Time;
use crate::Result;
use crate::design::Block;

/// Why a row is not in the comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub enum Left {
    /// The arm it drew was full, so it went to the usual service.
    Overflow,
    /// It came while another arm was full.
    WhileFull,
    /// It withdrew, and what is known of it may not be used.
    Withdrawn,
    /// Its outcome is left out, for this reason.
    Excluded(String),
}

impl Left {
    /// In words, for tables and figures.
    pub fn words(&self) -> String {
        match self {
            Self::Overflow => "overflow: its arm was full, usual service".into(),
            Self::WhileFull => "arrived while an arm was full".into(),
            Self::Withdrawn => "withdrew, data may not be used".into(),
            Self::Excluded(reason) => format!("outcome excluded: {reason}"),
        }
    }
}

/// One child, or one family that has no children in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The family that the child is in now, or the individual.
    pub family: String,
    /// The child.
    pub child: Option<String>,
    /// The stratum at randomisation, one value for each column of the design.
    pub stratum: Vec<String>,
    /// The factors at randomisation, one value for each column of the procedure.
    pub factors: Vec<String>,
    /// The arm by which it is analysed, an index into the arms of the design: the one drawn, unless families that
    /// merged are analysed as the earliest.
    pub arm: u8,
    /// The arm drawn for its family.
    pub drawn: u8,
    /// The arm delivered: the one drawn, or that of an override; nothing for the usual service of an overflow family.
    pub delivered: Option<u8>,
    /// The unit of analysis: the family that was randomised, or the earliest of those that merged.
    pub analysed_as: String,
    /// The family that was randomised: its own, or the one that it split off.
    pub randomised: String,
    /// Why it is not in the comparison; nothing where it is.
    pub left: Option<Left>,
    /// In words: enrolled, withdrawn, or why it is not in the comparison.
    pub status: String,
    /// Whether it came after the draw and took the family's arm.
    pub inherited: bool,
    /// When the family was enrolled.
    pub enrolled: Time,
    /// The number of the event that drew the family's arm.
    pub sequence: u64,
    /// The marginal probability of the arm drawn, its share of the ratio.
    pub probability: f64,
    /// Once the trial is closed: the probability of the arm drawn at that moment, given all before it.
    pub conditional: Option<f64>,
    /// Once the trial is closed: its place in blocks.
    pub block: Option<Block>,
}

impl Ledger {
    /// One row a child, in the order of enrolment; a family without children has one row.
    ///
    /// Until the trial is closed no row shows a block, a block's size or a conditional probability, since the end of
    /// a block tells the next arm.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together.
    pub fn frame(&self) -> Result<Vec<Row>> {
        self.read(|state, _| Ok(rows(state)))
    }

    /// What a reader of the frame and the flow should know.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together.
    pub fn frame_notes(&self) -> Result<Vec<String>> {
        self.read(|state, _| Ok(notes(state)))
    }

    /// Whether the trial is closed.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together.
    pub fn is_closed(&self) -> Result<bool> {
        self.read(|state, _| Ok(state.closed.is_some()))
    }

    /// The names of the arms that are full.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together.
    pub fn full(&self) -> Result<Vec<String>> {
        self.read(|state, _| Ok(state.full_arms()))
    }
}

pub(super) fn rows(state: &State) -> Vec<Row> {
    let ratio = state.design.ratio();
    let mut rows = Vec::new();
    for (index, family) in state.families.iter().enumerate() {
        let lead = &state.families[state.lead(index)];
        let row = |child: Option<&Child>| {
            let left = left(family, child);
            Row {
                family: family.id.clone(),
                child: child.map(|child| child.id.clone()),
                stratum: family.stratum.clone(),
                factors: family.factors.clone(),
                arm: lead.arm,
                drawn: family.arm,
                delivered: family.delivered.or((!family.overflow).then_some(family.arm)),
                analysed_as: lead.id.clone(),
                randomised: state.families[state.randomised(index)].id.clone(),
                status: left.as_ref().map_or_else(|| status(family, child), Left::words),
                left,
                inherited: child.is_some_and(|child| child.inherited),
                enrolled: family.enrolled,
                sequence: family.sequence,
                probability: ratio.shares[usize::from(family.arm)] as f64 / ratio.total as f64,
                conditional: state.closed.map(|_| family.conditional[usize::from(family.arm)]),
                block: state.closed.and(family.block),
            }
        };
        if family.children.is_empty() && family.origin.is_none() && !family.parted {
            rows.push(row(None));
        }
        rows.extend(family.children.iter().map(|child| row(Some(child))));
    }
    rows
}

fn left(family: &Family, child: Option<&Child>) -> Option<Left> {
    if family.overflow {
        return Some(Left::Overflow);
    }
    if family.while_full {
        return Some(Left::WhileFull);
    }
    let withdrawn = |data: Option<bool>| data == Some(false);
    if withdrawn(family.withdrawn) || child.is_some_and(|child| withdrawn(child.withdrawn)) {
        return Some(Left::Withdrawn);
    }
    family.excluded.clone().or_else(|| child.and_then(|child| child.excluded.clone())).map(Left::Excluded)
}

fn status(family: &Family, child: Option<&Child>) -> String {
    let withdrawn = family.withdrawn.or(child.and_then(|child| child.withdrawn));
    if withdrawn.is_some() { "withdrew, data may be used" } else { "enrolled" }.to_owned()
}

pub(super) fn notes(state: &State) -> Vec<String> {
    let unit = &state.nouns.unit;
    let mut notes = Vec::new();
    let outside = state.families.iter().filter(|family| family.while_full && family.origin.is_none()).count();
    if outside > 0 {
        notes.push(format!(
            "{} arrived while an arm was full and are not in the comparison, whichever arm they drew: \
             what is compared is confounded with calendar time where being full is",
            unit.count(outside)
        ));
    }
    if state.pauses > 0 {
        let times = if state.pauses == 1 { "once".to_owned() } else { format!("{} times", state.pauses) };
        let paused = if state.rules.overflow == Overflow::Pause { ", and enrolment paused" } else { "" };
        notes.push(format!(
            "an arm became full {times}{paused}: a randomisation test that replays these arrivals is exact only if \
             that would have been the same under every assignment"
        ));
    }
    let merged = state.families.iter().filter(|family| family.merged.is_some()).count();
    if merged > 0 {
        let rule = match state.rules.merged {
            super::Merged::AsRandomised => "each is analysed as it was randomised",
            super::Merged::Earliest => "they are analysed in the arm of the one enrolled first",
        };
        notes.push(format!(
            "{} {} merged into others; {rule}",
            unit.count(merged),
            if merged == 1 { "was" } else { "were" }
        ));
    }
    if state.closed.is_none() {
        notes.push(format!("the trial is not closed: more {} may come", unit.many()));
    }
    notes
}
