//! Ordinary least squares.
//!
//! `b = (X'X)^{-1} X'y`, with classical variance `s^2 (X'X)^{-1}`, `s^2 = e'e / (n - k)`. With weights w the sums are
//! weighted: `b = (X'WX)^{-1} X'Wy`, `s^2 = e'We / (n - k)`, n the rows with a weight above 0.
//!
//! The fast path takes one pass for the cross-products of centred columns and a Cholesky factor of their
//! correlations. It is left, without being asked, when a column keeps less than 1/10,000 of its variance beside the
//! others (a variance inflation factor above 10^4, about four digits lost) or when centring cancels: then
//! cross-products, factor, solution and residuals are done in double-doubles, which solves NIST's Filip. Rank is
//! decided there, in the user's order of columns, with a tolerance of 1e-11 on columns scaled to length 1.
//!
//! G. H. Golub and C. F. Van Loan (2013), Matrix Computations, 5.3; NIST/ITL Statistical Reference Datasets.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use super::estimates::{Estimates, Refit, new_id};
use super::fit::{Fit, Summary};
use super::weights::{WeightKind, Weights};
use crate::inference::{Bread, Identity, Reference, Target};
use crate::linalg::double::{Double, Scalar};
use crate::linalg::factor::{Collinear, Factor, factor};
use crate::linalg::gram::{centred, cross_products, fill_chunks, over_chunks, precise_cross_products};
use crate::linalg::matrix::{DesignMatrix, bad_rows, not_finite};
use crate::{Error, Fault, Result};

/// The least share of its variance that a column may keep beside the others on the fast path.
pub(super) const FAST_TOLERANCE: f64 = 1e-4;
/// The rank tolerance on columns of length 1.
pub(super) const RANK_TOLERANCE: f64 = 1e-11;

/// The share of its sum of squares below which a column's variation may be of rounding: the square of a relative 1e-10.
pub(super) const NEARLY: f64 = 1e-20;
/// Residuals are rounding where they are below this share of the outcomes.
pub(super) const NOTHING: f64 = 1e-13;
/// The least sum of squares that keeps its digits.
const SMALLEST: f64 = 1e-280;

/// An ordinary least squares regression to be fitted.
///
/// ```
/// use crewe::inference::{Clusters, Vcov};
/// use crewe::regression::Ols;
/// use ndarray::array;
/// let y = array![1.0, 2.0, 2.0, 4.0, 5.0, 4.0];
/// let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// assert!((fit.coef()[1] - 8.0 / 3.0).abs() < 1e-12);
/// let families = Clusters::new(&[0, 0, 1, 2, 2, 3])?;
/// let robust = fit.vcov(Vcov::Cr2, Some(&families))?;
/// assert!(robust.df()?[1] < 4.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ols<'a> {
    y: ArrayView1<'a, f64>,
    x: DesignMatrix<'a>,
    y_name: String,
    weights: Option<Weights<'a>>,
}

impl<'a> Ols<'a> {
    /// A regression of `y` (length n) on an intercept and the columns of `x` (n x p).
    pub fn new(y: ArrayView1<'a, f64>, x: ArrayView2<'a, f64>) -> Self {
        Self::of(y, DesignMatrix::new(x, true))
    }

    /// A regression of `y` on a design.
    pub fn of(y: ArrayView1<'a, f64>, x: DesignMatrix<'a>) -> Self {
        Self { y, x, y_name: "y".to_owned(), weights: None }
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
    /// [`Error::Input`] when the number of names is wrong.
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
    /// * [`Error::Input`] for lengths that differ, no rows, no more rows than coefficients, values that are not
    ///   finite (column and rows named), weights that are negative or all 0, or an X that has a constant beside the
    ///   intercept;
    /// * [`Error::Rank`] when columns repeat others (named, with those they repeat).
    pub fn fit(self) -> Result<OlsFit<'a>> {
        let summary = fit(&self.x, self.y, &self.y_name, self.weights)?;
        Ok(Fit::resume(self.x, self.y, Arc::new(summary)))
    }
}

/// A fitted least squares regression.
pub type OlsFit<'a> = Fit<'a, OlsSummary>;

