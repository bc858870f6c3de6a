//! The linear mixed model with an intercept for every cluster, by restricted maximum likelihood.
//!
//! `y = X b + u_g + e` with variances `s_b` between and `s` within clusters. In a cluster of n rows V has the eigenvalue
//! `v = s + n s_b` along the mean and s across it, so everything is sums over clusters: the cross-products of rows about the
//! means of their clusters, S, and, for each size n, those of the means, `B_n = sum u_g u_g' / n` with u the sum of rows.
//! At the ratio `t = s_b / s` the information is `A = S + sum B_n / (1 + n t)`, and the restricted likelihood is profiled
//! over t alone. It may have several maxima: it is looked at over a grid of the correlation `t / (1 + t)` first, and then its
//! slope is brought to 0 by bisection. Where it falls from t = 0 on the estimate is 0, the boundary, and the result says so.
//!
//! D. A. Harville (1977), doi:10.1080/01621459.1977.10480998. Standard errors and degrees of freedom: `components.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::Serialize;

use super::blocks::{Blocks, Whitened, aside_of, chained, coefficients, turned, whiten_equally};
use super::estimates::{Estimates, new_id};
use super::ols::{self, RANK_TOLERANCE, rank_error_of};
use crate::inference::{
    Bread, Clusters, Components, Covariance, DfRule, Identity, Sandwich, Vcov, check_clusters,
};
use crate::linalg::DesignMatrix;
use crate::linalg::factor::{Factor, factor};
use crate::progress::{go_on, watcher};
use crate::{Fault, Result};

/// Correlations at which the likelihood is first looked at.
const POINTS: u32 = 200;
/// Halvings of the stretch in which the slope changes its sign.
const HALVINGS: u32 = 100;
/// Squares within clusters are rounding where they are below this share of all.
const NOTHING: f64 = 1e-26;

/// A mixed model fitted by restricted maximum likelihood; k coefficients, n rows.
#[derive(Debug, Clone)]
pub struct MixedFit {
    blocks: Arc<Blocks>,
    residuals: Vec<f64>,
    summary: MixedSummary,
}

/// What a fit says beside its coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MixedSummary {
    /// The variance between clusters.
    pub between: f64,
    /// The variance within clusters.
    pub within: f64,
    /// `between / (between + within)`.
    pub icc: f64,
    /// Whether the variance between clusters lies at its boundary, 0.
    pub boundary: bool,
    /// The restricted log-likelihood.
    pub log_likelihood: f64,
}

/// Fits the model; `y_name` stands in errors.
///
/// # Errors
/// As [`ols::fit`]; [`crate::Error::Input`] for fewer than two clusters, clusters of one row each, and outcomes that do not
/// vary within clusters.
///
/// ```
/// use crewe::inference::{Clusters, Vcov};
/// use crewe::linalg::DesignMatrix;
/// use crewe::regression::mixed;
/// use ndarray::array;
/// let y = array![1.0, 2.0, 5.0, 4.0, 5.0, 6.0, 9.0, 8.0];
/// let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
/// let schools = Clusters::new(&[0, 0, 1, 1, 2, 2, 3, 3])?;
/// let fit = mixed::fit(&DesignMatrix::new(x.view(), true), y.view(), "y", &schools)?;
/// // Balanced: the analysis of variance, mean squares 9 between and 0.5 within.
/// assert!((fit.summary().between - 4.25).abs() < 1e-9 && (fit.summary().within - 0.5).abs() < 1e-9);
/// assert!((fit.vcov(Vcov::KenwardRoger)?.df()?[1] - 2.0).abs() < 1e-8);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn fit(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    y_name: &str,
    clusters: &Clusters,
) -> Result<MixedFit> {
    check_clusters(clusters.count())?;
    clusters.checked(y.len())?;
    let start = ols::fit(x, y, y_name, None)?.estimates;
    let data = Whitened::new(x, &start.bread, clusters);
    if data.clusters().all(|range| range.len() == 1) {
        return Err(Fault::new(
            "every cluster has one row, so variation between clusters and within cannot be told apart",
        )
        .remedy("Use ordinary least squares, or name the clusters that hold several rows")
        .input());
    }
    let sums = Sums::new(&data, &data.ordered(&start.residuals));
    if sums.flat() {
        return Err(Fault::new("the outcome does not vary within clusters beyond what the model says")
            .column(y_name)
            .remedy("Analyse one row a cluster, or the means of clusters (cluster-level analysis)")
            .input());
    }
    let ratio = sums.estimate()?;
    finish(x, &start, data, &sums, ratio)
}

impl MixedFit {
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

