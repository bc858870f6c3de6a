//! The logit: `mu = 1 / (1 + exp(-eta))`.
//!
//! The score factor is `y - mu` and the working weight `mu (1 - mu)`, observed and expected alike. For an outcome that the
//! linear predictor speaks `towards` by t the probability of the other one is `exp(-t) / (1 + exp(-t))`, without
//! cancellation, and the exponential is one that the compiler turns into vector instructions.

use pulp::{Simd, WithSimd};

use super::{Binary, Ends};
use crate::Result;
use crate::inference::Link;
use crate::linalg::gram::{BLOCK, fill_chunks};
use crate::regression::pass::{Data, Kernel, Newton, State};

/// The family; see the [module](self).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logistic;

/// The largest linear predictor that the exponential is taken of: beyond it are no normal doubles.
const FURTHEST: f64 = 708.0;

impl Link for Logistic {
    fn name(&self) -> &'static str {
        "logit"
    }

    fn mean(&self, predictor: f64) -> f64 {
        unseen(-predictor).probability
    }

    fn slope(&self, predictor: f64) -> f64 {
        let Unseen { small, inverse, .. } = unseen(predictor);
        small * inverse * inverse
    }
}

impl Binary for Logistic {
    fn link(&self) -> &'static dyn Link {
        &Self
    }

    fn state(&self, data: Data<'_, '_, '_>, coef: &[f64], before: Vec<f64>) -> Result<State> {
        State::at::<Self>(data, coef, before)
    }

    fn is_canonical(&self) -> bool {
        true
    }

    fn ends(&self, predictor: &[f64], y: &dyn Fn(usize) -> f64) -> Result<Ends> {
        let arch = pulp::Arch::new();
        let roots = fill_chunks(predictor.len(), |start, values| {
            let predictor = &predictor[start..start + values.len()];
            arch.dispatch(Roots { predictor, values });
        })?;
        let mut residuals: Vec<f64> = (0..predictor.len()).map(|i| 2.0 * y(i) - 1.0).collect();
        for (values, predictor) in residuals.chunks_mut(4096).zip(predictor.chunks(4096)) {
            arch.dispatch(Residuals { predictor, values });
        }
        Ok(Ends { residuals, factors: None, roots, variances: None })
    }
}

impl Kernel for Logistic {
    #[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
    #[inline(always)]
    fn newton(eta: &[f64; BLOCK], sign: &[f64], into: &mut Newton) {
        let m = sign.len();
        let speaks = eta.iter().zip(sign);
        let heights = into.low[..m].iter_mut().zip(&mut into.high[..m]);
        let newton = into.weight.iter_mut().zip(&mut into.factor);
        for (((eta, sign), (low, high)), (weight, factor)) in speaks.zip(heights).zip(newton) {
            let towards = sign * eta;
            let Unseen { probability, small, inverse } = unseen(towards);
            *factor = sign * probability;
            *weight = small * inverse * inverse;
            // log(1 / (1 + small)) is taken of the product of many; what rounding takes from 1 + small is given back.
            *high = 1.0 + small;
            *low = if towards < 0.0 { towards } else { 0.0 } - (small - (*high - 1.0)) * inverse;
        }
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

    #[allow(clippy::inline_always)]
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