/// What a fit holds apart from the data.
///
/// ```
/// use crewe::regression::{Ols, OlsSummary};
/// use ndarray::array;
/// let (y, x) = (array![1.0, 2.0, 4.0], array![[0.0], [0.0], [1.0]]);
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// let summary: &OlsSummary = fit.summary();
/// assert!((summary.r_squared - 25.0 / 28.0).abs() < 1e-15);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct OlsSummary {
    /// Coefficients, whitening and residuals, for inference.
    pub estimates: Estimates,
    /// The residual standard deviation, `sqrt(e'We / (n - k))`.
    pub sigma: f64,
    /// 1 - e'We / total; the total is about the (weighted) mean where there is an intercept, else about 0.
    pub r_squared: f64,
    /// 1 - (1 - R^2) (n - 1) / (n - k), n instead of n - 1 without an intercept.
    pub adj_r_squared: f64,
    /// Whether the double-double path was needed.
    pub precise: bool,
    #[serde(skip)]
    weights: Option<Vec<f64>>,
    kind: WeightKind,
}

impl Summary for OlsSummary {
    fn estimates(&self) -> &Estimates {
        &self.estimates
    }
}

impl Refit for OlsSummary {
    fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    fn refit(&self, x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: &[f64]) -> Result<Vec<f64>> {
        let weights = Weights::new(ArrayView1::from(weights), self.kind);
        Ok(fit(x, y, "y", Some(weights))?.estimates.coef)
    }
}

/// Least squares of `y` on `x`: numbers only, for callers that keep the data themselves.
///
/// # Errors
/// As [`Ols::fit`].
pub fn fit(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    y_name: &str,
    weights: Option<Weights<'_>>,
) -> Result<OlsSummary> {
    let kind = weights.map_or(WeightKind::Probability, |weights| weights.kind());
    let weights =
        weights.map(|weights| weights.check(x.n()).map(|()| weights.values().to_vec())).transpose()?;
    let counted = check_shape(x, y, weights.as_deref())?;
    let solution = match fast(x, y, y_name, weights.as_deref())? {
        Some(solution) => solution,
        None => precise(x, y, weights.as_deref())?,
    };
    summarise(x, y, solution, counted, weights, kind)
}

/// The numbers that both paths arrive at.
struct Solution {
    coef: Vec<f64>,
    /// The centre of the columns in two parts.
    high: Vec<f64>,
    low: Vec<f64>,
    /// The coefficients of the centred model, and `W^{-1}` times them.
    centred: Vec<f64>,
    whitened: Vec<f64>,
    whitening: Vec<Vec<f64>>,
    residuals: Vec<f64>,
    /// The sum of squares of y about its mean, or about 0 without an intercept.
    total: f64,
    /// The sum of squares of y about 0.
    size: f64,
    /// The least share of its variance that a column keeps beside the others.
    tolerance: f64,
    precise: bool,
}

/// The rows that count.
fn check_shape(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: Option<&[f64]>) -> Result<usize> {
    if x.n() != y.len() {
        return Err(Fault::new(format!("y has {} values and X has {} rows", y.len(), x.n()))
            .remedy("Give one row of X for each value of y")
            .input());
    }
    let n = weights.map_or(x.n(), |weights| weights.iter().filter(|w| **w > 0.0).count());
    if n == 0 {
        return Err(Fault::new("there are no rows to analyse")
            .remedy("Check the filter that came before")
            .input());
    }
    if n <= x.k() {
        return Err(Fault::new(format!(
            "{n} rows cannot estimate {} coefficients with anything left over",
            x.k()
        ))
        .remedy("Leave terms out of the model, or bring more data")
        .input());
    }
    Ok(n)
}

