//! Least squares from chunks of rows that are never held together.
//!
//! Everything clustered about a linear model depends on the data through `S_g = X_g'X_g` and `r_g = X_g'y_g` of each
//! cluster. They are summed chunk by chunk, about a shift and in units that the first chunk gives, so that the sums keep
//! the digits that centred columns have; clusters may span chunks, and sums that were made apart are merged. The fit and
//! all its clustered covariances are those of the rows in memory (CR0 to CR3, the jackknife, joint tests, margins); what
//! needs single rows (HC0 to HC3) is refused. Where the fit in memory would leave double precision the sums have lost
//! what it would need, and the fit is refused too.
//!
//! G. W. Imbens and M. Kolesar (2016), doi:10.1162/REST_a_00552, for CR2; J. G. MacKinnon, M. O. Nielsen and
//! M. D. Webb (2023), doi:10.1016/j.jeconom.2022.04.001, for the sums.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::estimates::new_id;
use super::ols::{FAST_TOLERANCE, NEARLY, NOTHING, RANK_TOLERANCE, half, other_half, rank_error_of};
use crate::inference::fitted::mirror;
use crate::inference::{
    Bread, Covariance, DfRule, Fitted, Identity, Link, Moments, Reference, Vcov, covariance,
};
use crate::linalg::factor::{Collinear, factor};
use crate::linalg::gram::centred;
use crate::{Fault, Result};

/// A column of a cluster whose spread within it is below this share of its size does not vary there.
const WITHIN: f64 = 1e-12;

/// Sums over clusters of a linear model with an intercept, of p columns.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::regression::Accumulated;
/// use ndarray::array;
/// let mut sums = Accumulated::new(["arm"]);
/// sums.add(array![1.0, 2.0, 2.0].view(), array![[0.0], [0.0], [0.0]].view(), &[1, 1, 2])?;
/// sums.add(array![4.0, 5.0, 4.0].view(), array![[1.0], [1.0], [1.0]].view(), &[3, 3, 4])?;
/// let fit = sums.fit()?;
/// assert!((fit.coef()[1] - 8.0 / 3.0).abs() < 1e-12);
/// let robust = fit.vcov(Vcov::Cr2)?;
/// assert!(robust.df()?[1] < 4.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Accumulated {
    names: Vec<String>,
    /// Shift and unit of every column and of the outcome, length p + 1; from the first chunk.
    origin: Option<Origin>,
    /// `[n, sums; sums, products]` of `[1, x, y]` about the origin, (p + 2) x (p + 2), by the name of the cluster.
    clusters: BTreeMap<u64, Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Origin {
    shift: Vec<f64>,
    unit: Vec<f64>,
}

