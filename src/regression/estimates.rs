//! What a regression holds of its rows after the fit.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::inference::{Bread, Link, Reference, Target};

static FITS: AtomicU64 = AtomicU64::new(1);

/// A number that no other fit of this process has.
pub(crate) fn new_id() -> u64 {
    FITS.fetch_add(1, Ordering::Relaxed)
}

/// A fitted linear predictor; k coefficients, n rows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Estimates {
    /// The names of the terms, length k.
    pub names: Vec<String>,
    /// The coefficients, length k.
    pub coef: Vec<f64>,
    /// The factor of the inverse information.
    pub bread: Bread,
    /// Residuals on the scale of the outcome, `y - mu`, length n.
    pub residuals: Vec<f64>,
    /// The factors of the rows' scores where they are not the residuals, length n.
    pub(crate) factors: Option<Vec<f64>>,
    /// Roots of the rows' weights in the information, length n; none where they are all 1.
    pub(crate) roots: Option<Vec<f64>>,
    /// Working variances of the rows, where they are not the squares of the roots.
    pub(crate) variances: Option<Vec<f64>>,
    pub(crate) target: Target,
    /// Rows with a weight above 0.
    pub(crate) counted: usize,
    /// The distribution that tests refer to.
    pub reference: Reference,
    pub(crate) link: &'static dyn Link,
    /// Why the model-based covariance does not exist, where it does not.
    pub(crate) no_model: Option<&'static str>,
    pub(crate) id: u64,
}

impl Estimates {
    /// Coefficients.
    pub fn k(&self) -> usize {
        self.coef.len()
    }

    /// Rows with a weight above 0.
    pub fn n(&self) -> usize {
        self.counted
    }

    /// n - k.
    pub fn df_residual(&self) -> f64 {
        self.n() as f64 - self.k() as f64
    }

    /// The factor of the score of every row.
    pub(crate) fn score_factors(&self) -> &[f64] {
        self.factors.as_deref().unwrap_or(&self.residuals)
    }

    pub(crate) fn root(&self, i: usize) -> f64 {
        self.roots.as_ref().map_or(1.0, |roots| roots[i])
    }
}
