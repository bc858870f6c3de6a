//! What outcomes say while the arms stay hidden.
//!
//! With a treated share `pi` and an effect `d` (a difference of means or of rates), outcomes of both arms together have the
//! variance within arms plus `pi (1 - pi) d^2`, all of which lies between clusters where whole clusters are treated: both
//! the variance and the intracluster correlation that are seen blinded are too large by it. What is left after it was
//! taken off is what a power calculation needs, if the effect is the one supposed (M. Kieser and T. Friede 2003,
//! doi:10.1002/sim.1585, for the variance).

use serde::Serialize;

use crate::{Fault, Result};

/// Outcomes of both arms together.
///
/// ```
/// use crewe::power::blinded::Blinded;
/// // Rates of .2 and .4, half of the clusters treated: 30% in all.
/// let seen = Blinded { mean: 0.3, variance: 0.3 * 0.7, icc: 0.1, clustered: true };
/// let inside = seen.less(0.2, 0.5)?;
/// assert!((inside.mean - 0.2).abs() < 1e-12 && (inside.variance - 0.2).abs() < 1e-12);
/// assert!((inside.icc - 0.011 / 0.2).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Blinded {
    /// The mean, or the rate.
    pub mean: f64,
    /// The variance.
    pub variance: f64,
    /// The intracluster correlation.
    pub icc: f64,
    /// Whether whole clusters are treated.
    pub clustered: bool,
}

impl Blinded {
    /// The mean of the control arm, and the variance and correlation within arms, under an effect.
    ///
    /// # Errors
    /// A treated share outside 0 to 1, an effect that is no number, and one that is larger than all that varies.
    pub fn less(&self, effect: f64, treated: f64) -> Result<Self> {
        if !(treated > 0.0 && treated < 1.0 && effect.is_finite()) {
            return Err(Fault::new("the treated share must lie between 0 and 1, and the effect be a number")
                .values([treated.to_string(), effect.to_string()])
                .remedy("Give the plan's own allocation and effect")
                .input());
        }
        let inflation = treated * (1.0 - treated) * effect * effect;
        let variance = self.variance - inflation;
        if variance <= 0.0 {
            return Err(Fault::new("outcomes vary less than the effect alone would make them")
                .values([format!("variance {}", self.variance), format!("from the effect {inflation}")])
                .remedy("The effect of the plan does not fit these outcomes: check units, and the column")
                .input());
        }
        let between = self.icc * self.variance - if self.clustered { inflation } else { 0.0 };
        Ok(Self {
            mean: self.mean - treated * effect,
            variance,
            icc: (between / variance).max(0.0),
            clustered: self.clustered,
        })
    }
}

/// Counts of both arms together, each over its own time.
///
/// ```
/// use crewe::power::blinded::CountsSeen;
/// let seen = CountsSeen::of(&[0.0, 2.0, 1.0, 3.0], &[1.0, 1.0, 2.0, 2.0])?;
/// assert_eq!((seen.rate, seen.exposure), (1.0, 1.5));
/// assert!((seen.dispersion - 3.0 / 3.0).abs() < 0.3);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CountsSeen {
    /// Events a member and unit of time.
    pub rate: f64,
    /// Pearson's: the mean square of what is standardised as Poisson counts would be.
    pub dispersion: f64,
    /// The mean time that a member was observed.
    pub exposure: f64,
    /// `(y - rate t) / sqrt(t)` of every member: what members of a cluster share of it is their correlation.
    pub residuals: Vec<f64>,
}

impl CountsSeen {
    /// What counts over these times say.
    ///
    /// # Errors
    /// Counts that are none, times that are not above 0, fewer than two members, and nobody with an event.
    pub fn of(counts: &[f64], times: &[f64]) -> Result<Self> {
        let wrong = |what: &str, rows: Vec<usize>| {
            Fault::new(format!("{what} cannot be"))
                .rows(rows)
                .remedy("Give whole numbers of events, each over a time above 0")
        };
        let no_count: Vec<usize> =
            (0..counts.len()).filter(|&i| !(counts[i] >= 0.0 && counts[i].fract() == 0.0)).collect();
        if !no_count.is_empty() {
            return Err(wrong("these counts", no_count).input());
        }
        let no_time: Vec<usize> =
            (0..times.len()).filter(|&i| !(times[i] > 0.0 && times[i].is_finite())).collect();
        if !no_time.is_empty() {
            return Err(wrong("these times", no_time).input());
        }
        let (n, events, time) = (counts.len() as f64, counts.iter().sum::<f64>(), times.iter().sum::<f64>());
        if counts.len() < 2 || times.len() != counts.len() || events == 0.0 {
            return Err(Fault::new("so few counts say nothing of their rate")
                .values([format!("{n} members"), format!("{events} events")])
                .remedy("Look again when more are known")
                .input());
        }
        let rate = events / time;
        let residuals: Vec<f64> = counts.iter().zip(times).map(|(y, t)| (y - rate * t) / t.sqrt()).collect();
        let dispersion = residuals.iter().map(|e| e * e).sum::<f64>() / ((n - 1.0) * rate);
        Ok(Self { rate, dispersion, exposure: time / n, residuals })
    }
}

