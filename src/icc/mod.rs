//! The intracluster correlation (ICC) of an outcome: how alike members of one cluster are.
//!
//! On the observed scale it is the correlation of two members of one cluster, the same for all pairs. It is estimated
//! from a one-way analysis of variance, by restricted maximum likelihood ([`Method::Reml`]), or, of a binary outcome, by
//! the estimator of Fleiss and Cuzick (1979), doi:10.1177/014662167900300410. On the latent scale ([`Method::Latent`]) it
//! is the share of the clusters' variance in that of a logistic variable behind a binary outcome; [`convert`] leads from
//! one scale to the other.
//!
//! Intervals invert a studentised jackknife statistic, whose skewness and tails are allowed for
//! (`docs/methods/icc.md`); [`Icc::doubts`] says where they were not found to hold.

mod binary;
mod independence;
mod interval;
mod latent;
mod moments;
mod reml;
mod root;

pub use latent::{Scale, convert};

use serde::Serialize;

use crate::inference::{Clusters, check_level};
use crate::nonparametric::Interval;
use crate::setters::setters;
use crate::ties::Sameness;
use crate::words::words;
use crate::{Fault, Result};

use moments::Sums;

/// How the ICC is estimated.
///
/// ```
/// use crewe::icc::Method;
/// assert_eq!("fleiss_cuzick".parse(), Ok(Method::FleissCuzick));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// The mean squares of a one-way analysis of variance, with the mean cluster size adjusted for its variation.
    #[default]
    Anova,
    /// Restricted maximum likelihood of a random intercept.
    Reml,
    /// Disagreement within clusters over that expected at the rate: binary outcomes.
    FleissCuzick,
    /// Maximum likelihood of a random intercept in a logistic model: binary outcomes, latent scale.
    Latent,
}

words!(
    Method,
    "method",
    Anova => "anova",
    Reml => "reml",
    FleissCuzick => "fleiss_cuzick",
    Latent => "latent",
);

/// Why an interval is not to be trusted: the data lie outside the grid on which it was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The outcome is not binary.
    NotBinary,
    /// Too few clusters, or too rare an outcome for their number.
    FewClusters,
    /// Clusters larger than families are.
    LargeClusters,
    /// Another level than 95%.
    Level,
    /// An outcome so rare in clusters so large that the interval can be wide: it covers a little more than it says.
    Conservative,
}

words!(
    Doubt,
    "doubt",
    NotBinary => "not_binary",
    FewClusters => "few_clusters",
    LargeClusters => "large_clusters",
    Level => "level",
    Conservative => "conservative",
);

/// The largest cluster, and the largest mean size, of the grid; sizes that are uniform from 1 to 9 have mean 5 but for chance.
const LARGEST: (usize, f64) = (9, 5.5);

/// In clusters of more members than this on average the interval can be wide where the rarer outcome has less than this rate and
/// there are fewer clusters than would make so many events of it at one a cluster: hardly any is then of one mind by itself.
const WIDE: (f64, f64, f64) = (3.5, 0.3, 16.0);

/// The lower end of an interval that does not hold 0, where the jackknife alone would have ended it there.
const ABOVE_NONE: f64 = 1e-6;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The estimator.
    pub method: Method,
    /// The level of the interval.
    pub level: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { method: Method::Anova, level: 0.95 }
    }
}

setters!(Options, method: plain(Method), level: plain(f64));

/// An ICC with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Icc {
    /// The estimator.
    pub method: Method,
    /// The estimate, never below 0.
    pub estimate: f64,
    /// The same before it was truncated at 0; REML and the latent model stop at 0 themselves.
    pub raw: f64,
    /// Whether the estimate was truncated at 0.
    pub truncated: bool,
    /// The interval; `None` where the clusters do not vary enough to give one.
    pub interval: Option<Interval>,
    /// Why the interval is not to be trusted; empty on the grid on which it holds.
    pub doubts: Vec<Doubt>,
    /// Rows.
    pub n: usize,
    /// Clusters.
    pub clusters: usize,
    /// Rows a cluster.
    pub mean_size: f64,
    /// The mean size less its variance over clusters / n: the size that the analysis of variance works with.
    pub adjusted_size: f64,
    /// The rate, of a binary outcome.
    pub rate: Option<f64>,
    /// The mean of the outcome.
    pub mean: f64,
    /// The standard deviation of the outcome, over all rows.
    pub sd: f64,
}

