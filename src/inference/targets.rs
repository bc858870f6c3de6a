//! CR2 where the weights of the rows are not the inverse of their working variance.
//!
//! *Generalised linear models.* The residuals of a cluster have the working covariance `V = diag(v)` (v / w with prior
//! weights w), and the symmetric adjustment that restores it is `A = V^{1/2} (V (I - Z Z') V)^{-1/2} V^{1/2}`, equation 11
//! of Pustejovsky and Tipton, clubSandwich's for `glm`. Where v is the same in all rows of a cluster it is that of
//! `adjusted`. Otherwise it has no k x k form: the root is that of an n_g x n_g matrix, by its eigenvectors in small
//! clusters. But `V (I - Z Z') V` is a diagonal less a matrix of rank k, and only the product of its root with the k
//! columns of Z is needed; in large clusters that comes from sums of resolvents (inverse_root.rs) in time n_g k^2.
//!
//! *Probability weights of linear models.* The working covariance is the identity, whatever the weights (clubSandwich's
//! target for `lm`). With `X` the rows of a cluster in columns that whiten `sum of w x x'`, and `S = sum of w^2 x x'` over
//! all rows, the residuals have the covariance `C = I - X X'W - W X X' + X S X'`, the adjustment is `A = C^{-1/2}`, and the
//! adjusted score `X'W A e`. `C` is the identity and a matrix of rank 2k, so in large clusters the root is that of a
//! 2k x 2k matrix. Between clusters `Gamma_gh = y_g' T y_h` for `y = (X'W a, X'a)`, `a = A W X u` and
//! `T = [0, -I; -I, S]`; turned into the eigenvectors of T it is a sum of products with signs.
//!
//! J. E. Pustejovsky and E. Tipton (2018), doi:10.1080/07350015.2016.1247004.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::fitted::{ClusterRows, WhitenedRows};
use super::inverse_root::inverse_root;
use crate::Result;

/// Eigenvalues of `I - Z Z'` below this are zero: here they are differences from 1.
const SINGULAR: f64 = 1e-12;
/// Rows from which the root of a cluster is taken without its n_g x n_g matrix.
const LARGE: usize = 100;
/// The smallest eigenvalue of `V (I - Z Z') V`, relative to the largest, whose digits its eigenvectors keep. Where an
/// outcome is all but certain its V is far below that of other rows, and only resolvents know it to all digits.
const GRADED: f64 = 1e-4;

/// What one cluster gives: the adjusted score, and quadratic forms of contrasts.
pub(super) struct Block {
    /// The adjusted score, length k.
    pub score: DVector<f64>,
    /// `Gamma_gg` is `u' own u`.
    own: DMatrix<f64>,
    /// `q = reach u`.
    reach: DMatrix<f64>,
    /// Whether the cluster determines a coefficient by itself.
    pub degenerate: bool,
    /// The smallest eigenvalue that is not 0 of the covariance of its residuals.
    pub rest: f64,
}

impl Block {
    /// With only what `Gamma_gg` is made of.
    pub fn of_own(own: DMatrix<f64>) -> Self {
        Self { score: DVector::zeros(0), own, reach: DMatrix::zeros(0, 0), degenerate: false, rest: 1.0 }
    }

    /// `u' own v`.
    pub fn form(&self, u: &[f64], v: &[f64]) -> f64 {
        let v = DVector::from_column_slice(v);
        (&self.own * v).iter().zip(u).map(|(a, b)| a * b).sum()
    }

    /// `reach u`.
    pub fn reach(&self, u: &[f64]) -> Vec<f64> {
        (&self.reach * DVector::from_column_slice(u)).iter().copied().collect()
    }
}

/// `sum of w^2 x x'` of a whole design and the directions in which products between clusters are sums. The weights are
/// taken relative to their mean, so that `X'W a` and `X'a` are of one size whatever the scale of the weights.
pub(super) struct Whole {
    /// The root of the mean weight.
    unit: f64,
    squares: DMatrix<f64>,
    /// `|l|^{1/2} e'` for the eigenvalues and vectors of T, 2k x 2k.
    turn: DMatrix<f64>,
    signs: Vec<f64>,
}

impl Whole {
    pub fn new(rows: &dyn WhitenedRows) -> Result<Self> {
        let mut weights: Vec<f64> = rows.roots().unwrap_or_default().iter().map(|root| root * root).collect();
        let unit = (weights.iter().sum::<f64>() / weights.len() as f64).sqrt();
        weights.iter_mut().for_each(|w| *w /= unit);
        let outer = rows.outer(&weights)?;
        let k = outer.nrows();
        let squares = DMatrix::from_fn(k, k, |a, b| outer[(a, b)]);
        let t = DMatrix::from_fn(2 * k, 2 * k, |a, b| match (a < k, b < k) {
            (true, true) => 0.0,
            (false, false) => squares[(a - k, b - k)],
            _ => -f64::from(u8::from(a % k == b % k)),
        });
        let eigen = SymmetricEigen::new(t);
        let mut turn = eigen.eigenvectors.transpose();
        for (mut row, l) in turn.row_iter_mut().zip(eigen.eigenvalues.iter()) {
            row *= l.abs().sqrt();
        }
        Ok(Self { unit, squares, turn, signs: eigen.eigenvalues.iter().map(|l| l.signum()).collect() })
    }

