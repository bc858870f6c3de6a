//! Generalised estimating equations with an exchangeable or independent working correlation.
//!
//! `sum_g D_g' V_g^{-1} (y_g - mu_g) = 0` with `V_g = phi A_g^{1/2} R(alpha) A_g^{1/2}`, A the variance of the family.
//! Correlation and dispersion are moments of the Pearson residuals e: `phi = sum e^2 / (n - p)` and
//! `alpha = sum_g sum_{j<k} e_j e_k / phi / (pairs - p)` with p = 0 (as geepack and Stata) or the number of coefficients (as
//! SAS and the package gee). Each step solves the equations at the current alpha; the iteration begins at independence, where
//! shape, rank and separation are checked, and ends when a step moves no coefficient by 1e-11 standard errors. Where a step
//! meets a correlation that clusters of their size cannot have, the equations are solved under independence, and the
//! result says so: the sandwich is as robust there.
//!
//! The rows of a cluster are whitened by `V_g^{-1/2}`, which for equal correlation takes no matrix (`blocks.rs`). The
//! model-based covariance of a yes-or-no outcome takes phi as 1, and so does MBN.
//!
//! K.-Y. Liang and S. L. Zeger (1986), doi:10.1093/biomet/73.1.13.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use super::blocks::{Blocks, Whitened, aside_of, chained, coefficients, normal_equations, whiten_equally};
use super::estimates::{Estimates, new_id};
use super::family::Family;
use super::{glm, ols};
use crate::inference::{Bread, Clusters, Covariance, DfRule, Identity, Link, Sandwich, Vcov, check_clusters};
use crate::linalg::DesignMatrix;
use crate::progress::{go_on, watcher};
use crate::words::words;
use crate::{Error, Fault, Result};

/// Steps after which an iteration has not settled.
const STEPS: usize = 200;
/// A step that moves no coefficient by this many standard errors is the last.
const SETTLED: f64 = 1e-11;
/// Residuals are rounding where they are below this share of the outcomes.
const NOTHING: f64 = 1e-13;

/// The distribution of the outcome, by its usual name; the link is the canonical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum GeeFamily {
    /// A number, with the identity link.
    #[default]
    Gaussian,
    /// 0 or 1, with the logit link.
    Binomial,
}

words!(GeeFamily, "family", Gaussian => "gaussian", Binomial => "binomial");

/// How the rows of a cluster are taken to be correlated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Correlation {
    /// One correlation for every pair.
    #[default]
    Exchangeable,
    /// None.
    Independence,
}

words!(Correlation, "working correlation", Exchangeable => "exchangeable", Independence => "independence");

/// What the moments of correlation and dispersion are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Divisor {
    /// Rows and pairs.
    #[default]
    Rows,
    /// Rows and pairs less the number of coefficients.
    Residual,
}

words!(Divisor, "divisor", Rows => "n", Residual => "n-p");

/// A fit to be made.
///
/// ```
/// use crewe::inference::{Clusters, Vcov};
/// use crewe::regression::gee::{Correlation, Gee};
/// use ndarray::array;
/// let y = array![1.0, 2.0, 2.0, 4.0, 5.0, 4.0, 3.0, 6.0];
/// let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [0.0], [1.0]];
/// let schools = Clusters::new(&[0, 0, 1, 2, 2, 3, 1, 3])?;
/// let fit = Gee::new(y.view(), x.view(), &schools).correlation(Correlation::Exchangeable).fit()?;
/// assert!((fit.coef()[1] - 2.75).abs() < 1e-10);
/// assert_eq!(fit.vcov(Vcov::Kc)?.df()?[1], 2.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gee<'a> {
    y: ArrayView1<'a, f64>,
    y_name: String,
    x: DesignMatrix<'a>,
    clusters: &'a Clusters,
    family: GeeFamily,
    correlation: Correlation,
    divisor: Divisor,
}

impl<'a> Gee<'a> {
    /// Of `y` (length n) on an intercept and the columns of `x` (n x p).
    pub fn new(y: ArrayView1<'a, f64>, x: ArrayView2<'a, f64>, clusters: &'a Clusters) -> Self {
        Self::of(y, "y", DesignMatrix::new(x, true), clusters)
    }

