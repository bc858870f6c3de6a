//! Regression of a yes-or-no outcome by maximum likelihood: logit, and the other families of [`super::family`].
//!
//! `P(y = 1) = mu(x'b)`. With v = mu (1 - mu) the score is `X'(y - mu) mu' / v`; the iteration takes Newton steps with the
//! observed information, and inference the expected one, `X' diag(mu'^2 / v) X`, as R's `glm` has it (for the logit they
//! are the same). The first step of a logit from b = 0 is four times the linear regression of y - 1/2, which is why the
//! iteration starts from least squares, where shape, missing values and rank are checked too. Many
//! rows start from the fit of an evenly spaced part of them instead, which spares the early steps; what decides is the
//! same. A step that lowers the likelihood is halved. The iteration ends when a step has moved no linear predictor by
//! more than 1e-8 of its size, or when Newton's decrement says that the next one moves no coefficient by more than
//! 1e-11 standard errors; since Newton's error is squared by a step, what is left is rounding.
//!
//! The likelihood has a maximum unless some direction separates the outcomes (Albert and Anderson 1984). A step that
//! moves every linear predictor by less than 1 proves that none does: with step d the numbers
//! `|y_i - mu_i| (1 - p_i m_i)`, p the probability of what was seen and m the move towards it, are then positive
//! weights under which the signed rows sum to 0 (other families have a factor there, of the size of the predictor at
//! most, which the tolerance on settled steps covers). So an iteration that settles has found the maximum; where it does
//! not, or where the weights span too many orders of magnitude for the proof to survive rounding, the question is
//! settled by non-negative least squares (separation.rs) before anything is reported.
//!
//! Prior weights w multiply score, information and log-likelihood. Under probability weights the model-based covariance
//! depends on their scale and is refused; every robust one does not.
//!
//! P. McCullagh and J. A. Nelder (1989), Generalized Linear Models, 4.4; A. Albert and J. A. Anderson (1984),
//! doi:10.1093/biomet/71.1.1; D. McFadden (1974), in Frontiers in Econometrics, for the pseudo R-squared.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::Serialize;

use super::estimates::{Estimates, Refit, new_id};
use super::family::{Binary, Ends, Family};
use super::fit::{Fit, Summary};
use super::ols;
use super::pass::{Data, State};
use super::separation::separation;
use super::weights::{WeightKind, Weights};
use crate::inference::{Bread, Reference, Target};
use crate::linalg::DesignMatrix;
use crate::linalg::factor::{Factor, factor};
use crate::linalg::gram::cross_products;
use crate::{Fault, Result};

/// Newton steps before the iteration is given up.
const STEPS: usize = 100;
/// Halvings of one step.
const HALVINGS: usize = 40;
/// The largest move of a linear predictor, relative to 1 plus the largest of them, that ends the iteration.
const SETTLED: f64 = 1e-8;
/// Newton's decrement, the length of the next step in standard errors, that ends the iteration too, once no linear
/// predictor moved by more than [`CALM`].
const DECREMENT: f64 = 1e-11;
/// See [`DECREMENT`]; far below the 1 of a separated row.
const CALM: f64 = 1e-3;
/// The furthest linear predictor for which Newton's decrement decides: beyond, a row may move by many times it and its
/// weight in the information with it, where no coefficient does.
const MIDDLE: f64 = 6.0;
/// Steps after which a predictor beyond [`FAR`] that still moves is suspected of separation.
const PATIENCE: usize = 10;
/// A linear predictor at which a probability is within 1e-13 of 0 or 1.
const FAR: f64 = 30.0;
/// A linear predictor at which a probability is within 1e-8 of 0 or 1.
const EXTREME: f64 = 18.0;
/// The share of its information that a column must keep beside the others for a settled iteration to be believed
/// without [`super::separation`] where a predictor is beyond [`EXTREME`].
const PROVEN: f64 = 1e-8;
/// Rows from which the start is that of a part of them.
const MANY: usize = 50_000;
/// Rows of that part.
const SAMPLE: usize = 20_000;
/// The share of its information about the centre that a column must have about its mean for the centre to be near it.
const NEAR: f64 = 1e-2;
/// The share of its information that a column must keep beside the others for that start to be taken.
const WELL_CONDITIONED: f64 = 1e-4;

