//! The shift algorithm: the exact distribution of the sum of a random subset of integer scores.
//!
//! Of n scores a_1..a_n, a subset of k is drawn with equal chances. With P_i(j, s) the probability that a random
//! j-subset of the first i scores sums to s,
//!
//! ```text
//! P_i(j, s) = (i - j)/i P_{i-1}(j, s) + j/i P_{i-1}(j - 1, s - a_i),
//! ```
//!
//! so that only positive terms are added and tails keep their relative digits at any number of labellings. Counts
//! follow the same recursion without the weights. M. Pagano and D. Tritchler (1983), On obtaining permutation
//! distributions in polynomial time, doi:10.1080/01621459.1983.10477990; B. Streitberg and J. Roehmel (1986),
//! Exact distributions for permutation and rank tests, Statistical Software Newsletter 12, 10-17.

use std::ops::AddAssign;

use num_bigint::BigUint;

use crate::progress::{Monitor, check};
use crate::{Fault, Result};

/// Additions beyond which the exact distribution is refused (about a minute).
const MOST_WORK: f64 = 5e10;
/// Cells of the table beyond which it is refused (2 GB).
const MOST_CELLS: f64 = 2.5e8;
/// Additions of arbitrarily long integers beyond which counts are not given.
const MOST_COUNTING: f64 = 3e7;

/// The distribution of the sum of `take` of `n` integer scores.
#[derive(Debug, Clone)]
pub struct SubsetSums<T> {
    /// The smallest attainable sum.
    lowest: i64,
    /// The distance of neighbouring sums.
    step: i64,
    /// The weight (probability or count) of `lowest + i * step`.
    weights: Vec<T>,
}

/// The scores brought to the smallest problem that has the same answer.
struct Reduced {
    /// Scores from 0 up without a common divisor, ascending.
    scores: Vec<usize>,
    take: usize,
    lowest: i64,
    step: i64,
    /// The weights come out in reverse, since the smaller group was drawn.
    mirrored: bool,
    reach: usize,
}

