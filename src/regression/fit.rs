//! A fitted model and the questions that can be put to it, the same for every model.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};

use super::estimates::{Estimates, Refit};
use super::rows::Rows;
use crate::inference::{Clusters, Covariance, DfRule, Sandwich, Vcov, covariance};
use crate::linalg::DesignMatrix;
use crate::{Fault, Result};

/// What every model's summary holds.
pub trait Summary: Refit {
    /// Coefficients, whitening and residuals, for inference.
    fn estimates(&self) -> &Estimates;
}

/// A fitted regression, still borrowing its columns so that any covariance can follow without refitting.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::regression::Ols;
/// use ndarray::array;
/// let (y, x) = (array![1.0, 2.0, 4.0, 5.0], array![[0.0], [0.0], [1.0], [1.0]]);
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// assert!(fit.vcov(Vcov::Hc1, None)?.coefficients(0.95)?.p_value[1] < 0.1);
/// assert!((fit.predict(array![[1.0]].view(), false)?[0] - 4.5).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Fit<'a, S> {
    x: DesignMatrix<'a>,
    y: ArrayView1<'a, f64>,
    summary: Arc<S>,
}

impl<'a, S: Summary> Fit<'a, S> {
    /// A fit beside the columns and the outcome that it was made from: for programs that keep the data elsewhere.
    pub fn resume(x: DesignMatrix<'a>, y: ArrayView1<'a, f64>, summary: Arc<S>) -> Self {
        Self { x, y, summary }
    }

    /// The columns and the outcome that it was made from.
    pub(super) fn data(&self) -> (&DesignMatrix<'a>, ArrayView1<'a, f64>) {
        (&self.x, self.y)
    }

    /// The coefficients, length k, the intercept first.
    pub fn coef(&self) -> &[f64] {
        &self.summary.estimates().coef
    }

    /// Everything about the fit but the data.
    pub fn summary(&self) -> &S {
        &self.summary
    }

    /// The covariance of the coefficients under a definition of [`Vcov`]; `clusters` are those of the rows, where the
    /// definition needs any.
    ///
    /// # Errors
    /// As [`covariance()`], and [`crate::Error::Input`] for clusters of another number of rows.
    pub fn vcov(&self, kind: Vcov, clusters: Option<&Clusters>) -> Result<Covariance<'_>> {
        self.vcov_with(kind, clusters, DfRule::Default)
    }

    /// As [`Fit::vcov`], with another rule for the degrees of freedom.
    ///
    /// # Errors
    /// As [`Fit::vcov`].
    pub fn vcov_with(&self, kind: Vcov, clusters: Option<&Clusters>, rule: DfRule) -> Result<Covariance<'_>> {
        let clusters = clusters.filter(|_| kind.is_clustered());
        let rows = self.rows(clusters)?;
        Ok(covariance(rows, kind, rule)?.belongs_to(self.summary.estimates().id, clusters.cloned()))
    }

    /// A covariance again from its numbers.
    ///
    /// # Errors
    /// [`crate::Error::Input`] where the numbers are those of another fit.
    pub fn attach(&self, sandwich: &Arc<Sandwich>) -> Result<Covariance<'_>> {
        if sandwich.fit != self.summary.estimates().id {
            return Err(Fault::new("the covariance is that of another fit")
                .remedy("Ask the fit itself for its covariance")
                .input());
        }
        Ok(Covariance::resume(self.rows(sandwich.clusters.as_ref())?, Arc::clone(sandwich)))
    }

    fn rows(&self, clusters: Option<&Clusters>) -> Result<Arc<Rows<'_, 'a>>> {
        let summary: &S = &self.summary;
        Ok(Arc::new(Rows::new(&self.x, self.y, summary.estimates(), summary, clusters)?))
    }

    /// The linear predictor or the mean at other rows (m x the columns that the model was fitted to).
    ///
    /// # Errors
    /// [`crate::Error::Input`] for rows of another width.
    pub fn predict(&self, rows: ArrayView2<'_, f64>, linear_predictor: bool) -> Result<Vec<f64>> {
        let estimates = self.summary.estimates();
        let first = usize::from(self.x.has_intercept());
        if rows.ncols() + first != estimates.k() {
            return Err(Fault::new(format!(
                "the rows have {} columns for a model of {}",
                rows.ncols(),
                estimates.k() - first
            ))
            .remedy("Give rows with the columns that the model was fitted to")
            .input());
        }
        let bread = &estimates.bread;
        let design = DesignMatrix::new(rows, self.x.has_intercept());
        let mut row = vec![0.0; estimates.k()];
        Ok((0..rows.nrows())
            .map(|i| {
                bread.centred_row(&design, i, &mut row);
                let predictor = bread.estimate(&row);
                if linear_predictor { predictor } else { estimates.link.mean(predictor) }
            })
            .collect())
    }
}
