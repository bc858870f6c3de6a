//! The null distribution of a statistic, and the p-values it gives.
//!
//! Over all assignments a, with their probabilities: p = sum of P(a) over those with T(a) >= t. Over n draws, of which x
//! are at least as large: p = (1 + x) / (1 + n), since the trial itself is one more draw (B. Phipson and G. K. Smyth
//! 2010, doi:10.2202/1544-6115.1585). Values within 1e-9 of each other, relative to the larger of |t| and the
//! distribution's standard deviation, count as equal, so that rounding breaks no tie. Two-sided p is twice the smaller
//! tail, at most 1.

use serde::Serialize;

use crate::nonparametric::Alternative;
use crate::{Fault, Result};

/// The tails of a null distribution at the observed value.
///
/// ```
/// use crewe::nonparametric::Alternative;
/// use crewe::resampling::tails;
/// let found = tails(&[-1.0, 0.0, 1.0], None, 1.0)?;
/// assert_eq!((found.lower, found.upper), (1.0, 0.5));
/// assert_eq!(found.p_value(Alternative::TwoSided), 1.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tails {
    /// The probability of a value at most as large.
    pub lower: f64,
    /// The probability of a value at least as large.
    pub upper: f64,
    /// The mean of the distribution, over its finite values.
    pub mean: f64,
    /// Its standard deviation, over its finite values.
    pub sd: f64,
}

impl Tails {
    /// The p-value of an alternative.
    pub fn p_value(&self, alternative: Alternative) -> f64 {
        match alternative {
            Alternative::TwoSided => (2.0 * self.lower.min(self.upper)).min(1.0),
            Alternative::Less => self.lower,
            Alternative::Greater => self.upper,
        }
    }
}

/// The tails of a null distribution: over all assignments with these probabilities (or weights in proportion to them),
/// or over draws.
///
/// ```
/// // Three of nine draws are at least as large as the observed value, so p is (1 + 3) / (1 + 9).
/// let draws = [0.1, 0.5, 0.2, 0.9, 0.3, 0.7, 0.4, 0.2, 0.1];
/// assert_eq!(crewe::resampling::tails(&draws, None, 0.5)?.upper, 0.4);
/// // Over all assignments the probabilities are summed, the observed one's among them.
/// assert_eq!(crewe::resampling::tails(&[1.0, 2.0, 3.0], Some(&[0.5, 0.25, 0.25]), 2.0)?.upper, 0.5);
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Input`] where there are no values, a value or the observed one is missing (it would count on neither
/// side, and the p-value come out too small), or the probabilities are not one a value, none negative and their sum
/// positive.
pub fn tails(values: &[f64], probability: Option<&[f64]>, observed: f64) -> Result<Tails> {
    let refuse = |problem: String| {
        Err(Fault::new(problem).remedy("Give the statistic a value on every assignment").input())
    };
    if values.is_empty() {
        return refuse("there are no values to compare the observed one with".into());
    }
    let missing = values.iter().filter(|value| value.is_nan()).count();
    if missing > 0 || observed.is_nan() {
        let which = if observed.is_nan() { "the observed value".into() } else { format!("{missing} values") };
        return refuse(format!("{which} of the statistic are missing"));
    }
    if let Some(p) = probability
        && (p.len() != values.len()
            || p.iter().any(|&p| !(p >= 0.0 && p.is_finite()))
            || p.iter().sum::<f64>() <= 0.0)
    {
        return Err(Fault::new("the probabilities do not fit the values")
            .values([format!("{} probabilities, {} values", p.len(), values.len())])
            .remedy("Give one for each value, none negative, their sum above 0")
            .input());
    }
    Ok(tails_of(values, probability, observed))
}

/// Refuses so few draws that no p-value could be as small as the error probability of an interval at `level`.
///
/// # Errors
/// [`crate::Error::Input`], which says how many draws it takes.
///
/// ```
/// use crewe::resampling::check_draws;
/// assert!(check_draws(19, 0.95).is_ok());
/// assert!(check_draws(18, 0.95).unwrap_err().to_string().contains("at least 19"));
/// ```
pub fn check_draws(draws: usize, level: f64) -> Result<()> {
    let alpha = 1.0 - level;
    if (draws as f64 + 1.0) * alpha > 1.0 - 1e-9 {
        return Ok(());
    }
    let least = (1.0 / alpha - 1e-9).ceil() - 1.0;
    Err(Fault::new(format!("with {draws} draws no p-value can be as small as {alpha:.3}"))
        .remedy(format!("Draw at least {least} times; 9,999 are the default"))
        .input())
}

/// The tails of values that were checked.
pub(super) fn tails_of(values: &[f64], probability: Option<&[f64]>, observed: f64) -> Tails {
    let weight = |i: usize| probability.map_or(1.0, |p| p[i]);
    let (mut total, mut mean) = (0.0, 0.0);
    for i in (0..values.len()).filter(|&i| values[i].is_finite()) {
        total += weight(i);
        mean += weight(i) * values[i];
    }
    mean /= total;
    let squares: f64 = (0..values.len())
        .filter(|&i| values[i].is_finite())
        .map(|i| weight(i) * (values[i] - mean).powi(2))
        .sum();
    let sd = (squares / total).sqrt();
    let near = tolerance(observed, sd);
    let (mut lower, mut upper) = (0.0, 0.0);
    for (i, &value) in values.iter().enumerate() {
        lower += if value <= observed + near { weight(i) } else { 0.0 };
        upper += if value >= observed - near { weight(i) } else { 0.0 };
    }
    let n = values.len() as f64;
    (lower, upper) = match probability {
        Some(probability) => {
            let all: f64 = probability.iter().sum();
            (lower / all, upper / all)
        }
        None => ((1.0 + lower) / (1.0 + n), (1.0 + upper) / (1.0 + n)),
    };
    Tails { lower: lower.min(1.0), upper: upper.min(1.0), mean, sd }
}

/// How far apart values may lie and still be equal.
pub(super) fn tolerance(observed: f64, sd: f64) -> f64 {
    let scale = if sd.is_finite() { observed.abs().max(sd) } else { observed.abs() };
    if scale.is_finite() { 1e-9 * scale } else { 0.0 }
}

/// Weights in proportion to the probabilities of the assignments that are kept; 1 each where they are equal, so that a
/// p-value is exactly a count over the number of assignments.
pub(super) fn weights(probability: &[f64], kept: &[bool]) -> Vec<f64> {
    let left: Vec<f64> = probability.iter().zip(kept).filter(|(_, kept)| **kept).map(|(&p, _)| p).collect();
    let (least, most) =
        left.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &p| (low.min(p), high.max(p)));
    if most - least <= 1e-12 * most { vec![1.0; left.len()] } else { left }
}