/// A regression of a yes-or-no outcome to be fitted.
///
/// ```
/// use crewe::regression::{Family, Glm};
/// use ndarray::array;
/// // 1 of 4 against 3 of 4: the log odds ratio is ln 9.
/// let y = array![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
/// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
/// let fit = Glm::new(Family::LOGIT, y.view(), x.view()).fit()?;
/// assert!((fit.coef()[1] - 9.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Glm<'a> {
    family: Family,
    y: ArrayView1<'a, f64>,
    x: DesignMatrix<'a>,
    y_name: String,
    weights: Option<Weights<'a>>,
}

impl<'a> Glm<'a> {
    /// A regression of `y` (length n, 0 or 1) on an intercept and the columns of `x` (n x p).
    pub fn new(family: Family, y: ArrayView1<'a, f64>, x: ArrayView2<'a, f64>) -> Self {
        Self::of(family, y, DesignMatrix::new(x, true))
    }

    /// A regression of `y` on a design.
    pub fn of(family: Family, y: ArrayView1<'a, f64>, x: DesignMatrix<'a>) -> Self {
        Self { family, y, x, y_name: "y".to_owned(), weights: None }
    }

    /// Without the implied intercept.
    #[must_use]
    pub fn without_intercept(mut self) -> Self {
        self.x = DesignMatrix::new(self.x.columns(), false);
        self
    }

    /// Weights of the rows.
    #[must_use]
    pub fn weights(mut self, weights: Weights<'a>) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Names the outcome and the columns of X.
    ///
    /// # Errors
    /// [`crate::Error::Input`] when the number of names is wrong.
    pub fn named<S: Into<String>>(
        mut self,
        y: impl Into<String>,
        x: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        self.y_name = y.into();
        self.x = self.x.named(x)?;
        Ok(self)
    }

    /// Fits the model.
    ///
    /// # Errors
    /// * [`crate::Error::Input`] for lengths that differ, no rows, no more rows than coefficients, values that are
    ///   not finite, weights that are negative or all 0, an outcome that is not 0 or 1 (rows named) or that never varies;
    /// * [`crate::Error::Rank`] when columns repeat others (named, with those they repeat);
    /// * [`crate::Error::Separation`] when columns predict the outcome perfectly (named).
    pub fn fit(self) -> Result<GlmFit<'a>> {
        let summary = fit(self.family, &self.x, self.y, &self.y_name, self.weights)?;
        Ok(Fit::resume(self.x, self.y, Arc::new(summary)))
    }
}

/// A logistic regression to be fitted: a [`Glm`] with the family [`Family::LOGIT`].
///
/// ```
/// use crewe::regression::Logit;
/// use ndarray::array;
/// let y = array![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
/// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
/// let fit = Logit::new(y.view(), x.view()).fit()?;
/// assert!((fit.coef()[1] - 9.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Logit<'a>(Glm<'a>);

impl<'a> Logit<'a> {
    /// A regression of `y` (length n, 0 or 1) on an intercept and the columns of `x` (n x p).
    pub fn new(y: ArrayView1<'a, f64>, x: ArrayView2<'a, f64>) -> Self {
        Self(Glm::new(Family::LOGIT, y, x))
    }

    /// A regression of `y` on a design.
    pub fn of(y: ArrayView1<'a, f64>, x: DesignMatrix<'a>) -> Self {
        Self(Glm::of(Family::LOGIT, y, x))
    }

    /// Without the implied intercept.
    #[must_use]
    pub fn without_intercept(self) -> Self {
        Self(self.0.without_intercept())
    }

    /// Weights of the rows.
    #[must_use]
    pub fn weights(self, weights: Weights<'a>) -> Self {
        Self(self.0.weights(weights))
    }

    /// Names the outcome and the columns of X.
    ///
    /// # Errors
    /// As [`Glm::named`].
    pub fn named<S: Into<String>>(
        self,
        y: impl Into<String>,
        x: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        Ok(Self(self.0.named(y, x)?))
    }

    /// Fits the model.
    ///
    /// # Errors
    /// As [`Glm::fit`].
    pub fn fit(self) -> Result<GlmFit<'a>> {
        self.0.fit()
    }
}

/// A fitted regression of a yes-or-no outcome.
pub type GlmFit<'a> = Fit<'a, GlmSummary>;

/// A fitted logistic regression.
pub type LogitFit<'a> = GlmFit<'a>;

