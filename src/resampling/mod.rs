//! Inference from the randomisation itself: the very procedure of the trial is drawn again and again.
//!
//! [`randomisation_test`] compares a [`Statistic`] of the trial with its values under other assignments that the
//! design could have given, all of them where they can be listed. Nothing is assumed of the outcomes: siblings, skewed
//! costs and few clusters are no trouble, since only the assignment is random.

mod adjusted;
mod chances;
mod inversion;
mod means;
mod null;
mod outcomes;
mod randomisation_test;
mod redrawn;
mod replay;
mod size;
mod sums;

pub use null::{Tails, tails};
pub use outcomes::Outcomes;
pub use randomisation_test::{
    Comparison, Omnibus, RandomisationOptions, RandomisationTest, UserStatistic, randomisation_test,
};
pub use redrawn::{Redrawn, redraw_seed, redrawn};
pub use size::{Size, SizeOptions, size};

use crate::Result;
use crate::words::words;

/// How the units count in a difference in means.
///
/// ```
/// use crewe::resampling::Weights;
/// assert_eq!("inverse_probability".parse(), Ok(Weights::InverseProbability));
/// assert!("by size".parse::<Weights>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Weights {
    /// Equally where every unit had the same chances, else by inverse probability.
    #[default]
    Auto,
    /// Equally.
    Equal,
    /// Each by the inverse of the probability of its arm, normalised within the arm (Hájek).
    InverseProbability,
}

words!(Weights, "weighting of units", Auto => "auto", Equal => "equal", InverseProbability => "inverse_probability");

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

/// A difference in means, by the name of what the means are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Rows,
    Units,
}

words!(
    @unserialised Difference, "statistic",
    Rows => "difference_in_means",
    Units => "difference_in_unit_means",
);

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
        Ok(match name.parse::<Difference>()? {
            Difference::Rows => Self::DifferenceInMeans { studentised },
            Difference::Units => Self::DifferenceInUnitMeans { studentised },
        })
    }
}
