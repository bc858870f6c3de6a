//! How a randomisation test is asked for, and what it found.

use serde::Serialize;

use super::Weights;
use crate::nonparametric::{Alternative, Interval};
use crate::rng::Seed;
use crate::setters::setters;

/// How to test.
///
/// ```
/// use crewe::resampling::{RandomisationOptions, Weights};
/// let options = RandomisationOptions::default().draws(999).seed(7).weights(Weights::Equal);
/// assert_eq!(options.draws, 999);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RandomisationOptions {
    /// The number of draws; where the procedure can give no more assignments than this, all are used instead.
    pub draws: u64,
    /// The seed of the draws; by default the design's own, where it drew the assignment and is no secret key, else one
    /// from the operating system.
    pub seed: Option<Seed>,
    /// The direction; `Greater` says that the arm has the larger outcomes than the reference.
    pub alternative: Alternative,
    /// The coverage of the interval.
    pub level: f64,
    /// Whether to invert the test into an interval; by default for built-in statistics, since a user's own must be
    /// computed some eighty times over.
    pub interval: Option<bool>,
    /// How the units count in a difference in means.
    pub weights: Weights,
}

impl Default for RandomisationOptions {
    fn default() -> Self {
        Self {
            draws: 9_999,
            seed: None,
            alternative: Alternative::TwoSided,
            level: 0.95,
            interval: None,
            weights: Weights::Auto,
        }
    }
}

setters!(
    RandomisationOptions,
    draws: plain(u64),
    alternative: plain(Alternative),
    level: plain(f64),
    interval: some(bool),
    weights: plain(Weights),
);

impl RandomisationOptions {
    /// Sets the seed of the draws: an integer, or a key.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }
}

/// One arm beside the reference.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let assignment = design.assign(&units)?;
/// let outcomes = Outcomes::new("score", &[1.0, 2.0, 2.0, 5.0, 4.0], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let test = randomisation_test(&design, &assignment, &outcomes, means, &RandomisationOptions::default(), &NoMonitor)?;
/// let crewe = &test.comparisons[0];
/// assert_eq!((crewe.arm.as_str(), crewe.distribution.len()), ("crewe", 6));
/// assert!((crewe.estimate - (test.means[1] - test.means[0])).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// The difference in means or coefficient as it was observed; the statistic where the user gave one.
    pub estimate: f64,
    /// The statistic as it was observed; the estimate over its standard error where it is studentised.
    pub statistic: f64,
    /// The p-value of the alternative.
    pub p_value: f64,
    /// The same for the largest statistic of all arms, where there are several comparisons (single-step max T of P. H.
    /// Westfall and S. S. Young 1993, Resampling-based Multiple Testing, statistics over their standard deviations).
    pub p_adjusted: Option<f64>,
    /// The probability of a statistic at most as large.
    pub p_lower: f64,
    /// The probability of a statistic at least as large.
    pub p_upper: f64,
    /// The effects that the test does not reject; limits may be infinite.
    pub interval: Option<Interval>,
    /// The mean of the statistic over the assignments.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
    /// The statistic of every assignment.
    pub distribution: Vec<f64>,
}

/// All arms together.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let design = Design::new("Trial").arm("a", 1).arm("b", 1).arm("c", 1).individual("id").seed(3);
/// let ids = Column::from_values("id", ["1", "2", "3", "4", "5", "6"]);
/// let units = Units::from_rows(design.unit()?, &ids, &[])?;
/// let outcomes = Outcomes::new("score", &[1., 2., 4., 5., 7., 8.], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let options = RandomisationOptions::default();
/// let test = randomisation_test(&design, &design.assign(&units)?, &outcomes, means, &options, &NoMonitor)?;
/// assert!(test.omnibus.expect("there are three arms").p_value > 0.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Omnibus {
    /// The sum of squares between the arms.
    pub statistic: f64,
    /// The probability of one at least as large.
    pub p_value: f64,
}

/// What the test found.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let assignment = design.assign(&units)?;
/// let outcomes = Outcomes::new("score", &[1.0, 2.0, 2.0, 5.0, 4.0], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let test = randomisation_test(&design, &assignment, &outcomes, means, &RandomisationOptions::default(), &NoMonitor)?;
/// assert!(test.exact && test.assignments == 6);
/// assert_eq!(test.means.len(), 2);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RandomisationTest {
    /// Every arm but the reference, in order.
    pub comparisons: Vec<Comparison>,
    /// All arms together, where there are more than two.
    pub omnibus: Option<Omnibus>,
    /// The mean of every arm, where a difference in means was tested.
    pub means: Vec<f64>,
    /// Whether all assignments were used.
    pub exact: bool,
    /// How many assignments the p-values stand on.
    pub assignments: usize,
    /// How many more have no statistic, as an arm has no outcomes.
    pub undefined: usize,
    /// The probabilities of the assignments (or weights in proportion), where all were used.
    pub weight: Option<Vec<f64>>,
    /// The seed of the draws, where it is a number.
    pub seed: Option<u64>,
    /// Whether units count by inverse probability.
    pub weighted: bool,
    /// What a reader should know.
    pub notes: Vec<String>,
}
