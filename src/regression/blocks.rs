//! Rows in blocks of equal correlation, as inference takes them.
//!
//! With `V_g = s^2 [(1 - r) I + r J]` in every cluster, J all ones, `V_g^{-1/2}` is `a (I - J/n) + b J/n` with
//! `a = 1/sqrt(s^2 (1 - r))` and `b = 1/sqrt(s^2 (1 + (n - 1) r))`: the part of a row about the mean of its cluster takes a,
//! the mean b. Rows and residuals so whitened are those of least squares, whose score and information of a cluster are
//! sums over its rows; n rows of k numbers are all that is held.

use std::sync::Arc;

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array2, ArrayView1, ArrayView2};

use super::ols::{RANK_TOLERANCE, rank_error_of};
use crate::inference::fitted::mirror;
use crate::inference::{
    Bread, Clusters, Components, Covariance, DfRule, Fitted, Link, Moments, Reference, Sandwich, Vcov,
    covariance,
};
use crate::linalg::DesignMatrix;
use crate::linalg::factor::{Factor, factor};
use crate::linalg::gram::add_rows;
use crate::{Fault, Result};

/// What a cluster leaves to the others counts as nothing below this share.
const ALONE: f64 = 1e-9;

/// A fit to clusters whose rows are equally correlated; k coefficients, n rows in the order of their clusters.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    pub names: Vec<String>,
    pub coef: Vec<f64>,
    pub bread: Bread,
    pub link: &'static dyn Link,
    /// Where the rows of each cluster start, and the end.
    pub starts: Vec<usize>,
    /// Whitened rows, n x k.
    pub rows: Vec<f64>,
    /// Whitened residuals, length n.
    pub residuals: Vec<f64>,
    /// The degrees of freedom of clustered kinds.
    pub degrees: f64,
    /// Coefficients that nobody asks after.
    pub aside: Vec<usize>,
    /// What a mixed model knows of its variances.
    pub components: Option<Components>,
    pub id: u64,
}

/// The rows of a design in the order of their clusters, whitened by a first fit.
pub(super) struct Whitened {
    pub k: usize,
    pub starts: Vec<usize>,
    pub order: Vec<u32>,
    /// n x k.
    pub rows: Vec<f64>,
}

impl Whitened {
    pub fn new(x: &DesignMatrix<'_>, bread: &Bread, clusters: &Clusters) -> Self {
        let (n, k) = (x.n(), x.k());
        let (mut starts, mut order) = (vec![0], Vec::with_capacity(n));
        for g in 0..clusters.count() {
            order.extend_from_slice(clusters.rows(g));
            starts.push(order.len());
        }
        let mut rows = vec![0.0; n * k];
        let mut row = vec![0.0; k];
        for (&i, z) in order.iter().zip(rows.chunks_exact_mut(k)) {
            bread.centred_row(x, i as usize, &mut row);
            for (j, (&value, w)) in row.iter().zip(bread.whitening().chunks_exact(k)).enumerate() {
                z[j..].iter_mut().zip(&w[j..]).for_each(|(z, w)| *z += value * w);
            }
        }
        Self { k, starts, order, rows }
    }

    /// Values of rows in the order of the clusters.
    pub fn ordered(&self, values: &[f64]) -> Vec<f64> {
        self.order.iter().map(|&i| values[i as usize]).collect()
    }

    /// Values in the order of the clusters as those of rows.
    pub fn restored(&self, values: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; values.len()];
        for (&i, value) in self.order.iter().zip(values) {
            out[i as usize] = *value;
        }
        out
    }

    pub fn clusters(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.starts.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// `z_i' d` of every row.
    pub fn project(&self, d: &[f64]) -> Vec<f64> {
        self.rows.chunks_exact(self.k).map(|z| z.iter().zip(d).map(|(z, d)| z * d).sum()).collect()
    }
}

/// Whitens the rows of one cluster in place: `a` times what lies about their mean, `b` times the mean.
pub(super) fn whiten_equally(rows: &mut [f64], residuals: &mut [f64], k: usize, a: f64, b: f64) {
    let n = residuals.len() as f64;
    let mut mean = vec![0.0; k];
    for row in rows.chunks_exact(k) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / n);
    }
    for row in rows.chunks_exact_mut(k) {
        row.iter_mut().zip(&mean).for_each(|(value, mean)| *value = a * (*value - mean) + b * mean);
    }
    let mean = residuals.iter().sum::<f64>() / n;
    residuals.iter_mut().for_each(|r| *r = a * (*r - mean) + b * mean);
}

/// The inverse of the factor of `Z'Z`, and `Z'r`.
pub(super) fn normal_equations(
    rows: &[f64],
    residuals: &[f64],
    k: usize,
    names: &[String],
) -> Result<(Factor<f64>, Vec<f64>)> {
    // The slices were made with these very lengths.
    let z = ArrayView2::from_shape((residuals.len(), k), rows)
        .map_err(|_| Fault::new("rows of another width").input())?;
    let gram = z.t().dot(&z);
    let inner: Vec<Vec<f64>> = gram.outer_iter().map(|row| row.to_vec()).collect();
    let found = factor(&inner, RANK_TOLERANCE).map_err(|lost| rank_error_of(names, &lost))?;
    Ok((found, z.t().dot(&ArrayView1::from(residuals)).to_vec()))
}

