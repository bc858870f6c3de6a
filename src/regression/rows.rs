//! A fitted regression and its clusters, as inference takes them; row by row it is in whitened.rs.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::absorbed::Absorbed;
use super::constant_groups;
use super::estimates::{Estimates, Refit, Scored};
use super::saturated::refuse_saturated;
use crate::inference::fitted::mirror;
use crate::inference::{Bread, Clusters, Fitted, Link, Moments, Reference, Restricted, Vcov, WhitenedRows};
use crate::linalg::DesignMatrix;
use crate::linalg::gram::{TILE, add_rows, whiten_rows};
use crate::progress::{Pace, watcher};
use crate::{Fault, Result};

/// The share of its variance that a column must keep beside the others for squares to be taken before whitening.
const COLLINEAR: f64 = 1e-4;

/// The rows of a fit, cut into clusters where there are any.
pub(crate) struct Rows<'f, 'a> {
    pub(super) x: &'f DesignMatrix<'a>,
    pub(super) y: ArrayView1<'a, f64>,
    pub(super) estimates: &'f Estimates,
    refit: &'f dyn Refit,
    clusters: Option<Clusters>,
    pub(super) absorbed: OnceLock<Option<Absorbed>>,
    /// `W`, its rows padded, and rows of zeros below.
    padded: OnceLock<Vec<f64>>,
    /// The factors of the scores to more digits, where they are asked for.
    pub(super) refined: OnceLock<Option<Vec<f64>>>,
}

impl<'f, 'a> Rows<'f, 'a> {
    /// Rows with a weight of 0 are in no cluster.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of cluster codes than rows.
    pub fn new(
        x: &'f DesignMatrix<'a>,
        y: ArrayView1<'a, f64>,
        estimates: &'f Estimates,
        refit: &'f dyn Refit,
        clusters: Option<&Clusters>,
    ) -> Result<Self> {
        let clusters = clusters.map(|clusters| clusters.checked(x.n())).transpose()?;
        let clusters = match (clusters, &estimates.roots) {
            (Some(clusters), Some(roots)) if estimates.counted < x.n() => {
                Some(clusters.of_rows(|i| roots[i] > 0.0))
            }
            (clusters, _) => clusters.cloned(),
        };
        let (absorbed, padded, refined) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self { x, y, estimates, refit, clusters, absorbed, padded, refined })
    }

    pub(super) fn bread(&self) -> &Bread {
        &self.estimates.bread
    }

    /// Calls `visit(row)` for the rows of cluster `g`.
    pub(super) fn each_row(&self, g: usize, mut visit: impl FnMut(usize)) {
        match &self.clusters {
            Some(clusters) => clusters.rows(g).iter().for_each(|&row| visit(row as usize)),
            None => visit(g),
        }
    }

    pub(super) fn size(&self, g: usize) -> usize {
        self.clusters.as_ref().map_or(1, |clusters| clusters.rows(g).len())
    }

    /// `W'(x - c)` of row `i` into `z` (at least k long, and 0 before).
    pub(super) fn whiten(&self, i: usize, row: &mut [f64], z: &mut [f64]) {
        let (bread, k) = (self.bread(), self.estimates.k());
        bread.centred_row(self.x, i, row);
        for (j, (&value, w)) in row.iter().zip(bread.whitening().chunks_exact(k)).enumerate() {
            for (z, w) in z[j..k].iter_mut().zip(&w[j..]) {
                *z += value * w;
            }
        }
    }

    pub(super) fn padded_whitening(&self) -> &[f64] {
        self.padded.get_or_init(|| {
            let k = self.estimates.k();
            let width = k.next_multiple_of(TILE);
            let mut padded = vec![0.0; width * width];
            for (to, row) in padded.chunks_exact_mut(width).zip(self.bread().whitening().chunks_exact(k)) {
                to[..k].copy_from_slice(row);
            }
            padded
        })
    }

    /// Whether columns are so nearly collinear that squares of centred columns lose what whitening would bring out.
    pub(super) fn is_collinear(&self) -> bool {
        self.estimates.tolerance < COLLINEAR
    }

    /// The sum over the rows of each cluster of `(x - c) s`: G x k, in centred columns.
    fn centred_scores(&self, clusters: &Clusters) -> Result<Array2<f64>> {
        let watcher = watcher();
        let mut pace = Pace::new(&watcher);
        let k = self.estimates.k();
        let first = usize::from(self.x.has_intercept());
        let (high, low) = (&self.bread().center()[first..], self.bread().center_rest());
        let mut scores = vec![0.0; clusters.count() * k];
        let columns = self.x.columns();
        let rows = columns.outer_iter().zip(clusters.codes()).zip(self.estimates.score_factors());
        for ((row, &g), &s) in rows {
            pace.by(k)?;
            let sum = &mut scores[g as usize * k..(g as usize + 1) * k];
            if first == 1 {
                sum[0] += s;
            }
            if let Some(row) = row.as_slice() {
                for ((sum, &value), h) in sum[first..].iter_mut().zip(row).zip(high) {
                    *sum += (value - h) * s;
                }
            } else {
                for ((sum, &value), h) in sum[first..].iter_mut().zip(row.iter()).zip(high) {
                    *sum += (value - h) * s;
                }
            }
        }
        if low.iter().any(|l| *l != 0.0) {
            // Only a model with an intercept has means to take off, and its score is the sum of the factors.
            for sum in scores.chunks_exact_mut(k) {
                let total = sum[0];
                sum.iter_mut().zip(low).for_each(|(sum, low)| *sum -= low * total);
            }
        }
        let shape = (clusters.count(), k);
        // The vector was made with this very number of elements.
        Ok(Array2::from_shape_vec(shape, scores).unwrap_or_else(|_| Array2::zeros(shape)))
    }
}

