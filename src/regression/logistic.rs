//! One pass over the rows of a logistic regression: everything that a Newton step needs.
//!
//! Rows are taken in blocks that stay in the first-level cache. For a block the linear predictors, probabilities,
//! working weights and residuals are computed in loops that the compiler turns into vector instructions, and the
//! weighted rows are multiplied at once with the rows, so that memory is read once a step.
//!
//! Nothing is fused and every sum has a fixed order, so the bits do not depend on the processor or on the threads.

use ndarray::{Array2, ArrayView1, Axis, Slice};

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
        let width = (k + 1).next_multiple_of(TILE);
        let arch = pulp::Arch::new();
        let mut padded = coef.to_vec();
        padded.resize(width, 0.0);
        let mut predictor = before;
        let parts = over_chunks_of(&mut predictor, |start, predictor| {
            let mut part =
                Part { sums: vec![0.0; width * width], log_likelihood: 0.0, furthest: 0.0, reach: 0.0 };
            let mut rows = Array2::<f64>::zeros((BLOCK, width));
            let mut weighted = vec![0.0; BLOCK * width];
            let mut sign = [0.0; BLOCK];
            for (predictor, from) in predictor.chunks_mut(BLOCK).zip((start..).step_by(BLOCK)) {
                let m = predictor.len();
                x.fill(from, from + m, center, rows.slice_axis_mut(Axis(0), Slice::from(..m)));
                for (sign, y) in sign.iter_mut().zip(y.slice_axis(Axis(0), Slice::from(from..from + m))) {
                    *sign = 2.0 * y - 1.0;
                }
                if let Some(rows) = rows.as_slice() {
                    let rows = &rows[..m * width];
                    let weighted = &mut weighted[..m * width];
                    arch.dispatch(|| add_block(rows, &padded, &sign[..m], k, predictor, weighted, &mut part));
                }
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
        let sum = |a: usize, b: usize| total.sums[a.min(b) * width + a.max(b)];
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
            arch.dispatch(|| {
                for (value, &eta) in values.iter_mut().zip(predictor) {
                    let small = exponential(-eta.abs());
                    *value = small.sqrt() / (1.0 + small);
                }
            });
        })
    }

    /// `y - mu`, without cancellation.
    pub(super) fn residuals(&self, y: ArrayView1<'_, f64>) -> Vec<f64> {
        let arch = pulp::Arch::new();
        let y = y.as_standard_layout();
        let y = y.as_slice().unwrap_or_default();
        fill_chunks(self.predictor.len(), |start, values| {
            let end = start + values.len();
            let (predictor, y) = (&self.predictor[start..end], &y[start..end]);
            arch.dispatch(|| {
                for ((value, &eta), &y) in values.iter_mut().zip(predictor).zip(y) {
                    let sign = 2.0 * y - 1.0;
                    *value = sign * unseen(sign * eta).probability;
                }
            });
        })
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

#[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
#[inline(always)]
fn unseen(towards: f64) -> Unseen {
    let small = exponential(-towards.abs());
    let inverse = 1.0 / (1.0 + small);
    let probability = inverse * if towards >= 0.0 { small } else { 1.0 };
    Unseen { probability, small, inverse }
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
    let (mut eta, mut weight, mut residual) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    // The rows that are not there leave every sum, product and maximum as it is.
    let (mut low, mut high, mut moved) = ([0.0; BLOCK], [1.0; BLOCK], [0.0; BLOCK]);
    for (eta, row) in eta.iter_mut().zip(rows.chunks_exact(width)) {
        let mut lanes = [0.0; TILE];
        for (row, coef) in row.chunks_exact(TILE).zip(coef.chunks_exact(TILE)) {
            for ((lane, value), b) in lanes.iter_mut().zip(row).zip(coef) {
                *lane += value * b;
            }
        }
        *eta = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
    }
    for i in 0..m {
        moved[i] = (eta[i] - predictor[i]).abs();
        predictor[i] = eta[i];
    }
    for i in 0..m {
        let towards = sign[i] * eta[i];
        let Unseen { probability, small, inverse } = unseen(towards);
        residual[i] = sign[i] * probability;
        weight[i] = small * inverse * inverse;
        // log(1 / (1 + small)) is taken of the product of many; what rounding takes from 1 + small is given back.
        high[i] = 1.0 + small;
        low[i] = if towards < 0.0 { towards } else { 0.0 } - (small - (high[i] - 1.0)) * inverse;
    }
    for i in 0..m {
        let (row, out) = (&rows[i * width..(i + 1) * width], &mut weighted[i * width..(i + 1) * width]);
        for (out, value) in out.iter_mut().zip(row) {
            *out = weight[i] * value;
        }
        out[k] = residual[i];
    }
    add_cross_products(rows, weighted, width, &mut part.sums);
    let sum = |a: f64, b: f64| a + b;
    let product = lanes(&high, 1.0, |a, b| a * b);
    part.log_likelihood += lanes(&low, 0.0, sum) - product.ln();
    part.reach = part.reach.max(lanes(&moved, 0.0, f64::max));
    eta.iter_mut().for_each(|eta| *eta = eta.abs());
    part.furthest = part.furthest.max(lanes(&eta, 0.0, f64::max));
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
