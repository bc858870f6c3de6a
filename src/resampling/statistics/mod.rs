//! The statistics of the randomisation test: one file each, which says how it is computed from the outcomes and an
//! assignment and how it is tested; its variant, its line in `Statistic::test` and, where it has one, its name are here.

mod adjusted;
mod differences;
mod model;
mod ranks;
mod rates;
mod restricted;
mod time_ratio;
mod user;

pub use user::UserStatistic;

use ndarray::ArrayView2;

use super::prepared::{Compare, Prepared};
use super::result::{RandomisationOptions, RandomisationTest};
use super::score::ArmModel;
use crate::progress::Monitor;
use crate::words::unknown;
use crate::{Fault, Result};

/// Makes a statistic that has a name.
#[derive(Clone, Copy)]
enum Named<'a> {
    /// It needs nothing but the outcomes, and may be studentised.
    Alone(fn(bool) -> Statistic<'a>),
    /// It takes covariates.
    Beside(fn(ArrayView2<'a, f64>) -> Statistic<'a>),
}

/// Every statistic that has a name.
fn every_named<'a>() -> [(&'static str, Named<'a>); 7] {
    [
        ("difference_in_means", Named::Alone(|studentised| Statistic::DifferenceInMeans { studentised })),
        (
            "difference_in_unit_means",
            Named::Alone(|studentised| Statistic::DifferenceInUnitMeans { studentised }),
        ),
        ("difference_in_rates", Named::Alone(|studentised| Statistic::Rates { ratio: false, studentised })),
        ("rate_ratio", Named::Alone(|studentised| Statistic::Rates { ratio: true, studentised })),
        ("rank_sum", Named::Alone(|studentised| Statistic::RankSum { stratified: false, studentised })),
        (
            "stratified_rank_sum",
            Named::Alone(|studentised| Statistic::RankSum { stratified: true, studentised }),
        ),
        ("adjusted", Named::Beside(Statistic::Adjusted)),
    ]
}