impl Accumulated {
    /// No rows yet, of columns with these names; the intercept is implied.
    #[must_use]
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = std::iter::once("Intercept".to_owned()).chain(names.into_iter().map(Into::into));
        Self { names: names.collect(), origin: None, clusters: BTreeMap::new() }
    }

    /// Adds rows: the outcome (m), the columns (m x p) and the cluster of each row, by a number that names it.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for lengths that differ and for values that are not finite; nothing is added then.
    pub fn add(&mut self, y: ArrayView1<'_, f64>, x: ArrayView2<'_, f64>, clusters: &[u64]) -> Result<()> {
        let p = self.names.len() - 1;
        if x.ncols() != p || x.nrows() != y.len() || clusters.len() != y.len() {
            return Err(Fault::new(format!(
                "{} outcomes, {} rows of {} columns and {} cluster ids do not make a chunk of {p} columns",
                y.len(),
                x.nrows(),
                x.ncols(),
                clusters.len()
            ))
            .remedy("Give one outcome, one row and one cluster id for each")
            .input());
        }
        let bad: Vec<usize> = (0..y.len())
            .filter(|&i| !y[i].is_finite() || x.row(i).iter().any(|value| !value.is_finite()))
            .collect();
        if !bad.is_empty() {
            return Err(Fault::new(format!(
                "{} of {} rows have missing or infinite values",
                bad.len(),
                y.len()
            ))
            .rows(bad)
            .remedy("Drop or repair these rows before they are added")
            .input());
        }
        if y.is_empty() {
            return Ok(());
        }
        let origin = self.origin.get_or_insert_with(|| Origin::of(y, x));
        let q = p + 2;
        let mut row = vec![0.0; q];
        for ((x, &y), &g) in x.outer_iter().zip(y).zip(clusters) {
            row[0] = 1.0;
            let values = x.iter().copied().chain([y]);
            for (((to, value), shift), unit) in
                row[1..].iter_mut().zip(values).zip(&origin.shift).zip(&origin.unit)
            {
                *to = (value - shift) / unit;
            }
            let sums = self.clusters.entry(g).or_insert_with(|| vec![0.0; q * q]);
            for a in 0..q {
                for b in a..q {
                    sums[a * q + b] += row[a] * row[b];
                }
            }
        }
        Ok(())
    }

    /// Takes in sums that were made elsewhere from other rows of the same columns; clusters of one number are one.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for other columns.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.names != self.names {
            return Err(Fault::new("the sums are of other columns")
                .values(other.names.iter().skip(1).cloned())
                .remedy("Merge sums of the same columns in the same order")
                .input());
        }
        let Some(theirs) = &other.origin else { return Ok(()) };
        let ours = self.origin.get_or_insert_with(|| theirs.clone()).clone();
        let q = self.names.len() + 1;
        for (&g, sums) in &other.clusters {
            let moved = moved(sums, theirs, &ours, q);
            let into = self.clusters.entry(g).or_insert_with(|| vec![0.0; q * q]);
            into.iter_mut().zip(moved).for_each(|(into, value)| *into += value);
        }
        Ok(())
    }

    /// Rows so far.
    pub fn n(&self) -> u64 {
        self.clusters.values().map(|sums| sums[0] as u64).sum()
    }

    /// Least squares from the sums.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for no more rows than coefficients, or columns so nearly collinear that the sums have lost
    /// their digits; [`crate::Error::Rank`] where a column repeats others.
    pub fn fit(&self) -> Result<AccumulatedFit> {
        let Some(origin) = &self.origin else {
            return Err(Fault::new("there are no rows to analyse").remedy("Add some first").input());
        };
        let k = self.names.len();
        let q = k + 1;
        let mut total = vec![0.0; q * q];
        for sums in self.clusters.values() {
            total.iter_mut().zip(sums).for_each(|(total, value)| *total += value);
        }
        let n = total[0];
        if n <= k as f64 {
            return Err(Fault::new(format!(
                "{n} rows cannot estimate {k} coefficients with anything left over"
            ))
            .remedy("Leave terms out of the model, or add more rows")
            .input());
        }
        mirror(&mut total, q);
        let raw: Vec<Vec<f64>> = total.chunks_exact(q).map(<[f64]>::to_vec).collect();
        let gram = centred(&raw);
        let inner: Vec<Vec<f64>> = gram[..k].iter().map(|row| row[..k].to_vec()).collect();
        if let Some(j) = (1..k).find(|&j| {
            let size = origin.shift[j - 1] / origin.unit[j - 1];
            gram[j][j] <= NEARLY * (raw[j][j] + size * (2.0 * raw[0][j] + size * n))
        }) {
            return Err(rank_error_of(&self.names, &[Collinear { column: j, with: vec![0] }]));
        }
        let lost = (1..k).find(|&j| gram[j][j] <= FAST_TOLERANCE * raw[j][j]);
        let found = factor(&inner, RANK_TOLERANCE).map_err(|lost| rank_error_of(&self.names, &lost))?;
        if lost.is_some() || found.tolerance < FAST_TOLERANCE {
            let fault = Fault::new(
                "columns are so nearly collinear, or so far from where the first rows lay, that sums over clusters have \
                 lost their digits",
            )
            .remedy("Fit the model to the rows in memory, centre the columns, or leave one of them out");
            return Err(match lost {
                Some(j) => fault.column(&self.names[j]),
                None => fault,
            }
            .input());
        }
        let low: Vec<f64> = (0..q).map(|j| if j == 0 { 0.0 } else { raw[0][j] / n }).collect();
        let products: Vec<f64> = gram[..k].iter().map(|row| row[k]).collect();
        let mut whitened = half(&found.inverse, &products);
        let mut slopes = other_half(&found.inverse, &whitened);
        let explained: f64 = whitened[1..].iter().map(|w| w * w).sum();
        let unit = |j: usize| origin.unit[j - 1];
        let squares = (gram[k][k] - explained).max(0.0) * unit(k) * unit(k);
        let size = origin.shift[k - 1] + low[k] * unit(k);
        let exact = squares <= NOTHING * NOTHING * (gram[k][k] * unit(k) * unit(k) + n * size * size);
        let residual = n - k as f64;
        let scale = if exact { 0.0 } else { squares / residual };
        // Back to the units of the data: columns by their units, everything by that of the outcome.
        let whitening: Vec<Vec<f64>> = found
            .inverse
            .iter()
            .enumerate()
            .map(|(j, row)| row.iter().map(|w| if j == 0 { *w } else { w / unit(j) }).collect())
            .collect();
        whitened.iter_mut().for_each(|w| *w *= unit(k));
        for (j, slope) in slopes.iter_mut().enumerate().skip(1) {
            *slope *= unit(k) / unit(j);
        }
        let scaled = slopes.clone();
        slopes[0] = size;
        whitened[0] = size / found.inverse[0][0];
        let high: Vec<f64> = (0..k).map(|j| if j == 0 { 0.0 } else { origin.shift[j - 1] }).collect();
        let rest: Vec<f64> = (0..k).map(|j| if j == 0 { 0.0 } else { low[j] * unit(j) }).collect();
        let mut coef = slopes.clone();
        coef[0] = size - (1..k).map(|j| coef[j] * (high[j] + rest[j])).sum::<f64>();
        let bread = Bread::new(true, &whitening, high, rest, slopes, scale).with_whitened(whitened);
        let clusters = self
            .clusters
            .values()
            .map(|sums| Cluster::new(sums, &low, &found.inverse, &scaled, origin, exact))
            .collect();
        Ok(AccumulatedFit {
            names: self.names.clone(),
            coef,
            bread,
            n: n as usize,
            sigma: scale.sqrt(),
            clusters,
            within: self.columns_of_clusters(),
            id: new_id(),
        })
    }

    /// The columns that are the same for all rows of every cluster, the intercept first.
    fn columns_of_clusters(&self) -> Vec<usize> {
        let q = self.names.len() + 1;
        (0..self.names.len())
            .filter(|&j| {
                j == 0
                    || self.clusters.values().all(|sums| {
                        let spread = sums[j * q + j] - sums[j] * sums[j] / sums[0];
                        spread <= WITHIN * sums[j * q + j]
                    })
            })
            .collect()
    }
}

