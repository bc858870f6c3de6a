//! The statistics of the randomisation test: one file each, which says how it is computed from the outcomes and an
//! assignment and how it is tested; its variant, its line in `Statistic::test` and, where it has one, its name are here.

mod adjusted;
mod differences;
mod user;

pub use user::UserStatistic;

use super::prepared::{Compare, Prepared};
use super::result::{RandomisationOptions, RandomisationTest};
use crate::Result;
use crate::progress::Monitor;
use crate::words::unknown;

/// The statistics that need nothing but the outcomes: name, and the statistic, studentised or not.
fn every_named<'a>() -> [(&'static str, fn(bool) -> Statistic<'a>); 2] {
    [
        ("difference_in_means", |studentised| Statistic::DifferenceInMeans { studentised }),
        ("difference_in_unit_means", |studentised| Statistic::DifferenceInUnitMeans { studentised }),
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
    Adjusted(ndarray::ArrayView2<'a, f64>),
    /// Any function of the outcomes by row (NaN where missing) and the arms by unit. Larger values speak for larger
    /// outcomes in the second arm.
    User(&'a UserStatistic<'a>),
}

impl Statistic<'_> {
    /// The statistic of this name: `difference_in_means` or `difference_in_unit_means`.
    ///
    /// ```
    /// use crewe::resampling::Statistic;
    /// let means = Statistic::named("difference_in_unit_means", true)?;
    /// assert!(matches!(means, Statistic::DifferenceInUnitMeans { studentised: true }));
    /// assert!(Statistic::named("median", false).is_err());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another name.
    pub fn named(name: &str, studentised: bool) -> Result<Self> {
        let found = every_named().into_iter().find(|(known, _)| *known == name);
        let (_, make) =
            found.ok_or_else(|| unknown("statistic", name, &Self::names().collect::<Vec<_>>()).input())?;
        Ok(make(studentised))
    }

    /// The names that [`Statistic::named`] takes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        every_named().into_iter().map(|(name, _)| name)
    }

    /// Tests a trial by it.
    pub(super) fn test(
        self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let compared: &dyn Compare = match self {
            Self::DifferenceInMeans { studentised } => {
                &differences::Differences { unit_means: false, studentised }
            }
            Self::DifferenceInUnitMeans { studentised } => {
                &differences::Differences { unit_means: true, studentised }
            }
            Self::Adjusted(covariates) => &adjusted::Coefficient(covariates),
            Self::User(function) => &user::Function(function),
        };
        compared.test(trial, options, monitor)
    }
}
