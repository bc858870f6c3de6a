//! What the events say together: the state of a trial after some of them.
//!
//! There is one way in, [`State::apply`], for events that are being written and for those that are read back. It
//! refuses what the rules of the trial do not allow before it changes anything, so that a ledger which its own
//! key-holder has rewritten against the rules does not verify either.

use std::collections::{BTreeSet, HashMap};

use super::chain::{Code, START};
use super::event::{Application, Event, Merged, Overflow, Record, Rules, Signature};
use super::rules::{check_reason, refuse};
use super::time::Time;
use crate::design::{Arrival, Block, Design, Drawn, Nouns, Sequence, Unit};
use crate::rng::Seed;
use crate::{Fault, Result};

/// A child of a family.
#[derive(Clone)]
pub(super) struct Child {
    pub id: String,
    /// Whether it came after the draw and took the family's arm.
    pub inherited: bool,
    /// Whether its data may be used, where it has left.
    pub withdrawn: Option<bool>,
    pub excluded: Option<String>,
}

/// A family that was enrolled, or that split off one.
pub(super) struct Family {
    pub id: String,
    pub stratum: Vec<String>,
    pub factors: Vec<String>,
    pub children: Vec<Child>,
    pub arm: u8,
    /// The arm delivered in place of the one drawn.
    pub delivered: Option<u8>,
    /// Whether the arm it drew was full.
    pub overflow: bool,
    /// Whether any arm was full when it came.
    pub while_full: bool,
    pub enrolled: Time,
    /// The number of the event that drew its arm or split it off.
    pub sequence: u64,
    /// The probability of each arm when it was drawn.
    pub conditional: Vec<f64>,
    pub block: Option<Block>,
    pub withdrawn: Option<bool>,
    pub excluded: Option<String>,
    /// The family into which it was merged.
    pub merged: Option<usize>,
    /// The family as which it is analysed, an earlier one; itself where there is none.
    pub lead: Option<usize>,
    /// The family that it split off, whose arm it has.
    pub origin: Option<usize>,
    /// Whether children of it became a family of their own.
    pub parted: bool,
}

/// A family that came while enrolment was paused.
pub(super) struct Refusal {
    pub family: String,
    pub children: usize,
}

/// How a request was answered.
pub(super) struct Answer {
    pub asked: String,
    /// The last event that it wrote.
    pub sequence: u64,
}

/// What the events so far say.
pub(super) struct State {
    pub design: Design,
    /// What the trial calls its families and children.
    pub nouns: Nouns,
    pub rules: Rules,
    /// The number of the next event.
    pub next: u64,
    /// The code of the last event.
    pub code: Code,
    /// The latest time so far.
    pub latest: Time,
    pub families: Vec<Family>,
    pub(super) by_id: HashMap<String, usize>,
    /// The family of every child.
    pub(super) child_of: HashMap<String, usize>,
    pub full: Vec<bool>,
    /// How often an arm became full.
    pub pauses: usize,
    pub refusals: Vec<Refusal>,
    pub answers: HashMap<String, Answer>,
    pub closed: Option<Time>,
    pub(super) approved: Option<(Application, Time)>,
    sequence: Sequence,
}

impl State {
    /// The state after the first event.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for an event that does not create a ledger, or for another design or key;
    /// [`crate::Error::Design`] for a procedure that needs the whole list of units.
    pub fn new(record: &Record, key: &Seed) -> Result<Self> {
        let Event::Created { commitment, design, format, rules, wording, .. } = &record.event else {
            return refuse("it does not create a ledger", &[], "Restore the file from a copy");
        };
        if *format != super::event::FORMAT {
            return refuse(
                "the ledger has another format",
                &[&format.to_string()],
                "Use the version of crewe that wrote it",
            );
        }
        let design = Design::from_json(design)?.seed(key.clone()).worded(wording.clone());
        if design.commitment()?.digest != *commitment {
            return refuse(
                "the commitment is not that of the design and the key",
                &[commitment],
                "Pass the key that the ledger was created with",
            );
        }
        let sequence = Sequence::new(&design, key)?;
        let columns = design.strata_columns().len() + sequence.factor_columns().len();
        if !rules.levels.is_empty() && rules.levels.len() != columns {
            return refuse(
                format!("levels are given for {} columns", rules.levels.len()),
                &[],
                &format!("Give one list for each of the {columns} columns of strata and factors, or none"),
            );
        }
        Ok(Self {
            full: vec![false; design.arms().len()],
            nouns: design.nouns(),
            design,
            rules: rules.clone(),
            next: 1,
            code: START,
            latest: record.at,
            families: Vec::new(),
            by_id: HashMap::new(),
            child_of: HashMap::new(),
            pauses: 0,
            refusals: Vec::new(),
            answers: HashMap::new(),
            closed: None,
            approved: None,
            sequence,
        })
    }