    /// `y - X b`, length n: what the intercepts of clusters explain included.
    pub fn residuals(&self) -> &[f64] {
        &self.residuals
    }

    /// The variances and the likelihood.
    pub fn summary(&self) -> &MixedSummary {
        &self.summary
    }

    /// The covariance of the coefficients: `kenward-roger`, `satterthwaite`, `iid` (the same matrix on z), or a clustered
    /// kind, on t(G - 1).
    ///
    /// # Errors
    /// As [`crate::inference::covariance()`].
    pub fn vcov(&self, kind: Vcov) -> Result<Covariance<'static>> {
        self.vcov_with(kind, DfRule::Default)
    }

    /// As [`MixedFit::vcov`], with another rule for the degrees of freedom.
    ///
    /// # Errors
    /// As [`MixedFit::vcov`].
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

    /// The mean at other rows (m x the columns that the model was fitted to), without the intercept of a cluster.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for rows of another width.
    pub fn predict(&self, rows: ArrayView2<'_, f64>) -> Result<Vec<f64>> {
        self.blocks.predict(rows, true)
    }
}

/// Cross-products within clusters, and those of the means of clusters by size, of whitened columns and residuals.
struct Sums {
    k: usize,
    n: f64,
    within: Products,
    /// By size: how many clusters, and their products.
    between: BTreeMap<usize, (f64, Products)>,
}

#[derive(Clone)]
struct Products {
    matrix: Array2<f64>,
    cross: Array1<f64>,
    squares: f64,
}

impl Products {
    fn zero(k: usize) -> Self {
        Self { matrix: Array2::zeros((k, k)), cross: Array1::zeros(k), squares: 0.0 }
    }

    fn add(&mut self, factor: f64, other: &Self) {
        self.matrix.scaled_add(factor, &other.matrix);
        self.cross.scaled_add(factor, &other.cross);
        self.squares += factor * other.squares;
    }

    fn add_row(&mut self, factor: f64, z: &[f64], e: f64) {
        let k = z.len();
        for a in 0..k {
            for b in a..k {
                self.matrix[(a, b)] += factor * z[a] * z[b];
            }
            self.cross[a] += factor * z[a] * e;
        }
        self.squares += factor * e * e;
    }

    fn mirrored(mut self) -> Self {
        for a in 0..self.cross.len() {
            for b in 0..a {
                self.matrix[(a, b)] = self.matrix[(b, a)];
            }
        }
        self
    }

    /// The squares of residuals with the coefficients moved by `d`, and their products with the rows.
    fn at(&self, d: &Array1<f64>) -> (f64, Array1<f64>) {
        let explained = self.matrix.dot(d);
        let cross = &self.cross - &explained;
        (self.squares - self.cross.dot(d) - cross.dot(d), cross)
    }
}

/// The likelihood at a ratio.
struct Profile {
    likelihood: f64,
    /// Of -2 times the likelihood, in the ratio.
    slope: f64,
    squares: f64,
    moved: Array1<f64>,
    factor: Factor<f64>,
}

impl Sums {
    fn new(data: &Whitened, residuals: &[f64]) -> Self {
        let k = data.k;
        let mut within = Products::zero(k);
        let mut between: BTreeMap<usize, (f64, Products)> = BTreeMap::new();
        let (mut mean, mut row) = (vec![0.0; k], vec![0.0; k]);
        for range in data.clusters() {
            let size = range.len() as f64;
            let rows = &data.rows[range.start * k..range.end * k];
            let e = &residuals[range.clone()];
            mean.fill(0.0);
            for z in rows.chunks_exact(k) {
                mean.iter_mut().zip(z).for_each(|(mean, z)| *mean += z / size);
            }
            let centre = e.iter().sum::<f64>() / size;
            if range.len() > 1 {
                for (z, e) in rows.chunks_exact(k).zip(e) {
                    row.iter_mut().zip(z).zip(&mean).for_each(|((row, z), mean)| *row = z - mean);
                    within.add_row(1.0, &row, e - centre);
                }
            }
            let (count, products) = between.entry(range.len()).or_insert_with(|| (0.0, Products::zero(k)));
            *count += 1.0;
            products.add_row(size, &mean, centre);
        }
        let between = between.into_iter().map(|(size, (count, p))| (size, (count, p.mirrored()))).collect();
        Self { k, n: residuals.len() as f64, within: within.mirrored(), between }
    }

    /// Whether nothing is left within clusters.
    fn flat(&self) -> bool {
        let all = self.within.squares + self.between.values().map(|(_, p)| p.squares).sum::<f64>();
        self.within.squares <= NOTHING * all
    }

