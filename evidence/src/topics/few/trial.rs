//! A simulated trial and its models, each fitted when it is first asked for.

use std::cell::OnceCell;

use crewe::Result;
use crewe::design::Assignment;
use crewe::inference::{Compare, Contrasts, Covariance, Setting, Vcov};
use crewe::linalg::DesignMatrix;
use crewe::progress::NoMonitor;
use crewe::regression::cluster_level::summarise;
use crewe::regression::gee::{Correlation, Gee, GeeFamily, GeeFit};
use crewe::regression::mixed::{self, MixedFit};
use crewe::regression::{Family, Fit, Glm, GlmFit, Logit, Ols, OlsFit, Penalty, Summary, Weights};
use crewe::resampling::{
    ArmModel, Outcomes, RandomisationOptions, Statistic, WildOptions, WildType, randomisation_test,
    wild_bootstrap,
};
use ndarray::{Array1, Array2, Axis, array, s};

use crate::families::{Children, Randomised};
use crate::grid::{ALPHA, Verdict};

/// Draws of a bootstrap: 5% is attainable. As many as all signs of ten families, so that these are listed as by default.
const DRAWS: [u64; 2] = [399, 1_023];
/// Draws of a randomisation test, of which twice a tail of 2.5% is attainable.
const REDRAWS: u64 = 199;

/// What is true of the arm.
#[derive(Debug, Clone, Copy)]
pub struct Truth {
    /// The difference of means or shares.
    pub difference: f64,
    /// The log odds ratio given the covariates.
    pub log_odds: f64,
}

/// A simulated trial and the models of it, each fitted when it is first asked for.
pub struct Trial<'a> {
    children: &'a Children,
    y: &'a Array1<f64>,
    truth: Truth,
    seed: u64,
    arms: &'a Randomised,
    number: u64,
    ols: OnceCell<Result<OlsFit<'a>>>,
    logit: OnceCell<Result<GlmFit<'a>>>,
    firth: OnceCell<Result<GlmFit<'a>>>,
    gee: OnceCell<Result<GeeFit>>,
    gee_logit: OnceCell<Result<GeeFit>>,
    mixed: OnceCell<Result<MixedFit>>,
}

/// The first stage of a cluster-level analysis.
#[derive(Clone, Copy)]
pub enum First {
    /// A logit of 0s and 1s, with Firth's penalty where it is separated, and least squares of numbers.
    Usual,
    /// Least squares.
    Linear,
}

/// The arm under a covariance, among the coefficients of a model with an intercept.
fn arm(covariance: &Covariance<'_>, truth: f64) -> Result<Verdict> {
    let table = covariance.coefficients(1.0 - ALPHA)?;
    Ok(of_table(&table, 1, truth))
}

fn of_table(table: &Contrasts, j: usize, truth: f64) -> Verdict {
    let ends = [table.conf_low[j], table.conf_high[j]];
    Verdict::interval(table.p_value[j], ends, table.estimate[j], table.std_error[j], truth)
}

/// What follows from a fit, or its refusal.
fn with<F>(fit: &Result<F>, then: impl FnOnce(&F) -> Result<Verdict>) -> Verdict {
    match fit {
        Ok(fit) => Verdict::of(then(fit)),
        Err(error) => Verdict::error(error),
    }
}

impl<'a> Trial<'a> {
    /// Replicate `number` of a cell; `seed` is that of what it draws for itself.
    pub fn new(
        children: &'a Children,
        y: &'a Array1<f64>,
        truth: Truth,
        arms: &'a Randomised,
        number: u64,
        seed: u64,
    ) -> Self {
        let (ols, logit, firth, gee, gee_logit, mixed) = Default::default();
        Self { children, y, truth, seed, arms, number, ols, logit, firth, gee, gee_logit, mixed }
    }