/// `W_0 W`: the factor of the centred columns from that of whitened ones.
pub(super) fn chained(first: &Bread, second: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let k = second.len();
    let w = first.whitening();
    (0..k).map(|a| (0..k).map(|b| (a..=b).map(|m| w[a * k + m] * second[m][b]).sum()).collect()).collect()
}

/// The centred coefficients `W_0 w`, and those of the columns as they are.
pub(super) fn coefficients(first: &Bread, whitened: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let centred = first.slopes(whitened);
    let mut coef = centred.clone();
    if first.has_intercept() {
        let centre = first.center().iter().zip(first.center_rest());
        coef[0] -= centred.iter().zip(centre).skip(1).map(|(b, (high, low))| b * (high + low)).sum::<f64>();
    }
    (centred, coef)
}

/// The coefficients that a design sets aside.
pub(super) fn aside_of(x: &DesignMatrix<'_>) -> Vec<usize> {
    let first = usize::from(x.has_intercept());
    (first..x.k()).filter(|&j| x.is_aside(j - first)).collect()
}

impl Blocks {
    /// The rows of whitened columns, whitened once more by the factor that belongs to the final information.
    pub fn rewhiten(rows: &mut [f64], second: &[Vec<f64>]) {
        let k = second.len();
        let mut old = vec![0.0; k];
        for row in rows.chunks_exact_mut(k) {
            old.copy_from_slice(row);
            for (b, value) in row.iter_mut().enumerate() {
                *value = (0..=b).map(|a| old[a] * second[a][b]).sum();
            }
        }
    }

