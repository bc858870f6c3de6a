//! The contract between a fitted model and inference.
//!
//! A model hands over its coefficients, its [`Bread`] and, cluster by cluster, the whitened score
//! `t_g = W' (sum of x_i s_i)` and the whitened information `L_g` (the `L_g` of all clusters add up to the identity).
//! From these follow every clustered covariance, its degrees of freedom, contrasts, joint tests and margins, for linear
//! and generalised linear models, Cox's and streamed ones alike. Models that hold rows also give [`WhitenedRows`],
//! which heteroskedasticity-robust covariances need, and CR2 where the weights of the rows are not the inverse of the
//! working variance.

use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use super::{Bread, Components, Vcov};
use crate::Result;
use crate::linalg::gram::add_rows;

/// What a fitted model offers to inference; k coefficients, cut into clusters.
pub trait Fitted: Send + Sync {
    /// The names of the terms, length k.
    fn terms(&self) -> &[String];

    /// The coefficients, length k.
    fn coef(&self) -> &[f64];

    /// The factor of the inverse information, and what it belongs to.
    fn bread(&self) -> &Bread;

    /// The distribution that tests without clusters refer to.
    fn reference(&self) -> Reference;

    /// Rows that count: those with a weight above 0.
    fn n(&self) -> usize;

    /// The link of the mean of an outcome to the linear predictor; none for Cox models, whose outcome is a time.
    fn link(&self) -> Option<&'static dyn Link>;

    /// Clusters that were named; none where every row counts as one.
    fn clusters(&self) -> Option<usize>;

    /// Makes the moments of a range of clusters ready, where many at once are cheaper than one by one.
    fn gather(&self, _clusters: std::ops::Range<usize>, _into: &mut Moments) {}

    /// Writes score and information of cluster `g`, without allocating where `into` was used before.
    fn moments(&self, g: usize, into: &mut Moments);

    /// The whitened scores of all clusters, G x k by rows.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when whoever watches stops the work.
    fn scores(&self) -> Result<Vec<f64>> {
        let (k, count) = (self.coef().len(), self.clusters().unwrap_or(self.n()));
        let mut into = Moments::new(k);
        let mut scores = vec![0.0; count * k];
        for (g, score) in scores.chunks_exact_mut(k.max(1)).enumerate() {
            self.moments(g, &mut into);
            score.copy_from_slice(into.score());
        }
        Ok(scores)
    }

    /// `sum of t_g t_g'`, k x k.
    ///
    /// # Errors
    /// As [`Fitted::scores`].
    fn score_products(&self) -> Result<Array2<f64>> {
        let k = self.coef().len();
        let scores = self.scores()?;
        Ok(ArrayView2::from_shape((scores.len() / k.max(1), k), &scores)
            .map_or_else(|_| Array2::zeros((k, k)), |scores| scores.t().dot(&scores)))
    }

    /// The information of cluster `g` along directions of the whitened columns, `v_a' L_g v_b`, m x m by rows. Models
    /// that hold rows give what is small to all its digits.
    fn along(&self, g: usize, directions: &[Vec<f64>], into: &mut Moments) -> Vec<f64> {
        self.moments(g, into);
        into.along(directions)
    }

    /// The whitened score of cluster `g` to more digits than [`Fitted::moments`] has: where a cluster determines a
    /// coefficient nearly by itself, its residuals leave a score below the rounding of fitted values. None where there
    /// are no more digits.
    fn sharp_score(&self, _g: usize) -> Option<Vec<f64>> {
        None
    }

    /// The coefficients without cluster `g`, length k.
    ///
    /// # Errors
    /// As fitting the model to the other clusters.
    fn without(&self, g: usize) -> Result<Vec<f64>>;

    /// As [`Fitted::without`], of the model whose columns are less the centre of [`Fitted::bread`]. Far from the data an
    /// intercept and its change are large numbers, whose difference would have few digits.
    ///
    /// # Errors
    /// As [`Fitted::without`].
    fn without_centred(&self, g: usize) -> Result<Vec<f64>> {
        let coef = self.without(g)?;
        let none = vec![0.0; coef.len()];
        Ok(self.bread().recentred(coef, &none))
    }

    /// What a cluster leaves of the information in a direction counts as nothing below this.
    fn resolution(&self) -> f64 {
        1e-22
    }

    /// Whether the information of every cluster is positive semidefinite, as it is where it is a sum over rows.
    fn is_definite(&self) -> bool {
        true
    }

    /// Whether the likelihood has a penalty, which is no sum over clusters.
    fn is_penalised(&self) -> bool {
        false
    }

