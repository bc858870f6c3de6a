//! What is asked of every simulated trial: the defaults of crewe's models, and what can stand in for them.

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

/// A model, whose default one of its procedures is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Linear,
    Logit,
    Firth,
    Probit,
    Means,
    Gee,
    GeeLogit,
    Mixed,
    WildLinear,
    WildLogit,
    Randomisation,
}

impl Model {
    pub const ALL: [Self; 11] = [
        Self::Linear,
        Self::Logit,
        Self::Firth,
        Self::Probit,
        Self::Means,
        Self::Gee,
        Self::GeeLogit,
        Self::Mixed,
        Self::WildLinear,
        Self::WildLogit,
        Self::Randomisation,
    ];

    /// As users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "`ols`",
            Self::Logit => "`logit`",
            Self::Firth => "`logit`, Firth",
            Self::Probit => "`probit`",
            Self::Means => "`cluster_level`",
            Self::Gee => "`gee`",
            Self::GeeLogit => "`gee`, binomial",
            Self::Mixed => "`mixed`",
            Self::WildLinear => "`wild_bootstrap` of `ols`",
            Self::WildLogit => "`wild_bootstrap` of `logit`",
            Self::Randomisation => "`randomisation_test`",
        }
    }

    /// Whether it takes outcomes of 0 and 1 only.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Logit | Self::Firth | Self::Probit | Self::GeeLogit | Self::WildLogit)
    }
}

/// One way to test the arm.
pub struct Procedure {
    pub name: &'static str,
    pub model: Model,
    /// Whether it is what its model gives by default.
    pub default: bool,
    /// The part of the trials that it is given, as a divisor: defaults get all of them.
    pub share: u64,
    /// The most families of the cells that it is tried in: refits without each of many families take long.
    pub most: usize,
    pub of: fn(&Trial<'_>) -> Verdict,
}

const fn default(model: Model, name: &'static str, of: fn(&Trial<'_>) -> Verdict) -> Procedure {
    Procedure { name, model, default: true, share: SHARES[0], most: 200, of }
}

const fn other(model: Model, name: &'static str, of: fn(&Trial<'_>) -> Verdict) -> Procedure {
    Procedure { name, model, default: false, share: SHARES[1], most: 200, of }
}

/// What fits the model again for each family, or along a profile: over 2 ms in every cell.
const fn dear(procedure: Procedure) -> Procedure {
    Procedure { share: SHARES[2], most: 40, ..procedure }
}

/// The parts of the trials that defaults, others, and those that take long are given.
pub const SHARES: [u64; 3] = [1, 5, 20];

/// Every procedure, the default of a model first.
pub const PROCEDURES: [Procedure; 37] = [
    default(Model::Linear, "OLS, CR2", |t| t.linear(Vcov::Cr2)),
    other(Model::Linear, "OLS, CR1", |t| t.linear(Vcov::Cr1)),
    other(Model::Linear, "OLS, CR1S", |t| t.linear(Vcov::Cr1s)),
    other(Model::Linear, "OLS, CR3", |t| t.linear(Vcov::Cr3)),
    other(Model::Linear, "OLS, jackknife", |t| t.linear(Vcov::Jackknife)),
    default(Model::Logit, "logit, CR2", |t| t.logit(Vcov::Cr2)),
    other(Model::Logit, "logit, CR1", |t| t.logit(Vcov::Cr1)),
    other(Model::Logit, "logit, CV3L", |t| t.logit(Vcov::Cv3l)),
    dear(other(Model::Logit, "logit, CV3", |t| t.logit(Vcov::Cv3))),
    other(Model::Logit, "logit margin, CR2", |t| t.margin()),
    default(Model::Firth, "Firth, CR1", |t| t.firth(Vcov::Cr1)),
    dear(other(Model::Firth, "Firth, CV3", |t| t.firth(Vcov::Cv3))),
    dear(other(Model::Firth, "Firth, profile", |t| t.profile())),
    default(Model::Probit, "probit, CR2", |t| t.probit()),
    default(Model::Means, "cluster means, t", |t| t.means(First::Usual, false, Vcov::Iid)),
    other(Model::Means, "cluster means, HC2", |t| t.means(First::Usual, false, Vcov::Hc2)),
    other(Model::Means, "cluster means by size, HC2", |t| t.means(First::Usual, true, Vcov::Hc2)),
    other(Model::Means, "cluster means, t, linear first", |t| t.means(First::Linear, false, Vcov::Iid)),
    other(Model::Means, "cluster means, arm alone", |t| t.arm_alone()),
    default(Model::Gee, "GEE, KC", |t| t.gee(Vcov::Kc)),
    other(Model::Gee, "GEE, MD", |t| t.gee(Vcov::Md)),
    other(Model::Gee, "GEE, FG", |t| t.gee(Vcov::Fg)),
    other(Model::Gee, "GEE, MBN", |t| t.gee(Vcov::Mbn)),
    other(Model::Gee, "GEE independence, KC", |t| t.independent(GeeFamily::Gaussian)),
    default(Model::GeeLogit, "logit GEE, KC", |t| t.gee_logit(Vcov::Kc)),
    other(Model::GeeLogit, "logit GEE, MD", |t| t.gee_logit(Vcov::Md)),
    other(Model::GeeLogit, "logit GEE, FG", |t| t.gee_logit(Vcov::Fg)),
    other(Model::GeeLogit, "logit GEE, MBN", |t| t.gee_logit(Vcov::Mbn)),
    other(Model::GeeLogit, "logit GEE independence, KC", |t| t.independent(GeeFamily::Binomial)),
    default(Model::Mixed, "mixed, Kenward-Roger", |t| t.mixed(Vcov::KenwardRoger)),
    other(Model::Mixed, "mixed, Satterthwaite", |t| t.mixed(Vcov::Satterthwaite)),
    other(Model::Mixed, "mixed, CR2", |t| t.mixed(Vcov::Cr2)),
    default(Model::WildLinear, "wild bootstrap, default", |t| t.wild(None)),
    other(Model::WildLinear, "wild bootstrap, 11", |t| t.wild(Some(WildType::C11))),
    other(Model::WildLinear, "wild bootstrap, 33", |t| t.wild(Some(WildType::B33))),
    default(Model::WildLogit, "score bootstrap, default", |t| t.score()),
    Procedure {
        share: SHARES[1],
        ..default(Model::Randomisation, "randomisation test", |t| t.randomisation())
    },
];

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
enum First {
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

