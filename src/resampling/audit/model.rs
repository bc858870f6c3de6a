//! The model that is fitted again with every redrawn arm.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};

use super::options::Procedure;
use crate::inference::{Clusters, Covariance, Vcov};
use crate::linalg::DesignMatrix;
use crate::regression::gee::{Correlation, Divisor, Gee, GeeFamily, GeeFit};
use crate::regression::mixed::{self, MixedFit};
use crate::regression::{Family, Fit, GlmSummary, OlsSummary, Penalty, Weights, glm, ols};
use crate::survival::{Cox, CoxFit, Surv, Ties};
use crate::{Fault, Result};

/// What kind of model it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    Linear,
    Binary(Family, Option<Penalty>),
    Cox { event: &'a [f64], strata: Option<&'a [u32]>, ties: Ties },
    Gee(GeeFamily, Correlation, Divisor),
    Mixed,
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
        self.kind = Kind::Binary(family, None);
        self
    }

    /// Makes it a logit with a penalty.
    #[must_use]
    pub fn penalised(mut self, penalty: Penalty) -> Self {
        self.kind = Kind::Binary(Family::LOGIT, Some(penalty));
        self
    }

    /// Makes it generalised estimating equations over the clusters; they take no weights of rows.
    #[must_use]
    pub fn gee(mut self, family: GeeFamily, correlation: Correlation, divisor: Divisor) -> Self {
        self.kind = Kind::Gee(family, correlation, divisor);
        self
    }

    /// Makes it the linear mixed model with an intercept for every cluster; it takes no weights of rows.
    #[must_use]
    pub fn mixed(mut self) -> Self {
        self.kind = Kind::Mixed;
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

    /// Whether what is added to an outcome is added to its coefficients.
    pub(super) fn is_linear(&self) -> bool {
        matches!(self.kind, Kind::Linear | Kind::Mixed | Kind::Gee(GeeFamily::Gaussian, ..))
    }

    /// The model that a procedure fits in place of this one, with its covariance; none where it asks this one. Outcomes
    /// that are all 0 or 1 are `binary`.
    ///
    /// # Errors
    /// [`crate::Error::Input`] where the procedure does not apply.
    pub(super) fn beside(&self, procedure: Procedure, binary: bool) -> Result<Option<(Self, Vcov)>> {
        let refused = |why: &str| {
            Fault::new(format!("the procedure '{procedure}' does not apply: {why}"))
                .values([procedure.name()])
                .remedy("Leave it out of the procedures")
                .input()
        };
        if procedure == Procedure::WildBootstrap
            && let Some(why) = self.no_bootstrap()
        {
            return Err(refused(why));
        }
        let (kind, vcov) = match procedure {
            Procedure::Firth => (Kind::Binary(Family::LOGIT, Some(Penalty::Firth)), Vcov::Cr1),
            Procedure::Gee => {
                let (family, vcov) = if self.is_linear() {
                    (GeeFamily::Gaussian, Vcov::Md)
                } else {
                    (GeeFamily::Binomial, Vcov::Kc)
                };
                (Kind::Gee(family, Correlation::default(), Divisor::default()), vcov)
            }
            Procedure::Mixed => (Kind::Mixed, Vcov::KenwardRoger),
            _ => return Ok(None),
        };
        if kind == self.kind {
            return Err(refused("it is the model of this fit, whose covariances have names of their own"));
        }
        if self.is_of_times() {
            return Err(refused("the outcomes are times"));
        }
        if self.weights.is_some() {
            return Err(refused("the fit has weights of rows, which that model does not take"));
        }
        match procedure {
            Procedure::Firth if !binary => {
                Err(refused("the outcome is a quantity, and the penalty that of a logit"))
            }
            Procedure::Mixed if !self.is_linear() => {
                Err(refused("the mixed model is linear, and this one is on the scale of a link"))
            }
            _ => Ok(Some((Self { kind, ..self.clone() }, vcov))),
        }
    }

    /// Why it has no wild bootstrap, where it has none.
    fn no_bootstrap(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Linear | Kind::Binary(_, None) => None,
            Kind::Binary(_, Some(_)) => Some("Firth's penalty is no sum over clusters"),
            Kind::Cox { .. } => Some("the likelihood of a Cox model is no sum over clusters"),
            Kind::Gee(..) => {
                Some("the working correlation would have to be estimated again in each of its draws")
            }
            Kind::Mixed => Some("the variances would have to be estimated again in each of its draws"),
        }
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
            Kind::Binary(family, penalty) => {
                let summary = Arc::new(glm::fit(*family, &design, outcome, name, self.weights, *penalty)?);
                let alone = Fit::resume(self.alone(&design), outcome, Arc::clone(&summary));
                Refitted::Binary { all: Fit::resume(design, outcome, summary), alone }
            }
            Kind::Cox { event, strata, ties } => {
                let surv = Surv::new(y, event);
                Refitted::Cox(Cox::new(surv, x).ties(*ties).strata(*strata).fit()?)
            }
            Kind::Gee(family, correlation, divisor) => {
                let gee = Gee::of(outcome, name, design, self.clusters).family(*family);
                Refitted::Gee(gee.correlation(*correlation).divisor(*divisor).fit()?)
            }
            Kind::Mixed => Refitted::Mixed(mixed::fit(&design, outcome, name, self.clusters)?),
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
    Linear {
        all: Fit<'d, OlsSummary>,
        alone: Fit<'d, OlsSummary>,
    },
    Binary {
        all: Fit<'d, GlmSummary>,
        alone: Fit<'d, GlmSummary>,
    },
    Cox(CoxFit),
    /// These hold their clusters.
    Gee(GeeFit),
    Mixed(MixedFit),
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
            Self::Gee(fit) => fit.vcov(kind),
            Self::Mixed(fit) => fit.vcov(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    /// What a procedure fits, and its covariance.
    fn found<'a>(
        model: &AuditedModel<'a>,
        procedure: Procedure,
        binary: bool,
    ) -> Result<Option<(Kind<'a>, Vcov)>> {
        Ok(model.beside(procedure, binary)?.map(|(model, vcov)| (model.kind, vcov)))
    }

    #[test]
    fn another_model_is_fitted_where_it_applies_and_refused_in_words() {
        let (x, families) = (array![[0.0], [0.0], [1.0], [1.0]], Clusters::new(&[0, 0, 1, 1]).unwrap());
        let linear = AuditedModel::linear(DesignMatrix::new(x.view(), true), &[0], &families).unwrap();
        let logit = linear.clone().family(Family::LOGIT);
        let equations = |family| Kind::Gee(family, Correlation::Exchangeable, Divisor::Rows);
        assert_eq!(found(&linear, Procedure::Vcov(Vcov::Cr2), true), Ok(None));
        assert_eq!(found(&linear, Procedure::WildBootstrap, true), Ok(None));
        let wanted = Some((equations(GeeFamily::Gaussian), Vcov::Md));
        assert_eq!(found(&linear, Procedure::Gee, true), Ok(wanted));
        let wanted = Some((equations(GeeFamily::Binomial), Vcov::Kc));
        assert_eq!(found(&logit, Procedure::Gee, true), Ok(wanted));
        assert_eq!(found(&linear, Procedure::Mixed, false), Ok(Some((Kind::Mixed, Vcov::KenwardRoger))));
        let penalised = Kind::Binary(Family::LOGIT, Some(Penalty::Firth));
        assert_eq!(found(&linear, Procedure::Firth, true), Ok(Some((penalised, Vcov::Cr1))));

        let ones = Array1::ones(4);
        let firth = linear.clone().penalised(Penalty::Firth);
        let gee = linear.clone().gee(GeeFamily::Gaussian, Correlation::Exchangeable, Divisor::Rows);
        let times = linear.clone().cox(&[1.0; 4], None, Ties::Efron);
        let weighted = linear.clone().weights(Some(Weights::analytic(ones.view())));
        for (model, procedure, said) in [
            (&linear, Procedure::Firth, "a quantity"),
            (&logit, Procedure::Mixed, "linear"),
            (&firth, Procedure::Firth, "the model of this fit"),
            (&gee, Procedure::Gee, "the model of this fit"),
            (&times, Procedure::Gee, "times"),
            (&weighted, Procedure::Mixed, "weights"),
            (&firth, Procedure::WildBootstrap, "penalty"),
            (&gee, Procedure::WildBootstrap, "correlation"),
            (&linear.clone().mixed(), Procedure::WildBootstrap, "variances"),
            (&times, Procedure::WildBootstrap, "likelihood"),
        ] {
            let error = found(model, procedure, false).unwrap_err().to_string();
            assert!(error.contains("does not apply") && error.contains(said), "{error}");
        }
    }
}