    /// The rows of the model under restrictions, at its restricted maximum: its whitened coefficients are `at` and some
    /// combination of the `free` directions, each of length k. None where scores and information say the same, as they
    /// do for least squares.
    ///
    /// # Errors
    /// [`crate::Error::Convergence`] where there is no maximum; [`crate::Error::Input`] where the model cannot be fitted
    /// again.
    fn restricted(&self, _at: &[f64], _free: &[Vec<f64>]) -> Result<Option<Restricted>> {
        Ok(None)
    }

    /// Whether the jackknife is that of [`Fitted::without`]; otherwise it is the closed form from scores and
    /// information, which for linear models is the same and else takes one step.
    fn refits(&self) -> bool {
        false
    }

    /// The rows, where the model holds any.
    fn rows(&self) -> Option<&dyn WhitenedRows> {
        None
    }

    /// What the data have to say about a kind of covariance: notes for its reader.
    ///
    /// # Errors
    /// Where this model or these data do not have it.
    fn objections(&self, kind: Vcov) -> Result<Vec<String>>;

    /// Whether the model has this kind of covariance at all.
    fn has(&self, kind: Vcov) -> bool {
        let linear = matches!(self.reference(), Reference::T { .. })
            && self.rows().is_none_or(|rows| rows.target() == Target::Inverse);
        !kind.is_of_equations()
            && !kind.is_of_cox()
            && !kind.is_of_mixed_models()
            && (kind != Vcov::Hansen || linear)
    }

    /// The middle of a kind that this model works out itself, k x k in whitened columns; none where it is everybody's.
    fn own_middle(&self, _kind: Vcov) -> Option<Result<Array2<f64>>> {
        None
    }

    /// The degrees of freedom of clustered kinds that have none of their own: G - 1.
    fn cluster_degrees(&self) -> Option<f64> {
        self.clusters().map(|count| count as f64 - 1.0)
    }

    /// What a mixed model knows of its variances.
    fn components(&self) -> Option<&Components> {
        None
    }

    /// The coefficients whose degrees of freedom are worked out at once; those of the others when they are read.
    fn of_interest(&self) -> Vec<usize> {
        (0..self.coef().len()).collect()
    }
}

/// The distribution that tests refer to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Reference {
    /// The normal; with clusters t on G - 1.
    Normal,
    /// The normal, also of the uncorrected sandwich over clusters (CR0 of Cox models, as R's survival has it).
    AlwaysNormal,
    /// Student's t with this many residual degrees of freedom.
    T {
        /// n - k.
        residual: f64,
    },
}

/// The link between a mean and its linear predictor.
pub trait Link: Send + Sync + std::fmt::Debug {
    /// Its name: `identity`, `logit`, `probit`.
    fn name(&self) -> &'static str;

    /// The mean at a linear predictor.
    fn mean(&self, predictor: f64) -> f64;

    /// The derivative of the mean by the linear predictor.
    fn slope(&self, predictor: f64) -> f64;

    /// Whether means are probabilities, which have ratios and odds.
    fn is_probability(&self) -> bool {
        true
    }
}

/// The link of linear models.
#[derive(Debug, Clone, Copy)]
pub struct Identity;

impl Link for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn mean(&self, predictor: f64) -> f64 {
        predictor
    }

    fn slope(&self, _predictor: f64) -> f64 {
        1.0
    }

    fn is_probability(&self) -> bool {
        false
    }
}

/// How the rows of a model are weighted against their working variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The weights are the inverse of the working variance of whitened rows: scores and information are all there is.
    Inverse,
    /// The working variance differs between rows and the adjustment is symmetric in it (generalised linear models).
    Variance,
    /// The working variance is the same for all rows, which nevertheless have weights (probability weights of linear
    /// models).
    Identity,
}

/// Rows of a model under restrictions, by cluster; m of them count.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Restricted {
    /// The rows in the whitened columns of the model without restrictions, m x k.
    pub rows: Array2<f64>,
    /// The factor of every row's score, length m.
    pub factors: Vec<f64>,
    /// Its weight in the information, length m.
    pub weights: Vec<f64>,
    /// Where the rows of each cluster start, and the end.
    pub starts: Vec<usize>,
}

/// Rows in whitened columns, for covariances that need them one by one.
pub trait WhitenedRows: Send + Sync {
    /// How weights and working variances stand to each other.
    fn target(&self) -> Target;

    /// Rows, those with a weight of 0 included.
    fn n(&self) -> usize;