    /// Of `y` on a design.
    pub fn of(y: ArrayView1<'a, f64>, y_name: &str, x: DesignMatrix<'a>, clusters: &'a Clusters) -> Self {
        let (family, correlation, divisor) = Default::default();
        Self { y, y_name: y_name.to_owned(), x, clusters, family, correlation, divisor }
    }

    /// The distribution of the outcome.
    #[must_use]
    pub fn family(mut self, family: GeeFamily) -> Self {
        self.family = family;
        self
    }

    /// The working correlation.
    #[must_use]
    pub fn correlation(mut self, correlation: Correlation) -> Self {
        self.correlation = correlation;
        self
    }

    /// What moments are divided by.
    #[must_use]
    pub fn divisor(mut self, divisor: Divisor) -> Self {
        self.divisor = divisor;
        self
    }

    /// Solves the equations.
    ///
    /// # Errors
    /// As [`ols::fit`] and [`glm::fit`]; [`crate::Error::Input`] for fewer than two clusters and a model that fits every
    /// outcome; [`crate::Error::Convergence`] where the iteration does not settle.
    pub fn fit(&self) -> Result<GeeFit> {
        check_clusters(self.clusters.count())?;
        self.clusters.checked(self.y.len())?;
        let estimates = match self.family {
            GeeFamily::Gaussian => ols::fit(&self.x, self.y, &self.y_name, None)?.estimates,
            GeeFamily::Binomial => {
                glm::fit(Family::LOGIT, &self.x, self.y, &self.y_name, None, None)?.estimates
            }
        };
        let alpha = match Solver::new(self, &estimates)?.solve()? {
            Solved::Fit(fit) => return Ok(*fit),
            Solved::Impossible(alpha) => alpha,
        };
        let alone = self.clone().correlation(Correlation::Independence);
        match Solver::new(&alone, &estimates)?.solve()? {
            Solved::Fit(mut fit) => {
                fit.summary.impossible = Some(alpha);
                Ok(*fit)
            }
            // Independence estimates no correlation.
            Solved::Impossible(_) => Err(unsettled()),
        }
    }
}

/// How an iteration ends.
enum Solved {
    Fit(Box<GeeFit>),
    /// At a correlation that clusters of their size cannot have.
    Impossible(f64),
}

/// Solved estimating equations; k coefficients, n rows.
#[derive(Debug, Clone)]
pub struct GeeFit {
    blocks: Arc<Blocks>,
    residuals: Vec<f64>,
    summary: GeeSummary,
}

/// What a fit says beside its coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GeeSummary {
    /// The distribution.
    pub family: GeeFamily,
    /// The working correlation.
    pub correlation: Correlation,
    /// The estimated correlation of two rows of a cluster; 0 under independence, and where no cluster has two rows.
    pub alpha: f64,
    /// The correlation that came out although clusters of their size cannot have it, so that the equations were solved under
    /// independence.
    pub impossible: Option<f64>,
    /// The dispersion.
    pub scale: f64,
    /// Whether no cluster has two rows.
    pub single: bool,
    /// Steps taken.
    pub iterations: usize,
}

impl GeeFit {
    /// The coefficients, length k, the intercept first.
    pub fn coef(&self) -> &[f64] {
        &self.blocks.coef
    }

    /// The names of the terms, length k.
    pub fn names(&self) -> &[String] {
        &self.blocks.names
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.residuals.len()
    }

    /// `y - mu`, length n, in the order of the rows.
    pub fn residuals(&self) -> &[f64] {
        &self.residuals
    }

    /// Correlation, dispersion and the way to them.
    pub fn summary(&self) -> &GeeSummary {
        &self.summary
    }

    /// The covariance of the coefficients: `iid` is the model-based one, `CR0` the sandwich of Liang and Zeger.
    ///
    /// # Errors
    /// As [`crate::inference::covariance()`], and [`crate::Error::Input`] for HC0 to HC3 and for no more clusters than
    /// coefficients.
    pub fn vcov(&self, kind: Vcov) -> Result<Covariance<'static>> {
        self.vcov_with(kind, DfRule::Default)
    }

    /// As [`GeeFit::vcov`], with another rule for the degrees of freedom.
    ///
    /// # Errors
    /// As [`GeeFit::vcov`].
    pub fn vcov_with(&self, kind: Vcov, rule: DfRule) -> Result<Covariance<'static>> {
        self.blocks.vcov(kind, rule)
    }

    /// A covariance again from its numbers.
    ///
    /// # Errors
    /// [`crate::Error::Input`] where the numbers are those of another fit.
    pub fn attach(&self, sandwich: &Arc<Sandwich>) -> Result<Covariance<'static>> {
        self.blocks.attach(sandwich)
    }

    /// The linear predictor or the mean at other rows (m x the columns that the model was fitted to).
    ///
    /// # Errors
    /// [`crate::Error::Input`] for rows of another width.
    pub fn predict(&self, rows: ArrayView2<'_, f64>, linear_predictor: bool) -> Result<Vec<f64>> {
        self.blocks.predict(rows, linear_predictor)
    }
}

