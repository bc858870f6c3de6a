//! Bias-reduced linearisation (CR2), CR3 and Satterthwaite degrees of freedom, in k x k algebra.
//!
//! With whitened rows Z_g of cluster g (n_g x k) and `L_g = Z_g' Z_g`, the hat block is `H_gg = Z_g Z_g'` and
//! `Z_g' (I - H_gg)^{-p} = (I - L_g)^{-p} Z_g'`. So the adjusted score is `B_g t_g` with `t_g = Z_g' e_g` and
//! `B_g = (I - L_g)^{-p}`, p = 1/2 for CR2 and 1 for CR3, from one k x k (or, in small clusters, n_g x n_g) symmetric
//! eigenproblem; eigenvalues of `I - H_gg` below 1e-12 are taken as 0 and their inverse powers too (Moore-Penrose).
//!
//! For a contrast whose whitened form is u the variance is `sum_g (u' B_g t_g)^2`. Under the working model with
//! independent errors its moments follow from `Gamma_gh = [g = h] d_g - q_g' q_h` with `d_g = u' B_g L_g B_g u` and
//! `q_g = L_g B_g u`, and the Satterthwaite degrees of freedom are `(tr Gamma)^2 / sum_gh Gamma_gh^2`, where
//! `sum_gh Gamma_gh^2 = sum_g (d_g^2 - 2 d_g q_g'q_g) + || sum_g q_g q_g' ||^2`: no n_g x n_g, no G x G.
//!
//! With working weights `V_g = diag(w)` (logit) the residuals of a cluster have the working covariance V_g, and the
//! symmetric adjustment that restores it is `A_g = V^{1/2} (V (I - H_gg) V)^{-1/2} V^{1/2}`, equation 11 of Pustejovsky
//! and Tipton. Where w is the same in all rows of a cluster that is the adjustment above. Otherwise CR2 has no k x k
//! form: the root is that of an n_g x n_g matrix, by its eigenvectors in small clusters. But `V (I - H_gg) V` is a
//! diagonal less a matrix of rank k, and only the product of its root with the k columns of Z_g is needed; in large
//! clusters that comes from sums of resolvents (inverse_root.rs) in time n_g k^2. CR3 keeps its k x k form.
//!
//! Bell and McCaffrey (2002); Pustejovsky and Tipton (2018), doi:10.1080/07350015.2016.1247004, section 4.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use ndarray::Array2;
use rayon::prelude::*;

use super::inverse_root::inverse_root;
use super::scores::whiten;
use super::{Clusters, Estimates};
use crate::linalg::DesignMatrix;
use crate::linalg::gram::{cross_products, fill_chunks, over_chunks};

/// The inverse power of `I - H_gg` that adjusts the residuals of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    /// CR2.
    Half,
    /// CR3 and the jackknife.
    One,
}

/// Eigenvalues of `I - H_gg` below this are zero.
const SINGULAR: f64 = 1e-12;
/// Clusters in a chunk of work, at most.
const CHUNK: usize = 256;
/// Rows in a chunk of work, about, where clusters are large.
const ROWS: usize = 16_384;
/// Rows from which the root of a cluster with unequal working weights is taken without its n_g x n_g matrix.
const LARGE: usize = 100;

/// The middle of the sandwich of adjusted scores, in whitened columns.
pub(super) struct AdjustedMeat {
    /// `sum_g s_g s_g'`, k x k.
    pub meat: Array2<f64>,
    /// Satterthwaite degrees of freedom, one a contrast.
    pub df: Vec<f64>,
    /// Clusters whose hat block has an eigenvalue of 1.
    pub degenerate: usize,
}

/// One cluster in whitened columns.
pub(super) struct Block {
    /// `B_g t_g`, length k.
    score: DVector<f64>,
    /// `B_g L_g B_g`, k x k.
    pub(super) spread: DMatrix<f64>,
    /// `L_g B_g`, k x k.
    pub(super) reach: DMatrix<f64>,
    degenerate: bool,
}

