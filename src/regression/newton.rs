//! The search for the maximum of the likelihood: where the iteration starts, its steps, when it has ended, and that it
//! has found a maximum where it does, as [`super::glm`] tells.

use ndarray::{Array2, ArrayView1};

use super::estimates::Estimates;
use super::family::Binary;
use super::ols;
use super::pass::{Data, State};
use super::separation::separation;
use crate::linalg::DesignMatrix;
use crate::linalg::factor::{Factor, factor};
use crate::linalg::gram::cross_products;
use crate::{Fault, Result};

/// Newton steps before the iteration is given up.
const STEPS: usize = 100;
/// Halvings of one step.
const HALVINGS: usize = 40;
/// The largest move of a linear predictor, relative to 1 plus the largest of them, that ends the iteration.
const SETTLED: f64 = 1e-8;
/// Newton's decrement, the length of the next step in standard errors, that ends the iteration too, once no linear
/// predictor moved by more than [`CALM`].
const DECREMENT: f64 = 1e-11;
/// See [`DECREMENT`]; far below the 1 of a separated row.
const CALM: f64 = 1e-3;
/// The furthest linear predictor for which Newton's decrement decides: beyond, a row may move by many times it and its
/// weight in the information with it, where no coefficient does.
const MIDDLE: f64 = 6.0;
/// Steps after which a predictor beyond [`FAR`] that still moves is suspected of separation.
const PATIENCE: usize = 10;
/// A linear predictor at which a probability is within 1e-13 of 0 or 1.
const FAR: f64 = 30.0;
/// A linear predictor at which a probability is within 1e-8 of 0 or 1.
const EXTREME: f64 = 18.0;
/// The share of its information that a column must keep beside the others for a settled iteration to be believed
/// without [`super::separation`] where a predictor is beyond [`EXTREME`].
const PROVEN: f64 = 1e-8;
/// The share of its information about the centre that a column must have about its mean for the centre to be near it.
const NEAR: f64 = 1e-2;

/// Where the iteration begins.
pub(super) struct Start {
    /// Coefficients of the centred columns, length k.
    pub coef: Vec<f64>,
    /// What is taken off the columns, length k; 0 for the intercept.
    pub center: Vec<f64>,
}

/// Where the iteration ended.
pub(super) struct Maximum {
    /// Coefficients of the centred columns.
    pub coef: Vec<f64>,
    pub center: Vec<f64>,
    pub whitening: Vec<Vec<f64>>,
    pub state: State,
    pub iterations: usize,
    /// The least share of its information that a column keeps beside the others.
    pub tolerance: f64,
}

/// What is fitted.
pub(super) struct Model<'m, 'x, 'y> {
    pub family: &'static dyn Binary,
    /// The design that the user knows.
    pub x: &'m DesignMatrix<'x>,
    pub y: ArrayView1<'y, f64>,
    pub weights: Option<&'m [f64]>,
}

