//! `(V^2 - U U')^{-1/2} R` for a diagonal V^2 and U of low rank, without the n x n matrix.
//!
//! The inverse root of a positive definite M with eigenvalues between a and b is an integral of resolvents,
//! `M^{-1/2} = (2 / pi) int_0^inf (t^2 + M)^{-1} dt`. The substitution `t = sqrt(a) sc(u | 1 - a/b)`, sc = sn / cn a
//! Jacobi elliptic function, makes the integrand smooth and periodic, and the midpoint rule with N nodes then errs by
//! `exp(-2 pi^2 N / (log(b / a) + 3))`: 20 to 80 nodes give all digits that a double has (Hale, Higham and Trefethen
//! 2008, section 4). Each resolvent of a diagonal less a matrix of rank k is a k x k problem (Woodbury), so the cost is
//! n k^2 a node where an eigendecomposition would cost n^3.
//!
//! N. Hale, N. J. Higham and L. N. Trefethen (2008), Computing A^alpha, log(A), and related matrix functions by
//! contour integrals, doi:10.1137/070700607.

use nalgebra::{DMatrix, DVector};

/// The logarithm of the relative error that the number of nodes aims at.
const DIGITS: f64 = 38.0;
/// The smallest eigenvalue, relative to the largest, that the nodes reach down to.
const DEEPEST: f64 = 1e-40;

/// A node of the rule: `M^{-1/2} ~ sum weight (M + shift)^{-1}`.
struct Node {
    shift: f64,
    weight: f64,
}

/// `(V^2 - V Z Z' V)^{-1/2} R` for positive v (length n), Z (n x k) and R (n x r).
///
/// The eigenvalues of `Z'Z` are at most `1 - rest`, `rest` > 0, or 1; where they are 1 the root is Moore and Penrose's
/// and the columns of R must be orthogonal to the kernel. `gap` is `I - Z'Z`, with 0 where it is 0. Nothing where rounding leaves a resolvent without a factor:
/// a sum that lacks a node would be a wrong root.
pub(super) fn inverse_root(
    v: &DVector<f64>,
    z: &DMatrix<f64>,
    r: &DMatrix<f64>,
    gap: &DMatrix<f64>,
    rest: f64,
) -> Option<DMatrix<f64>> {
    let most = v.max() * v.max();
    let least = (v.min() * v.min() * rest).max(most * DEEPEST);
    let mut result = DMatrix::zeros(r.nrows(), r.ncols());
    for node in nodes(least, most) {
        // With T = V^2 + shift: (T - V Z Z' V)^{-1} R = T^{-1} (R + V Z C), C = (I - Z'V T^{-1} V Z)^{-1} Z'V T^{-1} R.
        let inverse = v.map(|v| 1.0 / (v * v + node.shift));
        let across = scaled(r, |i| v[i] * inverse[i]);
        // I - Z'V T^{-1} V Z as a sum of what is not negative: no digits are lost where Z'Z is all but 1.
        let inner = gap + z.tr_mul(&scaled(z, |i| node.shift * inverse[i]));
        // Positive definite but for rounding, since the shift is positive and no eigenvalue of Z'Z is above 1.
        let moved = z * inner.cholesky()?.solve(&z.tr_mul(&across));
        result +=
            scaled(r, |i| node.weight * inverse[i]) + scaled(&moved, |i| node.weight * inverse[i] * v[i]);
    }
    Some(result)
}

/// The rows of a matrix, each times a number.
fn scaled(matrix: &DMatrix<f64>, factor: impl Fn(usize) -> f64) -> DMatrix<f64> {
    let mut scaled = matrix.clone();
    for mut column in scaled.column_iter_mut() {
        for (i, value) in column.iter_mut().enumerate() {
            *value *= factor(i);
        }
    }
    scaled
}

/// The nodes for eigenvalues from `least` to `most`.
fn nodes(least: f64, most: f64) -> Vec<Node> {
    // With least = most the rule is a single node in the limit; keep the functions away from it.
    let ratio = (least / most).min(0.999);
    let pi = std::f64::consts::PI;
    let count = (DIGITS * (3.0 - ratio.ln()) / (2.0 * pi * pi)).ceil();
    let period = quarter_period(ratio);
    let scale = (ratio * most).sqrt();
    (0..count as usize)
        .map(|j| {
            let Jacobi { sn, cn, dn } = jacobi((j as f64 + 0.5) * period / count, ratio);
            let t = scale * sn / cn;
            Node { shift: t * t, weight: 2.0 * period * scale / (pi * count) * dn / (cn * cn) }
        })
        .collect()
}