/// The iteration, in columns that the fit under independence has whitened.
struct Solver<'s, 'a> {
    gee: &'s Gee<'a>,
    bread: &'s Bread,
    start: &'s Estimates,
    data: Whitened,
    y: Vec<f64>,
    residuals: Vec<f64>,
    /// The linear predictor of the start, for families with a link.
    predictor: Vec<f64>,
}

/// Where the iteration is.
struct State {
    /// Pearson residuals, and the rows times the root of the working weight.
    rows: Vec<f64>,
    pearson: Vec<f64>,
    residuals: Vec<f64>,
    scale: f64,
    alpha: f64,
}

impl<'s, 'a> Solver<'s, 'a> {
    fn new(gee: &'s Gee<'a>, start: &'s Estimates) -> Result<Self> {
        let data = Whitened::new(&gee.x, &start.bread, gee.clusters);
        let y: Vec<f64> = data.order.iter().map(|&i| gee.y[i as usize]).collect();
        let residuals = data.ordered(&start.residuals);
        let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        if squares(&residuals) <= NOTHING * NOTHING * squares(&y) {
            return Err(Fault::new(
                "the model fits every outcome exactly, so there is no variation to judge it by",
            )
            .column(&gee.y_name)
            .remedy("Check the outcome: it may be the same for everybody, or stand among the covariates")
            .input());
        }
        let predictor = data.project(start.bread.whitened_coef());
        Ok(Self { gee, bread: &start.bread, start, data, y, residuals, predictor })
    }

    /// Rows, residuals and moments with the coefficients moved by `d` from the start.
    fn state(&self, d: &[f64]) -> Result<State> {
        let k = self.data.k;
        let moved = self.data.project(d);
        let mut rows = self.data.rows.clone();
        let (residuals, pearson): (Vec<f64>, Vec<f64>) = match self.gee.family {
            GeeFamily::Gaussian => {
                let residuals: Vec<f64> = self.residuals.iter().zip(&moved).map(|(e, m)| e - m).collect();
                (residuals.clone(), residuals)
            }
            GeeFamily::Binomial => {
                let link = self.start.link;
                let each = self.predictor.iter().zip(&moved).zip(&self.y).zip(rows.chunks_exact_mut(k));
                each.map(|(((p, m), y), row)| {
                    let mean = link.mean(p + m);
                    let root = (mean * (1.0 - mean)).sqrt();
                    row.iter_mut().for_each(|value| *value *= root);
                    (y - mean, (y - mean) / root)
                })
                .unzip()
            }
        };
        let (scale, alpha) = self.moments(&pearson)?;
        Ok(State { rows, pearson, residuals, scale, alpha })
    }

    fn moments(&self, pearson: &[f64]) -> Result<(f64, f64)> {
        let less = if self.gee.divisor == Divisor::Residual { self.data.k as f64 } else { 0.0 };
        let squares: f64 = pearson.iter().map(|e| e * e).sum();
        let scale = squares / (pearson.len() as f64 - less);
        if self.gee.correlation == Correlation::Independence {
            return Ok((scale, 0.0));
        }
        let (mut products, mut pairs) = (0.0, 0.0);
        for range in self.data.clusters() {
            let size = range.len();
            let cluster = &pearson[range];
            let (sum, own) = cluster.iter().fold((0.0, 0.0), |(sum, own), e| (sum + e, own + e * e));
            products += 0.5 * (sum * sum - own);
            pairs += 0.5 * (size * (size - 1)) as f64;
        }
        if pairs == 0.0 {
            return Ok((scale, 0.0));
        }
        if pairs <= less {
            return Err(Fault::new(format!(
                "{pairs} pairs of rows cannot tell a correlation beside {less} coefficients"
            ))
            .remedy("Take the working correlation 'independence'")
            .input());
        }
        Ok((scale, products / (scale * (pairs - less))))
    }