/// Refuses corrections of the score of the likelihood for that of a penalised one.
fn refuse_unpenalised(kind: Vcov) -> Result<()> {
    if matches!(kind, Vcov::Hc2 | Vcov::Hc3 | Vcov::Cr2 | Vcov::Cr3 | Vcov::Cv3l) {
        return Err(Fault::new(format!(
            "{kind} corrects residuals, and the scores of a penalised fit are not made of them alone"
        ))
        .remedy("Choose CR1 or CV3 with clusters, HC0, HC1 or iid without")
        .input());
    }
    Ok(())
}

impl Rows<'_, '_> {
    /// The weights of the fit, 0 in cluster `g`.
    fn weights_without(&self, g: usize) -> Vec<f64> {
        let mut weights: Vec<f64> = match self.refit.weights() {
            Some(weights) => weights.to_vec(),
            None => vec![1.0; self.x.n()],
        };
        self.each_row(g, |i| weights[i] = 0.0);
        weights
    }
}

impl Fitted for Rows<'_, '_> {
    fn terms(&self) -> &[String] {
        &self.estimates.names
    }

    fn coef(&self) -> &[f64] {
        &self.estimates.coef
    }

    fn bread(&self) -> &Bread {
        &self.estimates.bread
    }

    fn reference(&self) -> Reference {
        self.estimates.reference
    }

    fn n(&self) -> usize {
        self.estimates.counted
    }

