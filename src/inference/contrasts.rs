//! Linear combinations of coefficients: estimate, standard error, test and interval.
//!
//! For a contrast c: `c'b`, `sqrt(c'Vc)`, `t = c'b / se` on the degrees of freedom of that contrast (Satterthwaite's
//! under CR2 and HC2, computed for this very c), two-sided p, and `c'b +- t_{1 - a/2} se`. Where the variance is nothing
//! there is neither test nor interval.

use ndarray::ArrayView2;
use serde::Serialize;

use super::level::check_level;
use crate::dist;
use crate::{Fault, Result};

/// Estimates of m contrasts, or of the coefficients.
///
/// ```
/// use crewe::inference::Contrasts;
/// let table = Contrasts::from_parts(vec![2.0, 1.0], vec![1.0, 0.0], vec![f64::INFINITY; 2], 0.95)?;
/// assert!((table.p_value[0] - 0.045_500_264).abs() < 1e-9);
/// assert!(table.p_value[1].is_nan()); // no variance, no test
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Contrasts {
    /// The estimates, length m.
    pub estimate: Vec<f64>,
    /// Their standard errors, length m; 0 where there is no variance.
    pub std_error: Vec<f64>,
    /// estimate / std_error, length m; not a number where there is no variance.
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
        check_level(level)?;
        let statistic: Vec<f64> = estimate
            .iter()
            .zip(&std_error)
            .map(|(b, &se)| if se > 0.0 { b / se } else { f64::NAN })
            .collect();
        let p_value = statistic.iter().zip(&df).map(|(&t, &df)| dist::t_two_sided(t, df)).collect();
        let reach: Vec<f64> = std_error
            .iter()
            .zip(&df)
            .map(|(&se, &df)| if se > 0.0 { se * dist::t_quantile(0.5 + 0.5 * level, df) } else { f64::NAN })
            .collect();
        let conf_low = estimate.iter().zip(&reach).map(|(b, r)| b - r).collect();
        let conf_high = estimate.iter().zip(&reach).map(|(b, r)| b + r).collect();
        Ok(Self { estimate, std_error, statistic, df, p_value, conf_low, conf_high })
    }
}

/// Refuses contrasts that are none, of another width, or not finite.
pub(crate) fn check_contrasts(terms: &[String], matrix: ArrayView2<'_, f64>) -> Result<()> {
    if matrix.nrows() == 0 {
        return Err(Fault::new("there is no contrast to work out")
            .remedy("Give one row of weights for each contrast")
            .input());
    }
    if matrix.ncols() != terms.len() {
        return Err(Fault::new(format!(
            "the contrast has {} columns for {} coefficients",
            matrix.ncols(),
            terms.len()
        ))
        .values(terms.iter().map(String::as_str))
        .remedy("Give one weight for each coefficient")
        .input());
    }
    let bad: Vec<usize> = matrix
        .outer_iter()
        .enumerate()
        .filter(|(_, row)| row.iter().any(|v| !v.is_finite()))
        .map(|(i, _)| i)
        .collect();
    if !bad.is_empty() {
        return Err(Fault::new("the weights of a contrast are missing or infinite")
            .rows(bad)
            .remedy("Give a number for each coefficient, 0 where it does not take part")
            .input());
    }
    Ok(())
}
