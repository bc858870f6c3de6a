//! Leverage and outer products where one factor has very many levels: in a basis that takes them up.
//!
//! The columns of the levels and the other columns, less their (weighted) means within each level, span what the design
//! spans, and the two parts are orthogonal: a row of level l is `(e_l / sqrt(n_l), V'(d - mean_l))` with `V V'` the
//! inverse of the cross-products within levels. So its leverage is `1 / n_l` and a form in the p other columns, and the
//! norm of a sum of outer products falls into parts of size L, L p and p^2. Nothing takes the cube of the levels.

use ndarray::Array2;

use super::estimates::Estimates;
use crate::Result;
use crate::linalg::DesignMatrix;
use crate::linalg::factor::factor;
use crate::progress::{Pace, watcher};

/// The rows in that basis.
#[derive(Debug)]
pub(super) struct Absorbed {
    level: Vec<u32>,
    /// The weight of each level.
    size: Vec<f64>,
    /// The other columns within levels, whitened, n x p by rows, without the rows' own weights.
    within: Array2<f64>,
}

impl Absorbed {
    /// Nothing where there is no such factor, no intercept, or no more digits to be had within levels.
    pub fn new(x: &DesignMatrix<'_>, estimates: &Estimates) -> Option<Self> {
        let indicators = x.indicators()?;
        if !x.has_intercept() {
            return None;
        }
        let level = indicators.level.clone();
        let others = indicators.others(x.columns().ncols());
        let (n, p, levels) = (x.n(), others.len(), indicators.columns.len() + 1);
        let weight = |i: usize| estimates.root(i) * estimates.root(i);
        let (high, low) = (estimates.bread.center(), estimates.bread.center_rest());
        let mut within = Array2::zeros((n, p));
        let mut size = vec![0.0; levels];
        let mut means = Array2::<f64>::zeros((levels, p));
        for i in 0..n {
            let l = level[i] as usize;
            size[l] += weight(i);
            let stored = x.stored(i);
            for (a, &j) in others.iter().enumerate() {
                let value = (stored[j] - high[j + 1]) - low[j + 1];
                within[(i, a)] = value;
                means[(l, a)] += weight(i) * value;
            }
        }
        for (mut mean, &size) in means.outer_iter_mut().zip(&size) {
            if size > 0.0 {
                mean /= size;
            }
        }
        for i in 0..n {
            let mut row = within.row_mut(i);
            row -= &means.row(level[i] as usize);
        }
        if p > 0 {
            let weighted = Array2::from_shape_fn((n, p), |(i, a)| estimates.root(i) * within[(i, a)]);
            let gram = weighted.t().dot(&weighted);
            let gram: Vec<Vec<f64>> = gram.outer_iter().map(|row| row.to_vec()).collect();
            let found = factor(&gram, 1e-11).ok().filter(|found| found.tolerance > 1e-4)?;
            let v = Array2::from_shape_fn((p, p), |(a, b)| found.inverse[a][b]);
            within = within.dot(&v);
        }
        Some(Self { level, size, within })
    }

    /// The leverage of each row, without its own weight.
    pub fn leverage(&self, i: usize) -> f64 {
        1.0 / self.size[self.level[i] as usize] + self.within.row(i).iter().map(|z| z * z).sum::<f64>()
    }

    /// `|| sum of f^2 b b' ||^2` over rows b of the basis.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when whoever watches stops the work.
    pub fn outer_norm(&self, factors: &[f64]) -> Result<f64> {
        let watcher = watcher();
        let mut pace = Pace::new(&watcher);
        let p = self.within.ncols();
        let mut own = vec![0.0; self.size.len()];
        let mut mixed = Array2::<f64>::zeros((self.size.len(), p));
        let mut inner = Array2::<f64>::zeros((p, p));
        for ((row, &l), f) in self.within.outer_iter().zip(&self.level).zip(factors) {
            let weight = f * f;
            pace.by(p * p)?;
            own[l as usize] += weight;
            for a in 0..p {
                let value = weight * row[a];
                mixed[(l as usize, a)] += value;
                for b in a..p {
                    inner[(a, b)] += value * row[b];
                }
            }
        }
        let levels: f64 =
            own.iter().zip(&self.size).filter(|(_, s)| **s > 0.0).map(|(o, s)| (o / s).powi(2)).sum();
        let mixed: f64 = mixed
            .outer_iter()
            .zip(&self.size)
            .filter(|(_, s)| **s > 0.0)
            .map(|(row, s)| row.iter().map(|v| v * v).sum::<f64>() / s)
            .sum();
        let inner: f64 = (0..p)
            .map(|a| (a..p).map(|b| inner[(a, b)].powi(2) * if a == b { 1.0 } else { 2.0 }).sum::<f64>())
            .sum();
        Ok(levels + 2.0 * mixed + inner)
    }
}
