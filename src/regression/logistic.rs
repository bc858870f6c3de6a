//! One pass over the rows of a logistic regression: everything that a Newton step needs.
//!
//! Rows are taken in blocks that stay in the first-level cache. For a block the linear predictors, probabilities,
//! working weights and residuals are computed in loops that the compiler turns into vector instructions, and the
//! weighted rows are multiplied at once with the rows, so that memory is read once a step.
//!
//! Nothing is fused and every sum has a fixed order, so the bits do not depend on the processor or on the threads.

use ndarray::{ArrayView1, Axis, Slice};
use pulp::{Simd, WithSimd};

use crate::linalg::DesignMatrix;
use crate::linalg::gram::{BLOCK, TILE, add_cross_products, fill_chunks, over_chunks_of};

/// Values that are summed side by side.
const LANES: usize = 8;
/// The largest linear predictor that the exponential is taken of: beyond it are no normal doubles.
const FURTHEST: f64 = 708.0;

/// The rows at some coefficients.
#[derive(Debug, Clone)]
pub(super) struct State {
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
    /// The state at coefficients `coef` of columns less `center` (both of length k); `before` holds linear predictors
    /// to compare with and is overwritten.
    pub(super) fn at(
        x: &DesignMatrix<'_>,
        y: ArrayView1<'_, f64>,
        center: &[f64],
        coef: &[f64],
        before: Vec<f64>,
    ) -> Self {
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
                let stored = match columns.as_slice() {
                    // With what follows the last row, so that rows can be read in whole vectors.
                    Some(all) => &all[from * p..all.len().min((from + m) * p + width)],
                    None => {
                        copy.clear();
                        copy.extend(columns.slice_axis(Axis(0), slice));
                        &copy
                    }
                };
                for (sign, y) in sign.iter_mut().zip(y.slice_axis(Axis(0), slice)) {
                    *sign = 2.0 * y - 1.0;
                }
                let rows = &mut rows[..m * width];
                let weighted = &mut weighted[..m * width];
                let (coef, center, sign, part) = (&coef, &center, &sign[..m], &mut part);
                arch.dispatch(Block {
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
                    part,
                });
            }
            part
        });
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
        Self {
            predictor,
            furthest: total.furthest,
            reach: total.reach,
            log_likelihood: total.log_likelihood,
            information: (0..k).map(|a| (0..k).map(|b| sum(a, b)).collect()).collect(),
            score: (0..k).map(|a| sum(a, k)).collect(),
        }
    }

    /// Whether nothing overflowed or was missing.
    pub(super) fn is_finite(&self) -> bool {
        self.log_likelihood.is_finite()
            && self.score.iter().chain(self.information.iter().flatten()).all(|value| value.is_finite())
    }

    /// The square root of each row's working weight, `sqrt(mu (1 - mu))`.
    pub(super) fn root_weights(&self) -> Vec<f64> {
        let arch = pulp::Arch::new();
        fill_chunks(self.predictor.len(), |start, values| {
            let predictor = &self.predictor[start..start + values.len()];
            arch.dispatch(Roots { predictor, values });
        })
    }

    /// `y - mu`, without cancellation.
    pub(super) fn residuals(&self, y: ArrayView1<'_, f64>) -> Vec<f64> {
        let arch = pulp::Arch::new();
        fill_chunks(self.predictor.len(), |start, values| {
            let slice = Slice::from(start..start + values.len());
            for (value, y) in values.iter_mut().zip(y.slice_axis(Axis(0), slice)) {
                *value = 2.0 * y - 1.0;
            }
            let predictor = &self.predictor[start..start + values.len()];
            arch.dispatch(Residuals { predictor, values });
        })
    }
}

/// Writes the roots of the working weights. (Closures are not sure to be inlined into the function that has the vector
/// instructions.)
struct Roots<'a> {
    predictor: &'a [f64],
    values: &'a mut [f64],
}

impl WithSimd for Roots<'_> {
    type Output = ();

    #[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, eta) in self.values.iter_mut().zip(self.predictor) {
            let small = exponential(-eta.abs());
            *value = small.sqrt() / (1.0 + small);
        }
    }
}

/// Turns the signs of the outcomes into residuals.
struct Residuals<'a> {
    predictor: &'a [f64],
    values: &'a mut [f64],
}