impl Origin {
    fn of(y: ArrayView1<'_, f64>, x: ArrayView2<'_, f64>) -> Self {
        let columns = x.columns().into_iter().chain([y]);
        let (shift, unit) = columns
            .map(|column| {
                let mean = column.iter().map(|value| value / column.len() as f64).sum::<f64>();
                let spread = column.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
                let spread = (spread / column.len() as f64).sqrt();
                (mean, if spread > 0.0 && spread.is_finite() { spread } else { mean.abs().max(1.0) })
            })
            .unzip();
        Self { shift, unit }
    }
}

/// Sums about one origin as sums about another.
fn moved(sums: &[f64], from: &Origin, to: &Origin, q: usize) -> Vec<f64> {
    if from == to {
        return sums.to_vec();
    }
    // A value v of the old origin is (v unit + shift - shift') / unit' = a v + b in the new one.
    let a = |j: usize| if j == 0 { 1.0 } else { from.unit[j - 1] / to.unit[j - 1] };
    let b = |j: usize| if j == 0 { 0.0 } else { (from.shift[j - 1] - to.shift[j - 1]) / to.unit[j - 1] };
    let mut out = vec![0.0; q * q];
    for i in 0..q {
        for j in i..q {
            out[i * q + j] = a(i) * a(j) * sums[i * q + j]
                + a(i) * b(j) * sums[i]
                + b(i) * a(j) * sums[j]
                + b(i) * b(j) * sums[0];
        }
    }
    out
}

/// Whitened score and information of a cluster.
#[derive(Debug, Clone)]
struct Cluster {
    score: Vec<f64>,
    information: Vec<f64>,
}

impl Cluster {
    fn new(
        sums: &[f64],
        low: &[f64],
        whitening: &[Vec<f64>],
        slopes: &[f64],
        origin: &Origin,
        exact: bool,
    ) -> Self {
        let k = slopes.len();
        let q = k + 1;
        let at = |a: usize, b: usize| sums[a.min(b) * q + a.max(b)];
        let n = sums[0];
        let middle = |a: usize, b: usize| match (a, b) {
            (0, 0) => n,
            (0, j) | (j, 0) => at(0, j) - n * low[j],
            _ => at(a, b) - low[a] * at(0, b) - low[b] * at(0, a) + low[a] * low[b] * n,
        };
        let unit = |j: usize| if j == 0 { 1.0 } else { origin.unit[j - 1] };
        // The slopes in the units of the sums.
        let slope = |j: usize| slopes[j] * unit(j) / unit(k);
        let raw: Vec<f64> = (0..k)
            .map(|a| {
                let fitted: f64 = (1..k).map(|j| middle(a, j) * slope(j)).sum();
                if exact { 0.0 } else { (middle(a, k) - fitted) * unit(k) }
            })
            .collect();
        let w = Array2::from_shape_fn((k, k), |(a, b)| whitening[a][b]);
        let inner = Array2::from_shape_fn((k, k), |(a, b)| middle(a, b));
        Self {
            score: w.t().dot(&ArrayView1::from(&raw)).to_vec(),
            information: w.t().dot(&inner).dot(&w).into_iter().collect(),
        }
    }
}

