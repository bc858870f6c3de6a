//! Cross-products of the rows of a design matrix, in one pass over the data.
//!
//! Rows are taken in chunks of a fixed size whose partial sums are added in order, so the bits do not depend on the
//! number of threads. Columns are centred before they are multiplied wherever the model has an intercept: that is
//! what keeps the fast path accurate for columns with large means.

use ndarray::{Array2, ArrayView1, Axis, Slice};
use rayon::prelude::*;

use super::DesignMatrix;
use super::double::{Double, Scalar};
use super::indicators::Indicators;
use crate::Result;
use crate::progress::{Pace, go_on, watcher};

/// Rows in a block that stays in the first-level cache.
pub(crate) const BLOCK: usize = 192;
/// Products that a processor makes at once, about.
const LANES: usize = 8;
/// Rows in a chunk, the unit of work of a thread.
pub(crate) const CHUNK: usize = 64 * BLOCK;

/// `f(start, end, pace)` for every chunk of `n` rows, in order; `pace` is for steps that take long themselves.
///
/// # Errors
/// Those of `f`, and [`crate::Error::Interrupted`] when whoever watches stops the work.
pub(crate) fn over_chunks<T, F>(n: usize, f: F) -> Result<Vec<T>>
where
    T: Send,
    F: Fn(usize, usize, &mut Pace<'_>) -> Result<T> + Sync,
{
    let chunks = n.div_ceil(CHUNK);
    let watcher = watcher();
    let chunk = |c: usize| {
        go_on(&watcher)?;
        f(c * CHUNK, n.min((c + 1) * CHUNK), &mut Pace::new(&watcher))
    };
    if chunks <= 1 || rayon::current_num_threads() == 1 {
        return (0..chunks).map(chunk).collect();
    }
    (0..chunks).into_par_iter().map(chunk).collect()
}

/// Fills a vector of `n` values by chunks: `f` gets the first row of a chunk and its values.
///
/// # Errors
/// As [`over_chunks`].
pub(crate) fn fill_chunks<F>(n: usize, f: F) -> Result<Vec<f64>>
where
    F: Fn(usize, &mut [f64]) + Sync,
{
    let mut values = vec![0.0; n];
    over_chunks_of(&mut values, |start, chunk| {
        f(start, chunk);
        Ok(())
    })?;
    Ok(values)
}

/// `f(start, values)` for every chunk of `values`, which it may write, in order.
///
/// # Errors
/// As [`over_chunks`].
pub(crate) fn over_chunks_of<T, F>(values: &mut [f64], f: F) -> Result<Vec<T>>
where
    T: Send,
    F: Fn(usize, &mut [f64]) -> Result<T> + Sync,
{
    let watcher = watcher();
    let of = |(c, values): (usize, &mut [f64])| {
        go_on(&watcher)?;
        f(c * CHUNK, values)
    };
    if values.len() <= CHUNK || rayon::current_num_threads() == 1 {
        return values.chunks_mut(CHUNK).enumerate().map(of).collect();
    }
    values.par_chunks_mut(CHUNK).enumerate().map(of).collect()
}

/// The sum over rows of `r r'`, r being the row of X less `center`, followed by the value of `extra`, and times the
/// value of `scale`: (k + 1) x (k + 1) with `extra`, else k x k.
///
/// # Errors
/// [`crate::Error::Interrupted`] when whoever watches stops the work.
pub fn cross_products(
    x: &DesignMatrix<'_>,
    center: &[f64],
    extra: Option<ArrayView1<'_, f64>>,
    scale: Option<&[f64]>,
) -> Result<Array2<f64>> {
    if let Some(indicators) = x.indicators() {
        return with_indicators(x, indicators, center, extra, scale);
    }
    let k = x.k();
    let q = k + usize::from(extra.is_some());
    // Rows are padded with zeros to whole tiles.
    let width = q.next_multiple_of(TILE);
    let arch = pulp::Arch::new();
    let partial = |start: usize, end: usize, pace: &mut Pace<'_>| {
        let mut sum = vec![0.0; width * width];
        let mut block = Array2::<f64>::zeros((BLOCK, width));
        for from in (start..end).step_by(BLOCK) {
            let to = end.min(from + BLOCK);
            pace.by(BLOCK * width * width / LANES)?;
            let mut rows = block.slice_axis_mut(Axis(0), Slice::from(..to - from));
            x.fill(from, to, center, rows.view_mut());
            if let Some(extra) = extra {
                for (row, value) in (from..to).zip(rows.column_mut(k)) {
                    *value = extra[row] - center[k];
                }
            }
            if let Some(scale) = scale {
                for (mut row, &factor) in rows.outer_iter_mut().zip(&scale[from..to]) {
                    row.iter_mut().for_each(|value| *value *= factor);
                }
            }
            if let Some(rows) = rows.as_slice() {
                arch.dispatch(CrossProducts { rows, width, sum: &mut sum });
            }
        }
        Ok(sum)
    };
    let mut total = vec![0.0; width * width];
    for part in over_chunks(x.n(), partial)? {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
    Ok(Array2::from_shape_fn((q, q), |(a, b)| total[a.min(b) * width + a.max(b)]))
}

/// As [`cross_products`], with the columns of a large factor as codes: the other columns are multiplied as they are, and
/// the rows of each level are summed.
fn with_indicators(
    x: &DesignMatrix<'_>,
    indicators: &Indicators,
    center: &[f64],
    extra: Option<ArrayView1<'_, f64>>,
    scale: Option<&[f64]>,
) -> Result<Array2<f64>> {
    let first = usize::from(x.has_intercept());
    let k = x.k();
    let q = k + usize::from(extra.is_some());
    let others = indicators.others(k - first);
    // The places of the dense columns in the product: the intercept, the others, the extra one.
    let mut places: Vec<usize> = (0..first).chain(others.iter().map(|j| j + first)).collect();
    places.extend((extra.is_some()).then_some(k));
    let (dense, levels) = (places.len(), indicators.columns.len());
    let partial = |start: usize, end: usize, pace: &mut Pace<'_>| {
        let mut products = Array2::<f64>::zeros((dense, dense));
        let mut sums = Array2::<f64>::zeros((levels + 1, dense));
        let mut sizes = vec![0.0; levels + 1];
        let mut row = vec![0.0; dense];
        for i in start..end {
            pace.by(dense * dense)?;
            row[..first].fill(1.0);
            let stored = x.stored(i);
            for (value, &j) in row[first..].iter_mut().zip(&others) {
                *value = stored[j] - center[j + first];
            }
            if let Some(extra) = extra {
                row[dense - 1] = extra[i] - center[k];
            }
            let weight = scale.map_or(1.0, |scale| scale[i] * scale[i]);
            let level = indicators.level[i] as usize;
            sizes[level] += weight;
            for a in 0..dense {
                let value = weight * row[a];
                sums[(level, a)] += value;
                for b in a..dense {
                    products[(a, b)] += value * row[b];
                }
            }
        }
        Ok((products, sums, sizes))
    };
    let mut products = Array2::<f64>::zeros((dense, dense));
    let mut sums = Array2::<f64>::zeros((levels + 1, dense));
    let mut sizes = vec![0.0; levels + 1];
    for (p, s, n) in over_chunks(x.n(), partial)? {
        products += &p;
        sums += &s;
        sizes.iter_mut().zip(n).for_each(|(total, n)| *total += n);
    }
    let (total, weight) = (sums.sum_axis(Axis(0)), sizes.iter().sum::<f64>());
    let offset = |l: usize| center[indicators.columns.start + first + l];
    let mut out = Array2::zeros((q, q));
    for (a, &at) in places.iter().enumerate() {
        for (b, &to) in places.iter().enumerate() {
            out[(at, to)] = products[(a.min(b), a.max(b))];
        }
        for l in 0..levels {
            let j = indicators.columns.start + first + l;
            out[(at, j)] = sums[(l + 1, a)] - offset(l) * total[a];
            out[(j, at)] = out[(at, j)];
        }
    }
    for l in 0..levels {
        for m in 0..levels {
            let both = if l == m { sizes[l + 1] } else { 0.0 };
            let (c, d) = (offset(l), offset(m));
            let at = indicators.columns.start + first;
            out[(at + l, at + m)] = both - c * sizes[m + 1] - d * sizes[l + 1] + c * d * weight;
        }
    }
    Ok(out)
}

