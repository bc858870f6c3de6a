//! Logistic regression with Firth's penalty, which has a finite estimate where outcomes are separated too.
//!
//! The log-likelihood is raised by half the logarithm of the determinant of the information,
//! `l*(b) = l(b) + 1/2 ln |X'VX|`, `V = diag(mu (1 - mu))`: Jeffreys' prior. With the hat values
//! `h_i = v_i x_i'(X'VX)^{-1} x_i` its score is `X'(y - mu + h (1/2 - mu))`. The iteration takes steps of Fisher's scoring,
//! shortened as the step before advises and halved where they lower `l*`, until the next one moves no coefficient by more
//! than 1e-12 standard errors or only rounding is left. Since the penalty changes by a constant when the columns are combined
//! otherwise, it runs on centred columns, and on orthonormal ones where they are nearly collinear.
//!
//! The information at the estimate is the bread of every covariance, and its inverse the model-based one (as brglm2 has
//! it); scores of rows and clusters are those of `l*`. The likelihood ratio of all slopes compares the maximum of `l*` with
//! that where they are 0, the penalty being that of all columns in both, as R's logistf does; profile.rs does so for one
//! coefficient at a time.
//!
//! D. Firth (1993), doi:10.1093/biomet/80.1.27; G. Heinze and M. Schemper (2002), doi:10.1002/sim.1047.

use nalgebra::{Cholesky, DMatrix, DVector};
use ndarray::{Array2, ArrayView1};
use serde::Serialize;

use super::family::{Binary, Family};
use super::newton::{Maximum, Model, Start};
use super::ols;
use super::pass::{Data, State};
use super::weights::{WeightKind, Weights};
use crate::inference::Bread;
use crate::linalg::DesignMatrix;
use crate::linalg::factor::{Factor, factor};
use crate::linalg::gram::over_chunks_of;
use crate::words::words;
use crate::{Error, Fault, Result, dist};

/// Steps of Fisher's scoring before the iteration is given up.
const STEPS: usize = 2_000;
/// The least share of a step that the step before advises.
const LEAST: f64 = 0.05;
/// Halvings of one step.
const HALVINGS: usize = 40;
/// The length of the next step, in standard errors, that ends the iteration.
const SETTLED: f64 = 1e-12;
/// The share of its information that a column must keep beside the others for a refit to go on from the estimate.
const NEARLY_COLLINEAR: f64 = 1e-4;
/// Below this a step that is no longer shorter than the one before is rounding.
const ROUNDING: f64 = 1e-9;

words!(Penalty, "penalty", Firth => "firth");

/// What is taken off the log-likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Penalty {
    /// Half the logarithm of the determinant of the information (Firth 1993).
    Firth,
}

/// The maximum of a penalised log-likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Penalised {
    /// Which penalty.
    pub penalty: Penalty,
    /// The penalised log-likelihood.
    pub log_likelihood: f64,
    /// Twice what it is above its maximum where all slopes are 0; not a number without slopes.
    pub likelihood_ratio: f64,
    /// The number of slopes.
    pub df: f64,
    /// The p-value of that likelihood ratio, by its chi-squared distribution.
    pub p_value: f64,
    /// Whether the outcomes are separated, so that the likelihood without the penalty has no maximum.
    pub separated: bool,
}

/// What is climbed: the penalised log-likelihood of an outcome over columns less their centre.
pub(super) struct Climb<'c, 'x, 'y> {
    pub x: &'c DesignMatrix<'x>,
    pub y: ArrayView1<'y, f64>,
    pub center: &'c [f64],
    pub weights: Option<&'c [f64]>,
}

/// The penalised log-likelihood at some coefficients.
pub(super) struct Point {
    /// Of centred columns.
    pub coef: Vec<f64>,
    pub state: State,
    pub whitening: Vec<Vec<f64>>,
    pub tolerance: f64,
    /// `l*`.
    pub penalised: f64,
    /// Its gradient.
    pub score: Vec<f64>,
    pub iterations: usize,
}

