//! Balance of covariates between the arms, by unit and by row.
//!
//! For each arm: the number observed and missing, the mean (for a column of 0 and 1, the share) and the standard
//! deviation; and against the first arm the standardised difference
//!
//! d = (m_j - m_1) / sqrt((s_j^2 + s_1^2) / 2),
//!
//! where s^2 is the sample variance with n - 1, or p (1 - p) where all values at that level are 0 or 1. At the level
//! of units a value is the mean over the unit's rows that have one. There are no p-values: whether randomised arms
//! differ by chance is not in question, and rows within a cluster are not independent.
//!
//! P. C. Austin (2009), Balance diagnostics for comparing the distribution of baseline covariates between treatment
//! groups, Statistics in Medicine 28, 3083-3107, doi:10.1002/sim.3697.

use ndarray::Array2;

use serde::Serialize;

use crate::design::engine::procedure::{LEFT_OUT, check_arms};
use crate::moments::Moments;
use crate::ties::Sameness;
use crate::{Fault, Result};

/// A covariate: one value a row, NaN where it is missing.
///
/// ```
/// use crewe::design::Covariate;
/// assert_eq!(Covariate::new("age", &[4.0, f64::NAN]).name, "age");
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Covariate<'a> {
    /// Its name, for errors.
    pub name: &'a str,
    /// The values.
    pub values: &'a [f64],
}

impl<'a> Covariate<'a> {
    /// A covariate of this name.
    #[must_use]
    pub fn new(name: &'a str, values: &'a [f64]) -> Self {
        Self { name, values }
    }
}

/// The balance at one level.
///
/// ```
/// use crewe::design::{Covariate, balance};
/// // Two children of the first family, one of each other; means by family.
/// let age = Covariate::new("age", &[4.0, 6.0, 9.0, 7.0]);
/// let by_family = balance(&[0, 0, 1, 2], &[0, 1, 1], 2, &[age])?.unit;
/// assert_eq!(by_family.mean[[0, 1]] - by_family.mean[[0, 0]], 3.0);
/// assert!(by_family.difference[[0, 0]].is_nan()); // the first arm is the reference
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Level {
    /// Observed values; covariates x arms.
    pub n: Array2<u64>,
    /// Missing values; covariates x arms.
    pub missing: Array2<u64>,
    /// Means or shares; covariates x arms, NaN where nothing is observed.
    pub mean: Array2<f64>,
    /// Standard deviations; covariates x arms, NaN where they are not defined.
    pub sd: Array2<f64>,
    /// Standardised differences from the first arm; covariates x arms, the first column NaN. Where neither arm
    /// varies by more than rounding it is 0 for equal means and NaN for others.
    pub difference: Array2<f64>,
    /// Whether the covariate is a share at this level (all values 0 or 1).
    pub share: Vec<bool>,
}

/// The balance by unit and by row.
///
/// ```
/// use crewe::design::{Covariate, balance};
/// let age = Covariate::new("age", &[4.0, 6.0, 9.0]);
/// let made = balance(&[0, 0, 1], &[0, 1], 2, &[age])?;
/// assert_eq!((made.row.n[[0, 0]], made.unit.n[[0, 0]]), (2, 1));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Balance {
    /// By unit: the means of each unit's rows.
    pub unit: Level,
    /// By row.
    pub row: Level,
}