    /// Whether clusters of their size can have this correlation.
    fn is_possible(&self, alpha: f64) -> bool {
        let largest = self.data.clusters().map(|range| range.len()).max().unwrap_or(1);
        alpha == 0.0 || (alpha < 1.0 && alpha > -1.0 / (largest as f64 - 1.0))
    }

    /// The rows whitened by `R^{-1/2}`, and their residuals.
    fn whiten(&self, state: &mut State) {
        let k = self.data.k;
        for range in self.data.clusters() {
            let size = range.len() as f64;
            let a = 1.0 / (1.0 - state.alpha).sqrt();
            let b = 1.0 / (1.0 + (size - 1.0) * state.alpha).sqrt();
            let rows = &mut state.rows[range.start * k..range.end * k];
            whiten_equally(rows, &mut state.pearson[range], k, a, b);
        }
    }

    fn solve(self) -> Result<Solved> {
        let watcher = watcher();
        let k = self.data.k;
        let names = &self.start.names;
        let mut d = vec![0.0; k];
        let mut before = f64::NAN;
        for iterations in 1..=STEPS {
            go_on(&watcher)?;
            let mut state = self.state(&d)?;
            if !self.is_possible(state.alpha) {
                return Ok(Solved::Impossible(state.alpha));
            }
            self.whiten(&mut state);
            let (found, score) = normal_equations(&state.rows, &state.pearson, k, names)?;
            let half = ols::half(&found.inverse, &score);
            // In units of standard errors, whatever the outcome's.
            let step = half.iter().fold(0.0_f64, |most, s| most.max(s.abs())) / state.scale.sqrt();
            let still =
                (state.alpha - before).abs() <= SETTLED || self.gee.correlation == Correlation::Independence;
            if step <= SETTLED && (still || state.alpha == 0.0) {
                return Ok(Solved::Fit(Box::new(self.finish(state, &found.inverse, &d, iterations))));
            }
            before = state.alpha;
            let move_by = ols::other_half(&found.inverse, &half);
            d.iter_mut().zip(&move_by).for_each(|(d, m)| *d += m);
        }
        Err(unsettled())
    }

    fn finish(self, mut state: State, inverse: &[Vec<f64>], d: &[f64], iterations: usize) -> GeeFit {
        let k = self.data.k;
        let dispersion = if self.gee.family == GeeFamily::Binomial { 1.0 } else { state.scale };
        let root = dispersion.sqrt();
        // Rows, residuals and factor of the information with the dispersion in it.
        let inverse: Vec<Vec<f64>> =
            inverse.iter().map(|row| row.iter().map(|w| w * root).collect()).collect();
        state.rows.iter_mut().chain(&mut state.pearson).for_each(|value| *value /= root);
        Blocks::rewhiten(&mut state.rows, &inverse);
        let whitened: Vec<f64> = self.bread.whitened_coef().iter().zip(d).map(|(w, d)| w + d).collect();
        let (centred, coef) = coefficients(self.bread, &whitened);
        let bread = Bread::new(
            self.gee.x.has_intercept(),
            &chained(self.bread, &inverse),
            self.bread.center().to_vec(),
            self.bread.center_rest().to_vec(),
            centred,
            1.0,
        );
        let link: &'static dyn Link =
            if self.gee.family == GeeFamily::Binomial { self.start.link } else { &Identity };
        let count = self.gee.clusters.count();
        let single = self.data.clusters().all(|range| range.len() == 1);
        let residuals = self.data.restored(&state.residuals);
        let blocks = Blocks {
            names: self.start.names.clone(),
            coef,
            bread,
            link,
            starts: self.data.starts,
            rows: state.rows,
            residuals: state.pearson,
            degrees: count as f64 - k as f64,
            aside: aside_of(&self.gee.x),
            components: None,
            id: new_id(),
        };
        let summary = GeeSummary {
            family: self.gee.family,
            correlation: self.gee.correlation,
            alpha: state.alpha,
            impossible: None,
            scale: state.scale,
            single,
            iterations,
        };
        GeeFit { blocks: Arc::new(blocks), residuals, summary }
    }
}

fn unsettled() -> Error {
    Fault::new(format!("the estimating equations did not settle in {STEPS} steps"))
        .remedy("Take the working correlation 'independence', or leave covariates out")
        .convergence()
}