impl Climb<'_, '_, '_> {
    /// `None` where numbers overflow or the information is singular.
    fn at(&self, coef: Vec<f64>) -> Result<Option<Point>> {
        let family = Family::LOGIT.binary();
        let data = Data { x: self.x, y: self.y, center: self.center, weights: self.weights };
        let state = family.state(data, &coef, vec![0.0; self.x.n()])?;
        let Some(Factor { inverse: whitening, tolerance }) =
            factor(&state.information, 1e-8).ok().filter(|_| state.is_finite())
        else {
            return Ok(None);
        };
        // The determinant of the factor of the inverse, which is triangular.
        let half_log_determinant: f64 = -(0..coef.len()).map(|j| whitening[j][j].abs().ln()).sum::<f64>();
        let (_, added) = self.shifts(family, &state.predictor, &whitening)?;
        let score = state.score.iter().zip(&added).map(|(score, added)| score + added).collect();
        let penalised = state.log_likelihood + half_log_determinant;
        Ok(Some(Point { coef, state, whitening, tolerance, penalised, score, iterations: 0 }))
    }

    /// `h (1/2 - mu)` of every row, and the sum of them times the rows.
    pub fn shifts(
        &self,
        family: &dyn Binary,
        predictor: &[f64],
        whitening: &[Vec<f64>],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let k = self.x.k();
        let mut shifts = predictor.to_vec();
        let sums = over_chunks_of(&mut shifts, |start, shifts| {
            let (mut row, mut sum) = (vec![0.0; k], vec![0.0; k]);
            for (shift, i) in shifts.iter_mut().zip(start..) {
                let eta = *shift;
                let weight = self.weights.map_or(1.0, |weights| weights[i]) * family.slope(eta);
                self.x.row(i, self.center, &mut row);
                let hat = weight
                    * (0..k)
                        .map(|c| {
                            let z: f64 = (0..=c).map(|j| row[j] * whitening[j][c]).sum();
                            z * z
                        })
                        .sum::<f64>();
                *shift = hat * (0.5 - family.mean(eta));
                sum.iter_mut().zip(&row).for_each(|(sum, x)| *sum += *shift * x);
            }
            Ok(sum)
        })?;
        let mut total = vec![0.0; k];
        for sum in sums {
            total.iter_mut().zip(&sum).for_each(|(total, sum)| *total += sum);
        }
        Ok((shifts, total))
    }

    /// The maximum from `start` on, along the directions `free` (k x m), or along all of them. `None` where the iteration
    /// does not settle.
    pub fn maximise(&self, start: Vec<f64>, free: Option<&DMatrix<f64>>) -> Result<Option<Point>> {
        let Some(mut point) = self.at(start)? else { return Ok(None) };
        let mut last = f64::INFINITY;
        // The step before and the share of it that was taken.
        let mut before: Option<(Vec<f64>, f64)> = None;
        for iterations in 0..STEPS {
            let Some(step) = step(&point, free) else { return Ok(None) };
            let length = dotted(&step, &point.score).max(0.0).sqrt();
            if length <= SETTLED || (length <= ROUNDING && length >= 0.5 * last) {
                point.iterations = iterations;
                return Ok(Some(point));
            }
            last = length;
            let mut share = before.map_or(1.0, |(other, share)| relaxed(&point, &step, &other, share));
            let mut next = None;
            for _ in 0..HALVINGS {
                let tried = point.coef.iter().zip(&step).map(|(b, s)| b + share * s).collect();
                next = self
                    .at(tried)?
                    .filter(|next| next.penalised >= point.penalised - 1e-12 * point.penalised.abs());
                if next.is_some() {
                    break;
                }
                share /= 2.0;
            }
            let Some(next) = next else { return Ok(None) };
            point = next;
            before = Some((step, share));
        }
        Ok(None)
    }
}

/// The share of a step that leads to the maximum along it, as the step before tells. The information is not the curvature
/// of the penalty: with few rows a whole step overshoots by so much that steps would go to and fro for ever.
fn relaxed(point: &Point, step: &[f64], other: &[f64], share: f64) -> f64 {
    let information = |a: &[f64], b: &[f64]| -> f64 {
        let rows = point.state.information.iter().zip(a);
        rows.map(|(row, a)| a * dotted(row, b)).sum()
    };
    let left = information(step, other) / information(other, other);
    // Along one direction a share s leaves 1 - s c of the way, c being the step over the way.
    let relaxed = share / (1.0 - left);
    if left < 1.0 && relaxed.is_finite() { relaxed.clamp(LEAST, 1.0) } else { 1.0 }
}

/// A step of Fisher's scoring along the free directions.
fn step(point: &Point, free: Option<&DMatrix<f64>>) -> Option<Vec<f64>> {
    let Some(free) = free else { return Some(ols::solve(&point.whitening, &point.score)) };
    if free.ncols() == 0 {
        return Some(vec![0.0; point.coef.len()]);
    }
    let k = point.coef.len();
    let information = DMatrix::from_fn(k, k, |a, b| point.state.information[a][b]);
    let score = DVector::from_column_slice(&point.score);
    let along = Cholesky::new(free.tr_mul(&information) * free)?.solve(&free.tr_mul(&score));
    Some((free * along).as_slice().to_vec())
}

