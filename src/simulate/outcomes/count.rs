//! Counts whose rate members of a cluster share in part.
//!
//! Given the cluster's factor, gamma with mean 1 and coefficient of variation `cv`, counts are Poisson with mean
//! `(baseline + effect arm) * factor`. Drawn without the factor: with shape `a = 1/cv^2`, after members with counts summing
//! to s and means summing to m the next count is negative binomial with size `a + s` and success probability
//! `(a + m) / (a + m + mu)`, which takes one uniform number, inverted from 0 upwards.
//!
//! R. J. Hayes and S. Bennett (1999), Simple sample size calculation for cluster-randomized trials,
//! <https://doi.org/10.1093/ije/28.2.319>, for the coefficient of variation between clusters.

use serde::{Deserialize, Serialize};

use super::generator::{Entry, Generator, Groups, Shifts, check_dropout};
use crate::rng::Stream;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "count" };

/// The largest mean count of a member: beyond, the probability of 0 has no digits.
const MOST: f64 = 500.0;

/// A count.
///
/// ```
/// use crewe::simulate::Count;
/// let days = Count { baseline: 4.0, effect: -1.0, cv: 0.25, ..Count::default() };
/// assert_eq!(days.cv, 0.25);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Count {
    /// The mean count of a member of the control arm.
    pub baseline: f64,
    /// The mean count of the treated less that of the control arm.
    pub effect: f64,
    /// The coefficient of variation of the clusters' rates.
    pub cv: f64,
    /// The share of members whose outcome is lost, whatever it is.
    pub dropout: f64,
}

impl Default for Count {
    fn default() -> Self {
        Self { baseline: 1.0, effect: 0.0, cv: 0.0, dropout: 0.0 }
    }
}

impl Count {
    fn each(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        mut tell: impl FnMut(usize, usize, f64),
    ) {
        let shape = 1.0 / (self.cv * self.cv);
        for unit in 0..groups.units() {
            let (mut counts, mut means) = (0.0, 0.0);
            for row in groups.rows(unit) {
                let mean = groups.baseline.of(row) + shifts.of(unit, row);
                let uniform = stream.unit();
                let drawn = if shape.is_finite() {
                    negative_binomial(uniform, shape + counts, mean / (shape + means + mean))
                } else {
                    inverted(uniform, libm::exp(-mean), |count| mean / (count + 1.0))
                };
                counts += drawn;
                means += mean;
                tell(unit, row, drawn);
            }
        }
    }
}

/// The quantile of a negative binomial of this size, each failure having this probability.
fn negative_binomial(uniform: f64, size: f64, failure: f64) -> f64 {
    let none = libm::exp(size * libm::log1p(-failure));
    inverted(uniform, none, |count| (size + count) / (count + 1.0) * failure)
}

/// The least count whose cumulative probability exceeds a uniform number; `next` is the ratio of successive ones.
fn inverted(uniform: f64, none: f64, next: impl Fn(f64) -> f64) -> f64 {
    let (mut count, mut mass, mut below) = (0.0, none, none);
    // Rounding may leave the sum below a uniform number near 1: then what adds nothing any more ends it.
    while uniform >= below {
        mass *= next(count);
        count += 1.0;
        if below + mass == below && next(count) < 1.0 {
            break;
        }
        below += mass;
    }
    count
}

impl Generator for Count {
    fn entry(&self) -> Entry {
        ENTRY
    }

    fn text(&self) -> String {
        if self.cv == 0.0 {
            "Poisson counts".to_owned()
        } else {
            format!(
                "Poisson counts whose rates vary by a gamma factor between clusters, coefficient of variation {}",
                self.cv
            )
        }
    }

    fn baseline(&self) -> f64 {
        self.baseline
    }

    fn effect(&self) -> f64 {
        self.effect
    }

    fn bounds(&self, groups: &Groups<'_>) -> (f64, f64) {
        let n = groups.starts[groups.units()] as usize;
        let (low, high) = (0..n)
            .map(|row| groups.baseline.of(row))
            .fold((f64::INFINITY, 0.0_f64), |(low, high), mean| (low.min(mean), high.max(mean)));
        (-low, MOST - high)
    }

    fn check(&self, groups: &Groups<'_>, effect: f64, order: &[u32]) -> Result<()> {
        check_dropout(self.dropout)?;
        let n = groups.starts[groups.units()] as usize;
        let given = |rows: &[usize]| -> Vec<usize> {
            rows.iter().filter_map(|&row| order.get(row).map(|&row| row as usize)).collect()
        };
        let inside = |mean: f64| (0.0..=MOST).contains(&mean);
        let wrong: Vec<usize> = (0..n).filter(|&row| !inside(groups.baseline.of(row))).collect();
        if !wrong.is_empty() {
            return Err(Fault::new(format!("the baseline of a count is a mean from 0 to {MOST}"))
                .rows(given(&wrong))
                .remedy("Give the mean count of a member of the control arm")
                .input());
        }
        let outside: Vec<usize> = (0..n).filter(|&row| !inside(groups.baseline.of(row) + effect)).collect();
        if !outside.is_empty() {
            let (low, high) = self.bounds(groups);
            return Err(Fault::new(format!("an effect of {effect} takes mean counts outside 0 to {MOST}"))
                .rows(given(&outside))
                .values([effect.to_string()])
                .remedy(format!("Give an effect from {low:.4} to {high:.4}, as a difference of mean counts"))
                .input());
        }
        if !(self.cv >= 0.0 && self.cv <= 10.0) {
            return Err(Fault::new(
                "the coefficient of variation of the clusters' rates must lie between 0 and 10",
            )
            .values([self.cv.to_string()])
            .remedy("Give the standard deviation of the rates over their mean, such as 0.25")
            .input());
        }
        Ok(())
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn rows(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, y: &mut [f64]) {
        self.each(groups, shifts, stream, |_, row, drawn| y[row] = drawn);
    }

    fn totals(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, totals: &mut [f64]) {
        totals.fill(0.0);
        self.each(groups, shifts, stream, |unit, _, drawn| totals[unit] += drawn);
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator::Baseline;
    use super::*;
    use crate::rng::Seed;

    /// Mean mu, variance mu + (cv mu)^2, covariance (cv mu)^2 within clusters.
    #[test]
    fn moments_are_those_of_a_gamma_factor() {
        let starts = [0, 3];
        let groups = Groups { starts: &starts, baseline: Baseline::One(4.0), prepared: 0.0, entry: None };
        for cv in [0.0, 0.5] {
            let days = Count { baseline: 4.0, cv, ..Count::default() };
            let stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
            let (mut mean, mut square, mut together, mut y) = (0.0, 0.0, 0.0, [0.0; 3]);
            let sims = 40_000;
            for i in 0..sims {
                days.rows(
                    &groups,
                    &Shifts { dose: &[0.0], effect: 0.0, share: None },
                    &mut stream.at(i),
                    &mut y,
                );
                mean += y[2] / sims as f64;
                square += (y[2] - 4.0).powi(2) / sims as f64;
                together += (y[0] - 4.0) * (y[2] - 4.0) / sims as f64;
            }
            let between = (cv * 4.0).powi(2);
            assert!((mean - 4.0).abs() < 0.06, "{cv}: {mean}");
            assert!(
                (square - 4.0 - between).abs() < 0.35 && (together - between).abs() < 0.3,
                "{cv}: {square} {together}"
            );
        }
    }
}
