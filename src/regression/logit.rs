//! Logistic regression by maximum likelihood.
//!
//! `P(y = 1) = mu = 1 / (1 + exp(-x'b))`. The score is `X'(y - mu)` and the information `X' diag(w) X`,
//! `w = mu (1 - mu)`, so a Newton step is the weighted least squares of the working residuals `(y - mu) / w` on X
//! (iteratively reweighted least squares). The first step from b = 0 is four times the linear regression of y - 1/2,
//! which is why the iteration starts from least squares, where shape, missing values and rank are checked too. A step
//! that lowers the likelihood is halved; the iteration ends when no linear predictor moves by more than 1e-8 of its
//! size, and since Newton's error is squared by a step, what is left is rounding.
//!
//! The likelihood has a maximum unless some direction separates the outcomes (Albert and Anderson 1984). Where there
//! is one the linear predictors move by about 1 in every step for ever, so an iteration that settles has found the
//! maximum, and one that does not is asked for the direction; nothing of it is reported.
//!
//! P. McCullagh and J. A. Nelder (1989), Generalized Linear Models, 4.4; A. Albert and J. A. Anderson (1984),
//! doi:10.1093/biomet/71.1.1; D. McFadden (1974), in Frontiers in Econometrics, for the pseudo R-squared.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::fit::{Fit, Summary};
use super::ols;
use super::separation::separation;
use crate::inference::Estimates;
use crate::linalg::DesignMatrix;
use crate::linalg::factor::factor;
use crate::linalg::gram::{cross_products, fill_chunks, over_chunks};
use crate::{Fault, Result};

/// Newton steps before the iteration is given up.
const STEPS: usize = 100;
/// Halvings of one step.
const HALVINGS: usize = 40;
/// The largest move of a linear predictor, relative to 1 plus the largest of them, that ends the iteration.
const SETTLED: f64 = 1e-8;
/// Steps after which a predictor beyond [`FAR`] that still moves is suspected of separation.
const PATIENCE: usize = 10;
/// A linear predictor at which a probability is within 1e-13 of 0 or 1.
const FAR: f64 = 30.0;

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
    // The first Newton step; it also refuses what no regression can be fitted to.
    let linear = ols::fit(x, y, y_name)?;
    let start = linear.estimates;
    let maximum = if linear.precise { orthogonal(x, y, &start)? } else { newton(x, y, &start, x)? };
    Ok(summarise(x, y, maximum, linear.precise))
}

/// Where the iteration ended.
struct Maximum {
    coef: Vec<f64>,
    center: Vec<f64>,
    whitening: Vec<Vec<f64>>,
    state: State,
    iterations: usize,
}

/// The rows at some coefficients.
struct State {
    /// `x'b`, length n.
    predictor: Vec<f64>,
    log_likelihood: f64,
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

/// Newton's iteration on the columns of `x` from the coefficients and centre of `start`; `named` is the design that
/// the user knows.
fn newton(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    start: &Estimates,
    named: &DesignMatrix<'_>,
) -> Result<Maximum> {
    let k = x.k();
    let first = usize::from(x.has_intercept());
    let mut center = start.center.clone();
    // Coefficients of centred columns: four times the linear ones of y - 1/2.
    let mut coef: Vec<f64> = start.coef.iter().map(|b| 4.0 * b).collect();
    if first == 1 {
        coef[0] += (first..k).map(|j| coef[j] * center[j]).sum::<f64>() - 2.0;
    }
    let mut state = State::at(x, y, &center, &coef);
    let origin = State::at(x, y, &center, &vec![0.0; k]);
    if first == 0 || state.log_likelihood < origin.log_likelihood {
        // Without an intercept the linear fit is not the first step; nor need it go uphill.
        coef = vec![0.0; k];
        state = origin;
    }
    center.push(0.0);
    let mut iterations = 0;
    loop {
        let Some((whitening, step)) = direction(x, y, &center, &state) else {
            return Err(unfinished(named, y, &state, None));
        };
        let moves = linear(x, &center[..k], &step);
        let (reach, furthest) = (largest(&moves), largest(&state.predictor));
        if reach <= SETTLED * (1.0 + furthest) {
            coef.iter_mut().zip(&step).for_each(|(b, s)| *b += s);
            state = State::at(x, y, &center[..k], &coef);
            // The step is too short to change the weights by more than rounding, but they cost one pass only.
            let whitening = direction(x, y, &center, &state).map_or(whitening, |(w, _)| w);
            if first == 1 {
                coef[0] -= (first..k).map(|j| coef[j] * center[j]).sum::<f64>();
            }
            center.truncate(k);
            return Ok(Maximum { coef, center, whitening, state, iterations: iterations + 1 });
        }
        let suspect = iterations >= PATIENCE && furthest > FAR && reach > 0.1;
        // Asked for in every tenth step: a maximum that is far away only takes longer.
        if suspect
            && iterations % PATIENCE == 0
            && let Some(error) = separation(named, y, &state.predictor, Some(&moves))
        {
            return Err(error);
        }
        if iterations >= STEPS {
            return Err(unfinished(named, y, &state, Some(&moves)));
        }
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let tried: Vec<f64> = coef.iter().zip(&step).map(|(b, s)| b + share * s).collect();
            let next = State::at(x, y, &center[..k], &tried);
            if next.log_likelihood >= state.log_likelihood - 1e-12 * state.log_likelihood.abs() {
                (coef, state) = (tried, next);
                break;
            }
            share /= 2.0;
        }
        iterations += 1;
    }
}