    fn linear(&self, kind: Vcov) -> Verdict {
        with(self.ols(), |fit| arm(&fit.vcov(kind, Some(&self.children.clusters))?, self.truth.difference))
    }

    fn logit_fit(&self) -> &Result<GlmFit<'a>> {
        self.logit.get_or_init(|| Logit::new(self.y.view(), self.children.x.view()).fit())
    }

    fn logit(&self, kind: Vcov) -> Verdict {
        with(self.logit_fit(), |fit| {
            arm(&fit.vcov(kind, Some(&self.children.clusters))?, self.truth.log_odds)
        })
    }

    /// The difference in probability averaged over the children.
    fn margin(&self) -> Verdict {
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

    fn firth(&self, kind: Vcov) -> Verdict {
        with(self.firth_fit(), |fit| {
            arm(&fit.vcov(kind, Some(&self.children.clusters))?, self.truth.log_odds)
        })
    }

    fn profile(&self) -> Verdict {
        with(self.firth_fit(), |fit| Ok(of_table(&fit.profile(1.0 - ALPHA)?, 1, self.truth.log_odds)))
    }

    fn probit(&self) -> Verdict {
        let tested = || -> Result<Verdict> {
            let fit = Glm::new("probit".parse::<Family>()?, self.y.view(), self.children.x.view()).fit()?;
            let table = fit.vcov(Vcov::Cr2, Some(&self.children.clusters))?.coefficients(1.0 - ALPHA)?;
            Ok(Verdict::test(table.p_value[1]))
        };
        Verdict::of(tested())
    }

    /// Two stages: children on their covariates, then families on the arm and their own covariate, by size or alike.
    fn means(&self, first: First, by_size: bool, kind: Vcov) -> Verdict {
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
    fn arm_alone(&self) -> Verdict {
        let tested = || -> Result<Verdict> {
            let means = summarise(self.y.view(), "y", None, &self.children.clusters)?;
            let (values, x) = (Array1::from(means.observed), self.of_families(1));
            let fit = Ols::new(values.view(), x.view()).fit()?;
            arm(&fit.vcov(Vcov::Iid, None)?, self.truth.difference)
        };
        Verdict::of(tested())
    }

    fn gee(&self, kind: Vcov) -> Verdict {
        let fit = self
            .gee
            .get_or_init(|| Gee::new(self.y.view(), self.children.x.view(), &self.children.clusters).fit());
        with(fit, |fit| arm(&fit.vcov(kind)?, self.truth.difference))
    }

    fn gee_logit(&self, kind: Vcov) -> Verdict {
        let fit = self.gee_logit.get_or_init(|| {
            Gee::new(self.y.view(), self.children.x.view(), &self.children.clusters)
                .family(GeeFamily::Binomial)
                .fit()
        });
        with(fit, |fit| arm(&fit.vcov(kind)?, self.truth.log_odds))
    }

    /// Equations that take children as independent, corrected by KC.
    fn independent(&self, family: GeeFamily) -> Verdict {
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

    fn mixed(&self, kind: Vcov) -> Verdict {
        let fit = self.mixed.get_or_init(|| {
            let x = DesignMatrix::new(self.children.x.view(), true);
            mixed::fit(&x, self.y.view(), "y", &self.children.clusters)
        });
        with(fit, |fit| arm(&fit.vcov(kind)?, self.truth.difference))
    }

    /// The wild cluster bootstrap of least squares, of this type or of the default.
    fn wild(&self, kind: Option<WildType>) -> Verdict {
        with(self.ols(), |fit| self.bootstrap(&fit.vcov(Vcov::Cr1, Some(&self.children.clusters))?, kind))
    }

    /// The score bootstrap of a logit.
    fn score(&self) -> Verdict {
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
    fn randomisation(&self) -> Verdict {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_one_default_and_it_comes_first() {
        for model in Model::ALL {
            let own: Vec<bool> = PROCEDURES.iter().filter(|p| p.model == model).map(|p| p.default).collect();
            assert_eq!(own.iter().filter(|default| **default).count(), 1, "{model:?}");
            assert!(own[0], "{model:?}");
        }
        let mut names: Vec<&str> = PROCEDURES.iter().map(|p| p.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROCEDURES.len());
    }
}