    /// The sign of product `j`.
    pub fn sign(&self, j: usize) -> f64 {
        self.signs.get(j).copied().unwrap_or(1.0)
    }
}

fn matrix(rows: &ClusterRows, k: usize) -> DMatrix<f64> {
    DMatrix::from_row_slice(rows.residuals.len(), k, &rows.z)
}

/// The block under probability weights of a linear model.
pub(super) fn identity(rows: &ClusterRows, k: usize, whole: &Whole) -> Block {
    let n = rows.residuals.len();
    let root: Vec<f64> = rows.roots.iter().map(|root| root / whole.unit).collect();
    // The residuals of the scores carry the root of the weight once; what is left is that of the mean weight.
    let e = DVector::from_fn(n, |i, _| if root[i] > 0.0 { rows.residuals[i] / root[i] } else { 0.0 });
    let x = DMatrix::from_fn(n, k, |i, j| if root[i] > 0.0 { rows.z[i * k + j] / root[i] } else { 0.0 });
    let wx = DMatrix::from_fn(n, k, |i, j| root[i] * rows.z[i * k + j]);
    let found = if n < 2 * k { by_covariance(&x, &wx, &e, whole) } else { by_rank(&x, &wx, &e, whole) };
    let Adjusted { rows: a, score, own, degenerate, rest } = found;
    let mut y = DMatrix::zeros(2 * k, k);
    y.rows_mut(0, k).copy_from(&wx.tr_mul(&a));
    y.rows_mut(k, k).copy_from(&x.tr_mul(&a));
    Block { score, own, reach: &whole.turn * y, degenerate, rest }
}

/// `A W X`, the adjusted score and `X'W P W X`, P the projection on what the residuals can reach.
struct Adjusted {
    rows: DMatrix<f64>,
    score: DVector<f64>,
    own: DMatrix<f64>,
    degenerate: bool,
    rest: f64,
}

fn by_covariance(x: &DMatrix<f64>, wx: &DMatrix<f64>, e: &DVector<f64>, whole: &Whole) -> Adjusted {
    let n = x.nrows();
    let cross = x * wx.transpose();
    let covariance =
        DMatrix::identity(n, n) - &cross - cross.transpose() + x * &whole.squares * x.transpose();
    let eigen = SymmetricEigen::new(covariance);
    let inner = eigen.eigenvectors.tr_mul(wx);
    let rest = least(eigen.eigenvalues.iter().copied());
    let power = |l: f64| if l > SINGULAR { 1.0 / l.sqrt() } else { 0.0 };
    let mut turned = inner.clone();
    let mut kept = inner;
    for (i, &l) in eigen.eigenvalues.iter().enumerate() {
        turned.row_mut(i).scale_mut(power(l));
        kept.row_mut(i).scale_mut(f64::from(u8::from(l > SINGULAR)));
    }
    let rows = &eigen.eigenvectors * turned;
    Adjusted {
        score: rows.tr_mul(e),
        own: kept.tr_mul(&kept),
        rows,
        degenerate: eigen.eigenvalues.iter().any(|&l| l <= SINGULAR),
        rest,
    }
}

