//! A fitted regression and its clusters, as inference takes them.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::absorbed::Absorbed;
use super::constant_groups;
use super::estimates::{Estimates, Refit};
use crate::inference::fitted::mirror;
use crate::inference::{
    Bread, ClusterRows, Clusters, Fitted, Link, Moments, Reference, Target, Vcov, WhitenedRows,
};
use crate::linalg::DesignMatrix;
use crate::linalg::double::{Double, Scalar};
use crate::linalg::gram::{BLOCK, TILE, add_rows, cross_products, fill_chunks, over_chunks, whiten_rows};
use crate::progress::{Pace, unwatched, watcher};
use crate::{Fault, Result};

/// The share of its variance that a column must keep beside the others for squares to be taken before whitening.
const COLLINEAR: f64 = 1e-4;

/// The rows of a fit, cut into clusters where there are any.
pub(crate) struct Rows<'f, 'a> {
    x: &'f DesignMatrix<'a>,
    y: ArrayView1<'a, f64>,
    estimates: &'f Estimates,
    refit: &'f dyn Refit,
    clusters: Option<Clusters>,
    absorbed: OnceLock<Option<Absorbed>>,
    /// `W`, its rows padded, and rows of zeros below.
    padded: OnceLock<Vec<f64>>,
    /// The factors of the scores to more digits, where they are asked for.
    refined: OnceLock<Option<Vec<f64>>>,
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

    fn bread(&self) -> &Bread {
        &self.estimates.bread
    }

    /// Calls `visit(row)` for the rows of cluster `g`.
    fn each_row(&self, g: usize, mut visit: impl FnMut(usize)) {
        match &self.clusters {
            Some(clusters) => clusters.rows(g).iter().for_each(|&row| visit(row as usize)),
            None => visit(g),
        }
    }

    fn size(&self, g: usize) -> usize {
        self.clusters.as_ref().map_or(1, |clusters| clusters.rows(g).len())
    }

    /// `W'(x - c)` of row `i` into `z` (at least k long, and 0 before).
    fn whiten(&self, i: usize, row: &mut [f64], z: &mut [f64]) {
        let (bread, k) = (self.bread(), self.estimates.k());
        bread.centred_row(self.x, i, row);
        for (j, (&value, w)) in row.iter().zip(bread.whitening().chunks_exact(k)).enumerate() {
            for (z, w) in z[j..k].iter_mut().zip(&w[j..]) {
                *z += value * w;
            }
        }
    }