    fn profile(&self, ratio: f64) -> Result<Profile> {
        let mut total = self.within.clone();
        let (mut logs, mut rise) = (0.0, 0.0);
        let mut fall = Products::zero(self.k);
        for (&size, (count, products)) in &self.between {
            let size = size as f64;
            let shrunk = 1.0 / (1.0 + size * ratio);
            total.add(shrunk, products);
            fall.add(size * shrunk * shrunk, products);
            logs += count * (size * ratio).ln_1p();
            rise += count * size * shrunk;
        }
        let inner: Vec<Vec<f64>> = total.matrix.outer_iter().map(|row| row.to_vec()).collect();
        let found = factor(&inner, RANK_TOLERANCE)
            .map_err(|lost| rank_error_of(&vec![String::new(); self.k], &lost))?;
        let moved = Array1::from(ols::solve(&found.inverse, total.cross.as_slice().unwrap_or_default()));
        let squares = total.at(&moved).0;
        let free = self.n - self.k as f64;
        let determinant: f64 = -2.0 * (0..self.k).map(|j| found.inverse[j][j].ln()).sum::<f64>();
        let trace = turned(&fall.matrix, &found.inverse).diag().sum();
        Ok(Profile {
            likelihood: -0.5 * (free * squares.ln() + logs + determinant),
            slope: rise - trace - free * fall.at(&moved).0 / squares,
            squares,
            moved,
            factor: found,
        })
    }

    /// The ratio of the variances.
    fn estimate(&self) -> Result<f64> {
        let watcher = watcher();
        let ratio = |icc: f64| icc / (1.0 - icc);
        let icc = |i: u32| f64::from(i) / f64::from(POINTS);
        let (mut best, mut most) = (0, f64::NEG_INFINITY);
        for i in 0..POINTS {
            go_on(&watcher)?;
            let found = self.profile(ratio(icc(i)))?.likelihood;
            if found > most {
                (best, most) = (i, found);
            }
        }
        if best == 0 && self.profile(0.0)?.slope >= 0.0 {
            return Ok(0.0);
        }
        let (mut low, mut high) = (ratio(icc(best.saturating_sub(1))), ratio(icc(best + 1).min(1.0 - 1e-12)));
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.profile(middle)?.slope < 0.0 { low = middle } else { high = middle }
        }
        Ok(0.5 * (low + high))
    }
}

/// The fit at the ratio that was found.
fn finish(
    x: &DesignMatrix<'_>,
    start: &Estimates,
    mut data: Whitened,
    sums: &Sums,
    ratio: f64,
) -> Result<MixedFit> {
    let (k, names, start, mut left) = (data.k, &start.names, &start.bread, data.ordered(&start.residuals));
    let found = sums.profile(ratio)?;
    let free = sums.n - k as f64;
    let within = found.squares / free;
    let between = ratio * within;
    let root = within.sqrt();
    let inverse: Vec<Vec<f64>> =
        found.factor.inverse.iter().map(|row| row.iter().map(|w| w * root).collect()).collect();
    let moved = data.project(found.moved.as_slice().unwrap_or_default());
    left.iter_mut().zip(&moved).for_each(|(e, m)| *e -= m);
    let residuals = data.restored(&left);
    let whitened: Vec<f64> = start.whitened_coef().iter().zip(&found.moved).map(|(w, d)| w + d).collect();
    let (centred, coef) = coefficients(start, &whitened);
    // Of the columns as they are: X'X has the determinant of W W' inverted.
    let first: f64 = (0..k).map(|j| start.whitening()[j * k + j].ln()).sum();
    let log_likelihood =
        found.likelihood - 0.5 * free * (1.0 + (2.0 * std::f64::consts::PI / free).ln()) + first;
    let bread = Bread::new(
        x.has_intercept(),
        &chained(start, &inverse),
        start.center().to_vec(),
        start.center_rest().to_vec(),
        centred,
        1.0,
    );
    let components = components(sums, &found.moved, &inverse, within, between);
    for range in data.starts.windows(2).map(|ends| ends[0]..ends[1]) {
        let size = range.len() as f64;
        let (a, b) = (1.0 / root, 1.0 / (within + size * between).sqrt());
        whiten_equally(&mut data.rows[range.start * k..range.end * k], &mut left[range], k, a, b);
    }
    Blocks::rewhiten(&mut data.rows, &inverse);
    let degrees = data.starts.len() as f64 - 2.0;
    Ok(MixedFit {
        blocks: Arc::new(Blocks {
            names: names.clone(),
            coef,
            bread,
            link: &Identity,
            starts: data.starts,
            rows: data.rows,
            residuals: left,
            degrees,
            aside: aside_of(x),
            components: Some(components),
            id: new_id(),
        }),
        residuals,
        summary: MixedSummary {
            between,
            within,
            icc: between / (between + within),
            boundary: ratio == 0.0,
            log_likelihood,
        },
    })
}

