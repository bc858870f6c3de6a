//! The Hodges-Lehmann shift between two samples, with the interval that inverts the Mann-Whitney test.
//!
//! The estimate is the median of the m n differences x_i - y_j (J. L. Hodges and E. L. Lehmann 1963,
//! doi:10.1214/aoms/1177704172). Without ties and with an exact test the limits are order statistics of the
//! differences chosen by the exact distribution (D. F. Bauer 1972, doi:10.1080/01621459.1972.10481279). Otherwise the
//! normal approximation is inverted: z(d) of the samples (x - d, y) is a step function that jumps only at the
//! differences, so its crossing of the normal quantile is itself one of them, found exactly here where R's
//! `wilcox.test` iterates towards it. Differences are never stored: the k-th is found by bisection on the bits of
//! a double, counting in O(m + n).

use serde::Serialize;

use super::{Alternative, Interval, check_finite, check_level, tie_sum};
use crate::dist::normal_quantile;
use crate::progress::{Monitor, Pace, watcher};
use crate::ties::Distinct;
use crate::{Fault, Result};

/// A shift and its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HodgesLehmann {
    /// The median of the differences x - y.
    pub shift: f64,
    /// The interval.
    pub interval: Interval,
    /// Whether the limits come from the exact distribution.
    pub exact: bool,
    /// The coverage that the exact limits attain; the level asked for where they are approximate.
    pub attained: f64,
}

/// The shift of `x` over `y`, with the interval that inverts the normal approximation.
///
/// # Errors
/// When a sample is empty or holds a missing value, or when the level is not between 0 and 1.
///
/// ```
/// use crewe::nonparametric::{Alternative, hodges_lehmann};
/// let found = hodges_lehmann(&[9.0, 5.0, 7.0], &[1.0, 4.0], true, Alternative::TwoSided, 0.9)?;
/// assert_eq!(found.shift, 4.5); // the median of 8, 4, 6, 5, 1, 3
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn hodges_lehmann(
    x: &[f64],
    y: &[f64],
    correct: bool,
    alternative: Alternative,
    level: f64,
) -> Result<HodgesLehmann> {
    check_level(level)?;
    check_finite(x, "x")?;
    check_finite(y, "y")?;
    if x.is_empty() || y.is_empty() {
        return Err(Fault::new("one of the two samples is empty")
            .values([format!("{} and {} values", x.len(), y.len())])
            .remedy("Both need at least one observed value")
            .input());
    }
    let pooled: Vec<f64> = x.iter().chain(y).copied().collect();
    let mut pooled = Distinct::of(&pooled).snapped(&pooled);
    let (x, y) = pooled.split_at_mut(x.len());
    x.sort_unstable_by(f64::total_cmp);
    y.sort_unstable_by(f64::total_cmp);
    shift_between(x, y, None, correct, alternative, level, &watcher())
}

/// The shift of `x` over `y`, both ascending and not empty.
///
/// `exact_below` holds the exact `P(U <= u)` for u = 0, 1, ..., m n where there are no ties and the test was exact;
/// otherwise the normal approximation is inverted, with its continuity correction if `correct`.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the monitor stops the work.
pub(super) fn shift_between(
    x: &[f64],
    y: &[f64],
    exact_below: Option<&[f64]>,
    correct: bool,
    alternative: Alternative,
    level: f64,
    monitor: &dyn Monitor,
) -> Result<HodgesLehmann> {
    let pairs = x.len() as u64 * y.len() as u64;
    let mut pace = Pace::new(monitor);
    let mut difference = |k: u64| difference(x, y, k, &mut pace);
    let shift = 0.5 * (difference(pairs.div_ceil(2))? + difference(pairs / 2 + 1)?);
    let tails = alternative.tails(level);
    let mut interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    let mut attained = level;
    if let Some(below) = exact_below {
        let rank = |alpha: f64| exact_rank(below, alpha);
        let outside =
            |alpha: Option<f64>| alpha.map_or(0.0, |a| rank(a).checked_sub(1).map_or(0.0, |u| below[u]));
        if let Some(alpha) = tails.below {
            interval.low = difference(rank(alpha) as u64)?;
        }
        if let Some(alpha) = tails.above {
            interval.high = difference(pairs + 1 - rank(alpha) as u64)?;
        }
        attained = 1.0 - outside(tails.below) - outside(tails.above);
    } else {
        let ties = tie_sum(x) + tie_sum(y);
        let z = |k: u64| z_after([x.len(), y.len()], ties, k, correct, alternative);
        if let Some(alpha) = tails.below {
            interval.low = difference(crossing(pairs, -normal_quantile(alpha), &z))?;
        }
        if let Some(alpha) = tails.above {
            interval.high = difference(crossing(pairs, normal_quantile(alpha), &z))?;
        }
    }
    Ok(HodgesLehmann { shift, interval, exact: exact_below.is_some(), attained })
}