/// Rows times a matrix of `width` x `width`, both padded to whole tiles, in vector instructions and without fused ones.
pub(crate) fn whiten_rows(rows: &[f64], matrix: &[f64], width: usize, out: &mut [f64]) {
    pulp::Arch::new().dispatch(Whiten { rows, matrix, width, out });
}

struct Whiten<'a> {
    rows: &'a [f64],
    matrix: &'a [f64],
    width: usize,
    out: &'a mut [f64],
}

impl pulp::WithSimd for Whiten<'_> {
    type Output = ();

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let width = self.width.max(1);
        for (row, out) in self.rows.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            for (tile, out) in out.as_chunks_mut::<TILE>().0.iter_mut().enumerate() {
                let mut sum = [0.0; TILE];
                for (value, matrix) in row.iter().zip(self.matrix.chunks_exact(width)) {
                    for (sum, m) in sum.iter_mut().zip(&matrix.as_chunks::<TILE>().0[tile]) {
                        *sum += value * m;
                    }
                }
                *out = sum;
            }
        }
    }
}

/// Adds the cross-products of rows of `width` values to the upper tiles of `sum`, in vector instructions.
pub(crate) fn add_rows(rows: &[f64], width: usize, sum: &mut [f64]) {
    pulp::Arch::new().dispatch(CrossProducts { rows, width, sum });
}