/// For columns that are nearly collinear: the iteration on `Z = (X - center) W` of the linear fit, whose columns are
/// orthonormal, and the way back.
fn orthogonal(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, start: &Estimates) -> Result<Maximum> {
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
    let zero = Estimates { center: vec![0.0; k], ..start.clone() };
    let inner = newton(&design, y, &zero, x)?;
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
    Ok(Maximum { coef, center: start.center.clone(), whitening, ..inner })
}

impl State {
    fn at(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, center: &[f64], coef: &[f64]) -> Self {
        let predictor = linear(x, center, coef);
        let log_likelihood = over_chunks(y.len(), |start, end| {
            (start..end).map(|i| log_probability(predictor[i], y[i])).sum::<f64>()
        })
        .iter()
        .sum();
        Self { predictor, log_likelihood }
    }

    /// The square root of each row's working weight, `sqrt(mu (1 - mu)) = 1 / (2 cosh(eta / 2))`.
    fn root_weights(&self) -> Vec<f64> {
        fill_chunks(self.predictor.len(), |start, values| {
            for (value, i) in values.iter_mut().zip(start..) {
                let small = (-self.predictor[i].abs()).exp();
                *value = small.sqrt() / (1.0 + small);
            }
        })
    }

    /// `y - mu`, without cancellation.
    fn residuals(&self, y: ArrayView1<'_, f64>) -> Vec<f64> {
        fill_chunks(self.predictor.len(), |start, values| {
            for (value, i) in values.iter_mut().zip(start..) {
                // The probability of the outcome that was not seen, with the sign of the one that was.
                let sign = 2.0 * y[i] - 1.0;
                *value = sign * probability(-sign * self.predictor[i]);
            }
        })
    }
}

/// `1 / (1 + exp(-eta))`.
fn probability(eta: f64) -> f64 {
    let small = (-eta.abs()).exp();
    if eta >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

/// The logarithm of the probability of `y` at a linear predictor.
fn log_probability(eta: f64, y: f64) -> f64 {
    let towards = if y == 1.0 { eta } else { -eta };
    towards.min(0.0) - (-eta.abs()).exp().ln_1p()
}

/// `(x - center)' b` of every row.
fn linear(x: &DesignMatrix<'_>, center: &[f64], coef: &[f64]) -> Vec<f64> {
    let first = usize::from(x.has_intercept());
    let (base, slopes) = (if first == 1 { coef[0] } else { 0.0 }, &coef[first..]);
    let center = &center[first..x.k()];
    fill_chunks(x.n(), |start, values| {
        for (value, i) in values.iter_mut().zip(start..) {
            let row = x.stored(i);
            let sum: f64 = match row.as_slice() {
                Some(row) => row.iter().zip(slopes).zip(center).map(|((v, b), c)| (v - c) * b).sum(),
                None => row.iter().zip(slopes).zip(center).map(|((v, b), c)| (v - c) * b).sum(),
            };
            *value = base + sum;
        }
    })
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

/// The whitening at a state and the Newton step; `None` when the information is numerically singular.
fn direction(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    center: &[f64],
    state: &State,
) -> Option<(Vec<Vec<f64>>, Vec<f64>)> {
    let k = x.k();
    let roots = state.root_weights();
    let residuals = state.residuals(y);
    let working: Vec<f64> =
        residuals.iter().zip(&roots).map(|(e, r)| if *r > 0.0 { e / (r * r) } else { 0.0 }).collect();
    let gram = cross_products(x, center, Some(ArrayView1::from(working.as_slice())), Some(&roots));
    let inner: Vec<Vec<f64>> = (0..k).map(|a| (0..k).map(|b| gram[(a, b)]).collect()).collect();
    let whitening = factor(&inner, 1e-8).ok()?.inverse;
    let products: Vec<f64> = (0..k).map(|a| gram[(a, k)]).collect();
    let step = ols::solve(&whitening, &products);
    step.iter().all(|v| v.is_finite()).then_some((whitening, step))
}

/// The error of an iteration that does not settle.
fn unfinished(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    state: &State,
    moves: Option<&[f64]>,
) -> crate::Error {
    separation(x, y, &state.predictor, moves).unwrap_or_else(|| {
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