fn reduce(scores: &[i64], take: usize) -> Reduced {
    let n = scores.len();
    let least = scores.iter().copied().min().unwrap_or(0);
    let step = scores.iter().fold(0, |d, &a| gcd(d, a - least)).max(1);
    let mut small: Vec<usize> = scores.iter().map(|&a| ((a - least) / step) as usize).collect();
    small.sort_unstable();
    let lowest = small[..take].iter().sum::<usize>() as i64 * step + take as i64 * least;
    let mirrored = take > n - take;
    let take = take.min(n - take);
    let reach = small[n - take..].iter().sum();
    Reduced { scores: small, take, lowest, step, mirrored, reach }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

impl Reduced {
    fn cells(&self) -> f64 {
        (self.take as f64 + 1.0) * (self.reach as f64 + 1.0)
    }

    fn work(&self) -> f64 {
        0.5 * self.cells() * self.scores.len() as f64
    }

    /// Runs the recursion: `update(row j, row j - 1, a, i, j)` for each score and size, largest size first.
    fn run<T: Clone>(
        &self,
        zero: &T,
        one: T,
        monitor: &dyn Monitor,
        update: impl Fn(&mut [T], &[T], usize, usize),
    ) -> Result<Vec<T>> {
        let (n, k, width) = (self.scores.len(), self.take, self.reach + 1);
        let mut table = vec![zero.clone(); (k + 1) * width];
        table[0] = one;
        let mut reach = vec![0_usize; k + 1];
        for (before, &a) in self.scores.iter().enumerate() {
            check(monitor, before as u64, n as u64)?;
            let i = before + 1;
            for j in (1.max((k + i).saturating_sub(n))..=k.min(i)).rev() {
                reach[j] = reach[j].max(reach[j - 1] + a).min(self.reach);
                let (head, tail) = table.split_at_mut(j * width);
                let below = &head[(j - 1) * width..(j - 1) * width + (reach[j] + 1 - a)];
                let row = &mut tail[..=reach[j]];
                // Sums above `a` come from the row below; those under it only lose weight.
                update(row, below, a, i * (k + 1) + j);
            }
        }
        let least: usize = self.scores[..k].iter().sum();
        let mut weights = table[k * width + least..].to_vec();
        if self.mirrored {
            weights.reverse();
        }
        Ok(weights)
    }
}

/// Whether the exact distribution is within reach; `quick` asks for about a second at most.
pub(crate) fn feasible(scores: &[i64], take: usize, quick: bool) -> bool {
    let reduced = reduce(scores, take);
    let most = if quick { 0.04 * MOST_WORK } else { MOST_WORK };
    reduced.work() <= most && reduced.cells() <= MOST_CELLS
}

impl SubsetSums<f64> {
    /// The probabilities of the sums, each to about n units of the last place.
    ///
    /// # Errors
    /// When `take` exceeds the number of scores, when the table would be too large, or when the monitor stops it.
    ///
    /// ```
    /// use crewe::nonparametric::SubsetSums;
    /// use crewe::progress::NoMonitor;
    /// // Two of 1, 2, 3, 4: sums 3, 4, 5, 5, 6, 7.
    /// let sums = SubsetSums::probabilities(&[1, 2, 3, 4], 2, &NoMonitor)?;
    /// assert!((sums.at_least(6) - 2.0 / 6.0).abs() < 1e-15);
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn probabilities(scores: &[i64], take: usize, monitor: &dyn Monitor) -> Result<Self> {
        check_take(scores, take)?;
        let most = i64::MAX / (4 * scores.len().max(1) as i64);
        let wide: Vec<usize> =
            (0..scores.len()).filter(|&i| scores[i].unsigned_abs() > most as u64).collect();
        if !wide.is_empty() {
            return Err(Fault::new("scores are so large that their sums are beyond 64 bits")
                .rows(wide)
                .remedy("Divide the scores by what keeps them whole, or round them")
                .input());
        }
        let reduced = reduce(scores, take);
        if !feasible(scores, take, false) {
            return Err(Fault::new(
                "the exact distribution is out of reach for samples of this size and scores so spread",
            )
            .values([format!("{} scores, {} sums", scores.len(), reduced.reach + 1)])
            .remedy("Use the asymptotic test of ranks, or round the scores to fewer values")
            .input());
        }
        let k = reduced.take;
        let weights = reduced.run(&0.0, 1.0, monitor, |row, below, a, place| {
            let (i, j) = ((place / (k + 1)) as f64, (place % (k + 1)) as f64);
            let (stay, come) = ((i - j) / i, j / i);
            for p in row.iter_mut() {
                *p *= stay;
            }
            for (p, q) in row[a..].iter_mut().zip(below) {
                *p += come * q;
            }
        })?;
        Ok(Self { lowest: reduced.lowest, step: reduced.step, weights })
    }

    /// `P(S = s)`.
    pub fn mass(&self, s: i64) -> f64 {
        let place = s - self.lowest;
        if place < 0 || place % self.step != 0 {
            return 0.0;
        }
        self.weights.get((place / self.step) as usize).copied().unwrap_or(0.0)
    }

    /// `P(S <= s)`.
    pub fn at_most(&self, s: i64) -> f64 {
        self.support().filter(|&(sum, _)| sum <= s).map(|(_, p)| p).sum::<f64>().min(1.0)
    }

    /// `P(S >= s)`.
    pub fn at_least(&self, s: i64) -> f64 {
        self.support().rev().filter(|&(sum, _)| sum >= s).map(|(_, p)| p).sum::<f64>().min(1.0)
    }

    /// `P(|S - centre| >= |s - centre|)`.
    pub fn as_far(&self, s: i64, centre: i64) -> f64 {
        let distance = i64::try_from(s.abs_diff(centre)).unwrap_or(i64::MAX);
        if distance == 0 {
            return 1.0;
        }
        let (low, high) = (centre.saturating_sub(distance), centre.saturating_add(distance));
        (self.at_most(low) + self.at_least(high)).min(1.0)
    }

    fn support(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        self.weights.iter().enumerate().map(|(i, &p)| (self.lowest + i as i64 * self.step, p))
    }
}

impl<T: Clone + From<u8> + for<'a> AddAssign<&'a T>> SubsetSums<T> {
    fn counted(scores: &[i64], take: usize, monitor: &dyn Monitor) -> Result<Self> {
        let reduced = reduce(scores, take);
        let weights = reduced.run(&T::from(0), T::from(1), monitor, |row, below, a, _| {
            for (p, q) in row[a..].iter_mut().zip(below) {
                *p += q;
            }
        })?;
        Ok(Self { lowest: reduced.lowest, step: reduced.step, weights })
    }

    fn total(&self, keep: impl Fn(i64) -> bool) -> T {
        let mut sum = T::from(0);
        for (i, count) in self.weights.iter().enumerate() {
            if keep(self.lowest + i as i64 * self.step) {
                sum += count;
            }
        }
        sum
    }
}

/// Numbers of labellings, as exact integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labellings {
    pub at_most: BigUint,
    pub at_least: BigUint,
    pub all: BigUint,
}

