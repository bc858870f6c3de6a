//! The models and tests whose answer about the arm counts: each with its options, and what it may be asked about.
//!
//! A new one is a variant with its options, its line in `name`, and where it is fitted: in `by_row`, or where its p-value is
//! its own in `by_test`.

use serde::{Deserialize, Serialize};

use crate::inference::Compare;
use crate::words::{listed, words};
use crate::{Fault, Result};

/// The model or test whose answer about the arm counts.
///
/// ```
/// use crewe::simulate::{Model, RanksPlan};
/// assert_eq!(Model::from_json(r#"{"name":"cox"}"#)?, Model::Cox);
/// let ranks = Model::from_json(r#"{"name":"mann_whitney","exact":false}"#)?;
/// assert_eq!(ranks, Model::MannWhitney(RanksPlan { exact: Some(false), correct: true }));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Model {
    /// The coefficient of the arm in a linear model.
    #[default]
    Linear,
    /// The average difference of the arms' probabilities in a logit model, at the covariates as they are.
    Logit,
    /// The logarithm of the hazard ratio in a Cox model.
    Cox,
    /// The log-rank test, within strata where the columns of the model differ; with clusters by the variance of their scores.
    LogRank,
    /// The randomisation test, under the trial's own procedure.
    RandomisationTest(RandomisationPlan),
    /// The Mann-Whitney test of the units' mean outcomes.
    MannWhitney(RanksPlan),
    /// Two rates: by Fisher's exact test, or by rows with the variance of their clusters.
    Rates(RatesPlan),
    /// Somebody else's.
    Given,
}

/// What a randomisation test compares.
///
/// ```
/// use crewe::simulate::Tested;
/// assert_eq!("coefficient".parse(), Ok(Tested::Coefficient));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Tested {
    /// The mean over the rows of an arm less that of the reference.
    #[default]
    DifferenceInMeans,
    /// The mean over the units' own means.
    DifferenceInUnitMeans,
    /// The coefficient of the arm in a linear model.
    Coefficient,
    /// The rate of an event less that of the reference.
    DifferenceInRates,
    /// The logarithm of the ratio of the rates.
    RateRatio,
    /// The sum of ranks.
    RankSum,
    /// The sum of ranks within strata.
    StratifiedRankSum,
}

words!(
    @unserialised Tested, "statistic of a simulated randomisation test", as input,
    DifferenceInMeans => "difference_in_means",
    DifferenceInUnitMeans => "difference_in_unit_means",
    Coefficient => "coefficient",
    DifferenceInRates => "difference_in_rates",
    RateRatio => "rate_ratio",
    RankSum => "rank_sum",
    StratifiedRankSum => "stratified_rank_sum",
);

/// A planned randomisation test.
///
/// ```
/// use crewe::simulate::{RandomisationPlan, Tested};
/// let plan = RandomisationPlan { statistic: Tested::Coefficient, ..RandomisationPlan::default() };
/// assert_eq!((plan.draws, plan.studentised()), (999, true));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomisationPlan {
    /// What is compared.
    #[serde(with = "by_name")]
    pub statistic: Tested,
    /// The number of draws; all assignments where there are no more.
    pub draws: u64,
    /// Whether it is divided by its cluster-robust standard error; by default coefficients and rates are, as in
    /// [`crate::resampling::randomisation_test`].
    pub studentised: Option<bool>,
}

impl Default for RandomisationPlan {
    fn default() -> Self {
        Self { statistic: Tested::default(), draws: 999, studentised: None }
    }
}

impl RandomisationPlan {
    /// Whether the statistic is divided by its standard error.
    pub fn studentised(&self) -> bool {
        let by_default =
            matches!(self.statistic, Tested::Coefficient | Tested::DifferenceInRates | Tested::RateRatio);
        self.studentised.unwrap_or(by_default)
    }
}

