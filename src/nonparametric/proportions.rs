//! One rate: Wilson's and Clopper-Pearson's intervals, and the exact binomial test against a fixed rate.
//!
//! C. J. Clopper and E. S. Pearson (1934), doi:10.1093/biomet/26.4.404: limits are beta quantiles, exact in the sense
//! that coverage is never under the level. E. B. Wilson (1927), doi:10.1080/01621459.1927.10502953: the roots of the
//! score test. The test adds the outcomes no more probable than the one seen, up to a relative 1e-7, as R's
//! `binom.test`. A national rate counts as known without error.

use serde::Serialize;

use super::{Alternative, Interval, check_events, check_level};
use crate::dist::{beta_quantile, normal_quantile};
use crate::{Fault, Result};

/// A rate beside a fixed one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prevalence {
    /// The rate seen.
    pub rate: f64,
    /// The Clopper-Pearson interval.
    pub interval: Interval,
    /// Wilson's interval.
    pub wilson: Interval,
    /// The exact binomial p-value.
    pub p_value: f64,
}

/// Compares `events` of `total` with the fixed rate `national`.
///
/// # Errors
/// When there are no cases, more events than cases, or a rate or level outside 0 to 1.
///
/// ```
/// use crewe::nonparametric::{Alternative, prevalence};
/// let violence = prevalence(14, 30, 0.496, Alternative::TwoSided, 0.95)?;
/// assert!((violence.rate - 0.4667).abs() < 1e-4);
/// assert!(violence.interval.low < 0.496 && 0.496 < violence.interval.high);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn prevalence(
    events: u64,
    total: u64,
    national: f64,
    alternative: Alternative,
    level: f64,
) -> Result<Prevalence> {
    check_events(events, total, "the sample")?;
    check_level(level)?;
    if !(0.0..=1.0).contains(&national) {
        return Err(Fault::new("the fixed rate must lie between 0 and 1")
            .values([national.to_string()])
            .remedy("Give 49.6% as 0.496")
            .input());
    }
    let masses = binomial_masses(total as usize, national, 0.0);
    let seen = events as usize;
    // A rate of 0 or 1 can be impossible given the sample; any other is at most very improbable.
    let least = if national > 0.0 && national < 1.0 { f64::MIN_POSITIVE } else { 0.0 };
    let p_value: f64 = match alternative {
        Alternative::Less => masses[..=seen].iter().sum::<f64>(),
        Alternative::Greater => masses[seen..].iter().rev().sum(),
        Alternative::TwoSided => {
            let most = masses[seen] * (1.0 + 1e-7);
            masses.iter().filter(|&&p| p <= most).sum()
        }
    };
    let tails = alternative.tails(level);
    Ok(Prevalence {
        rate: events as f64 / total as f64,
        interval: Interval {
            low: tails.below.map_or(0.0, |alpha| pearson_low(events, total, alpha)),
            high: tails.above.map_or(1.0, |alpha| 1.0 - pearson_low(total - events, total, alpha)),
        },
        wilson: wilson(events, total, level)?,
        p_value: p_value.clamp(least, 1.0),
    })
}

/// The Clopper-Pearson interval of a rate.
///
/// # Errors
/// When there are no cases, more events than cases, or a level outside 0 to 1.
pub fn clopper_pearson(events: u64, total: u64, level: f64) -> Result<Interval> {
    check_level(level)?;
    check_events(events, total, "the sample")?;
    let alpha = 0.5 * (1.0 - level);
    Ok(Interval {
        low: pearson_low(events, total, alpha),
        high: 1.0 - pearson_low(total - events, total, alpha),
    })
}

/// Wilson's interval of a rate.
///
/// # Errors
/// When there are no cases, more events than cases, or a level outside 0 to 1.
pub fn wilson(events: u64, total: u64, level: f64) -> Result<Interval> {
    check_level(level)?;
    check_events(events, total, "the sample")?;
    let (n, p) = (total as f64, events as f64 / total as f64);
    let z = -normal_quantile(0.5 * (1.0 - level));
    let square = z * z;
    let centre = p + square / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    Ok(Interval {
        low: if events == 0 { 0.0 } else { (centre - half) / scale },
        high: if events == total { 1.0 } else { (centre + half) / scale },
    })
}

/// The rate at which `events` or more have probability `alpha`.
fn pearson_low(events: u64, total: u64, alpha: f64) -> f64 {
    if events == 0 { 0.0 } else { beta_quantile(alpha, events as f64, (total - events + 1) as f64) }
}

/// The binomial probabilities of 0..=n, by ratios from the mode outwards, made to sum to 1; those under `least` of the
/// mode's stay 0.
pub(super) fn binomial_masses(n: usize, p: f64, least: f64) -> Vec<f64> {
    let mut masses = vec![0.0; n + 1];
    if p <= 0.0 || p >= 1.0 {
        masses[if p <= 0.0 { 0 } else { n }] = 1.0;
        return masses;
    }
    let mode = (((n + 1) as f64 * p) as usize).min(n);
    let odds = p / (1.0 - p);
    masses[mode] = 1.0;
    for x in mode..n {
        masses[x + 1] = masses[x] * ((n - x) as f64 / (x + 1) as f64) * odds;
        if masses[x + 1] < least {
            break;
        }
    }
    for x in (0..mode).rev() {
        masses[x] = masses[x + 1] * ((x + 1) as f64 / (n - x) as f64) / odds;
        if masses[x] < least {
            break;
        }
    }
    let total: f64 = masses.iter().sum();
    for mass in &mut masses {
        *mass /= total;
    }
    masses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_by_hand() {
        let masses = binomial_masses(3, 0.25, 0.0);
        for (mass, expected) in masses.iter().zip([27.0, 27.0, 9.0, 1.0]) {
            assert!((mass - expected / 64.0).abs() < 1e-16);
        }
        assert_eq!(binomial_masses(2, 1.0, 0.0), [0.0, 0.0, 1.0]);
    }
}