    /// The leverage of every row, `h = z'z` (0 for a weight of 0), length n.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when whoever watches stops the work.
    fn leverage(&self) -> Result<Vec<f64>>;

    /// The roots of the rows' weights in the information, length n; none where they are all 1.
    fn roots(&self) -> Option<&[f64]>;

    /// The factor `s_i` of every row's score `x_i s_i`, length n.
    fn score_factors(&self) -> &[f64];

    /// As [`WhitenedRows::score_factors`], to more digits where residuals are next to nothing.
    fn sharp_factors(&self) -> &[f64] {
        self.score_factors()
    }

    /// `z_i' u` of every row, with its weight, length n.
    ///
    /// # Errors
    /// As [`WhitenedRows::leverage`].
    fn project(&self, u: &[f64]) -> Result<Vec<f64>>;

    /// The whitened row `i`, length k, with its weight.
    fn row(&self, i: usize) -> Vec<f64>;

    /// `sum of f_i^2 x_i x_i'`, whitened: k x k by rows. The rows are without their weights.
    ///
    /// # Errors
    /// As [`WhitenedRows::leverage`].
    fn outer(&self, factors: &[f64]) -> Result<Array2<f64>>;

    /// The squared Frobenius norm of [`WhitenedRows::outer`].
    ///
    /// # Errors
    /// As [`WhitenedRows::leverage`].
    fn outer_norm(&self, factors: &[f64]) -> Result<f64>;

    /// The rows of cluster `g`.
    fn cluster(&self, g: usize, into: &mut ClusterRows);
}

/// The rows of one cluster.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ClusterRows {
    /// Whitened rows with their weights, m x k by rows: `Z`.
    pub z: Vec<f64>,
    /// Residuals with the weights that make `Z'e` the score, length m.
    pub residuals: Vec<f64>,
    /// The working variance of each row on the scale of the outcome, length m.
    pub variance: Vec<f64>,
    /// The root of each row's weight in the information, length m.
    pub roots: Vec<f64>,
}

/// The score of a cluster, and its information as a factor of r rows or as a matrix. Rows of matrices are padded with
/// zeros to [`Moments::width`].
#[derive(Debug, Clone)]
pub struct Moments {
    k: usize,
    width: usize,
    rows: Option<usize>,
    score: Vec<f64>,
    matrix: Vec<f64>,
    row: Vec<f64>,
    rows_of_cluster: Vec<f64>,
    bundle: Bundle,
}

/// The whitened rows of a range of clusters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bundle {
    first: usize,
    /// Where the rows of each cluster start, and the end.
    pub starts: Vec<usize>,
    /// Centred rows, padded.
    pub rows: Vec<f64>,
    /// Whitened rows, padded, without their weights.
    pub whitened: Vec<f64>,
    pub factors: Vec<f64>,
    /// Roots of weights; empty where they are all 1.
    pub roots: Vec<f64>,
}

impl Bundle {
    /// Empties it for clusters from `first` on.
    pub fn clear(&mut self, first: usize) {
        self.first = first;
        self.starts.clear();
        self.starts.push(0);
        self.rows.clear();
        self.factors.clear();
        self.roots.clear();
    }
}

/// Copies the upper triangle of a square matrix to the lower.
pub(crate) fn mirror(matrix: &mut [f64], width: usize) {
    for a in 0..width {
        for b in 0..a {
            matrix[a * width + b] = matrix[b * width + a];
        }
    }
}

/// Columns that are worked on side by side.
pub(super) const LANE: usize = 4;

impl Moments {
    /// For k coefficients.
    pub fn new(k: usize) -> Self {
        let width = k.next_multiple_of(LANE);
        Self {
            k,
            width,
            rows: None,
            score: vec![0.0; width],
            matrix: Vec::new(),
            row: vec![0.0; k],
            rows_of_cluster: Vec::new(),
            bundle: Bundle::default(),
        }
    }

    /// The length of a row of the factor or matrix.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The score, length k.
    pub fn score(&self) -> &[f64] {
        &self.score[..self.k]
    }

    pub(super) fn padded_score(&self) -> &[f64] {
        &self.score
    }

    /// Where the score is written, length k.
    pub fn score_mut(&mut self) -> &mut [f64] {
        &mut self.score[..self.k]
    }

    /// Makes the information `F'F` of a factor of `rows` rows, all 0; each row has [`Moments::width`] values.
    pub fn factor(&mut self, rows: usize) -> &mut [f64] {
        self.rows = Some(rows);
        self.matrix.clear();
        self.matrix.resize(rows * self.width, 0.0);
        &mut self.matrix
    }

