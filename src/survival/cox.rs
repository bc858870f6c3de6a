//! Cox's proportional hazards model, `h(t | x) = h0(t) exp(x'b)`, with a baseline for every stratum.
//!
//! The partial likelihood (`likelihood.rs`) is maximised by Newton's method. Covariances follow from the contract of
//! [`crate::inference`] (`cox_clusters.rs`). Tests refer to the normal. D. R. Cox (1972),
//! doi:10.1111/j.2517-6161.1972.tb00899.x.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use super::cox_clusters::CoxClusters;
use super::data::{Surv, Timeline};
use super::likelihood::{Point, Prepared, Ties, evaluate};
use super::monotone::{cleaned, is_monotone, monotone_column, never_differs};
use super::residuals;
use crate::inference::{Bread, Clusters, Covariance, DfRule, Sandwich, Vcov, covariance};
use crate::linalg::factor::factor;
use crate::progress::{Monitor, go_on, watcher};
use crate::regression::estimates::new_id;
use crate::ties::varies;
use crate::{Error, Fault, Result, dist};

/// Newton steps before giving up.
const STEPS: usize = 60;
/// The squared length of a step, in standard errors, below which it is the last.
const LAST: f64 = 1e-18;

/// A Cox model to be fitted.
#[derive(Debug, Clone)]
pub struct Cox<'a> {
    surv: Surv<'a>,
    x: ArrayView2<'a, f64>,
    names: Vec<String>,
    ties: Ties,
    strata: Option<&'a [u32]>,
}

/// A test of all coefficients at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Test {
    /// Chi-squared.
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// Upper tail.
    pub p_value: f64,
}

impl Test {
    pub(crate) fn new(statistic: f64, df: f64) -> Self {
        Self { statistic, df, p_value: dist::chi2_sf(statistic, df) }
    }
}

/// A fitted Cox model; p coefficients, n rows.
///
/// ```
/// use crewe::inference::{Compare, Vcov};
/// use crewe::survival::{Cox, Surv};
/// use ndarray::{Array2, array};
/// let surv = Surv::new(&[4., 3., 1., 1., 2., 2., 3.], &[1., 1., 1., 0., 1., 1., 0.]);
/// let x = array![[0.], [2.], [1.], [1.], [1.], [0.], [0.]];
/// let fit = Cox::new(surv, x.view()).fit()?;
/// let model = fit.vcov(Vcov::Iid, None)?;
/// // The risk of the event by time 2 if everybody had 0, and 1.
/// let (none, all) = (Array2::zeros((7, 1)), Array2::ones((7, 1)));
/// let risks = fit.adjusted_risks(&model, &[none.view(), all.view()], 2.0, &[[1, 0]], Compare::Ratio, 0.95)?;
/// assert!(risks.levels.estimate[1] > risks.levels.estimate[0]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CoxFit {
    /// The names of the terms, length p.
    pub names: Vec<String>,
    /// Log hazard ratios, length p.
    pub coef: Vec<f64>,
    /// The factor of the inverse information.
    #[serde(skip)]
    pub bread: Bread,
    /// Log partial likelihood at coefficients of 0.
    pub loglik_null: f64,
    /// Log partial likelihood at its maximum.
    pub loglik: f64,
    /// Likelihood ratio test.
    pub likelihood_ratio: Test,
    /// Score (log-rank) test.
    pub score: Test,
    /// The mean of each column over the rows, at which `baseline` is centred on request; length p.
    pub means: Vec<f64>,
    /// Rows.
    pub n: usize,
    /// Rows with an event.
    pub events: usize,
    /// Strata.
    pub strata: usize,
    /// How ties were treated.
    pub ties: Ties,
    /// Newton steps taken.
    pub iterations: usize,
    #[serde(skip)]
    pub(crate) data: Prepared,
    /// The coefficients of the standardised columns.
    #[serde(skip)]
    pub(crate) beta: Vec<f64>,
    #[serde(skip)]
    pub(crate) id: u64,
}

