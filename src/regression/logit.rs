//! Logistic regression by maximum likelihood.
//!
//! `P(y = 1) = mu = 1 / (1 + exp(-x'b))`. The score is `X'(y - mu)` and the information `X' diag(w) X`,
//! `w = mu (1 - mu)`, so a Newton step is the weighted least squares of the working residuals `(y - mu) / w` on X
//! (iteratively reweighted least squares). The first step from b = 0 is four times the linear regression of y - 1/2,
//! which is why the iteration starts from least squares, where shape, missing values and rank are checked too. Many
//! rows start from the fit of an evenly spaced part of them instead, which spares the early steps; what decides is the
//! same. A step that lowers the likelihood is halved. The iteration ends when a step has moved no linear predictor by
//! more than 1e-8 of its size, or when Newton's decrement says that the next one moves no coefficient by more than
//! 1e-11 standard errors; since Newton's error is squared by a step, what is left is rounding.
//!
//! The likelihood has a maximum unless some direction separates the outcomes (Albert and Anderson 1984). A step that
//! moves every linear predictor by less than 1 proves that none does: with step d the numbers
//! `|y_i - mu_i| (1 - p_i m_i)`, p the probability of what was seen and m the move towards it, are then positive
//! weights under which the signed rows sum to 0. So an iteration that settles has found the maximum; where it does
//! not, or where the weights span too many orders of magnitude for the proof to survive rounding, the question is
//! settled by [`super::separation`] before anything is reported.
//!
//! P. McCullagh and J. A. Nelder (1989), Generalized Linear Models, 4.4; A. Albert and J. A. Anderson (1984),
//! doi:10.1093/biomet/71.1.1; D. McFadden (1974), in Frontiers in Econometrics, for the pseudo R-squared.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::fit::{Fit, Summary};
use super::logistic::State;
use super::ols;
use super::separation::separation;
use crate::inference::Estimates;
use crate::linalg::DesignMatrix;
use crate::linalg::factor::{Factor, factor};
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
/// The share of its information that a column must keep beside the others for that start to be taken.
const WELL_CONDITIONED: f64 = 1e-4;

/// A logistic regression to be fitted.
///
/// ```
/// use crewe::regression::Logit;
/// use ndarray::array;
/// // 1 of 4 against 3 of 4: the log odds ratio is ln 9.
/// let y = array![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
/// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
/// let fit = Logit::new(y.view(), x.view()).fit()?;
/// assert!((fit.coef()[1] - 9.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Logit<'a> {
    y: ArrayView1<'a, f64>,
    x: DesignMatrix<'a>,
    y_name: String,
}

impl<'a> Logit<'a> {
    /// A regression of `y` (length n, 0 or 1) on an intercept and the columns of `x` (n x p).
    pub fn new(y: ArrayView1<'a, f64>, x: ArrayView2<'a, f64>) -> Self {
        Self::of(y, DesignMatrix::new(x, true))
    }

    /// A regression of `y` on a design.
    pub fn of(y: ArrayView1<'a, f64>, x: DesignMatrix<'a>) -> Self {
        Self { y, x, y_name: "y".to_owned() }
    }

    /// Without the implied intercept.
    #[must_use]
    pub fn without_intercept(mut self) -> Self {
        self.x = DesignMatrix::new(self.x.columns(), false);
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
    ///   not finite, an outcome that is not 0 or 1 (rows named) or that never varies;
    /// * [`crate::Error::Rank`] when columns repeat others (named, with those they repeat);
    /// * [`crate::Error::Separation`] when columns predict the outcome perfectly (named).
    pub fn fit(self) -> Result<LogitFit<'a>> {
        let summary = fit(&self.x, self.y, &self.y_name)?;
        Ok(Fit::new(self.x, summary))
    }
}

/// A fitted logistic regression.
pub type LogitFit<'a> = Fit<'a, LogitSummary>;

/// What a fit holds apart from the data.
#[derive(Debug, Clone)]
pub struct LogitSummary {
    /// Coefficients, whitening, residuals `y - mu` and the roots of the working weights, for inference.
    pub estimates: Estimates,
    /// The maximised log-likelihood.
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
}

impl Summary for LogitSummary {
    fn estimates(&self) -> &Estimates {
        &self.estimates
    }
}

