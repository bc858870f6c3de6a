//! The log-rank test of equal survival in k groups, within strata where they are given.
//!
//! `O_j - E_j` summed over event times, with `E_j = d n_j / n` and the hypergeometric variance
//! `d (n_j / n)(1{j=l} - n_l / n)(n - d)/(n - 1)`. N. Mantel (1966); R. Peto and J. Peto (1972), doi:10.2307/2344317.

use nalgebra::{DMatrix, DVector};
use ndarray::Array2;

use super::data::{Surv, Timeline};
use crate::{Fault, Result, dist};

/// The test; arrays have one element a group.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRank {
    /// Rows.
    pub n: Vec<usize>,
    /// Events observed.
    pub observed: Vec<f64>,
    /// Events expected if the groups were alike.
    pub expected: Vec<f64>,
    /// The covariance of observed less expected, k x k.
    pub variance: Array2<f64>,
    /// Chi-squared.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: usize,
    /// Its upper tail.
    pub p_value: f64,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// Tests whether `groups` (codes 0, 1, ... with their `labels`) survive alike; `strata` keeps comparisons within.
///
/// # Errors
/// [`crate::Error::Input`] for times or events that cannot be ([`Surv::check`]), weights, or fewer than two groups.
///
/// ```
/// use crewe::survival::{Surv, logrank};
/// let surv = Surv::new(&[1., 3., 4., 2., 5., 6.], &[1., 1., 0., 1., 1., 1.]);
/// let test = logrank(&surv, &[0, 0, 0, 1, 1, 1], &["control", "crewe"], None)?;
/// assert_eq!(test.observed, [2.0, 3.0]);
/// assert!((test.statistic - 0.486_486_486).abs() < 1e-9);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn logrank<S: AsRef<str>>(
    surv: &Surv<'_>,
    groups: &[u32],
    labels: &[S],
    strata: Option<&[u32]>,
) -> Result<LogRank> {
    let k = labels.len();
    if surv.weights.is_some() {
        return Err(Fault::new("the log-rank test takes no weights")
            .remedy("Use the score test of a weighted Cox model")
            .input());
    }
    if groups.len() != surv.n() || groups.iter().any(|&g| g as usize >= k) {
        return Err(Fault::new(format!("{} group codes below {k} are needed, one a row", surv.n())).input());
    }
    let timeline = Timeline::new(surv, strata)?;
    let mut n = vec![0; k];
    for &g in groups {
        n[g as usize] += 1;
    }
    if n.iter().filter(|&&size| size > 0).count() < 2 {
        return Err(Fault::new("a comparison needs two groups with rows, and there is one")
            .remedy("Check the column of arms and the filter that came before")
            .input());
    }
    let mut observed = vec![0.0; k];
    let mut expected = vec![0.0; k];
    let mut variance = Array2::zeros((k, k));
    for ties in &timeline.strata {
        let mut at_risk = vec![0.0; k];
        for tie in timeline.ties[ties.clone()].iter().rev() {
            for &row in &timeline.order[tie.start..tie.end] {
                at_risk[groups[row as usize] as usize] += 1.0;
            }
            for &row in &timeline.order[tie.events..tie.end] {
                observed[groups[row as usize] as usize] += 1.0;
            }
            let deaths = tie.deaths() as f64;
            if deaths == 0.0 {
                continue;
            }
            let total: f64 = at_risk.iter().sum();
            for j in 0..k {
                expected[j] += deaths * at_risk[j] / total;
                if total > 1.0 {
                    let factor = deaths * (total - deaths) / (total - 1.0) * at_risk[j] / total;
                    variance[(j, j)] += factor;
                    for l in 0..k {
                        variance[(j, l)] -= factor * at_risk[l] / total;
                    }
                }
            }
        }
    }
    let used: Vec<usize> = (0..k).filter(|&j| expected[j] > 0.0).collect();
    let df = used.len().saturating_sub(1);
    let statistic = chi_squared(&observed, &expected, &variance, &used).ok_or_else(|| {
        Fault::new("the groups are never at risk at the same time, so nothing can be compared")
            .remedy("Check the times, and the strata if there are any")
            .input()
    })?;
    let notes = (0..k)
        .filter(|&j| n[j] > 0 && observed[j] == 0.0)
        .map(|j| format!("no events among the {} rows of '{}'", n[j], labels[j].as_ref()))
        .collect();
    Ok(LogRank {
        n,
        observed,
        expected,
        variance,
        statistic,
        df,
        p_value: dist::chi2_sf(statistic, df as f64),
        notes,
    })
}

/// `(O - E)' V^- (O - E)` over all groups at risk but one.
fn chi_squared(observed: &[f64], expected: &[f64], variance: &Array2<f64>, used: &[usize]) -> Option<f64> {
    let kept = used.get(..used.len().checked_sub(1)?)?;
    if kept.is_empty() {
        return None;
    }
    let v = DMatrix::from_fn(kept.len(), kept.len(), |a, b| variance[(kept[a], kept[b])]);
    let u = DVector::from_iterator(kept.len(), kept.iter().map(|&j| observed[j] - expected[j]));
    Some(u.dot(&v.cholesky()?.solve(&u)))
}