/// A planned Mann-Whitney test; [`crate::nonparametric::MannWhitneyOptions`] says what these are.
///
/// ```
/// assert!(crewe::simulate::RanksPlan::default().correct);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RanksPlan {
    /// Whether the exact distribution is insisted on, or the approximation.
    pub exact: Option<bool>,
    /// Whether the approximation is corrected for continuity.
    pub correct: bool,
}

impl Default for RanksPlan {
    fn default() -> Self {
        Self { exact: None, correct: true }
    }
}

/// A planned comparison of two rates.
///
/// ```
/// assert!(!crewe::simulate::RatesPlan::default().exact);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesPlan {
    /// Whether by their difference or the logarithm of their ratio.
    #[serde(with = "by_name")]
    pub compare: Compare,
    /// Whether by Fisher's exact test, which takes rows as independent.
    pub exact: bool,
}

/// Enumerations by the names of their table.
mod by_name {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr<Err = crate::Error>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Every name.
const NAMES: [&str; 8] =
    ["linear", "logit", "cox", "log_rank", "randomisation_test", "mann_whitney", "rates", "given"];

impl Model {
    /// The model from its JSON, for instance `{"name":"randomisation_test","draws":999}`.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for text that is no JSON, a name that is no model, and options that it does not have.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Fault::new(format!("this is no analysis to simulate: {error}"))
                .values([text])
                .remedy(format!("Name one of {} with its options", listed(&NAMES, "and")))
                .input()
        })
    }

    /// The name in files and errors.
    pub fn name(self) -> &'static str {
        let place = match self {
            Self::Linear => 0,
            Self::Logit => 1,
            Self::Cox => 2,
            Self::LogRank => 3,
            Self::RandomisationTest(_) => 4,
            Self::MannWhitney(_) => 5,
            Self::Rates(_) => 6,
            Self::Given => 7,
        };
        NAMES[place]
    }

    /// How it compares the arms: ratios are estimated by their logarithms.
    pub fn compare(self) -> Compare {
        match self {
            Self::Rates(plan) => plan.compare,
            Self::RandomisationTest(RandomisationPlan { statistic: Tested::RateRatio, .. }) => Compare::Ratio,
            _ => Compare::Difference,
        }
    }

    /// Whether its p-values and intervals are its own, and follow from no standard error.
    pub(super) fn is_test(self) -> bool {
        match self {
            Self::RandomisationTest(_) | Self::MannWhitney(_) => true,
            Self::Rates(plan) => plan.exact,
            _ => false,
        }
    }

    /// Whether it has columns beside the arm.
    pub(super) fn takes_columns(self) -> bool {
        match self {
            Self::RandomisationTest(plan) => plan.statistic == Tested::Coefficient,
            Self::MannWhitney(_) | Self::Rates(_) => false,
            _ => true,
        }
    }

    /// Refuses a model of another kind of outcome than this, of times or of numbers; `outcome` is its name.
    pub(super) fn check(self, times: bool, outcome: &str) -> Result<()> {
        let (of_times, needed) =
            (matches!(self, Self::Cox | Self::LogRank), if times { "times" } else { "numbers" });
        if of_times != times && self != Self::Given {
            return Err(Fault::new(format!("the outcome is made of {needed}, and the analysis is another's"))
                .values([self.name()])
                .remedy("Times to an event go with a Cox model or the log-rank test, all others with a linear or a logit model, a randomisation test or ranks, and rates with outcomes of 0 or 1")
                .input());
        }
        if let Self::Rates(plan) = self {
            if !["binary", "given"].contains(&outcome) {
                return Err(Fault::new("rates are those of an outcome that is 0 or 1")
                    .values([outcome])
                    .remedy("Give a binary outcome, or compare means by a linear model")
                    .input());
            }
            if plan.compare == Compare::OddsRatio {
                return Err(Fault::new("rates are compared by their difference or their ratio")
                    .values([plan.compare.name()])
                    .remedy("Choose difference or ratio")
                    .input());
            }
        }
        Ok(())
    }
}