/// Derivatives of the information by the variances, and how well these are known.
fn components(sums: &Sums, moved: &Array1<f64>, w: &[Vec<f64>], within: f64, between: f64) -> Components {
    let k = sums.k;
    let (s, zero) = (within, || Array2::<f64>::zeros((k, k)));
    let mut first = [zero(), -&sums.within.matrix / (s * s)];
    let mut second = [[zero(), zero()], [zero(), &sums.within.matrix / (s * s * s)]];
    let mut traces = [[0.0; 2]; 2];
    let (squares, cross) = sums.within.at(moved);
    let mut forms = [[0.0, 0.0], [0.0, squares / (s * s * s)]];
    let mut pulls = [Array1::zeros(k), cross / (s * s)];
    for (&size, (count, products)) in &sums.between {
        let size = size as f64;
        let v = s + size * between;
        let (squares, cross) = products.at(moved);
        traces[1][1] += count * (size - 1.0) / (s * s);
        for i in 0..2 {
            // The eigenvalue of G_i along the mean: n between clusters, 1 within.
            let own = if i == 0 { size } else { 1.0 };
            first[i].scaled_add(-own / (v * v), &products.matrix);
            pulls[i].scaled_add(own / (v * v), &cross);
            for j in 0..2 {
                let both = own * if j == 0 { size } else { 1.0 };
                second[i][j].scaled_add(both / (v * v * v), &products.matrix);
                traces[i][j] += count * both / (v * v);
                forms[i][j] += both * squares / (v * v * v);
            }
        }
    }
    let first = first.map(|m| turned(&m, w));
    let second = second.map(|row| row.map(|m| turned(&m, w)));
    let pulls = pulls.map(|pull| Array1::from(ols::half(w, pull.as_slice().unwrap_or_default())));
    let (mut expected, mut hessian) = ([[0.0; 2]; 2], [[0.0; 2]; 2]);
    for i in 0..2 {
        for j in 0..2 {
            expected[i][j] =
                traces[i][j] - 2.0 * second[i][j].diag().sum() + first[i].dot(&first[j]).diag().sum();
            hessian[i][j] = 2.0 * (forms[i][j] - pulls[i].dot(&pulls[j])) - expected[i][j];
        }
    }
    // On the boundary only the variance within moves.
    let observed =
        if between == 0.0 { [[0.0, 0.0], [0.0, 2.0 / hessian[1][1]]] } else { doubled_inverse(hessian) };
    Components::new(first, &second, doubled_inverse(expected), observed)
}

/// Twice the inverse of a symmetric 2 x 2 matrix; not a number where it is not positive definite.
fn doubled_inverse([[a, b], [_, d]]: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let determinant = a * d - b * b;
    let factor = if determinant > 0.0 && a > 0.0 { 2.0 / determinant } else { f64::NAN };
    [[factor * d, -factor * b], [-factor * b, factor * a]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn sums() -> Sums {
        let y = array![1.0, 2.0, 5.0, 4.0, 4.5, 5.0, 6.5, 9.0, 8.0, 2.0];
        let x = array![[0.0], [0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0], [1.0]];
        let clusters = Clusters::new(&[0, 0, 1, 1, 1, 2, 2, 3, 3, 4]).unwrap();
        let x = DesignMatrix::new(x.view(), true);
        let start = ols::fit(&x, y.view(), "y", None).unwrap().estimates;
        let data = Whitened::new(&x, &start.bread, &clusters);
        Sums::new(&data, &data.ordered(&start.residuals))
    }

    #[test]
    fn the_slope_is_that_of_the_likelihood() {
        let sums = sums();
        let step = 1e-5;
        for ratio in [0.1, 0.7, 3.0] {
            let at = |ratio: f64| -2.0 * sums.profile(ratio).unwrap().likelihood;
            let by_differences = (at(ratio + step) - at(ratio - step)) / (2.0 * step);
            assert!((sums.profile(ratio).unwrap().slope - by_differences).abs() < 1e-7);
        }
    }

    #[test]
    fn the_estimate_is_a_maximum() {
        let sums = sums();
        let best = sums.estimate().unwrap();
        let at = |ratio: f64| sums.profile(ratio).unwrap().likelihood;
        assert!(best > 0.0 && sums.profile(best).unwrap().slope.abs() < 1e-9);
        assert!(at(best) > at(0.9 * best) && at(best) > at(1.1 * best));
    }
}
