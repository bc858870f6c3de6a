//! A model that is not linear, under its hypothesis: scores and information of its rows at the restricted maximum, in
//! columns whitened there.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::pieces::Source;
use crate::inference::{Fitted, Moments, Restricted, orthonormal};
use crate::resampling::projection;
use crate::{Fault, Result};

/// The clusters of the model under its hypothesis.
pub(super) struct NullModel {
    k: usize,
    /// Whitened rows, m x k.
    rows: Vec<f64>,
    rest: Restricted,
    /// The hypothesis in these columns, orthonormal.
    pub basis: Vec<Vec<f64>>,
}

impl NullModel {
    /// Fits the model where its coefficients are `delta` of `basis` away from the estimates.
    ///
    /// # Errors
    /// [`crate::Error::Convergence`] where the model has no maximum there; [`crate::Error::Input`] where it cannot be
    /// fitted again.
    pub fn new(fit: &dyn Fitted, basis: &[Vec<f64>], delta: &[f64]) -> Result<Self> {
        let k = fit.bread().k();
        let mut at = fit.bread().whitened_coef().to_vec();
        for (delta, u) in delta.iter().zip(basis) {
            at.iter_mut().zip(u).for_each(|(at, u)| *at -= delta * u);
        }
        let unit = |j: usize| (0..k).map(|i| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
        let free = projection::orthonormal(basis.iter().cloned().chain((0..k).map(unit)));
        let rest = fit.restricted(&at, &free[basis.len().min(free.len())..]).map_err(without_maximum)?;
        let rest = rest.ok_or_else(|| {
            Fault::new("the model cannot be fitted again under the hypothesis")
                .remedy("Do not impose the null, or use a randomisation test")
                .input()
        })?;
        let mut information = DMatrix::zeros(k, k);
        for (row, w) in rest.rows.outer_iter().zip(&rest.weights) {
            for a in 0..k {
                for b in 0..=a {
                    information[(a, b)] += w * row[a] * row[b];
                }
            }
        }
        let factor: Cholesky<f64, Dyn> = Cholesky::new(information).ok_or_else(no_maximum)?;
        let solved = |v: &[f64]| -> Vec<f64> {
            let mut v = DVector::from_column_slice(v);
            // The factor has a positive diagonal.
            factor.l_dirty().solve_lower_triangular_mut(&mut v);
            v.as_slice().to_vec()
        };
        let mut rows = Vec::with_capacity(rest.rows.len());
        for row in rest.rows.outer_iter() {
            rows.extend(solved(&row.to_vec()));
        }
        let basis = orthonormal(basis.iter().map(|u| solved(u)).collect())?;
        Ok(Self { k, rows, rest, basis })
    }
}

fn no_maximum() -> crate::Error {
    Fault::new("the model has no maximum under the hypothesis")
        .remedy("Do not impose the null, or use a randomisation test")
        .convergence()
}

fn without_maximum(error: crate::Error) -> crate::Error {
    match error {
        crate::Error::Convergence(_) | crate::Error::Rank(_) => no_maximum(),
        other => other,
    }
}

impl Source for NullModel {
    fn k(&self) -> usize {
        self.k
    }

    fn count(&self) -> usize {
        self.rest.starts.len() - 1
    }

    fn moments(&self, g: usize, into: &mut Moments) {
        let (k, width) = (self.k, into.width());
        let range = self.rest.starts[g]..self.rest.starts[g + 1];
        let row = |i: usize| &self.rows[i * k..(i + 1) * k];
        let score = into.score_mut();
        score.fill(0.0);
        for i in range.clone() {
            score.iter_mut().zip(row(i)).for_each(|(score, z)| *score += self.rest.factors[i] * z);
        }
        if range.len() <= k {
            let factor = into.factor(range.len());
            for (f, i) in factor.chunks_exact_mut(width).zip(range) {
                let root = self.rest.weights[i].sqrt();
                f.iter_mut().zip(row(i)).for_each(|(f, z)| *f = root * z);
            }
            return;
        }
        let matrix = into.symmetric();
        for i in range {
            let z = row(i);
            for (into, a) in matrix.chunks_exact_mut(width).zip(z) {
                let share = self.rest.weights[i] * a;
                into.iter_mut().zip(z).for_each(|(into, b)| *into += share * b);
            }
        }
    }
}
