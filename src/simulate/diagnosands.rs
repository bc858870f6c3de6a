//! What replicates say of an analysis, each with the interval of its Monte Carlo error.
//!
//! Shares have Wilson's interval, means the normal one. G. Blair, J. Cooper, A. Coppock and M. Humphreys (2019), Declaring
//! and diagnosing research designs, <https://doi.org/10.1017/S0003055419000194>; A. Gelman and J. Carlin (2014), Beyond
//! power calculations: assessing type S (sign) and type M (magnitude) errors, <https://doi.org/10.1177/1745691614551642>;
//! T. P. Morris, I. R. White and M. J. Crowther (2019), Using simulation studies to evaluate statistical methods,
//! <https://doi.org/10.1002/sim.8086>, for Monte Carlo errors.

use serde::Serialize;

use super::replicates::{Replicates, Status};
use crate::Result;
use crate::dist::{normal_quantile, t_two_sided};
use crate::nonparametric::wilson;

/// The level of Monte Carlo intervals.
const LEVEL: f64 = 0.95;

/// A simulated quantity; NaN where it is not defined.
///
/// ```
/// use crewe::simulate::Measure;
/// let measure = Measure::share(80, 100)?;
/// assert!(measure.low < 0.8 && 0.8 < measure.high && (measure.std_error - 0.04).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Measure {
    /// Its value.
    pub value: f64,
    /// Its Monte Carlo standard error.
    pub std_error: f64,
    /// The lower end of its 95% Monte Carlo interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Measure {
    const UNDEFINED: Self = Self { value: f64::NAN, std_error: f64::NAN, low: f64::NAN, high: f64::NAN };

    /// A share of so many, with Wilson's interval.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a count above the whole.
    pub fn share(count: u64, of: u64) -> Result<Self> {
        if of == 0 {
            return Ok(Self::UNDEFINED);
        }
        let interval = wilson(count, of, LEVEL)?;
        let value = count as f64 / of as f64;
        let std_error = (value * (1.0 - value) / of as f64).sqrt();
        Ok(Self { value, std_error, low: interval.low, high: interval.high })
    }

    /// A mean, with the normal interval.
    pub fn mean(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (n, sum) = values.clone().fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
        if n == 0.0 {
            return Self::UNDEFINED;
        }
        let value = sum / n;
        let squares: f64 = values.map(|x| (x - value) * (x - value)).sum();
        let std_error = (squares / (n - 1.0) / n).sqrt();
        Self::normal(value, std_error)
    }

    fn normal(value: f64, std_error: f64) -> Self {
        let half = -normal_quantile(0.5 * (1.0 - LEVEL)) * std_error;
        Self { value, std_error, low: value - half, high: value + half }
    }

    fn over(self, by: f64) -> Self {
        Self {
            value: self.value / by,
            std_error: self.std_error / by,
            low: self.low / by,
            high: self.high / by,
        }
    }
}

/// How an analysis fares.
///
/// ```
/// use crewe::simulate::{Replicates, diagnose};
/// let found = diagnose(&Replicates::default(), 0.1, 0.05)?;
/// assert!(found.sims == 0 && found.power.value.is_nan());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnosands {
    /// The number of replicates.
    pub sims: u64,
    /// The share of all replicates that reject no effect; those without an answer do not. Without an effect it is the size.
    pub power: Measure,
    /// The mean estimate less the effect.
    pub bias: Measure,
    /// The standard deviation of the estimates.
    pub sd: Measure,
    /// The mean standard error.
    pub mean_std_error: Measure,
    /// The share of answers whose interval, of level 1 less alpha, holds the effect.
    pub coverage: Measure,
    /// Among answers that reject, the share with the wrong sign; NaN without an effect.
    pub type_s: Measure,
    /// Among answers that reject, the mean size of the estimate over that of the effect; NaN without an effect.
    pub type_m: Measure,
    /// The share of replicates with an answer.
    pub convergence: Measure,
    /// Replicates without an answer, by the reason.
    pub unanswered: Vec<(&'static str, u64)>,
}

/// Diagnoses replicates that were drawn under this effect, at the two-sided level alpha.
///
/// # Errors
/// None in practice: counts are never above the whole.
pub fn diagnose(replicates: &Replicates, effect: f64, alpha: f64) -> Result<Diagnosands> {
    let r = replicates;
    let sims = r.len() as u64;
    let answered: Vec<usize> = (0..r.len()).filter(|&i| r.status[i] == Status::Answered).collect();
    let rejected: Vec<usize> = answered.iter().copied().filter(|&i| r.p_value[i] <= alpha).collect();
    let n = answered.len() as u64;
    // Somebody else's analysis may have no estimate, no error or no interval.
    let covers = |i: usize| match &r.interval {
        Some([low, high]) if !(low[i].is_nan() || high[i].is_nan()) => {
            Some(low[i] <= effect && effect <= high[i])
        }
        Some(_) => None,
        None => {
            let tail = t_two_sided((r.estimate[i] - effect) / r.std_error[i], r.df[i]);
            (!tail.is_nan()).then_some(tail > alpha)
        }
    };
    let intervals: Vec<bool> = answered.iter().filter_map(|&i| covers(i)).collect();
    let covered = intervals.iter().filter(|&&covered| covered).count();
    let estimates = || answered.iter().map(|&i| r.estimate[i]).filter(|estimate| !estimate.is_nan());
    let bias = Measure::mean(estimates().map(|estimate| estimate - effect));
    let estimated = estimates().count() as f64;
    let sd = bias.std_error * estimated.sqrt();
    let wrong = rejected.iter().filter(|&&i| r.estimate[i] * effect < 0.0).count();
    let known = effect != 0.0 && rejected.iter().all(|&i| !r.estimate[i].is_nan());
    let unanswered = [Status::FewUnits, Status::Undefined, Status::NotFitted]
        .map(|status| (status.name(), r.count(status) as u64));
    Ok(Diagnosands {
        sims,
        power: Measure::share(rejected.len() as u64, sims)?,
        bias,
        sd: Measure::normal(sd, sd / (2.0 * (estimated - 1.0)).sqrt()),
        mean_std_error: Measure::mean(
            answered.iter().map(|&i| r.std_error[i]).filter(|error| !error.is_nan()),
        ),
        coverage: Measure::share(covered as u64, intervals.len() as u64)?,
        type_s: if known { Measure::share(wrong as u64, rejected.len() as u64)? } else { Measure::UNDEFINED },
        type_m: if known {
            Measure::mean(rejected.iter().map(|&i| r.estimate[i].abs())).over(effect.abs())
        } else {
            Measure::UNDEFINED
        },
        convergence: Measure::share(n, sims)?,
        unanswered: unanswered.into_iter().filter(|(_, count)| *count > 0).collect(),
    })
}
