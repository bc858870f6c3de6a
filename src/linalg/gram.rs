//! Cross-products of the rows of a design matrix, in one pass over the data.
//!
//! Rows are taken in chunks of a fixed size whose partial sums are added in order, so the bits do not depend on the
//! number of threads. Columns are centred before they are multiplied wherever the model has an intercept: that is
//! what keeps the fast path accurate for columns with large means.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, Axis, Slice};
use rayon::prelude::*;

use super::DesignMatrix;
use super::double::{Double, Scalar};

/// Rows in a block that stays in the first-level cache.
const BLOCK: usize = 192;
/// Rows in a chunk, the unit of work of a thread.
const CHUNK: usize = 64 * BLOCK;

/// Sums `f(start, end)` over the chunks of `n` rows, in order.
pub(crate) fn over_chunks<T, F>(n: usize, f: F) -> Vec<T>
where
    T: Send,
    F: Fn(usize, usize) -> T + Sync,
{
    let chunks = n.div_ceil(CHUNK);
    let bounds = |c: usize| (c * CHUNK, n.min((c + 1) * CHUNK));
    if chunks <= 1 || rayon::current_num_threads() == 1 {
        return (0..chunks).map(|c| f(bounds(c).0, bounds(c).1)).collect();
    }
    (0..chunks).into_par_iter().map(|c| f(bounds(c).0, bounds(c).1)).collect()
}

/// The sum over rows of `r r'`, r being the row of X less `center`, followed by the value of `extra`, and times the
/// value of `scale`: (k + 1) x (k + 1) with `extra`, else k x k.
pub fn cross_products(
    x: &DesignMatrix<'_>,
    center: &[f64],
    extra: Option<ArrayView1<'_, f64>>,
    scale: Option<&[f64]>,
) -> Array2<f64> {
    let k = x.k();
    let q = k + usize::from(extra.is_some());
    let partial = |start: usize, end: usize| {
        let mut sum = Array2::zeros((q, q));
        let mut block = Array2::<f64>::zeros((BLOCK, q));
        for from in (start..end).step_by(BLOCK) {
            let to = end.min(from + BLOCK);
            let mut rows = block.slice_axis_mut(Axis(0), Slice::from(..to - from));
            x.fill(from, to, center, rows.view_mut());
            if let Some(extra) = extra {
                for (row, value) in (from..to).zip(rows.column_mut(k)) {
                    *value = extra[row] - center[k];
                }
            }
            if let Some(scale) = scale {
                for (mut row, &factor) in rows.outer_iter_mut().zip(&scale[from..to]) {
                    row.mapv_inplace(|value| value * factor);
                }
            }
            let rows = rows.view();
            general_mat_mul(1.0, &rows.t(), &rows, 1.0, &mut sum);
        }
        sum
    };
    over_chunks(x.n(), partial).into_iter().fold(Array2::zeros((q, q)), |total, part| total + part)
}

/// The cross-products of `[X, y]` in double-doubles, row by row: (k + 1) x (k + 1), lower triangle first.
///
/// The products of doubles are exact here and their sum keeps 32 digits, so what is lost is only what the
/// factorisation loses: the square of the condition number times 1e-32.
pub fn precise_cross_products(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>) -> Vec<Vec<Double>> {
    let q = x.k() + 1;
    let zero = vec![vec![Double::default(); q]; q];
    let partial = |start: usize, end: usize| {
        let mut sum = zero.clone();
        let mut row = vec![0.0; q];
        let center = vec![0.0; q];
        for i in start..end {
            x.row(i, &center[..q - 1], &mut row[..q - 1]);
            row[q - 1] = y[i];
            for a in 0..q {
                for b in 0..=a {
                    sum[a][b] = sum[a][b] + Double::product(row[a], row[b]);
                }
            }
        }
        sum
    };
    let mut total = over_chunks(x.n(), partial).into_iter().fold(zero.clone(), |mut total, part| {
        for (total, part) in total.iter_mut().zip(part) {
            for (total, part) in total.iter_mut().zip(part) {
                *total = *total + part;
            }
        }
        total
    });
    for a in 0..q {
        for b in 0..a {
            total[b][a] = total[a][b];
        }
    }
    total
}

/// `[X, y]` less its means, from raw sums: the cross-products `S - s s' / n` with `s` the sums in row 0 of a design
/// with an intercept. The intercept's own row and column keep only n.
pub(crate) fn centred<T: Scalar>(raw: &[Vec<T>]) -> Vec<Vec<T>> {
    let q = raw.len();
    let n = raw[0][0];
    let zero = T::of(0.0);
    (0..q)
        .map(|a| {
            (0..q)
                .map(|b| match (a, b) {
                    (0, 0) => n,
                    (0, _) | (_, 0) => zero,
                    _ => raw[a][b] - raw[a][0] * raw[0][b] / n,
                })
                .collect()
        })
        .collect()
}
