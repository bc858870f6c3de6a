//! What the analysis said in every replicate.

use serde::Serialize;

/// Why a replicate has no answer, or that it has one.
///
/// ```
/// use crewe::simulate::Status;
/// assert_eq!(Status::FewUnits.name(), "few units in an arm");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// It has one.
    Answered,
    /// An arm has fewer than two units.
    FewUnits,
    /// The arm has no coefficient or no variance, for instance where nobody has the outcome.
    Undefined,
    /// The model could not be fitted.
    NotFitted,
}

crate::words::words!(
    Status, "state of a replicate",
    Answered => "answered",
    FewUnits => "few units in an arm",
    Undefined => "undefined",
    NotFitted => "not fitted",
);

/// Replicates in their order; one entry each, NaN where there is no answer.
///
/// ```
/// use crewe::simulate::Replicates;
/// let mut all = Replicates::default();
/// all.extend(&Replicates::default());
/// assert!(all.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Replicates {
    /// The coefficient of the arm.
    pub estimate: Vec<f64>,
    /// Its standard error.
    pub std_error: Vec<f64>,
    /// Its degrees of freedom.
    pub df: Vec<f64>,
    /// The two-sided p-value of no effect.
    pub p_value: Vec<f64>,
    /// Whether there is an answer.
    pub status: Vec<Status>,
}

impl Replicates {
    /// The number of replicates.
    pub fn len(&self) -> usize {
        self.status.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.status.is_empty()
    }

    /// Adds those of a later part.
    pub fn extend(&mut self, later: &Self) {
        self.estimate.extend_from_slice(&later.estimate);
        self.std_error.extend_from_slice(&later.std_error);
        self.df.extend_from_slice(&later.df);
        self.p_value.extend_from_slice(&later.p_value);
        self.status.extend_from_slice(&later.status);
    }

    /// How many reject no effect at this level; those without an answer do not.
    pub fn rejections(&self, alpha: f64) -> u64 {
        self.p_value.iter().filter(|&&p| p <= alpha).count() as u64
    }

    /// How many have this state.
    pub fn count(&self, status: Status) -> usize {
        self.status.iter().filter(|&&found| found == status).count()
    }
}
