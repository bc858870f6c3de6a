//! How far apart the arms are on covariates: the score by which assignments are chosen.
//!
//! With covariates z of n units, centred, sums S_jk over the n_j units of arm j and whole-number weights w_k,
//!
//! score = c sum_k w_k sum_j S_jk^2 / n_j = c sum_k w_k sum_j n_j (mean_jk - mean_k)^2.
//!
//! Standardised columns and c = n / 4 give the score of constrained randomisation ([`crate::design::constrained`]); columns
//! whitened by their covariance and c = 1 give the Mahalanobis distance of rerandomisation ([`crate::design::rerandomised`]) and,
//! between two units, that of matching ([`crate::design::matched`]).
//!
//! Every sum runs over the units in canonical order, without fused or reordered operations, and nothing but the
//! basic operations and the square root is used, which are exact by IEEE 754: the bits are the same on every platform.
//! Categories become one column of 0 and 1 for each level but the first in bytewise order.

use crate::design::units::Units;
use crate::design::units::baseline::absent;
use crate::ties::{self, Sameness};
use crate::{Fault, Result};

/// A column is a combination of others where less than this share of its variance is left.
const DEPENDENT: f64 = 1e-10;

/// Covariates of units as numbers.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// The names; a level of a category is `column = level`.
    pub names: Vec<String>,
    /// The weight of each.
    pub weights: Vec<f64>,
    /// Units x columns, row after row.
    pub values: Vec<f64>,
}

impl Columns {
    /// The covariates of these names and weights.
    pub fn new<'a>(units: &Units, on: impl IntoIterator<Item = (&'a str, u32)>) -> Result<Self> {
        let mut made: Vec<Vec<f64>> = Vec::new();
        let (mut names, mut weights) = (Vec::new(), Vec::new());
        for (column, weight) in on {
            if let Some(covariate) = units.covariates().iter().find(|c| c.name == column) {
                refuse_constant(column, !ties::varies(&covariate.values))?;
                names.push(column.to_owned());
                weights.push(f64::from(weight));
                made.push(covariate.values.clone());
            } else if let Some(factor) = units.factors().iter().find(|f| f.name == column) {
                refuse_constant(column, factor.levels.len() < 2)?;
                for (level, name) in factor.levels.iter().enumerate().skip(1) {
                    names.push(format!("{column} = {name}"));
                    weights.push(f64::from(weight));
                    let is = |&here: &u32| f64::from(u8::from(here as usize == level));
                    made.push(factor.level.iter().map(is).collect());
                }
            } else {
                return Err(absent(column));
            }
        }
        let values = (0..units.len()).flat_map(|unit| made.iter().map(move |column| column[unit])).collect();
        Ok(Self { names, weights, values })
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// The columns less their means.
    fn centred(&self) -> Vec<f64> {
        let k = self.width();
        let n = self.values.len() / k;
        let mut values = self.values.clone();
        for column in 0..k {
            let mean = (0..n).fold(0.0, |sum, unit| sum + self.values[unit * k + column]) / n as f64;
            for unit in 0..n {
                values[unit * k + column] -= mean;
            }
        }
        values
    }

    /// The columns centred and divided by their standard deviations, which have n - 1.
    pub fn standardised(&self) -> Vec<f64> {
        let k = self.width();
        let mut values = self.centred();
        let n = values.len() / k;
        for column in 0..k {
            let squares =
                (0..n).fold(0.0, |sum, unit| sum + values[unit * k + column] * values[unit * k + column]);
            let sd = (squares / (n as f64 - 1.0)).sqrt();
            for unit in 0..n {
                values[unit * k + column] /= sd;
            }
        }
        values
    }

    /// The columns centred and multiplied by the inverse root of their covariance within strata, so that squared
    /// distances between rows are Mahalanobis distances.
    ///
    /// The covariance is pooled over strata, sum_s sum_i (x_i - mean_s)(x_i - mean_s)' / (n - number of strata): what
    /// differs between strata is not left to the draw.
    pub fn whitened(&self, strata: &[Vec<u32>]) -> Result<Vec<f64>> {
        let k = self.width();
        let n = self.values.len() / k;
        let free = n.saturating_sub(strata.len());
        if free == 0 {
            return Err(Fault::new(
                "every stratum has one unit, so covariates have no covariance within strata",
            )
            .values([format!("{n} units in {} strata", strata.len())])
            .remedy("Use fewer strata")
            .rank());
        }
        self.refuse_constant_within(strata)?;
        let mut within = self.values.clone();
        for members in strata {
            for column in 0..k {
                let at = |&unit: &u32| unit as usize * k + column;
                let sum = members.iter().fold(0.0, |sum, unit| sum + self.values[at(unit)]);
                let mean = sum / members.len() as f64;
                members.iter().for_each(|unit| within[at(unit)] -= mean);
            }
        }
        let mut covariance = vec![0.0; k * k];
        for row in 0..k {
            for column in 0..=row {
                let sum =
                    (0..n).fold(0.0, |sum, unit| sum + within[unit * k + row] * within[unit * k + column]);
                covariance[row * k + column] = sum / free as f64;
            }
        }
        let root = self.cholesky(&covariance)?;
        let mut values = self.centred();
        for row in values.chunks_mut(k) {
            // Solves L y = x.
            for i in 0..k {
                let known = (0..i).fold(0.0, |sum, j| sum + root[i * k + j] * row[j]);
                row[i] = (row[i] - known) / root[i * k + i];
            }
        }
        Ok(values)
    }

    /// Refuses a column that has one value in each stratum, up to rounding: the strata balance it already.
    ///
    /// Its variance would not tell: the mean of three times `.1` is not `.1`.
    pub fn refuse_constant_within(&self, strata: &[Vec<u32>]) -> Result<()> {
        let k = self.width();
        for (column, name) in self.names.iter().enumerate() {
            let values: Vec<f64> = self.values.iter().skip(column).step_by(k).copied().collect();
            let rule = Sameness::of(&values);
            if !strata.iter().any(|members| rule.varies(members.iter().map(|&unit| values[unit as usize]))) {
                return Err(Fault::new("a covariate does not vary within strata")
                    .column(name)
                    .remedy("Leave it out: the strata balance it already")
                    .rank());
            }
        }
        Ok(())
    }

    /// The lower root L of a covariance, L L' = S.
    fn cholesky(&self, covariance: &[f64]) -> Result<Vec<f64>> {
        let k = self.width();
        let mut root = vec![0.0; k * k];
        for i in 0..k {
            for j in 0..i {
                let known = (0..j).fold(0.0, |sum, m| sum + root[i * k + m] * root[j * k + m]);
                root[i * k + j] = (covariance[i * k + j] - known) / root[j * k + j];
            }
            let variance = covariance[i * k + i];
            let left = (0..i).fold(variance, |left, m| left - root[i * k + m] * root[i * k + m]);
            if left <= DEPENDENT * variance {
                return Err(Fault::new(
                    "a covariate is a combination of others, so distances are not defined",
                )
                .column(&self.names[i])
                .values(self.involved(&root, i))
                .remedy("Leave one of them out")
                .rank());
            }
            root[i * k + i] = left.sqrt();
        }
        Ok(root)
    }

    /// The columns before the i-th that make it up: those with a coefficient in its regression on them.
    fn involved(&self, root: &[f64], i: usize) -> Vec<String> {
        let k = self.width();
        let mut coefficients: Vec<f64> = root[i * k..i * k + i].to_vec();
        for row in (0..i).rev() {
            coefficients[row] /= root[row * k + row];
            for j in 0..row {
                coefficients[j] -= root[row * k + j] * coefficients[row];
            }
        }
        let share = |j: usize| {
            (coefficients[j] * root[j * k + j]
                / root[i * k..i * k + i].iter().fold(0.0, |m: f64, x| m.max(x.abs())))
            .abs()
        };
        (0..i).filter(|&j| share(j) > 1e-6).map(|j| self.names[j].clone()).collect()
    }
}