/// The adjusted meat and the degrees of freedom of `contrasts` (whitened).
pub(super) fn adjusted_meat(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    clusters: &Clusters,
    power: Power,
    contrasts: &[Vec<f64>],
) -> AdjustedMeat {
    let k = estimates.k();
    let total = accumulate(x, estimates, clusters, power, contrasts, k);
    AdjustedMeat {
        meat: Array2::from_shape_fn((k, k), |(a, b)| total.meat[(a, b)]),
        df: total.moments.iter().map(Moments::df).collect(),
        degenerate: total.degenerate,
    }
}

/// The Satterthwaite degrees of freedom of contrasts given in whitened form, under CR2.
pub(super) fn satterthwaite(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    clusters: &Clusters,
    contrasts: &[Vec<f64>],
) -> Vec<f64> {
    let total = accumulate(x, estimates, clusters, Power::Half, contrasts, estimates.k());
    total.moments.iter().map(Moments::df).collect()
}

/// The same where every row is its own cluster (Bell and McCaffrey's degrees of freedom of HC2), given the leverage
/// of each row, all below 1: with `a_i = z_i' u (1 - h_i)^{-1/2}`, `d_i = a_i^2` and `q_i = a_i z_i`.
pub(super) fn satterthwaite_of_rows(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    leverage: &[f64],
    contrasts: &[Vec<f64>],
) -> Vec<f64> {
    let k = estimates.k();
    let w = DMatrix::from_fn(k, k, |a, b| estimates.whitening[a][b]);
    let weight = |i: usize| estimates.root_weights.as_ref().map_or(1.0, |w| w[i]);
    contrasts
        .iter()
        .map(|u| {
            let direction = &w * DVector::from_column_slice(u);
            let scaled = fill_chunks(x.n(), |start, values| {
                let mut row = vec![0.0; k];
                for (value, i) in values.iter_mut().zip(start..) {
                    x.row(i, &estimates.center, &mut row);
                    let product: f64 = row.iter().zip(direction.iter()).map(|(x, d)| x * d).sum();
                    *value = weight(i) * product / (1.0 - leverage[i]).sqrt();
                }
            });
            let sum = |f: &(dyn Fn(usize) -> f64 + Sync)| -> f64 {
                over_chunks(x.n(), |start, end| (start..end).map(f).sum::<f64>()).iter().sum()
            };
            let square = |i: usize| scaled[i] * scaled[i];
            let trace = sum(&|i| square(i) * (1.0 - leverage[i]));
            let squares = sum(&|i| square(i) * square(i) * (1.0 - 2.0 * leverage[i]));
            let reach: Vec<f64> = (0..x.n()).map(|i| scaled[i] * weight(i)).collect();
            let outer = cross_products(x, &estimates.center, None, Some(&reach));
            let outer = DMatrix::from_fn(k, k, |a, b| outer[(a, b)]);
            Moments { trace, squares, outer: w.transpose() * outer * &w }.df()
        })
        .collect()
}

/// The sums over clusters that a contrast's degrees of freedom need.
struct Moments {
    trace: f64,
    squares: f64,
    outer: DMatrix<f64>,
}

impl Moments {
    fn df(&self) -> f64 {
        self.trace * self.trace / (self.squares + self.outer.norm_squared())
    }
}

struct Sums {
    meat: DMatrix<f64>,
    moments: Vec<Moments>,
    degenerate: usize,
}

impl Sums {
    fn zero(k: usize, contrasts: usize) -> Self {
        let moments = (0..contrasts)
            .map(|_| Moments { trace: 0.0, squares: 0.0, outer: DMatrix::zeros(k, k) })
            .collect();
        Self { meat: DMatrix::zeros(k, k), moments, degenerate: 0 }
    }

    fn add(mut self, other: &Self) -> Self {
        self.meat += &other.meat;
        for (mine, theirs) in self.moments.iter_mut().zip(&other.moments) {
            mine.trace += theirs.trace;
            mine.squares += theirs.squares;
            mine.outer += &theirs.outer;
        }
        self.degenerate += other.degenerate;
        self
    }
}

