//! The model without a cluster whose information some coefficient rests on alone: of all solutions for the other clusters
//! the one with the least slopes, each in units of its model-based standard error. The Moore-Penrose inverse, which Hansen
//! takes, is the same where it is known which coefficients are lost; elsewhere it counts the intercept too, and slopes in
//! whatever units they have, so that the origin or the unit of a covariate would move the variance of another coefficient.
//! That the variance is never too small holds for any solution made of the other clusters alone: of `b - b_(g)` the part that
//! cluster g has in b is independent of the rest.
//!
//! In whitened columns the solutions are `w - s + N g` for any g, `s = B_g t_g` without the part along N, the directions in
//! which the cluster leaves nothing. With `R` the directions of the slopes (by rows, each of length 1) these are
//! `b - R s + R N g`, and the least is `g = -(R N)^+ (b - R s)`. So the change of the coefficients has the whitened form
//! `s + N (R N)^+ (b - R s)`: a coefficient that only this cluster informs is 0 without it, and changes by all it is.
//!
//! Of a contrast u the change is linear in the errors: `(u - p)' s + p'w` with `p = R' (R N)^+' N'u`, and w has the
//! covariance of independent errors, which no s has a part in. `Gamma_gg` gains `p'p`, `Gamma_gh` of two such clusters
//! `p_g'p_h`, and elsewhere u is less p.

use nalgebra::{DMatrix, DVector};

use crate::inference::fitted::Fitted;

/// A singular value of `R N`, whose rows have length 1, below this is 0: the direction is that of the intercept alone.
const RANK: f64 = 1e-12;

/// What it takes to find that model: `R` and the slopes in units of their standard errors, but for the scale.
pub(super) struct LeastNorm {
    root: DMatrix<f64>,
    coef: DVector<f64>,
}

/// The least solution without one cluster: `N`, and `(R N)^+ R`.
pub(super) struct Solution {
    null: DMatrix<f64>,
    inverse: DMatrix<f64>,
}

impl LeastNorm {
    /// Of a fit.
    pub fn new(fit: &dyn Fitted) -> Self {
        let root = fit.bread().coefficients();
        let (k, first) = (fit.bread().k(), usize::from(fit.bread().has_intercept()));
        let mut root = DMatrix::from_fn(k - first, k, |a, b| root[(a + first, b)]);
        let mut coef = DVector::from_column_slice(&fit.coef()[first..]);
        for (mut row, slope) in root.row_iter_mut().zip(coef.iter_mut()) {
            // The factor of a positive definite matrix has no row of nothing.
            let length = row.norm();
            row /= length;
            *slope /= length;
        }
        Self { root, coef }
    }

    /// Completes the whitened change s without a cluster that leaves nothing along these directions.
    pub fn without(&self, nulls: &[&[f64]], score: &mut [f64]) -> Solution {
        let k = self.root.ncols();
        let null = DMatrix::from_fn(k, nulls.len(), |j, c| nulls[c][j]);
        let along = &self.root * &null;
        let slopes = self.coef.len();
        // It exists unless something is not finite.
        let inverse = along
            .pseudo_inverse(RANK)
            .unwrap_or_else(|_| DMatrix::from_element(nulls.len(), slopes, f64::NAN));
        let change = DVector::from_column_slice(&score[..k]);
        let rest = &self.coef - &self.root * change;
        let moved = &null * (&inverse * rest);
        score.iter_mut().zip(moved.iter()).for_each(|(score, moved)| *score += moved);
        Solution { null, inverse: inverse * &self.root }
    }
}

impl Solution {
    /// `p`: the part of a contrast u that is taken of the coefficients themselves.
    pub fn own(&self, u: &[f64]) -> Vec<f64> {
        let u = DVector::from_column_slice(u);
        self.inverse.tr_mul(&self.null.tr_mul(&u)).as_slice().to_vec()
    }
}
