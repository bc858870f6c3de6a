//! What every fitted model shares: covariance matrices, small-sample degrees of freedom, contrasts, joint tests.
//!
//! A model that has been fitted hands over [`Estimates`]: its coefficients, the factor that whitens its rows, its
//! residuals and its working weights. Everything here is written once against that, and not per model.
//!
//! With `W W' = (X' diag(w) X)^{-1}`, the whitened row `z_i = sqrt(w_i) W' x_i` has leverage `h_i = z_i' z_i`, the
//! whitened score of a row is `z_i e_i / sqrt(w_i) = W' x_i e_i`, and every sandwich is `W (sum of s_g s_g') W'` for
//! (adjusted) whitened scores `s_g`. So all of it is k x k algebra, however large the clusters are.

pub mod cluster_adjusted;
pub mod clusters;
mod constant_groups;
pub mod contrasts;
mod inverse_root;
pub(crate) mod level;
mod scores;
pub mod vcov;
pub mod wald;

pub use clusters::Clusters;
pub use contrasts::{Contrasts, contrasts};
pub use vcov::{Covariance, DfRule, Vcov, covariance};
pub use wald::{Wald, wald};

/// What a fitted model offers to inference; k coefficients, n rows.
#[derive(Debug, Clone)]
pub struct Estimates {
    /// The names of the terms, length k.
    pub names: Vec<String>,
    /// The coefficients, length k.
    pub coef: Vec<f64>,
    /// What was taken off each column before the rows are whitened, length k; 0 for the intercept.
    pub center: Vec<f64>,
    /// `W`, k x k by rows, for centred rows: `z = W'(x - center)`.
    pub whitening: Vec<Vec<f64>>,
    /// Residuals on the response scale, `y - mu`, length n.
    pub residuals: Vec<f64>,
    /// Square roots of the working weights, length n; `None` where they are all 1.
    pub root_weights: Option<Vec<f64>>,
    /// The scale of the model-based covariance: the residual variance, or 1.
    pub scale: f64,
    /// n - k.
    pub df_residual: f64,
    /// Whether z (true) or t (false) is the reference of model-based and heteroskedasticity-robust tests.
    pub normal_reference: bool,
}

impl Estimates {
    /// Coefficients.
    pub fn k(&self) -> usize {
        self.coef.len()
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.residuals.len()
    }

    /// `root' c` for a contrast c of the coefficients, with `root root' = (X' diag(w) X)^{-1}`: a contrast of the
    /// coefficients is one of the centred model after `c_j -= c_0 center_j`.
    pub(crate) fn whitened(&self, contrast: &[f64]) -> Vec<f64> {
        let k = self.k();
        let mut centred = contrast.to_vec();
        for j in 1..k {
            centred[j] -= contrast[0] * self.center[j];
        }
        (0..k)
            .map(|column| (0..=column).map(|row| self.whitening[row][column] * centred[row]).sum())
            .collect()
    }

    /// The k contrasts that are the coefficients themselves, whitened.
    pub(crate) fn whitened_coefficients(&self) -> Vec<Vec<f64>> {
        (0..self.k())
            .map(|j| {
                let mut unit = vec![0.0; self.k()];
                unit[j] = 1.0;
                self.whitened(&unit)
            })
            .collect()
    }
}