/// Compares the covariates between the arms.
///
/// `rows` holds the unit of each row and `arm` the arm of each unit, of which there are `arms`.
///
/// ```
/// use crewe::design::{Covariate, balance};
/// let age = Covariate::new("age", &[4.0, 6.0, 9.0, f64::NAN]);
/// let result = balance(&[0, 0, 1, 2], &[0, 1, 1], 2, &[age])?;
/// assert_eq!(result.row.mean[[0, 0]], 5.0);
/// assert_eq!(result.unit.n[[0, 0]], 1);
/// assert_eq!(result.unit.missing[[0, 1]], 1);
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Input`] for a covariate of another length or with infinite values, units that have no arm, and arms
/// that do not exist.
pub fn balance(rows: &[u32], arm: &[u8], arms: usize, covariates: &[Covariate<'_>]) -> Result<Balance> {
    for covariate in covariates {
        if covariate.values.len() != rows.len() {
            return Err(Fault::new("the columns have different numbers of rows")
                .column(covariate.name)
                .values([rows.len().to_string(), covariate.values.len().to_string()])
                .remedy("Pass columns of one data frame")
                .input());
        }
        let infinite: Vec<usize> =
            (0..rows.len()).filter(|&row| covariate.values[row].is_infinite()).collect();
        if !infinite.is_empty() {
            return Err(Fault::new("the covariate has infinite values")
                .column(covariate.name)
                .rows(infinite)
                .remedy("Correct them or set them to missing")
                .input());
        }
    }
    check_arms(rows, arm, arms)?;
    let of_row: Vec<u8> = rows.iter().map(|&unit| arm[unit as usize]).collect();
    let by_unit: Vec<Vec<f64>> =
        covariates.iter().map(|covariate| unit_means(rows, arm.len(), covariate.values)).collect();
    let by_unit: Vec<&[f64]> = by_unit.iter().map(Vec::as_slice).collect();
    let by_row: Vec<&[f64]> = covariates.iter().map(|covariate| covariate.values).collect();
    Ok(Balance { unit: level(&by_unit, arm, arms), row: level(&by_row, &of_row, arms) })
}

fn unit_means(rows: &[u32], units: usize, values: &[f64]) -> Vec<f64> {
    let mut of_unit = vec![Unit::default(); units];
    for (&unit, &value) in rows.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
        of_unit[unit as usize].add(value);
    }
    of_unit.into_iter().map(Unit::mean).collect()
}

/// What is kept of a unit's rows.
#[derive(Debug, Clone, Copy, Default)]
struct Unit {
    n: u32,
    first: f64,
    several: bool,
    sum: f64,
}

impl Unit {
    fn add(&mut self, value: f64) {
        if self.n == 0 {
            self.first = value;
        }
        self.several |= value != self.first;
        self.sum += value;
        self.n += 1;
    }

    /// A unit whose rows are alike has their value, which a sum may miss; 0 / 0 is NaN: one without any is missing.
    fn mean(self) -> f64 {
        if self.several || self.n == 0 { self.sum / f64::from(self.n) } else { self.first }
    }
}

fn level(columns: &[&[f64]], arm: &[u8], arms: usize) -> Level {
    let shape = (columns.len(), arms);
    let mut level = Level {
        n: Array2::zeros(shape),
        missing: Array2::zeros(shape),
        mean: Array2::zeros(shape),
        sd: Array2::zeros(shape),
        difference: Array2::from_elem(shape, f64::NAN),
        share: Vec::with_capacity(columns.len()),
    };
    for (k, values) in columns.iter().enumerate() {
        let share = values.iter().all(|&x| x.is_nan() || x == 0.0 || x == 1.0);
        level.share.push(share);
        let mut of_arm = vec![Vec::new(); arms];
        for (&value, &arm) in values.iter().zip(arm).filter(|(_, arm)| **arm != LEFT_OUT) {
            if value.is_nan() {
                level.missing[[k, usize::from(arm)]] += 1;
            } else {
                of_arm[usize::from(arm)].push(value);
            }
        }
        let rule = Sameness::of(values);
        let moments: Vec<Moments> = of_arm.iter().map(|values| Moments::within(values, rule)).collect();
        let variance = |j: usize| {
            let Moments { mean, .. } = moments[j];
            if share { mean * (1.0 - mean) } else { moments[j].variance() }
        };
        for j in 0..arms {
            level.n[[k, j]] = moments[j].n as u64;
            level.mean[[k, j]] = moments[j].mean;
            level.sd[[k, j]] = variance(j).sqrt();
            if j > 0 {
                let gap = moments[j].mean - moments[0].mean;
                let spread = f64::midpoint(variance(j), variance(0)).sqrt();
                level.difference[[k, j]] = if spread > 0.0 {
                    gap / spread
                } else if spread == 0.0 && rule.same(moments[j].mean, moments[0].mean) {
                    0.0
                } else {
                    f64::NAN
                };
            }
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 33 and 17 units of one to three rows.
    fn families() -> (Vec<u32>, Vec<u8>) {
        let rows = (0..50).flat_map(|unit| vec![unit; 1 + unit as usize % 3]).collect();
        (rows, (0..50).map(|unit| u8::from(unit >= 33)).collect())
    }

    proptest! {
        #[test]
        fn row_9_1_arms_that_do_not_vary_do_not_differ(value in -1e6_f64..1e6, ulps in 0_u32..3) {
            let (rows, arm) = families();
            let near = (0..ulps).fold(value, |value, _| value.next_up());
            let values: Vec<f64> = (0..rows.len()).map(|i| if i % 2 == 0 { value } else { near }).collect();
            let made = balance(&rows, &arm, 2, &[Covariate::new("k", &values)]).unwrap();
            for level in [made.unit, made.row] {
                prop_assert_eq!((level.difference[[0, 1]], level.sd[[0, 0]], level.sd[[0, 1]]), (0.0, 0.0, 0.0));
            }
        }

        #[test]
        fn row_9_1_arms_that_are_constant_apart_have_no_difference_in_units_of_nothing(value in 0.1_f64..1e6) {
            let (rows, arm) = families();
            let values: Vec<f64> =
                rows.iter().map(|&unit| if arm[unit as usize] == 0 { value } else { 7.0 * value }).collect();
            let made = balance(&rows, &arm, 2, &[Covariate::new("k", &values)]).unwrap();
            for level in [made.unit, made.row] {
                prop_assert!(level.difference[[0, 1]].is_nan() && level.sd[[0, 1]] == 0.0);
            }
        }
    }
}