    fn ols(&self) -> &Result<OlsFit<'a>> {
        self.ols.get_or_init(|| Ols::new(self.y.view(), self.children.x.view()).fit())
    }

    pub fn linear(&self, kind: Vcov) -> Verdict {
        with(self.ols(), |fit| arm(&fit.vcov(kind, Some(&self.children.clusters))?, self.truth.difference))
    }

    fn logit_fit(&self) -> &Result<GlmFit<'a>> {
        self.logit.get_or_init(|| Logit::new(self.y.view(), self.children.x.view()).fit())
    }

    pub fn logit(&self, kind: Vcov) -> Verdict {
        with(self.logit_fit(), |fit| {
            arm(&fit.vcov(kind, Some(&self.children.clusters))?, self.truth.log_odds)
        })
    }

    /// The difference in probability averaged over the children.
    pub fn margin(&self) -> Verdict {
        with(self.logit_fit(), |fit| {
            let covariance = fit.vcov(Vcov::Cr2, Some(&self.children.clusters))?;
            let at = [0.0, 1.0].map(|arm| {
                let mut rows = self.children.x.clone();
                rows.column_mut(0).fill(arm);
                rows
            });
            let settings = [Setting::new(at[0].view()), Setting::new(at[1].view())];
            let found = covariance.margins(&settings, &[[1, 0]], Compare::Difference, 1.0 - ALPHA)?;
            Ok(of_table(&found.comparisons, 0, self.truth.difference))
        })
    }

    fn firth_fit(&self) -> &Result<GlmFit<'a>> {
        self.firth
            .get_or_init(|| Logit::new(self.y.view(), self.children.x.view()).penalty(Penalty::Firth).fit())
    }

    pub fn firth(&self, kind: Vcov) -> Verdict {
        with(self.firth_fit(), |fit| {
            arm(&fit.vcov(kind, Some(&self.children.clusters))?, self.truth.log_odds)
        })
    }

    pub fn profile(&self) -> Verdict {
        with(self.firth_fit(), |fit| Ok(of_table(&fit.profile(1.0 - ALPHA)?, 1, self.truth.log_odds)))
    }

    pub fn probit(&self) -> Verdict {
        let tested = || -> Result<Verdict> {
            let fit = Glm::new("probit".parse::<Family>()?, self.y.view(), self.children.x.view()).fit()?;
            let table = fit.vcov(Vcov::Cr2, Some(&self.children.clusters))?.coefficients(1.0 - ALPHA)?;
            Ok(Verdict::test(table.p_value[1]))
        };
        Verdict::of(tested())
    }

    /// Two stages: children on their covariates, then families on the arm and their own covariate, by size or alike.
    pub fn means(&self, first: First, by_size: bool, kind: Vcov) -> Verdict {
        let tested = || -> Result<Verdict> {
            let covariates = self.children.x.slice(s![.., 1..]);
            let values = match first {
                First::Usual => {
                    let design = DesignMatrix::new(covariates, true);
                    let found = summarise(self.y.view(), "y", Some(&design), &self.children.clusters)?;
                    found.observed.iter().zip(&found.expected).map(|(o, e)| o - e + found.mean).collect()
                }
                First::Linear => self.residual_means(&Ols::new(self.y.view(), covariates).fit()?),
            };
            let x = self.of_families(2);
            let sizes = Array1::from_iter(self.children.clusters.sizes().into_iter().map(|size| size as f64));
            let mut ols = Ols::new(values.view(), x.view());
            if by_size {
                ols = ols.weights(Weights::probability(sizes.view()));
            }
            let fit = ols.fit()?;
            arm(&fit.vcov(kind, None)?, self.truth.difference)
        };
        Verdict::of(tested())
    }

    /// The families' mean residuals from a first stage.
    fn residual_means<S: Summary>(&self, fit: &Fit<'_, S>) -> Array1<f64> {
        let (clusters, residuals) = (&self.children.clusters, &fit.summary().estimates().residuals);
        Array1::from_shape_fn(clusters.count(), |g| {
            let rows = clusters.rows(g);
            rows.iter().map(|&i| residuals[i as usize]).sum::<f64>() / rows.len() as f64
        })
    }

    /// The first columns of x, a row a family.
    fn of_families(&self, columns: usize) -> Array2<f64> {
        let clusters = &self.children.clusters;
        let rows: Vec<usize> = (0..clusters.count()).map(|g| clusters.rows(g)[0] as usize).collect();
        self.children.x.slice(s![.., ..columns]).select(Axis(0), &rows)
    }

    /// The t-test of families' means.
    pub fn arm_alone(&self) -> Verdict {
        let tested = || -> Result<Verdict> {
            let means = summarise(self.y.view(), "y", None, &self.children.clusters)?;
            let (values, x) = (Array1::from(means.observed), self.of_families(1));
            let fit = Ols::new(values.view(), x.view()).fit()?;
            arm(&fit.vcov(Vcov::Iid, None)?, self.truth.difference)
        };
        Verdict::of(tested())
    }

    pub fn gee(&self, kind: Vcov) -> Verdict {
        let fit = self
            .gee
            .get_or_init(|| Gee::new(self.y.view(), self.children.x.view(), &self.children.clusters).fit());
        with(fit, |fit| arm(&fit.vcov(kind)?, self.truth.difference))
    }

    pub fn gee_logit(&self, kind: Vcov) -> Verdict {
        let fit = self.gee_logit.get_or_init(|| {
            Gee::new(self.y.view(), self.children.x.view(), &self.children.clusters)
                .family(GeeFamily::Binomial)
                .fit()
        });
        with(fit, |fit| arm(&fit.vcov(kind)?, self.truth.log_odds))
    }

    /// Equations that take children as independent, corrected by KC.
    pub fn independent(&self, family: GeeFamily) -> Verdict {
        let tested = || -> Result<Verdict> {
            let binary = family == GeeFamily::Binomial;
            let fit = Gee::new(self.y.view(), self.children.x.view(), &self.children.clusters)
                .family(family)
                .correlation(Correlation::Independence)
                .fit()?;
            arm(&fit.vcov(Vcov::Kc)?, if binary { self.truth.log_odds } else { self.truth.difference })
        };
        Verdict::of(tested())
    }

    pub fn mixed(&self, kind: Vcov) -> Verdict {
        let fit = self.mixed.get_or_init(|| {
            let x = DesignMatrix::new(self.children.x.view(), true);
            mixed::fit(&x, self.y.view(), "y", &self.children.clusters)
        });
        with(fit, |fit| arm(&fit.vcov(kind)?, self.truth.difference))
    }

    /// The wild cluster bootstrap of least squares, of this type or of the default.
    pub fn wild(&self, kind: Option<WildType>) -> Verdict {
        with(self.ols(), |fit| self.bootstrap(&fit.vcov(Vcov::Cr1, Some(&self.children.clusters))?, kind))
    }

    /// The score bootstrap of a logit.
    pub fn score(&self) -> Verdict {
        with(self.logit_fit(), |fit| {
            self.bootstrap(&fit.vcov(Vcov::Cr1, Some(&self.children.clusters))?, None)
        })
    }

    fn bootstrap(&self, covariance: &Covariance<'_>, kind: Option<WildType>) -> Result<Verdict> {
        let draws = DRAWS[usize::from(self.children.families <= 10)];
        let mut options = WildOptions::default().draws(draws).interval(false).seed(self.seed);
        if let Some(kind) = kind {
            options = options.kind(kind);
        }
        let contrast = array![[0.0, 1.0, 0.0, 0.0]];
        let found = wild_bootstrap(covariance.fit(), contrast.view(), &[0.0], &options)?;
        Ok(Verdict::test(found.p_value))
    }

    /// The trial drawn again, with the statistic of the linear model.
    pub fn randomisation(&self) -> Verdict {
        let tested = || -> Result<Verdict> {
            let (n, units) = (self.children.n(), &self.arms.units);
            let of_family = units.rows();
            let unit: Vec<u32> = self.children.family.iter().map(|&g| of_family[g as usize]).collect();
            let outcomes = Outcomes::new("y", &self.y.to_vec(), &unit, units.len())?;
            let trial: Assignment = self.arms.assignment(self.number)?;
            let columns = Array2::from_shape_fn(
                (n, 3),
                |(row, j)| {
                    if j == 0 { 1.0 } else { self.children.x[[row, j]] }
                },
            );
            let statistic = Statistic::Model(ArmModel::linear(columns.view()));
            let options = RandomisationOptions::default().draws(REDRAWS).seed(self.seed).interval(false);
            let found =
                randomisation_test(&self.arms.design, &trial, &outcomes, statistic, &options, &NoMonitor)?;
            Ok(Verdict::test(found.comparisons[0].p_value))
        };
        Verdict::of(tested())
    }
}