fn dotted(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The maximum with rows of weight 0 left out, from an estimate with all of them on.
///
/// # Errors
/// As [`maximum`].
pub(super) fn refit(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    weights: &[f64],
    from: Start,
) -> Result<Maximum> {
    let climb = Climb { x, y, center: &from.center, weights: Some(weights) };
    if let Some(found) = climb.maximise(from.coef, None)?.filter(|found| found.tolerance > NEARLY_COLLINEAR) {
        let Point { coef, state, whitening, tolerance, iterations, .. } = found;
        return Ok(Maximum { coef, center: from.center, whitening, state, iterations, tolerance });
    }
    let model = Model { family: Family::LOGIT.binary(), x, y, weights: Some(weights) };
    Ok(maximum(&model, "y")?.0)
}

/// The maximum, and whether the columns were so nearly collinear that orthonormal ones took their place.
///
/// # Errors
/// As [`super::Glm::fit`], but that nothing is separated; [`crate::Error::Convergence`] where the iteration does not settle.
pub(super) fn maximum(model: &Model<'_, '_, '_>, y_name: &str) -> Result<(Maximum, bool)> {
    // It also refuses what no regression can be fitted to.
    let weights = model.weights.map(|w| Weights::new(ArrayView1::from(w), WeightKind::Analytic));
    let linear = ols::fit(model.x, model.y, y_name, weights)?;
    let climb = |x: &DesignMatrix<'_>, start: Start| -> Result<Option<Maximum>> {
        let Start { coef, center } = start;
        let climb = Climb { x, y: model.y, center: &center, weights: model.weights };
        let found = climb.maximise(coef, None)?.ok_or_else(unfinished)?;
        let Point { coef, state, whitening, tolerance, iterations, .. } = found;
        Ok(Some(Maximum { coef, center, whitening, state, iterations, tolerance }))
    };
    let start = &linear.estimates;
    let found = if linear.precise {
        model.orthogonal(start, climb)?
    } else {
        let start = Start { coef: vec![0.0; model.x.k()], center: start.bread.center().to_vec() };
        climb(model.x, start)?.map(|found| model.about_its_own_means(found, climb)).transpose()?
    };
    Ok((found.ok_or_else(unfinished)?, linear.precise))
}

/// The maximum against that without slopes, on whitened rows: of nearly collinear columns the determinant would be noise.
pub(super) fn compared(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    bread: &Bread,
    maximum: &Maximum,
) -> Result<Penalised> {
    let k = x.k();
    let first = usize::from(x.has_intercept());
    let df = (k - first) as f64;
    let half_log_determinant: f64 = -(0..k).map(|j| maximum.whitening[j][j].abs().ln()).sum::<f64>();
    let log_likelihood = maximum.state.log_likelihood + half_log_determinant;
    let mut likelihood_ratio = f64::NAN;
    if k > first {
        let rows = whitened(x, bread);
        let (design, center) = (DesignMatrix::new(rows.view(), false), vec![0.0; k]);
        let climb = Climb { x: &design, y, center: &center, weights: None };
        let top = climb.at(bread.whitened_coef().to_vec())?.ok_or_else(unfinished)?;
        // The factor is upper triangular: an intercept is a direction of its own among the whitened columns too.
        let free = DMatrix::identity(k, first);
        let null = climb.maximise(vec![0.0; k], Some(&free))?.ok_or_else(unfinished)?;
        likelihood_ratio = 2.0 * (top.penalised - null.penalised);
    }
    let p_value = dist::chi2_sf(likelihood_ratio, df);
    let separated = is_separated(x, y, maximum)?;
    Ok(Penalised { penalty: Penalty::Firth, log_likelihood, likelihood_ratio, df, p_value, separated })
}

/// The rows `W'(x - c)`, n x k.
pub(super) fn whitened(x: &DesignMatrix<'_>, bread: &Bread) -> Array2<f64> {
    let k = x.k();
    let mut rows = Array2::zeros((x.n(), k));
    let mut row = vec![0.0; k];
    for (i, mut to) in rows.outer_iter_mut().enumerate() {
        bread.centred_row(x, i, &mut row);
        for (column, to) in to.iter_mut().enumerate() {
            *to = (0..=column).map(|j| row[j] * bread.whitening()[j * k + column]).sum();
        }
    }
    rows
}

/// Whether the likelihood has no maximum without the penalty.
fn is_separated(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, maximum: &Maximum) -> Result<bool> {
    let model = Model { family: Family::LOGIT.binary(), x, y, weights: None };
    let start = Start { coef: maximum.coef.clone(), center: maximum.center.clone() };
    match model.newton(x, start, None) {
        Err(Error::Separation(_)) => Ok(true),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        _ => Ok(false),
    }
}

/// The error of an iteration that does not settle.
pub(super) fn unfinished() -> crate::Error {
    Fault::new(format!("the penalised likelihood did not settle within {STEPS} steps"))
        .remedy("Rescale columns of very different sizes, or leave out one of those that nearly repeat each other")
        .convergence()
}