    /// The columns of the procedure's factors.
    pub fn factor_columns(&self) -> &[String] {
        self.sequence.factor_columns()
    }

    /// The family of this id.
    pub fn family(&self, id: &str) -> Result<&Family> {
        self.index(id).map(|at| &self.families[at])
    }

    pub(super) fn index(&self, id: &str) -> Result<usize> {
        self.by_id.get(id).copied().ok_or_else(|| {
            let unit = &self.nouns.unit;
            Fault::new(format!("no {unit} '{}' is in the ledger", crate::error::cut(id)))
                .column(self.unit_column())
                .remedy(format!("Check the identifier, or enrol the {unit} first"))
                .ledger()
        })
    }

    pub(super) fn unit_column(&self) -> &str {
        self.design.unit().map_or("", Unit::column)
    }

    fn arm(&self, name: &str) -> Result<u8> {
        let names = self.design.arm_names();
        names.iter().position(|arm| arm == name).map(|arm| arm as u8).ok_or_else(|| {
            Fault::new(format!("'{}' is no arm of the trial", crate::error::cut(name)))
                .values(names)
                .remedy("Use the name that the design gives it")
                .ledger()
        })
    }

    /// The name of an arm.
    pub fn arm_name(&self, arm: u8) -> &str {
        &self.design.arms()[usize::from(arm)].name
    }

    /// The names of the arms that are full.
    pub fn full_arms(&self) -> Vec<String> {
        self.design
            .arm_names()
            .into_iter()
            .zip(&self.full)
            .filter(|(_, full)| **full)
            .map(|(n, _)| n)
            .collect()
    }

    /// Whether enrolment pauses.
    pub fn paused(&self) -> bool {
        self.rules.overflow == Overflow::Pause && self.full.contains(&true)
    }

    /// The family as which a family is analysed.
    pub fn lead(&self, mut family: usize) -> usize {
        // Every link leads to an earlier family.
        while let Some(earlier) = self.families[family].lead {
            family = earlier;
        }
        family
    }

    /// The family that was randomised, which is not this one where it split off.
    pub fn randomised(&self, mut family: usize) -> usize {
        while let Some(origin) = self.families[family].origin {
            family = origin;
        }
        family
    }

    /// Draws the arm of the family that is approved, which must be recorded next.
    pub fn draw(&mut self) -> Option<Drawn> {
        let (application, _) = self.approved.as_ref()?;
        Some(
            self.sequence.allocate(&Arrival { stratum: &application.stratum, factors: &application.factors }),
        )
    }

