//! Complete randomisation: every stratum is split between the arms in the ratio.
//!
//! A stratum of n units under the ratio r_1 : ... : r_J with R = sum of r_j (in lowest terms):
//!
//! 1. arm j gets floor(n r_j / R) places;
//! 2. the u places left over, u = sum_j (n r_j mod R) / R, go to u different arms by systematic sampling in random
//!    order (W. G. Madow 1949, doi:10.1214/aoms/1177729988; J. Hájek 1964): the arms are shuffled, laid end to end
//!    as segments of length n r_j mod R, and one gets a place if its segment holds one of the points s, s + R,
//!    s + 2R, ... for a uniform whole number s in 0..R. Nothing is drawn where u = 0;
//! 3. the list of places, all of the first arm first, is shuffled and dealt to the units in canonical order.
//!
//! All of it is whole numbers. Given any order, an arm's segment holds a point for exactly n r_j mod R of the R
//! starts, so the expected number of places is n r_j / R and every unit's probability of arm j is exactly r_j / R,
//! whatever n is. The rule is that of `misfits` within strata in A. Carril (2017), Stata Journal 17, st0490, with
//! the probabilities made exact.

use std::collections::BTreeMap;

use num_bigint::BigUint;

use super::Ratio;
use super::procedure::{LEFT_OUT, Scratch, Weighed, WithinStratum};
use super::random::Steps;
use crate::Result;
use crate::progress::{Monitor, NoMonitor, Pace};
use crate::rng::Stream;

/// More arms with a place left over than this are not counted, as their orders are too many.
const COUNTED_ARMS: usize = 8;

/// The arms of the units of one stratum, in canonical order of the units.
///
/// ```
/// use crewe::design::{Ratio, complete};
/// use crewe::rng::{Seed, Stream};
/// let mut stream = Stream::new::<&str>(&Seed::Integer(1), "assign", &[], 0);
/// let arms = complete::assign(9, &Ratio::new(&[1, 2]), &mut stream);
/// assert_eq!(arms.iter().filter(|&&arm| arm == 1).count(), 6);
/// ```
pub fn assign(n: usize, ratio: &Ratio, stream: &mut Stream) -> Vec<u8> {
    let mut scratch = Scratch::new(&NoMonitor);
    draw(n, ratio, stream, &mut scratch);
    scratch.arms
}

/// As [`assign`], into `scratch.arms`.
pub(super) fn draw(n: usize, ratio: &Ratio, stream: &mut Stream, scratch: &mut Scratch<'_>) {
    let Scratch { arms, order, counts, .. } = scratch;
    if ratio.total == 0 {
        // Nobody can be given an arm; a design without arms is refused before it comes here.
        arms.clear();
        arms.resize(n, LEFT_OUT);
        return;
    }
    let rounds = n as u64 / ratio.total;
    if rounds * ratio.total == n as u64 {
        counts.clear();
        counts.extend(ratio.shares.iter().map(|&share| rounds * share));
    } else {
        order.clear();
        order.extend(0..ratio.shares.len() as u32);
        // Shares in lowest terms: some arm has a place left over.
        stream.shuffle(order);
        places_into(n, ratio, order, stream.below(ratio.total), counts);
    }
    arms.clear();
    for (arm, &count) in counts.iter().enumerate() {
        arms.resize(arms.len() + count as usize, arm as u8);
    }
    stream.shuffle(arms);
}

/// Each arm's probability, the same for every unit.
///
/// ```
/// use crewe::design::{Ratio, complete};
/// assert_eq!(complete::probabilities(&Ratio::new(&[1, 3])), [0.25, 0.75]);
/// ```
pub fn probabilities(ratio: &Ratio) -> Vec<f64> {
    ratio.shares.iter().map(|&share| share as f64 / ratio.total as f64).collect()
}

/// The places of each arm, given the random order of the arms and the random start in `0..R`.
///
/// ```
/// use crewe::design::{Ratio, complete};
/// // Of five places at 1:2 the ratio fills three; of the two left over the second arm has one for sure.
/// assert_eq!(complete::places(5, &Ratio::new(&[1, 2]), &[0, 1], 0), [2, 3]);
/// assert_eq!(complete::places(5, &Ratio::new(&[1, 2]), &[0, 1], 2), [1, 4]);
/// ```
///
/// # Panics
/// If `order` names an arm that the ratio does not have.
pub fn places(n: usize, ratio: &Ratio, order: &[u32], start: u64) -> Vec<u64> {
    let mut places = Vec::new();
    places_into(n, ratio, order, start, &mut places);
    places
}

