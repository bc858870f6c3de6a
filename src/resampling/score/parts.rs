//! From the parts of a score, by assignment, to the statistic.

use nalgebra::{DMatrix, DVector};

use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::sums::Written;

/// What a model gives for an assignment: m = arms - 1 indicators.
pub(super) trait Parts: Sync {
    /// Units that have rows.
    fn units(&self) -> usize;

    /// Writes `U` (m), `A` (m x m by rows) and `u_g` (units x m by rows) for the arms of the units; false where the arms
    /// have no such statistic. `numbers` is space to work in.
    fn write(&self, arm: &[u8], numbers: &mut Vec<f64>, into: &mut Written) -> bool;
}

/// The score of the arms, for every assignment.
pub(in crate::resampling) struct Score {
    pub(super) parts: Box<dyn Parts>,
    /// Arms but the reference.
    pub(super) m: usize,
    pub(super) studentised: bool,
    /// The step from no effect of which an effect counts as large: a standard deviation of the outcomes, or 1.
    pub(in crate::resampling) scale: f64,
}

/// An arm whose indicator the covariates leave less than this share of has no coefficient.
const NOTHING: f64 = 1e-9;

impl Score {
    /// How many arms there are.
    pub(in crate::resampling) fn arms(&self) -> usize {
        self.m + 1
    }

    /// Makes it one step from no effect to the coefficients.
    pub(in crate::resampling) fn unstudentised(&mut self) {
        self.studentised = false;
    }

    /// G / (G - 1) over the units with rows.
    fn factor(&self) -> f64 {
        let units = self.parts.units() as f64;
        units / (units - 1.0)
    }

    fn one(&self, parts: &Written) -> f64 {
        let (u, a) = (parts.score[0], parts.information[0]);
        if !self.studentised {
            return u / a;
        }
        let squares = parts.by_unit.iter().map(|u| u * u).sum::<f64>();
        over_root(u, self.factor() * squares)
    }

    /// Statistics of every arm, then that of all arms together.
    fn several(&self, parts: &Written, values: &mut [f64]) {
        let m = self.m;
        let information = DMatrix::from_row_slice(m, m, &parts.information);
        let score = DVector::from_column_slice(&parts.score);
        let Some(inverse) = information.try_inverse() else {
            values.fill(f64::NAN);
            return;
        };
        let step = &inverse * &score;
        if !self.studentised {
            values[..m].copy_from_slice(step.as_slice());
            values[m] = step.dot(&score);
            return;
        }
        let mut middle = DMatrix::zeros(m, m);
        for unit in parts.by_unit.chunks_exact(m) {
            for a in 0..m {
                for b in 0..m {
                    middle[(a, b)] += unit[a] * unit[b];
                }
            }
        }
        middle *= self.factor();
        let variance = &inverse * &middle * &inverse;
        for j in 0..m {
            values[j] = over_root(step[j], variance[(j, j)]);
        }
        values[m] = match middle.cholesky() {
            Some(factor) => factor.solve(&score).dot(&score),
            None => f64::NAN,
        };
    }
}

/// What has no variance is infinitely far from 0, unless it is 0.
fn over_root(value: f64, variance: f64) -> f64 {
    if variance > 0.0 || value != 0.0 { value / variance.sqrt() } else { 0.0 }
}

impl Evaluate for Score {
    fn width(&self) -> usize {
        if self.m == 1 { 1 } else { self.m + 1 }
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        let Room { numbers, written, .. } = room;
        written.reset(self.m, self.parts.units());
        let defined = self.parts.write(arm, numbers, written);
        let own = |j: usize| written.information[j * self.m + j];
        if !defined || (0..self.m).any(|j| own(j).is_nan() || own(j) <= 0.0) {
            values.fill(f64::NAN);
            return;
        }
        if self.m == 1 {
            values[0] = self.one(written);
        } else {
            self.several(written, values);
        }
    }
}

/// The information of an indicator, or 0 where covariates imply the arm: only rounding is left of it then.
pub(super) fn left(whole: f64, within: f64) -> f64 {
    let left = whole - within;
    if left > NOTHING * whole { left } else { 0.0 }
}
