//! Simple randomisation: every unit draws for itself.
//!
//! In canonical order, each unit draws a uniform whole number x in 0..R, R = r_1 + ... + r_J in lowest terms, and
//! goes to the first arm j with x < r_1 + ... + r_j. The sizes of the arms are left to chance; the probability of
//! arm j is exactly r_j / R.

use num_bigint::BigUint;

use super::Ratio;
use super::procedure::{LEFT_OUT, Scratch, Weighed, WithinStratum};
use super::random::Steps;
use crate::Result;
use crate::progress::{Monitor, Pace};
use crate::rng::Stream;

/// The arms of the units of one stratum, in canonical order of the units.
///
/// ```
/// use crewe::design::{Ratio, simple};
/// use crewe::rng::{Seed, Stream};
/// let mut stream = Stream::new::<&str>(&Seed::Integer(1), "assign", &[], 0);
/// assert_eq!(simple::assign(20, &Ratio::new(&[1, 1]), &mut stream).len(), 20);
/// ```
pub fn assign(n: usize, ratio: &Ratio, stream: &mut Stream) -> Vec<u8> {
    (0..n).map(|_| one(ratio, stream)).collect()
}

/// Each arm's probability, the same for every unit.
///
/// ```
/// use crewe::design::{Ratio, simple};
/// assert_eq!(simple::probabilities(&Ratio::new(&[1, 3])), [0.25, 0.75]);
/// ```
pub fn probabilities(ratio: &Ratio) -> Vec<f64> {
    ratio.shares.iter().map(|&share| share as f64 / ratio.total as f64).collect()
}

/// How many different assignments the procedure can give to n units: J to the power of n.
///
/// ```
/// use crewe::design::{Ratio, simple};
/// assert_eq!(simple::possible(10, &Ratio::new(&[1, 1])).to_string(), "1024");
/// ```
pub fn possible(n: usize, ratio: &Ratio) -> BigUint {
    BigUint::from(ratio.shares.len()).pow(n as u32)
}

/// The arm of one unit.
pub(super) fn one(ratio: &Ratio, stream: &mut Stream) -> u8 {
    let mut left = stream.below(ratio.total);
    // The draw is below the sum of the shares, so that some arm takes it; a ratio without shares has none to take it.
    for (arm, &share) in ratio.shares.iter().enumerate() {
        if left < share {
            return arm as u8;
        }
        left -= share;
    }
    LEFT_OUT
}

/// Simple randomisation at a ratio.
pub(super) struct Rule {
    pub ratio: Ratio,
}

impl WithinStratum for Rule {
    fn draw(&self, n: usize, steps: &mut Steps, scratch: &mut Scratch<'_>) {
        let stream = steps.step(0);
        scratch.arms.clear();
        scratch.arms.extend((0..n).map(|_| one(&self.ratio, stream)));
    }

    fn probabilities(&self, _n: usize) -> Vec<f64> {
        probabilities(&self.ratio)
    }

    fn possible(&self, n: usize, _monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        Ok(Some(possible(n, &self.ratio)))
    }

    fn support(&self, n: usize, most: usize, monitor: &dyn Monitor) -> Result<Option<Vec<Weighed>>> {
        let arms = self.ratio.shares.len();
        let total = u32::try_from(n).ok().and_then(|n| arms.checked_pow(n));
        let Some(total) = total.filter(|&total| total <= most) else { return Ok(None) };
        let shares = probabilities(&self.ratio);
        let mut pace = Pace::new(monitor);
        let listed = (0..total).map(|mut left| {
            pace.by(n)?;
            let mut drawn = vec![0; n];
            for place in drawn.iter_mut().rev() {
                *place = (left % arms) as u8;
                left /= arms;
            }
            let probability = drawn.iter().map(|&arm| shares[usize::from(arm)]).product();
            Ok(Weighed { arms: drawn, probability })
        });
        listed.collect::<Result<_>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn shares_follow_the_ratio() {
        let ratio = Ratio::new(&[1, 2, 3]);
        let mut stream = Stream::new::<&str>(&Seed::Integer(3), "test", &[], 0);
        let mut counts = [0_u32; 3];
        for arm in assign(60_000, &ratio, &mut stream) {
            counts[usize::from(arm)] += 1;
        }
        let chi: f64 = counts.iter().zip([1e4, 2e4, 3e4]).map(|(&c, e)| (f64::from(c) - e).powi(2) / e).sum();
        assert!(chi < 13.8, "{counts:?}"); // chi-squared, 2 df, p = .001
        assert_eq!(possible(4, &ratio), BigUint::from(81_u32));
    }
}
