//! The pairs cluster bootstrap: clusters drawn with replacement, for a statistic that is computed elsewhere.
//!
//! A replicate has as many clusters as the data; within strata, as many of each. Intervals and p-values are those of
//! B. Efron and R. J. Tibshirani (1993), An Introduction to the Bootstrap, 12.5 and 13.3; A. C. Cameron and D. L. Miller
//! (2015), doi:10.3368/jhr.50.2.317, for clusters.

use ndarray::Array2;
use serde::Serialize;

use crate::nonparametric::Interval;
use crate::progress::{Pace, watcher};
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// The clusters of replicates `first`, `first + 1`, ..., `end - 1`, one row each, as places in `strata`, which says the
/// stratum of every cluster.
///
/// A replicate has a random stream of its own, so it is the same whoever draws it. Each stratum gives as many clusters as
/// it has, and they stand where those of the stratum do.
///
/// ```
/// use crewe::resampling::pairs;
/// use crewe::rng::Seed;
/// let arms = [0, 1, 0, 1, 1];
/// let drawn = pairs(&arms, 0..9, &Seed::Integer(5))?;
/// assert!(drawn.rows().into_iter().all(|row| row.iter().zip(&arms).all(|(&g, arm)| arms[g as usize] == *arm)));
/// assert_eq!(drawn.row(7), pairs(&arms, 7..8, &Seed::Integer(5))?.row(0));
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Input`] for codes of strata that are not 0, 1, ...; [`crate::Error::Interrupted`] when whoever watches
/// stops the work.
pub fn pairs(strata: &[u32], replicates: std::ops::Range<u64>, seed: &Seed) -> Result<Array2<u32>> {
    if strata.iter().any(|&stratum| stratum as usize >= strata.len()) {
        return Err(Fault::new("the strata of clusters are no codes 0, 1, ...")
            .remedy("Number the strata from 0, no more of them than there are clusters")
            .input());
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); strata.len()];
    for (cluster, &stratum) in strata.iter().enumerate() {
        members[stratum as usize].push(cluster as u32);
    }
    let first = replicates.start;
    let n = usize::try_from(replicates.end.saturating_sub(first)).unwrap_or(0);
    let mut drawn = Array2::zeros((n, strata.len()));
    let named = Stream::new::<&str>(seed, "pairs bootstrap", &[], 0);
    let watcher = watcher();
    let mut pace = Pace::new(&watcher);
    for (place, mut row) in drawn.outer_iter_mut().enumerate() {
        pace.by(8 * strata.len())?;
        let mut stream = named.at(first + place as u64);
        for (into, &stratum) in row.iter_mut().zip(strata) {
            let among = &members[stratum as usize];
            *into = among[stream.below(among.len() as u64) as usize];
        }
    }
    Ok(drawn)
}

/// What the replicates of a statistic say of it.
///
/// ```
/// use crewe::resampling::replicates;
/// let found = replicates(2.0, None, &[1.0, 2.0, 3.0, 2.5, 1.5], None, 0.0, 0.6)?;
/// assert!((found.std_error - 0.625_f64.sqrt()).abs() < 1e-12);
/// assert!(found.p_value == 1.0 / 3.0 && found.percentile.low >= 1.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Resampled {
    /// Their standard deviation.
    pub std_error: f64,
    /// Their mean less the statistic.
    pub bias: f64,
    /// Between their quantiles.
    pub percentile: Interval,
    /// By the quantiles of their t statistics about the statistic, where they have standard errors.
    pub studentised: Option<Interval>,
    /// Of the hypothesis, two-sided: twice the smaller tail of the replicates, or of their t statistics where they have
    /// standard errors. Never 0.
    pub p_value: f64,
}

/// Intervals at `level`, and the test that the statistic is `null`, from its replicates; `std_error` and `errors` are
/// the standard errors of the statistic and of the replicates.
///
/// Quantiles are order statistics: that of a share a among n values is number `a (n + 1)`, between whole numbers in
/// proportion.
///
/// # Errors
/// [`crate::Error::Input`] for fewer than two replicates, numbers that are not finite, standard errors that are not
/// positive or not one a replicate, and a level that is not between 0 and 1.
pub fn replicates(
    estimate: f64,
    std_error: Option<f64>,
    values: &[f64],
    errors: Option<&[f64]>,
    null: f64,
    level: f64,
) -> Result<Resampled> {
    crate::inference::check_level(level)?;
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    if values.len() < 2 || !finite(values) || !estimate.is_finite() || !null.is_finite() {
        return Err(Fault::new("a bootstrap needs two finite replicates or more")
            .values([values.len().to_string()])
            .remedy("Let the statistic be a number on every replicate")
            .input());
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let alpha = 1.0 - level;
    let interval = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Interval { low: quantile(&sorted, alpha / 2.0), high: quantile(&sorted, 1.0 - alpha / 2.0) }
    };
    let (studentised, p_value) = match (std_error, errors) {
        (Some(own), Some(errors)) => {
            let positive = |error: f64| error.is_finite() && error > 0.0;
            if errors.len() != values.len() || !positive(own) || !errors.iter().all(|&error| positive(error))
            {
                return Err(Fault::new("the standard errors of the statistic are not all positive")
                    .remedy("Return a positive standard error beside every estimate, or the estimate alone")
                    .input());
            }
            let t: Vec<f64> =
                values.iter().zip(errors).map(|(value, error)| (value - estimate) / error).collect();
            let about = interval(&t);
            let interval = Interval { low: estimate - about.high * own, high: estimate - about.low * own };
            (Some(interval), two_sided(&t, (estimate - null) / own))
        }
        // About the statistic the replicates lie as it does about the truth.
        _ => (None, two_sided(values, null)),
    };
    Ok(Resampled {
        std_error: (squares / (n - 1.0)).sqrt(),
        bias: mean - estimate,
        percentile: interval(values),
        studentised,
        p_value,
    })
}

/// Twice the smaller tail of values at a point, the point itself counted once more on either side.
fn two_sided(values: &[f64], at: f64) -> f64 {
    let below = values.iter().filter(|&&value| value <= at).count();
    let above = values.iter().filter(|&&value| value >= at).count();
    (2.0 * (1.0 + below.min(above) as f64) / (1.0 + values.len() as f64)).min(1.0)
}

/// The quantile of sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let n = sorted.len();
    let place = (share * (n as f64 + 1.0)).clamp(1.0, n as f64);
    // Rounding of the level must not turn a whole number into one just below it.
    let place = if (place - place.round()).abs() < 1e-9 { place.round() } else { place };
    let (whole, part) = (place.floor() as usize, place.fract());
    let (low, high) = (sorted[whole - 1], sorted[whole.min(n - 1)]);
    low + part * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_order_statistics() {
        let sorted: Vec<f64> = (1..=999).map(f64::from).collect();
        assert_eq!((quantile(&sorted, 0.025), quantile(&sorted, 0.975)), (25.0, 975.0));
        assert_eq!((quantile(&[1.0, 2.0], 0.01), quantile(&[1.0, 2.0], 0.5)), (1.0, 1.5));
    }
}
