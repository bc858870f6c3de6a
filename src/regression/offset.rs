//! A model of a yes-or-no outcome in which part of the linear predictor is given: its score residuals and weights.

use nalgebra::{Cholesky, DMatrix, DVector};
use ndarray::ArrayView2;

use super::Family;
use super::estimates::Scored;
use crate::progress::{Monitor, go_on};
use crate::{Fault, Result};

/// Newton steps before the iteration is given up.
const STEPS: usize = 100;
/// The squared length of the whitened score that counts as none, a row.
const CLOSE: f64 = 1e-24;
/// Below this, where it no longer falls, only rounding is left of it.
const ROUNDING: f64 = 1e-16;
/// The step, relative to a linear predictor, over which the observed information is taken as a difference.
const APART: f64 = 1e-4;
/// The furthest that one step moves a linear predictor.
const FURTHEST: f64 = 4.0;

/// The rows of the model at its maximum, with their linear predictors, offset included.
pub(crate) struct Maximised {
    pub rows: Scored,
    pub predictor: Vec<f64>,
}

/// Maximises the likelihood over the coefficients of `x` (n x k, a constant among the columns) beside an offset a row.
///
/// # Errors
/// [`crate::Error::Convergence`] where the maximum is not reached, as where the outcome is separated;
/// [`crate::Error::Rank`] where columns repeat others; [`crate::Error::Interrupted`] when the monitor stops the work.
pub(crate) fn with_offset(
    family: Family,
    y: &[f64],
    x: ArrayView2<'_, f64>,
    prior: Option<&[f64]>,
    offset: &[f64],
    monitor: &dyn Monitor,
) -> Result<Maximised> {
    let n = x.nrows() as f64;
    let mut predictor = offset.to_vec();
    let (mut likelihood, mut last) = (log_likelihood(family, y, prior, &predictor), f64::INFINITY);
    for _ in 0..STEPS {
        go_on(monitor)?;
        let here = at(family, y, prior, &predictor)?;
        let (step, length) = newton_step(family, y, prior, &predictor, &here, x)?;
        if length <= CLOSE * n || (length <= ROUNDING * n && length >= 0.5 * last) {
            return Ok(Maximised { rows: here, predictor });
        }
        last = length;
        let moved: Vec<f64> = x
            .rows()
            .into_iter()
            .map(|row| row.iter().zip(step.iter()).map(|(x, step)| x * step).sum())
            .collect();
        let far = moved.iter().fold(0.0_f64, |far, step| far.max(step.abs()));
        let mut share = f64::min(1.0, FURTHEST / far);
        loop {
            let there: Vec<f64> =
                predictor.iter().zip(&moved).map(|(eta, step)| eta + share * step).collect();
            let next = log_likelihood(family, y, prior, &there);
            // Close to the maximum only rounding is left of the difference.
            if next >= likelihood - 1e-13 * likelihood.abs() || share < 1e-9 {
                (predictor, likelihood) = (there, next);
                break;
            }
            share *= 0.5;
        }
    }
    Err(Fault::new("the model without the arm did not reach its maximum")
        .remedy("Leave out covariates that decide the outcome")
        .convergence())
}

/// The step, with the observed information, and the squared length of the whitened score.
fn newton_step(
    family: Family,
    y: &[f64],
    prior: Option<&[f64]>,
    predictor: &[f64],
    here: &Scored,
    x: ArrayView2<'_, f64>,
) -> Result<(DVector<f64>, f64)> {
    let observed = if family.binary().is_canonical() {
        here.weight.clone()
    } else {
        let apart: Vec<f64> = predictor.iter().map(|eta| APART * eta.abs().max(1.0)).collect();
        let moved =
            |sign: f64| predictor.iter().zip(&apart).map(|(eta, h)| eta + sign * h).collect::<Vec<_>>();
        let (above, below) = (at(family, y, prior, &moved(1.0))?, at(family, y, prior, &moved(-1.0))?);
        let slope = |i: usize| (below.residual[i] - above.residual[i]) / (2.0 * apart[i]);
        (0..predictor.len()).map(|i| slope(i).max(0.0)).collect()
    };
    let k = x.ncols();
    let mut information = DMatrix::zeros(k, k);
    let mut score = DVector::zeros(k);
    for (row, (residual, weight)) in x.rows().into_iter().zip(here.residual.iter().zip(&observed)) {
        for a in 0..k {
            score[a] += row[a] * residual;
            for b in 0..=a {
                information[(a, b)] += weight * row[a] * row[b];
            }
        }
    }
    let factor = Cholesky::new(information).ok_or_else(|| {
        Fault::new("the information of the covariates is singular")
            .remedy("Leave out the covariates that repeat others or decide the outcome")
            .rank()
    })?;
    let step = factor.solve(&score);
    let length = step.dot(&score);
    Ok((step, length))
}

/// The links of yes-or-no outcomes are symmetric, so the probability of either outcome is the mean at the predictor that
/// speaks for it, to all its digits.
fn log_likelihood(family: Family, y: &[f64], prior: Option<&[f64]>, predictor: &[f64]) -> f64 {
    let seen = |i: usize| family.binary().mean((2.0 * y[i] - 1.0) * predictor[i]).ln();
    (0..y.len()).map(|i| prior.map_or(1.0, |prior| prior[i]) * seen(i)).sum()
}

fn at(family: Family, y: &[f64], prior: Option<&[f64]>, predictor: &[f64]) -> Result<Scored> {
    let ends = family.binary().ends(predictor, &|i| y[i])?;
    let weight = |i: usize| prior.map_or(1.0, |prior| prior[i]);
    let factors = ends.factors.as_ref().unwrap_or(&ends.residuals);
    Ok(Scored {
        residual: factors.iter().enumerate().map(|(i, factor)| weight(i) * factor).collect(),
        weight: ends.roots.iter().enumerate().map(|(i, root)| weight(i) * root * root).collect(),
    })
}
