//! What a model says of the arm where it has to be fitted to rows: columns that differ within units, variances that look at
//! rows, and models that are not linear.

use ndarray::{Array1, Array2};

use super::analysis::{Analysis, Target};
use super::by_unit::{Answer, Coefficient};
use super::members::Sorted;
use super::model::{Model, RatesPlan};
use crate::design::LEFT_OUT;
use crate::inference::{Clusters, Compare, Covariance, Setting, Vcov};
use crate::regression::{Logit, Ols};
use crate::survival::{Cox, Surv, logrank};
use crate::{Fault, Result};

/// What a replicate has drawn.
pub(super) struct Seen<'a> {
    /// By unit.
    pub arm: &'a [u8],
    /// By row: the outcome, or the time where the model is of these.
    pub y: &'a [f64],
    /// By row, whether the event came.
    pub event: &'a [f64],
    /// The columns of the model.
    pub covariates: &'a Array2<f64>,
    /// By row, whether it is in the subgroup; empty where there is none.
    pub inside: &'a [f64],
}

/// The rows of units that were not left out, with an outcome.
struct Kept {
    /// The columns of the model and, last, the arms that are compared with the reference.
    x: Array2<f64>,
    y: Array1<f64>,
    event: Vec<f64>,
    clusters: Clusters,
    /// How many columns stand before the arms.
    beside: usize,
}

impl Kept {
    /// The rows of the reference and of these arms.
    fn new(rows: &Sorted, seen: &Seen<'_>, target: Target, of: (u8, &[u8])) -> Result<Self> {
        let (reference, compared) = of;
        let Seen { arm, y, event, covariates, inside } = seen;
        let there = |row: &usize| {
            let arm = arm[rows.unit[*row] as usize];
            let known = arm != LEFT_OUT && !y[*row].is_nan() && (arm == reference || compared.contains(&arm));
            known && (target != Target::Subgroup || inside[*row] > 0.0)
        };
        let kept: Vec<usize> = (0..y.len()).filter(there).collect();
        let product = target == Target::Interaction;
        // Beside the products stand the arms and the subgroup.
        let columns = covariates.ncols();
        let beside = columns + if product { 1 + compared.len() } else { 0 };
        let mut x = Array2::zeros((kept.len(), beside + compared.len()));
        for (place, &row) in kept.iter().enumerate() {
            for (j, &value) in covariates.row(row).iter().enumerate() {
                x[(place, j)] = value;
            }
            for (j, &one) in compared.iter().enumerate() {
                let treated = f64::from(u8::from(arm[rows.unit[row] as usize] == one));
                if product {
                    x[(place, columns)] = inside[row];
                    x[(place, columns + 1 + j)] = treated;
                    x[(place, beside + j)] = treated * inside[row];
                } else {
                    x[(place, beside + j)] = treated;
                }
            }
        }
        let codes: Vec<u32> = kept
            .iter()
            .map(|&row| rows.clusters.as_ref().map_or(rows.unit[row], |clusters| clusters[row]))
            .collect();
        Ok(Self {
            x,
            y: kept.iter().map(|&row| y[row]).collect(),
            event: kept.iter().map(|&row| event[row]).collect(),
            clusters: Clusters::new(&codes)?,
            beside,
        })
    }

    fn clusters(&self, kind: Vcov) -> Option<&Clusters> {
        kind.is_clustered().then_some(&self.clusters)
    }

    /// The places of the arms among the columns.
    fn arms(&self) -> std::ops::Range<usize> {
        self.beside..self.x.ncols()
    }

    fn linear(&self, kind: Vcov) -> Result<Answers> {
        let fit = Ols::new(self.y.view(), self.x.view()).fit()?;
        let covariance = fit.vcov(kind, self.clusters(kind))?;
        self.arms().map(|place| coefficient(fit.coef(), &covariance, place + 1)).collect()
    }

    fn logit(&self, kind: Vcov) -> Result<Answers> {
        let fit = Logit::new(self.y.view(), self.x.view()).fit()?;
        self.levels(&fit.vcov(kind, self.clusters(kind))?, Compare::Difference)
    }

    /// Two rates in a linear model of the arms alone.
    fn rates(&self, kind: Vcov, plan: RatesPlan) -> Result<Answers> {
        if let Some(&y) = self.y.iter().find(|&&y| y != 0.0 && y != 1.0) {
            return Err(Fault::new("rates are those of an outcome that is 0 or 1")
                .column("outcome")
                .values([y.to_string()])
                .remedy("Let the function return 0 or 1, NaN where an outcome is lost")
                .input());
        }
        if plan.compare == Compare::Difference {
            return self.linear(kind);
        }
        let fit = Ols::new(self.y.view(), self.x.view()).fit()?;
        self.levels(&fit.vcov(kind, self.clusters(kind))?, plan.compare)
    }

