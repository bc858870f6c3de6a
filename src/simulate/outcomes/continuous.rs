//! Normal outcomes that members of a cluster share in part.
//!
//! `y_gi = baseline + effect arm_g + sd v_gi`, where the `v` of one cluster are normal with variance 1 and correlation
//! `icc`, which may be as low as -1/(m - 1) in clusters of m. The mean of a cluster's v is normal with variance
//! `(1 + (m - 1) icc) / m` and independent of the deviations from it, `sqrt(1 - icc) (e_i - mean e)`: so the sum over a
//! cluster takes one normal number, and the rows follow where they are asked for.

use serde::{Deserialize, Serialize};

use super::covariates;
use super::generator::{Covariate, Entry, Generator, Groups, Shifts, check_dropout};
use crate::rng::Stream;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "continuous" };

/// A normal outcome.
///
/// ```
/// use crewe::simulate::Continuous;
/// let score = Continuous { effect: 0.2, icc: 0.1, ..Continuous::default() };
/// assert_eq!(score.sd, 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Continuous {
    /// The mean of the control arm.
    pub baseline: f64,
    /// The mean of the treated less that of the control arm.
    pub effect: f64,
    /// The correlation within clusters.
    pub icc: f64,
    /// The standard deviation within an arm.
    pub sd: f64,
    /// The share of members whose outcome is lost, whatever it is.
    pub dropout: f64,
    /// What is drawn with it, and explains shares of the variance of clusters and of members.
    pub covariates: Vec<Covariate>,
}

impl Default for Continuous {
    fn default() -> Self {
        Self { baseline: 0.0, effect: 0.0, icc: 0.0, sd: 1.0, dropout: 0.0, covariates: Vec::new() }
    }
}

impl Continuous {
    /// The deviation of a cluster's mean, for m rows.
    fn of_mean(&self, m: usize) -> f64 {
        let m = m as f64;
        // Rounding at the bound is no negative variance.
        self.sd * (((1.0 + (m - 1.0) * self.icc) / m).max(0.0)).sqrt()
    }
}

impl Generator for Continuous {
    fn entry(&self) -> Entry {
        ENTRY
    }

    fn text(&self) -> String {
        format!(
            "normal outcomes with standard deviation {} and correlation {} within clusters",
            self.sd, self.icc
        )
    }

    fn baseline(&self) -> f64 {
        self.baseline
    }

    fn effect(&self) -> f64 {
        self.effect
    }

    fn bounds(&self, _groups: &Groups<'_>) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    fn unit(&self) -> f64 {
        0.25 * self.sd
    }

