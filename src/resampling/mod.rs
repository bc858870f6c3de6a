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

use crate::words::words;
use crate::{Fault, Result};

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

/// A statistic, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Rows,
    Units,
    Adjusted,
}

words!(
    @unserialised Named, "statistic",
    Rows => "difference_in_means",
    Units => "difference_in_unit_means",
    Adjusted => "adjusted",
);

impl<'a> Statistic<'a> {
    /// The statistic of this name: `difference_in_means`, `difference_in_unit_means`, or `adjusted` with its covariates.
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
    pub fn named(
        name: &str,
        studentised: bool,
        covariates: Option<ndarray::ArrayView2<'a, f64>>,
    ) -> Result<Self> {
        Ok(match (name.parse::<Named>()?, covariates) {
            (Named::Rows, None) => Self::DifferenceInMeans { studentised },
            (Named::Units, None) => Self::DifferenceInUnitMeans { studentised },
            (Named::Adjusted, Some(x)) => Self::Adjusted(x),
            (_, given) => {
                let problem = if given.is_some() { "takes no covariates" } else { "needs covariates" };
                return Err(Fault::new(format!("the statistic '{name}' {problem}"))
                    .remedy("Covariates go with 'adjusted', and with no other")
                    .input());
            }
        })
    }
}