    /// The mean outcome under each arm beside that under the reference.
    fn levels(&self, covariance: &Covariance<'_>, compare: Compare) -> Result<Answers> {
        let with = |arm: Option<usize>| {
            let mut x = self.x.clone();
            for place in self.arms() {
                x.column_mut(place).fill(f64::from(u8::from(arm == Some(place))));
            }
            x
        };
        let each: Vec<Array2<f64>> = self.arms().map(|place| with(Some(place))).chain([with(None)]).collect();
        let settings: Vec<Setting<'_>> = each.iter().map(|x| Setting::new(x.view())).collect();
        let pairs: Vec<[usize; 2]> = (0..settings.len() - 1).map(|arm| [arm, settings.len() - 1]).collect();
        let found = covariance.margins(&settings, &pairs, compare, 0.95)?.comparisons;
        Ok((0..pairs.len()).map(|i| known(found.estimate[i], found.std_error[i], found.df[i])).collect())
    }

    fn cox(&self, kind: Vcov) -> Result<Answers> {
        let time = self.y.as_slice().unwrap_or(&[]);
        let fit = Cox::new(Surv::new(time, &self.event), self.x.view()).fit()?;
        let covariance = fit.vcov(kind, self.clusters(kind))?;
        self.arms().map(|place| coefficient(&fit.coef, &covariance, place)).collect()
    }

    /// One step from no effect, `(O - E) / V`, of one arm; its error is that under which the test is the log-rank test.
    fn log_rank(&self, kind: Vcov) -> Result<Option<Answer>> {
        let time = self.y.as_slice().unwrap_or(&[]);
        let surv = Surv::new(time, &self.event);
        let arm: Vec<u32> = self.x.column(self.beside).iter().map(|&arm| arm as u32).collect();
        let strata = self.strata();
        let test = logrank(&surv, &arm, &["control", "treated"], Some(&strata))?;
        let variance = test.variance[(1, 1)];
        let estimate = (test.observed[1] - test.expected[1]) / variance;
        let std_error = match self.clusters(kind) {
            None => 1.0 / variance.sqrt(),
            Some(clusters) => {
                let alone = self.x.column(self.beside).insert_axis(ndarray::Axis(1));
                let fit = Cox::new(surv, alone).strata(Some(&strata)).fit()?;
                estimate.abs() / fit.robust_score(clusters)?.statistic.sqrt()
            }
        };
        Ok(known(estimate, std_error, f64::INFINITY))
    }

    /// Codes of the distinct rows of the columns beside the arm.
    fn strata(&self) -> Vec<u32> {
        let beside = |row: usize| self.x.row(row).into_iter().take(self.beside).map(|x| x.to_bits());
        let mut places: Vec<usize> = (0..self.y.len()).collect();
        places.sort_by(|&a, &b| beside(a).cmp(beside(b)));
        let mut codes = vec![0; self.y.len()];
        for pair in places.windows(2) {
            codes[pair[1]] = codes[pair[0]] + u32::from(!beside(pair[0]).eq(beside(pair[1])));
        }
        codes
    }
}

/// What is said of each arm that is compared with the reference.
type Answers = Vec<Option<Answer>>;

/// Fits the model of the columns and, last, the arms to the rows of units that were not left out; `analysis` comes with the
/// number of arms.
pub(super) fn fit(rows: &Sorted, seen: &Seen<'_>, analysis: (Analysis, usize)) -> Result<Answers> {
    let (analysis, arms) = analysis;
    let compared: Vec<u8> = analysis.compared(arms).collect();
    let kept = |compared: &[u8]| Kept::new(rows, seen, analysis.target, (analysis.reference, compared));
    match analysis.model {
        Model::Linear => kept(&compared)?.linear(analysis.vcov),
        Model::Logit => kept(&compared)?.logit(analysis.vcov),
        Model::Cox => kept(&compared)?.cox(analysis.vcov),
        // A test of two arms, each with the reference.
        Model::LogRank => compared.iter().map(|&one| kept(&[one])?.log_rank(analysis.vcov)).collect(),
        Model::Rates(plan) => kept(&compared)?.rates(analysis.vcov, plan),
        // These are tests of their own.
        Model::RandomisationTest(_) | Model::MannWhitney(_) | Model::Given => Ok(Vec::new()),
    }
}

/// One of the coefficients with its error.
fn coefficient(coef: &[f64], covariance: &Covariance<'_>, place: usize) -> Result<Option<Answer>> {
    let variance = covariance.matrix()[(place, place)];
    Ok(known(coef[place], variance.sqrt(), covariance.df()?[place]))
}

/// An answer, where there is one.
fn known(estimate: f64, std_error: f64, df: f64) -> Option<Answer> {
    (estimate.is_finite() && std_error > 0.0 && std_error.is_finite() && !df.is_nan())
        .then(|| Coefficient { estimate, std_error, df }.into())
}

/// The fault of an analysis that needs rows in a trial without any.
pub(super) fn needs_rows(analysis: Analysis) -> crate::Error {
    let Analysis { model, vcov, .. } = analysis;
    let name = model.name();
    let said = if model.is_test() || !model.takes_columns() {
        format!("the analysis {name}")
    } else {
        format!("a {name} model with {vcov}")
    };
    Fault::new(format!("{said} looks at rows, and a distribution of sizes has none"))
        .values([vcov.name()])
        .remedy("Use a linear model with CR0, CR1, CR1S, CR2 or CR3, or give a frame with a row a member, or a list of sizes")
        .input()
}