/// The rate of both arms together, with how much counts vary beyond it.
///
/// With members over a time `t`, `V = dispersion rate t` is the variance of their counts and `icc V` the part between
/// clusters; an effect `d` on the rate adds `pi (1 - pi) (d t)^2` to both, as in [`Blinded`].
///
/// ```
/// use crewe::power::blinded::BlindedCounts;
/// // Rates of .6 and .3, half of the clusters treated: .45 in all, and Poisson within the arms.
/// let (t, d) = (2.0, -0.3);
/// let variance = 0.45 * t + 0.25 * (d * t) * (d * t);
/// let seen = BlindedCounts {
///     rate: 0.45, dispersion: variance / (0.45 * t), exposure: t, icc: 0.25 * (d * t) * (d * t) / variance, clustered: true,
/// };
/// assert!((seen.difference(0.5, 0.5) - d).abs() < 1e-12);
/// let inside = seen.less(d, 0.5)?;
/// assert!((inside.rate - 0.6).abs() < 1e-12 && (inside.dispersion - 1.0).abs() < 1e-12 && inside.icc.abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BlindedCounts {
    /// Events a member and unit of time.
    pub rate: f64,
    /// The variance of a member's count over its mean.
    pub dispersion: f64,
    /// The time that a member is observed.
    pub exposure: f64,
    /// The intracluster correlation of the counts.
    pub icc: f64,
    /// Whether whole clusters are treated.
    pub clustered: bool,
}

/// What a calculation of counts needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CountFigures {
    /// The control arm's rate.
    pub rate: f64,
    /// The variance of a member's count over its mean.
    pub dispersion: f64,
    /// The intracluster correlation of the counts.
    pub icc: f64,
    /// In place of the correlation: the coefficient of variation of the clusters' own rates.
    pub rate_cv: f64,
    /// The dispersion that goes with it, within clusters.
    pub dispersion_within: f64,
    /// The share of the blinded variance that the effect makes up.
    pub inflation: f64,
}

impl BlindedCounts {
    /// The difference that a ratio of the arms' rates stands for.
    pub fn difference(&self, ratio: f64, treated: f64) -> f64 {
        self.rate * (ratio - 1.0) / (1.0 - treated + treated * ratio)
    }

    /// The figures within arms, under a difference of their rates.
    ///
    /// # Errors
    /// As [`Blinded::less`].
    pub fn less(&self, difference: f64, treated: f64) -> Result<CountFigures> {
        let Self { rate, dispersion, exposure, icc, clustered } = *self;
        let mean = rate * exposure;
        let seen = Blinded { mean, variance: dispersion * mean, icc, clustered };
        let inside = seen.less(difference * exposure, treated)?;
        let between = inside.icc * inside.variance;
        // The mean square of the arms' own rates, of which the clusters' vary by a share.
        let square = rate * rate + treated * (1.0 - treated) * difference * difference;
        Ok(CountFigures {
            rate: inside.mean / exposure,
            dispersion: inside.variance / mean,
            icc: inside.icc,
            rate_cv: (between / square).sqrt() / exposure,
            dispersion_within: (inside.variance - between) / mean,
            inflation: 1.0 - inside.variance / seen.variance,
        })
    }
}

/// Times to an event of both arms together.
///
/// Under a hazard ratio `h` the arms' shares with the event are such that `(1 - pi) S + pi S^h = 1 - share`, with `S` the
/// control arm's survival. What siblings share is the correlation of their scores: events less expected events under one
/// hazard for all. The arms' mean scores then differ, by `e_1 - e_0` with
///
/// ```text
/// e_a = 1 - S_a(end) - integral over S from S(end) to 1 of S^(h_a) r(S) dS / S,
/// r(S) = ((1 - pi) S + pi h S^h) / ((1 - pi) S + pi S^h)
/// ```
///
/// as if everybody had been followed until a share `seen` had the event; `pi (1 - pi) (e_1 - e_0)^2` is taken off.
///
/// ```
/// use crewe::power::blinded::BlindedTimes;
/// let seen = BlindedTimes { share: 0.5, seen: 0.5, variance: 0.4, icc: 0.2, clustered: true };
/// assert!((seen.less(1.0, 0.5)?.share - 0.5).abs() < 1e-12);
/// let inside = seen.less(0.5, 0.5)?;
/// let survival = 1.0 - inside.share;
/// assert!((0.5 * survival + 0.5 * survival.sqrt() - 0.5).abs() < 1e-12 && inside.icc < 0.2);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BlindedTimes {
    /// The share with the event by the end of follow-up.
    pub share: f64,
    /// The share of the members who had the event so far.
    pub seen: f64,
    /// The variance of the scores.
    pub variance: f64,
    /// The intracluster correlation of the scores.
    pub icc: f64,
    /// Whether whole clusters are treated.
    pub clustered: bool,
}

