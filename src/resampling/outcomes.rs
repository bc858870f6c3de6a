//! The outcomes of a trial's rows, matched to the units that were randomised.

use serde::Serialize;

use crate::design::{Assignment, LEFT_OUT, Unit};
use crate::inference::check_units_by_arm;
use crate::ties::Sameness;
use crate::{Fault, Result};

/// Outcomes by row, and the unit of each row.
///
/// ```
/// use crewe::resampling::Outcomes;
/// // Four children of three families; the second child was not measured.
/// let scores = Outcomes::new("score", &[3.0, f64::NAN, 5.0, 4.0], &[0, 0, 1, 2], 3)?;
/// assert_eq!((scores.units(), scores.values().len()), (3, 4));
/// assert!(Outcomes::new("score", &[3.0], &[7], 3).is_err());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcomes {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
    pub(super) unit: Vec<u32>,
    pub(super) units: usize,
    pub(super) compared: Option<Vec<bool>>,
}

impl Outcomes {
    /// Outcomes by row (NaN where missing), the unit of each row among `units` units.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for columns of different lengths, infinite values, units that do not exist, and where
    /// no outcome is observed.
    pub fn new(name: &str, values: &[f64], unit: &[u32], units: usize) -> Result<Self> {
        let fault = |problem: &str| Fault::new(problem).column(name);
        if values.len() != unit.len() {
            return Err(fault("the outcomes and the units have different numbers of rows")
                .values([values.len().to_string(), unit.len().to_string()])
                .remedy("Pass columns of one data frame")
                .input());
        }
        let infinite: Vec<usize> = (0..values.len()).filter(|&row| values[row].is_infinite()).collect();
        if !infinite.is_empty() {
            return Err(fault("outcomes are infinite")
                .rows(infinite)
                .remedy("Correct them, or mark them as missing")
                .input());
        }
        let strangers: Vec<usize> = (0..unit.len()).filter(|&row| unit[row] as usize >= units).collect();
        if !strangers.is_empty() {
            return Err(fault("rows belong to units that were not randomised")
                .rows(strangers)
                .remedy("Match the rows to the assignment first")
                .design());
        }
        if values.iter().all(|value| value.is_nan()) {
            return Err(fault("no outcome is observed").remedy("Check the column").input());
        }
        Ok(Self { name: name.into(), values: values.to_vec(), unit: unit.to_vec(), units, compared: None })
    }

    /// The outcome's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One value a row; NaN where it is missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The unit of each row, an index into the units of the trial.
    pub fn unit(&self) -> &[u32] {
        &self.unit
    }

    /// The number of units randomised, with or without rows.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Whether each unit takes part in the comparison; all do where this is nothing. The others are drawn again with
    /// all units, and count for nothing.
    pub fn compared(&self) -> Option<&[bool]> {
        self.compared.as_deref()
    }

    /// Takes only some units into the comparison, as where families arrived while an arm was full.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of units, and where no outcome is left.
    pub fn comparing(mut self, compared: &[bool]) -> Result<Self> {
        if compared.len() != self.units {
            return Err(Fault::new("the comparison does not say of every unit whether it takes part")
                .values([self.units.to_string(), compared.len().to_string()])
                .remedy("Give one entry for each unit")
                .input());
        }
        self.compared = Some(compared.to_vec());
        if self.rows().next().is_none() {
            return Err(Fault::new("no unit of the comparison has an outcome")
                .column(&self.name)
                .remedy("Check which units take part")
                .input());
        }
        Ok(self)
    }

    /// The rows that count: observed, of units that take part.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.values.len()).filter(|&row| {
            let part = self.compared.as_ref().is_none_or(|compared| compared[self.unit[row] as usize]);
            part && !self.values[row].is_nan()
        })
    }

    /// The number of rows that count for each unit.
    pub(super) fn counts(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.units];
        for row in self.rows() {
            counts[self.unit[row] as usize] += 1.0;
        }
        counts
    }

    /// The outcomes less `effect` in the rows whose unit is `treated`; those that do not count are NaN.
    pub(super) fn without_effect(&self, effect: f64, treated: &[bool]) -> Vec<f64> {
        let mut values = vec![f64::NAN; self.values.len()];
        for row in self.rows() {
            let shift = if treated[self.unit[row] as usize] { effect } else { 0.0 };
            values[row] = self.values[row] - shift;
        }
        values
    }

    /// Whether every outcome that counts is 0 or 1.
    pub(super) fn binary(&self) -> bool {
        self.rows().all(|row| self.values[row] == 0.0 || self.values[row] == 1.0)
    }

    /// The standard deviation of the outcomes that count; where they do not vary, their size or 1.
    pub(super) fn spread(&self) -> f64 {
        let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for row in self.rows() {
            n += 1.0;
            let apart = self.values[row] - mean;
            mean += apart / n;
            squares += apart * (self.values[row] - mean);
        }
        let spread = (squares / f64::max(n - 1.0, 1.0)).sqrt();
        let rule = Sameness::of(&self.values);
        let varies = rule.varies(self.rows().map(|row| self.values[row]));
        if varies && spread > 0.0 { spread } else { f64::max(mean.abs(), 1.0) }
    }
}

/// The units with outcomes of every arm.
fn units_by_arm(assignment: &Assignment, outcomes: &Outcomes) -> Vec<usize> {
    let mut units = vec![0_usize; assignment.arms.len()];
    for (&arm, count) in assignment.arm.iter().zip(outcomes.counts()) {
        if arm != LEFT_OUT && count > 0.0 {
            units[usize::from(arm)] += 1;
        }
    }
    units
}

/// Refuses a trial in which an arm has fewer than two units with outcomes.
pub(super) fn each_arm_has_units(assignment: &Assignment, outcomes: &Outcomes) -> Result<()> {
    let units = units_by_arm(assignment, outcomes);
    if units.contains(&0) {
        return each_arm_has_outcomes(assignment, outcomes);
    }
    let noun = if matches!(assignment.units.unit(), Unit::Cluster(_)) { "clusters" } else { "individuals" };
    check_units_by_arm(&assignment.arms, &units, noun, None)
}

/// Refuses outcomes that are all one value: every assignment then gives the same statistic.
pub(super) fn refuse_constant(outcomes: &Outcomes) -> Result<()> {
    let rule = Sameness::of(&outcomes.values);
    if rule.varies(outcomes.rows().map(|row| outcomes.values[row])) {
        return Ok(());
    }
    let value = outcomes.rows().next().map(|row| outcomes.values[row].to_string());
    Err(Fault::new("the outcome has the same value in every row, so there is nothing to test")
        .column(&outcomes.name)
        .values(value)
        .remedy("Check the column, and which rows take part")
        .input())
}

/// Refuses a trial in which an arm has no outcomes.
pub(super) fn each_arm_has_outcomes(assignment: &Assignment, outcomes: &Outcomes) -> Result<()> {
    let units = units_by_arm(assignment, outcomes);
    let none: Vec<&str> = assignment
        .arms
        .iter()
        .zip(&units)
        .filter(|(_, units)| **units == 0)
        .map(|(arm, _)| arm.as_str())
        .collect();
    if none.is_empty() {
        return Ok(());
    }
    Err(Fault::new("an arm has no outcomes")
        .column(&outcomes.name)
        .values(none)
        .remedy("Check the missing values and the units that take part")
        .input())
}