fn places_into(n: usize, ratio: &Ratio, order: &[u32], start: u64, places: &mut Vec<u64>) {
    let total = ratio.total.max(1);
    places.clear();
    places.extend(ratio.shares.iter().map(|&share| n as u64 * share / total));
    let mut low = 0;
    for &arm in order {
        let high = low + left_over(n, ratio.shares[arm as usize], total);
        // The first point at or after the segment's lower end.
        let point = low + (start + total - low % total) % total;
        places[arm as usize] += u64::from(point < high);
        low = high;
    }
}

/// How many different assignments the procedure can give to n units; nothing where more than eight arms share the
/// places left over.
pub fn possible(n: usize, ratio: &Ratio) -> Option<BigUint> {
    if ratio.total == 0 {
        return Some(BigUint::from(1_u8));
    }
    Some(splits(n, ratio)?.keys().map(|places| multinomial(places)).sum())
}

/// Every split of n units between the arms, and the share of (order, start) pairs that give it.
pub(super) fn splits(n: usize, ratio: &Ratio) -> Option<BTreeMap<Vec<u64>, f64>> {
    let mut arms: Vec<u32> = (0..ratio.shares.len() as u32)
        .filter(|&arm| left_over(n, ratio.shares[arm as usize], ratio.total) > 0)
        .collect();
    if arms.len() > COUNTED_ARMS {
        return None;
    }
    let mut counts: BTreeMap<Vec<u64>, u64> = BTreeMap::new();
    let mut draws = 0;
    for_each_order(&mut arms, 0, &mut |order| {
        // The places change only where a segment begins (mod R): the starts between two such points give one split.
        let mut points: Vec<u64> = vec![0];
        let mut low = 0;
        for &arm in order {
            low += left_over(n, ratio.shares[arm as usize], ratio.total);
            points.push(low % ratio.total);
        }
        points.sort_unstable();
        points.dedup();
        for (place, &start) in points.iter().enumerate() {
            let end = points.get(place + 1).copied().unwrap_or(ratio.total);
            *counts.entry(places(n, ratio, order, start)).or_default() += end - start;
        }
        draws += ratio.total;
    });
    Some(counts.into_iter().map(|(places, count)| (places, count as f64 / draws as f64)).collect())
}

/// Complete randomisation at a ratio, misfits within the stratum.
pub(super) struct Rule {
    pub ratio: Ratio,
}

impl WithinStratum for Rule {
    fn draw(&self, n: usize, steps: &mut Steps, scratch: &mut Scratch<'_>) {
        draw(n, &self.ratio, steps.step(0), scratch);
    }

    fn probabilities(&self, _n: usize) -> Vec<f64> {
        probabilities(&self.ratio)
    }

    fn possible(&self, n: usize, _monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        Ok(possible(n, &self.ratio))
    }

    fn support(&self, n: usize, most: usize, monitor: &dyn Monitor) -> Result<Option<Vec<Weighed>>> {
        let splits = splits(n, &self.ratio);
        let few = possible(n, &self.ratio).is_some_and(|count| count <= BigUint::from(most));
        let Some(splits) = splits.filter(|_| few) else { return Ok(None) };
        let mut all = Vec::new();
        let mut pace = Pace::new(monitor);
        for (places, share) in splits {
            let first = all.len();
            for_each_arrangement(&places, n, &mut |arms| {
                all.push(Weighed { arms: arms.to_vec(), probability: 0.0 });
                pace.by(n)
            })?;
            let probability = share / (all.len() - first) as f64;
            for weighed in &mut all[first..] {
                weighed.probability = probability;
            }
        }
        Ok(Some(all))
    }
}

/// Visits every distinct order of a list that holds `places[j]` times the arm j, in lexicographic order.
///
/// # Errors
/// The first of the visitor, with which the visits end.
pub(super) fn for_each_arrangement(
    places: &[u64],
    n: usize,
    visit: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    fn extend(
        left: &mut [u64],
        so_far: &mut Vec<u8>,
        n: usize,
        visit: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if so_far.len() == n {
            return visit(so_far);
        }
        for arm in 0..left.len() {
            if left[arm] > 0 {
                left[arm] -= 1;
                so_far.push(arm as u8);
                extend(left, so_far, n, visit)?;
                so_far.pop();
                left[arm] += 1;
            }
        }
        Ok(())
    }
    extend(&mut places.to_vec(), &mut Vec::with_capacity(n), n, visit)
}

fn left_over(n: usize, share: u64, total: u64) -> u64 {
    n as u64 * share % total
}

fn for_each_order(arms: &mut [u32], fixed: usize, visit: &mut impl FnMut(&[u32])) {
    if fixed + 1 >= arms.len() {
        visit(arms);
        return;
    }
    for next in fixed..arms.len() {
        arms.swap(fixed, next);
        for_each_order(arms, fixed + 1, visit);
        arms.swap(fixed, next);
    }
}