/// Logistic regression of `y` on `x`: numbers only, for callers that keep the data themselves.
///
/// # Errors
/// As [`Logit::fit`].
pub fn fit(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, y_name: &str) -> Result<LogitSummary> {
    check_outcome(y, y_name)?;
    if let Some(start) = start_of_part(x, y)
        && let Some(maximum) = newton(x, y, start, x, Some(WELL_CONDITIONED))?
    {
        return Ok(summarise(x, y, maximum, false));
    }
    // The first Newton step; it also refuses what no regression can be fitted to.
    let linear = ols::fit(x, y, y_name)?;
    let start = &linear.estimates;
    let maximum = if linear.precise {
        orthogonal(x, y, start)?
    } else {
        newton(x, y, linear_start(x, start), x, None)?
    };
    // Only a start that may be refused gives nothing.
    let maximum = maximum.ok_or_else(|| unfinished(x, y))?;
    Ok(summarise(x, y, maximum, linear.precise))
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
    coef: Vec<f64>,
    center: Vec<f64>,
    whitening: Vec<Vec<f64>>,
    state: State,
    iterations: usize,
}

/// An outcome of 0s and 1s with both of them; missing values are left to the linear fit to name.
fn check_outcome(y: ArrayView1<'_, f64>, y_name: &str) -> Result<()> {
    let wrong: Vec<usize> =
        (0..y.len()).filter(|&i| y[i].is_finite() && y[i] != 0.0 && y[i] != 1.0).collect();
    if !wrong.is_empty() {
        let mut seen: Vec<f64> = wrong.iter().map(|&i| y[i]).collect();
        seen.sort_by(f64::total_cmp);
        seen.dedup();
        return Err(Fault::new("the outcome of a logit must be 0 or 1 in every row")
            .column(y_name)
            .rows(wrong)
            .values(seen.iter().map(f64::to_string))
            .remedy("Recode it, or use ols for an outcome that is a quantity")
            .input());
    }
    if !y.is_empty() && y.iter().all(|&v| v == y[0]) {
        return Err(Fault::new(format!("the outcome is {} in every row", y[0]))
            .column(y_name)
            .values([y[0].to_string()])
            .remedy("There is nothing to explain: check the filter that came before")
            .input());
    }
    Ok(())
}

/// The fit of evenly spaced rows, where there are many and it is well conditioned; it decides nothing but the number
/// of steps.
fn start_of_part(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>) -> Option<Start> {
    let n = x.n();
    if n < MANY.max(1000 * x.k()) || y.len() != n {
        return None;
    }
    let rows: Vec<usize> = (0..SAMPLE).map(|i| i * n / SAMPLE).collect();
    let part = x.columns().select(ndarray::Axis(0), &rows);
    let outcome: Array1<f64> = rows.iter().map(|&i| y[i]).collect();
    let fitted = fit(&DesignMatrix::new(part.view(), x.has_intercept()), outcome.view(), "y").ok()?;
    let Estimates { mut coef, center, .. } = fitted.estimates;
    if x.has_intercept() {
        coef[0] += (1..x.k()).map(|j| coef[j] * center[j]).sum::<f64>();
    }
    (!fitted.precise).then_some(Start { coef, center })
}

/// Four times the linear coefficients of y - 1/2.
fn linear_start(x: &DesignMatrix<'_>, linear: &Estimates) -> Start {
    let k = x.k();
    if !x.has_intercept() {
        // Without an intercept the linear fit is not the first step.
        return Start { coef: vec![0.0; k], center: linear.center.clone() };
    }
    let mut coef: Vec<f64> = linear.coef.iter().map(|b| 4.0 * b).collect();
    coef[0] += (1..k).map(|j| coef[j] * linear.center[j]).sum::<f64>() - 2.0;
    Start { coef, center: linear.center.clone() }
}

