//! One pass over the rows of a regression of a yes-or-no outcome: everything that a Newton step needs.
//!
//! Rows are taken in blocks that stay in the first-level cache. For a block the linear predictors are computed, the
//! family's [`Kernel`] turns them into working weights and score factors in loops that the compiler makes vector
//! instructions of, and the weighted rows are multiplied at once with the rows, so that memory is read once a step.
//!
//! Nothing is fused and every sum has a fixed order, so the bits do not depend on the processor or on the threads.

use std::marker::PhantomData;

use ndarray::{ArrayView1, Axis, Slice};
use pulp::{Simd, WithSimd};

use crate::Result;
use crate::linalg::DesignMatrix;
use crate::linalg::gram::{BLOCK, TILE, add_cross_products, over_chunks_of};

/// Values that are summed side by side.
const LANES: usize = 8;
/// What a family makes of the linear predictors of a block of rows.
pub(crate) trait Kernel {
    /// Writes, for every row with linear predictor `eta` and outcome `sign` (1 for yes, -1 for no), its weight in the
    /// second derivative of the log-likelihood, its factor in the first, and its log-likelihood as `low - ln(high)`.
    fn newton(eta: &[f64; BLOCK], sign: &[f64], into: &mut Newton);
}

/// The rows of a block; beyond the last row stand 0, and 1 in `high`.
pub(crate) struct Newton {
    pub weight: [f64; BLOCK],
    pub factor: [f64; BLOCK],
    pub low: [f64; BLOCK],
    pub high: [f64; BLOCK],
}

/// The rows that a pass is over.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a, 'x, 'y> {
    pub x: &'a DesignMatrix<'x>,
    pub y: ArrayView1<'y, f64>,
    /// What is taken off each column, length k; 0 for the intercept.
    pub center: &'a [f64],
    /// Prior weights.
    pub weights: Option<&'a [f64]>,
}

/// The rows at some coefficients.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// `(x - center)' b`, length n.
    pub predictor: Vec<f64>,
    /// The largest of them, in size.
    pub furthest: f64,
    /// The largest change against the predictors that were given, in size.
    pub reach: f64,
    /// The log-likelihood.
    pub log_likelihood: f64,
    /// `X' diag(w) X` of centred columns, k x k.
    pub information: Vec<Vec<f64>>,
    /// `X' (y - mu)` of centred columns, length k.
    pub score: Vec<f64>,
}

/// What a chunk of rows adds to a [`State`].
struct Part {
    sums: Vec<f64>,
    log_likelihood: f64,
    furthest: f64,
    reach: f64,
}