/// What is computed from the outcomes and an assignment.
///
/// ```
/// use crewe::resampling::Statistic;
/// // Any function of the outcomes by row and the arms by unit will do.
/// let most = |y: &[f64], arm: &[u8]| y.iter().zip(arm).filter(|(_, arm)| **arm == 1).map(|(y, _)| *y).fold(0.0, f64::max);
/// assert!(matches!(Statistic::User(&most), Statistic::User(_)));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Statistic<'a> {
    /// The mean over the rows (children) of an arm less that of the reference.
    DifferenceInMeans {
        /// Whether it is divided by its cluster-robust standard error.
        studentised: bool,
    },
    /// The mean over the units' (families') own means in an arm less that of the reference.
    DifferenceInUnitMeans {
        /// Whether it is divided by its standard error.
        studentised: bool,
    },
    /// The coefficient of the arm in a linear model with these covariates, rows x columns, a constant among them; two
    /// arms only.
    Adjusted(ArrayView2<'a, f64>),
    /// The sum of the ranks, tested as the difference in mean ranks.
    RankSum {
        /// Whether ranks are taken within the strata of the trial.
        stratified: bool,
        /// Whether it is divided by its cluster-robust standard error.
        studentised: bool,
    },
    /// The rate of an event (0 and 1, or a count) over the rows of an arm beside that of the reference.
    Rates {
        /// Whether by the logarithm of their ratio, and not by their difference.
        ratio: bool,
        /// Whether it is divided by its cluster-robust standard error.
        studentised: bool,
    },
    /// The mean time without the event up to a horizon less that of the reference; the outcomes are the times.
    RestrictedMean {
        /// Whether the row had the event, 0 or 1.
        event: &'a [f64],
        /// Where the areas end.
        horizon: f64,
        /// Whether it is divided by its cluster-robust standard error.
        studentised: bool,
    },
    /// The ratio of the times to the event, by the log-rank score; the outcomes are the times. Two arms only.
    TimeRatio {
        /// Whether the row had the event, 0 or 1.
        event: &'a [f64],
        /// When its follow-up would have ended.
        end: &'a [f64],
        /// Whether the score is divided by its cluster-robust standard error.
        studentised: bool,
    },
    /// The score of the arm in a model.
    Model(ArmModel<'a>),
    /// Any function of the outcomes by row (NaN where missing) and the arms by unit. Larger values speak for larger
    /// outcomes in the second arm.
    User(&'a UserStatistic<'a>),
}

impl<'a> Statistic<'a> {
    /// The statistic of this name: `difference_in_means`, `difference_in_unit_means`, `difference_in_rates`, `rate_ratio`,
    /// `rank_sum`, `stratified_rank_sum`, or `adjusted` with its covariates.
    ///
    /// ```
    /// use crewe::ndarray::array;
    /// use crewe::resampling::Statistic;
    /// let means = Statistic::named("difference_in_unit_means", true, None)?;
    /// assert!(matches!(means, Statistic::DifferenceInUnitMeans { studentised: true }));
    /// let x = array![[1.0, 4.0], [1.0, 6.0]];
    /// assert!(matches!(Statistic::named("adjusted", false, Some(x.view()))?, Statistic::Adjusted(_)));
    /// assert!(Statistic::named("median", false, None).is_err());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another name, and for covariates where the statistic takes none, or the reverse.
    pub fn named(name: &str, studentised: bool, covariates: Option<ArrayView2<'a, f64>>) -> Result<Self> {
        let found = every_named().into_iter().find(|(known, _)| *known == name);
        let (_, named) = found
            .ok_or_else(|| unknown("statistic", name, &every_named().map(|(known, _)| known)).input())?;
        match (named, covariates) {
            (Named::Alone(make), None) => Ok(make(studentised)),
            (Named::Beside(make), Some(covariates)) => Ok(make(covariates)),
            (_, given) => {
                let problem = if given.is_some() { "takes no covariates" } else { "needs covariates" };
                Err(Fault::new(format!("the statistic '{name}' {problem}"))
                    .remedy("Covariates go with 'adjusted', and with no other")
                    .input())
            }
        }
    }

    /// The names of the statistics that need nothing but the outcomes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let alone =
            |(name, named): (&'static str, Named<'static>)| matches!(named, Named::Alone(_)).then_some(name);
        every_named().into_iter().filter_map(alone)
    }

    /// Whether it is computed from the values of the outcomes alone, and not from times with their events or by a function
    /// of the user.
    pub(super) fn is_of_values(&self) -> bool {
        match self {
            Self::Model(model) => !model.is_of_times(),
            Self::RestrictedMean { .. } | Self::TimeRatio { .. } | Self::User(_) => false,
            _ => true,
        }
    }

    /// Tests a trial by it.
    pub(super) fn test(
        self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        self.compared(|compared| compared.test(trial, options, monitor))
    }

    /// Its values over the assignments of a trial, for the outcomes less an effect of the treated.
    pub(super) fn values(self, trial: &Prepared<'_>, effect: f64, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        self.compared(|compared| trial.of(compared, effect, monitor))
    }

    fn compared<T>(self, work: impl FnOnce(&dyn Compare) -> T) -> T {
        match self {
            Self::DifferenceInMeans { studentised } => {
                work(&differences::Differences { unit_means: false, studentised })
            }
            Self::DifferenceInUnitMeans { studentised } => {
                work(&differences::Differences { unit_means: true, studentised })
            }
            Self::Adjusted(covariates) => work(&adjusted::Coefficient(covariates)),
            Self::RankSum { stratified, studentised } => work(&ranks::Ranks { stratified, studentised }),
            Self::Rates { ratio, studentised } => work(&rates::Rates { ratio, studentised }),
            Self::RestrictedMean { event, horizon, studentised } => {
                work(&restricted::Restricted { event, horizon, studentised })
            }
            Self::TimeRatio { event, end, studentised } => {
                work(&time_ratio::TimeRatio { event, end, studentised })
            }
            Self::Model(model) => work(&model::Model(model)),
            Self::User(function) => work(&user::Function(function)),
        }
    }
}