impl<'a> Cox<'a> {
    /// A model of `surv` on the columns of `x` (n x p, no intercept: the baseline hazard plays its part).
    pub fn new(surv: Surv<'a>, x: ArrayView2<'a, f64>) -> Self {
        let names = (1..=x.ncols()).map(|j| format!("x{j}")).collect();
        Self { surv, x, names, ties: Ties::Efron, strata: None }
    }

    /// Names the columns.
    #[must_use]
    pub fn named<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// How ties are treated; Efron by default.
    #[must_use]
    pub fn ties(mut self, ties: Ties) -> Self {
        self.ties = ties;
        self
    }

    /// A baseline hazard for every stratum (codes 0, 1, ..., one a row).
    #[must_use]
    pub fn strata(mut self, codes: Option<&'a [u32]>) -> Self {
        self.strata = codes;
        self
    }

    /// Maximises the partial likelihood.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for times, events or columns that cannot be; [`crate::Error::Rank`] for columns that
    /// repeat others; [`crate::Error::Separation`] where a coefficient has no finite value (monotone likelihood);
    /// [`crate::Error::Convergence`] if Newton's method fails otherwise.
    ///
    /// ```
    /// use crewe::survival::{Cox, Surv};
    /// use ndarray::array;
    /// let surv = Surv::new(&[4., 3., 1., 1., 2., 2., 3.], &[1., 1., 1., 0., 1., 1., 0.]);
    /// let x = array![[0.], [2.], [1.], [1.], [1.], [0.], [0.]];
    /// let fit = Cox::new(surv, x.view()).fit()?;
    /// assert!((fit.coef[0] - 0.460_777_654).abs() < 1e-9);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn fit(&self) -> Result<CoxFit> {
        let monitor = &watcher();
        self.check()?;
        let timeline = Timeline::new(&self.surv, self.strata)?;
        let (n, p) = self.x.dim();
        go_on(monitor)?;
        let data = Prepared::new(&self.surv, self.x, timeline);
        go_on(monitor)?;
        self.refuse_constants(&data)?;
        self.refuse_never_compared(&data)?;
        if let Some((j, sign)) = monotone_column(&data) {
            return Err(self.separated(&data, &unit(p, j, sign)));
        }
        let null = evaluate(&data, &vec![0.0; p], self.ties, monitor)?;
        self.refuse_collinear(&null)?;
        let maximum = self.maximise(&data, vec![0.0; p], null.clone(), monitor)?;
        let gram: Vec<Vec<f64>> = maximum.point.information.chunks_exact(p).map(<[f64]>::to_vec).collect();
        let mut whitening = factor(&gram, 0.0).map_err(|_| self.stuck(&maximum.beta))?.inverse;
        for (row, scale) in whitening.iter_mut().zip(&data.scale) {
            row.iter_mut().for_each(|value| *value /= scale);
        }
        let coef: Vec<f64> = maximum.beta.iter().zip(&data.scale).map(|(b, s)| b / s).collect();
        Ok(CoxFit {
            names: self.names.clone(),
            bread: Bread::new(false, &whitening, vec![0.0; p], vec![0.0; p], coef.clone(), 1.0),
            coef,
            loglik_null: null.loglik,
            loglik: maximum.point.loglik,
            likelihood_ratio: Test::new(2.0 * (maximum.point.loglik - null.loglik), p as f64),
            score: Test::new(
                solve(&null.information, &null.score).map_or(f64::NAN, |step| dotted(&step, &null.score)),
                p as f64,
            ),
            means: data.center.clone(),
            n,
            events: data.timeline.events(),
            strata: data.timeline.strata.iter().filter(|range| !range.is_empty()).count(),
            ties: self.ties,
            iterations: maximum.iterations,
            beta: maximum.beta,
            data,
            id: new_id(),
        })
    }

    fn check(&self) -> Result<()> {
        let (n, p) = self.x.dim();
        if n != self.surv.n() || self.names.len() != p {
            return Err(Fault::new(format!(
                "X has {n} rows and {p} columns for {} times and {} names",
                self.surv.n(),
                self.names.len()
            ))
            .remedy("Give one row of X for each time and one name for each column")
            .input());
        }
        if p == 0 {
            return Err(Fault::new("the model has no covariates")
                .remedy("Add the arm on the right-hand side, or use kaplan_meier")
                .input());
        }
        for (j, column) in self.x.columns().into_iter().enumerate() {
            // A sum is finite unless a value is not, or it overflows: then look closer.
            if !column.sum().is_finite() {
                let rows: Vec<usize> =
                    column.iter().enumerate().filter(|(_, v)| !v.is_finite()).map(|(i, _)| i).collect();
                return Err(Fault::new(format!("{} of {n} values are missing or infinite", rows.len()))
                    .column(&self.names[j])
                    .values(rows.iter().map(|&i| column[i].to_string()))
                    .rows(rows)
                    .remedy("Drop or repair these rows")
                    .input());
            }
        }
        Ok(())
    }

    fn refuse_constants(&self, data: &Prepared) -> Result<()> {
        let Some(j) = (0..data.p).find(|&j| {
            // A column that varies by rounding at most has a scale of nothing beside its centre, which is soon asked.
            let nothing = data.scale[j] <= 1e-9 * data.center[j].abs();
            nothing && !varies(&self.x.column(j).to_vec())
        }) else {
            return Ok(());
        };
        Err(Fault::new(format!("'{}' has the same value in every row", self.names[j]))
            .column(&self.names[j])
            .remedy("Leave it out: a Cox model has no intercept, and there is nothing to compare")
            .rank())
    }

    /// A column that is the same for all who are at risk together is never compared.
    fn refuse_never_compared(&self, data: &Prepared) -> Result<()> {
        let Some(j) = never_differs(data) else { return Ok(()) };
        let name = &self.names[j];
        Err(Fault::new(format!("'{name}' does not differ among the rows at risk at any time of an event"))
            .column(name)
            .remedy("Leave it out of the model, or the strata within which it is the same for all")
            .rank())
    }

    fn refuse_collinear(&self, null: &Point) -> Result<()> {
        let p = self.names.len();
        let gram: Vec<Vec<f64>> = (0..p).map(|a| null.information[a * p..(a + 1) * p].to_vec()).collect();
        // The tolerance of R's coxph on squares: eps^(3/4).
        let Err(lost) = factor(&gram, f64::EPSILON.powf(0.375)) else { return Ok(()) };
        let name = &self.names[lost[0].column];
        let with: Vec<&String> = lost[0].with.iter().map(|&j| &self.names[j]).collect();
        let fault = if with.is_empty() {
            Fault::new(format!("'{name}' hardly differs among the rows at risk at any time of an event"))
        } else {
            let others = with.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
            Fault::new(format!("'{name}' repeats what {others} already say"))
        };
        Err(fault
            .column(name)
            .values(with)
            .remedy("Leave one of these columns out of the model, or out of the strata")
            .rank())
    }

    fn maximise(
        &self,
        data: &Prepared,
        mut beta: Vec<f64>,
        mut point: Point,
        monitor: &dyn Monitor,
    ) -> Result<Maximum> {
        // In the units of a mean weight of 1: what is the last step does not depend on their scale.
        let unit = data.weights.as_ref().map_or(1.0, |w| w.iter().sum::<f64>() / w.len() as f64);
        for iterations in 1..=STEPS {
            let Some(mut step) = solve(&point.information, &point.score) else {
                return Err(self.run_away(data, &beta, 1e-3).unwrap_or_else(|| self.stuck(&beta)));
            };
            let decrement = dotted(&step, &point.score);
            if decrement <= LAST * unit {
                for (b, s) in beta.iter_mut().zip(&step) {
                    *b += s;
                }
                // What the last step adds, without another pass.
                point.loglik += 0.5 * decrement.max(0.0);
                return Ok(Maximum { beta, point, iterations });
            }
            if iterations > 5 {
                let tolerance = if iterations > 12 { 1e-3 } else { 1e-6 };
                if let Some(error) = self.run_away(data, &step, tolerance) {
                    return Err(error);
                }
            }
            let mut halvings = 0;
            let (next, reached) = loop {
                let next: Vec<f64> = beta.iter().zip(&step).map(|(b, s)| b + s).collect();
                let reached = evaluate(data, &next, self.ties, monitor)?;
                if reached.loglik >= point.loglik - 1e-10 * point.loglik.abs() || halvings == 30 {
                    break (next, reached);
                }
                halvings += 1;
                for s in &mut step {
                    *s *= 0.5;
                }
            };
            if !reached.loglik.is_finite() {
                return Err(self.stuck(&beta));
            }
            // At the limits of precision the gradient cannot fall further.
            let settled = dotted(&step, &step).sqrt() <= 1e-13 * (1.0 + dotted(&next, &next).sqrt());
            (beta, point) = (next, reached);
            if settled {
                return Ok(Maximum { beta, point, iterations });
            }
        }
        Err(self.run_away(data, &beta, 1e-3).unwrap_or_else(|| self.stuck(&beta)))
    }

    /// The error for a direction in which the likelihood never falls, if `step` points in one.
    fn run_away(&self, data: &Prepared, step: &[f64], tolerance: f64) -> Option<crate::Error> {
        let direction = cleaned(step);
        // Of a single column there is no need for a tolerance, which would hide all rows behind one that is far away.
        if direction.iter().filter(|value| **value != 0.0).count() == 1 {
            let (j, sign) = monotone_column(data)?;
            return Some(self.separated(data, &unit(data.p, j, sign)));
        }
        is_monotone(data, &direction, tolerance).then(|| self.separated(data, &direction))
    }

    fn separated(&self, data: &Prepared, direction: &[f64]) -> crate::Error {
        let mut at: Vec<usize> = (0..direction.len()).filter(|&j| direction[j] != 0.0).collect();
        at.sort_by(|&a, &b| direction[b].abs().total_cmp(&direction[a].abs()));
        let name = &self.names[at[0]];
        let column = self.x.column(at[0]);
        let (low, high) =
            column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        let two_valued = column.iter().all(|&v| v == low || v == high);
        let runs = if direction[at[0]] > 0.0 { "infinity" } else { "0" };
        let problem = if at.len() == 1 && two_valued {
            let empty = if direction[at[0]] > 0.0 { low } else { high };
            let events = data
                .timeline
                .order
                .iter()
                .any(|&row| column[row as usize] == empty && self.surv.event[row as usize] == 1.0);
            match events {
                true => format!("'{name}' orders the events perfectly, so its hazard ratio runs to {runs}"),
                // An indicator's 0 and 1 are no data; other values may be somebody's.
                false if (low, high) == (0.0, 1.0) => {
                    format!("no row with '{name}' = {empty} has an event, so its hazard ratio runs to {runs}")
                }
                false => format!(
                    "no row with the {} value of '{name}' has an event, so its hazard ratio runs to {runs}",
                    if empty == low { "lower" } else { "higher" }
                ),
            }
        } else if at.len() == 1 {
            format!("'{name}' orders the events perfectly, so its hazard ratio runs to {runs}")
        } else {
            let all = at.iter().map(|&j| format!("'{}'", self.names[j])).collect::<Vec<_>>().join(", ");
            format!(
                "a combination of {all} orders the events perfectly, so their hazard ratios run to 0 or infinity"
            )
        };
        Fault::new(problem)
            .column(name)
            .values(at.iter().map(|&j| self.names[j].clone()))
            .remedy(
                "Leave it out or merge categories; arms can still be compared by Kaplan-Meier and the log-rank test",
            )
            .separation()
    }

    fn stuck(&self, beta: &[f64]) -> crate::Error {
        let largest = (0..beta.len()).max_by(|&a, &b| beta[a].abs().total_cmp(&beta[b].abs())).unwrap_or(0);
        Fault::new("Newton's method did not reach the maximum of the partial likelihood")
            .column(&self.names[largest])
            .remedy("Look at the distribution of this column: outliers or nearly collinear columns are the usual cause")
            .convergence()
    }
}