    fn padded_whitening(&self) -> &[f64] {
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
    fn is_collinear(&self) -> bool {
        self.estimates.tolerance < COLLINEAR
    }

    /// `sum of f^2 z z'` of rows that are whitened first, without their weights.
    fn outer_of_whitened(&self, factors: &[f64]) -> Result<Array2<f64>> {
        let k = self.estimates.k();
        let width = k.next_multiple_of(TILE);
        let parts = over_chunks(self.x.n(), |start, end, pace| {
            let mut sum = vec![0.0; width * width];
            let (mut rows, mut z) = (vec![0.0; BLOCK * width], vec![0.0; BLOCK * width]);
            for from in (start..end).step_by(BLOCK) {
                pace.by(BLOCK * width * width)?;
                let count = (end.min(from + BLOCK) - from) * width;
                for (row, i) in rows[..count].chunks_exact_mut(width).zip(from..) {
                    self.bread().centred_row(self.x, i, &mut row[..k]);
                    row.iter_mut().for_each(|value| *value *= factors[i]);
                }
                whiten_rows(&rows[..count], self.padded_whitening(), width, &mut z[..count]);
                add_rows(&z[..count], width, &mut sum);
            }
            Ok(sum)
        })?;
        let mut total = vec![0.0; width * width];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        Ok(Array2::from_shape_fn((k, k), |(a, b)| total[a.min(b) * width + a.max(b)]))
    }

    fn absorbed(&self) -> Option<&Absorbed> {
        self.absorbed.get_or_init(|| Absorbed::new(self.x, self.estimates)).as_ref()
    }

    /// The factors of the scores of a linear model from residuals in double-doubles; none for other models, and where all
    /// outcomes are fitted exactly.
    fn sharp(&self) -> Option<&[f64]> {
        let found = self.refined.get_or_init(|| {
            let linear = matches!(self.estimates.reference, Reference::T { .. });
            let inexact = self.estimates.residuals.iter().any(|e| *e != 0.0);
            // Kept for whoever asks next, so that nobody may cut it short; it is asked for few rows.
            (linear && inexact).then(|| unwatched(|| self.refined_factors()).ok()).flatten()
        });
        found.as_deref()
    }

    /// `w (y - x'b)`, b refined by one step: `y - x'b` and its products with the columns are taken in double-doubles.
    fn refined_factors(&self) -> Result<Vec<f64>> {
        let (x, n, k) = (self.x, self.x.n(), self.estimates.k());
        let weight = |i: usize| self.estimates.root(i).powi(2);
        let zero = vec![0.0; k];
        let residual = |i: usize, row: &mut [f64]| {
            x.row(i, &zero, row);
            let fitted = row.iter().zip(&self.estimates.coef);
            fitted.fold(Double::of(self.y[i]), |rest, (&v, &b)| rest - Double::product(v, b))
        };
        let products = |start: usize, end: usize, _: &mut Pace<'_>| {
            let (mut sum, mut row) = (vec![Double::default(); k], vec![0.0; k]);
            for i in start..end {
                let rest = residual(i, &mut row) * Double::of(weight(i));
                self.bread().centred_row(x, i, &mut row);
                sum.iter_mut().zip(&row).for_each(|(sum, &v)| *sum = *sum + rest * Double::of(v));
            }
            Ok(sum)
        };
        let mut total = vec![Double::default(); k];
        for part in over_chunks(n, products)? {
            total.iter_mut().zip(part).for_each(|(total, part)| *total = *total + part);
        }
        let gradient: Vec<f64> = total.into_iter().map(Scalar::value).collect();
        let step = self.bread().slopes(&self.bread().direction(&gradient));
        fill_chunks(n, |start, values| {
            let mut row = vec![0.0; k];
            for (value, i) in values.iter_mut().zip(start..) {
                let rest = residual(i, &mut row);
                self.bread().centred_row(x, i, &mut row);
                let moved: f64 = row.iter().zip(&step).map(|(x, d)| x * d).sum();
                *value = weight(i) * (rest - Double::of(moved)).value();
            }
        })
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
        let mut weights: Vec<f64> = match self.refit.weights() {
            Some(weights) => weights.to_vec(),
            None => vec![1.0; self.x.n()],
        };
        self.each_row(g, |i| weights[i] = 0.0);
        self.refit.refit(self.x, self.y, &weights)
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

impl WhitenedRows for Rows<'_, '_> {
    fn target(&self) -> Target {
        self.estimates.target
    }

    fn n(&self) -> usize {
        self.x.n()
    }

    fn leverage(&self) -> Result<Vec<f64>> {
        if let Some(absorbed) = self.absorbed() {
            let leverage = |i| self.estimates.root(i).powi(2) * absorbed.leverage(i);
            return Ok((0..self.x.n()).map(leverage).collect());
        }
        let width = self.estimates.k().next_multiple_of(TILE);
        fill_chunks(self.x.n(), |start, values| {
            let (mut rows, mut z) = (vec![0.0; BLOCK * width], vec![0.0; BLOCK * width]);
            for (values, from) in values.chunks_mut(BLOCK).zip((start..).step_by(BLOCK)) {
                let count = values.len() * width;
                for (row, i) in rows[..count].chunks_exact_mut(width).zip(from..) {
                    self.bread().centred_row(self.x, i, &mut row[..self.estimates.k()]);
                }
                whiten_rows(&rows[..count], self.padded_whitening(), width, &mut z[..count]);
                for ((value, z), i) in values.iter_mut().zip(z.chunks_exact(width)).zip(from..) {
                    *value = self.estimates.root(i).powi(2) * z.iter().map(|z| z * z).sum::<f64>();
                }
            }
        })
    }

    fn roots(&self) -> Option<&[f64]> {
        self.estimates.roots.as_deref()
    }

    fn score_factors(&self) -> &[f64] {
        self.estimates.score_factors()
    }

    fn sharp_factors(&self) -> &[f64] {
        self.sharp().unwrap_or(self.estimates.score_factors())
    }

    fn project(&self, u: &[f64]) -> Result<Vec<f64>> {
        let slopes = self.bread().slopes(u);
        let first = usize::from(self.x.has_intercept());
        let (high, low) = (self.bread().center(), self.bread().center_rest());
        if let Some(indicators) = self.x.indicators() {
            // The columns of the factor add the slope of the row's level, less what is taken off all of them.
            let at = indicators.columns.start + first;
            let others = indicators.others(self.x.columns().ncols());
            let off: f64 = (at..at + indicators.columns.len()).map(|j| (high[j] + low[j]) * slopes[j]).sum();
            let start = if first == 1 { slopes[0] } else { 0.0 } - off;
            return fill_chunks(self.x.n(), |from, values| {
                for (value, i) in values.iter_mut().zip(from..) {
                    let level = indicators.level[i] as usize;
                    let own = if level > 0 { slopes[at + level - 1] } else { 0.0 };
                    let stored = self.x.stored(i);
                    let rest: f64 = others
                        .iter()
                        .map(|&j| ((stored[j] - high[j + first]) - low[j + first]) * slopes[j + first])
                        .sum();
                    *value = self.estimates.root(i) * (start + own + rest);
                }
            });
        }
        // What the second part of the means takes off is the same in every row.
        let off: f64 = slopes.iter().zip(low).map(|(d, l)| d * l).sum();
        let start = if first == 1 { slopes[0] } else { 0.0 } - off;
        let (slopes, high) = (&slopes[first..], &high[first..]);
        fill_chunks(self.x.n(), |from, values| {
            for (value, i) in values.iter_mut().zip(from..) {
                let stored = self.x.stored(i);
                let rest: f64 = match stored.as_slice() {
                    Some(row) => row.iter().zip(slopes).zip(high).map(|((x, d), h)| (x - h) * d).sum(),
                    None => stored.iter().zip(slopes).zip(high).map(|((x, d), h)| (x - h) * d).sum(),
                };
                *value = self.estimates.root(i) * (start + rest);
            }
        })
    }

    fn row(&self, i: usize) -> Vec<f64> {
        let k = self.estimates.k();
        let (mut row, mut z) = (vec![0.0; k], vec![0.0; k]);
        self.whiten(i, &mut row, &mut z);
        let root = self.estimates.root(i);
        z.iter_mut().for_each(|z| *z *= root);
        z
    }

    fn outer(&self, factors: &[f64]) -> Result<Array2<f64>> {
        if self.is_collinear() {
            return self.outer_of_whitened(factors);
        }
        let bread = self.bread();
        let low = bread.center_rest();
        let mut products = cross_products(self.x, bread.center(), None, Some(factors))?;
        if low.iter().any(|l| *l != 0.0) {
            // The rest of the means is small beside the spread of the columns, so it can be taken off the sums.
            let sums = products.row(0).to_vec();
            for ((a, b), value) in products.indexed_iter_mut() {
                *value += low[a] * low[b] * sums[0] - low[a] * sums[b] - low[b] * sums[a];
            }
        }
        Ok(bread.whiten(products.view()))
    }

    fn outer_norm(&self, factors: &[f64]) -> Result<f64> {
        match self.absorbed() {
            Some(absorbed) => absorbed.outer_norm(factors),
            None => Ok(self.outer(factors)?.iter().map(|v| v * v).sum()),
        }
    }

    fn cluster(&self, g: usize, into: &mut ClusterRows) {
        let k = self.estimates.k();
        let size = self.size(g);
        into.z.clear();
        into.z.resize(size * k, 0.0);
        into.residuals.clear();
        into.variance.clear();
        into.roots.clear();
        let mut row = vec![0.0; k];
        let mut place = 0;
        self.each_row(g, |i| {
            let root = self.estimates.root(i);
            let z = &mut into.z[place * k..(place + 1) * k];
            self.whiten(i, &mut row, z);
            z.iter_mut().for_each(|z| *z *= root);
            let factor = self.estimates.score_factors()[i];
            into.residuals.push(if root > 0.0 { factor / root } else { 0.0 });
            into.variance.push(self.estimates.variances.as_ref().map_or(root * root, |v| v[i]));
            into.roots.push(root);
            place += 1;
        });
    }
}

/// Refuses a model whose cluster-level coefficients fit every cluster: no residual variation between clusters is left,
/// and the sandwich would call its own blindness certainty.
///
/// One indicator for each cluster is the exception where other columns vary within at least three clusters (matched
/// sets, sites): the effects within clusters keep their variance, and the note given back says that only they do.
fn refuse_saturated(x: &DesignMatrix<'_>, kind: Vcov, g: &Clusters) -> Result<Option<String>> {
    let columns = x.columns();
    let first = usize::from(x.has_intercept());
    let mut names: Vec<&str> = x.names()[..first].iter().map(String::as_str).collect();
    let mut indicators = true;
    for (column, name) in columns.columns().into_iter().zip(&x.names()[first..]) {
        let of_cluster = |c: usize| {
            let rows = g.rows(c);
            let value = column[rows[0] as usize];
            rows.iter().all(|&row| column[row as usize] == value).then_some(value)
        };
        if let Some(values) = (0..g.count()).map(of_cluster).collect::<Option<Vec<f64>>>() {
            names.push(name);
            indicators &= values.iter().filter(|value| **value != 0.0).count() == 1;
        }
    }
    let within = names.len() < x.k();
    if g.count() > names.len() {
        return Ok(None);
    }
    if within && indicators && g.count() > 2 {
        let (shown, rest) = names.split_at(names.len().min(3));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        return Ok(Some(format!(
            "{}{more} fit the {} clusters exactly: only the effects of what varies within clusters can be tested, the \
             standard errors of these leave out the variation between clusters",
            shown.join(", "),
            g.count()
        )));
    }
    Err(Fault::new(format!(
        "{kind} needs more clusters than coefficients between clusters, and there are {} for {}",
        g.count(),
        names.len()
    ))
    .values(names)
    .remedy("Leave terms of the clusters out of the model, or use a randomisation test")
    .input())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::regression::Ols;
    use ndarray::array;

    #[test]
    fn too_few_clusters_for_the_model() {
        let y = array![1.0, 2.0, 4.0, 3.0, 7.0, 5.0];
        let clusters = |codes: &[u32]| Clusters::new(codes).unwrap();
        // An arm that is one of two clusters: the sandwich would be 0.
        let arm = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
        let fit = Ols::new(y.view(), arm.view()).fit().unwrap();
        for kind in Vcov::ALL.into_iter().filter(|kind| kind.is_clustered()) {
            let error = fit.vcov(kind, Some(&clusters(&[0, 0, 0, 1, 1, 1]))).unwrap_err();
            assert!(matches!(error, Error::Input(_)), "{error}");
            assert!(error.to_string().contains("there are 2 for 2"), "{error}");
            assert!(fit.vcov(kind, Some(&clusters(&[0, 0, 1, 2, 3, 3]))).is_ok());
        }
        // Three clusters, indicators of two of them and an arm within clusters: sets, whose arm keeps its variance.
        let sets = array![
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [1.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
            [1.0, 0.0, 1.0]
        ];
        let fit = Ols::new(y.view(), sets.view()).fit().unwrap();
        let covariance = fit.vcov(Vcov::Cr1, Some(&clusters(&[0, 0, 1, 1, 2, 2]))).unwrap();
        assert!(covariance.matrix()[(1, 1)] > 0.0);
        assert!(covariance.notes()[0].starts_with("Intercept, x2, x3 fit the 3 clusters exactly"));
        // The same clusters with a slope of the clusters instead of an indicator.
        let mut slope = sets.clone();
        slope.column_mut(1).assign(&array![1.0, 1.0, 2.0, 2.0, 0.0, 0.0]);
        let fit = Ols::new(y.view(), slope.view()).fit().unwrap();
        let error = fit.vcov(Vcov::Cr1, Some(&clusters(&[0, 0, 1, 1, 2, 2]))).unwrap_err();
        assert!(error.to_string().contains("there are 3 for 3"), "{error}");
    }
}
