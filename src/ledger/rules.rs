//! What the rules of a trial do not allow, said before anything is changed.

use std::collections::BTreeSet;

use super::event::{Application, Event, Record, Signature};
use super::state::State;
use crate::design::{Noun, Nouns, Unit};
use crate::{Fault, Result};

pub(super) fn refuse<T>(problem: impl Into<String>, values: &[&str], remedy: &str) -> Result<T> {
    Err(Fault::new(problem).values(values.iter().copied()).remedy(remedy).ledger())
}

impl State {
    /// Refuses events out of order: in time, after the end, between an approval and its draw.
    pub(super) fn check_order(&self, record: &Record) -> Result<()> {
        let tolerance = i64::from(self.rules.clock_tolerance) * 1_000_000;
        if record.at.micros() < self.latest.micros() - tolerance {
            return Err(Fault::new(
                "the clock goes backwards: the event comes before the latest one in the ledger",
            )
            .values([format!("at {}", record.at), format!("latest {}", self.latest)])
            .remedy(
                "Correct the clock or the time; a ledger can be created with a tolerance (clock_tolerance), \
                     in seconds",
            )
            .ledger());
        }
        let drawing = matches!(record.event, Event::Drawn { .. });
        if drawing != self.approved.is_some() {
            return refuse(
                "an approval and its draw do not stand together",
                &[],
                "Restore the file from a copy",
            );
        }
        let after = matches!(record.event, Event::Withdrawn { .. } | Event::Excluded { .. });
        if let (Some(closed), false) = (self.closed, after) {
            return refuse(
                "the trial is closed",
                &[&closed.to_string()],
                "After its end only withdrawals and exclusions are recorded",
            );
        }
        if let Some(request) = &record.request
            && self.answers.contains_key(request)
        {
            return refuse("a request was recorded twice", &[request], "Restore the file from a copy");
        }
        Ok(())
    }

    /// Refuses an application that the design or the families so far do not allow.
    pub(super) fn check_application(&self, application: &Application) -> Result<()> {
        let family = &application.family;
        let Nouns { unit, member } = &self.nouns;
        if family.is_empty() {
            return refuse(format!("the {unit} has no identifier"), &[], "Give it one");
        }
        if application.approved_by.is_empty() {
            return refuse(
                format!("nobody approved {unit} '{family}'"),
                &[],
                "Say who did: approval is recorded before the arm is drawn",
            );
        }
        self.check_values("stratum", &application.stratum, self.design.strata_columns(), 0)?;
        let strata = self.design.strata_columns().len();
        self.check_values("factors", &application.factors, self.factor_columns(), strata)?;
        if let Some(&index) = self.by_id.get(family) {
            let known = &self.families[index];
            let fault = if known.stratum == application.stratum {
                let remedy = format!(
                    "Add {} who came later with add_child; they take the {unit}'s arm",
                    member.many()
                );
                Fault::new(format!("{unit} '{family}' is enrolled already"))
                    .values([format!("event {}", known.sequence)])
                    .remedy(remedy)
            } else {
                other_stratum(unit, family, &known.stratum, &application.stratum)
            };
            return Err(fault.column(self.unit_column()).ledger());
        }
        if matches!(self.design.unit(), Ok(Unit::Individual(_))) && !application.children.is_empty() {
            let (many, remedy) =
                (member.many(), "or create the ledger with a design that randomises clusters");
            return refuse(
                format!("the design randomises individuals, who have no {many} here"),
                &[family],
                &format!("Leave {many} out, {remedy}"),
            );
        }
        self.check_children(&application.children)
    }

    fn check_values(&self, what: &str, values: &[String], columns: &[String], offset: usize) -> Result<()> {
        if values.len() != columns.len() {
            return Err(Fault::new(format!("the {what} has {} values", values.len()))
                .values(values.iter().cloned())
                .remedy(format!("Give {}: {}", columns.len(), columns.join(", ")))
                .ledger());
        }
        for (place, (value, column)) in values.iter().zip(columns).enumerate() {
            let levels = self.rules.levels.get(offset + place);
            let unknown = levels.is_some_and(|levels| !levels.is_empty() && !levels.contains(value));
            if value.is_empty() || unknown {
                let known = levels.map_or_else(String::new, |levels| format!(": {}", levels.join(", ")));
                return Err(Fault::new(format!("'{}' is no value of {column}", crate::error::cut(value)))
                    .column(column)
                    .remedy(format!("Use one that the ledger was created with{known}"))
                    .ledger());
            }
        }
        Ok(())
    }

    pub(super) fn check_children(&self, children: &[String]) -> Result<()> {
        let Nouns { unit, member } = &self.nouns;
        if !children.is_empty() && matches!(self.design.unit(), Ok(Unit::Individual(_))) {
            let problem = format!("the design randomises individuals, who have no {} here", member.many());
            return refuse(problem, &[], "Enrol each");
        }
        let mut seen = BTreeSet::new();
        for child in children {
            if child.is_empty() {
                return refuse(
                    format!("{} has no identifier", member.a()),
                    &[],
                    &format!("Give every {member} one"),
                );
            }
            if !seen.insert(child) {
                return refuse(
                    format!("{member} '{child}' is named twice"),
                    &[],
                    &format!("Name every {member} once"),
                );
            }
            if let Some(&index) = self.child_of.get(child) {
                let family = &self.families[index];
                return refuse(
                    format!("{member} '{child}' is in the trial already, in {unit} '{}'", family.id),
                    &[],
                    &format!(
                        "Identifiers of {} must differ; {} that became one are recorded with merge",
                        member.many(),
                        unit.many()
                    ),
                );
            }
        }
        Ok(())
    }

    pub(super) fn refuse_gone(&self, index: usize) -> Result<()> {
        let family = &self.families[index];
        match family.merged {
            Some(into) => refuse(
                format!("{} '{}' was merged into '{}'", self.nouns.unit, family.id, self.families[into].id),
                &[],
                "Use the family that it is part of now",
            ),
            None => Ok(()),
        }
    }
}

/// Says that a family comes with another stratum than it was randomised in.
pub(super) fn other_stratum(unit: &Noun, id: &str, drawn: &[String], now: &[String]) -> Fault {
    Fault::new(format!("{unit} '{id}' was randomised in another stratum"))
        .values([format!("randomised in {}", drawn.join(" / ")), format!("now {}", now.join(" / "))])
        .remedy("The stratum at randomisation stands; keep the new value in a column of its own")
}

/// Refuses an entry that does not say who and why.
pub(super) fn check_reason(signature: &Signature) -> Result<()> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if given(&signature.by) && given(&signature.reason) {
        return Ok(());
    }
    refuse("this needs to say who and why", &[], "Give by and reason")
}
