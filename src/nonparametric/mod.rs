//! Ranks, permutations and small counts: tests whose null distribution is known without a model.
//!
//! Each result says by which rule its two-sided p-value was formed, since the rules differ by tradition: distance
//! from the expectation for rank sums, doubling for the difference in means, point probabilities for Fisher's
//! and the binomial test, the upper tail for chi-squared.

// Ranks and scores are signed integers far below 2^63.
#![allow(clippy::cast_possible_wrap)]

mod descriptives;
mod fisher;
mod goodness;
mod hodges_lehmann;
mod multiplicity;
mod permutation;
mod proportions;
mod ranks;
mod risk_difference;
mod shift;
mod unconditional;

pub use descriptives::{Crosstab, GroupSummary, Levels, crosstab, cut, group_summary, levels};
pub use fisher::{FisherTest, fisher_test};
pub use goodness::{GoodnessOfFit, GoodnessOptions, goodness_of_fit};
pub use hodges_lehmann::{HodgesLehmann, hodges_lehmann};
pub use multiplicity::{Adjustment, adjust};
pub use permutation::{PermutationOptions, PermutationTest, permutation_test};
pub use proportions::{Prevalence, clopper_pearson, prevalence, wilson};
pub(crate) use ranks::{Laws, compared as compared_by_ranks};
pub use ranks::{MannWhitney, MannWhitneyOptions, mann_whitney};
pub use risk_difference::newcombe;
pub use shift::SubsetSums;
pub use unconditional::{ChanZhang, chan_zhang};

pub(crate) use crate::inference::level::check_level;
use serde::Serialize;

use crate::words::words;
use crate::{Fault, Result};

/// Which departures from the null hypothesis count; there are no others.
///
/// ```
/// use crewe::nonparametric::Alternative;
/// assert_eq!("less".parse(), Ok(Alternative::Less));
/// assert_eq!(Alternative::TwoSided.to_string(), "two-sided");
/// assert!("both".parse::<Alternative>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alternative {
    /// Both directions.
    #[default]
    TwoSided,
    /// The first sample tends to be smaller.
    Less,
    /// The first sample tends to be larger.
    Greater,
}

words!(Alternative, "alternative", TwoSided => "two-sided", Less => "less", Greater => "greater");

impl Alternative {
    /// The error probabilities left below and above an interval of `level`; `None` where a side is unbounded.
    pub(crate) fn tails(self, level: f64) -> Tails {
        let alpha = 1.0 - level;
        match self {
            Self::TwoSided => Tails { below: Some(0.5 * alpha), above: Some(0.5 * alpha) },
            Self::Less => Tails { below: None, above: Some(alpha) },
            Self::Greater => Tails { below: Some(alpha), above: None },
        }
    }
}

/// Error probabilities on either side of an interval.
pub(crate) struct Tails {
    pub below: Option<f64>,
    pub above: Option<f64>,
}

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower limit.
    pub low: f64,
    /// Its upper limit.
    pub high: f64,
}

/// Refuses more events than cases, and groups without cases.
pub(crate) fn check_events(events: u64, total: u64, group: &str) -> Result<()> {
    if total == 0 {
        return Err(Fault::new(format!("{group} has no cases"))
            .remedy("A rate needs at least one case in every group")
            .input());
    }
    if events > total {
        return Err(Fault::new(format!("{group} has more events than cases: its rate would be over 1"))
            .values([format!("{events} of {total}")])
            .remedy("Count each case at most once")
            .input());
    }
    Ok(())
}

pub(crate) fn check_finite(values: &[f64], column: &str) -> Result<()> {
    let rows: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_finite()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    Err(Fault::new("values are missing or infinite")
        .column(column)
        .rows(rows.clone())
        .values(rows.iter().take(5).map(|&i| values[i].to_string()))
        .remedy("Drop these rows or fill them in")
        .input())
}

/// The sum of t^3 - t over the groups of equal values in an ascending sample.
pub(crate) fn tie_sum(ascending: &[f64]) -> f64 {
    ascending.chunk_by(|a, b| a == b).map(|group| group.len() as f64).map(|t| t * t * t - t).sum()
}

/// The root of a monotone function between two points of opposite sign, by bisection to the last bit.
pub(crate) fn bisect(mut low: f64, mut high: f64, above: impl Fn(f64) -> bool) -> f64 {
    // `above(t)` is false at `low` and true at `high`.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if above(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    0.5 * (low + high)
}
