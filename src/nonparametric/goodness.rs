//! Counts by category against fixed shares: Pearson's chi-squared and the exact multinomial test.
//!
//! X^2 = sum (o - e)^2/e with k - 1 degrees of freedom. The exact p-value is the probability, under the shares, of an
//! X^2 at least as large (up to a relative 1e-9): over all C(n + k - 1, k - 1) tables where these are few, otherwise by
//! Monte Carlo, (1 + x)/(1 + draws), from the stream ("goodness", index 0) of the seed, each case drawn by inversion of
//! the cumulated shares. A p-value so formed is never 0 and never too small on average (A. C. A. Hope 1968,
//! doi:10.1111/j.2517-6161.1968.tb00759.x).

use serde::Serialize;

use crate::dist::chi2_sf;
use crate::progress::{Monitor, check};
use crate::rng::{Seed, Stream};
use crate::setters::setters;
use crate::{Fault, Result};

const SLACK: f64 = 1e-9;
/// Draws between two questions to the monitor.
const CHUNK: u64 = 1_000;

/// How to test.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GoodnessOptions {
    /// The number of Monte Carlo tables.
    pub draws: u64,
    /// Tables up to which all are enumerated instead.
    pub enumerate: u64,
    /// The seed of the draws.
    pub seed: Seed,
}

impl Default for GoodnessOptions {
    fn default() -> Self {
        Self { draws: 9_999, enumerate: 1_000_000, seed: Seed::Integer(0) }
    }
}

setters!(GoodnessOptions, draws: plain(u64), enumerate: plain(u64), seed: into(Seed));

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GoodnessOfFit {
    /// The expected counts, one a category.
    pub expected: Vec<f64>,
    /// Pearson's X^2.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// The upper tail of chi-squared.
    pub p_value: f64,
    /// The exact p-value, or its Monte Carlo estimate.
    pub exact_p_value: f64,
    /// Whether all tables were enumerated.
    pub enumerated: bool,
    /// How many tables were enumerated or drawn.
    pub tables: u64,
}

/// Compares counts with fixed shares.
///
/// # Errors
/// When the lengths differ or are under 2, when there are no cases, when shares are negative or do not sum to 1
/// within 1e-6, when a category with a share of 0 occurs, when no draws are asked for, or when the monitor stops it.
///
/// ```
/// use crewe::nonparametric::{GoodnessOptions, goodness_of_fit};
/// use crewe::progress::NoMonitor;
/// let fit = goodness_of_fit(&[8, 2], &[0.5, 0.5], &GoodnessOptions::default(), &NoMonitor)?;
/// assert!((fit.statistic - 3.6).abs() < 1e-12);
/// assert!((fit.exact_p_value - 112.0 / 1024.0).abs() < 1e-14); // the two-sided binomial test
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn goodness_of_fit(
    counts: &[u64],
    shares: &[f64],
    options: &GoodnessOptions,
    monitor: &dyn Monitor,
) -> Result<GoodnessOfFit> {
    check_table(counts, shares)?;
    if options.draws == 0 {
        return Err(Fault::new("the exact test needs at least one draw")
            .remedy("Ask for 9,999 draws, as by default")
            .input());
    }
    let n: u64 = counts.iter().sum();
    let sum: f64 = shares.iter().sum();
    // A category that can never occur leaves the test as it would be without it.
    let kept: Vec<usize> = (0..shares.len()).filter(|&i| shares[i] > 0.0).collect();
    let shares_kept: Vec<f64> = kept.iter().map(|&i| shares[i] / sum).collect();
    let expected_kept: Vec<f64> = shares_kept.iter().map(|p| p * n as f64).collect();
    let seen: Vec<u64> = kept.iter().map(|&i| counts[i]).collect();
    let statistic = pearson(&seen, &expected_kept);
    let least = statistic * (1.0 - SLACK);
    let df = kept.len() as f64 - 1.0;
    let all = tables(n, kept.len());
    let enumerated = all.is_some_and(|all| all <= options.enumerate);
    let exact_p_value = if enumerated {
        enumerate(n, &shares_kept, &expected_kept, least)
    } else {
        simulate(n, &shares_kept, &expected_kept, least, options, monitor)?
    };
    Ok(GoodnessOfFit {
        expected: shares.iter().map(|p| p / sum * n as f64).collect(),
        statistic,
        df,
        p_value: chi2_sf(statistic, df),
        exact_p_value,
        enumerated,
        tables: if enumerated { all.unwrap_or(0) } else { options.draws },
    })
}

