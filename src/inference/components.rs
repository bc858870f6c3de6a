//! What a mixed model knows of its variances: the correction of Kenward and Roger, and degrees of freedom.
//!
//! With `Phi = (X'V^{-1}X)^{-1}` and `V = sum_i s_i G_i` let `P_i = -X'V^{-1}G_iV^{-1}X`,
//! `Q_ij = X'V^{-1}G_iV^{-1}G_jV^{-1}X`, and W the covariance of the variances: twice the inverse of
//! `tr(V^{-1}G_iV^{-1}G_j) - 2 tr(Phi Q_ij) + tr(Phi P_i Phi P_j)` (the expected information), or of the Hessian of the
//! restricted deviance (the observed one). Kenward and Roger add `2 Phi [sum_ij W_ij (Q_ij - P_i Phi P_j)] Phi` to Phi and
//! refer a scaled F to their degrees of freedom; for one contrast these are Satterthwaite's,
//! `2 / sum_ij W_ij a_i a_j` with `a_i = c'Phi P_i Phi c / c'Phi c`. Under the name of Satterthwaite W is the observed one and
//! the covariance is Phi, as in lmerTest. All matrices are in whitened columns, in which Phi is the identity.
//!
//! M. G. Kenward and J. H. Roger (1997), doi:10.2307/2533558; U. Halekoh and S. Hojsgaard (2014),
//! doi:10.18637/jss.v059.i09; A. Kuznetsova, P. B. Brockhoff and R. H. B. Christensen (2017), doi:10.18637/jss.v082.i13.

use ndarray::Array2;

/// Two variances, that between clusters and that within.
#[derive(Debug, Clone)]
pub struct Components {
    /// `P_i`, k x k each.
    derivatives: [Array2<f64>; 2],
    /// The covariance of the variances from the expected information.
    expected: [[f64; 2]; 2],
    /// That from the observed information.
    observed: [[f64; 2]; 2],
    /// `I + 2 sum_ij W_ij (Q_ij - P_i P_j)`, k x k.
    adjusted: Array2<f64>,
}

impl Components {
    pub(crate) fn new(
        derivatives: [Array2<f64>; 2],
        second: &[[Array2<f64>; 2]; 2],
        expected: [[f64; 2]; 2],
        observed: [[f64; 2]; 2],
    ) -> Self {
        let k = derivatives[0].nrows();
        let mut adjusted = Array2::eye(k);
        for i in 0..2 {
            for j in 0..2 {
                let part = &second[i][j] - &derivatives[i].dot(&derivatives[j]);
                adjusted.scaled_add(2.0 * expected[i][j], &part);
            }
        }
        // Symmetric to the last bit, whatever the order of the products.
        let adjusted = Array2::from_shape_fn((k, k), |(a, b)| 0.5 * (adjusted[(a, b)] + adjusted[(b, a)]));
        Self { derivatives, expected, observed, adjusted }
    }

    /// The middle of Kenward and Roger's covariance, k x k.
    pub(super) fn middle(&self) -> Array2<f64> {
        self.adjusted.clone()
    }

    /// Degrees of freedom of directions, by the expected information or the observed one.
    pub(super) fn degrees(&self, directions: &[Vec<f64>], observed: bool) -> Vec<f64> {
        let w = if observed { &self.observed } else { &self.expected };
        directions
            .iter()
            .map(|u| {
                let length: f64 = u.iter().map(|u| u * u).sum();
                let a = self.derivatives.each_ref().map(|p| along(p, u, u) / length);
                let spread: f64 = (0..2).flat_map(|i| (0..2).map(move |j| w[i][j] * a[i] * a[j])).sum();
                let df = 2.0 / spread;
                if df >= 1.0 { df } else { f64::NAN }
            })
            .collect()
    }

    /// The factor and the denominator degrees of freedom of Kenward and Roger's F for an orthonormal basis.
    pub(super) fn joint(&self, basis: &[Vec<f64>]) -> (f64, f64) {
        let q = basis.len();
        let inner = self
            .derivatives
            .each_ref()
            .map(|p| Array2::from_shape_fn((q, q), |(s, t)| along(p, &basis[s], &basis[t])));
        let trace = |m: &Array2<f64>| m.diag().sum();
        let (mut one, mut two) = (0.0, 0.0);
        for i in 0..2 {
            for j in 0..2 {
                one += self.expected[i][j] * trace(&inner[i]) * trace(&inner[j]);
                two += self.expected[i][j] * trace(&inner[i].dot(&inner[j]));
            }
        }
        let q = q as f64;
        let b = (one + 6.0 * two) / (2.0 * q);
        let g = ((q + 1.0) * one - (q + 4.0) * two) / ((q + 2.0) * two);
        let below = 3.0 * q + 2.0 * (1.0 - g);
        let (c1, c2, c3) = (g / below, (q - g) / below, (q + 2.0 - g) / below);
        let mean = 1.0 / (1.0 - two / q);
        let variance = 2.0 / q * (1.0 + c1 * b) / ((1.0 - c2 * b).powi(2) * (1.0 - c3 * b));
        let ratio = variance / (2.0 * mean * mean);
        let df = 4.0 + (q + 2.0) / (q * ratio - 1.0);
        (df / (mean * (df - 2.0)), df)
    }
}

/// `u' m v`.
fn along(m: &Array2<f64>, u: &[f64], v: &[f64]) -> f64 {
    m.outer_iter().zip(u).map(|(row, u)| u * row.iter().zip(v).map(|(m, v)| m * v).sum::<f64>()).sum()
}