impl WithSimd for Residuals<'_> {
    type Output = ();

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, eta) in self.values.iter_mut().zip(self.predictor) {
            let sign = *value;
            *value = sign * unseen(sign * eta).probability;
        }
    }
}

/// A block of rows to be added.
struct Block<'a> {
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
    part: &'a mut Part,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        fill(self.stored, self.p, self.center, self.tail, self.rows);
        add_block(self.rows, self.coef, self.sign, self.k, self.predictor, self.weighted, self.part);
    }
}

/// The probability of the outcome that was not seen, where the linear predictor speaks `towards` the one that was.
struct Unseen {
    /// The probability, without cancellation.
    probability: f64,
    /// `exp(-|towards|)`.
    small: f64,
    /// `1 / (1 + small)`.
    inverse: f64,
}

#[allow(clippy::inline_always)]
#[inline(always)]
fn unseen(towards: f64) -> Unseen {
    let small = exponential(-towards.abs());
    let inverse = 1.0 / (1.0 + small);
    let probability = inverse * if towards >= 0.0 { small } else { 1.0 };
    Unseen { probability, small, inverse }
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
#[allow(clippy::inline_always)]
#[inline(always)]
fn add_block(
    rows: &[f64],
    coef: &[f64],
    sign: &[f64],
    k: usize,
    predictor: &mut [f64],
    weighted: &mut [f64],
    part: &mut Part,
) {
    let (m, width) = (sign.len(), coef.len());
    // The rows that are not there leave every sum, product and maximum as it is.
    let (mut eta, mut weight, mut residual) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    let (mut low, mut high, mut moved) = ([0.0; BLOCK], [1.0; BLOCK], [0.0; BLOCK]);
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
    let speaks = eta.iter().zip(sign);
    let heights = low[..m].iter_mut().zip(&mut high[..m]);
    let newton = weight.iter_mut().zip(&mut residual);
    for (((eta, sign), (low, high)), (weight, residual)) in speaks.zip(heights).zip(newton) {
        let towards = sign * eta;
        let Unseen { probability, small, inverse } = unseen(towards);
        *residual = sign * probability;
        *weight = small * inverse * inverse;
        // log(1 / (1 + small)) is taken of the product of many; what rounding takes from 1 + small is given back.
        *high = 1.0 + small;
        *low = if towards < 0.0 { towards } else { 0.0 } - (small - (*high - 1.0)) * inverse;
    }
    let scales = weight.iter().zip(&residual);
    for ((out, row), (weight, residual)) in
        weighted.chunks_exact_mut(width).zip(rows.chunks_exact(width)).zip(scales)
    {
        for (out, row) in tiles_mut(out).zip(tiles(row)) {
            for (out, value) in out.iter_mut().zip(row) {
                *out = weight * value;
            }
        }
        out[k] = *residual;
    }
    add_cross_products(rows, weighted, width, &mut part.sums);
    let sum = |a: f64, b: f64| a + b;
    let largest = |a: f64, b: f64| if b > a { b } else { a };
    let product = lanes(&high, 1.0, |a, b| a * b);
    part.log_likelihood += lanes(&low, 0.0, sum) - product.ln();
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

/// `exp(x)` for x <= 0, to 1 unit in the last place; what is below the normal doubles is their smallest.
///
/// `x = n ln 2 + r` with |r| <= ln 2 / 2, and `exp(r)` by its Taylor series to the 13th power, whose rest is below
/// 1e-17.
#[allow(clippy::inline_always)]
#[inline(always)]
fn exponential(x: f64) -> f64 {
    // 1.5 x 2^52: adding it rounds to an integer, which is then found in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first with zeros enough for n times it to be exact.
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = if x > -FURTHEST { x } else { -FURTHEST };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let mut sum = 1.0 / 6_227_020_800.0;
    for coefficient in [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ] {
        sum = sum * r + coefficient;
    }
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    power * (1.0 + (r + r * r * sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_to_the_last_place() {
        let mut worst = 0.0_f64;
        for i in 0..200_000_u32 {
            let x = -f64::from(i) * f64::from(i) * 1.7e-8;
            let want = libm::exp(x);
            worst = worst.max((exponential(x) - want).abs() / (want * f64::EPSILON));
        }
        assert!(worst <= 1.0, "{worst} units");
        assert_eq!(exponential(0.0), 1.0);
        assert!(exponential(-1e300) > 0.0 && exponential(-1e300) < 1e-307);
    }
}