impl Model<'_, '_, '_> {
    /// Whether a row has a weight.
    pub fn counts(&self, i: usize) -> bool {
        self.weights.is_none_or(|weights| weights[i] > 0.0)
    }

    /// The log-likelihood where every linear predictor is 0.
    pub fn without_terms(&self) -> f64 {
        let weight = |i: usize| self.weights.map_or(1.0, |weights| weights[i]);
        let total: f64 = (0..self.y.len()).map(weight).sum();
        let mean = self.family.mean(0.0);
        if mean == 0.5 {
            return -total * std::f64::consts::LN_2;
        }
        let ones: f64 = (0..self.y.len()).map(|i| weight(i) * self.y[i]).sum();
        ones * mean.ln() + (total - ones) * (-mean).ln_1p()
    }

    /// Four times the linear coefficients of y - 1/2.
    pub fn linear_start(&self, linear: &Estimates) -> Start {
        let k = self.x.k();
        let center = linear.bread.center().to_vec();
        if !self.x.has_intercept() {
            // Without an intercept the linear fit is not the first step.
            return Start { coef: vec![0.0; k], center };
        }
        let mut coef: Vec<f64> = linear.coef.iter().map(|b| 4.0 * b).collect();
        // The centre of the iteration is the first part of the mean alone: only rows less it are ever used.
        let rest: f64 = (1..k).map(|j| coef[j] * linear.bread.center_rest()[j]).sum();
        coef[0] = 4.0 * linear.bread.centred()[0] - 2.0 - rest;
        Start { coef, center }
    }

    /// Newton's iteration on the columns of `x`. `None` where values are not finite or a column keeps less than the share
    /// `needed` of its information at the start, if one is needed.
    pub fn newton(&self, x: &DesignMatrix<'_>, start: Start, needed: Option<f64>) -> Result<Option<Maximum>> {
        let k = x.k();
        let Start { mut coef, center } = start;
        let state_at = |coef: &[f64], before: Vec<f64>| {
            self.family.state(Data { x, y: self.y, center: &center, weights: self.weights }, coef, before)
        };
        let mut state = state_at(&coef, vec![0.0; x.n()])?;
        if let Some(needed) = needed {
            let tolerance = |state: &State| factor(&state.information, 1e-8).map_or(0.0, |f| f.tolerance);
            if !state.is_finite() || tolerance(&state) < needed {
                return Ok(None);
            }
        }
        let total = self.weights.map_or(x.n() as f64, |weights| weights.iter().sum());
        // Newton's decrement in the units of a mean weight of 1: what has settled does not depend on their scale.
        let unit = (total / (0..x.n()).filter(|&i| self.counts(i)).count() as f64).sqrt();
        if state.log_likelihood.is_nan() || state.log_likelihood < self.without_terms() {
            // The linear fit need not go uphill.
            coef = vec![0.0; k];
            state = state_at(&coef, state.predictor)?;
        }
        state.reach = f64::INFINITY;
        let mut spare = vec![0.0; x.n()];
        let mut iterations = 0;
        loop {
            let Some(Factor { inverse: whitening, tolerance }) =
                factor(&state.information, 1e-8).ok().filter(|_| state.is_finite())
            else {
                return Err(self.unfinished());
            };
            let step = ols::solve(&whitening, &state.score);
            let decrement =
                step.iter().zip(&state.score).map(|(step, score)| step * score).sum::<f64>().sqrt();
            let settled = state.reach <= SETTLED * (1.0 + state.furthest)
                || (state.reach <= CALM && state.furthest <= MIDDLE && decrement <= DECREMENT * unit);
            if settled {
                if state.furthest > EXTREME
                    && tolerance < PROVEN
                    && let Some(error) = separation(self.x, self.y, self.weights)
                {
                    return Err(error);
                }
                return Ok(Some(Maximum { coef, center, whitening, state, iterations, tolerance }));
            }
            // Asked for in every tenth step: a maximum that is far away only takes longer.
            if iterations >= PATIENCE
                && iterations.is_multiple_of(PATIENCE)
                && state.furthest > FAR
                && state.reach > 0.1
                && let Some(error) = separation(self.x, self.y, self.weights)
            {
                return Err(error);
            }
            if iterations >= STEPS || !decrement.is_finite() {
                return Err(self.unfinished());
            }
            let mut share = 1.0;
            for _ in 0..HALVINGS {
                let tried: Vec<f64> = coef.iter().zip(&step).map(|(b, s)| b + share * s).collect();
                spare.copy_from_slice(&state.predictor);
                let mut next = state_at(&tried, spare)?;
                // What the whole step moves decides, not the part of it that was taken.
                next.reach /= share;
                if next.log_likelihood >= state.log_likelihood - 1e-12 * state.log_likelihood.abs() {
                    coef = tried;
                    spare = std::mem::replace(&mut state, next).predictor;
                    break;
                }
                spare = next.predictor;
                share /= 2.0;
            }
            iterations += 1;
        }
    }

    /// The iteration taken up again about the means of the columns under the weights that it ended with, where those that
    /// it began with are so far away that digits were lost: a row with a covariate of 999999 pulls a mean, and has hardly
    /// any weight once the model knows its outcome.
    pub fn about_its_own_means(
        &self,
        maximum: Maximum,
        iterate: impl Fn(&DesignMatrix<'_>, Start) -> Result<Option<Maximum>>,
    ) -> Result<Maximum> {
        let information = &maximum.state.information;
        let total = information[0][0];
        let far = |j: usize| {
            let kept = 1.0 - information[0][j] * (information[0][j] / (total * information[j][j]));
            kept < NEAR
        };
        if !self.x.has_intercept() || !(1..self.x.k()).any(far) {
            return Ok(maximum);
        }
        let off: Vec<f64> = information[0].iter().map(|sum| sum / total).collect();
        let Maximum { mut coef, mut center, iterations, .. } = maximum;
        for j in 1..self.x.k() {
            center[j] += off[j];
            coef[0] += coef[j] * off[j];
        }
        let again = iterate(self.x, Start { coef, center })?.ok_or_else(|| self.unfinished())?;
        Ok(Maximum { iterations: iterations + again.iterations, ..again })
    }

    /// For columns that are nearly collinear: the iteration on `Z = (X - center) W` of the linear fit, whose columns are
    /// orthonormal, and the way back.
    pub fn orthogonal(
        &self,
        start: &Estimates,
        iterate: impl Fn(&DesignMatrix<'_>, Start) -> Result<Option<Maximum>>,
    ) -> Result<Option<Maximum>> {
        let (x, k) = (self.x, self.x.k());
        let bread = &start.bread;
        let w: Vec<Vec<f64>> = bread.whitening().chunks_exact(k).map(<[f64]>::to_vec).collect();
        let mut z = Array2::zeros((x.n(), k));
        let mut row = vec![0.0; k];
        for (i, mut to) in z.outer_iter_mut().enumerate() {
            x.row(i, bread.center(), &mut row);
            for column in 0..k {
                to[column] = (0..=column).map(|j| row[j] * w[j][column]).sum();
            }
        }
        let design = DesignMatrix::new(z.view(), false);
        let zero = Start { coef: vec![0.0; k], center: vec![0.0; k] };
        let Some(inner) = iterate(&design, zero)? else { return Ok(None) };
        let coef: Vec<f64> = (0..k).map(|j| (j..k).map(|c| w[j][c] * inner.coef[c]).sum()).collect();
        let inner_whitening = self.expected(&design, &inner)?.unwrap_or(inner.whitening);
        let whitening = (0..k)
            .map(|j| {
                (0..k)
                    .map(|c| {
                        (j..=c.max(j)).filter(|&m| m <= c).map(|m| w[j][m] * inner_whitening[m][c]).sum()
                    })
                    .collect()
            })
            .collect();
        let center = bread.center().to_vec();
        Ok(Some(Maximum {
            coef,
            center,
            whitening,
            state: inner.state,
            iterations: inner.iterations,
            tolerance: inner.tolerance,
        }))
    }

    /// The factor of the inverse of the expected information, where the iteration had the observed one.
    pub fn expected(&self, x: &DesignMatrix<'_>, maximum: &Maximum) -> Result<Option<Vec<Vec<f64>>>> {
        if self.family.is_canonical() {
            return Ok(None);
        }
        let y = self.y;
        let mut roots = self.family.ends(&maximum.state.predictor, &|i| y[i])?.roots;
        if let Some(weights) = self.weights {
            roots.iter_mut().zip(weights).for_each(|(root, w)| *root *= w.sqrt());
        }
        let information = cross_products(x, &maximum.center, None, Some(&roots))?;
        let information: Vec<Vec<f64>> = information.outer_iter().map(|row| row.to_vec()).collect();
        Ok(factor(&information, 1e-8).ok().map(|found| found.inverse))
    }

    /// The error of an iteration that does not settle.
    pub fn unfinished(&self) -> crate::Error {
        separation(self.x, self.y, self.weights).unwrap_or_else(|| {
            Fault::new(format!("the likelihood of the {} did not settle within {STEPS} steps", self.family.name()))
                .remedy("Rescale columns of very different sizes, or leave out the ones that predict the outcome almost perfectly")
                .convergence()
        })
    }
}
