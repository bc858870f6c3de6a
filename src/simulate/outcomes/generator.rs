//! What every outcome offers to a simulation.

use serde::{Deserialize, Serialize};

use crate::rng::Stream;
use crate::{Fault, Result};

/// How an outcome stands in the registry.
pub struct Entry {
    /// Its name in files and errors.
    pub name: &'static str,
}

/// What rows have without any treatment: the same for all, or each row its own.
#[derive(Debug, Clone, Copy)]
pub enum Baseline<'a> {
    /// The same.
    One(f64),
    /// Each row its own, rows in the order of their units.
    Each(&'a [f64]),
}

impl Baseline<'_> {
    /// That of a row.
    #[inline]
    pub fn of(&self, row: usize) -> f64 {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values[row],
        }
    }
}

/// The units and their rows, in order.
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a> {
    /// Where each unit's rows start, and the end.
    pub starts: &'a [u32],
    /// What rows have without any treatment.
    pub baseline: Baseline<'a>,
    /// What the generator found once for all replicates ([`Generator::prepared`]).
    pub prepared: f64,
    /// When each unit entered, as a share of the study, where they arrive one by one.
    pub entry: Option<&'a [f64]>,
}

impl Groups<'_> {
    /// The number of units.
    pub fn units(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of a unit.
    #[inline]
    pub fn rows(&self, unit: usize) -> std::ops::Range<usize> {
        self.starts[unit] as usize..self.starts[unit + 1] as usize
    }

    /// The size of the largest unit.
    pub fn largest(&self) -> usize {
        (0..self.units()).map(|unit| self.rows(unit).len()).max().unwrap_or(0)
    }
}

/// A covariate that is drawn with the outcome: standard normal, independent of the others.
///
/// ```
/// use crewe::simulate::{Continuous, Covariate};
/// let pretest = Covariate { r2: 0.5, cluster: false };
/// let score = Continuous { icc: 0.1, covariates: vec![pretest], ..Continuous::default() };
/// assert_eq!(score.covariates.len(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covariate {
    /// The share of the variance of its level that it explains.
    pub r2: f64,
    /// Whether it is the cluster's and not the member's.
    pub cluster: bool,
}

/// What the treatment does to the outcomes of a replicate.
#[derive(Debug, Clone, Copy)]
pub struct Shifts<'a> {
    /// How much of the effect the arm of each unit has: 0 for the control arm.
    pub dose: &'a [f64],
    /// The effect of a dose of 1.
    pub effect: f64,
    /// How much of that rows have, where a subgroup has an effect of its own.
    pub share: Option<&'a [f64]>,
}

impl Shifts<'_> {
    /// The effect on the rows of a unit, where all have the same.
    #[inline]
    pub fn of_unit(&self, unit: usize) -> f64 {
        self.effect * self.dose[unit]
    }

    /// The effect on a row of a unit.
    #[inline]
    pub fn of(&self, unit: usize, row: usize) -> f64 {
        match self.share {
            None => self.of_unit(unit),
            Some(share) => self.of_unit(unit) * share[row],
        }
    }
}

/// Refuses a share of rows that cannot be lost.
pub fn check_dropout(share: f64) -> Result<()> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Fault::new("dropout must be a share from 0 to below 1")
        .values([share.to_string()])
        .remedy("Give the share of members whose outcome is lost, 0 where there is none")
        .input())
}

/// Draws the times to an event of a replicate, and whether it came.
pub trait Times {
    /// Of every row.
    fn draw(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        time: &mut [f64],
        event: &mut [f64],
    );
}

/// Draws the outcomes of a replicate.
pub trait Generator: Send + Sync {
    /// How it stands in the registry.
    fn entry(&self) -> Entry;

    /// In words, as a sentence without its full stop.
    fn text(&self) -> String;

    /// What all rows have without any treatment, where they have no baseline of their own.
    fn baseline(&self) -> f64;

    /// The effect, treated less control.
    fn effect(&self) -> f64;

    /// The least and the largest effect that these rows can have; infinite where there is no bound.
    fn bounds(&self, groups: &Groups<'_>) -> (f64, f64);

    /// A first guess at the size of an effect that has no bound.
    fn unit(&self) -> f64 {
        1.0
    }

    /// Refuses options that nobody could carry out on these rows under an effect; `order` gives the place of each row in
    /// the data as given, and is empty where there are none.
    fn check(&self, groups: &Groups<'_>, effect: f64, order: &[u32]) -> Result<()>;

    /// Whether it says itself when units enter the study.
    fn enters(&self) -> bool {
        false
    }

    /// What draws times to an event, where that is what the outcome is.
    fn times(&self) -> Option<&dyn Times> {
        None
    }

    /// A number that all replicates need, found once; 0 where there is none.
    fn prepared(&self, _groups: &Groups<'_>) -> f64 {
        0.0
    }

    /// The share of rows whose outcome is lost, whatever it is.
    fn dropout(&self) -> f64 {
        0.0
    }

    /// The covariates that are drawn with the outcome.
    fn covariates(&self) -> &[Covariate] {
        &[]
    }

    /// Draws the outcome of every row with its covariates, a column each.
    fn rows_beside(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        y: &mut [f64],
        _beside: &mut [Vec<f64>],
    ) {
        self.rows(groups, shifts, stream, y);
    }

    /// Whether members of a cluster must all have one effect.
    fn one_effect(&self) -> bool {
        false
    }

    /// Whether somebody else draws the outcomes.
    fn given(&self) -> bool {
        false
    }

    /// Draws the outcome of every row.
    fn rows(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, y: &mut [f64]);

    /// Draws the sum of each unit's outcomes, of the very rows that [`Generator::rows`] draws from this stream.
    fn totals(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, totals: &mut [f64]);
}
