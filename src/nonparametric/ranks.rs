//! The Mann-Whitney U test (Wilcoxon rank sum), exact with ties.
//!
//! U = #{x > y} + #{x = y}/2. The exact test conditions on the mid-ranks seen: among all labellings of the pooled
//! sample the rank sum T of x is distributed as the sum of m of the mid-ranks (doubled, they are integers, and the
//! shift algorithm applies). Two-sided p = P(|T - E T| >= |t - E T|), as R's `coin`. The asymptotic test has
//!
//! ```text
//! z = (U - mn/2 - c)/sigma,   sigma^2 = mn/12 (N + 1 - sum (t^3 - t)/(N (N - 1))),   c = +-1/2,
//! ```
//!
//! with t the sizes of the tied groups, as R's `wilcox.test`. H. B. Mann and D. R. Whitney (1947),
//! doi:10.1214/aoms/1177730491. The probability of superiority U/(mn) has Newcombe's interval, his method 5:
//! R. G. Newcombe (2006), Confidence intervals for an effect size measure based on the Mann-Whitney statistic,
//! part 2, doi:10.1002/sim.2324, the roots of |U/(mn) - theta| = z sqrt(V(theta)) with
//!
//! ```text
//! V(theta) = theta (1 - theta) (1 + N* ((1 - theta)/(2 - theta) + theta/(1 + theta)))/(mn),  N* = (m + n)/2 - 1.
//! ```
//!
//! Values that differ by the rounding of arithmetic alone are tied: `0.8 - 0.5` has the rank of `0.3`. What differs by
//! at most 1e-10 of the larger value and 1e-12 of the mean size is one value; whole numbers are compared as they are.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use super::hodges_lehmann::{HodgesLehmann, shift_between};
use super::shift::{SubsetSums, feasible};
use super::{Alternative, Interval, bisect, check_finite, check_level, tie_sum};
use crate::dist::{normal_quantile, normal_sf};
use crate::progress::{Monitor, Part, go_on};
use crate::setters::setters;
use crate::ties::Distinct;
use crate::{Fault, Result};

/// How to test.
///
/// ```
/// use crewe::nonparametric::{Alternative, MannWhitneyOptions};
/// let options = MannWhitneyOptions::default().alternative(Alternative::Greater).exact(true).level(0.9);
/// assert_eq!((options.exact, options.level), (Some(true), 0.9));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MannWhitneyOptions {
    /// The direction; `Greater` says that `x` tends to be larger.
    pub alternative: Alternative,
    /// `Some(true)` insists on the exact distribution, `Some(false)` on the approximation; `None` takes the
    /// exact one where it needs about a second at most.
    pub exact: Option<bool>,
    /// Whether the approximation is corrected for continuity.
    pub correct: bool,
    /// The level of the intervals.
    pub level: f64,
    /// What the samples are called in errors.
    pub name: String,
}

impl Default for MannWhitneyOptions {
    fn default() -> Self {
        Self {
            alternative: Alternative::TwoSided,
            exact: None,
            correct: true,
            level: 0.95,
            name: "score".into(),
        }
    }
}

setters!(
    MannWhitneyOptions,
    alternative: plain(Alternative),
    exact: some(bool),
    correct: plain(bool),
    level: plain(f64),
    name: into(String),
);

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MannWhitney {
    /// The numbers of values in x and y.
    pub n: [usize; 2],
    /// U of x, the `W` of R's `wilcox.test`.
    pub u: f64,
    /// The standardised statistic of the approximation, with its correction.
    pub z: f64,
    /// The p-value.
    pub p_value: f64,
    /// Whether the p-value is exact.
    pub exact: bool,
    /// Whether any values are tied.
    pub ties: bool,
    /// P(X > Y) + P(X = Y)/2.
    pub superiority: f64,
    /// Newcombe's interval for it.
    pub superiority_interval: Interval,
    /// The shift of x over y.
    pub shift: HodgesLehmann,
}