/// The fast path; `None` where it would lose digits.
fn fast(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    y_name: &str,
    weights: Option<&[f64]>,
) -> Result<Option<Solution>> {
    let k = x.k();
    let first = usize::from(x.has_intercept());
    // A provisional centre keeps the one pass from cancelling; the exact one follows from the sums.
    let mut shift = vec![0.0; k + 1];
    if first == 1 {
        let sample = x.n().min(64);
        for i in 0..sample {
            for (sum, value) in shift[1..k].iter_mut().zip(x.stored(i)) {
                *sum += value / sample as f64;
            }
            shift[k] += y[i] / sample as f64;
        }
    }
    if shift.iter().any(|value| !value.is_finite()) {
        return Err(first_not_finite(x, y, y_name));
    }
    let roots: Option<Vec<f64>> = weights.map(|weights| weights.iter().map(|w| w.sqrt()).collect());
    let raw = cross_products(x, &shift, Some(y), roots.as_deref())?;
    if raw.iter().any(|value| !value.is_finite()) {
        return Err(first_not_finite(x, y, y_name));
    }
    if (0..=k).any(|j| raw[(j, j)] > 0.0 && raw[(j, j)] < SMALLEST) {
        return Err(underflow(x, y_name, (0..=k).find(|&j| raw[(j, j)] < SMALLEST).unwrap_or(k)));
    }
    let raw: Vec<Vec<f64>> = raw.outer_iter().map(|row| row.to_vec()).collect();
    let gram = if first == 1 { centred(&raw) } else { raw.clone() };
    // A column that is next to constant beside its size, or has lost digits to the provisional centre.
    let size = |j: usize| raw[j][j] + shift[j] * (2.0 * raw[0][j] + shift[j] * raw[0][0]);
    let close = |j: usize| gram[j][j] <= FAST_TOLERANCE * raw[j][j] || gram[j][j] <= NEARLY * size(j);
    if (first..k).any(close) {
        return Ok(None);
    }
    let inner: Vec<Vec<f64>> = gram[..k].iter().map(|row| row[..k].to_vec()).collect();
    let Ok(factor) = factor(&inner, RANK_TOLERANCE) else { return Ok(None) };
    if factor.tolerance < FAST_TOLERANCE {
        return Ok(None);
    }
    let mut low = vec![0.0; k + 1];
    if first == 1 {
        for (j, value) in low.iter_mut().enumerate().skip(1) {
            *value = raw[0][j] / raw[0][0];
        }
    }
    let products: Vec<f64> = gram[..k].iter().map(|row| row[k]).collect();
    let whitened = half(&factor.inverse, &products);
    let slopes = other_half(&factor.inverse, &whitened);
    let residuals = residuals(x, y, (&shift, &low), &slopes)?;
    // The centred model of y less its mean has the constant 0.
    let mean = shift[k] + low[k];
    let (mut coef, mut alpha, mut with_mean) = (slopes.clone(), slopes, whitened);
    if first == 1 {
        alpha[0] = mean;
        with_mean[0] = mean / factor.inverse[0][0];
        coef[0] = mean - (1..k).map(|j| coef[j] * (shift[j] + low[j])).sum::<f64>();
    }
    let total = gram[k][k];
    let size = if first == 1 {
        raw[k][k] + 2.0 * shift[k] * raw[0][k] + shift[k] * shift[k] * raw[0][0]
    } else {
        raw[k][k]
    };
    shift.truncate(k);
    low.truncate(k);
    Ok(Some(Solution {
        coef,
        high: shift,
        low,
        centred: alpha,
        whitened: with_mean,
        whitening: factor.inverse,
        residuals,
        total,
        size,
        tolerance: factor.tolerance,
        precise: false,
    }))
}

/// `W W' v`.
pub(super) fn solve<T: Scalar>(w: &[Vec<T>], v: &[T]) -> Vec<T> {
    other_half(w, &half(w, v))
}

/// `W' v`.
pub(super) fn half<T: Scalar>(w: &[Vec<T>], v: &[T]) -> Vec<T> {
    (0..v.len()).map(|c| dot(&mut (0..=c).map(|r| (w[r][c], v[r])))).collect()
}

/// `W v`.
pub(super) fn other_half<T: Scalar>(w: &[Vec<T>], v: &[T]) -> Vec<T> {
    (0..v.len()).map(|r| dot(&mut (r..v.len()).map(|c| (w[r][c], v[c])))).collect()
}

fn dot<T: Scalar>(pairs: &mut dyn Iterator<Item = (T, T)>) -> T {
    pairs.fold(T::of(0.0), |sum, (a, b)| sum + a * b)
}

