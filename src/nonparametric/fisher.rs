//! Fisher's exact test of a 2 x 2 table and the conditional odds ratio.
//!
//! Given both margins, the events X of the first group follow the noncentral hypergeometric law
//!
//! ```text
//! P(X = x) = C(n1, x) C(n2, e - x) psi^x / sum_u C(n1, u) C(n2, e - u) psi^u
//! ```
//!
//! with psi the odds ratio and e all events. Two-sided p adds the tables no more probable than the one seen, up to a
//! relative 1e-7, as R's `fisher.test`. The estimate maximises this likelihood (so it is not ad/bc); the exact
//! interval puts half of alpha into each tail (Cornfield 1956; Fisher 1962). The mid-p version counts half of the
//! table seen: its p-value doubles the smaller tail, which is the test that its interval inverts (G. Berry and P.
//! Armitage 1995, Mid-P confidence intervals: a brief review, doi:10.2307/2348891).

use serde::Serialize;

use super::{Alternative, Interval, bisect, check_events, check_level};
use crate::Result;

/// Tables within this factor of the probability of the one seen count as equally probable.
const SLACK: f64 = 1.0 + 1e-7;

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FisherTest {
    /// The conditional maximum likelihood estimate of the odds ratio: 0 or infinite at the ends of the support.
    pub odds_ratio: f64,
    /// Its exact conditional interval.
    pub interval: Interval,
    /// The p-value.
    pub p_value: f64,
    /// Its mid-p interval.
    pub mid_p_interval: Interval,
    /// The mid-p value: in two-sided tests twice the smaller mid-p tail.
    pub mid_p_value: f64,
}

/// Compares `events[0]` of `totals[0]` with `events[1]` of `totals[1]`.
///
/// # Errors
/// When a group is empty or has more events than cases, or the level is not between 0 and 1.
///
/// ```
/// use crewe::nonparametric::{Alternative, fisher_test};
/// let test = fisher_test([3, 1], [4, 4], Alternative::Greater, 0.95)?;
/// assert!((test.p_value - 17.0 / 70.0).abs() < 1e-14);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn fisher_test(
    events: [u64; 2],
    totals: [u64; 2],
    alternative: Alternative,
    level: f64,
) -> Result<FisherTest> {
    check_level(level)?;
    check_events(events[0], totals[0], "the first group")?;
    check_events(events[1], totals[1], "the second group")?;
    let law = Hypergeometric::new(totals, events[0] + events[1]);
    let seen = (events[0] - law.low) as usize;
    let null = law.density(0.0);
    let tail = |density: &[f64], upper: bool, mid: bool| {
        let sum: f64 = if upper { density[seen..].iter().rev().sum() } else { density[..=seen].iter().sum() };
        if mid { sum - 0.5 * density[seen] } else { sum }
    };
    let (below, above) = (tail(&null, false, false), tail(&null, true, false));
    let (mid_below, mid_above) = (tail(&null, false, true), tail(&null, true, true));
    let improbable: f64 = null.iter().filter(|&&p| p <= null[seen] * SLACK).sum();
    let (p_value, mid_p_value) = match alternative {
        Alternative::TwoSided => (improbable, 2.0 * mid_below.min(mid_above)),
        Alternative::Less => (below, mid_below),
        Alternative::Greater => (above, mid_above),
    };
    let tails = alternative.tails(level);
    let last = law.ln_weights.len() - 1;
    let limits = |mid: bool| Interval {
        low: match tails.below {
            Some(alpha) if seen > 0 => solve(|t| tail(&law.density(t), true, mid) > alpha),
            _ => 0.0,
        },
        high: match tails.above {
            Some(alpha) if seen < last => solve(|t| tail(&law.density(t), false, mid) < alpha),
            _ => f64::INFINITY,
        },
    };
    let odds_ratio = match seen {
        // One possible table only: the data say nothing about the odds ratio.
        0 if last == 0 => f64::NAN,
        0 => 0.0,
        _ if seen == last => f64::INFINITY,
        _ => solve(|t| {
            let mean: f64 = law.density(t).iter().enumerate().map(|(x, p)| x as f64 * p).sum();
            mean > seen as f64
        }),
    };
    Ok(FisherTest {
        odds_ratio,
        interval: limits(false),
        p_value: p_value.min(1.0),
        mid_p_interval: limits(true),
        mid_p_value: mid_p_value.min(1.0),
    })
}

/// The odds ratio at which a condition that holds for large ones starts to hold.
fn solve(above: impl Fn(f64) -> bool) -> f64 {
    let mut reach = 1.0;
    while reach < 700.0 && (!above(reach) || above(-reach)) {
        reach *= 2.0;
    }
    libm::exp(bisect(-reach, reach, above))
}

struct Hypergeometric {
    low: u64,
    ln_weights: Vec<f64>,
}

impl Hypergeometric {
    fn new(totals: [u64; 2], events: u64) -> Self {
        let low = events.saturating_sub(totals[1]);
        let high = events.min(totals[0]);
        let mut ln_weights = Vec::with_capacity((high - low + 1) as usize);
        let mut sum = 0.0;
        ln_weights.push(sum);
        for x in low..high {
            // P(x + 1)/P(x) at psi = 1.
            let up = (totals[0] - x) as f64 * (events - x) as f64;
            let down = (x + 1) as f64 * (totals[1] + x + 1 - events) as f64;
            sum += libm::log(up / down);
            ln_weights.push(sum);
        }
        Self { low, ln_weights }
    }

    /// The probabilities at log odds ratio `t`.
    fn density(&self, t: f64) -> Vec<f64> {
        let tilted = |(i, w): (usize, &f64)| w + i as f64 * t;
        let most = self.ln_weights.iter().enumerate().map(tilted).fold(f64::NEG_INFINITY, f64::max);
        let raw: Vec<f64> = self.ln_weights.iter().enumerate().map(|w| libm::exp(tilted(w) - most)).collect();
        let total: f64 = raw.iter().sum();
        raw.iter().map(|p| p / total).collect()
    }
}