/// Compares two samples by their ranks.
///
/// # Errors
/// When a sample is empty or holds a missing value, when all values are equal, when the level is not between 0
/// and 1, or when an exact test was insisted on and is out of reach.
///
/// ```
/// use crewe::nonparametric::{MannWhitneyOptions, mann_whitney};
/// use crewe::progress::NoMonitor;
/// let x = [12.0, 15.0, 15.0, 19.0];
/// let y = [8.0, 12.0, 11.0, 15.0, 10.0];
/// let test = mann_whitney(&x, &y, &MannWhitneyOptions::default(), &NoMonitor)?;
/// assert_eq!(test.u, 17.5);
/// assert!(test.exact && test.ties);
/// assert!((test.superiority - 17.5 / 20.0).abs() < 1e-15);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn mann_whitney(
    x: &[f64],
    y: &[f64],
    options: &MannWhitneyOptions,
    monitor: &dyn Monitor,
) -> Result<MannWhitney> {
    compared(x, y, options, &Laws::default(), monitor)
}

/// The law of a rank sum without ties, which depends on the sizes of the samples alone.
#[derive(Debug)]
struct Law {
    sums: SubsetSums<f64>,
    /// P(U <= u) for u = 0, 1, ..., m n.
    below: Vec<f64>,
}

/// Laws of rank sums without ties, for whoever compares samples of the same sizes again and again.
#[derive(Debug, Default)]
pub(crate) struct Laws(RwLock<HashMap<[usize; 2], Arc<Law>>>);

impl Laws {
    fn of(&self, doubled: &[i64], m: usize, monitor: &dyn Monitor) -> Result<Arc<Law>> {
        let sizes = [m, doubled.len() - m];
        let known = |laws: &HashMap<[usize; 2], Arc<Law>>| laws.get(&sizes).cloned();
        // A law is there whole or not at all, whoever panicked while holding the lock.
        if let Some(law) = known(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(law);
        }
        let sums = SubsetSums::probabilities(doubled, m, monitor)?;
        let mut sum = 0.0;
        let masses = (0..=sizes[0] * sizes[1]).map(|u| sums.mass((m * (m + 1) + 2 * u) as i64));
        let below = masses
            .map(|p| {
                sum += p;
                sum
            })
            .collect();
        let law = Arc::new(Law { sums, below });
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(sizes, Arc::clone(&law));
        Ok(law)
    }
}