/// `y - mean - (x - center) b`, length n; the means of columns and y are sums of two doubles.
fn residuals(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    (high, low): (&[f64], &[f64]),
    slopes: &[f64],
) -> Result<Vec<f64>> {
    let first = usize::from(x.has_intercept());
    let k = x.k();
    let (slopes, center) = (&slopes[first..k], &high[first..k]);
    // What the second part of the means takes off is the same in every row.
    let off = low[k] - slopes.iter().zip(&low[first..k]).map(|(b, l)| b * l).sum::<f64>();
    // The constant part of the centred fit is 0, since centred columns and y sum to 0.
    fill_chunks(x.n(), |start, values| {
        for (value, i) in values.iter_mut().zip(start..) {
            let row = x.stored(i);
            let fitted: f64 = match row.as_slice() {
                Some(row) => row.iter().zip(slopes).zip(center).map(|((v, b), c)| (v - c) * b).sum(),
                None => row.iter().zip(slopes).zip(center).map(|((v, b), c)| (v - c) * b).sum(),
            };
            *value = (y[i] - high[k]) - fitted - off;
        }
    })
}

/// The double-double path, which also decides the rank.
fn precise(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, weights: Option<&[f64]>) -> Result<Solution> {
    let k = x.k();
    let raw = precise_cross_products(x, y, weights)?;
    let inner = |gram: &[Vec<Double>]| gram[..k].iter().map(|row| row[..k].to_vec()).collect::<Vec<_>>();
    factor(&inner(&raw), RANK_TOLERANCE).map_err(|lost| rank_error(x, &lost))?;
    let first = usize::from(x.has_intercept());
    let gram = if first == 1 { centred(&raw) } else { raw.clone() };
    // The raw factor has decided the rank; the centred one only has to be positive definite.
    let Factor { inverse: w, tolerance } = factor(&inner(&gram), 0.0).map_err(|lost| rank_error(x, &lost))?;
    let products: Vec<Double> = gram[..k].iter().map(|row| row[k]).collect();
    let mut whitened = half(&w, &products);
    let mut coef = other_half(&w, &whitened);
    let mut alpha = coef.clone();
    let (mut high, mut low) = (vec![0.0; k], vec![0.0; k]);
    if first == 1 {
        let mean = |j: usize| raw[0][j] / raw[0][0];
        coef[0] = (1..k).fold(mean(k), |rest, j| rest - coef[j] * mean(j));
        for j in 1..k {
            high[j] = mean(j).value();
            low[j] = (mean(j) - Double::of(high[j])).value();
        }
        alpha[0] = mean(k);
        whitened[0] = mean(k) / w[0][0];
    }
    let residuals = fill_chunks(x.n(), |start, values| {
        let mut row = vec![0.0; k];
        let zero = vec![0.0; k];
        for (value, i) in values.iter_mut().zip(start..) {
            x.row(i, &zero, &mut row);
            let rest =
                row.iter().zip(&coef).fold(Double::of(y[i]), |rest, (&v, &b)| rest - b * Double::of(v));
            *value = rest.value();
        }
    })?;
    let values = |from: &[Double]| from.iter().map(|b| b.value()).collect();
    Ok(Solution {
        coef: values(&coef),
        high,
        low,
        centred: values(&alpha),
        whitened: values(&whitened),
        whitening: w.iter().map(|row| row.iter().map(|v| v.value()).collect()).collect(),
        residuals,
        total: gram[k][k].value(),
        size: raw[k][k].value(),
        tolerance,
        precise: true,
    })
}

