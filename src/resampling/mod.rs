//! Inference from the randomisation itself: the very procedure of the trial is drawn again and again.
//!
//! [`randomisation_test`] compares a [`Statistic`] of the trial with its values under other assignments that the
//! design could have given, all of them where they can be listed. Nothing is assumed of the outcomes: siblings, skewed
//! costs and few clusters are no trouble, since only the assignment is random.
//!
//! Where no procedure can be drawn again, [`wild_bootstrap`] tests coefficients of a fit, and [`pairs`] draws clusters
//! for any statistic. An [`Audited`] trial says how often each of these procedures, and every other, rejects where nothing
//! happened.

mod audit;
mod bootstrap;
mod chances;
mod inversion;
mod means;
mod null;
mod outcomes;
mod permuted;
mod prepared;
mod projection;
mod randomisation_test;
mod redrawn;
mod repeated;
mod replay;
mod result;
mod score;
mod size;
mod statistics;
mod sums;

pub use audit::{Audit, AuditOptions, AuditRow, Audited, AuditedModel, Procedure, audit_seed, audited};
pub use bootstrap::{
    Extreme, Resampled, WildBootstrap, WildOptions, WildType, WildWeights, pairs, replicates, wild_bootstrap,
};
pub use null::{Tails, check_draws, tails};
pub use outcomes::Outcomes;
pub use prepared::Elsewhere;
pub use randomisation_test::{randomisation_test, randomisation_test_by, randomisation_values};
pub use redrawn::{Redrawn, listed, redraw_seed, redrawn};
pub(crate) use repeated::Repeated;
pub use result::{Comparison, Omnibus, RandomisationOptions, RandomisationTest};
pub use score::{ArmModel, Compared, Contrast, Residuals};
pub use size::{Size, SizeOptions, size};
pub use statistics::{Statistic, UserStatistic};

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