    fn check(&self, groups: &Groups<'_>, effect: f64, order: &[u32]) -> Result<()> {
        check_dropout(self.dropout)?;
        covariates::check(&self.covariates, self.icc)?;
        let n = groups.starts[groups.units()] as usize;
        let wrong: Vec<usize> = (0..n).filter(|&row| !groups.baseline.of(row).is_finite()).collect();
        if !wrong.is_empty() {
            return Err(Fault::new("the baseline of an outcome must be a finite number")
                .rows(wrong.iter().filter_map(|&row| order.get(row).map(|&row| row as usize)))
                .remedy("Give a mean for every row")
                .input());
        }
        if !(effect.is_finite() && self.sd.is_finite() && self.sd > 0.0) {
            return Err(Fault::new(
                "the effect must be a finite number, and the standard deviation one above 0",
            )
            .values([format!("effect: {effect}"), format!("sd: {}", self.sd)])
            .remedy("Give both in the units of the outcome")
            .input());
        }
        let largest = groups.largest();
        let least = if largest > 1 { -1.0 / (largest as f64 - 1.0) } else { -1.0 };
        if !(self.icc >= least && self.icc <= 1.0) {
            return Err(Fault::new(format!(
                "clusters of {largest} can have no intracluster correlation of {}",
                self.icc
            ))
            .values([self.icc.to_string()])
            .remedy(format!("Give one from {least:.4} to 1"))
            .input());
        }
        Ok(())
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn covariates(&self) -> &[Covariate] {
        &self.covariates
    }

    fn rows_beside(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        y: &mut [f64],
        beside: &mut [Vec<f64>],
    ) {
        covariates::scores(groups, (self.icc, &self.covariates), stream, beside, |unit, row, score| {
            y[row] = groups.baseline.of(row) + shifts.of(unit, row) + self.sd * score;
        });
    }

    fn rows(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, y: &mut [f64]) {
        let means: Vec<f64> = (0..groups.units())
            .map(|unit| {
                let m = groups.rows(unit).len();
                if m == 0 { 0.0 } else { self.of_mean(m) * stream.normal() }
            })
            .collect();
        let within = self.sd * (1.0 - self.icc).max(0.0).sqrt();
        for unit in 0..groups.units() {
            let rows = groups.rows(unit);
            let m = rows.len() as f64;
            let mut sum = 0.0;
            for into in &mut y[rows.clone()] {
                *into = stream.normal();
                sum += *into;
            }
            for row in rows {
                let own = within * (y[row] - sum / m);
                y[row] = groups.baseline.of(row) + shifts.of(unit, row) + means[unit] + own;
            }
        }
    }

    fn totals(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, totals: &mut [f64]) {
        for (unit, total) in totals.iter_mut().enumerate() {
            let rows = groups.rows(unit);
            let m = rows.len();
            let expected: f64 = rows.map(|row| groups.baseline.of(row)).sum();
            let shared = if m == 0 { 0.0 } else { self.of_mean(m) * stream.normal() };
            *total = expected + m as f64 * (shifts.of_unit(unit) + shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator::Baseline;
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn totals_are_those_of_the_rows() {
        let starts = [0, 1, 4, 4, 9];
        let each: Vec<f64> = (0..9).map(f64::from).collect();
        let groups = Groups { starts: &starts, baseline: Baseline::Each(&each), prepared: 0.0, entry: None };
        let score = Continuous { icc: 0.3, sd: 2.0, ..Continuous::default() };
        let stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
        let (mut y, mut totals) = ([0.0; 9], [0.0; 4]);
        let treated = [0.0, 1.0, 0.0, 1.0];
        score.rows(&groups, &Shifts { dose: &treated, effect: 0.5, share: None }, &mut stream.at(3), &mut y);
        score.totals(
            &groups,
            &Shifts { dose: &treated, effect: 0.5, share: None },
            &mut stream.at(3),
            &mut totals,
        );
        for unit in 0..4 {
            let sum: f64 = y[groups.rows(unit)].iter().sum();
            assert!((sum - totals[unit]).abs() < 1e-12, "{unit}");
        }
    }

    /// Negative correlations down to the bound, where a cluster's sum does not vary at all.
    #[test]
    fn correlations_are_those_asked_for() {
        let starts = [0, 3];
        let groups = Groups { starts: &starts, baseline: Baseline::One(0.0), prepared: 0.0, entry: None };
        for icc in [-0.5, 0.0, 0.36, 1.0] {
            let score = Continuous { icc, ..Continuous::default() };
            assert!(score.check(&groups, 0.0, &[]).is_ok());
            let stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
            let (mut square, mut together, mut y) = (0.0, 0.0, [0.0; 3]);
            for i in 0..40_000 {
                score.rows(
                    &groups,
                    &Shifts { dose: &[0.0], effect: 0.0, share: None },
                    &mut stream.at(i),
                    &mut y,
                );
                square += y[0] * y[0] / 40_000.0;
                together += y[1] * y[2] / 40_000.0;
            }
            assert!(
                (square - 1.0).abs() < 0.03 && (together - icc).abs() < 0.03,
                "{icc}: {square} {together}"
            );
        }
        let below = Continuous { icc: -0.51, ..Continuous::default() };
        assert!(below.check(&groups, 0.0, &[]).is_err());
    }
}
