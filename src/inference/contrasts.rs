//! Linear combinations of coefficients: estimate, standard error, test and interval.
//!
//! For a contrast c: `c'b`, `sqrt(c'Vc)`, `t = c'b / se` on the degrees of freedom of that contrast (Satterthwaite's
//! under CR2 and HC2, computed for this very c), two-sided p, and `c'b +- t_{1 - a/2} se`.

use ndarray::ArrayView2;

use super::cluster_adjusted::{satterthwaite, satterthwaite_of_rows};
use super::scores::leverage;
use super::vcov::{Covariance, DfRule, Vcov};
use super::{Clusters, Estimates};
use crate::dist;
use crate::linalg::DesignMatrix;
use crate::{Fault, Result};

/// Estimates of m contrasts.
#[derive(Debug, Clone)]
pub struct Contrasts {
    /// The estimates, length m.
    pub estimate: Vec<f64>,
    /// Their standard errors, length m.
    pub std_error: Vec<f64>,
    /// estimate / std_error, length m.
    pub statistic: Vec<f64>,
    /// Degrees of freedom, length m; infinite for a normal reference.
    pub df: Vec<f64>,
    /// Two-sided p-values, length m.
    pub p_value: Vec<f64>,
    /// Lower ends of the intervals, length m.
    pub conf_low: Vec<f64>,
    /// Upper ends of the intervals, length m.
    pub conf_high: Vec<f64>,
}

impl Contrasts {
    /// Tests and intervals at confidence `level` from estimates, standard errors and degrees of freedom.
    ///
    /// # Errors
    /// [`crate::Error::Input`] when the level is not between 0 and 1.
    pub fn from_parts(estimate: Vec<f64>, std_error: Vec<f64>, df: Vec<f64>, level: f64) -> Result<Self> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Fault::new(format!("the confidence level {level} is not between 0 and 1"))
                .remedy("Pass for instance level=0.95")
                .input());
        }
        let statistic: Vec<f64> = estimate.iter().zip(&std_error).map(|(b, se)| b / se).collect();
        let p_value = statistic.iter().zip(&df).map(|(&t, &df)| dist::t_two_sided(t, df)).collect();
        let reach: Vec<f64> =
            std_error.iter().zip(&df).map(|(se, &df)| se * dist::t_quantile(0.5 + 0.5 * level, df)).collect();
        let conf_low = estimate.iter().zip(&reach).map(|(b, r)| b - r).collect();
        let conf_high = estimate.iter().zip(&reach).map(|(b, r)| b + r).collect();
        Ok(Self { estimate, std_error, statistic, df, p_value, conf_low, conf_high })
    }
}

/// Every row of `matrix` (m x k) as a contrast of the coefficients.
///
/// # Errors
/// [`crate::Error::Input`] when `matrix` has another number of columns than there are coefficients, or the level is
/// not between 0 and 1.
pub fn contrasts(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    covariance: &Covariance,
    clusters: Option<&Clusters>,
    matrix: ArrayView2<'_, f64>,
    level: f64,
) -> Result<Contrasts> {
    check_width(estimates, matrix)?;
    let rows: Vec<Vec<f64>> = matrix.outer_iter().map(|row| row.to_vec()).collect();
    let estimate = rows.iter().map(|c| c.iter().zip(&estimates.coef).map(|(c, b)| c * b).sum()).collect();
    let std_error = rows
        .iter()
        .map(|c| {
            let c = ndarray::ArrayView1::from(c.as_slice());
            c.dot(&covariance.matrix.dot(&c)).max(0.0).sqrt()
        })
        .collect();
    let df = degrees(x, estimates, covariance, clusters, &rows);
    Contrasts::from_parts(estimate, std_error, df, level)
}

/// The degrees of freedom of contrasts under a covariance.
pub(super) fn degrees(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    covariance: &Covariance,
    clusters: Option<&Clusters>,
    rows: &[Vec<f64>],
) -> Vec<f64> {
    let whitened = || rows.iter().map(|c| estimates.whitened(c)).collect::<Vec<_>>();
    match (covariance.kind, covariance.rule, clusters) {
        (Vcov::Cr2, DfRule::Default, Some(g)) => satterthwaite(x, estimates, g, &whitened()),
        (Vcov::Hc2, DfRule::Default, _) if !estimates.normal_reference => {
            satterthwaite_of_rows(x, estimates, &leverage(x, estimates), &whitened())
        }
        // Every other rule gives all contrasts the same degrees of freedom.
        _ => vec![covariance.df[0]; rows.len()],
    }
}

pub(super) fn check_width(estimates: &Estimates, matrix: ArrayView2<'_, f64>) -> Result<()> {
    if matrix.ncols() == estimates.k() {
        return Ok(());
    }
    Err(Fault::new(format!("the contrast has {} columns for {} coefficients", matrix.ncols(), estimates.k()))
        .values(estimates.names.iter().map(String::as_str))
        .remedy("Give one weight for each coefficient")
        .input())
}