fn accumulate(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    clusters: &Clusters,
    power: Power,
    contrasts: &[Vec<f64>],
    k: usize,
) -> Sums {
    let contrasts: Vec<DVector<f64>> = contrasts.iter().map(|u| DVector::from_column_slice(u)).collect();
    let size = (ROWS * clusters.count() / x.n().max(1)).clamp(1, CHUNK);
    let chunk = |c: usize| {
        let mut sums = Sums::zero(k, contrasts.len());
        for g in c * size..clusters.count().min((c + 1) * size) {
            let block = block(x, estimates, clusters.rows(g), power);
            sums.meat.ger(1.0, &block.score, &block.score, 1.0);
            sums.degenerate += usize::from(block.degenerate);
            for (u, moments) in contrasts.iter().zip(&mut sums.moments) {
                let d = u.dot(&(&block.spread * u));
                let q = &block.reach * u;
                let length = q.norm_squared();
                moments.trace += d - length;
                moments.squares += d * d - 2.0 * d * length;
                moments.outer.ger(1.0, &q, &q, 1.0);
            }
        }
        sums
    };
    let chunks = clusters.count().div_ceil(size);
    let parts: Vec<Sums> = if chunks <= 1 || rayon::current_num_threads() == 1 {
        (0..chunks).map(chunk).collect()
    } else {
        (0..chunks).into_par_iter().map(chunk).collect()
    };
    parts.iter().fold(Sums::zero(k, contrasts.len()), Sums::add)
}

/// The adjusted score of one cluster and what its degrees of freedom need.
pub(super) fn block(x: &DesignMatrix<'_>, estimates: &Estimates, rows: &[u32], power: Power) -> Block {
    let k = estimates.k();
    let m = rows.len();
    let mut row = vec![0.0; k];
    let mut z = DMatrix::zeros(m, k);
    let mut e = DVector::zeros(m);
    for (i, &r) in rows.iter().enumerate() {
        let r = r as usize;
        x.row(r, &estimates.center, &mut row);
        let weight = estimates.root_weights.as_ref().map_or(1.0, |w| w[r]);
        for (j, value) in whiten(estimates, &row).enumerate() {
            z[(i, j)] = weight * value;
        }
        // A row with weight 0 has no score either.
        e[i] = if weight == 0.0 { 0.0 } else { estimates.residuals[r] / weight };
    }
    if let (Power::Half, Some(weights)) = (power, &estimates.root_weights) {
        let roots = DVector::from_iterator(m, rows.iter().map(|&r| weights[r as usize]));
        if roots.max() > roots.min() * (1.0 + 1e-13) {
            return weighted_block(&z, &e, &roots);
        }
    }
    let exponent = |rest: f64| match power {
        _ if rest <= SINGULAR => 0.0,
        Power::Half => 1.0 / rest.sqrt(),
        Power::One => 1.0 / rest,
    };
    if m < k {
        // In the space of the rows: (I - Z Z')^{-p} is m x m.
        let eigen = SymmetricEigen::new(&z * z.transpose());
        let (adjust, degenerate) = power_of(&eigen, exponent);
        let adjusted = &adjust * &z;
        return Block {
            score: z.transpose() * (&adjust * e),
            spread: adjusted.transpose() * &adjusted,
            reach: z.transpose() * adjusted,
            degenerate,
        };
    }
    let inner = z.transpose() * &z;
    let eigen = SymmetricEigen::new(inner.clone());
    let (adjust, degenerate) = power_of(&eigen, exponent);
    let reach = &inner * &adjust;
    Block { score: &adjust * (z.transpose() * e), spread: &adjust * &reach, reach, degenerate }
}

