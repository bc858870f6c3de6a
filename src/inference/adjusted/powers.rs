//! The inverse powers of `I - L`: by a power series where the information is small, in loops the compiler turns into
//! vector instructions.

use crate::inference::fitted::LANE;

/// The inverse power of `I - L_g` that adjusts the score of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    /// CR2.
    Half,
    /// CR3 and the jackknife.
    One,
}

/// The size of M up to which its power series is taken.
pub(super) const SERIES: f64 = 0.2;

/// `phi(M) = ((I - M)^{-p} - I) M^{-1}` by its power series, for an M of Frobenius norm `size`; M and the result have
/// `stride` values a row.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn series(
    m: &[f64],
    r: usize,
    stride: usize,
    size: f64,
    power: Power,
    out: &mut Vec<f64>,
    spare: &mut Vec<f64>,
) {
    let (coefficient, terms) = expansion(size, power);
    out.clear();
    out.resize(r * stride, 0.0);
    for a in 0..r {
        out[a * stride + a] = coefficient[terms + 1];
    }
    if stride == r {
        spare.clear();
        spare.resize(r * r, 0.0);
        for j in (1..=terms).rev() {
            for (row, to) in m.chunks_exact(r).zip(spare.chunks_exact_mut(r)) {
                for (c, to) in to.iter_mut().enumerate() {
                    *to = row.iter().zip(out.chunks_exact(r)).map(|(m, out)| m * out[c]).sum();
                }
            }
            for a in 0..r {
                spare[a * r + a] += coefficient[j];
            }
            std::mem::swap(out, spare);
        }
        return;
    }
    for j in (1..=terms).rev() {
        spare.clear();
        spare.resize(r * stride, 0.0);
        for (a, to) in spare.chunks_exact_mut(stride).enumerate() {
            for b in 0..r {
                add(to, &out[b * stride..(b + 1) * stride], m[a * stride + b]);
            }
            to[a] += coefficient[j];
        }
        std::mem::swap(out, spare);
    }
}

/// The coefficients of `(1 - x)^{-p}`, and the terms that count for a matrix of this size.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn expansion(size: f64, power: Power) -> ([f64; 43], usize) {
    let mut terms = 1;
    let mut rest = size;
    while rest > 1e-17 && terms < 40 {
        rest *= size;
        terms += 1;
    }
    (if power == Power::Half { HALF } else { ONE }, terms)
}

const ONE: [f64; 43] = [1.0; 43];
const HALF: [f64; 43] = {
    let mut coefficient = [1.0; 43];
    let mut j = 1;
    while j < 43 {
        coefficient[j] = coefficient[j - 1] * (2.0 * j as f64 - 1.0) / (2.0 * j as f64);
        j += 1;
    }
    coefficient
};

/// As [`series`], for r of at most N rows.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn series_of<const N: usize>(
    m: &[[f64; N]; N],
    r: usize,
    size: f64,
    power: Power,
) -> [[f64; N]; N] {
    let (coefficient, terms) = expansion(size, power);
    let mut out = [[0.0; N]; N];
    for a in 0..r {
        out[a][a] = coefficient[terms + 1];
    }
    for j in (1..=terms).rev() {
        let mut next = [[0.0; N]; N];
        for a in 0..r {
            for b in 0..r {
                for c in 0..r {
                    next[a][c] += m[a][b] * out[b][c];
                }
            }
            next[a][a] += coefficient[j];
        }
        out = next;
    }
    out
}

#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn dot_of<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    let mut lanes = [0.0; LANE];
    for j in 0..N {
        lanes[j % LANE] += a[j] * b[j];
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANE];
    for (a, b) in a.as_chunks::<LANE>().0.iter().zip(b.as_chunks::<LANE>().0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

/// Adds `weight` times `from`, both padded to whole lanes.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn add(to: &mut [f64], from: &[f64], weight: f64) {
    for (to, from) in to.as_chunks_mut::<LANE>().0.iter_mut().zip(from.as_chunks::<LANE>().0) {
        // Read whole, written whole: the compiler need not ask whether the two overlap.
        let (mut sum, from) = (*to, *from);
        for (sum, from) in sum.iter_mut().zip(from) {
            *sum += weight * from;
        }
        *to = sum;
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, SymmetricEigen};

    use super::*;

    #[test]
    fn the_series_is_the_power() {
        let m = DMatrix::from_fn(3, 3, |a, b| 0.05 / (1.0 + (a as f64 - b as f64).abs()));
        let flat: Vec<f64> = (0..9).map(|at| m[(at / 3, at % 3)]).collect();
        let eigen = SymmetricEigen::new(m.clone());
        for power in [Power::Half, Power::One] {
            let (mut out, mut spare) = (Vec::new(), Vec::new());
            series(&flat, 3, 3, m.norm(), power, &mut out, &mut spare);
            let phi = DMatrix::from_row_slice(3, 3, &out);
            let got = DMatrix::identity(3, 3) + &m * phi;
            let p = if power == Power::Half { -0.5 } else { -1.0 };
            let want = &eigen.eigenvectors
                * DMatrix::from_diagonal(&eigen.eigenvalues.map(|l: f64| (1.0 - l).powf(p)))
                * eigen.eigenvectors.transpose();
            assert!((got - want).amax() < 1e-15);
        }
    }
}