/// Newton's iteration on the columns of `x`; `named` is the design that the user knows. `None` where values are not
/// finite or a column keeps less than the share `needed` of its information at the start, if one is needed.
fn newton(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    start: Start,
    named: &DesignMatrix<'_>,
    needed: Option<f64>,
) -> Result<Option<Maximum>> {
    let k = x.k();
    let Start { mut coef, center } = start;
    let mut state = State::at(x, y, &center, &coef, vec![0.0; x.n()]);
    if let Some(needed) = needed {
        let tolerance = |state: &State| factor(&state.information, 1e-8).map_or(0.0, |f| f.tolerance);
        if !state.is_finite() || tolerance(&state) < needed {
            return Ok(None);
        }
    }
    if state.log_likelihood < -(x.n() as f64) * std::f64::consts::LN_2 {
        // The linear fit need not go uphill.
        coef = vec![0.0; k];
        state = State::at(x, y, &center, &coef, state.predictor);
    }
    state.reach = f64::INFINITY;
    let mut spare = vec![0.0; x.n()];
    let mut iterations = 0;
    loop {
        let Some(Factor { inverse: whitening, tolerance }) =
            factor(&state.information, 1e-8).ok().filter(|_| state.is_finite())
        else {
            return Err(unfinished(named, y));
        };
        let step = ols::solve(&whitening, &state.score);
        let decrement = step.iter().zip(&state.score).map(|(step, score)| step * score).sum::<f64>().sqrt();
        let settled = state.reach <= SETTLED * (1.0 + state.furthest)
            || (state.reach <= CALM && decrement <= DECREMENT);
        if settled {
            if state.furthest > EXTREME
                && tolerance < PROVEN
                && let Some(error) = separation(named, y)
            {
                return Err(error);
            }
            if x.has_intercept() {
                coef[0] -= (1..k).map(|j| coef[j] * center[j]).sum::<f64>();
            }
            return Ok(Some(Maximum { coef, center, whitening, state, iterations }));
        }
        // Asked for in every tenth step: a maximum that is far away only takes longer.
        if iterations >= PATIENCE
            && iterations.is_multiple_of(PATIENCE)
            && state.furthest > FAR
            && state.reach > 0.1
            && let Some(error) = separation(named, y)
        {
            return Err(error);
        }
        if iterations >= STEPS || !decrement.is_finite() {
            return Err(unfinished(named, y));
        }
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let tried: Vec<f64> = coef.iter().zip(&step).map(|(b, s)| b + share * s).collect();
            spare.copy_from_slice(&state.predictor);
            let mut next = State::at(x, y, &center, &tried, spare);
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

/// For columns that are nearly collinear: the iteration on `Z = (X - center) W` of the linear fit, whose columns are
/// orthonormal, and the way back.
fn orthogonal(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, start: &Estimates) -> Result<Option<Maximum>> {
    let k = x.k();
    let w = &start.whitening;
    let mut z = Array2::zeros((x.n(), k));
    let mut row = vec![0.0; k];
    for (i, mut to) in z.outer_iter_mut().enumerate() {
        x.row(i, &start.center, &mut row);
        for column in 0..k {
            to[column] = (0..=column).map(|j| row[j] * w[j][column]).sum();
        }
    }
    let design = DesignMatrix::new(z.view(), false);
    let zero = Start { coef: vec![0.0; k], center: vec![0.0; k] };
    let Some(inner) = newton(&design, y, zero, x, None)? else { return Ok(None) };
    let mut coef: Vec<f64> = (0..k).map(|j| (j..k).map(|c| w[j][c] * inner.coef[c]).sum()).collect();
    if x.has_intercept() {
        coef[0] -= (1..k).map(|j| coef[j] * start.center[j]).sum::<f64>();
    }
    let whitening = (0..k)
        .map(|j| {
            (0..k)
                .map(|c| (j..=c.max(j)).filter(|&m| m <= c).map(|m| w[j][m] * inner.whitening[m][c]).sum())
                .collect()
        })
        .collect();
    Ok(Some(Maximum { coef, center: start.center.clone(), whitening, ..inner }))
}

/// The error of an iteration that does not settle.
fn unfinished(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>) -> crate::Error {
    separation(x, y).unwrap_or_else(|| {
        Fault::new(format!("the likelihood of the logit did not settle within {STEPS} steps"))
            .remedy("Rescale columns of very different sizes, or leave out the ones that predict the outcome almost perfectly")
            .convergence()
    })
}

fn summarise(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, maximum: Maximum, precise: bool) -> LogitSummary {
    let (n, k) = (y.len() as f64, x.k() as f64);
    let ones = y.sum();
    let null = if x.has_intercept() {
        ones * (ones / n).ln() + (n - ones) * ((n - ones) / n).ln()
    } else {
        -n * std::f64::consts::LN_2
    };
    let log_likelihood = maximum.state.log_likelihood;
    LogitSummary {
        estimates: Estimates {
            names: x.names().to_vec(),
            coef: maximum.coef,
            center: maximum.center,
            whitening: maximum.whitening,
            residuals: maximum.state.residuals(y),
            root_weights: Some(maximum.state.root_weights()),
            scale: 1.0,
            df_residual: n - k,
            normal_reference: true,
        },
        log_likelihood,
        null_log_likelihood: null,
        deviance: -2.0 * log_likelihood,
        pseudo_r_squared: 1.0 - log_likelihood / null,
        aic: 2.0 * (k - log_likelihood),
        iterations: maximum.iterations,
        precise,
    }
}
