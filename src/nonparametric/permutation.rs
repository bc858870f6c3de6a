//! The exact two-sample permutation test of a difference in means, for integer scores.
//!
//! Under the null hypothesis every labelling of the pooled sample with the same group sizes is equally likely (E. J. G.
//! Pitman 1937, doi:10.2307/2984124). The difference in means grows with the sum of the first sample, so the
//! distribution of that sum by the shift algorithm is all that is needed; the 155,117,520 labellings of 15 and 15 are
//! counted in well under a millisecond. Two-sided p = min(1, 2 min(P(S <= s), P(S >= s))), the rule that the
//! project's randomisation tests and their intervals share.

use serde::Serialize;

use super::shift::{SubsetSums, labellings};
use super::{Alternative, check_finite};
use crate::progress::Monitor;
use crate::setters::setters;
use crate::{Fault, Result};

/// How to test.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PermutationOptions {
    /// The direction; `Greater` says that `x` has the larger mean.
    pub alternative: Alternative,
    /// What the scores are called in errors.
    pub name: String,
}

impl Default for PermutationOptions {
    fn default() -> Self {
        Self { alternative: Alternative::TwoSided, name: "score".into() }
    }
}

setters!(PermutationOptions, alternative: plain(Alternative), name: into(String));

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PermutationTest {
    /// The numbers of values in x and y.
    pub n: [usize; 2],
    /// The means of x and y.
    pub mean: [f64; 2],
    /// The mean of x less the mean of y.
    pub difference: f64,
    /// The standard deviation of the difference over all labellings.
    pub spread: f64,
    /// The p-value of the alternative.
    pub p_value: f64,
    /// The probability of a difference at most as large.
    pub p_lower: f64,
    /// The probability of a difference at least as large.
    pub p_upper: f64,
    /// The labellings with a difference at most as large, in decimal; `None` where counting takes too long.
    pub count_lower: Option<String>,
    /// The labellings with a difference at least as large.
    pub count_upper: Option<String>,
    /// All labellings.
    pub labellings: Option<String>,
    /// Scores are whole multiples of one over this.
    pub scale: u32,
}

/// Compares the means of two samples over all labellings.
///
/// Scores may be whole numbers or whole multiples of 1/2, 1/3, 1/4, 1/5, 1/6, 1/10, 1/12, 1/20, 1/60, 1/100 or 1/1000.
///
/// # Errors
/// When a sample is empty or holds a missing value, when scores are on no such grid, or when the sums are too many.
///
/// ```
/// use crewe::nonparametric::{PermutationOptions, permutation_test};
/// use crewe::progress::NoMonitor;
/// let test = permutation_test(&[3.0, 4.0, 5.0], &[0.0, 1.0, 2.0], &PermutationOptions::default(), &NoMonitor)?;
/// assert_eq!(test.labellings.as_deref(), Some("20"));
/// assert_eq!(test.count_upper.as_deref(), Some("1"));
/// assert!((test.p_value - 0.1).abs() < 1e-15);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn permutation_test(
    x: &[f64],
    y: &[f64],
    options: &PermutationOptions,
    monitor: &dyn Monitor,
) -> Result<PermutationTest> {
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
    let (scores, scale) = on_grid(&pooled, &options.name)?;
    let sum: i64 = scores[..m].iter().sum();
    let all: i64 = scores.iter().sum();
    let law = SubsetSums::probabilities(&scores, m, monitor)?;
    let (p_lower, p_upper) = (law.at_most(sum), law.at_least(sum));
    let counts = labellings(&scores, m, sum, monitor)?;
    let unit = f64::from(scale);
    let mean = [sum as f64 / (m as f64 * unit), (all - sum) as f64 / (n as f64 * unit)];
    Ok(PermutationTest {
        n: [m, n],
        mean,
        difference: mean[0] - mean[1],
        spread: spread(&scores, m, n) / unit,
        p_value: match options.alternative {
            Alternative::TwoSided => (2.0 * p_lower.min(p_upper)).min(1.0),
            Alternative::Less => p_lower,
            Alternative::Greater => p_upper,
        },
        p_lower,
        p_upper,
        count_lower: counts.as_ref().map(|c| c.at_most.to_string()),
        count_upper: counts.as_ref().map(|c| c.at_least.to_string()),
        labellings: counts.as_ref().map(|c| c.all.to_string()),
        scale,
    })
}

/// The standard deviation of the difference in means over all labellings: S sqrt(1/m + 1/n), S with N - 1.
fn spread(scores: &[i64], m: usize, n: usize) -> f64 {
    let total = scores.len() as f64;
    let mean = scores.iter().sum::<i64>() as f64 / total;
    let squares: f64 = scores.iter().map(|&a| (a as f64 - mean).powi(2)).sum();
    (squares / (total - 1.0) * (1.0 / m as f64 + 1.0 / n as f64)).sqrt()
}

/// Scores times the smallest number that makes them whole, but for the rounding of arithmetic.
fn on_grid(values: &[f64], name: &str) -> Result<(Vec<i64>, u32)> {
    let size = values.iter().map(|v| v.abs() / values.len() as f64).sum::<f64>();
    for scale in [1_u32, 2, 3, 4, 5, 6, 10, 12, 20, 60, 100, 1000] {
        let scaled: Vec<f64> = values.iter().map(|v| v * f64::from(scale)).collect();
        let whole = |v: &f64| {
            let near = (v - v.round()).abs() <= (1e-9 * v.abs().max(1.0)).min(1e-4);
            // What is small next to a whole number is 0 only where the other scores are not as small.
            let gone = v.round() == 0.0 && v.abs() > 1e-12 * size * f64::from(scale);
            near && !gone && v.abs() < 1e12
        };
        if scaled.iter().all(whole) {
            return Ok((scaled.iter().map(|v| v.round() as i64).collect(), scale));
        }
    }
    let rows: Vec<usize> = (0..values.len()).filter(|&i| values[i].fract() != 0.0).collect();
    Err(Fault::new("scores are not whole numbers (nor halves, thirds, ... or thousandths), so labellings cannot be counted")
        .column(name)
        .rows(rows)
        .remedy("Use the randomisation test, which takes any values")
        .input())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids() {
        assert_eq!(on_grid(&[1.5, -2.0], "s").unwrap(), (vec![3, -4], 2));
        assert_eq!(on_grid(&[0.1, 0.3, 2.7], "s").unwrap(), (vec![1, 3, 27], 10));
        assert_eq!(on_grid(&[5.0 / 3.0, 2.0], "s").unwrap(), (vec![5, 6], 3));
        assert!(on_grid(&[std::f64::consts::PI], "s").is_err());
        assert_eq!(on_grid(&[0.8 - 0.5, 0.1 * 3.0, 0.3 - 0.1 * 3.0], "s").unwrap(), (vec![3, 3, 0], 10));
    }

    #[test]
    fn small_and_large_scores_are_not_rounded_away() {
        // Six different scores of a tenth of a billionth are not six zeros, nor is a half lost beside 1e11.
        assert!(on_grid(&[1e-10, 2e-10, 3e-10], "s").is_err());
        assert_eq!(on_grid(&[1e11, 1e11 + 0.5], "s").unwrap(), (vec![200_000_000_000, 200_000_000_001], 2));
    }
}