/// The complete elliptic integral of the first kind of the parameter `1 - complement`, by the arithmetic-geometric
/// mean.
fn quarter_period(complement: f64) -> f64 {
    let (mut a, mut b) = (1.0_f64, complement.sqrt());
    while (a - b).abs() > 1e-15 * a {
        (a, b) = (0.5 * (a + b), (a * b).sqrt());
    }
    std::f64::consts::FRAC_PI_2 / a
}

struct Jacobi {
    sn: f64,
    cn: f64,
    dn: f64,
}

/// Jacobi's elliptic functions at `u`, 0 < u < K, of the parameter `1 - complement`, by Bulirsch's chain of
/// arithmetic-geometric means (1965), doi:10.1007/BF01397975.
fn jacobi(u: f64, complement: f64) -> Jacobi {
    let mut steps = Vec::new();
    let (mut a, mut b) = (1.0_f64, complement.sqrt());
    steps.push((a, b));
    while (a - b).abs() > 1e-8 * a {
        (a, b) = (0.5 * (a + b), (a * b).sqrt());
        steps.push((a, b));
    }
    let mean = 0.5 * (a + b);
    let (sine, cosine) = (mean * u).sin_cos();
    // cs = cn / sn keeps its digits up to u = K.
    let mut ratio = cosine / sine;
    let (mut cs, mut dn) = (mean * ratio, 1.0);
    for &(a, b) in steps.iter().rev() {
        ratio *= cs;
        cs *= dn;
        dn = (b + ratio) / (a + ratio);
        ratio = cs / a;
    }
    let sn = 1.0 / (1.0 + cs * cs).sqrt();
    Jacobi { sn, cn: cs * sn, dn }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::SymmetricEigen;

    #[test]
    fn elliptic_functions() {
        // Abramowitz and Stegun, table 17.1 and example 16.1: K(0.81) and sn(0.672 | 0.36).
        assert!((quarter_period(0.19) - 2.280_549_138_422_77).abs() < 1e-13);
        let Jacobi { sn, cn, dn } = jacobi(0.672, 0.64);
        assert!((sn - 0.609_52).abs() < 1e-5);
        assert!((cn * cn + sn * sn - 1.0).abs() < 1e-15 && (dn * dn + 0.36 * sn * sn - 1.0).abs() < 1e-15);
        // Halfway: sn(K / 2) = 1 / sqrt(1 + k').
        for complement in [0.5, 1e-3, 1e-12, 1e-30] {
            let Jacobi { sn, cn, dn } = jacobi(0.5 * quarter_period(complement), complement);
            let root = complement.sqrt();
            assert!((sn * sn * (1.0 + root) - 1.0).abs() < 1e-14);
            assert!((cn * cn * (1.0 + root) / root - 1.0).abs() < 1e-13, "{complement}");
            assert!((dn * dn / root - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn is_the_root_of_the_whole_matrix() {
        let n = 60;
        for (spread, share) in [(0.0, 0.5), (1.0, 0.9), (4.0, 0.999), (7.0, 0.2)] {
            let v = DVector::from_fn(n, |i, _| 0.25 * (-spread * (i as f64 * 0.7).sin().powi(2)).exp());
            let raw = DMatrix::from_fn(n, 3, |i, j| (i as f64 * (1.3 + j as f64)).sin() + 0.2);
            let most = SymmetricEigen::new(raw.tr_mul(&raw)).eigenvalues.max();
            let z = raw * (share / most).sqrt();
            let rest = DMatrix::identity(n, n) - &z * z.transpose();
            let eigen = SymmetricEigen::new(DMatrix::from_fn(n, n, |a, b| v[a] * rest[(a, b)] * v[b]));
            let mut scaled = eigen.eigenvectors.clone();
            for (mut column, l) in scaled.column_iter_mut().zip(eigen.eigenvalues.iter()) {
                column /= l.sqrt();
            }
            let want = scaled * eigen.eigenvectors.transpose() * &z;
            let gap = DMatrix::identity(3, 3) - z.tr_mul(&z);
            let got = inverse_root(&v, &z, &z, &gap, 1.0 - share).expect("every resolvent has its factor");
            // Eigenvalues are right to the rounding of the largest, V^2 at its most; the smallest are e^(2 spread) below.
            let tolerance = 1e-14 * want.amax() * (1.0 + (2.0_f64 * spread).exp());
            assert!((&got - &want).amax() < tolerance, "{spread}: {}", (&got - &want).amax() / want.amax());
        }
    }
}
