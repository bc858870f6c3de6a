//! A fitted model and the questions that can be put to it, the same for every model.

use ndarray::ArrayView2;

use crate::Result;
use crate::inference::{
    Clusters, Contrasts, Covariance, DfRule, Estimates, Vcov, Wald, contrasts, covariance, wald,
};
use crate::linalg::DesignMatrix;

/// What every model's summary holds.
pub trait Summary {
    /// Coefficients, whitening and residuals, for inference.
    fn estimates(&self) -> &Estimates;
}

/// A fitted regression, still borrowing its columns so that any covariance can follow without refitting.
#[derive(Debug, Clone)]
pub struct Fit<'a, S> {
    x: DesignMatrix<'a>,
    summary: S,
}

impl<'a, S: Summary> Fit<'a, S> {
    pub(super) fn new(x: DesignMatrix<'a>, summary: S) -> Self {
        Self { x, summary }
    }

    /// The coefficients, length k, the intercept first.
    pub fn coef(&self) -> &[f64] {
        &self.summary.estimates().coef
    }

    /// Everything about the fit but the data.
    pub fn summary(&self) -> &S {
        &self.summary
    }

    /// The covariance of the coefficients under a definition of [`Vcov`].
    ///
    /// # Errors
    /// As [`covariance`].
    pub fn vcov(&self, kind: Vcov, clusters: Option<&Clusters>) -> Result<Covariance> {
        covariance(&self.x, self.summary.estimates(), kind, clusters, DfRule::Default)
    }

    /// Every row of `matrix` (m x k) as a contrast of the coefficients, with intervals at `level`.
    ///
    /// # Errors
    /// As [`contrasts()`].
    pub fn contrasts(
        &self,
        covariance: &Covariance,
        clusters: Option<&Clusters>,
        matrix: ArrayView2<'_, f64>,
        level: f64,
    ) -> Result<Contrasts> {
        contrasts(&self.x, self.summary.estimates(), covariance, clusters, matrix, level)
    }

    /// The joint test that every row of `matrix` (q x k) gives zero.
    ///
    /// # Errors
    /// As [`wald()`].
    pub fn wald(
        &self,
        covariance: &Covariance,
        clusters: Option<&Clusters>,
        matrix: ArrayView2<'_, f64>,
    ) -> Result<Wald> {
        wald(&self.x, self.summary.estimates(), covariance, clusters, matrix)
    }
}
