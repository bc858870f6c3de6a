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

pub use null::{Tails, tails};
pub use outcomes::Outcomes;
pub use randomisation_test::{
    Comparison, Omnibus, RandomisationOptions, RandomisationTest, UserStatistic, randomisation_test,
};
pub use redrawn::{Redrawn, redraw_seed, redrawn};
pub use size::{Size, SizeOptions, size};

/// How the units count in a difference in means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// Equally where every unit had the same chances, else by inverse probability.
    #[default]
    Auto,
    /// Equally.
    Equal,
    /// Each by the inverse of the probability of its arm, normalised within the arm (Hájek).
    InverseProbability,
}

/// What is computed from the outcomes and an assignment.
#[derive(Clone, Copy)]
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