impl State {
    /// The state at coefficients `coef` (length k) of centred columns; `before` holds linear predictors to compare with and
    /// is overwritten.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when whoever watches stops the work.
    pub(super) fn at<K: Kernel>(data: Data<'_, '_, '_>, coef: &[f64], before: Vec<f64>) -> Result<Self> {
        let Data { x, y, center, weights } = data;
        let k = x.k();
        let columns = x.columns();
        let p = columns.ncols();
        let width = (k + 1).next_multiple_of(TILE);
        let arch = pulp::Arch::new();
        // In a block the stored columns come first, then the intercept, then the place of the residual.
        let first = k - p;
        let padded = |values: &[f64]| {
            let mut padded = values[first..].to_vec();
            padded.extend(&values[..first]);
            padded.resize(width, 0.0);
            padded
        };
        let (coef, center) = (padded(coef), padded(center));
        let mut tail = vec![0.0; width - p];
        tail[..first].fill(1.0);
        let mut predictor = before;
        let parts = over_chunks_of(&mut predictor, |start, predictor| {
            let mut part =
                Part { sums: vec![0.0; width * width], log_likelihood: 0.0, furthest: 0.0, reach: 0.0 };
            let mut rows = vec![0.0; BLOCK * width];
            let mut weighted = vec![0.0; BLOCK * width];
            let mut copy = Vec::new();
            let mut sign = [0.0; BLOCK];
            for (predictor, from) in predictor.chunks_mut(BLOCK).zip((start..).step_by(BLOCK)) {
                let m = predictor.len();
                let slice = Slice::from(from..from + m);
                let stored = if let Some(all) = columns.as_slice() {
                    // With what follows the last row, so that rows can be read in whole vectors.
                    &all[from * p..all.len().min((from + m) * p + width)]
                } else {
                    copy.clear();
                    copy.extend(columns.slice_axis(Axis(0), slice));
                    &copy
                };
                for (sign, y) in sign.iter_mut().zip(y.slice_axis(Axis(0), slice)) {
                    *sign = 2.0 * y - 1.0;
                }
                let rows = &mut rows[..m * width];
                let weighted = &mut weighted[..m * width];
                let (coef, center, sign, part) = (&coef, &center, &sign[..m], &mut part);
                arch.dispatch(Block::<K> {
                    stored,
                    p,
                    center,
                    tail: &tail,
                    coef,
                    sign,
                    k,
                    rows,
                    weighted,
                    predictor,
                    prior: weights.map(|weights| &weights[from..from + m]),
                    part,
                    kernel: PhantomData,
                });
            }
            Ok(part)
        })?;
        let mut total =
            Part { sums: vec![0.0; width * width], log_likelihood: 0.0, furthest: 0.0, reach: 0.0 };
        for part in parts {
            total.sums.iter_mut().zip(&part.sums).for_each(|(total, part)| *total += part);
            total.log_likelihood += part.log_likelihood;
            total.furthest = total.furthest.max(part.furthest);
            total.reach = total.reach.max(part.reach);
        }
        let place = |j: usize| if j == k { k } else { (j + p) % k };
        let sum = |a: usize, b: usize| {
            let (a, b) = (place(a), place(b));
            total.sums[a.min(b) * width + a.max(b)]
        };
        Ok(Self {
            predictor,
            furthest: total.furthest,
            reach: total.reach,
            log_likelihood: total.log_likelihood,
            information: (0..k).map(|a| (0..k).map(|b| sum(a, b)).collect()).collect(),
            score: (0..k).map(|a| sum(a, k)).collect(),
        })
    }

    /// Whether nothing overflowed or was missing.
    pub(super) fn is_finite(&self) -> bool {
        self.log_likelihood.is_finite()
            && self.score.iter().chain(self.information.iter().flatten()).all(|value| value.is_finite())
    }
}

/// A block of rows to be added.
struct Block<'a, K> {
    /// The stored values of the rows, `p` a row, and perhaps some of the next rows.
    stored: &'a [f64],
    p: usize,
    /// As wide as a row of the block, which ends with `tail`.
    center: &'a [f64],
    tail: &'a [f64],
    coef: &'a [f64],
    /// 1 where the outcome is 1, else -1.
    sign: &'a [f64],
    /// Where the residual stands in a weighted row.
    k: usize,
    rows: &'a mut [f64],
    weighted: &'a mut [f64],
    predictor: &'a mut [f64],
    prior: Option<&'a [f64]>,
    part: &'a mut Part,
    kernel: PhantomData<K>,
}

impl<K: Kernel> WithSimd for Block<'_, K> {
    type Output = ();

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        fill(self.stored, self.p, self.center, self.tail, self.rows);
        add_block::<K>(
            self.rows,
            self.coef,
            self.sign,
            self.k,
            self.predictor,
            self.prior,
            self.weighted,
            self.part,
        );
    }
}

/// Writes rows of `p` values less `center` into rows as wide as it, which end with `tail`.
#[allow(clippy::inline_always)]
#[inline(always)]
fn fill(stored: &[f64], p: usize, center: &[f64], tail: &[f64], rows: &mut [f64]) {
    let width = center.len();
    for (i, row) in rows.chunks_exact_mut(width).enumerate() {
        let from = i * p;
        if let Some(values) = stored.get(from..from + width) {
            for ((to, value), c) in tiles_mut(row).zip(tiles(values)).zip(tiles(center)) {
                for ((to, value), c) in to.iter_mut().zip(value).zip(c) {
                    *to = value - c;
                }
            }
        } else {
            for ((to, value), c) in row.iter_mut().zip(&stored[from..from + p]).zip(center) {
                *to = value - c;
            }
        }
        for (to, value) in row[p..].iter_mut().zip(tail) {
            *to = *value;
        }
    }
}

