//! The log-rank test of equal survival in k groups, within strata where they are given.
//!
//! `O_j - E_j` summed over event times, with `E_j = d n_j / n` and the hypergeometric variance
//! `d (n_j / n)(1{j=l} - n_l / n)(n - d)/(n - 1)`. N. Mantel (1966); R. Peto and J. Peto (1972), doi:10.2307/2344317.
//!
//! The statistic is `(O - E)' V^- (O - E)` with any generalised inverse, on as many degrees of freedom as V has rank.
//! V is the Laplacian of a graph: `-V_jl` says how much j and l were compared. Groups that are joined by comparisons
//! make a part, and the rank is the number of groups less the number of parts, however small a comparison is next to
//! others. Eliminating one group after the other (its comparisons pass to its neighbours, as conductances do when a
//! star becomes a mesh) adds up the statistic with no difference taken, so no tolerance decides the rank.

use ndarray::Array2;
use serde::Serialize;

use super::data::{Surv, Timeline};
use crate::error::listed;
use crate::progress::{Pace, watcher};
use crate::{Fault, Result, codes, dist};

/// The largest number of groups: their covariance is k x k, and every event time adds to all of it.
const MOST_GROUPS: usize = 5_000;

/// Basic steps of a row.
const STEP: usize = 8;

/// The test; arrays have one element a group.
///
/// ```
/// use crewe::survival::{Surv, logrank};
/// let surv = Surv::new(&[1., 2., 3., 4.], &[1.0; 4]);
/// let test = logrank(&surv, &[0, 0, 1, 1], &["a", "b"], None)?;
/// assert_eq!((test.n.as_slice(), test.df), ([2, 2].as_slice(), 1));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
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
    /// Its degrees of freedom, the rank of `variance`.
    pub df: usize,
    /// Its upper tail.
    pub p_value: f64,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// Tests whether `groups` (codes 0, 1, ... with their `labels`) survive alike; `strata` keeps comparisons within.
///
/// Groups that are never at risk together at an event are not compared, and a note names the parts they fall into.
///
/// # Errors
/// [`crate::Error::Input`] for times or events that cannot be ([`Surv::check`]), weights, fewer than two groups or more
/// than 5,000, or where no group is ever compared with another.
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
    codes::check(groups, surv.n(), k, "groups")?;
    if k > MOST_GROUPS {
        return Err(Fault::new(format!("a comparison of {k} groups is out of reach"))
            .remedy(format!("Compare at most {MOST_GROUPS}: check that the groups are not ids"))
            .input());
    }
    let timeline = Timeline::new(surv, strata)?;
    let monitor = &watcher();
    let mut pace = Pace::new(monitor);
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
            pace.by(k * k + STEP * (1 + tie.end - tie.start))?;
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
    let change: Vec<f64> = observed.iter().zip(&expected).map(|(o, e)| o - e).collect();
    let (statistic, df) = chi_squared(change, &variance, &mut pace)?;
    if df == 0 {
        return Err(Fault::new("the groups are never at risk at the same time, so nothing can be compared")
            .remedy("Check the times, and the strata if there are any")
            .input());
    }
    let quiet = (0..k)
        .filter(|&j| n[j] > 0 && observed[j] == 0.0)
        .map(|j| format!("no events among the {} rows of '{}'", n[j], labels[j].as_ref()));
    let notes = apart(&variance, &n, labels).into_iter().chain(quiet).collect();
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

/// `u' V^- u` and the rank of V, for a V whose rows sum to 0 and whose elements beside the diagonal are at most 0.
fn chi_squared(mut u: Vec<f64>, variance: &Array2<f64>, pace: &mut Pace<'_>) -> Result<(f64, usize)> {
    let k = u.len();
    let mut joined = variance.mapv(|v| -v);
    let (mut statistic, mut rank) = (0.0, 0);
    for out in 0..k {
        let total: f64 = (out + 1..k).map(|j| joined[(out, j)]).sum();
        if total == 0.0 {
            continue; // the last group of its part: the others have passed on all that differs
        }
        rank += 1;
        statistic += u[out] * u[out] / total;
        for i in out + 1..k {
            pace.by(k - i)?;
            let share = joined[(out, i)] / total;
            u[i] += u[out] * share;
            for j in i + 1..k {
                joined[(i, j)] += share * joined[(out, j)];
            }
        }
    }
    Ok((statistic, rank))
}