/// The smallest u with P(U <= u) >= alpha, at least 1.
fn exact_rank(below: &[f64], alpha: f64) -> usize {
    below.iter().position(|&p| p >= alpha - 10.0 * f64::EPSILON).unwrap_or(below.len() - 1).max(1)
}

/// z just above the k-th smallest difference; within-sample ties stay, ties between the samples have been broken.
fn z_after(sizes: [usize; 2], ties: f64, k: u64, correct: bool, alternative: Alternative) -> f64 {
    let [m, n] = sizes.map(|size| size as f64);
    let distance = m * n - k as f64 - 0.5 * m * n;
    let correction = match (correct, alternative) {
        (false, _) => 0.0,
        (true, Alternative::TwoSided) if distance == 0.0 => 0.0,
        (true, Alternative::TwoSided) => 0.5_f64.copysign(distance),
        (true, Alternative::Greater) => 0.5,
        (true, Alternative::Less) => -0.5,
    };
    let variance = m * n / 12.0 * (m + n + 1.0 - ties / ((m + n) * (m + n - 1.0)));
    (distance - correction) / variance.sqrt()
}

/// The number of the difference, among so many pairs, at which z falls to `quantile` or below.
fn crossing(pairs: u64, quantile: f64, z: &dyn Fn(u64) -> f64) -> u64 {
    let (mut low, mut high) = (0, pairs);
    // The smallest k in 1..=pairs with z(k) <= quantile; the last difference where there is none.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if z(middle) <= quantile { high = middle } else { low = middle }
    }
    high
}

/// The k-th smallest (from 1) of the differences x_i - y_j of two ascending samples.
fn difference(x: &[f64], y: &[f64], k: u64, pace: &mut Pace<'_>) -> Result<f64> {
    let (mut low, mut high) = (key(x[0] - y[y.len() - 1]), key(x[x.len() - 1] - y[0]));
    while low < high {
        pace.by(x.len() + y.len())?;
        let middle = low + (((i128::from(high) - i128::from(low)) / 2) as i64);
        if count_up_to(x, y, value(middle)) >= k { high = middle } else { low = middle + 1 }
    }
    Ok(value(low) + 0.0)
}

/// How many differences are at most `d`. Subtraction rounds monotonically, so one sweep is enough.
fn count_up_to(x: &[f64], y: &[f64], d: f64) -> u64 {
    // As x grows, the smallest y with x - y <= d moves up.
    let (mut total, mut start) = (0, 0);
    for &a in x {
        while start < y.len() && a - y[start] > d {
            start += 1;
        }
        total += (y.len() - start) as u64;
    }
    total
}

/// Doubles in the order of integers.
fn key(d: f64) -> i64 {
    let bits = (d + 0.0).to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

fn value(key: i64) -> f64 {
    let bits = if key < 0 { i64::MIN.wrapping_sub(key) } else { key };
    f64::from_bits(bits.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;

    #[test]
    fn every_order_statistic_of_the_differences() {
        let x = [-1.5, 0.0, 0.25, 2.0, 2.0, 9.0];
        let y = [-3.0, 0.0, 0.5, 0.5, 4.0];
        let mut all: Vec<f64> = x.iter().flat_map(|a| y.iter().map(move |b| a - b)).collect();
        all.sort_by(f64::total_cmp);
        for (k, &d) in all.iter().enumerate() {
            let found = difference(&x, &y, k as u64 + 1, &mut Pace::new(&NoMonitor));
            assert_eq!(found, Ok(d + 0.0));
        }
    }

    #[test]
    fn keys_keep_the_order() {
        let mut last = i64::MIN;
        for d in [-1e300, -2.0, -1e-310, 0.0, 1e-310, 2.0, 1e300] {
            assert!(key(d) > last);
            assert_eq!(value(key(d)), d);
            last = key(d);
        }
        assert_eq!(key(-0.0), key(0.0));
    }
}
