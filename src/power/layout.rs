//! How clusters are laid out; what each layout is worth stands in [`super::worth`].

use serde::Serialize;

use super::periods::Periods;

/// How clusters are laid out.
///
/// ```
/// use crewe::power::Layout;
/// assert_eq!(Layout::Pairs { correlation: 0.4 }.step(), 2);
/// assert_eq!(Layout::Parallel.step(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Layout {
    /// Two arms side by side.
    Parallel,
    /// Clusters matched in pairs, one of each treated; the correlation of the levels of two that are matched.
    Pairs {
        /// Of matched clusters' own levels.
        correlation: f64,
    },
    /// Clusters randomised within blocks.
    Blocks {
        /// How many.
        number: u64,
        /// The standard deviation of the blocks' own effects, where the blocks stand for others like them; without it the
        /// effect is that in these blocks, each of which costs a degree of freedom.
        effect_sd: Option<f64>,
    },
    /// Members within subclusters (classes) within the clusters that are randomised (schools).
    ThreeLevels {
        /// Subclusters a cluster.
        subclusters: f64,
        /// The share of the variance between subclusters of one cluster.
        icc: f64,
    },
    /// Individuals are randomised, and only those treated meet in groups (a therapist's patients): the clusters.
    Nested,
    /// Clusters that are measured in several periods, in some of which they are treated.
    Periods(Periods),
}

impl Layout {
    /// Numbers of clusters go up by so many.
    pub fn step(&self) -> u64 {
        if matches!(self, Self::Pairs { .. }) { 2 } else { 1 }
    }

    /// The words that errors and results have for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::Pairs { .. } => "pairs",
            Self::Blocks { .. } => "blocks",
            Self::ThreeLevels { .. } => "three levels",
            Self::Nested => "partially nested",
            Self::Periods(_) => "periods",
        }
    }
}