/// The block under CR2 where the working weights differ between rows. With `R = V^{1/2}`, whitened rows `Z = R X W`,
/// scaled residuals `e = R^{-1} (y - mu)` and `S = (V (I - Z Z') V)^{-1/2}` the adjustment is `A = R S R`, and the
/// adjusted rows `A X W = R S Z` give the score `Z' S V e`, the spread `Z' S V^2 S Z` and the reach `Z' V S Z`.
fn weighted_block(z: &DMatrix<f64>, e: &DVector<f64>, roots: &DVector<f64>) -> Block {
    let v = roots.component_mul(roots);
    // Whether the cluster determines a coefficient by itself is a matter of I - Z Z' alone, not of small weights.
    let inner = SymmetricEigen::new(z.transpose() * z);
    let degenerate = 1.0 - inner.eigenvalues.max() <= SINGULAR;
    let large = z.nrows() >= LARGE.max(4 * z.ncols()) && v.min() > 0.0;
    let adjusted = if large { adjusted_by_resolvents(z, &v, &inner) } else { None };
    let adjusted = adjusted.unwrap_or_else(|| adjusted_by_eigenvectors(z, &v, degenerate));
    let mut weighted = adjusted.clone();
    for (mut row, &v) in weighted.row_iter_mut().zip(v.iter()) {
        row *= v;
    }
    Block {
        score: weighted.transpose() * e,
        spread: weighted.transpose() * &weighted,
        reach: z.transpose() * weighted,
        degenerate,
    }
}

/// `S Z` from the eigenvectors of the n_g x n_g matrix.
fn adjusted_by_eigenvectors(z: &DMatrix<f64>, v: &DVector<f64>, degenerate: bool) -> DMatrix<f64> {
    let rest = DMatrix::identity(z.nrows(), z.nrows()) - z * z.transpose();
    let inner = DMatrix::from_fn(z.nrows(), z.nrows(), |a, b| v[a] * rest[(a, b)] * v[b]);
    let floor = if degenerate { SINGULAR * v.max() * v.max() } else { 0.0 };
    let eigen = SymmetricEigen::new(inner);
    let mut scaled = eigen.eigenvectors.clone();
    for (mut column, &l) in scaled.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column *= if l > floor { 1.0 / l.sqrt() } else { 0.0 };
    }
    scaled * (eigen.eigenvectors.transpose() * z)
}

/// `S Z` in time n_g k^2. The kernel of `V (I - Z Z') V` is `V^{-1} Z a` for the eigenvectors a of `Z'Z` with
/// eigenvalue 1; what of Z lies in it is taken off before and after. Nothing where a resolvent has no factor.
fn adjusted_by_resolvents(
    z: &DMatrix<f64>,
    v: &DVector<f64>,
    inner: &SymmetricEigen<f64, nalgebra::Dyn>,
) -> Option<DMatrix<f64>> {
    let rests: Vec<f64> = inner.eigenvalues.iter().map(|l| 1.0 - l).collect();
    let rest = rests.iter().copied().filter(|rest| *rest > SINGULAR).fold(1.0, f64::min);
    let own: Vec<DVector<f64>> = (0..rests.len())
        .filter(|&j| rests[j] <= SINGULAR)
        .map(|j| (z * inner.eigenvectors.column(j)).component_div(v))
        .collect();
    if own.is_empty() {
        return inverse_root(v, z, z, rest);
    }
    let kernel = DMatrix::from_columns(&own).qr().q();
    let without = |matrix: &DMatrix<f64>| matrix - &kernel * kernel.tr_mul(matrix);
    Some(without(&inverse_root(v, z, &without(z), rest)?))
}

/// `U f(1 - l) U'` of a symmetric matrix with eigenvalues l, and whether any `1 - l` is zero.
fn power_of(eigen: &SymmetricEigen<f64, nalgebra::Dyn>, f: impl Fn(f64) -> f64) -> (DMatrix<f64>, bool) {
    let u = &eigen.eigenvectors;
    let mut scaled = u.clone();
    let mut degenerate = false;
    for (mut column, &l) in scaled.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        degenerate |= 1.0 - l <= SINGULAR;
        column *= f(1.0 - l);
    }
    (scaled * u.transpose(), degenerate)
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
            let want = adjusted_by_eigenvectors(&z, &v, degenerate);
            let got = adjusted_by_resolvents(&z, &v, &inner).expect("every resolvent has its factor");
            assert!((&got - &want).amax() < 1e-11 * want.amax(), "{shares:?}: {}", (got - want).amax());
        }
    }
}