    fn link(&self) -> Option<&'static dyn Link> {
        Some(self.estimates.link)
    }

    fn clusters(&self) -> Option<usize> {
        self.clusters.as_ref().map(Clusters::count)
    }

    fn gather(&self, clusters: std::ops::Range<usize>, into: &mut Moments) {
        let (k, width) = (self.estimates.k(), into.width());
        let factors = self.estimates.score_factors();
        let bundle = into.bundle();
        bundle.clear(clusters.start);
        let rows: usize = clusters.clone().map(|g| self.size(g)).sum();
        bundle.rows.resize(rows * width, 0.0);
        for g in clusters {
            self.each_row(g, |i| {
                let at = bundle.factors.len() * width;
                self.bread().centred_row(self.x, i, &mut bundle.rows[at..at + k]);
                bundle.factors.push(factors[i]);
                if let Some(roots) = &self.estimates.roots {
                    bundle.roots.push(roots[i]);
                }
            });
            bundle.starts.push(bundle.factors.len());
        }
        bundle.whitened.clear();
        bundle.whitened.resize(bundle.rows.len(), 0.0);
        whiten_rows(&bundle.rows, self.padded_whitening(), width, &mut bundle.whitened);
    }

    fn moments(&self, g: usize, into: &mut Moments) {
        let (k, width, size) = (self.estimates.k(), into.width(), self.size(g));
        let factors = self.estimates.score_factors();
        if into.take_gathered(g) {
            return;
        }
        if size <= k {
            into.factor(size);
            let (score, matrix, row) = into.parts();
            score.fill(0.0);
            let mut place = 0;
            self.each_row(g, |i| {
                let z = &mut matrix[place * width..(place + 1) * width];
                self.whiten(i, row, z);
                for (score, z) in score.iter_mut().zip(z.iter()) {
                    *score += factors[i] * z;
                }
                if let Some(roots) = &self.estimates.roots {
                    z.iter_mut().for_each(|z| *z *= roots[i]);
                }
                place += 1;
            });
            return;
        }
        into.symmetric();
        let (score, matrix, row, rows) = into.parts_and_rows(size);
        score.fill(0.0);
        let mut place = 0;
        self.each_row(g, |i| {
            let z = &mut rows[place * width..(place + 1) * width];
            self.whiten(i, row, z);
            for (score, z) in score.iter_mut().zip(z.iter()) {
                *score += factors[i] * z;
            }
            if let Some(roots) = &self.estimates.roots {
                z.iter_mut().for_each(|z| *z *= roots[i]);
            }
            place += 1;
        });
        add_rows(rows, width, matrix);
        mirror(matrix, width);
    }

    fn scores(&self) -> Result<Vec<f64>> {
        let singletons;
        let clusters = if let Some(clusters) = &self.clusters {
            clusters
        } else {
            let Ok(found) = Clusters::singletons(self.x.n()) else { return Ok(Vec::new()) };
            singletons = found;
            &singletons
        };
        let k = self.estimates.k();
        let whitening = self.bread().whitening();
        let w = Array2::from_shape_fn((k, k), |(a, b)| whitening[a * k + b]);
        Ok(self.centred_scores(clusters)?.dot(&w).into_iter().collect())
    }

    fn score_products(&self) -> Result<Array2<f64>> {
        match &self.clusters {
            Some(_) if self.is_collinear() => {
                // Whitened before they are squared: afterwards the digits would be gone.
                let k = self.estimates.k();
                let scores = self.scores()?;
                Ok(ArrayView2::from_shape((scores.len() / k, k), &scores)
                    .map_or_else(|_| Array2::zeros((k, k)), |scores| scores.t().dot(&scores)))
            }
            Some(clusters) => {
                let scores = self.centred_scores(clusters)?;
                Ok(self.bread().whiten(scores.t().dot(&scores).view()))
            }
            None => self.outer(self.score_factors()),
        }
    }

    fn along(&self, g: usize, directions: &[Vec<f64>], _into: &mut Moments) -> Vec<f64> {
        let m = directions.len();
        let slopes: Vec<Vec<f64>> = directions.iter().map(|v| self.bread().slopes(v)).collect();
        let mut row = vec![0.0; self.estimates.k()];
        let mut out = vec![0.0; m * m];
        let mut products = vec![0.0; m];
        self.each_row(g, |i| {
            self.bread().centred_row(self.x, i, &mut row);
            let root = self.estimates.root(i);
            for (product, slopes) in products.iter_mut().zip(&slopes) {
                *product = root * row.iter().zip(slopes).map(|(x, d)| x * d).sum::<f64>();
            }
            for a in 0..m {
                for b in 0..m {
                    out[a * m + b] += products[a] * products[b];
                }
            }
        });
        out
    }

    fn sharp_score(&self, g: usize) -> Option<Vec<f64>> {
        let factors = self.sharp()?;
        let k = self.estimates.k();
        let (mut row, mut z, mut score) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        self.each_row(g, |i| {
            z.fill(0.0);
            self.whiten(i, &mut row, &mut z);
            score.iter_mut().zip(&z).for_each(|(score, z)| *score += factors[i] * z);
        });
        Some(score)
    }

    fn without(&self, g: usize) -> Result<Vec<f64>> {
        self.refit.refit(self.x, self.y, &self.weights_without(g))
    }

    fn without_centred(&self, g: usize) -> Result<Vec<f64>> {
        self.refit.refit_centred(self.x, self.y, &self.weights_without(g), &self.estimates.bread)
    }

    fn restricted(&self, at: &[f64], free: &[Vec<f64>]) -> Result<Option<Restricted>> {
        let k = self.estimates.k();
        let count = self.clusters.as_ref().map_or(self.x.n(), Clusters::count);
        let mut starts = vec![0];
        let mut rows = Vec::with_capacity(self.x.n() * k);
        let (mut y, mut weights) = (Vec::new(), self.refit.weights().map(|_| Vec::new()));
        let mut row = vec![0.0; k];
        for g in 0..count {
            self.each_row(g, |i| {
                let from = rows.len();
                rows.resize(from + k, 0.0);
                self.whiten(i, &mut row, &mut rows[from..]);
                y.push(self.y[i]);
                if let (Some(weights), Some(all)) = (&mut weights, self.refit.weights()) {
                    weights.push(all[i]);
                }
            });
            starts.push(y.len());
        }
        let shape = (y.len(), k);
        // Each row was written with this very number of columns.
        let rows = Array2::from_shape_vec(shape, rows).unwrap_or_else(|_| Array2::zeros(shape));
        let offset: Vec<f64> = rows.dot(&ArrayView1::from(at)).to_vec();
        let directions = Array2::from_shape_fn((k, free.len()), |(a, b)| free[b][a]);
        let columns = rows.dot(&directions);
        let found = self.refit.beside(columns.view(), &y, weights.as_deref(), &offset)?;
        Ok(found.map(|Scored { residual, weight }| Restricted {
            rows,
            factors: residual,
            weights: weight,
            starts,
        }))
    }

    fn is_penalised(&self) -> bool {
        self.estimates.penalised
    }

    fn refits(&self) -> bool {
        // A linear model's closed form is the refit.
        !matches!(self.estimates.reference, Reference::T { .. })
    }

    fn resolution(&self) -> f64 {
        // What is 0 comes out as the square of the rounding of a row, which collinear columns make larger.
        (1e-28 / self.estimates.tolerance).max(1e-22)
    }

    fn rows(&self) -> Option<&dyn WhitenedRows> {
        Some(self)
    }

    fn objections(&self, kind: Vcov) -> Result<Vec<String>> {
        if let (Vcov::Iid, Some(why)) = (kind, self.estimates.no_model) {
            return Err(Fault::new(why)
                .remedy("Choose a robust covariance, such as HC2, or CR2 with clusters")
                .input());
        }
        if self.estimates.penalised {
            refuse_unpenalised(kind)?;
        }
        let mut notes = Vec::new();
        let clusters = self.clusters.as_ref().filter(|_| kind.is_clustered());
        if let Some(clusters) = clusters.filter(|clusters| clusters.count() <= self.estimates.k()) {
            notes.extend(refuse_saturated(self.x, kind, clusters)?);
        }
        if kind != Vcov::Iid && matches!(self.estimates.reference, Reference::T { .. }) {
            notes.extend(constant_groups::notes(self.x, self.y, self.estimates));
        }
        Ok(notes)
    }

    fn of_interest(&self) -> Vec<usize> {
        let first = usize::from(self.x.has_intercept());
        let levels = self.x.indicators();
        let passed_over = |column: usize| {
            self.x.is_aside(column) || levels.is_some_and(|levels| levels.columns.contains(&column))
        };
        (0..self.estimates.k()).filter(|&j| j < first || !passed_over(j - first)).collect()
    }
}