/// The ICC of an outcome.
///
/// # Errors
/// Fewer than two clusters, one row in every cluster, an outcome that does not vary or is missing in a row, one that is not
/// 0 or 1 where the method takes nothing else, or a level outside 0 to 1.
///
/// ```
/// use crewe::icc::{Options, icc};
/// use crewe::inference::Clusters;
/// let closed = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0];
/// let families = Clusters::new(&[0, 0, 1, 1, 1, 2, 2, 3, 3])?;
/// let found = icc(&closed, &families, Options::default())?;
/// assert!(found.estimate > 0.6 && found.rate == Some(5.0 / 9.0));
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn icc(outcome: &[f64], clusters: &Clusters, options: Options) -> Result<Icc> {
    check_level(options.level)?;
    let rate = check(outcome, clusters, options.method)?;
    let sums = Sums::of(outcome, clusters);
    let (raw, truncated) = match options.method {
        Method::Anova => negative(sums.anova().ratio()),
        Method::FleissCuzick => negative(sums.fleiss_cuzick().ratio()),
        Method::Reml => reml::estimate(&sums),
        Method::Latent => latent::estimate(&binary::Tallies::of(&sums))?,
    };
    let ratio = match options.method {
        Method::FleissCuzick => Sums::fleiss_cuzick,
        _ => Sums::anova,
    };
    let pseudo = sums.jackknife(ratio);
    let (rule, upper) = if rate.is_some() && sums.mean_size() <= LARGEST.0 as f64 {
        (interval::FAMILIES, Some(sums.with_unanimous().jackknife(ratio)))
    } else {
        (interval::OTHER, None)
    };
    let mut observed = interval::invert(&pseudo, upper.as_deref().unwrap_or(&pseudo), &rule, options.level);
    if rate.is_some() {
        observed = observed.map(|ends| at_none(ends, &sums, rule.below(options.level)));
    }
    let interval = match (options.method, observed, rate) {
        (Method::Latent, Some(ends), Some(rate)) => Some(Interval {
            low: convert(ends.low, rate, Scale::Latent)?,
            high: convert(ends.high, rate, Scale::Latent)?,
        }),
        (_, ends, _) => ends,
    };
    Ok(Icc {
        method: options.method,
        estimate: raw.clamp(0.0, 1.0),
        raw,
        truncated,
        interval,
        doubts: doubts(&sums, rate, options.level),
        n: outcome.len(),
        clusters: clusters.count(),
        mean_size: sums.mean_size(),
        adjusted_size: sums.adjusted_size(),
        rate,
        mean: sums.centre,
        sd: sums.variance().sqrt(),
    })
}

/// The interval of a binary outcome, which holds 0 or not by the law of the estimate at 0, which is known.
fn at_none(ends: Interval, sums: &Sums, error: f64) -> Interval {
    let low = match independence::chance(&binary::Tallies::of(sums)) {
        None => ends.low,
        Some(chance) if chance > error => 0.0,
        Some(_) => ends.low.max(ABOVE_NONE.min(0.5 * ends.high)),
    };
    Interval { low, ..ends }
}

fn negative(raw: f64) -> (f64, bool) {
    (raw, raw < 0.0)
}

/// Refuses what has no ICC, and gives the rate of a binary outcome.
fn check(outcome: &[f64], clusters: &Clusters, method: Method) -> Result<Option<f64>> {
    if outcome.len() != clusters.codes().len() {
        return Err(Fault::new("the outcome and the clusters differ in length")
            .values([outcome.len().to_string(), clusters.codes().len().to_string()])
            .remedy("Give one cluster for each row")
            .input());
    }
    crate::nonparametric::check_finite(outcome, "outcome")?;
    crate::inference::check_clusters(clusters.count())?;
    if clusters.count() == outcome.len() {
        return Err(Fault::new(format!("each of the {} clusters has one row", clusters.count()))
            .remedy("An ICC needs clusters with several members: check the column of clusters, or whether the data were reduced to one row a cluster")
            .input());
    }
    if !Sameness::of(outcome).varies(outcome.iter().copied()) {
        return Err(Fault::new("the outcome has the same value in every row")
            .remedy("An outcome that does not vary has no ICC: check the filter that came before")
            .input());
    }
    let rows: Vec<usize> = (0..outcome.len()).filter(|&i| outcome[i] != 0.0 && outcome[i] != 1.0).collect();
    if rows.is_empty() {
        return Ok(Some(outcome.iter().sum::<f64>() / outcome.len() as f64));
    }
    if matches!(method, Method::FleissCuzick | Method::Latent) {
        return Err(Fault::new(format!("method '{method}' needs an outcome of 0 and 1"))
            .rows(rows)
            .remedy("Choose 'anova' or 'reml' for other outcomes")
            .input());
    }
    Ok(None)
}

/// Where the data lie outside the grid of the evidence.
fn doubts(sums: &Sums, rate: Option<f64>, level: f64) -> Vec<Doubt> {
    let mut found = Vec::new();
    match rate.map(|rate| rate.min(1.0 - rate)) {
        None => found.push(Doubt::NotBinary),
        Some(rarer) => {
            let fewest = if rarer >= 0.2 { 40.0 } else { 130.0 };
            if rarer < 0.05 || sums.count < fewest {
                found.push(Doubt::FewClusters);
            }
        }
    }
    if let Some(rarer) = rate.map(|rate| rate.min(1.0 - rate))
        && sums.mean_size() > WIDE.0
        && rarer < WIDE.1
        && rarer * sums.count < WIDE.2
    {
        found.push(Doubt::Conservative);
    }
    if sums.largest() > LARGEST.0 as f64 || sums.mean_size() > LARGEST.1 {
        found.push(Doubt::LargeClusters);
    }
    if (level - 0.95).abs() > 1e-9 {
        found.push(Doubt::Level);
    }
    found
}
