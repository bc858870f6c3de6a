//! The model that is fitted again with every redrawn arm.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};

use crate::inference::{Clusters, Covariance, Vcov};
use crate::linalg::DesignMatrix;
use crate::regression::{Family, Fit, GlmSummary, OlsSummary, Weights, glm, ols};
use crate::survival::{Cox, CoxFit, Surv, Ties};
use crate::{Fault, Result};

/// What kind of model it is.
#[derive(Debug, Clone)]
pub(super) enum Kind<'a> {
    Linear,
    Binary(Family),
    Cox { event: &'a [f64], strata: Option<&'a [u32]>, ties: Ties },
}

/// A model, and which of its columns are the arms.
///
/// Its rows are those of the outcomes that it is audited with.
///
/// ```
/// use crewe::inference::Clusters;
/// use crewe::linalg::DesignMatrix;
/// use crewe::resampling::AuditedModel;
/// use ndarray::array;
/// // The arm of four children of three families, and their ages.
/// let x = array![[0.0, 7.0], [0.0, 9.0], [1.0, 4.0], [0.0, 8.0]];
/// let families = Clusters::new(&[0, 0, 1, 2])?;
/// let model = AuditedModel::linear(DesignMatrix::new(x.view(), true), &[0], &families)?;
/// assert!(AuditedModel::linear(DesignMatrix::new(x.view(), true), &[5], &families).is_err());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AuditedModel<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) x: DesignMatrix<'a>,
    pub(super) weights: Option<Weights<'a>>,
    /// The columns of x that are the arms but the reference, in their order.
    pub(super) arms: Vec<usize>,
    /// Which of them is tested.
    pub(super) of: usize,
    pub(super) clusters: &'a Clusters,
    pub(super) levels: Option<Levels>,
}

/// What a cluster-level analysis takes of the columns.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    /// Those that it compares clusters by: the same for all rows of a cluster, the arms among them.
    pub kept: Vec<usize>,
    /// Whether others are taken out of rows first.
    pub within: bool,
}

impl<'a> AuditedModel<'a> {
    /// Least squares on the columns of x, of which `arms` are the indicators of the arms but the reference.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for columns that do not exist, and another number of rows than clusters have.
    pub fn linear(x: DesignMatrix<'a>, arms: &[usize], clusters: &'a Clusters) -> Result<Self> {
        clusters.checked(x.n())?;
        let width = x.columns().ncols();
        if arms.is_empty() || arms.iter().any(|&column| column >= width) {
            return Err(Fault::new("the model has no column for an arm")
                .values(arms.iter().map(usize::to_string))
                .remedy("Put the arm into the model once, as a term of its own")
                .input());
        }
        let kind = Kind::Linear;
        Ok(Self { kind, x, weights: None, arms: arms.to_vec(), of: 0, clusters, levels: None })
    }

    /// Makes it a regression of a yes-or-no outcome.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.kind = Kind::Binary(family);
        self
    }

    /// Makes it Cox's model of times; the columns hold no intercept.
    #[must_use]
    pub fn cox(mut self, event: &'a [f64], strata: Option<&'a [u32]>, ties: Ties) -> Self {
        self.kind = Kind::Cox { event, strata, ties };
        self
    }

    /// Weights of the rows.
    #[must_use]
    pub fn weights(mut self, weights: Option<Weights<'a>>) -> Self {
        self.weights = weights;
        self
    }

    /// Which of the arms is compared with the reference, by its place in `arms`; the first unless this says otherwise.
    #[must_use]
    pub fn of(mut self, of: usize) -> Self {
        self.of = of.min(self.arms.len() - 1);
        self
    }

    /// What a cluster-level analysis takes of the columns: those that it compares clusters by, the arms among them, and
    /// whether the others are taken out of rows first.
    #[must_use]
    pub fn cluster_level(mut self, kept: &[usize], within: bool) -> Self {
        self.levels = Some(Levels { kept: kept.to_vec(), within });
        self
    }

    /// Whether the outcomes are times.
    pub(super) fn is_of_times(&self) -> bool {
        matches!(self.kind, Kind::Cox { .. })
    }

    /// Whether it is least squares.
    pub(super) fn is_linear(&self) -> bool {
        matches!(self.kind, Kind::Linear)
    }

    /// The coefficient that is tested.
    pub(super) fn coefficient(&self) -> usize {
        self.arms[self.of] + usize::from(self.x.has_intercept())
    }

    /// Fits it with these columns to these outcomes.
    pub(super) fn fit<'d>(
        &'d self,
        name: &str,
        x: ArrayView2<'d, f64>,
        y: &'d [f64],
    ) -> Result<Refitted<'d>> {
        let design = self.x.over(x);
        let outcome = ArrayView1::from(y);
        Ok(match &self.kind {
            Kind::Linear => {
                let summary = Arc::new(ols::fit(&design, outcome, name, self.weights)?);
                let alone = Fit::resume(self.alone(&design), outcome, Arc::clone(&summary));
                Refitted::Linear { all: Fit::resume(design, outcome, summary), alone }
            }
            Kind::Binary(family) => {
                let summary = Arc::new(glm::fit(*family, &design, outcome, name, self.weights, None)?);
                let alone = Fit::resume(self.alone(&design), outcome, Arc::clone(&summary));
                Refitted::Binary { all: Fit::resume(design, outcome, summary), alone }
            }
            Kind::Cox { event, strata, ties } => {
                let surv = Surv::new(y, event);
                Refitted::Cox(Cox::new(surv, x).ties(*ties).strata(*strata).fit()?)
            }
        })
    }

    /// The columns, of which nobody asks after any but the one that is tested.
    fn alone<'d>(&self, design: &DesignMatrix<'d>) -> DesignMatrix<'d> {
        let tested = self.arms[self.of];
        design.clone().aside((0..design.columns().ncols()).filter(|&column| column != tested))
    }
}

/// A model that was fitted again; `alone` is the same of which only the coefficient that is tested is of interest, so that
/// no degrees of freedom are worked out in vain.
pub(super) enum Refitted<'d> {
    Linear { all: Fit<'d, OlsSummary>, alone: Fit<'d, OlsSummary> },
    Binary { all: Fit<'d, GlmSummary>, alone: Fit<'d, GlmSummary> },
    Cox(CoxFit),
}

impl Refitted<'_> {
    /// Its covariance of a kind.
    pub fn vcov(&self, kind: Vcov, clusters: &Clusters) -> Result<Covariance<'_>> {
        // Which columns are of interest changes what CR3 makes of clusters that a coefficient rests on.
        let one = kind.has_own_degrees();
        match self {
            Self::Linear { all, alone } => (if one { alone } else { all }).vcov(kind, Some(clusters)),
            Self::Binary { all, alone } => (if one { alone } else { all }).vcov(kind, Some(clusters)),
            Self::Cox(fit) => fit.vcov(kind, Some(clusters)),
        }
    }
}