    /// Takes event `self.next` in, or refuses it without having changed anything that matters.
    ///
    /// `drawn` is the arm that was just drawn; for an event that is read back it is drawn again here.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for what the rules of the trial do not allow.
    pub fn apply(&mut self, record: &Record, drawn: Option<Drawn>) -> Result<()> {
        self.check_order(record)?;
        let at = record.at;
        match &record.event {
            Event::Created { .. } => return refuse("the ledger exists already", &[], "Restore the file"),
            Event::Approved { application } => {
                self.check_application(application)?;
                if self.paused() {
                    return refuse(
                        format!("{} was approved while enrolment was paused", self.nouns.unit.a()),
                        &[&application.family],
                        "Wait until the arm has room again",
                    );
                }
                self.approved = Some((application.clone(), at));
            }
            Event::Drawn { family, arm } => self.enrol(family, arm, drawn)?,
            Event::Refused { application, full } => {
                self.check_application(application)?;
                if !self.paused() || *full != self.full_arms() {
                    return refuse(
                        format!("{} was refused though no arm, or another, was full", self.nouns.unit.a()),
                        &[&application.family],
                        "Restore the file from a copy",
                    );
                }
                let (family, children) = (application.family.clone(), application.children.len());
                self.refusals.push(Refusal { family, children });
            }
            Event::Child { family, child, .. } => {
                self.check_children(std::slice::from_ref(child))?;
                let index = self.index(family)?;
                self.refuse_gone(index)?;
                self.child_of.insert(child.clone(), index);
                let child = Child { id: child.clone(), inherited: true, withdrawn: None, excluded: None };
                self.families[index].children.push(child);
            }
            Event::Capacity { arm, full, .. } => {
                let index = usize::from(self.arm(arm)?);
                if self.full[index] == *full {
                    let told = if *full { "already full" } else { "not full" };
                    return refuse(format!("the arm '{arm}' is {told}"), &[], "Nothing needs to be recorded");
                }
                self.full[index] = *full;
                self.pauses += usize::from(*full);
            }
            Event::Override { family, delivered, signature } => {
                let (index, arm) = (self.index(family)?, self.arm(delivered)?);
                check_reason(signature)?;
                let family = &mut self.families[index];
                // Families of an overflow get the usual service, which is no arm.
                if family.delivered.or((!family.overflow).then_some(family.arm)) == Some(arm) {
                    return refuse(
                        format!("the {} gets the arm '{delivered}' already", self.nouns.unit),
                        &[&family.id],
                        "Nothing needs to be recorded; an override names another arm",
                    );
                }
                family.delivered = Some(arm);
            }
            Event::Withdrawn { family, child, data, signature } => {
                check_reason(signature)?;
                let slot = self.slot(family, child.as_deref())?;
                if slot.withdrawn.is_some() {
                    return refuse(
                        "the withdrawal is recorded already",
                        &[family],
                        "Nothing needs to be done",
                    );
                }
                *slot.withdrawn = Some(*data);
            }
            Event::Excluded { family, child, signature } => {
                check_reason(signature)?;
                let slot = self.slot(family, child.as_deref())?;
                if slot.excluded.is_some() {
                    return refuse(
                        "the exclusion is recorded already",
                        &[family],
                        "Nothing needs to be done",
                    );
                }
                slot.excluded.clone_from(&signature.reason);
            }
            Event::Merged { family, into, signature } => self.merge(family, into, signature)?,
            Event::Split { family, into, children, signature } => {
                self.split(family, into, children, signature, at)?;
            }
            Event::Closed { .. } => self.closed = Some(at),
        }
        self.latest = self.latest.max(at);
        if let Some(request) = &record.request {
            // The answer to an enrolment is its draw, which comes next.
            let drawn_next = u64::from(matches!(record.event, Event::Approved { .. }));
            let answer = Answer { asked: record.asked(), sequence: self.next + drawn_next };
            self.answers.insert(request.clone(), answer);
        }
        self.next += 1;
        Ok(())
    }

    fn enrol(&mut self, family: &str, arm: &str, drawn: Option<Drawn>) -> Result<()> {
        let recorded = self.arm(arm)?;
        if self.approved.as_ref().is_none_or(|(application, _)| application.family != family) {
            return refuse(
                format!("the arm is drawn for another {} than was approved", self.nouns.unit),
                &[family],
                "Restore the file from a copy",
            );
        }
        let Some(drawn) = drawn.or_else(|| self.draw()) else {
            let unit = &self.nouns.unit;
            return refuse(format!("no {unit} is approved"), &[family], "Restore the file from a copy");
        };
        if drawn.arm != recorded {
            return refuse(
                "the arm recorded is not the one that the key draws",
                &[&format!("recorded {arm}"), &format!("drawn {}", self.arm_name(drawn.arm))],
                "The ledger was not written by crewe from this key: keep the file and ask who changed it",
            );
        }
        // Checked above: there is an approval.
        let Some((application, at)) = self.approved.take() else { return Ok(()) };
        let children = application.children.iter().map(|id| Child {
            id: id.clone(),
            inherited: false,
            withdrawn: None,
            excluded: None,
        });
        let index = self.families.len();
        self.child_of.extend(application.children.iter().map(|id| (id.clone(), index)));
        self.by_id.insert(application.family.clone(), index);
        self.families.push(Family {
            children: children.collect(),
            id: application.family,
            stratum: application.stratum,
            factors: application.factors,
            arm: drawn.arm,
            delivered: None,
            overflow: self.full[usize::from(drawn.arm)],
            while_full: self.full.contains(&true),
            enrolled: at,
            sequence: self.next,
            conditional: drawn.probability,
            block: drawn.block,
            withdrawn: None,
            excluded: None,
            merged: None,
            lead: None,
            origin: None,
            parted: false,
        });
        Ok(())
    }