    /// Makes the information a symmetric matrix, all 0; each of its k rows has [`Moments::width`] values, and all of
    /// them count.
    pub fn symmetric(&mut self) -> &mut [f64] {
        self.rows = None;
        self.matrix.clear();
        self.matrix.resize(self.width * self.width, 0.0);
        &mut self.matrix
    }

    /// Score, factor and room for a row, for filling them at once.
    pub(crate) fn parts(&mut self) -> (&mut [f64], &mut [f64], &mut [f64]) {
        (&mut self.score[..self.k], &mut self.matrix, &mut self.row)
    }

    /// As [`Moments::parts`], with room for `size` rows, all 0.
    pub(crate) fn parts_and_rows(&mut self, size: usize) -> (&mut [f64], &mut [f64], &mut [f64], &mut [f64]) {
        self.rows_of_cluster.clear();
        self.rows_of_cluster.resize(size * self.width, 0.0);
        (&mut self.score[..self.k], &mut self.matrix, &mut self.row, &mut self.rows_of_cluster)
    }

    /// Room for the rows of many clusters.
    pub(crate) fn bundle(&mut self) -> &mut Bundle {
        &mut self.bundle
    }

    /// Takes the moments of cluster `g` from the bundle, if it is there.
    pub(crate) fn take_gathered(&mut self, g: usize) -> bool {
        let Some(place) = g.checked_sub(self.bundle.first).filter(|p| p + 1 < self.bundle.starts.len())
        else {
            return false;
        };
        let (width, bundle) = (self.width, &self.bundle);
        let (start, end) = (bundle.starts[place], bundle.starts[place + 1]);
        self.score.fill(0.0);
        let rows = &bundle.whitened[start * width..end * width];
        for (row, factor) in rows.chunks_exact(width).zip(&bundle.factors[start..end]) {
            for (score, z) in self.score.iter_mut().zip(row) {
                *score += factor * z;
            }
        }
        let target = if end - start <= self.k { &mut self.matrix } else { &mut self.rows_of_cluster };
        target.clear();
        target.extend_from_slice(rows);
        if !bundle.roots.is_empty() {
            for (row, root) in target.chunks_exact_mut(width).zip(&bundle.roots[start..end]) {
                row.iter_mut().for_each(|z| *z *= root);
            }
        }
        if end - start <= self.k {
            self.rows = Some(end - start);
        } else {
            self.rows = None;
            self.matrix.clear();
            self.matrix.resize(width * width, 0.0);
            add_rows(&self.rows_of_cluster, width, &mut self.matrix);
            mirror(&mut self.matrix, width);
        }
        true
    }

    /// The rows of the factor; none for a matrix.
    pub(crate) fn factor_rows(&self) -> Option<usize> {
        self.rows
    }

    pub(crate) fn matrix(&self) -> &[f64] {
        &self.matrix
    }

    /// `L v` into `into`, both of length k.
    pub(crate) fn times(&self, v: &[f64], into: &mut [f64]) {
        let product = |row: &[f64], v: &[f64]| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
        let Some(rows) = self.rows else {
            for (into, row) in into.iter_mut().zip(self.matrix.chunks_exact(self.width)) {
                *into = product(row, v);
            }
            return;
        };
        into.fill(0.0);
        for row in self.matrix.chunks_exact(self.width).take(rows) {
            let share = product(row, v);
            into.iter_mut().zip(row).for_each(|(into, f)| *into += share * f);
        }
    }

    /// `v_a' L v_b` for directions v, m x m by rows.
    pub fn along(&self, directions: &[Vec<f64>]) -> Vec<f64> {
        let m = directions.len();
        let product = |row: &[f64], v: &[f64]| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
        let rows = self.matrix.chunks_exact(self.width).take(self.rows.unwrap_or(self.k));
        let mut out = vec![0.0; m * m];
        for (i, row) in rows.enumerate() {
            let projected: Vec<f64> = directions.iter().map(|v| product(row, v)).collect();
            for a in 0..m {
                for b in 0..m {
                    let left = if self.rows.is_some() { projected[a] } else { directions[a][i] };
                    out[a * m + b] += left * projected[b];
                }
            }
        }
        out
    }

    /// The information as a k x k matrix by rows.
    pub fn information(&self) -> Vec<f64> {
        let unit = |j: usize| (0..self.k).map(|i| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
        self.along(&(0..self.k).map(unit).collect::<Vec<_>>())
    }
}