/// What a fit holds apart from the data.
///
/// ```
/// use crewe::regression::{Family, Glm, GlmSummary};
/// use ndarray::array;
/// let y = array![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
/// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
/// let fit = Glm::new("probit".parse()?, y.view(), x.view()).fit()?;
/// let summary: &GlmSummary = fit.summary();
/// assert_eq!(summary.family.name(), "probit");
/// assert!(summary.log_likelihood > summary.null_log_likelihood);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct GlmSummary {
    /// The family.
    pub family: Family,
    /// Coefficients, whitening, residuals `y - mu` and the roots of the working weights, for inference.
    pub estimates: Estimates,
    /// The maximised (weighted) log-likelihood.
    pub log_likelihood: f64,
    /// The log-likelihood of the intercept alone; of all probabilities 1/2 where there is no intercept.
    pub null_log_likelihood: f64,
    /// -2 log-likelihood.
    pub deviance: f64,
    /// McFadden's 1 - log-likelihood / null log-likelihood.
    pub pseudo_r_squared: f64,
    /// -2 log-likelihood + 2 k.
    pub aic: f64,
    /// Newton steps taken.
    pub iterations: usize,
    /// Whether the columns were so nearly collinear that the iteration ran on orthogonalised ones.
    pub precise: bool,
    #[serde(skip)]
    weights: Option<Vec<f64>>,
    kind: WeightKind,
}

impl Summary for GlmSummary {
    fn estimates(&self) -> &Estimates {
        &self.estimates
    }
}

impl Refit for GlmSummary {
    fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    fn refit(&self, x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: &[f64]) -> Result<Vec<f64>> {
        let weights = Weights::new(ArrayView1::from(weights), self.kind);
        Ok(fit(self.family, x, y, "y", Some(weights))?.estimates.coef)
    }
}

/// A regression of `y` on `x`: numbers only, for callers that keep the data themselves.
///
/// # Errors
/// As [`Glm::fit`].
pub fn fit(
    family: Family,
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    y_name: &str,
    weights: Option<Weights<'_>>,
) -> Result<GlmSummary> {
    let kind = weights.map_or(WeightKind::Probability, |weights| weights.kind());
    if let Some(weights) = &weights {
        weights.check(x.n())?;
    }
    let prior: Option<Vec<f64>> = weights.map(|weights| weights.values().to_vec());
    let model = Model { family: family.binary(), x, y, weights: prior.as_deref() };
    model.check_outcome(family, y_name)?;
    if let Some(start) = model.start_of_part(family)
        && let Some(maximum) = model.newton(x, start, Some(WELL_CONDITIONED))?
    {
        let maximum = model.about_its_own_means(maximum)?;
        return model.summarise(family, kind, &maximum, false);
    }
    // The first Newton step; it also refuses what no regression can be fitted to.
    let linear = ols::fit(x, y, y_name, weights)?;
    let start = &linear.estimates;
    let maximum = if linear.precise {
        model.orthogonal(start)?
    } else {
        model.newton(x, model.linear_start(start), None)?
    };
    // Only a start that may be refused gives nothing.
    let mut maximum = maximum.ok_or_else(|| model.unfinished())?;
    if !linear.precise {
        maximum = model.about_its_own_means(maximum)?;
    }
    model.summarise(family, kind, &maximum, linear.precise)
}

/// Where the iteration begins.
struct Start {
    /// Coefficients of the centred columns, length k.
    coef: Vec<f64>,
    /// What is taken off the columns, length k; 0 for the intercept.
    center: Vec<f64>,
}

/// Where the iteration ended.
struct Maximum {
    /// Coefficients of the centred columns.
    coef: Vec<f64>,
    center: Vec<f64>,
    whitening: Vec<Vec<f64>>,
    state: State,
    iterations: usize,
    /// The least share of its information that a column keeps beside the others.
    tolerance: f64,
}

/// What is fitted.
struct Model<'m, 'x, 'y> {
    family: &'static dyn Binary,
    /// The design that the user knows.
    x: &'m DesignMatrix<'x>,
    y: ArrayView1<'y, f64>,
    weights: Option<&'m [f64]>,
}