fn refuse_constant(column: &str, constant: bool) -> Result<()> {
    if !constant {
        return Ok(());
    }
    Err(Fault::new("a covariate has the same value for every unit")
        .column(column)
        .remedy("Leave it out: there is nothing to balance")
        .rank())
}

/// The score of assignments.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    /// The number of columns.
    pub k: usize,
    /// The number of arms.
    pub arms: usize,
    /// Units x columns, centred.
    pub z: Vec<f64>,
    /// The weight of each column.
    pub weights: Vec<f64>,
    /// The factor c.
    pub scale: f64,
}

impl Score {
    /// The score of constrained randomisation.
    pub fn balance(columns: &Columns, arms: usize) -> Self {
        let z = columns.standardised();
        let scale = (z.len() / columns.width()) as f64 / 4.0;
        Self { k: columns.width(), arms, z, weights: columns.weights.clone(), scale }
    }

    /// The Mahalanobis distance between the arms.
    pub fn mahalanobis(columns: &Columns, arms: usize, strata: &[Vec<u32>]) -> Result<Self> {
        let z = columns.whitened(strata)?;
        Ok(Self { k: columns.width(), arms, z, weights: vec![1.0; columns.width()], scale: 1.0 })
    }

    /// The row of a unit.
    pub fn row(&self, unit: usize) -> &[f64] {
        &self.z[unit * self.k..(unit + 1) * self.k]
    }

    /// The score of an assignment. `sums` and `counts` are room to work in.
    pub fn of(&self, arm: &[u8], sums: &mut Vec<f64>, counts: &mut Vec<u64>) -> f64 {
        sums.clear();
        sums.resize((self.arms - 1) * self.k, 0.0);
        counts.clear();
        counts.resize(self.arms, 0);
        for (unit, &arm) in arm.iter().enumerate() {
            let arm = usize::from(arm);
            counts[arm] += 1;
            // The last arm's sums are what is missing to zero.
            if arm + 1 < self.arms {
                for (sum, value) in sums[arm * self.k..].iter_mut().zip(self.row(unit)) {
                    *sum += value;
                }
            }
        }
        self.of_sums(sums, counts)
    }

    /// The score from the sums of all arms but the last, arms x columns; infinite where an arm is empty.
    #[inline]
    pub fn of_sums(&self, sums: &[f64], counts: &[u64]) -> f64 {
        if counts.contains(&0) {
            return f64::INFINITY;
        }
        if let [first, second] = *counts {
            let squares =
                sums.iter().zip(&self.weights).fold(0.0, |all, (sum, weight)| all + weight * (sum * sum));
            return self.scale * (1.0 / first as f64 + 1.0 / second as f64) * squares;
        }
        let mut all = 0.0;
        for k in 0..self.k {
            let (mut last, mut here) = (0.0, 0.0);
            for arm in 0..self.arms - 1 {
                let sum = sums[arm * self.k + k];
                last -= sum;
                here += sum * sum / counts[arm] as f64;
            }
            all += self.weights[k] * (here + last * last / counts[self.arms - 1] as f64);
        }
        self.scale * all
    }
}