/// A least squares fit from sums over clusters.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::regression::Accumulated;
/// use ndarray::array;
/// let mut sums = Accumulated::new(["arm"]);
/// sums.add(array![1., 2., 2., 4., 5., 4.].view(), array![[0.], [0.], [0.], [1.], [1.], [1.]].view(), &[1, 1, 2, 3, 3, 4])?;
/// let fit = sums.fit()?;
/// assert_eq!((fit.n(), fit.names()[1].as_str()), (6, "arm"));
/// assert!(fit.vcov(Vcov::Hc2).is_err()); // needs the rows
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AccumulatedFit {
    names: Vec<String>,
    coef: Vec<f64>,
    bread: Bread,
    n: usize,
    sigma: f64,
    clusters: Vec<Cluster>,
    within: Vec<usize>,
    id: u64,
}

impl AccumulatedFit {
    /// The coefficients, length k, the intercept first.
    pub fn coef(&self) -> &[f64] {
        &self.coef
    }

    /// The names of the terms, length k.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The residual standard deviation.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// The covariance of the coefficients under a definition of [`Vcov`], with the clusters of the sums.
    ///
    /// # Errors
    /// As [`covariance()`], and [`crate::Error::Input`] for HC0 to HC3, which need the rows.
    pub fn vcov(&self, kind: Vcov) -> Result<Covariance<'_>> {
        Ok(covariance(Arc::new(self.clone()), kind, DfRule::Default)?.belongs_to(self.id, None))
    }
}

impl Fitted for AccumulatedFit {
    fn terms(&self) -> &[String] {
        &self.names
    }

    fn coef(&self) -> &[f64] {
        &self.coef
    }

    fn bread(&self) -> &Bread {
        &self.bread
    }

    fn reference(&self) -> Reference {
        Reference::T { residual: self.n as f64 - self.coef.len() as f64 }
    }

    fn n(&self) -> usize {
        self.n
    }

    fn link(&self) -> Option<&'static dyn Link> {
        Some(&Identity)
    }

    fn clusters(&self) -> Option<usize> {
        Some(self.clusters.len())
    }

    fn moments(&self, g: usize, into: &mut Moments) {
        let (k, width) = (self.coef.len(), into.width());
        let cluster = &self.clusters[g];
        into.score_mut().copy_from_slice(&cluster.score);
        let rows = cluster.information.chunks_exact(k);
        for (row, to) in rows.zip(into.symmetric().chunks_exact_mut(width)) {
            to[..k].copy_from_slice(row);
        }
    }

    fn without(&self, g: usize) -> Result<Vec<f64>> {
        // b - W (I - L_g)^{-1} t_g.
        let k = self.coef.len();
        let cluster = &self.clusters[g];
        let rest = nalgebra::DMatrix::from_fn(k, k, |a, b| {
            f64::from(u8::from(a == b)) - cluster.information[a * k + b]
        });
        let moved =
            rest.lu().solve(&nalgebra::DVector::from_column_slice(&cluster.score)).ok_or_else(|| {
                Fault::new("without one of the clusters the model cannot be estimated")
                    .remedy("Use CR2, or drop the terms that only one cluster informs")
                    .input()
            })?;
        let root = self.bread.coefficients();
        let change = root.dot(&ArrayView1::from(moved.as_slice()));
        Ok(self.coef.iter().zip(&change).map(|(b, change)| b - change).collect())
    }

    fn resolution(&self) -> f64 {
        // Sums hold what is small only to the rounding of what is large.
        1e-11
    }

    fn objections(&self, kind: Vcov) -> Result<Vec<String>> {
        if !kind.is_clustered() && kind != Vcov::Iid {
            return Err(Fault::new(format!("{kind} needs the rows, and sums over clusters have none"))
                .remedy("Use a clustered kind, or fit the model to the rows in memory")
                .input());
        }
        if kind.is_clustered() && self.clusters.len() <= self.within.len() {
            let names: Vec<&str> = self.within.iter().map(|&j| self.names[j].as_str()).collect();
            return Err(Fault::new(format!(
                "{kind} needs more clusters than coefficients between clusters, and there are {} for {}",
                self.clusters.len(),
                names.len()
            ))
            .values(names)
            .remedy("Leave terms of the clusters out of the model, or use a randomisation test")
            .input());
        }
        Ok(Vec::new())
    }
}