fn summarise(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    mut solution: Solution,
    counted: usize,
    weights: Option<Vec<f64>>,
    kind: WeightKind,
) -> Result<OlsSummary> {
    let (n, k) = (counted as f64, x.k() as f64);
    let residuals = &solution.residuals;
    let mut squares: f64 = over_chunks(y.len(), |a, b, _| {
        Ok(match &weights {
            None => residuals[a..b].iter().map(|e| e * e).sum::<f64>(),
            Some(weights) => residuals[a..b].iter().zip(&weights[a..b]).map(|(e, w)| w * e * e).sum(),
        })
    })?
    .iter()
    .sum();
    // Residuals that are nothing beside the outcomes are what rounding left of an exact fit.
    let nothing = NOTHING * NOTHING * solution.size;
    if squares <= nothing {
        solution.residuals.fill(0.0);
        squares = 0.0;
    }
    let df = n - k;
    let scale = squares / df;
    let varies = solution.total > nothing;
    if !varies && x.has_intercept() {
        // An outcome that never varies has slopes of 0, and not what rounding leaves of them.
        for values in [&mut solution.coef, &mut solution.centred, &mut solution.whitened] {
            values[1..].fill(0.0);
        }
        solution.coef[0] = solution.centred[0];
    }
    let r_squared = if varies { 1.0 - squares / solution.total } else { f64::NAN };
    let base = if x.has_intercept() { n - 1.0 } else { n };
    let factors = weights
        .as_ref()
        .map(|weights| weights.iter().zip(&solution.residuals).map(|(w, e)| w * e).collect::<Vec<f64>>());
    let target = match (&weights, kind) {
        (Some(_), WeightKind::Probability) => Target::Identity,
        _ => Target::Inverse,
    };
    Ok(OlsSummary {
        estimates: Estimates {
            names: x.names().to_vec(),
            coef: solution.coef,
            bread: Bread::new(
                x.has_intercept(),
                &solution.whitening,
                solution.high,
                solution.low,
                solution.centred,
                scale,
            )
            .with_whitened(solution.whitened),
            residuals: solution.residuals,
            factors,
            roots: weights.as_ref().map(|weights| weights.iter().map(|w| w.sqrt()).collect()),
            variances: None,
            target,
            counted,
            reference: Reference::T { residual: df },
            link: &Identity,
            tolerance: solution.tolerance,
            penalised: false,
            no_model: None,
            id: new_id(),
        },
        sigma: scale.sqrt(),
        r_squared,
        adj_r_squared: 1.0 - (1.0 - r_squared) * base / df,
        precise: solution.precise,
        weights,
        kind,
    })
}

/// Squares of values so small that their products lose digits.
fn underflow(x: &DesignMatrix<'_>, y_name: &str, j: usize) -> Error {
    let name = x.names().get(j).map_or(y_name, String::as_str);
    Fault::new("the squares of the values are too small for the numbers of a computer")
        .column(name)
        .remedy("Rescale the column, for instance to thousandths")
        .input()
}

fn first_not_finite(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, y_name: &str) -> Error {
    let rows = bad_rows(y);
    if !rows.is_empty() {
        return not_finite(y_name, y, &rows);
    }
    x.not_finite().unwrap_or_else(|| {
        Fault::new("the squares of the values overflow")
            .remedy("Rescale the columns, for instance to thousands")
            .input()
    })
}

fn rank_error(x: &DesignMatrix<'_>, lost: &[Collinear]) -> Error {
    let names = x.names();
    let first = &lost[0];
    let name = &names[first.column];
    if x.has_intercept() && (first.with == [0] || first.with.is_empty()) {
        let column = first.column - 1;
        let value = x.columns()[(0, column)];
        let fault = Fault::new(format!("'{name}' has the same value in every row")).column(name);
        return if value == 1.0 && first.column == 1 {
            Fault::new("X already has a constant").column(name).remedy("Pass intercept=False").input()
        } else {
            fault.remedy("Leave it out: it says nothing about differences between rows").rank()
        };
    }
    rank_error_of(names, lost)
}

/// The error of columns that repeat others.
pub(super) fn rank_error_of(names: &[String], lost: &[Collinear]) -> Error {
    let first = &lost[0];
    let name = &names[first.column];
    let with: Vec<&str> = first.with.iter().map(|&j| names[j].as_str()).collect();
    let others = lost[1..].iter().map(|c| format!("'{}'", names[c.column])).collect::<Vec<_>>();
    let more = if others.is_empty() { String::new() } else { format!("; so are {}", others.join(", ")) };
    let problem = if with.is_empty() {
        format!("'{name}' is 0 in every row{more}")
    } else {
        format!(
            "'{name}' repeats what {} already say{more}",
            with.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
        )
    };
    Fault::new(problem).column(name).values(with).remedy("Leave one of these columns out of the model").rank()
}
