//! What the analysis said in every replicate.

use serde::Serialize;

use crate::{Fault, Result};

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

impl Status {
    /// Every state; replicates are told apart by the place among these.
    pub const ALL: [Self; 4] = [Self::Answered, Self::FewUnits, Self::Undefined, Self::NotFitted];
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Replicates {
    /// How many arms are compared with the reference: so many entries has each replicate, next to each other.
    pub contrasts: usize,
    /// The coefficient of the arm.
    pub estimate: Vec<f64>,
    /// Its standard error.
    pub std_error: Vec<f64>,
    /// Its degrees of freedom.
    pub df: Vec<f64>,
    /// The two-sided p-value of no effect.
    pub p_value: Vec<f64>,
    /// The ends of the interval, of level 1 less alpha; none where it follows from estimate, standard error and degrees of
    /// freedom.
    pub interval: Option<[Vec<f64>; 2]>,
    /// Whether there is an answer.
    pub status: Vec<Status>,
}

impl Default for Replicates {
    fn default() -> Self {
        Self::new(1)
    }
}

/// When a replicate of several arms has found something.
///
/// ```
/// use crewe::simulate::Detect;
/// assert_eq!(Detect::default(), Detect::Contrast(0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detect {
    /// Where this arm, counted from 0 without the reference, differs from the reference.
    Contrast(usize),
    /// Where any arm does.
    Any,
    /// Where all arms do.
    All,
}

impl Default for Detect {
    fn default() -> Self {
        Self::Contrast(0)
    }
}

impl std::str::FromStr for Detect {
    type Err = crate::Error;

    /// `any`, `all`, or the place of an arm among those that are compared.
    fn from_str(word: &str) -> Result<Self> {
        match word {
            "any" => Ok(Self::Any),
            "all" => Ok(Self::All),
            _ => word.parse().map(Self::Contrast).map_err(|_| {
                Fault::new("this is no arm to be detected")
                    .values([word])
                    .remedy("Choose any, all, or the place of an arm")
                    .input()
            }),
        }
    }
}

impl Replicates {
    /// None yet, with so many contrasts.
    pub fn new(contrasts: usize) -> Self {
        let none = Vec::new;
        Self {
            contrasts,
            estimate: none(),
            std_error: none(),
            df: none(),
            p_value: none(),
            interval: None,
            status: Vec::new(),
        }
    }

    /// The number of replicates.
    pub fn len(&self) -> usize {
        self.status.len() / self.contrasts.max(1)
    }

    /// Those of one contrast.
    #[must_use]
    pub fn of(&self, contrast: usize) -> Self {
        fn every<T: Copy>(values: &[T], first: usize, step: usize) -> Vec<T> {
            values.iter().skip(first).step_by(step).copied().collect()
        }
        let step = self.contrasts.max(1);
        Self {
            contrasts: 1,
            estimate: every(&self.estimate, contrast, step),
            std_error: every(&self.std_error, contrast, step),
            df: every(&self.df, contrast, step),
            p_value: every(&self.p_value, contrast, step),
            interval: self
                .interval
                .as_ref()
                .map(|ends| ends.each_ref().map(|end| every(end, contrast, step))),
            status: every(&self.status, contrast, step),
        }
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
        if self.status.is_empty() {
            self.interval.clone_from(&later.interval);
        } else if self.interval.is_some() || later.interval.is_some() {
            // A part without intervals beside one with them.
            let none = |n: usize| [vec![f64::NAN; n], vec![f64::NAN; n]];
            let before = self.status.len();
            let ends = self.interval.get_or_insert_with(|| none(before));
            let others = later.interval.clone().unwrap_or_else(|| none(later.status.len()));
            for (end, other) in ends.iter_mut().zip(others) {
                end.extend(other);
            }
        }
        self.status.extend_from_slice(&later.status);
    }

    /// How many reject no effect at this level; those without an answer do not.
    pub fn rejections(&self, alpha: f64, detect: Detect) -> u64 {
        let found = |p: &&[f64]| match detect {
            Detect::Contrast(contrast) => p.get(contrast).is_some_and(|&p| p <= alpha),
            Detect::Any => p.iter().any(|&p| p <= alpha),
            Detect::All => p.iter().all(|&p| p <= alpha),
        };
        self.p_value.chunks_exact(self.contrasts.max(1)).filter(found).count() as u64
    }

    /// How many have this state.
    pub fn count(&self, status: Status) -> usize {
        self.status.iter().filter(|&&found| found == status).count()
    }
}
