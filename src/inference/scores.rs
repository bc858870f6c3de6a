//! Sums of scores over clusters, and leverage.

use ndarray::{Array2, ArrayView2};

use super::{Clusters, Estimates};
use crate::linalg::DesignMatrix;
use crate::linalg::gram::fill_chunks;

/// Turns the middle of a sandwich, in centred columns, into the covariance of the coefficients as the model has them:
/// `T A M A' T'` with `A = W W'` and T the step from centred columns back (it only changes the intercept).
pub(super) fn sandwich(estimates: &Estimates, meat: ArrayView2<'_, f64>) -> Array2<f64> {
    let half = outer_root(estimates);
    half.dot(&meat).dot(&half.t())
}

/// `T W W'`: from scores in centred columns to their influence on the coefficients, k x k.
pub(super) fn outer_root(estimates: &Estimates) -> Array2<f64> {
    let k = estimates.k();
    let w = whitening(estimates);
    let roots = estimates.whitened_coefficients();
    let root = Array2::from_shape_fn((k, k), |(j, column)| roots[j][column]);
    root.dot(&w.t())
}

/// `T W`: from whitened scores to their influence on the coefficients, k x k.
pub(super) fn root(estimates: &Estimates) -> Array2<f64> {
    let k = estimates.k();
    let roots = estimates.whitened_coefficients();
    Array2::from_shape_fn((k, k), |(j, column)| roots[j][column])
}

/// W as an array.
pub(super) fn whitening(estimates: &Estimates) -> Array2<f64> {
    let k = estimates.k();
    Array2::from_shape_fn((k, k), |(row, column)| estimates.whitening[row][column])
}

/// The sum over the rows of each cluster of `(x - center) e`: G x k.
pub(super) fn cluster_scores(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    clusters: &Clusters,
) -> Array2<f64> {
    let k = estimates.k();
    let first = usize::from(x.has_intercept());
    let center = &estimates.center[first..];
    let mut scores = vec![0.0; clusters.count() * k];
    let columns = x.columns();
    for ((row, &g), &e) in columns.outer_iter().zip(clusters.codes()).zip(&estimates.residuals) {
        let sum = &mut scores[g as usize * k..(g as usize + 1) * k];
        if first == 1 {
            sum[0] += e;
        }
        if let Some(row) = row.as_slice() {
            for ((sum, &value), &c) in sum[first..].iter_mut().zip(row).zip(center) {
                *sum += (value - c) * e;
            }
        } else {
            for ((sum, &value), &c) in sum[first..].iter_mut().zip(row.iter()).zip(center) {
                *sum += (value - c) * e;
            }
        }
    }
    let shape = (clusters.count(), k);
    // The vector was made with this very number of elements.
    Array2::from_shape_vec(shape, scores).unwrap_or_else(|_| Array2::zeros(shape))
}

/// The leverage of every row, `h = z'z`, length n.
pub fn leverage(x: &DesignMatrix<'_>, estimates: &Estimates) -> Vec<f64> {
    fill_chunks(x.n(), |start, values| {
        let mut row = vec![0.0; estimates.k()];
        for (value, i) in values.iter_mut().zip(start..) {
            x.row(i, &estimates.center, &mut row);
            let weight = estimates.root_weights.as_ref().map_or(1.0, |w| w[i] * w[i]);
            *value = weight * whiten(estimates, &row).map(|z| z * z).sum::<f64>();
        }
    })
}

/// The entries of `W' row` for a centred row, without the working weight.
pub(super) fn whiten<'a>(estimates: &'a Estimates, row: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    (0..row.len()).map(move |column| {
        row[..=column].iter().zip(&estimates.whitening).map(|(value, w)| value * w[column]).sum()
    })
}