impl Model<'_, '_, '_> {
    fn counts(&self, i: usize) -> bool {
        self.weights.is_none_or(|weights| weights[i] > 0.0)
    }

    /// An outcome of 0s and 1s with both of them; missing values are left to the linear fit to name.
    fn check_outcome(&self, family: Family, y_name: &str) -> Result<()> {
        let y = self.y;
        let wrong: Vec<usize> =
            (0..y.len()).filter(|&i| y[i].is_finite() && y[i] != 0.0 && y[i] != 1.0).collect();
        if !wrong.is_empty() {
            return Err(Fault::new(format!("the outcome of a {family} must be 0 or 1 in every row"))
                .column(y_name)
                .labels(wrong.iter().map(|&i| y[i].to_string()))
                .rows(wrong)
                .remedy("Recode it, or use ols for an outcome that is a quantity")
                .input());
        }
        let counted = y.len() == self.x.n();
        let mut values = (0..y.len()).filter(|&i| !counted || self.counts(i)).map(|i| y[i]);
        if let Some(first) = values.next()
            && values.all(|v| v == first)
        {
            // It is 0 or 1, a level of the outcome.
            return Err(Fault::new(format!("the outcome is {first} in every row"))
                .column(y_name)
                .remedy("There is nothing to explain: check the filter that came before")
                .input());
        }
        Ok(())
    }

    /// The fit of evenly spaced rows, where there are many and it is well conditioned; it decides nothing but the number
    /// of steps.
    fn start_of_part(&self, family: Family) -> Option<Start> {
        let (x, n) = (self.x, self.x.n());
        if n < MANY.max(1000 * x.k()) || self.y.len() != n || self.weights.is_some() {
            return None;
        }
        let rows: Vec<usize> = (0..SAMPLE).map(|i| i * n / SAMPLE).collect();
        let part = x.columns().select(ndarray::Axis(0), &rows);
        let outcome: Array1<f64> = rows.iter().map(|&i| self.y[i]).collect();
        let design = DesignMatrix::new(part.view(), x.has_intercept());
        let fitted = fit(family, &design, outcome.view(), "y", None).ok()?;
        let bread = &fitted.estimates.bread;
        let (coef, center) = (bread.centred().to_vec(), bread.center().to_vec());
        (!fitted.precise).then_some(Start { coef, center })
    }

    /// Four times the linear coefficients of y - 1/2.
    fn linear_start(&self, linear: &Estimates) -> Start {
        let k = self.x.k();
        let center = linear.bread.center().to_vec();
        if !self.x.has_intercept() {
            // Without an intercept the linear fit is not the first step.
            return Start { coef: vec![0.0; k], center };
        }
        let mut coef: Vec<f64> = linear.coef.iter().map(|b| 4.0 * b).collect();
        // The centre of the iteration is the first part of the mean alone: only rows less it are ever used.
        let rest: f64 = (1..k).map(|j| coef[j] * linear.bread.center_rest()[j]).sum();
        coef[0] = 4.0 * linear.bread.centred()[0] - 2.0 - rest;
        Start { coef, center }
    }

    /// Newton's iteration on the columns of `x`. `None` where values are not finite or a column keeps less than the share
    /// `needed` of its information at the start, if one is needed.
    fn newton(&self, x: &DesignMatrix<'_>, start: Start, needed: Option<f64>) -> Result<Option<Maximum>> {
        let k = x.k();
        let Start { mut coef, center } = start;
        let state_at = |coef: &[f64], before: Vec<f64>| {
            self.family.state(Data { x, y: self.y, center: &center, weights: self.weights }, coef, before)
        };
        let mut state = state_at(&coef, vec![0.0; x.n()])?;
        if let Some(needed) = needed {
            let tolerance = |state: &State| factor(&state.information, 1e-8).map_or(0.0, |f| f.tolerance);
            if !state.is_finite() || tolerance(&state) < needed {
                return Ok(None);
            }
        }
        let total = self.weights.map_or(x.n() as f64, |weights| weights.iter().sum());
        let even = -total * std::f64::consts::LN_2;
        // Newton's decrement in the units of a mean weight of 1: what has settled does not depend on their scale.
        let unit = (total / (0..x.n()).filter(|&i| self.counts(i)).count() as f64).sqrt();
        if state.log_likelihood.is_nan() || state.log_likelihood < even {
            // The linear fit need not go uphill.
            coef = vec![0.0; k];
            state = state_at(&coef, state.predictor)?;
        }
        state.reach = f64::INFINITY;
        let mut spare = vec![0.0; x.n()];
        let mut iterations = 0;
        loop {
            let Some(Factor { inverse: whitening, tolerance }) =
                factor(&state.information, 1e-8).ok().filter(|_| state.is_finite())
            else {
                return Err(self.unfinished());
            };
            let step = ols::solve(&whitening, &state.score);
            let decrement =
                step.iter().zip(&state.score).map(|(step, score)| step * score).sum::<f64>().sqrt();
            let settled = state.reach <= SETTLED * (1.0 + state.furthest)
                || (state.reach <= CALM && state.furthest <= MIDDLE && decrement <= DECREMENT * unit);
            if settled {
                if state.furthest > EXTREME
                    && tolerance < PROVEN
                    && let Some(error) = separation(self.x, self.y, self.weights)
                {
                    return Err(error);
                }
                return Ok(Some(Maximum { coef, center, whitening, state, iterations, tolerance }));
            }
            // Asked for in every tenth step: a maximum that is far away only takes longer.
            if iterations >= PATIENCE
                && iterations.is_multiple_of(PATIENCE)
                && state.furthest > FAR
                && state.reach > 0.1
                && let Some(error) = separation(self.x, self.y, self.weights)
            {
                return Err(error);
            }
            if iterations >= STEPS || !decrement.is_finite() {
                return Err(self.unfinished());
            }
            let mut share = 1.0;
            for _ in 0..HALVINGS {
                let tried: Vec<f64> = coef.iter().zip(&step).map(|(b, s)| b + share * s).collect();
                spare.copy_from_slice(&state.predictor);
                let mut next = state_at(&tried, spare)?;
                // What the whole step moves decides, not the part of it that was taken.
                next.reach /= share;
                if next.log_likelihood >= state.log_likelihood - 1e-12 * state.log_likelihood.abs() {
                    coef = tried;
                    spare = std::mem::replace(&mut state, next).predictor;
                    break;
                }
                spare = next.predictor;
                share /= 2.0;
            }
            iterations += 1;
        }
    }

    /// The iteration taken up again about the means of the columns under the weights that it ended with, where those that
    /// it began with are so far away that digits were lost: a row with a covariate of 999999 pulls a mean, and has hardly
    /// any weight once the model knows its outcome.
    fn about_its_own_means(&self, maximum: Maximum) -> Result<Maximum> {
        let information = &maximum.state.information;
        let total = information[0][0];
        let far = |j: usize| {
            let kept = 1.0 - information[0][j] * (information[0][j] / (total * information[j][j]));
            kept < NEAR
        };
        if !self.x.has_intercept() || !(1..self.x.k()).any(far) {
            return Ok(maximum);
        }
        let off: Vec<f64> = information[0].iter().map(|sum| sum / total).collect();
        let Maximum { mut coef, mut center, iterations, .. } = maximum;
        for j in 1..self.x.k() {
            center[j] += off[j];
            coef[0] += coef[j] * off[j];
        }
        let again = self.newton(self.x, Start { coef, center }, None)?.ok_or_else(|| self.unfinished())?;
        Ok(Maximum { iterations: iterations + again.iterations, ..again })
    }

    /// For columns that are nearly collinear: the iteration on `Z = (X - center) W` of the linear fit, whose columns are
    /// orthonormal, and the way back.
    fn orthogonal(&self, start: &Estimates) -> Result<Option<Maximum>> {
        let (x, k) = (self.x, self.x.k());
        let bread = &start.bread;
        let w: Vec<Vec<f64>> = bread.whitening().chunks_exact(k).map(<[f64]>::to_vec).collect();
        let mut z = Array2::zeros((x.n(), k));
        let mut row = vec![0.0; k];
        for (i, mut to) in z.outer_iter_mut().enumerate() {
            x.row(i, bread.center(), &mut row);
            for column in 0..k {
                to[column] = (0..=column).map(|j| row[j] * w[j][column]).sum();
            }
        }
        let design = DesignMatrix::new(z.view(), false);
        let zero = Start { coef: vec![0.0; k], center: vec![0.0; k] };
        let Some(inner) = self.newton(&design, zero, None)? else { return Ok(None) };
        let coef: Vec<f64> = (0..k).map(|j| (j..k).map(|c| w[j][c] * inner.coef[c]).sum()).collect();
        let inner_whitening = self.expected(&design, &inner)?.unwrap_or(inner.whitening);
        let whitening = (0..k)
            .map(|j| {
                (0..k)
                    .map(|c| {
                        (j..=c.max(j)).filter(|&m| m <= c).map(|m| w[j][m] * inner_whitening[m][c]).sum()
                    })
                    .collect()
            })
            .collect();
        let center = bread.center().to_vec();
        Ok(Some(Maximum {
            coef,
            center,
            whitening,
            state: inner.state,
            iterations: inner.iterations,
            tolerance: inner.tolerance,
        }))
    }

    /// The factor of the inverse of the expected information, where the iteration had the observed one.
    fn expected(&self, x: &DesignMatrix<'_>, maximum: &Maximum) -> Result<Option<Vec<Vec<f64>>>> {
        if self.family.is_canonical() {
            return Ok(None);
        }
        let y = self.y;
        let mut roots = self.family.ends(&maximum.state.predictor, &|i| y[i])?.roots;
        if let Some(weights) = self.weights {
            roots.iter_mut().zip(weights).for_each(|(root, w)| *root *= w.sqrt());
        }
        let information = cross_products(x, &maximum.center, None, Some(&roots))?;
        let information: Vec<Vec<f64>> = information.outer_iter().map(|row| row.to_vec()).collect();
        Ok(factor(&information, 1e-8).ok().map(|found| found.inverse))
    }

    /// The error of an iteration that does not settle.
    fn unfinished(&self) -> crate::Error {
        separation(self.x, self.y, self.weights).unwrap_or_else(|| {
            Fault::new(format!("the likelihood of the {} did not settle within {STEPS} steps", self.family.name()))
                .remedy("Rescale columns of very different sizes, or leave out the ones that predict the outcome almost perfectly")
                .convergence()
        })
    }

    fn summarise(
        &self,
        family: Family,
        kind: WeightKind,
        maximum: &Maximum,
        precise: bool,
    ) -> Result<GlmSummary> {
        let (x, y) = (self.x, self.y);
        // Orthogonalised columns have lost what double precision loses.
        let tolerance = if precise { 1e-20 } else { maximum.tolerance };
        let weight = |i: usize| self.weights.map_or(1.0, |weights| weights[i]);
        let counted = (0..x.n()).filter(|&i| self.counts(i)).count();
        let k = x.k() as f64;
        let total: f64 = (0..x.n()).map(weight).sum();
        let ones: f64 = (0..x.n()).map(|i| weight(i) * y[i]).sum();
        let null = if x.has_intercept() {
            ones * (ones / total).ln() + (total - ones) * ((total - ones) / total).ln()
        } else {
            -total * std::f64::consts::LN_2
        };
        let log_likelihood = maximum.state.log_likelihood;
        let Ends { residuals, mut factors, mut roots, mut variances } =
            self.family.ends(&maximum.state.predictor, &|i| y[i])?;
        if let Some(weights) = self.weights {
            let mut weighted = factors.unwrap_or_else(|| residuals.clone());
            weighted.iter_mut().zip(weights).for_each(|(factor, w)| *factor *= w);
            let mut v = variances.unwrap_or_else(|| roots.iter().map(|root| root * root).collect::<Vec<_>>());
            v.iter_mut().zip(weights).for_each(|(v, w)| *v = if *w > 0.0 { *v / w } else { 0.0 });
            roots.iter_mut().zip(weights).for_each(|(root, w)| *root *= w.sqrt());
            (factors, variances) = (Some(weighted), Some(v));
        }
        let expected = if precise { None } else { self.expected(x, maximum)? };
        let whitening = expected.unwrap_or_else(|| maximum.whitening.clone());
        let mut coef = maximum.coef.clone();
        if x.has_intercept() {
            coef[0] -= (1..x.k()).map(|j| coef[j] * maximum.center[j]).sum::<f64>();
        }
        let weighted = self.weights.is_some() && kind == WeightKind::Probability;
        Ok(GlmSummary {
            family,
            estimates: Estimates {
                names: x.names().to_vec(),
                coef,
                bread: Bread::new(
                    x.has_intercept(),
                    &whitening,
                    maximum.center.clone(),
                    vec![0.0; x.k()],
                    maximum.coef.clone(),
                    1.0,
                ),
                residuals,
                factors,
                roots: Some(roots),
                variances,
                target: Target::Variance,
                counted,
                reference: Reference::Normal,
                link: self.family.link(),
                tolerance,
                no_model: weighted.then_some(
                    "the model-based covariance depends on the scale of probability weights, which means nothing",
                ),
                id: new_id(),
            },
            log_likelihood,
            null_log_likelihood: null,
            deviance: -2.0 * log_likelihood,
            pseudo_r_squared: 1.0 - log_likelihood / null,
            aic: 2.0 * (k - log_likelihood),
            iterations: maximum.iterations,
            precise,
            weights: self.weights.map(<[f64]>::to_vec),
            kind,
        })
    }
}
