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

use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::Serialize;

use super::estimates::{Estimates, Refit, Scored, new_id};
use super::family::{Ends, Family};
use super::firth::{self, Penalised, Penalty};
use super::fit::{Fit, Summary};
use super::newton::{Maximum, Model, Start};
use super::offset::with_offset;
use super::ols;
use super::weights::{WeightKind, Weights};
use crate::inference::{Bread, Reference, Target};
use crate::linalg::DesignMatrix;
use crate::progress::watcher;
use crate::{Fault, Result};

/// Rows from which the start is that of a part of them.
const MANY: usize = 50_000;
/// Rows of that part.
const SAMPLE: usize = 20_000;
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
    penalty: Option<Penalty>,
}

impl<'a> Glm<'a> {
    /// A regression of `y` (length n, 0 or 1) on an intercept and the columns of `x` (n x p).
    pub fn new(family: Family, y: ArrayView1<'a, f64>, x: ArrayView2<'a, f64>) -> Self {
        Self::of(family, y, DesignMatrix::new(x, true))
    }

    /// A regression of `y` on a design.
    pub fn of(family: Family, y: ArrayView1<'a, f64>, x: DesignMatrix<'a>) -> Self {
        Self { family, y, x, y_name: "y".to_owned(), weights: None, penalty: None }
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

    /// With a penalty on the log-likelihood, which logits without weights have.
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.penalty = Some(penalty);
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
    /// * [`crate::Error::Separation`] when columns predict the outcome perfectly (named), but under a penalty;
    /// * [`crate::Error::Input`] for a penalty with weights or with another family than the logit.
    pub fn fit(self) -> Result<GlmFit<'a>> {
        let summary = fit(self.family, &self.x, self.y, &self.y_name, self.weights, self.penalty)?;
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

    /// With a penalty on the log-likelihood, which needs rows without weights.
    #[must_use]
    pub fn penalty(self, penalty: Penalty) -> Self {
        Self(self.0.penalty(penalty))
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
    /// The maximised (weighted) log-likelihood; that at the estimate, without its penalty, where there is one.
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
    /// The penalised likelihood, where there is a penalty.
    pub penalised: Option<Penalised>,
    #[serde(skip)]
    weights: Option<Vec<f64>>,
    kind: WeightKind,
}

impl Summary for GlmSummary {
    fn estimates(&self) -> &Estimates {
        &self.estimates
    }
}

impl GlmSummary {
    /// The maximum with other weights, from where the fit stands; none where that needs every precaution again.
    fn maximum(
        &self,
        x: &DesignMatrix<'_>,
        y: ArrayView1<'_, f64>,
        weights: &[f64],
    ) -> Result<Option<Maximum>> {
        let bread = &self.estimates.bread;
        let from = Start { coef: bread.centred().to_vec(), center: bread.center().to_vec() };
        if self.penalised.is_some() {
            return firth::refit(x, y, weights, from).map(Some);
        }
        if self.precise {
            return Ok(None);
        }
        let model = Model { family: self.family.binary(), x, y, weights: Some(weights) };
        model.newton(x, from, Some(WELL_CONDITIONED))
    }

    /// The fit with other weights, from the start.
    fn afresh(&self, x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: &[f64]) -> Result<Estimates> {
        let weights = Weights::new(ArrayView1::from(weights), self.kind);
        Ok(fit(self.family, x, y, "y", Some(weights), None)?.estimates)
    }
}

impl Refit for GlmSummary {
    fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    fn refit(&self, x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: &[f64]) -> Result<Vec<f64>> {
        if let Some(Maximum { mut coef, center, .. }) = self.maximum(x, y, weights)? {
            if x.has_intercept() {
                coef[0] -= (1..x.k()).map(|j| coef[j] * center[j]).sum::<f64>();
            }
            return Ok(coef);
        }
        Ok(self.afresh(x, y, weights)?.coef)
    }

    fn refit_centred(
        &self,
        x: &DesignMatrix<'_>,
        y: ArrayView1<'_, f64>,
        weights: &[f64],
        bread: &Bread,
    ) -> Result<Vec<f64>> {
        if let Some(Maximum { coef, center, .. }) = self.maximum(x, y, weights)? {
            return Ok(bread.recentred(coef, &center));
        }
        let fitted = self.afresh(x, y, weights)?.bread;
        // Less the part of its centre that a double does not hold, which is added back by the same name.
        let rest: f64 = (1..x.k()).map(|j| fitted.centred()[j] * fitted.center_rest()[j]).sum();
        let mut coef = fitted.centred().to_vec();
        if x.has_intercept() {
            coef[0] -= rest;
        }
        Ok(bread.recentred(coef, fitted.center()))
    }

    fn beside(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[f64],
        weights: Option<&[f64]>,
        offset: &[f64],
    ) -> Result<Option<Scored>> {
        with_offset(self.family, y, x, weights, offset, &watcher()).map(|found| Some(found.rows))
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
    penalty: Option<Penalty>,
) -> Result<GlmSummary> {
    if let Some(penalty) = penalty {
        if family != Family::LOGIT || weights.is_some() {
            return Err(unpenalised(penalty, family));
        }
        return penalised(x, y, y_name);
    }
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
        let maximum = model.about_its_own_means(maximum, |x, start| model.newton(x, start, None))?;
        return model.summarise(family, kind, &maximum, false);
    }
    // The first Newton step; it also refuses what no regression can be fitted to.
    let linear = ols::fit(x, y, y_name, weights)?;
    let start = &linear.estimates;
    let maximum = if linear.precise {
        model.orthogonal(start, |x, start| model.newton(x, start, None))?
    } else {
        model.newton(x, model.linear_start(start), None)?
    };
    // Only a start that may be refused gives nothing.
    let mut maximum = maximum.ok_or_else(|| model.unfinished())?;
    if !linear.precise {
        maximum = model.about_its_own_means(maximum, |x, start| model.newton(x, start, None))?;
    }
    model.summarise(family, kind, &maximum, linear.precise)
}

/// A logit with Firth's penalty.
fn penalised(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, y_name: &str) -> Result<GlmSummary> {
    let model = Model { family: Family::LOGIT.binary(), x, y, weights: None };
    model.check_outcome(Family::LOGIT, y_name)?;
    let (maximum, precise) = firth::maximum(&model, y_name)?;
    let mut summary = model.summarise(Family::LOGIT, WeightKind::Analytic, &maximum, precise)?;
    let climb = firth::Climb { x, y, center: &maximum.center, weights: None };
    let (shifts, _) = climb.shifts(model.family, &maximum.state.predictor, &maximum.whitening)?;
    let estimates = &mut summary.estimates;
    estimates.factors = Some(estimates.residuals.iter().zip(&shifts).map(|(e, shift)| e + shift).collect());
    estimates.penalised = true;
    summary.penalised = Some(firth::compared(x, y, &summary.estimates.bread, &maximum)?);
    Ok(summary)
}

/// The error of a penalty where there is none.
fn unpenalised(penalty: Penalty, family: Family) -> crate::Error {
    if family != Family::LOGIT {
        return Fault::new(format!("the penalty '{penalty}' is that of a logit"))
            .remedy("Fit a logit, or leave the penalty out")
            .input();
    }
    Fault::new(format!(
        "the penalty '{penalty}' takes no weights: it is set against their size, which means nothing"
    ))
    .remedy("Leave out the weights or the penalty")
    .input()
}

impl Model<'_, '_, '_> {
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
        let fitted = fit(family, &design, outcome.view(), "y", None, None).ok()?;
        let bread = &fitted.estimates.bread;
        let (coef, center) = (bread.centred().to_vec(), bread.center().to_vec());
        (!fitted.precise).then_some(Start { coef, center })
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
            self.without_terms()
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
                penalised: false,
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
            penalised: None,
            weights: self.weights.map(<[f64]>::to_vec),
            kind,
        })
    }
}