struct Maximum {
    beta: Vec<f64>,
    point: Point,
    iterations: usize,
}

impl CoxFit {
    /// The covariance of the coefficients: `iid`, `HC0` or, with the clusters of the rows, `CR0` (Lin and Wei, as R's
    /// survival), `CR1` or the jackknife; see [`Vcov`].
    ///
    /// # Errors
    /// As [`covariance()`]; [`Error::Input`] for a kind that Cox models do not have and for clusters of another number of
    /// rows; for the jackknife as [`Cox::fit`] without one of the clusters.
    ///
    /// ```
    /// use crewe::inference::{Clusters, Vcov};
    /// use crewe::survival::{Cox, Surv};
    /// use ndarray::array;
    /// let surv = Surv::new(&[4., 3., 1., 1., 2., 2., 3.], &[1., 1., 1., 0., 1., 1., 0.]);
    /// let x = array![[0.], [2.], [1.], [1.], [1.], [0.], [0.]];
    /// let fit = Cox::new(surv, x.view()).fit()?;
    /// let families = Clusters::new(&[0, 0, 1, 1, 2, 2, 3])?;
    /// let robust = fit.vcov(Vcov::Cr0, Some(&families))?;
    /// assert!(robust.coefficients(0.95)?.df[0].is_infinite());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn vcov(&self, kind: Vcov, clusters: Option<&Clusters>) -> Result<Covariance<'_>> {
        let clusters = clusters.filter(|_| kind.is_clustered());
        let rows = Arc::new(CoxClusters::new(self, clusters)?);
        Ok(covariance(rows, kind, DfRule::Default)?.belongs_to(self.id, clusters.cloned()))
    }

    /// A covariance again from its numbers.
    ///
    /// # Errors
    /// [`Error::Input`] where the numbers are those of another fit.
    pub fn attach(&self, sandwich: &Arc<Sandwich>) -> Result<Covariance<'_>> {
        if sandwich.fit != self.id {
            return Err(other_fit());
        }
        let rows = Arc::new(CoxClusters::new(self, sandwich.clusters.as_ref())?);
        Ok(Covariance::resume(rows, Arc::clone(sandwich)))
    }

    /// The Wald test of all coefficients under a covariance of this fit; not a number where the clusters do not say
    /// enough, see [`CoxFit::joint_tests`].
    ///
    /// # Errors
    /// [`Error::Input`] for a covariance of another fit.
    pub fn wald(&self, covariance: &Covariance<'_>) -> Result<Test> {
        if covariance.owner() != self.id {
            return Err(other_fit());
        }
        let p = self.coef.len();
        let none = Test { statistic: f64::NAN, df: p as f64, p_value: f64::NAN };
        if covariance.kind().is_clustered() && !self.joint_tests(covariance.membership())? {
            return Ok(none);
        }
        Ok(match covariance.wald(Array2::eye(p).view()) {
            Ok(found) => Test { statistic: found.statistic * p as f64, df: p as f64, p_value: found.p_value },
            Err(Error::Rank(_)) => none,
            Err(error) => return Err(error),
        })
    }

    /// Whether more clusters have a score than there are coefficients, so that joint tests with clusters say anything.
    ///
    /// # Errors
    /// [`Error::Input`] for clusters of another number of rows.
    pub fn joint_tests(&self, clusters: Option<&Clusters>) -> Result<bool> {
        Ok(CoxClusters::new(self, clusters)?.informative() > self.coef.len())
    }

    /// The score test that takes account of clusters; not a number where they do not say enough.
    ///
    /// # Errors
    /// [`Error::Input`] for clusters of another number of rows.
    pub fn robust_score(&self, clusters: &Clusters) -> Result<Test> {
        let p = self.coef.len();
        let clusters = clusters.checked(self.n)?;
        let scores = residuals::cluster_scores(&self.data, &vec![0.0; p], self.ties, clusters, &watcher())?;
        let statistic = if self.joint_tests(Some(clusters))? {
            let total = DVector::from_vec(scores.sum_axis(ndarray::Axis(0)).to_vec());
            let product = scores.t().dot(&scores);
            let meat = DMatrix::from_fn(p, p, |a, b| product[(a, b)]);
            crate::inference::wald::quadratic(&meat, &total).unwrap_or(f64::NAN)
        } else {
            f64::NAN
        };
        Ok(Test::new(statistic, p as f64))
    }

    /// The coefficients without some of the rows, by Newton's method from the estimate.
    ///
    /// # Errors
    /// As [`Cox::fit`].
    pub(crate) fn without(&self, left_out: &dyn Fn(usize) -> bool) -> Result<Vec<f64>> {
        let data = self.data.without(left_out);
        if data.timeline.events() == 0 {
            return Err(Fault::new("without one of the clusters no row has an event")
                .remedy("Take CR0, CR1 or CR3")
                .input());
        }
        // Only the names, the ties and the columns of this model are asked for, to say what went wrong.
        let columns = data.columns();
        let (time, event) = data.outcome();
        let model = Cox::new(Surv::new(&time, &event), columns.view())
            .named(self.names.iter().cloned())
            .ties(self.ties);
        model.refuse_never_compared(&data)?;
        let beta: Vec<f64> = self.coef.iter().zip(&data.scale).map(|(b, s)| b * s).collect();
        let monitor = &watcher();
        let start = evaluate(&data, &beta, self.ties, monitor)?;
        let maximum = model.maximise(&data, beta, start, monitor)?;
        Ok(maximum.beta.iter().zip(&data.scale).map(|(b, s)| b / s).collect())
    }

    /// Score residuals of the likelihood that was maximised, n x p in the order of the data; with `naive_cov` as the
    /// bread they make every sandwich.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when whoever watches stops the work.
    pub fn score_residuals(&self) -> Result<Array2<f64>> {
        let mut scores = residuals::score_residuals(&self.data, &self.beta, self.ties, &watcher())?;
        for mut row in scores.outer_iter_mut() {
            for (value, s) in row.iter_mut().zip(&self.data.scale) {
                *value *= s;
            }
        }
        Ok(scores)
    }

    /// Martingale residuals, events less expected events, length n in the order of the data.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when whoever watches stops the work.
    pub fn martingale_residuals(&self) -> Result<Vec<f64>> {
        residuals::martingale_residuals(&self.data, &self.beta, self.ties, &watcher())
    }
}

/// The error of a covariance that was made from another fit.
pub(super) fn other_fit() -> Error {
    Fault::new("the covariance is that of another fit")
        .remedy("Ask the fit itself for its covariance")
        .input()
}

fn solve(matrix: &[f64], right: &[f64]) -> Option<Vec<f64>> {
    let p = right.len();
    let root = DMatrix::from_row_slice(p, p, matrix).cholesky()?;
    Some(root.solve(&DVector::from_column_slice(right)).as_slice().to_vec())
}

fn dotted(a: &[f64], b: &[f64]) -> f64 {
    super::likelihood::dot(a, b)
}

fn unit(p: usize, j: usize, value: f64) -> Vec<f64> {
    let mut out = vec![0.0; p];
    out[j] = value;
    out
}