/// Adds the cross-products of a block. A closure would do but for the inlining: the compiler may leave its body outside
/// the function that has the vector instructions.
struct CrossProducts<'a> {
    rows: &'a [f64],
    width: usize,
    sum: &'a mut [f64],
}

impl pulp::WithSimd for CrossProducts<'_> {
    type Output = ();

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        add_cross_products(self.rows, self.rows, self.width, self.sum);
    }
}

/// Columns in a tile of the product.
pub(crate) const TILE: usize = 4;

/// Adds `l r'` of every pair of rows of `left` and `right` (rows of `width`, a multiple of [`TILE`]) to the upper
/// tiles of `sum`.
///
/// Each entry is summed over the rows in their order and without fused operations, so the bits are the same however
/// wide the vectors of the processor are.
#[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
#[inline(always)]
pub(crate) fn add_cross_products(left: &[f64], right: &[f64], width: usize, sum: &mut [f64]) {
    for a in (0..width).step_by(TILE) {
        let mut b = a;
        while b < width {
            // Up to three tiles side by side share the broadcast of the left one.
            b += match width - b {
                0..=4 => add_tiles::<1>(left, right, width, a, b, sum),
                5..=8 => add_tiles::<2>(left, right, width, a, b, sum),
                _ => add_tiles::<3>(left, right, width, a, b, sum),
            };
        }
    }
}

/// One tile of rows against `W` tiles of columns; gives the number of columns.
#[allow(clippy::inline_always)]
#[inline(always)]
fn add_tiles<const W: usize>(
    left: &[f64],
    right: &[f64],
    width: usize,
    a: usize,
    b: usize,
    sum: &mut [f64],
) -> usize {
    let mut acc = [[[0.0_f64; TILE]; W]; TILE];
    for (left, right) in left.chunks_exact(width).zip(right.chunks_exact(width)) {
        let left = &left[a..a + TILE];
        let right = &right[b..b + W * TILE];
        for (acc, &l) in acc.iter_mut().zip(left) {
            for (acc, right) in acc.iter_mut().zip(right.chunks_exact(TILE)) {
                for (acc, &r) in acc.iter_mut().zip(right) {
                    *acc += l * r;
                }
            }
        }
    }
    for (i, acc) in acc.iter().enumerate() {
        let start = (a + i) * width + b;
        for (total, part) in sum[start..start + W * TILE].iter_mut().zip(acc.as_flattened()) {
            *total += part;
        }
    }
    W * TILE
}

/// The (weighted) cross-products of `[X, y]` in double-doubles, row by row: (k + 1) x (k + 1), lower triangle first.
///
/// The products of doubles are exact here and their sum keeps 32 digits, so what is lost is only what the
/// factorisation loses: the square of the condition number times 1e-32.
///
/// # Errors
/// As [`cross_products`].
pub fn precise_cross_products(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    weights: Option<&[f64]>,
) -> Result<Vec<Vec<Double>>> {
    let q = x.k() + 1;
    let zero = vec![vec![Double::default(); q]; q];
    let partial = |start: usize, end: usize, pace: &mut Pace<'_>| {
        let mut sum = zero.clone();
        let mut row = vec![0.0; q];
        let center = vec![0.0; q];
        for i in start..end {
            pace.by(LANES * q * q)?;
            x.row(i, &center[..q - 1], &mut row[..q - 1]);
            row[q - 1] = y[i];
            for a in 0..q {
                for b in 0..=a {
                    let product = Double::product(row[a], row[b]);
                    sum[a][b] =
                        sum[a][b] + weights.map_or(product, |weights| product * Double::of(weights[i]));
                }
            }
        }
        Ok(sum)
    };
    let mut total = over_chunks(x.n(), partial)?.into_iter().fold(zero.clone(), |mut total, part| {
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
    Ok(total)
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