    /// A covariance of the coefficients.
    pub fn vcov(self: &Arc<Self>, kind: Vcov, rule: DfRule) -> Result<Covariance<'static>> {
        let fit: Arc<dyn Fitted> = Arc::clone(self) as Arc<dyn Fitted>;
        Ok(covariance(fit, kind, rule)?.belongs_to(self.id, None))
    }

    /// A covariance again from its numbers.
    pub fn attach(self: &Arc<Self>, sandwich: &Arc<Sandwich>) -> Result<Covariance<'static>> {
        if sandwich.fit != self.id {
            return Err(Fault::new("the covariance is that of another fit")
                .remedy("Ask the fit itself for its covariance")
                .input());
        }
        let fit: Arc<dyn Fitted> = Arc::clone(self) as Arc<dyn Fitted>;
        Ok(Covariance::resume(fit, Arc::clone(sandwich)))
    }

    /// The linear predictor or the mean at other rows.
    pub fn predict(&self, rows: ArrayView2<'_, f64>, linear_predictor: bool) -> Result<Vec<f64>> {
        let design = DesignMatrix::new(rows, self.bread.has_intercept());
        if design.k() != self.coef.len() {
            return Err(Fault::new(format!(
                "the rows have {} columns for a model of {}",
                rows.ncols(),
                self.coef.len() - usize::from(self.bread.has_intercept())
            ))
            .remedy("Give rows with the columns that the model was fitted to")
            .input());
        }
        let mut row = vec![0.0; self.coef.len()];
        Ok((0..rows.nrows())
            .map(|i| {
                self.bread.centred_row(&design, i, &mut row);
                let predictor = self.bread.estimate(&row);
                if linear_predictor { predictor } else { self.link.mean(predictor) }
            })
            .collect())
    }

    /// The coefficients of interest that one cluster alone informs: its residuals leave nothing to judge them by.
    fn alone(&self) -> Vec<usize> {
        let k = self.coef.len();
        let root = self.bread.coefficients();
        let mut moments = Moments::new(k);
        let mut found = Vec::new();
        for g in 0..self.starts.len() - 1 {
            // No eigenvalue is above the trace.
            if self.of_cluster(g).0.iter().map(|z| z * z).sum::<f64>() < 1.0 - ALONE {
                continue;
            }
            self.moments(g, &mut moments);
            let eigen = SymmetricEigen::new(DMatrix::from_row_slice(k, k, &moments.information()));
            for (value, vector) in eigen.eigenvalues.iter().zip(eigen.eigenvectors.column_iter()) {
                if *value < 1.0 - ALONE {
                    continue;
                }
                found.extend(self.of_interest().into_iter().filter(|&j| {
                    let row = root.row(j);
                    let along: f64 = row.iter().zip(vector.iter()).map(|(u, v)| u * v).sum();
                    along.abs() > ALONE.sqrt() * row.dot(&row).sqrt()
                }));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn of_cluster(&self, g: usize) -> (&[f64], &[f64]) {
        let (k, range) = (self.coef.len(), self.starts[g]..self.starts[g + 1]);
        (&self.rows[range.start * k..range.end * k], &self.residuals[range])
    }
}

impl Fitted for Blocks {
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
        Reference::Normal
    }

    fn n(&self) -> usize {
        self.residuals.len()
    }

    fn link(&self) -> Option<&'static dyn Link> {
        Some(self.link)
    }

    fn clusters(&self) -> Option<usize> {
        Some(self.starts.len() - 1)
    }

    fn cluster_degrees(&self) -> Option<f64> {
        Some(self.degrees)
    }

    fn components(&self) -> Option<&Components> {
        self.components.as_ref()
    }

    fn moments(&self, g: usize, into: &mut Moments) {
        let (k, width) = (self.coef.len(), into.width());
        let (rows, residuals) = self.of_cluster(g);
        let score = into.score_mut();
        score.fill(0.0);
        for (row, r) in rows.chunks_exact(k).zip(residuals) {
            score.iter_mut().zip(row).for_each(|(score, z)| *score += z * r);
        }
        if residuals.len() <= k {
            for (to, row) in into.factor(residuals.len()).chunks_exact_mut(width).zip(rows.chunks_exact(k)) {
                to[..k].copy_from_slice(row);
            }
            return;
        }
        into.symmetric();
        let (_, matrix, _, padded) = into.parts_and_rows(residuals.len());
        for (to, row) in padded.chunks_exact_mut(width).zip(rows.chunks_exact(k)) {
            to[..k].copy_from_slice(row);
        }
        add_rows(padded, width, matrix);
        mirror(matrix, width);
    }

    fn without(&self, g: usize) -> Result<Vec<f64>> {
        // b - W (I - L_g)^{-1} t_g: what is estimated beside the coefficients is held.
        let k = self.coef.len();
        let mut moments = Moments::new(k);
        self.moments(g, &mut moments);
        let information = moments.information();
        let rest = DMatrix::from_fn(k, k, |a, b| f64::from(u8::from(a == b)) - information[a * k + b]);
        let moved =
            rest.lu().solve(&nalgebra::DVector::from_column_slice(moments.score())).ok_or_else(|| {
                Fault::new("without one of the clusters the model cannot be estimated")
                    .remedy("Drop the terms that only one cluster informs")
                    .input()
            })?;
        let change = self.bread.coefficients().dot(&ArrayView1::from(moved.as_slice()));
        Ok(self.coef.iter().zip(&change).map(|(b, change)| b - change).collect())
    }

    fn has(&self, kind: Vcov) -> bool {
        let mixed = self.components.is_some();
        !kind.is_rowwise()
            && !kind.is_of_cox()
            // The variances would have to be estimated again without each cluster: CV3L takes one step.
            && !kind.is_jackknife()
            && kind != Vcov::Hansen
            && (!kind.is_of_mixed_models() || mixed)
            && (!kind.is_of_equations() || !mixed)
    }

    fn objections(&self, kind: Vcov) -> Result<Vec<String>> {
        if !kind.is_clustered() && !kind.is_of_mixed_models() {
            return Ok(Vec::new());
        }
        let alone: Vec<&str> = self.alone().into_iter().map(|j| self.names[j].as_str()).collect();
        if !alone.is_empty() && kind.is_of_mixed_models() {
            return Ok(vec![format!(
                "one cluster alone informs {}: the standard error rests on the model of the variances",
                alone.join(", ")
            )]);
        }
        if let Some(first) = alone.first() {
            return Err(Fault::new(format!(
                "{kind} cannot judge '{first}', which one cluster alone informs"
            ))
            .column(*first)
            .values(alone.iter().copied())
            .remedy("Give every arm at least two clusters, leave the term out, or use a randomisation test")
            .input());
        }
        if kind.is_of_mixed_models() || self.degrees >= 1.0 {
            return Ok(Vec::new());
        }
        let (count, k) = (self.starts.len() - 1, self.coef.len());
        Err(Fault::new(format!(
            "{kind} needs more clusters than coefficients, and there are {count} for {k}"
        ))
        .remedy(
            "Leave covariates out of the model, or compare the clusters themselves (cluster-level analysis)",
        )
        .input())
    }

    fn of_interest(&self) -> Vec<usize> {
        (0..self.coef.len()).filter(|j| !self.aside.contains(j)).collect()
    }

    fn scores(&self) -> Result<Vec<f64>> {
        let k = self.coef.len();
        let mut scores = vec![0.0; (self.starts.len() - 1) * k];
        for (g, score) in scores.chunks_exact_mut(k).enumerate() {
            let (rows, residuals) = self.of_cluster(g);
            for (row, r) in rows.chunks_exact(k).zip(residuals) {
                score.iter_mut().zip(row).for_each(|(score, z)| *score += z * r);
            }
        }
        Ok(scores)
    }
}

/// `W' m W` for a k x k matrix and an upper triangular W by rows.
pub(super) fn turned(matrix: &Array2<f64>, w: &[Vec<f64>]) -> Array2<f64> {
    let k = w.len();
    let w = Array2::from_shape_fn((k, k), |(a, b)| w[a][b]);
    w.t().dot(matrix).dot(&w)
}
