//! The latent scale: a random intercept of standard deviation s in a logistic model has the ICC s^2 / (s^2 + pi^2 / 3).
//!
//! Integrals over the intercept are sums at equal steps, which for these integrands err far below rounding: all are
//! analytic within pi / s of the real line, and the step is a small part of that and of their width.

use std::f64::consts::PI;

use super::binary::Tallies;
use super::root::falling_root;
use crate::words::words;
use crate::{Fault, Result};

/// Half of the range of the standardised intercept.
const REACH: f64 = 9.0;
/// The variance of a standard logistic variable.
const LOGISTIC: f64 = PI * PI / 3.0;
/// The largest standard deviation: a latent ICC of .9992.
const LARGEST: f64 = 64.0;

/// The scale of an ICC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The correlation of the binary outcomes themselves.
    Observed,
    /// The correlation of the logistic variables behind them.
    Latent,
}

words!(Scale, "scale", Observed => "observed", Latent => "latent");

/// An ICC of a binary outcome of this rate on the other scale, the one that is named.
///
/// With p(z) = logit^-1(a + s z) and the mean of p(Z) the rate, the observed ICC is the variance of p(Z) over
/// rate (1 - rate).
///
/// # Errors
/// An ICC outside 0 to 1, or a rate that is not strictly between.
///
/// ```
/// use crewe::icc::{Scale, convert};
/// let observed = convert(0.36, 0.226, Scale::Observed)?;
/// assert!(observed < 0.36);
/// assert!((convert(observed, 0.226, Scale::Latent)? - 0.36).abs() < 1e-9);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn convert(icc: f64, rate: f64, to: Scale) -> Result<f64> {
    if !(0.0..=1.0).contains(&icc) {
        return Err(Fault::new("an ICC that is converted lies between 0 and 1")
            .values([icc.to_string()])
            .remedy("Give the share itself, such as 0.05")
            .input());
    }
    if !(rate > 0.0 && rate < 1.0) {
        return Err(Fault::new("the rate does not lie between 0 and 1")
            .values([rate.to_string()])
            .remedy("Give 22.6% as 0.226")
            .input());
    }
    if icc == 0.0 || icc == 1.0 {
        return Ok(icc);
    }
    let largest = LARGEST * LARGEST / (LARGEST * LARGEST + LOGISTIC);
    Ok(match to {
        Scale::Observed => observed(icc.min(largest), rate),
        Scale::Latent => {
            let (mut low, mut high) = (0.0, largest);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if observed(middle, rate) < icc { low = middle } else { high = middle }
            }
            0.5 * (low + high)
        }
    })
}

fn observed(latent: f64, rate: f64) -> f64 {
    let deviation = (LOGISTIC * latent / (1.0 - latent)).sqrt();
    let grid = Grid::new(deviation, 1.0);
    let rates = |a: f64| grid.points.iter().map(move |&(z, w)| (inverse_logit(a + deviation * z), w));
    let reach = 40.0 + REACH * deviation;
    let a = falling_root(-reach, reach, |a| rate - rates(a).map(|(p, w)| w * p).sum::<f64>());
    // About the rate, so that an ICC near 0 is no difference of two large numbers.
    rates(a).map(|(p, w)| w * (p - rate).powi(2)).sum::<f64>() / (rate * (1.0 - rate))
}

/// The maximum likelihood estimate of the latent ICC, and whether it lies at 0.
pub(super) fn estimate(tallies: &Tallies) -> Result<(f64, bool)> {
    if tallies.unanimous() {
        return Ok((1.0, false));
    }
    let to_icc = |deviation: f64| deviation * deviation / (deviation * deviation + LOGISTIC);
    let slope = |deviation: f64| Profile::new(tallies, deviation).slope();
    let start = 1e-3;
    if slope(start) <= 0.0 {
        return Ok((0.0, true));
    }
    let (mut low, mut high) = (start, 0.5);
    while slope(high) > 0.0 {
        if high >= LARGEST {
            return Err(Fault::new(
                "the latent ICC has no estimate below 1: its likelihood still rises there",
            )
            .remedy("Use method 'anova'; so few clusters have both outcomes that they cannot tell")
            .convergence());
        }
        low = high;
        high *= 2.0;
    }
    Ok((to_icc(falling_root(low, high, slope)), false))
}

/// The likelihood of one standard deviation of the intercept, at its best mean.
struct Profile<'a> {
    tallies: &'a Tallies,
    deviation: f64,
    grid: Grid,
}

impl<'a> Profile<'a> {
    fn new(tallies: &'a Tallies, deviation: f64) -> Self {
        let largest = tallies.tallies.iter().map(|t| t.size).fold(1.0, f64::max);
        Self { tallies, deviation, grid: Grid::new(deviation, largest) }
    }

    /// The derivatives of the likelihood in the mean and in the standard deviation.
    fn scores(&self, a: f64) -> (f64, f64) {
        let logs: Vec<(f64, f64, f64, f64)> = self
            .grid
            .points
            .iter()
            .map(|&(z, w)| {
                let eta = a + self.deviation * z;
                (z, w, -softplus(-eta), -softplus(eta))
            })
            .collect();
        let (mut by_mean, mut by_deviation) = (0.0, 0.0);
        for t in &self.tallies.tallies {
            let log = |yes: f64, no: f64| t.events * yes + (t.size - t.events) * no;
            let top = logs.iter().map(|&(_, _, yes, no)| log(yes, no)).fold(f64::NEG_INFINITY, f64::max);
            let (mut all, mut first, mut second) = (0.0, 0.0, 0.0);
            for &(z, w, yes, no) in &logs {
                let mass = w * (log(yes, no) - top).exp();
                let residual = mass * (t.events - t.size * yes.exp());
                all += mass;
                first += residual;
                second += residual * z;
            }
            by_mean += t.clusters * first / all;
            by_deviation += t.clusters * second / all;
        }
        (by_mean, by_deviation)
    }

    /// The derivative in the standard deviation at the mean that is best for it: for a given deviation the likelihood is
    /// log-concave in the mean.
    fn slope(&self) -> f64 {
        let centre = (self.tallies.rate / (1.0 - self.tallies.rate)).ln();
        let reach = 5.0 + 4.0 * self.deviation;
        let a = falling_root(centre - reach, centre + reach, |a| self.scores(a).0);
        self.scores(a).1
    }
}

/// Points of the standardised intercept, with weights that sum to 1.
struct Grid {
    points: Vec<(f64, f64)>,
}

impl Grid {
    fn new(deviation: f64, largest: f64) -> Self {
        let step = (0.5 / (deviation * (0.25 * largest).sqrt().max(1.0))).min(0.25);
        let half = (REACH / step).ceil() as i32;
        let mass = |z: f64| (-0.5 * z * z).exp();
        let total: f64 = (-half..=half).map(|i| mass(step * f64::from(i))).sum();
        let points = (-half..=half).map(|i| step * f64::from(i)).map(|z| (z, mass(z) / total)).collect();
        Self { points }
    }
}

fn inverse_logit(eta: f64) -> f64 {
    1.0 / (1.0 + (-eta).exp())
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}
