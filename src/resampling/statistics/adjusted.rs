//! The coefficient of the arm in a linear model with covariates, without fitting the model for every assignment.
//!
//! With M the projection off the covariates X, the coefficient of the arm's indicator z is z'My / z'Mz (R. Frisch and
//! F. V. Waugh 1933, doi:10.2307/1907330). As z is constant within units, z'My is the sum of the residuals My over the
//! treated units' rows, and z'Mz their number less the squared length of Q'z, for an orthonormal basis Q of X: only sums
//! by unit are needed.

use ndarray::ArrayView2;

use crate::progress::Monitor;
use crate::resampling::outcomes::Outcomes;
use crate::resampling::prepared::{Compare, Prepared};
use crate::resampling::projection::{leave_residuals, orthonormal, take_off};
use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::result::{RandomisationOptions, RandomisationTest};
use crate::{Fault, Result};

/// The coefficient of the arm beside these covariates, rows x columns.
pub(super) struct Coefficient<'a>(pub ArrayView2<'a, f64>);

impl Compare for Coefficient<'_> {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        let values = trial.outcomes.without_effect(effect, &trial.treated);
        Ok(Box::new(Adjusted::new(trial.outcomes, &values, self.0, &trial.treated)?))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        if trial.assignment.arms.len() != 2 {
            return Err(Fault::new("adjustment by covariates takes two arms")
                .values(trial.assignment.arms.iter().cloned())
                .remedy("Compare means without covariates, or give a statistic of your own")
                .input());
        }
        if !trial.everybody() {
            return Err(Fault::new("adjustment by covariates needs an arm for every unit")
                .remedy("Compare means, since this procedure leaves units out")
                .design());
        }
        trial.linear(&*self.at(trial, 0.0)?, options, monitor)
    }
}

/// The model made ready for the outcomes of a trial.
struct Adjusted {
    /// By unit: sums of the residuals of the outcome, sums of those of the treated units' indicator, rows.
    residual: Vec<f64>,
    treated: Vec<f64>,
    rows: Vec<f64>,
    /// Units x columns: sums of the basis over the unit's rows.
    basis: Vec<f64>,
    columns: usize,
}

impl Adjusted {
    /// `values` by row, NaN where they do not count; covariates by row; `treated` by unit.
    fn new(
        outcomes: &Outcomes,
        values: &[f64],
        covariates: ArrayView2<'_, f64>,
        treated: &[bool],
    ) -> Result<Self> {
        if covariates.nrows() != values.len() {
            return Err(Fault::new("the covariates and the outcomes have different numbers of rows")
                .values([covariates.nrows().to_string(), values.len().to_string()])
                .remedy("Pass columns of one data frame")
                .input());
        }
        let kept: Vec<usize> = (0..values.len()).filter(|&row| !values[row].is_nan()).collect();
        let wrong: Vec<usize> =
            kept.iter().copied().filter(|&row| covariates.row(row).iter().any(|x| !x.is_finite())).collect();
        if !wrong.is_empty() {
            return Err(Fault::new("covariates are missing or infinite")
                .rows(wrong)
                .remedy("Fill them in, or leave out these rows' outcomes too")
                .input());
        }
        let basis = orthonormal(
            covariates.columns().into_iter().map(|column| kept.iter().map(|&row| column[row]).collect()),
        );
        let mut y: Vec<f64> = kept.iter().map(|&row| values[row]).collect();
        let unit: Vec<usize> = kept.iter().map(|&row| outcomes.unit[row] as usize).collect();
        let mut z: Vec<f64> = unit.iter().map(|&unit| f64::from(u8::from(treated[unit]))).collect();
        leave_residuals(&mut y, &basis);
        take_off(&mut z, &basis);
        let columns = basis.len();
        let mut made = Self {
            residual: vec![0.0; outcomes.units],
            treated: vec![0.0; outcomes.units],
            rows: vec![0.0; outcomes.units],
            basis: vec![0.0; outcomes.units * columns],
            columns,
        };
        for (row, &unit) in unit.iter().enumerate() {
            made.residual[unit] += y[row];
            made.treated[unit] += z[row];
            made.rows[unit] += 1.0;
            for (k, column) in basis.iter().enumerate() {
                made.basis[unit * columns + k] += column[row];
            }
        }
        Ok(made)
    }
}

impl Evaluate for Adjusted {
    fn width(&self) -> usize {
        2
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        let within = &mut room.numbers;
        within.clear();
        within.resize(self.columns, 0.0);
        let (mut of_y, mut of_z, mut rows) = (0.0, 0.0, 0.0);
        for (unit, _) in arm.iter().enumerate().filter(|(_, arm)| **arm == 1) {
            of_y += self.residual[unit];
            of_z += self.treated[unit];
            rows += self.rows[unit];
            for (into, x) in within.iter_mut().zip(&self.basis[unit * self.columns..][..self.columns]) {
                *into += x;
            }
        }
        let square = rows - within.iter().map(|x| x * x).sum::<f64>();
        // An arm that the covariates imply has no coefficient.
        let square = if square > 1e-9 * rows { square } else { f64::NAN };
        values[0] = of_y / square;
        values[1] = of_z / square;
    }
}
