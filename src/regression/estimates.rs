//! What a regression holds of its rows after the fit.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use crate::Result;
use crate::inference::{Bread, Link, Reference, Target};
use crate::linalg::DesignMatrix;

static FITS: AtomicU64 = AtomicU64::new(1);

/// A number that no other fit of this process has.
pub(crate) fn new_id() -> u64 {
    FITS.fetch_add(1, Ordering::Relaxed)
}

/// A fitted linear predictor; k coefficients, n rows.
///
/// ```
/// use crewe::regression::Ols;
/// use ndarray::array;
/// let (y, x) = (array![1.0, 2.0, 4.0], array![[0.0], [0.0], [1.0]]);
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// let estimates = &fit.summary().estimates;
/// assert_eq!((estimates.n(), estimates.k(), estimates.df_residual()), (3, 2, 1.0));
/// assert!((estimates.residuals[0] + 0.5).abs() < 1e-15);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Estimates {
    /// The names of the terms, length k.
    pub names: Vec<String>,
    /// The coefficients, length k.
    pub coef: Vec<f64>,
    /// The factor of the inverse information.
    #[serde(skip)]
    pub bread: Bread,
    /// Residuals on the scale of the outcome, `y - mu`, length n.
    pub residuals: Vec<f64>,
    /// The factors of the rows' scores where they are not the residuals, length n.
    #[serde(skip)]
    pub(crate) factors: Option<Vec<f64>>,
    /// Roots of the rows' weights in the information, length n; none where they are all 1.
    #[serde(skip)]
    pub(crate) roots: Option<Vec<f64>>,
    /// Working variances of the rows, where they are not the squares of the roots.
    #[serde(skip)]
    pub(crate) variances: Option<Vec<f64>>,
    #[serde(skip)]
    pub(crate) target: Target,
    /// Rows with a weight above 0.
    pub(crate) counted: usize,
    /// The distribution that tests refer to.
    pub reference: Reference,
    #[serde(skip)]
    pub(crate) link: &'static dyn Link,
    /// The least share of its variance that a column keeps beside the others.
    #[serde(skip)]
    pub(crate) tolerance: f64,
    /// Whether the scores are those of a penalised likelihood.
    #[serde(skip)]
    pub(crate) penalised: bool,
    /// Why the model-based covariance does not exist, where it does not.
    #[serde(skip)]
    pub(crate) no_model: Option<&'static str>,
    #[serde(skip)]
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

/// How a model is fitted again to some of its rows.
pub trait Refit: Send + Sync {
    /// The weights that the model was fitted with.
    fn weights(&self) -> Option<&[f64]>;

    /// The coefficients with other weights.
    ///
    /// # Errors
    /// As fitting the model.
    fn refit(&self, x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: &[f64]) -> Result<Vec<f64>>;

    /// As [`Refit::refit`], of the model whose columns are less the centre of `bread`.
    ///
    /// # Errors
    /// As fitting the model.
    fn refit_centred(
        &self,
        x: &DesignMatrix<'_>,
        y: ArrayView1<'_, f64>,
        weights: &[f64],
        bread: &Bread,
    ) -> Result<Vec<f64>> {
        let coef = self.refit(x, y, weights)?;
        let none = vec![0.0; coef.len()];
        Ok(bread.recentred(coef, &none))
    }

    /// The likelihood maximised over the coefficients of `x` (m x k) beside an offset a row; none for least squares.
    ///
    /// # Errors
    /// As fitting the model.
    fn beside(
        &self,
        _x: ArrayView2<'_, f64>,
        _y: &[f64],
        _weights: Option<&[f64]>,
        _offset: &[f64],
    ) -> Result<Option<Scored>> {
        Ok(None)
    }
}

/// The rows of a model at its maximum.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scored {
    /// `w (y - mu) mu' / v`, whose sum with a column is the score of that column.
    pub residual: Vec<f64>,
    /// `w mu'^2 / v`, the weights in the expected information.
    pub weight: Vec<f64>,
}