/// The exact numbers of labellings with a sum up to and from `s`; `None` where they would take too long.
pub(crate) fn labellings(
    scores: &[i64],
    take: usize,
    s: i64,
    monitor: &dyn Monitor,
) -> Result<Option<Labellings>> {
    check_take(scores, take)?;
    let reduced = reduce(scores, take);
    let work = reduced.work();
    let fits = ln_choose(scores.len(), take) < 120.0 * std::f64::consts::LN_2;
    if fits && work <= 20.0 * MOST_COUNTING && reduced.cells() <= 0.5 * MOST_CELLS {
        let sums = SubsetSums::<u128>::counted(scores, take, monitor)?;
        return Ok(Some(Labellings {
            at_most: sums.total(|sum| sum <= s).into(),
            at_least: sums.total(|sum| sum >= s).into(),
            all: sums.total(|_| true).into(),
        }));
    }
    if work > MOST_COUNTING {
        return Ok(None);
    }
    let sums = SubsetSums::<BigUint>::counted(scores, take, monitor)?;
    Ok(Some(Labellings {
        at_most: sums.total(|sum| sum <= s),
        at_least: sums.total(|sum| sum >= s),
        all: sums.total(|_| true),
    }))
}

fn ln_choose(n: usize, k: usize) -> f64 {
    libm::lgamma(n as f64 + 1.0) - libm::lgamma(k as f64 + 1.0) - libm::lgamma((n - k) as f64 + 1.0)
}

fn check_take(scores: &[i64], take: usize) -> Result<()> {
    if take <= scores.len() {
        return Ok(());
    }
    Err(Fault::new("a subset cannot be larger than the sample")
        .values([format!("{take} of {}", scores.len())])
        .input())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;

    fn by_hand(scores: &[i64], take: usize) -> Vec<i64> {
        (0_u32..1 << scores.len())
            .filter(|set| set.count_ones() as usize == take)
            .map(|set| (0..scores.len()).filter(|i| set >> i & 1 == 1).map(|i| scores[i]).sum())
            .collect()
    }

    #[test]
    fn equals_enumeration_for_every_size() {
        let scores = [4, -3, 7, 7, 0, 11, -3, 5, 2];
        for take in 0..=scores.len() {
            let sums = by_hand(&scores, take);
            let law = SubsetSums::probabilities(&scores, take, &NoMonitor).unwrap();
            for s in -12..50 {
                let low = sums.iter().filter(|&&x| x <= s).count();
                let high = sums.iter().filter(|&&x| x >= s).count();
                let far = sums.iter().filter(|&&x| (x - 8).abs() >= (s - 8).abs()).count();
                let all = sums.len() as f64;
                assert!((law.at_most(s) - low as f64 / all).abs() < 1e-14, "{take} {s}");
                assert!((law.at_least(s) - high as f64 / all).abs() < 1e-14, "{take} {s}");
                assert!((law.as_far(s, 8) - far as f64 / all).abs() < 1e-14, "{take} {s}");
                let counts = labellings(&scores, take, s, &NoMonitor).unwrap().unwrap();
                assert_eq!(counts.at_most, BigUint::from(low));
                assert_eq!(counts.at_least, BigUint::from(high));
                assert_eq!(counts.all, BigUint::from(sums.len()));
            }
        }
    }

    #[test]
    fn long_integers_agree_with_probabilities() {
        let scores: Vec<i64> = (0..150).map(|i| (i * i) % 17).collect();
        let counts = labellings(&scores, 70, 500, &NoMonitor).unwrap().unwrap();
        let law = SubsetSums::probabilities(&scores, 70, &NoMonitor).unwrap();
        // The ratio in 60 bits.
        let scaled: BigUint = (&counts.at_most << 60) / &counts.all;
        let ratio = scaled.to_string().parse::<f64>().unwrap() / (1_u64 << 60) as f64;
        assert!((law.at_most(500) / ratio - 1.0).abs() < 1e-12);
        assert!(counts.all.bits() > 128);
    }

    #[test]
    fn refuses_what_cannot_be_done() {
        assert!(SubsetSums::probabilities(&[1, 2], 3, &NoMonitor).is_err());
        let wide: Vec<i64> = (0..3000).map(|i| i * i * 7919 % 1_000_003).collect();
        assert!(SubsetSums::probabilities(&wide, 1500, &NoMonitor).is_err());
    }
}