fn check_table(counts: &[u64], shares: &[f64]) -> Result<()> {
    if counts.len() != shares.len() || counts.len() < 2 {
        return Err(Fault::new("counts and shares must have one entry for each of at least two categories")
            .values([format!("{} counts, {} shares", counts.len(), shares.len())])
            .input());
    }
    if counts.iter().all(|&c| c == 0) {
        return Err(Fault::new("there are no cases in any category").input());
    }
    let off: Vec<usize> = (0..shares.len()).filter(|&i| !(0.0..=1.0).contains(&shares[i])).collect();
    if !off.is_empty() {
        return Err(Fault::new("shares must lie between 0 and 1")
            .rows(off.clone())
            .values(off.iter().map(|&i| shares[i].to_string()))
            .remedy("Give 49.6% as 0.496")
            .input());
    }
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > 1e-6 {
        return Err(Fault::new("the shares of the categories do not sum to 1")
            .values([sum.to_string()])
            .remedy("Add the category that is left out, or compare the shares one by one")
            .input());
    }
    let never: Vec<usize> = (0..shares.len()).filter(|&i| shares[i] == 0.0 && counts[i] > 0).collect();
    if !never.is_empty() {
        return Err(Fault::new(
            "a category with a share of 0 has cases, which is impossible under these shares",
        )
        .rows(never)
        .remedy("Join it to another category or give its true share")
        .input());
    }
    if shares.iter().filter(|&&p| p > 0.0).count() < 2 {
        return Err(
            Fault::new("only one category has a share above 0, so there is nothing to compare").input()
        );
    }
    Ok(())
}

fn pearson(counts: &[u64], expected: &[f64]) -> f64 {
    counts.iter().zip(expected).map(|(&o, e)| (o as f64 - e).powi(2) / e).sum()
}

/// C(n + k - 1, k - 1), where it fits.
fn tables(n: u64, k: usize) -> Option<u64> {
    let mut count: u128 = 1;
    for i in 1..k as u128 {
        count = count.checked_mul(u128::from(n) + i)? / i;
    }
    u64::try_from(count).ok()
}

/// The probability of all tables with a statistic of at least `least`.
fn enumerate(n: u64, shares: &[f64], expected: &[f64], least: f64) -> f64 {
    let ln_factorial: Vec<f64> = (0..=n)
        .scan(0.0, |sum, x| {
            *sum += if x > 1 { libm::log(x as f64) } else { 0.0 };
            Some(*sum)
        })
        .collect();
    let visit = Visit { ln_factorial: &ln_factorial, shares, expected, least };
    visit.from(0, n, 0.0, ln_factorial[n as usize]).min(1.0)
}

struct Visit<'a> {
    ln_factorial: &'a [f64],
    shares: &'a [f64],
    expected: &'a [f64],
    least: f64,
}

impl Visit<'_> {
    fn from(&self, category: usize, left: u64, statistic: f64, ln_mass: f64) -> f64 {
        let place = |x: u64| {
            let e = self.expected[category];
            let term = (x as f64 - e).powi(2) / e;
            let mass = x as f64 * libm::log(self.shares[category]) - self.ln_factorial[x as usize];
            (statistic + term, ln_mass + mass)
        };
        if category + 1 == self.shares.len() {
            let (total, mass) = place(left);
            return if total >= self.least { libm::exp(mass) } else { 0.0 };
        }
        (0..=left)
            .map(|x| {
                let (total, mass) = place(x);
                self.from(category + 1, left - x, total, mass)
            })
            .sum()
    }
}

fn simulate(
    n: u64,
    shares: &[f64],
    expected: &[f64],
    least: f64,
    options: &GoodnessOptions,
    monitor: &dyn Monitor,
) -> Result<f64> {
    let mut stream = Stream::new::<&str>(&options.seed, "goodness", &[], 0);
    let cumulated: Vec<f64> = shares
        .iter()
        .scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        })
        .collect();
    let mut counts = vec![0_u64; shares.len()];
    let mut extreme = 0_u64;
    for draw in 0..options.draws {
        if draw % CHUNK == 0 {
            check(monitor, draw, options.draws)?;
        }
        counts.fill(0);
        for _ in 0..n {
            let u = stream.unit();
            counts[cumulated.partition_point(|&c| c <= u).min(shares.len() - 1)] += 1;
        }
        extreme += u64::from(pearson(&counts, expected) >= least);
    }
    Ok((1 + extreme) as f64 / (1 + options.draws) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;

    #[test]
    fn enumeration_covers_all_tables() {
        let shares = [0.2, 0.3, 0.5];
        let expected = [1.4, 2.1, 3.5];
        assert!((enumerate(7, &shares, &expected, 0.0) - 1.0).abs() < 1e-13);
        assert_eq!(tables(7, 3), Some(36));
        assert_eq!(tables(30, 10), Some(211_915_132));
    }

    #[test]
    fn draws_agree_with_enumeration() {
        let counts = [6, 3, 1, 2];
        let shares = [0.25, 0.25, 0.3, 0.2];
        let exact = goodness_of_fit(&counts, &shares, &GoodnessOptions::default(), &NoMonitor).unwrap();
        let options = GoodnessOptions { draws: 40_000, enumerate: 0, seed: Seed::Integer(7) };
        let drawn = goodness_of_fit(&counts, &shares, &options, &NoMonitor).unwrap();
        let p = exact.exact_p_value;
        assert!(exact.enumerated && !drawn.enumerated);
        assert!((drawn.exact_p_value - p).abs() < 4.0 * (p * (1.0 - p) / 4e4).sqrt());
        assert_eq!(drawn, goodness_of_fit(&counts, &shares, &options, &NoMonitor).unwrap());
    }
}