/// Says which groups with rows are never compared, directly or through others.
fn apart<S: AsRef<str>>(variance: &Array2<f64>, n: &[usize], labels: &[S]) -> Option<String> {
    let k = n.len();
    let mut seen: Vec<bool> = n.iter().map(|&size| size == 0).collect();
    let mut parts: Vec<String> = Vec::new();
    for first in 0..k {
        if seen[first] {
            continue;
        }
        seen[first] = true;
        let mut part = vec![first];
        let mut next = 0;
        while let Some(&j) = part.get(next) {
            for l in 0..k {
                if !seen[l] && variance[(j, l)] != 0.0 {
                    seen[l] = true;
                    part.push(l);
                }
            }
            next += 1;
        }
        part.sort_unstable();
        let names: Vec<String> = part.iter().map(|&j| format!("'{}'", labels[j].as_ref())).collect();
        parts.push(format!("{}{}", listed(&names), if names.len() == 1 { " alone" } else { "" }));
    }
    (parts.len() > 1).then(|| {
        format!(
            "the groups fall into {} parts that are never at risk together at an event, and are compared only within \
             them: {}",
            parts.len(),
            parts.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, DVector};
    use proptest::prelude::*;

    use super::*;
    use crate::progress::NoMonitor;

    fn squared(u: Vec<f64>, variance: &Array2<f64>) -> (f64, usize) {
        chi_squared(u, variance, &mut Pace::new(&NoMonitor)).unwrap()
    }

    #[test]
    fn a_comparison_far_smaller_than_others_still_counts() {
        let (strong, weak) = (1e6, 1e-6);
        let v = ndarray::array![[strong, -strong, 0.0], [-strong, strong + weak, -weak], [0.0, -weak, weak]];
        // Along a chain the form adds flow^2 / weight of every link: here 4 strong + 9 weak.
        let (statistic, rank) = squared(vec![2.0 * strong, -2.0 * strong - 3.0 * weak, 3.0 * weak], &v);
        assert_eq!(rank, 2);
        assert!((statistic / (4.0 * strong + 9.0 * weak) - 1.0).abs() < 1e-12);
    }

    proptest! {
        /// Whatever the parts and however unlike the comparisons, the rank is exact and the form is that of the inverse of V
        /// without one group a part.
        #[test]
        fn the_elimination_is_a_generalised_inverse(
            part in prop::collection::vec(0_usize..3, 2..8),
            weight in prop::collection::vec(0.1_f64..9.0, 64),
            push in prop::collection::vec(-1.0_f64..1.0, 8),
            unit in -120_i32..120,
        ) {
            let k = part.len();
            let unit = 2_f64.powi(unit);
            let mut v = Array2::<f64>::zeros((k, k));
            let mut u = vec![0.0; k];
            for i in 0..k {
                for j in i + 1..k {
                    if part[i] == part[j] {
                        let w = weight[8 * i + j] * unit;
                        v[(i, j)] -= w;
                        v[(j, i)] -= w;
                        v[(i, i)] += w;
                        v[(j, j)] += w;
                        u[i] += push[i] * w;
                        u[j] -= push[i] * w;
                    }
                }
            }
            let parts = (0..3).filter(|p| part.contains(p)).count();
            let (statistic, rank) = squared(u.clone(), &v);
            prop_assert_eq!(rank, k - parts);
            // Without the last group of every part V can be inverted.
            let kept: Vec<usize> = (0..k).filter(|&i| part[i + 1..].contains(&part[i])).collect();
            let dense = DMatrix::from_fn(rank, rank, |i, j| v[(kept[i], kept[j])] / unit);
            let u = DVector::from_iterator(rank, kept.iter().map(|&i| u[i] / unit));
            let expected = u.dot(&dense.cholesky().unwrap().solve(&u)) * unit;
            prop_assert!((statistic - expected).abs() <= 1e-9 * (statistic + unit));
        }
    }
}
