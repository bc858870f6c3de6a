//! How many clusters a trial will have recruited, from those that came so far.
//!
//! Arrivals at a constant rate are a Poisson process. With `n` of them over a time `t`, and a rate whose prior is that of H.
//! Jeffreys, the rate is gamma with shape `n + 1/2` and rate `t`, the number over a further time `h` is negative binomial
//! (size `n + 1/2`, probability `t / (t + h)`), and the time until `m` more have come is `t B / (1 - B)` with
//! `B ~ Beta(m, n + 1/2)`. This is the prediction of V. V. Anisimov and V. V. Fedorov (2007, doi:10.1002/sim.2956) for one
//! centre, without a guess at the rate.

use serde::Serialize;

use crate::dist::{beta_cdf, beta_quantile};
use crate::inference::check_level;
use crate::{Fault, Result};

/// Arrivals so far.
///
/// ```
/// use crewe::power::recruitment::Arrivals;
/// let so_far = Arrivals::new(40, 100.0)?;
/// let further = so_far.over(50.0, 0.95)?;
/// assert!(further.low < 20.0 && further.expected == 20.25 && further.high > 20.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    count: u64,
    time: f64,
}

/// What is expected, with the ends of its prediction interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Forecast {
    /// The mean of a number, the median of a time.
    pub expected: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The most arrivals that are looked at.
const MOST: f64 = 1e9;

impl Arrivals {
    /// So many arrivals over this time, in any unit.
    ///
    /// # Errors
    /// A time that is not above 0.
    pub fn new(count: u64, time: f64) -> Result<Self> {
        check_time(time, "the time over which clusters came")?;
        Ok(Self { count, time })
    }

    fn shape(&self) -> f64 {
        self.count as f64 + 0.5
    }

    /// How many more come over a further time.
    ///
    /// # Errors
    /// A time that is not above 0, a level outside 0 to 1, and more arrivals than can be counted.
    pub fn over(&self, further: f64, level: f64) -> Result<Forecast> {
        check_level(level)?;
        check_time(further, "the time ahead")?;
        let chance = self.time / (self.time + further);
        let expected = self.shape() * further / self.time;
        if expected > MOST {
            return Err(Fault::new("the time ahead is too long beside the time seen")
                .remedy("Give dates in one unit, and a close within a few times the time seen")
                .input());
        }
        let quantile = |p: f64| {
            // P(X <= k) is the beta function's share below the chance, with shapes size and k + 1.
            let reached = |k: f64| beta_cdf(chance, self.shape(), k + 1.0) >= p;
            if reached(0.0) {
                return 0.0;
            }
            let (mut low, mut high) = (0.0, 1.0);
            while !reached(high) && high < 4.0 * MOST {
                (low, high) = (high, 2.0 * high);
            }
            while high - low > 1.0 {
                let middle = (0.5 * (low + high)).floor();
                if reached(middle) { high = middle } else { low = middle }
            }
            high
        };
        let half = 0.5 * (1.0 - level);
        Ok(Forecast { expected, low: quantile(half), high: quantile(1.0 - half) })
    }

    /// How long it takes until so many more have come.
    ///
    /// # Errors
    /// None more, or a level outside 0 to 1.
    pub fn until(&self, more: u64, level: f64) -> Result<Forecast> {
        check_level(level)?;
        if more == 0 {
            return Err(Fault::new("the target was reached already")
                .remedy("Ask for a number above the one that came")
                .input());
        }
        let quantile = |p: f64| {
            let share = beta_quantile(p, more as f64, self.shape());
            self.time * share / (1.0 - share)
        };
        let half = 0.5 * (1.0 - level);
        Ok(Forecast { expected: quantile(0.5), low: quantile(half), high: quantile(1.0 - half) })
    }
}

fn check_time(time: f64, what: &str) -> Result<()> {
    if time > 0.0 && time.is_finite() {
        return Ok(());
    }
    Err(Fault::new(format!("{what} must be above 0"))
        .values([time.to_string()])
        .remedy("Check the dates: the first arrival, the day of the look and the close follow one another")
        .input())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_smallest_numbers_that_reach_them() {
        let so_far = Arrivals::new(7, 30.0).unwrap();
        let found = so_far.over(45.0, 0.9).unwrap();
        let cdf = |k: f64| beta_cdf(30.0 / 75.0, 7.5, k + 1.0);
        assert!(cdf(found.low) >= 0.05 && cdf(found.low - 1.0) < 0.05);
        assert!(cdf(found.high) >= 0.95 && cdf(found.high - 1.0) < 0.95);
    }

    #[test]
    fn number_and_time_are_two_sides_of_one_process() {
        let so_far = Arrivals::new(60, 200.0).unwrap();
        let time = so_far.until(30, 0.95).unwrap();
        // At the time by which thirty have come with chance 1/2, fewer than thirty have come with chance 1/2.
        let chance = 200.0 / (200.0 + time.expected);
        assert!((beta_cdf(chance, 60.5, 30.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nobody_yet_and_no_time_are_told_apart() {
        assert!(Arrivals::new(0, 10.0).unwrap().over(10.0, 0.95).unwrap().low == 0.0);
        assert!(Arrivals::new(3, 0.0).unwrap_err().to_string().contains("above 0"));
        assert!(Arrivals::new(3, 5.0).unwrap().until(0, 0.95).unwrap_err().to_string().contains("already"));
    }
}
