//! From the parts of a score, by assignment, to the statistic.

use nalgebra::{DMatrix, DVector};

use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::sums::Written;

/// The score of the second of two arms, which has information, and the sum of squares of its parts by unit.
pub(super) struct One {
    pub score: f64,
    pub squares: f64,
}

/// Assignments that a model may look at side by side.
pub(super) const LANES: usize = 4;

/// What a model gives for an assignment: m = arms - 1 indicators.
pub(super) trait Parts: Sync {
    /// Units that have rows.
    fn units(&self) -> usize;

    /// Writes `U` (m), `A` (m x m by rows) and `u_g` (units x m by rows) for the arms of the units; false where the arms
    /// have no such statistic. `numbers` is space to work in.
    fn write(&self, arm: &[u8], numbers: &mut Vec<f64>, into: &mut Written) -> bool;

    /// The same of two arms without parts by unit, where there is a short way and the arm has information.
    fn one(&self, _arm: &[u8], _numbers: &mut Vec<f64>) -> Option<One> {
        None
    }

    /// The same of four assignments, each as if it were alone.
    fn four(&self, arms: [&[u8]; LANES], numbers: &mut Vec<f64>) -> [Option<One>; LANES] {
        arms.map(|arm| self.one(arm, numbers))
    }
}

/// The score of the arms, for every assignment.
pub(in crate::resampling) struct Score {
    pub(super) parts: Box<dyn Parts>,
    /// How many arms there are.
    pub(super) arms: usize,
    /// Columns that hold an arm: the arms but the reference, each beside its products.
    pub(super) m: usize,
    /// What is compared, as weights of these columns; the first of every arm where nothing is said.
    pub(super) targets: Option<Vec<Vec<f64>>>,
    pub(super) studentised: bool,
    /// The step from no effect of which an effect counts as large: a standard deviation of the outcomes, or 1.
    pub(in crate::resampling) scale: f64,
}

/// An arm whose indicator the covariates leave less than this share of has no coefficient.
const NOTHING: f64 = 1e-9;

impl Score {
    /// How many comparisons are made.
    pub(in crate::resampling) fn comparisons(&self) -> usize {
        self.targets.as_ref().map_or(self.arms - 1, Vec::len)
    }

    /// How much an effect of 1 in every treated row adds to the only comparison of two arms; nothing of several, or where
    /// it adds nothing.
    pub(in crate::resampling) fn of_an_effect(&self) -> Option<f64> {
        if self.arms != 2 || self.comparisons() != 1 {
            return None;
        }
        let weight = self.targets.as_ref().map_or(1.0, |targets| targets[0][0]);
        (weight > 0.0).then_some(weight)
    }

    /// Makes it one step from no effect to the coefficients.
    pub(in crate::resampling) fn unstudentised(&mut self) {
        self.studentised = false;
    }

    /// Whether the short way of a model leads to it.
    fn is_short(&self) -> bool {
        self.m == 1 && self.targets.is_none() && self.studentised
    }

    /// The values of an assignment, by the short way where that was open to it.
    pub(super) fn value(&self, one: Option<One>, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        if let Some(One { score, squares }) = one {
            values[0] = over_root(score, self.factor() * squares);
            return;
        }
        let Room { numbers, written, .. } = room;
        written.reset(self.m, self.parts.units());
        let defined = self.parts.write(arm, numbers, written);
        let own = |j: usize| written.information[j * self.m + j];
        if !defined || (0..self.m).any(|j| own(j).is_nan() || own(j) <= 0.0) {
            values.fill(f64::NAN);
            return;
        }
        if self.m == 1 && self.targets.is_none() {
            values[0] = self.one(written);
        } else {
            self.several(written, values);
        }
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

    /// Statistics of every comparison, then, where none was asked for, that of all arms together.
    fn several(&self, parts: &Written, values: &mut [f64]) {
        let m = self.m;
        let information = DMatrix::from_row_slice(m, m, &parts.information);
        let score = DVector::from_column_slice(&parts.score);
        let Some(inverse) = inverse(&information) else {
            values.fill(f64::NAN);
            return;
        };
        let step = &inverse * &score;
        let own = |k: usize| match &self.targets {
            Some(targets) => DVector::from_column_slice(&targets[k]),
            None => DVector::from_fn(m, |at, _| f64::from(u8::from(at == k * (m / (self.arms - 1))))),
        };
        let comparisons = self.comparisons();
        let mut middle = DMatrix::zeros(m, m);
        if self.studentised {
            for unit in parts.by_unit.chunks_exact(m) {
                for a in 0..m {
                    for b in 0..m {
                        middle[(a, b)] += unit[a] * unit[b];
                    }
                }
            }
            middle *= self.factor();
        }
        for (k, value) in values[..comparisons].iter_mut().enumerate() {
            let target = own(k);
            *value = target.dot(&step);
            if self.studentised {
                let through = &inverse * &target;
                *value = over_root(*value, through.dot(&(&middle * &through)));
            }
        }
        if !self.omnibus() {
            return;
        }
        values[comparisons] = if self.studentised {
            middle.cholesky().map_or(f64::NAN, |factor| factor.solve(&score).dot(&score))
        } else {
            step.dot(&score)
        };
    }
}

/// The inverse of an information whose columns are not implied by one another.
fn inverse(information: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let m = information.nrows();
    let root = DVector::from_fn(m, |j, _| information[(j, j)].sqrt());
    let scaled = DMatrix::from_fn(m, m, |j, l| information[(j, l)] / (root[j] * root[l]));
    let factor = scaled.cholesky()?;
    if (0..m).any(|j| factor.l_dirty()[(j, j)].powi(2) <= NOTHING) {
        return None;
    }
    let inverse = factor.inverse();
    Some(DMatrix::from_fn(m, m, |j, l| inverse[(j, l)] / (root[j] * root[l])))
}

/// What has no variance is infinitely far from 0, unless it is 0.
fn over_root(value: f64, variance: f64) -> f64 {
    if variance > 0.0 || value != 0.0 { value / variance.sqrt() } else { 0.0 }
}

impl Evaluate for Score {
    fn width(&self) -> usize {
        self.comparisons() + usize::from(self.omnibus())
    }

    fn omnibus(&self) -> bool {
        self.targets.is_none() && self.arms > 2
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        let one = if self.is_short() { self.parts.one(arm, &mut room.numbers) } else { None };
        self.value(one, arm, room, values);
    }

    fn abreast(&self) -> usize {
        LANES
    }

    fn evaluate_abreast(&self, arms: &[u8], units: usize, room: &mut Room, values: &mut [f64]) {
        let width = self.width();
        let last = values.len() / width - 1;
        let arm = |row: usize| &arms[row * units..(row + 1) * units];
        let ones = if self.is_short() {
            // Lanes that nobody asks for repeat the last one.
            self.parts.four(std::array::from_fn(|lane| arm(lane.min(last))), &mut room.numbers)
        } else {
            Default::default()
        };
        for ((row, values), one) in values.chunks_exact_mut(width).enumerate().zip(ones) {
            self.value(one, arm(row), room, values);
        }
    }
}

/// The information of a column, or 0 where covariates imply it: only rounding is left of it then.
pub(super) fn left(whole: f64, within: f64) -> f64 {
    let left = whole - within;
    if left > NOTHING * whole { left } else { 0.0 }
}