    fn merge(&mut self, family: &str, into: &str, signature: &Signature) -> Result<()> {
        check_reason(signature)?;
        let (gone, kept) = (self.index(family)?, self.index(into)?);
        if gone == kept {
            let unit = &self.nouns.unit;
            return refuse(
                format!("{} cannot be merged into itself", unit.a()),
                &[family],
                &format!("Name two {}", unit.many()),
            );
        }
        self.refuse_gone(gone)?;
        self.refuse_gone(kept)?;
        self.families[gone].merged = Some(kept);
        if self.rules.merged == Merged::Earliest {
            let (a, b) = (self.lead(gone), self.lead(kept));
            if a != b {
                // Families stand in the order of their enrolment.
                self.families[a.max(b)].lead = Some(a.min(b));
            }
        }
        Ok(())
    }

    fn split(
        &mut self,
        family: &str,
        into: &str,
        children: &[String],
        signature: &Signature,
        at: Time,
    ) -> Result<()> {
        check_reason(signature)?;
        let index = self.index(family)?;
        self.refuse_gone(index)?;
        if into.is_empty() || self.by_id.contains_key(into) {
            return refuse(
                format!("'{into}' cannot be the new {}'s identifier", self.nouns.unit),
                &[],
                "Give one that is not in the ledger yet",
            );
        }
        let own: BTreeSet<&str> = self.families[index].children.iter().map(|c| c.id.as_str()).collect();
        let moving: BTreeSet<&str> = children.iter().map(String::as_str).collect();
        if moving.is_empty() || moving.len() < children.len() || !moving.is_subset(&own) {
            let Nouns { unit, member } = &self.nouns;
            let strangers: Vec<&str> = moving.difference(&own).copied().collect();
            return refuse(
                format!("these are not {} of {unit} '{family}' who could move", member.many()),
                &strangers,
                &format!("Name at least one {member} of the {unit}, each once"),
            );
        }
        let new = self.families.len();
        let old = &mut self.families[index];
        let (moved, stay) =
            std::mem::take(&mut old.children).into_iter().partition(|child| children.contains(&child.id));
        old.children = stay;
        old.parted = true;
        let made = Family {
            id: into.to_owned(),
            stratum: old.stratum.clone(),
            factors: old.factors.clone(),
            children: moved,
            arm: old.arm,
            delivered: old.delivered,
            overflow: old.overflow,
            while_full: old.while_full,
            enrolled: at,
            sequence: self.next,
            conditional: old.conditional.clone(),
            block: old.block,
            withdrawn: old.withdrawn,
            excluded: old.excluded.clone(),
            merged: None,
            lead: Some(index),
            origin: Some(index),
            parted: false,
        };
        for child in children {
            self.child_of.insert(child.clone(), new);
        }
        self.by_id.insert(into.to_owned(), new);
        self.families.push(made);
        Ok(())
    }

    /// What is said of a family's, or of one of its children's, withdrawal and exclusion.
    fn slot(&mut self, family: &str, child: Option<&str>) -> Result<Slot<'_>> {
        let index = self.index(family)?;
        let Nouns { unit, member } = &self.nouns;
        let family = &mut self.families[index];
        let Some(id) = child else {
            return Ok(Slot { withdrawn: &mut family.withdrawn, excluded: &mut family.excluded });
        };
        let name = &family.id;
        match family.children.iter_mut().find(|child| child.id == id) {
            Some(child) => Ok(Slot { withdrawn: &mut child.withdrawn, excluded: &mut child.excluded }),
            None => refuse(
                format!("'{}' is no {member} of {unit} '{name}'", crate::error::cut(id)),
                &[],
                "Check both identifiers",
            ),
        }
    }
}

struct Slot<'a> {
    withdrawn: &'a mut Option<bool>,
    excluded: &'a mut Option<String>,
}