/// As [`by_covariance`], from 2k x 2k matrices: with `U = [X, W X]`, an orthonormal basis Q of its columns and
/// `C = I + U D U'`, the root is `I + Q f(Q'U D U'Q) Q'`.
fn by_rank(x: &DMatrix<f64>, wx: &DMatrix<f64>, e: &DVector<f64>, whole: &Whole) -> Adjusted {
    let k = x.ncols();
    let mut u = DMatrix::zeros(x.nrows(), 2 * k);
    u.columns_mut(0, k).copy_from(x);
    u.columns_mut(k, k).copy_from(wx);
    let gram = SymmetricEigen::new(u.tr_mul(&u));
    let most = gram.eigenvalues.max();
    let used: Vec<usize> = (0..2 * k).filter(|&j| gram.eigenvalues[j] > 1e-15 * most).collect();
    let basis = DMatrix::from_columns(
        &used
            .iter()
            .map(|&j| &u * gram.eigenvectors.column(j) / gram.eigenvalues[j].sqrt())
            .collect::<Vec<_>>(),
    );
    // Once more, since the directions of small eigenvalues lose their orthogonality.
    let basis = basis.qr().q();
    let (qx, qwx) = (basis.tr_mul(x), basis.tr_mul(wx));
    let cross = &qx * qwx.transpose();
    let middle = &qx * &whole.squares * qx.transpose() - &cross - cross.transpose();
    let eigen = SymmetricEigen::new(middle);
    let turned = &basis * &eigen.eigenvectors;
    let inner = turned.tr_mul(wx);
    let mut change = inner.clone();
    let mut lost = inner.clone();
    for (i, &l) in eigen.eigenvalues.iter().enumerate() {
        let there = 1.0 + l > SINGULAR;
        change.row_mut(i).scale_mut(if there { 1.0 / (1.0 + l).sqrt() - 1.0 } else { -1.0 });
        lost.row_mut(i).scale_mut(f64::from(u8::from(!there)));
    }
    let rows = wx + &turned * change;
    Adjusted {
        score: rows.tr_mul(e),
        own: wx.tr_mul(wx) - lost.tr_mul(&lost),
        rows,
        degenerate: eigen.eigenvalues.iter().any(|&l| 1.0 + l <= SINGULAR),
        rest: least(eigen.eigenvalues.iter().map(|l| 1.0 + l)),
    }
}

fn least(eigenvalues: impl Iterator<Item = f64>) -> f64 {
    eigenvalues.filter(|&l| l > SINGULAR).fold(1.0, f64::min)
}

/// The block of a generalised linear model. With `R = V^{1/2}`, whitened rows Z, scaled residuals `e = R^{-1} (y - mu)` and
/// `S = (V (I - Z Z') V)^{-1/2}` the adjusted rows `A X W = R S Z` give the score `Z' S V e`, the spread `Z' S V^2 S Z` and
/// the reach `Z' V S Z`.
pub(super) fn variance(rows: &ClusterRows, k: usize) -> Block {
    let z = matrix(rows, k);
    let n = z.nrows();
    let e = DVector::from_column_slice(&rows.residuals);
    // The scale of V cancels; rows with a weight of 0 have no variance that matters.
    let most = rows.variance.iter().copied().fold(0.0, f64::max);
    let v = DVector::from_fn(n, |i, _| {
        let v = rows.variance[i] / most;
        if v.is_finite() && v > 0.0 { v } else { 0.0 }
    });
    let inner = SymmetricEigen::new(z.tr_mul(&z));
    // Whether the cluster determines a coefficient by itself is a matter of I - Z Z' alone, not of small weights.
    let rests: Vec<f64> = inner.eigenvalues.iter().map(|l| 1.0 - l).collect();
    let degenerate = rests.iter().any(|&rest| rest <= SINGULAR);
    let rest = least(rests.iter().copied());
    if v.max() <= v.min() * (1.0 + 1e-13) {
        return equal(&z, &e, &inner, degenerate, rest);
    }
    let large = n >= LARGE.max(4 * k) || v.min() * v.min() * rest < GRADED;
    let adjusted = if large && v.min() > 0.0 { by_resolvents(&z, &v, &inner) } else { None };
    let (adjusted, own) = adjusted.unwrap_or_else(|| by_eigenvectors(&z, &v, degenerate));
    let mut weighted = adjusted;
    for (mut row, &v) in weighted.row_iter_mut().zip(v.iter()) {
        row *= v;
    }
    Block { score: weighted.tr_mul(&e), own, reach: z.tr_mul(&weighted), degenerate, rest }
}

/// The block where all rows have the same working variance.
fn equal(
    z: &DMatrix<f64>,
    e: &DVector<f64>,
    inner: &SymmetricEigen<f64, nalgebra::Dyn>,
    degenerate: bool,
    rest: f64,
) -> Block {
    let with = |f: &dyn Fn(f64) -> f64| {
        let mut scaled = inner.eigenvectors.clone();
        for (mut column, &l) in scaled.column_iter_mut().zip(inner.eigenvalues.iter()) {
            column *= if 1.0 - l > SINGULAR { f(l) } else { 0.0 };
        }
        scaled * inner.eigenvectors.transpose()
    };
    Block {
        score: with(&|l| 1.0 / (1.0 - l).sqrt()) * z.tr_mul(e),
        own: with(&|l| l),
        reach: with(&|l| l / (1.0 - l).sqrt()),
        degenerate,
        rest,
    }
}

