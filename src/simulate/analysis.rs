//! The planned analysis of a simulated trial.

use super::model::Model;
use crate::inference::Vcov;
use crate::words::words;

/// Whose effect an analysis is about.
///
/// ```
/// use crewe::simulate::Target;
/// assert_eq!("interaction".parse(), Ok(Target::Interaction));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Target {
    /// That of all rows.
    #[default]
    All,
    /// That of the subgroup, in its rows alone.
    Subgroup,
    /// The subgroup's less that of the others: the product of arm and subgroup in the model.
    Interaction,
}

words!(
    Target, "target of a simulated analysis",
    All => "all",
    Subgroup => "subgroup",
    Interaction => "interaction",
);

/// The planned analysis: what a model says of the arm.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::simulate::{Analysis, Model};
/// let analysis = Analysis::new(Vcov::Cr2, 0.05).model(Model::Cox);
/// assert_eq!((analysis.alpha, analysis.model), (0.05, Model::Cox));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Analysis {
    /// The model.
    pub model: Model,
    /// The kind of variance.
    pub vcov: Vcov,
    /// The two-sided level.
    pub alpha: f64,
    /// The arm that all others are compared with.
    pub reference: u8,
    /// Whose effect it is about.
    pub target: Target,
}

impl Analysis {
    /// A linear model with this kind of variance, at this level.
    pub fn new(vcov: Vcov, alpha: f64) -> Self {
        Self { model: Model::default(), vcov, alpha, reference: 0, target: Target::All }
    }

    /// Sets the model.
    #[must_use]
    pub fn model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    /// Sets the arm that all others are compared with, by its place among the arms.
    #[must_use]
    pub fn reference(mut self, reference: u8) -> Self {
        self.reference = reference;
        self
    }

    /// Sets whose effect it is about.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// The arms that are compared with the reference, of so many.
    pub(super) fn compared(self, arms: usize) -> impl Iterator<Item = u8> + Clone {
        (0..arms as u8).filter(move |&arm| arm != self.reference)
    }
}