/// n! / (n_1! ... n_J!) from the exponents of the primes (Legendre), so that no division is needed.
pub(crate) fn multinomial(parts: &[u64]) -> BigUint {
    let n: u64 = parts.iter().sum();
    let exponent = |mut m: u64, prime: u64| {
        let mut sum = 0;
        while m > 0 {
            m /= prime;
            sum += m;
        }
        sum
    };
    let mut composite = vec![false; n as usize + 1];
    let mut factors = Vec::new();
    for prime in 2..=n {
        if composite[prime as usize] {
            continue;
        }
        for multiple in (prime * prime..=n).step_by(prime as usize) {
            composite[multiple as usize] = true;
        }
        let below: u64 = parts.iter().map(|&part| exponent(part, prime)).sum();
        let power = exponent(n, prime) - below;
        if power > 0 {
            factors.push(BigUint::from(prime).pow(power as u32));
        }
    }
    // Factors of like size are multiplied in pairs: one after the other takes the square of the time.
    while factors.len() > 1 {
        factors = factors.chunks(2).map(|pair| pair.iter().product()).collect();
    }
    factors.pop().unwrap_or_else(|| BigUint::from(1_u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// All ratios of at least two arms with shares summing to `total`.
    fn ratios(total: u32) -> Vec<Vec<u32>> {
        fn extend(left: u32, so_far: &mut Vec<u32>, all: &mut Vec<Vec<u32>>) {
            if left == 0 {
                if so_far.len() > 1 {
                    all.push(so_far.clone());
                }
                return;
            }
            for share in 1..=left {
                so_far.push(share);
                extend(left - share, so_far, all);
                so_far.pop();
            }
        }
        let mut all = Vec::new();
        extend(total, &mut Vec::new(), &mut all);
        all
    }

    /// Every order of the arms and every start, for every ratio with R <= 6 and every n <= 12: the places add up,
    /// no arm has more than one place left over, and the expected places are n r / R exactly.
    #[test]
    fn probability_is_the_ratio_by_enumeration() {
        let mut cases = 0;
        for shares in (2..=6).flat_map(ratios) {
            let ratio = Ratio::new(&shares);
            for n in 1..=12 {
                let mut sums = vec![0_u64; shares.len()];
                let mut draws = 0;
                let mut order: Vec<u32> = (0..shares.len() as u32).collect();
                for_each_order(&mut order, 0, &mut |order| {
                    for start in 0..ratio.total {
                        let places = places(n, &ratio, order, start);
                        assert_eq!(places.iter().sum::<u64>(), n as u64);
                        for (arm, &count) in places.iter().enumerate() {
                            let floor = n as u64 * ratio.shares[arm] / ratio.total;
                            assert!(count == floor || count == floor + 1);
                            sums[arm] += count;
                        }
                        draws += 1;
                    }
                });
                for (arm, &sum) in sums.iter().enumerate() {
                    assert_eq!(sum * ratio.total, n as u64 * ratio.shares[arm] * draws, "{shares:?} {n}");
                }
                cases += 1;
            }
        }
        assert_eq!(cases, 12 * (1 + 3 + 7 + 15 + 31));
    }

    /// Five units at 2:1 are 3 and 1 and one place, which is the first arm's with probability 1/3.
    #[test]
    fn five_units_at_two_to_one() {
        let ratio = Ratio::new(&[2, 1]);
        let first = (0..3).filter(|&start| places(5, &ratio, &[0, 1], start)[0] == 4).count();
        assert_eq!(first, 1);
        // C(5,4) + C(5,3) assignments.
        assert_eq!(possible(5, &ratio), Some(BigUint::from(15_u32)));
    }

    #[test]
    fn every_assignment_that_is_possible_is_drawn() {
        for (n, shares) in [(5, vec![2, 1]), (4, vec![1, 1, 1]), (3, vec![1, 2, 3]), (6, vec![1, 1])] {
            let ratio = Ratio::new(&shares);
            let mut seen = std::collections::BTreeSet::new();
            for index in 0..20_000 {
                let mut stream = Stream::new::<&str>(&Seed::Integer(8), "test", &[], index);
                seen.insert(assign(n, &ratio, &mut stream));
            }
            assert_eq!(possible(n, &ratio), Some(BigUint::from(seen.len())), "{n} {shares:?}");
        }
    }

    /// The number of splits of 132 families 44 : 88, C(132, 88), 2.268e35, as Python's math.comb gives it.
    #[test]
    fn count_of_132_families() {
        let count = possible(132, &Ratio::new(&[1, 2])).map(|c| c.to_string());
        assert_eq!(count.as_deref(), Some("226796193797561323702851561158682000"));
        assert_eq!(multinomial(&[3, 2, 1]), BigUint::from(60_u32));
        assert_eq!(multinomial(&[0, 0]), BigUint::from(1_u32));
    }
}