/// What a calculation of times needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TimeFigures {
    /// The control arm's share with the event.
    pub share: f64,
    /// The intracluster correlation of the scores.
    pub icc: f64,
    /// The share of the scores' blinded variance that the effect makes up.
    pub inflation: f64,
}

/// Steps of the integral, an even number.
const STEPS: u32 = 400;

impl BlindedTimes {
    /// The figures within arms, under a hazard ratio.
    ///
    /// # Errors
    /// A hazard ratio that is not above 0, a share that is not between 0 and 1, and as [`Blinded::less`].
    pub fn less(&self, ratio: f64, treated: f64) -> Result<TimeFigures> {
        let Self { share, seen, variance, icc, clustered } = *self;
        let inside = |share: f64| share > 0.0 && share < 1.0;
        if !(ratio > 0.0 && ratio.is_finite() && inside(share) && inside(seen)) {
            return Err(Fault::new("a hazard ratio must be above 0, and some but not all have the event")
                .values([format!("hazard ratio {ratio}"), format!("share {share}")])
                .remedy("Look again when more is known")
                .input());
        }
        let control = |share: f64| -> f64 {
            // The logarithm of S falls from 0; the mixture is monotone in it.
            let mixed = |log: f64| (1.0 - treated) * log.exp() + treated * (ratio * log).exp();
            let (mut low, mut high) = (-800.0 / ratio.min(1.0), 0.0);
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if mixed(middle) > 1.0 - share { high = middle } else { low = middle }
            }
            0.5 * (low + high)
        };
        let end = control(seen);
        // With x = ln S, the integral of exp(h_a x) r dx from its end to 0, by Simpson's rule.
        let r = |x: f64| {
            let (own, other) = ((1.0 - treated) * x.exp(), treated * (ratio * x).exp());
            (own + ratio * other) / (own + other)
        };
        let score = |own: f64| {
            let step = -end / f64::from(STEPS);
            let expected: f64 = (0..=STEPS)
                .map(|i| {
                    let x = end + step * f64::from(i);
                    let weight = if i == 0 || i == STEPS { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
                    weight * (own * x).exp() * r(x)
                })
                .sum();
            -libm::expm1(own * end) - expected * step / 3.0
        };
        let apart = score(ratio) - score(1.0);
        let within = Blinded { mean: 0.0, variance, icc, clustered }.less(apart, treated)?;
        Ok(TimeFigures {
            share: -libm::expm1(control(share)),
            icc: within.icc,
            inflation: 1.0 - within.variance / variance,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_that_outcomes_cannot_hold_is_refused() {
        let seen = Blinded { mean: 1.0, variance: 0.04, icc: 0.0, clustered: true };
        assert!(seen.less(1.0, 0.5).unwrap_err().to_string().contains("vary less"));
        assert!(seen.less(0.1, 1.0).unwrap_err().to_string().contains("treated share"));
        assert_eq!(seen.less(0.1, 0.5).unwrap().icc, 0.0);
    }

    /// The arms' scores add up to none: both sides of the integral are there.
    #[test]
    fn mean_scores_of_the_arms_cancel() {
        let seen = BlindedTimes { share: 0.4, seen: 0.4, variance: 0.3, icc: 0.0, clustered: false };
        // Without clusters the ICC stays; the variance falls by what the arms differ.
        let found = seen.less(0.3, 0.5).unwrap();
        assert_eq!(found.icc, 0.0);
        assert!(found.inflation > 0.05 && found.inflation < 0.2, "{found:?}");
        assert!(seen.less(1.0, 0.3).unwrap().inflation.abs() < 1e-12);
        assert!(seen.less(0.0, 0.3).unwrap_err().to_string().contains("hazard ratio"));
    }

    #[test]
    fn counts_that_say_nothing_are_refused() {
        let said = |y: &[f64], t: &[f64]| CountsSeen::of(y, t).unwrap_err().to_string();
        assert!(said(&[0.5, 1.0], &[1.0, 1.0]).contains("these counts"));
        assert!(said(&[1.0, 1.0], &[1.0, 0.0]).contains("these times"));
        assert!(said(&[0.0, 0.0], &[1.0, 1.0]).contains("so few"));
    }
}
