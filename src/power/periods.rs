//! Clusters that are measured in several periods: stepped wedges, crossovers, a baseline period.
//!
//! A cluster of sequence `q` has the pattern `x_q` of treated periods (1 treated, 0 not), the same for all clusters of that
//! sequence, and every sequence has as many clusters. The means of its `T` periods have the covariance
//!
//! ```text
//! V = b C + w I,   C_st = 1 (s = t), else r  or  r^|s - t|,
//! ```
//!
//! with `b` the variance between clusters, `w` that of a mean of `m` members of one period, and `r` the autocorrelation of
//! the cluster's level: constant (nested exchangeable; 1 is the model of Hussey and Hughes) or decaying with time. Where
//! the same members are measured every time, their own autocorrelation `a` makes it `w ((1 - a) I + a J)`. With an effect a
//! period estimated beside that of treatment, a cluster's information is
//!
//! ```text
//! mean_q x_q' V^-1 x_q  -  xbar' V^-1 xbar,     xbar = mean_q x_q,
//! ```
//!
//! and the variance of the estimate, by generalised least squares, is one over `K` times that.
//!
//! Sources: M. A. Hussey and J. P. Hughes, Contemporary Clinical Trials 28 (2007) 182-191,
//! <https://doi.org/10.1016/j.cct.2006.05.007>; J. Kasza et al., Statistical Methods in Medical Research 28 (2019) 703-716,
//! <https://doi.org/10.1177/0962280217734981> (decay); R. Hooper et al., Statistics in Medicine 35 (2016) 4718-4728,
//! <https://doi.org/10.1002/sim.7028> (cohorts).

use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use crate::{Fault, Result};

/// Which sequences of clusters are treated in which periods, and how a cluster's level lasts.
///
/// ```
/// use crewe::power::Periods;
/// let wedge = Periods::stepped_wedge(4)?;
/// assert_eq!((wedge.pattern.len(), wedge.number()), (4, 5));
/// assert_eq!(wedge.pattern[0], [false, true, true, true, true]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Periods {
    /// Sequences by periods: whether it is treated.
    pub pattern: Vec<Vec<bool>>,
    /// The correlation of a cluster's level in two periods (of two periods that follow each other, where it decays).
    pub autocorrelation: f64,
    /// Whether it decays with the time between them.
    pub decay: bool,
    /// The correlation of a member's own deviations in two periods; 0 where others are measured each time.
    pub cohort: f64,
}

impl Periods {
    /// A pattern, with a level of each cluster that lasts.
    #[must_use]
    pub fn new(pattern: Vec<Vec<bool>>) -> Self {
        Self { pattern, autocorrelation: 1.0, decay: false, cohort: 0.0 }
    }

    /// So many sequences, one of which crosses over to treatment after each period but the last.
    ///
    /// # Errors
    /// Fewer than 2 sequences or more than 200.
    pub fn stepped_wedge(sequences: usize) -> Result<Self> {
        bounded("a stepped wedge", "steps", sequences)?;
        Ok(Self::new((0..sequences).map(|q| (0..=sequences).map(|t| t > q).collect()).collect()))
    }

    /// Two sequences that change places each period.
    ///
    /// # Errors
    /// Fewer than 2 periods or more than 200.
    pub fn crossover(periods: usize) -> Result<Self> {
        bounded("a crossover", "periods", periods)?;
        Ok(Self::new((0..2).map(|q| (0..periods).map(|t| (t + q) % 2 == 0).collect()).collect()))
    }

    /// How many periods there are.
    pub fn number(&self) -> usize {
        self.pattern.first().map_or(0, Vec::len)
    }

    /// The information on the effect that a cluster gives, for the two parts of a period's variance.
    pub(super) fn information(&self, between: f64, within: f64) -> f64 {
        let (periods, sequences) = (self.number(), self.pattern.len() as f64);
        let covariance = DMatrix::from_fn(periods, periods, |s, t| {
            if s == t {
                return between + within;
            }
            let apart = s.abs_diff(t) as i32;
            let lasting = if self.decay { self.autocorrelation.powi(apart) } else { self.autocorrelation };
            between * lasting + within * self.cohort
        });
        let Some(root) = covariance.cholesky() else { return f64::INFINITY };
        let quadratic = |x: &DVector<f64>| x.dot(&root.solve(x));
        let mut mean = DVector::zeros(periods);
        let mut own = 0.0;
        for sequence in &self.pattern {
            let x = DVector::from_iterator(periods, sequence.iter().map(|&on| f64::from(u8::from(on))));
            own += quadratic(&x) / sequences;
            mean += x / sequences;
        }
        own - quadratic(&mean)
    }
}

/// Refuses numbers that no trial has: the cost grows with their cube.
fn bounded(what: &str, of: &str, number: usize) -> Result<()> {
    if (2..=200).contains(&number) {
        return Ok(());
    }
    Err(Fault::new(format!("{what} has 2 to 200 {of}"))
        .values([number.to_string()])
        .remedy(format!("Give a number of {of} from 2 to 200"))
        .input())
}

crate::setters::setters!(Periods, autocorrelation: plain(f64), decay: plain(bool), cohort: plain(f64));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_wedge_has_hussey_and_hughes_variance() {
        // Their closed form, with I clusters, T periods, U = sum x, V and W the sums of squares by cluster and by period.
        let (between, within) = (0.03, 0.2);
        let wedge = Periods::stepped_wedge(4).unwrap();
        let x = &wedge.pattern;
        let (i, t) = (4.0, 5.0);
        let count = |rows: &mut dyn Iterator<Item = bool>| rows.filter(|&on| on).count() as f64;
        let u: f64 = x.iter().map(|row| count(&mut row.iter().copied())).sum();
        let v: f64 = x.iter().map(|row| count(&mut row.iter().copied()).powi(2)).sum();
        let w: f64 = (0..5).map(|s| count(&mut x.iter().map(|row| row[s])).powi(2)).sum();
        let variance = i * within * (within + t * between)
            / ((i * u - w) * within + (u * u + i * t * u - t * w - i * v) * between);
        assert!((1.0 / (4.0 * wedge.information(between, within)) / variance - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_crossover_cancels_what_lasts() {
        let lasting = Periods::crossover(2).unwrap();
        for between in [0.0, 0.5, 7.0] {
            // The difference of two means, halved: variance w/2 a cluster and treatment.
            assert!((lasting.information(between, 0.3) - 1.0 / (2.0 * 0.3)).abs() < 1e-12);
        }
    }
}