/// `S Z` and `Z'P Z` from the eigenvectors of the n_g x n_g matrix.
fn by_eigenvectors(z: &DMatrix<f64>, v: &DVector<f64>, degenerate: bool) -> (DMatrix<f64>, DMatrix<f64>) {
    let rest = DMatrix::identity(z.nrows(), z.nrows()) - z * z.transpose();
    let inner = DMatrix::from_fn(z.nrows(), z.nrows(), |a, b| v[a] * rest[(a, b)] * v[b]);
    let floor = if degenerate { SINGULAR * v.max() * v.max() } else { 0.0 };
    let eigen = SymmetricEigen::new(inner);
    let turned = eigen.eigenvectors.tr_mul(z);
    let mut scaled = eigen.eigenvectors.clone();
    let mut kept = turned.clone();
    for (j, &l) in eigen.eigenvalues.iter().enumerate() {
        scaled.column_mut(j).scale_mut(if l > floor { 1.0 / l.sqrt() } else { 0.0 });
        kept.row_mut(j).scale_mut(f64::from(u8::from(l > floor)));
    }
    (scaled * turned, kept.tr_mul(&kept))
}

/// As [`by_eigenvectors`], in time n_g k^2. The kernel of `V (I - Z Z') V` is `V^{-1} Z a` for the eigenvectors a of `Z'Z`
/// with eigenvalue 1; what of Z lies in it is taken off before and after. Nothing where a resolvent has no factor.
fn by_resolvents(
    z: &DMatrix<f64>,
    v: &DVector<f64>,
    inner: &SymmetricEigen<f64, nalgebra::Dyn>,
) -> Option<(DMatrix<f64>, DMatrix<f64>)> {
    let rests: Vec<f64> = inner.eigenvalues.iter().map(|l| 1.0 - l).collect();
    let rest = rests.iter().copied().filter(|rest| *rest > SINGULAR).fold(1.0, f64::min);
    let mut gap = inner.eigenvectors.clone();
    for (mut column, &rest) in gap.column_iter_mut().zip(&rests) {
        column *= if rest > SINGULAR { rest } else { 0.0 };
    }
    let gap = gap * inner.eigenvectors.transpose();
    let own: Vec<DVector<f64>> = (0..rests.len())
        .filter(|&j| rests[j] <= SINGULAR)
        .map(|j| (z * inner.eigenvectors.column(j)).component_div(v))
        .collect();
    if own.is_empty() {
        return Some((inverse_root(v, z, z, &gap, rest)?, z.tr_mul(z)));
    }
    let kernel = DMatrix::from_columns(&own).qr().q();
    let without = |matrix: &DMatrix<f64>| matrix - &kernel * kernel.tr_mul(matrix);
    let kept = without(z);
    Some((without(&inverse_root(v, z, &kept, &gap, rest)?), kept.tr_mul(&kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvents_give_what_eigenvectors_give() {
        let n = 90;
        let v = DVector::from_fn(n, |i, _| 0.25 * (-3.0 * (i as f64 * 0.7).sin().powi(2)).exp());
        let raw = DMatrix::from_fn(n, 3, |i, j| (i as f64 * (1.3 + j as f64)).sin() + 0.2);
        let whole = raw.qr().q();
        // No coefficient, one and two of three that the cluster determines by itself.
        for shares in [[0.5_f64, 0.7, 0.2], [1.0, 0.7, 0.2], [1.0, 1.0, 0.9]] {
            let z = &whole * DMatrix::from_diagonal(&DVector::from_fn(3, |j, _| shares[j].sqrt()));
            let inner = SymmetricEigen::new(z.tr_mul(&z));
            let degenerate = shares[0] == 1.0;
            let want = by_eigenvectors(&z, &v, degenerate);
            let got = by_resolvents(&z, &v, &inner).expect("every resolvent has its factor");
            assert!((&got.0 - &want.0).amax() < 1e-11 * want.0.amax(), "{shares:?}");
            assert!((&got.1 - &want.1).amax() < 1e-11 * want.1.amax(), "{shares:?}");
        }
    }

    #[test]
    fn the_root_of_low_rank_is_the_root() {
        let (n, k) = (40, 3);
        let x = DMatrix::from_fn(n, k, |i, j| 0.1 * ((i * (j + 2)) as f64 * 0.9).sin());
        let w = DVector::from_fn(n, |i, _| 0.5 + (i % 7) as f64 / 3.0);
        let wx = DMatrix::from_fn(n, k, |i, j| w[i] * x[(i, j)]);
        let e = DVector::from_fn(n, |i, _| (i as f64 * 1.7).cos());
        let squares = wx.tr_mul(&wx) * 3.0 + DMatrix::identity(k, k);
        let whole = Whole { unit: 1.0, squares, turn: DMatrix::zeros(0, 0), signs: vec![] };
        let (a, b) = (by_covariance(&x, &wx, &e, &whole), by_rank(&x, &wx, &e, &whole));
        assert!((&a.rows - &b.rows).amax() < 1e-13);
        assert!((&a.score - &b.score).amax() < 1e-13);
        assert!((&a.own - &b.own).amax() < 1e-13);
    }
}
