//! The bread of a sandwich: the factor of the inverse information, and the centred columns that it belongs to.
//!
//! A model with an intercept is a model of centred columns, `x'b = alpha + (x - c)'b`, and everything is worked out
//! there: with `A` the information of the centred columns and `W W' = A^{-1}` (W upper triangular) a row is whitened by
//! `z = W'(x - c)`, and a linear combination of the coefficients has the direction `u = W' d`, d its weights in the
//! centred model. Its variance under any sandwich is `u' M u`, so means of a million beside standard deviations of one
//! cost no digits, as they do in `c' V c`.
//!
//! A centre is the sum of two doubles, since a mean as a double may be as far off as the standard deviation is small:
//! `x - c` is taken as `(x - high) - low`.

use ndarray::{Array2, ArrayView2};

use crate::linalg::DesignMatrix;

/// `W`, the centre and the coefficients of the centred model; k coefficients.
#[derive(Debug, Clone)]
pub struct Bread {
    k: usize,
    intercept: bool,
    whitening: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    centred: Vec<f64>,
    whitened: Vec<f64>,
    scale: f64,
}

impl Bread {
    /// From `W` (k x k by rows, upper triangular), the two parts of the centre (length k; 0 for the intercept) and the
    /// coefficients of the centred model (length k); `scale` is that of the model-based covariance.
    pub(crate) fn new(
        intercept: bool,
        whitening: &[Vec<f64>],
        high: Vec<f64>,
        low: Vec<f64>,
        centred: Vec<f64>,
        scale: f64,
    ) -> Self {
        let k = centred.len();
        let whitening: Vec<f64> = whitening.iter().flat_map(|row| row.iter().copied()).collect();
        // W^{-1} b by back substitution.
        let mut whitened = vec![0.0; k];
        for row in (0..k).rev() {
            let rest: f64 = (row + 1..k).map(|c| whitening[row * k + c] * whitened[c]).sum();
            whitened[row] = (centred[row] - rest) / whitening[row * k + row];
        }
        Self { k, intercept, whitening, high, low, centred, whitened, scale }
    }

    /// With `W^{-1}` times the coefficients of the centred model, where it is known to more digits.
    pub(crate) fn with_whitened(mut self, whitened: Vec<f64>) -> Self {
        self.whitened = whitened;
        self
    }

    /// Coefficients.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Whether the first coefficient is an intercept.
    pub fn has_intercept(&self) -> bool {
        self.intercept
    }

    /// `W`, k x k by rows.
    pub fn whitening(&self) -> &[f64] {
        &self.whitening
    }

    /// The centre of the columns to a double, length k; 0 for an intercept.
    pub fn center(&self) -> &[f64] {
        &self.high
    }

    /// What the centre is beyond [`Bread::center`], length k.
    pub fn center_rest(&self) -> &[f64] {
        &self.low
    }

    /// The coefficients of the centred model, length k.
    pub fn centred(&self) -> &[f64] {
        &self.centred
    }

    /// `W^{-1}` times the coefficients of the centred model: independent with variance `scale` under the model.
    pub fn whitened_coef(&self) -> &[f64] {
        &self.whitened
    }

    /// The scale of the model-based covariance: the residual variance, or 1.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Row `i` of a design less the centre, into `row` (length k).
    pub(crate) fn centred_row(&self, x: &DesignMatrix<'_>, i: usize, row: &mut [f64]) {
        x.row(i, &self.high, row);
        for (value, low) in row.iter_mut().zip(&self.low) {
            *value -= low;
        }
    }

    /// A contrast of the coefficients as one of the centred model: `c_j - c_0 center_j`.
    pub fn centre_contrast(&self, contrast: &[f64]) -> Vec<f64> {
        let mut centred = contrast.to_vec();
        if self.intercept {
            for (j, value) in centred.iter_mut().enumerate().skip(1) {
                *value = (*value - contrast[0] * self.high[j]) - contrast[0] * self.low[j];
            }
        }
        centred
    }

    /// Coefficients of columns that are less `from`, as those of columns that are less the centre.
    pub(crate) fn recentred(&self, mut coef: Vec<f64>, from: &[f64]) -> Vec<f64> {
        if self.intercept {
            let moved = |j: usize| coef[j] * ((self.high[j] - from[j]) + self.low[j]);
            coef[0] += (1..self.k).map(moved).sum::<f64>();
        }
        coef
    }

    /// `d'b` for a contrast of the centred model.
    pub fn estimate(&self, centred: &[f64]) -> f64 {
        centred.iter().zip(&self.centred).map(|(d, b)| d * b).sum()
    }

    /// `u = W'd` for a contrast of the centred model.
    pub fn direction(&self, centred: &[f64]) -> Vec<f64> {
        let mut u = vec![0.0; self.k];
        for (&value, row) in centred.iter().zip(self.whitening.chunks_exact(self.k.max(1))) {
            for (u, w) in u.iter_mut().zip(row) {
                *u += value * w;
            }
        }
        u
    }

    /// `d = W u`: the coefficients of the centred columns whose combination is `z'u`.
    pub fn slopes(&self, u: &[f64]) -> Vec<f64> {
        self.whitening
            .chunks_exact(self.k.max(1))
            .map(|row| row.iter().zip(u).map(|(w, u)| w * u).sum())
            .collect()
    }

    /// The directions of the coefficients themselves, k x k: row j is that of coefficient j.
    pub fn coefficients(&self) -> Array2<f64> {
        let mut out = Array2::zeros((self.k, self.k));
        let mut unit = vec![0.0; self.k];
        for j in 0..self.k {
            unit[j] = 1.0;
            let u = self.direction(&self.centre_contrast(&unit));
            out.row_mut(j).assign(&ndarray::ArrayView1::from(u.as_slice()));
            unit[j] = 0.0;
        }
        out
    }

    /// The covariance of the coefficients from the middle of a sandwich in whitened columns, k x k.
    pub fn around(&self, middle: ArrayView2<'_, f64>) -> Array2<f64> {
        let root = self.coefficients();
        let matrix = root.dot(&middle).dot(&root.t());
        // Symmetric to the last bit, whatever the order of the products.
        Array2::from_shape_fn(matrix.dim(), |(a, b)| 0.5 * (matrix[(a, b)] + matrix[(b, a)]))
    }

    /// `W' m W` for a k x k matrix in centred columns.
    pub fn whiten(&self, matrix: ArrayView2<'_, f64>) -> Array2<f64> {
        let w = Array2::from_shape_fn((self.k, self.k), |(a, b)| self.whitening[a * self.k + b]);
        w.t().dot(&matrix).dot(&w)
    }
}