/// Whole tiles of a row, whose length the compiler then knows.
#[allow(clippy::inline_always)]
#[inline(always)]
fn tiles(row: &[f64]) -> std::slice::Iter<'_, [f64; TILE]> {
    row.as_chunks().0.iter()
}

#[allow(clippy::inline_always)]
#[inline(always)]
fn tiles_mut(row: &mut [f64]) -> std::slice::IterMut<'_, [f64; TILE]> {
    row.as_chunks_mut().0.iter_mut()
}

/// Adds the rows of a block, each a row of `rows`, and leaves their predictors.
#[allow(clippy::inline_always, clippy::too_many_arguments)] // The slices of one block, borrowed apart.
#[inline(always)]
fn add_block<K: Kernel>(
    rows: &[f64],
    coef: &[f64],
    sign: &[f64],
    k: usize,
    predictor: &mut [f64],
    prior: Option<&[f64]>,
    weighted: &mut [f64],
    part: &mut Part,
) {
    let width = coef.len();
    // The rows that are not there leave every sum, product and maximum as it is.
    let (mut eta, mut moved) = ([0.0; BLOCK], [0.0; BLOCK]);
    let mut newton =
        Newton { weight: [0.0; BLOCK], factor: [0.0; BLOCK], low: [0.0; BLOCK], high: [1.0; BLOCK] };
    for (eta, row) in eta.iter_mut().zip(rows.chunks_exact(width)) {
        let mut lanes = [0.0; TILE];
        for (row, coef) in tiles(row).zip(tiles(coef)) {
            for ((lane, value), b) in lanes.iter_mut().zip(row).zip(coef) {
                *lane += value * b;
            }
        }
        *eta = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
    }
    for ((moved, predictor), eta) in moved.iter_mut().zip(predictor).zip(&eta) {
        *moved = (eta - *predictor).abs();
        *predictor = *eta;
    }
    K::newton(&eta, sign, &mut newton);
    if let Some(prior) = prior {
        for (i, &prior) in prior.iter().enumerate() {
            newton.weight[i] *= prior;
            newton.factor[i] *= prior;
            if prior == 0.0 {
                // Rows that do not count move nothing.
                (moved[i], eta[i]) = (0.0, 0.0);
            }
        }
    }
    let scales = newton.weight.iter().zip(&newton.factor);
    for ((out, row), (weight, factor)) in
        weighted.chunks_exact_mut(width).zip(rows.chunks_exact(width)).zip(scales)
    {
        for (out, row) in tiles_mut(out).zip(tiles(row)) {
            for (out, value) in out.iter_mut().zip(row) {
                *out = weight * value;
            }
        }
        out[k] = *factor;
    }
    add_cross_products(rows, weighted, width, &mut part.sums);
    let sum = |a: f64, b: f64| a + b;
    let largest = |a: f64, b: f64| if b > a { b } else { a };
    part.log_likelihood += if let Some(prior) = prior {
        let rows = newton.low.iter().zip(&newton.high).zip(prior);
        rows.map(|((low, high), prior)| prior * (low - high.ln())).sum()
    } else {
        // The logarithm of the product of many.
        let product = lanes(&newton.high, 1.0, |a, b| a * b);
        lanes(&newton.low, 0.0, sum) - product.ln()
    };
    part.reach = part.reach.max(lanes(&moved, 0.0, largest));
    eta.iter_mut().for_each(|eta| *eta = eta.abs());
    part.furthest = part.furthest.max(lanes(&eta, 0.0, largest));
}

/// Folds a block in lanes side by side, then the lanes.
#[allow(clippy::inline_always)]
#[inline(always)]
fn lanes(values: &[f64; BLOCK], start: f64, fold: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; LANES];
    for values in values.chunks_exact(LANES) {
        for (lane, &value) in lanes.iter_mut().zip(values) {
            *lane = fold(*lane, value);
        }
    }
    lanes.iter().fold(start, |total, &lane| fold(total, lane))
}