/// As [`mann_whitney`], with laws that are kept.
pub(crate) fn compared(
    x: &[f64],
    y: &[f64],
    options: &MannWhitneyOptions,
    laws: &Laws,
    monitor: &dyn Monitor,
) -> Result<MannWhitney> {
    check_level(options.level)?;
    check_finite(x, &options.name)?;
    check_finite(y, &options.name)?;
    let (m, n) = (x.len(), y.len());
    if m == 0 || n == 0 {
        return Err(Fault::new("one of the two samples is empty")
            .column(&options.name)
            .values([format!("{m} and {n} values")])
            .remedy("Both arms need at least one observed value")
            .input());
    }
    let pooled: Vec<f64> = x.iter().chain(y).copied().collect();
    let distinct = Distinct::of(&pooled);
    go_on(monitor)?;
    let pooled = distinct.snapped(&pooled);
    let (x, y) = pooled.split_at(m);
    go_on(monitor)?;
    let doubled = doubled_midranks(&pooled);
    go_on(monitor)?;
    if doubled.iter().all(|&r| r == doubled[0]) {
        return Err(Fault::new("all values are equal, so ranks say nothing")
            .column(&options.name)
            .remedy("Check that the right column was chosen")
            .input());
    }
    let rank_sum: i64 = doubled[..m].iter().sum();
    let u = 0.5 * (rank_sum - (m * (m + 1)) as i64) as f64;
    let (xs, ys) = (sorted(x), sorted(y));
    go_on(monitor)?;
    let all = sorted(&pooled);
    go_on(monitor)?;
    let tied = tie_sum(&all);
    let centre = (m * (m + n + 1)) as i64;

    let exact = options.exact.unwrap_or_else(|| feasible(&doubled, m, true));
    let z = z_statistic(u, m as f64, n as f64, tied, options);
    let mut untied = None;
    let p_value = if exact {
        let own;
        let law = if tied == 0.0 {
            &untied.insert(laws.of(&doubled, m, monitor)?).sums
        } else {
            own = SubsetSums::probabilities(&doubled, m, monitor)?;
            &own
        };
        match options.alternative {
            Alternative::TwoSided => law.as_far(rank_sum, centre),
            Alternative::Less => law.at_most(rank_sum),
            Alternative::Greater => law.at_least(rank_sum),
        }
    } else {
        match options.alternative {
            Alternative::TwoSided => (2.0 * normal_sf(z).min(normal_sf(-z))).min(1.0),
            Alternative::Less => normal_sf(-z),
            Alternative::Greater => normal_sf(z),
        }
    };
    let superiority = u / (m as f64 * n as f64);
    let below = untied.as_ref().map(|law| law.below.as_slice());
    let shift =
        shift_between(&xs, &ys, below, options.correct, options.alternative, options.level, &Part(monitor))?;
    Ok(MannWhitney {
        n: [m, n],
        u,
        z,
        // Beyond 1e-308 the probability is no longer a double; it is never 0.
        p_value: p_value.max(f64::MIN_POSITIVE),
        exact,
        ties: tied > 0.0,
        superiority,
        superiority_interval: newcombe_5(superiority, m as f64, n as f64, options),
        shift,
    })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut copy = values.to_vec();
    copy.sort_by(f64::total_cmp);
    copy
}

/// Twice the mid-ranks, which are integers.
fn doubled_midranks(values: &[f64]) -> Vec<i64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        for &i in &order[start..end] {
            ranks[i] = (start + 1 + end) as i64;
        }
        start = end;
    }
    ranks
}

fn z_statistic(u: f64, m: f64, n: f64, tied: f64, options: &MannWhitneyOptions) -> f64 {
    let distance = u - 0.5 * m * n;
    let total = m + n;
    let variance = m * n / 12.0 * (total + 1.0 - tied / (total * (total - 1.0)));
    let correction = match options.alternative {
        _ if !options.correct => 0.0,
        Alternative::TwoSided if distance == 0.0 => 0.0,
        Alternative::TwoSided => 0.5_f64.copysign(distance),
        Alternative::Greater => 0.5,
        Alternative::Less => -0.5,
    };
    (distance - correction) / variance.sqrt()
}

/// Newcombe's method 5.
fn newcombe_5(estimate: f64, m: f64, n: f64, options: &MannWhitneyOptions) -> Interval {
    let spread = |theta: f64| {
        let weight = 0.5 * (m + n) - 1.0;
        let sum = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta);
        (theta * (1.0 - theta) * (1.0 + weight * sum) / (m * n)).sqrt()
    };
    let tails = options.alternative.tails(options.level);
    let low = tails.below.map_or(0.0, |alpha| {
        let z = -normal_quantile(alpha);
        if estimate == 0.0 { 0.0 } else { bisect(0.0, estimate, |t| estimate - t <= z * spread(t)) }
    });
    let high = tails.above.map_or(1.0, |alpha| {
        let z = -normal_quantile(alpha);
        if estimate == 1.0 { 1.0 } else { bisect(estimate, 1.0, |t| t - estimate > z * spread(t)) }
    });
    Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midranks() {
        assert_eq!(doubled_midranks(&[3.0, 1.0, 3.0, 0.0, -0.0]), [9, 6, 9, 3, 3]);
        assert_eq!(tie_sum(&[0.0, 0.0, 1.0, 3.0, 3.0, 3.0]), 30.0);
    }
}
