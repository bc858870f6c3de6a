//! Complete randomisation with another rule for the units left over where a stratum does not divide by the ratio.
//!
//! A stratum of n units under the ratio r_1 : ... : r_J, R = sum of r_j in lowest terms, holds floor(n / R) whole
//! rounds of the ratio and u = n mod R misfits. The rules of A. Carril (2017), Dealing with misfits in random treatment
//! assignment, Stata Journal 17, 652-667 (st0490), doi:10.1177/1536867X1701700307:
//!
//! | rule | what becomes of misfits | P(arm j) of each unit |
//! |---|---|---|
//! | within strata (default, [`super::complete`]) | places by systematic sampling, an arm at most once | r_j / R |
//! | leave out | no arm | floor(n / R) r_j / n; u / n of no arm |
//! | global | pooled over strata, split equally whatever the ratio | (floor(n / R) r_j + u / J) / n |
//! | weighted strata | tickets from a pack with r_j of arm j, in each stratum | r_j / R |
//! | weighted global | pooled over strata, tickets from such packs | r_j / R |
//!
//! Carril's own rule within strata splits misfits equally whatever the ratio, as his global one does; ours keeps the
//! ratio. The packs are exhausted before a new one is opened, so within a stratum (or in the pool) no arm is more
//! than one pack away from its share. In the pool, misfits are dealt in random order, so that the stratum of a misfit
//! says nothing about its arm. The two global rules read random numbers that all strata share: there, adding a unit to
//! one stratum may change another.
//!
//! Steps of the draw: in each stratum the list of whole rounds and u blanks is shuffled and dealt to the units in
//! canonical order (leave out, the two global rules), or the list of whole rounds and u tickets (weighted strata);
//! then the pool's list is shuffled and fills the blanks in order of strata and units.

use num_bigint::BigUint;

use super::complete::{for_each_arrangement, multinomial};
use super::procedure::{LEFT_OUT, Scratch, Weighed, WithinStratum};
use super::random::Steps;
use super::{Misfits, Ratio};
use crate::Result;
use crate::progress::{Monitor, Pace};

/// Splits of the pool beyond this number are not counted.
pub(super) const COUNTED_SPLITS: usize = 4096;

/// Each arm's probability for every unit of a stratum of n; what is missing to 1 is the probability of no arm.
///
/// ```
/// use crewe::design::{Misfits, Ratio, misfits};
/// let ratio = Ratio::new(&[1, 2]);
/// assert_eq!(misfits::probabilities(5, &ratio, Misfits::LeaveOut), [1.0 / 5.0, 2.0 / 5.0]);
/// assert_eq!(misfits::probabilities(5, &ratio, Misfits::Global), [2.0 / 5.0, 3.0 / 5.0]);
/// assert_eq!(misfits::probabilities(5, &ratio, Misfits::WeightedGlobal), [1.0 / 3.0, 2.0 / 3.0]);
/// ```
pub fn probabilities(n: usize, ratio: &Ratio, rule: Misfits) -> Vec<f64> {
    if ratio.total == 0 {
        return vec![0.0; ratio.shares.len()];
    }
    let (n, arms) = (n as u64, ratio.shares.len() as u64);
    let (rounds, left) = (n / ratio.total, n % ratio.total);
    ratio
        .shares
        .iter()
        .map(|&share| match rule {
            Misfits::Strata | Misfits::WeightedStrata | Misfits::WeightedGlobal => {
                share as f64 / ratio.total as f64
            }
            Misfits::LeaveOut => (rounds * share) as f64 / n as f64,
            Misfits::Global => (rounds * share * arms + left) as f64 / (n * arms) as f64,
        })
        .collect()
}

/// Splits n places between arms with these shares: whole packs, then tickets drawn one after the other from one more
/// pack. `pick` gives a uniform whole number below its argument.
pub(super) fn deal(n: u64, shares: &[u64], pick: &mut impl FnMut(u64) -> u64, places: &mut Vec<u64>) {
    let pack: u64 = shares.iter().sum();
    places.clear();
    places.extend(shares.iter().map(|share| n / pack * share));
    let whole = n / pack;
    for drawn in 0..n % pack {
        let mut left = pick(pack - drawn);
        let mut arm = 0;
        // Ends, since the pick is below the number of tickets that are left.
        loop {
            let tickets = (whole + 1) * shares[arm] - places[arm];
            if left < tickets {
                break;
            }
            left -= tickets;
            arm += 1;
        }
        places[arm] += 1;
    }
}

/// The probability of a split by [`deal`]: hypergeometric in the tickets of the last pack. Not a number where the
/// binomials are beyond floats.
pub(super) fn chance(places: &[u64], shares: &[u64]) -> f64 {
    if !fits(places, shares) {
        return 0.0;
    }
    let (n, pack): (u64, u64) = (places.iter().sum(), shares.iter().sum());
    let tickets = places.iter().zip(shares).map(|(count, share)| choose(*share, count - n / pack * share));
    tickets.product::<f64>() / choose(pack, n % pack)
}

/// Whether [`deal`] can give this split.
pub(super) fn fits(places: &[u64], shares: &[u64]) -> bool {
    let (n, pack): (u64, u64) = (places.iter().sum(), shares.iter().sum());
    let whole = n / pack;
    places.iter().zip(shares).all(|(&count, &share)| (whole * share..=(whole + 1) * share).contains(&count))
}

fn choose(n: u64, k: u64) -> f64 {
    (0..k.min(n - k)).fold(1.0, |product, i| (product * (n - i) as f64 / (i + 1) as f64).round())
}

/// Leaving out, or weighted within strata.
pub(super) struct Within {
    pub ratio: Ratio,
    pub leave_out: bool,
}

impl Within {
    /// The places of each arm and, last, of no arm.
    fn places(&self, n: usize, pick: &mut impl FnMut(u64) -> u64, places: &mut Vec<u64>) {
        let n = n as u64;
        let left = if self.leave_out { n % self.ratio.total } else { 0 };
        deal(n - left, &self.ratio.shares, pick, places);
        places.push(left);
    }

    /// Every split of n units with its probability; nothing where there are too many.
    fn splits(&self, n: usize) -> Option<Vec<(Vec<u64>, f64)>> {
        let n = n as u64;
        let left = if self.leave_out { n % self.ratio.total } else { 0 };
        let whole: Vec<u64> =
            self.ratio.shares.iter().map(|share| (n - left) / self.ratio.total * share).collect();
        let mut all = Vec::new();
        let full = for_each_composition(
            (n - left) % self.ratio.total,
            &self.ratio.shares,
            COUNTED_SPLITS,
            &mut |tickets| {
                let mut places: Vec<u64> = whole.iter().zip(tickets).map(|(a, b)| a + b).collect();
                let chance = chance(&places, &self.ratio.shares);
                places.push(left);
                all.push((places, chance));
            },
        );
        (full && all.iter().all(|(_, chance)| chance.is_finite())).then_some(all)
    }
}

impl WithinStratum for Within {
    fn draw(&self, n: usize, steps: &mut Steps, scratch: &mut Scratch<'_>) {
        let stream = steps.step(0);
        self.places(n, &mut |bound| stream.below(bound), &mut scratch.counts);
        spread(&scratch.counts, &mut scratch.arms);
        stream.shuffle(&mut scratch.arms);
    }

    fn probabilities(&self, n: usize) -> Vec<f64> {
        let rule = if self.leave_out { Misfits::LeaveOut } else { Misfits::WeightedStrata };
        probabilities(n, &self.ratio, rule)
    }

    fn possible(&self, n: usize, monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        let Some(splits) = self.splits(n) else { return Ok(None) };
        let mut pace = Pace::new(monitor);
        let ways = |(places, _): &(Vec<u64>, f64)| pace.by(n).map(|()| multinomial(places));
        splits.iter().map(ways).sum::<Result<_>>().map(Some)
    }

    fn support(&self, n: usize, most: usize, monitor: &dyn Monitor) -> Result<Option<Vec<Weighed>>> {
        let few = self.possible(n, monitor)?.is_some_and(|count| count <= BigUint::from(most));
        let Some(splits) = self.splits(n).filter(|_| few) else { return Ok(None) };
        let mut all = Vec::new();
        let mut pace = Pace::new(monitor);
        for (places, chance) in splits {
            let first = all.len();
            for_each_arrangement(&places, n, &mut |arms| {
                all.push(Weighed { arms: named(arms, self.ratio.shares.len()), probability: 0.0 });
                pace.by(n)
            })?;
            let probability = chance / (all.len() - first) as f64;
            for weighed in &mut all[first..] {
                weighed.probability = probability;
            }
        }
        Ok(Some(all))
    }
}

/// Lists each arm as often as it has places; the last entry is that of no arm.
pub(super) fn spread(places: &[u64], arms: &mut Vec<u8>) {
    arms.clear();
    for (arm, &count) in places.iter().enumerate() {
        let arm = if arm + 1 == places.len() { LEFT_OUT } else { arm as u8 };
        arms.resize(arms.len() + count as usize, arm);
    }
}

fn named(arms: &[u8], number: usize) -> Vec<u8> {
    arms.iter().map(|&arm| if usize::from(arm) == number { LEFT_OUT } else { arm }).collect()
}

pub(super) fn as_float(number: &BigUint) -> f64 {
    number.to_string().parse().unwrap_or(f64::INFINITY)
}

/// Visits every way of writing `total` as a sum of one part an arm, none above its limit; whether there were at most
/// `most` of them.
pub(super) fn for_each_composition(
    total: u64,
    limits: &[u64],
    most: usize,
    visit: &mut impl FnMut(&[u64]),
) -> bool {
    fn extend(
        left: u64,
        limits: &[u64],
        so_far: &mut Vec<u64>,
        room: &mut usize,
        visit: &mut impl FnMut(&[u64]),
    ) -> bool {
        let place = so_far.len();
        if place == limits.len() {
            if left > 0 {
                return true;
            }
            if *room == 0 {
                return false;
            }
            *room -= 1;
            visit(so_far);
            return true;
        }
        let later: u64 = limits[place + 1..].iter().sum();
        for part in left.saturating_sub(later)..=left.min(limits[place]) {
            so_far.push(part);
            let full = extend(left - part, limits, so_far, room, visit);
            so_far.pop();
            if !full {
                return false;
            }
        }
        true
    }
    extend(total, limits, &mut Vec::new(), &mut { most }, visit)
}

/// What became of the units left over, in words.
pub(super) fn told(rule: Misfits, ratio: &Ratio) -> &'static str {
    let even = ratio.shares.iter().all(|&share| share == ratio.shares[0]);
    match rule {
        Misfits::Strata => {
            "the places left over are drawn so that every unit's probability is exactly the ratio"
        }
        Misfits::LeaveOut => "the units left over get no arm, each unit's probability of which is stated",
        Misfits::Global if !even => {
            "the units left over in all strata are split equally between the arms, so units' probabilities are not the \
             ratio: see each unit's probability"
        }
        Misfits::Global | Misfits::WeightedGlobal => {
            "the units left over in all strata are drawn together, and every unit's probability is exactly the ratio"
        }
        Misfits::WeightedStrata => {
            "the units left over draw from a pack that holds the ratio once, so every unit's probability is exactly \
             the ratio"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::misfits_pooled::Pooled;
    use super::*;

    /// All ratios of at least two arms with shares summing to `total`.
    fn ratios(total: u32) -> Vec<Ratio> {
        let mut all = Vec::new();
        for arms in 2..=total as usize {
            let limits = vec![u64::from(total); arms];
            for_each_composition(u64::from(total), &limits, usize::MAX, &mut |shares| {
                if shares.iter().all(|&share| share > 0) {
                    all.push(Ratio::new(&shares.iter().map(|&s| s as u32).collect::<Vec<_>>()));
                }
            });
        }
        all
    }

    /// Runs `draw` with every sequence of picks that can come, and gives the sum of what it returns over all of them,
    /// each weighted by its probability times `scale` (a common multiple of all numbers of sequences).
    fn every_pick(scale: u64, draw: &mut dyn FnMut(&mut dyn FnMut(u64) -> u64) -> Vec<u64>) -> Vec<u64> {
        let mut picks: Vec<(u64, u64)> = Vec::new();
        let mut sums: Vec<u64> = Vec::new();
        loop {
            let mut at = 0;
            let result = draw(&mut |bound| {
                if at == picks.len() {
                    picks.push((0, bound));
                }
                at += 1;
                assert_eq!(picks[at - 1].1, bound);
                picks[at - 1].0
            });
            let sequences: u64 = picks.iter().map(|pick| pick.1).product();
            assert_eq!(scale % sequences, 0);
            sums.resize(result.len(), 0);
            for (sum, count) in sums.iter_mut().zip(result) {
                *sum += count * (scale / sequences);
            }
            while picks.last().is_some_and(|pick| pick.0 + 1 == pick.1) {
                picks.pop();
            }
            match picks.last_mut() {
                Some(pick) => pick.0 += 1,
                None => return sums,
            }
        }
    }

    /// The expected places of every arm over all picks, times 720, for every ratio with R <= 6 and n <= 12: a shuffled
    /// list gives every unit the probability places / n, which must be the one reported, in whole numbers.
    #[test]
    fn probability_within_strata_is_the_realised_one_by_enumeration() {
        let mut cases = 0;
        for ratio in (2..=6).flat_map(ratios) {
            for n in 1..=12_usize {
                for leave_out in [true, false] {
                    let rule = Within { ratio: ratio.clone(), leave_out };
                    let sums = every_pick(720, &mut |pick| {
                        let mut places = Vec::new();
                        rule.places(n, &mut |bound| pick(bound), &mut places);
                        assert_eq!(places.iter().sum::<u64>(), n as u64);
                        places
                    });
                    let reported = rule.probabilities(n);
                    for (arm, &share) in ratio.shares.iter().enumerate() {
                        let rounds = n as u64 / ratio.total;
                        if leave_out {
                            assert_eq!(sums[arm], 720 * rounds * share);
                        } else {
                            assert_eq!(sums[arm] * ratio.total, 720 * n as u64 * share, "{ratio:?} {n}");
                        }
                        let realised = sums[arm] as f64 / (720 * n as u64) as f64;
                        assert_eq!(reported[arm], realised, "{ratio:?} {n}");
                    }
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 2 * 12 * (1 + 3 + 7 + 15 + 31));
    }

    /// The same for the pool of two and of three strata: a misfit of the shuffled pool has an arm with the probability
    /// pool's places / pool's size, and a unit is a misfit with probability u / n.
    #[test]
    fn probability_of_the_pool_is_the_realised_one_by_enumeration() {
        let mut sizes: Vec<Vec<usize>> = (1..=12).flat_map(|a| (a..=12).map(move |b| vec![a, b])).collect();
        sizes.extend((1..=5).flat_map(|a| (a..=5).flat_map(move |b| (b..=5).map(move |c| vec![a, b, c]))));
        for ratio in (2..=6).flat_map(ratios) {
            for weighted in [false, true] {
                let mut of_pool: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
                for sizes in &sizes {
                    let members = sizes.iter().map(|&n| vec![0; n]).collect();
                    let rule = Pooled::new(members, ratio.clone(), weighted);
                    let pool = rule.pool();
                    let sums = of_pool.entry(pool).or_insert_with(|| {
                        every_pick(720, &mut |pick| {
                            let mut places = Vec::new();
                            deal(pool, &rule.shares, &mut |bound| pick(bound), &mut places);
                            places
                        })
                    });
                    for (stratum, &n) in sizes.iter().enumerate() {
                        let (n, left) = (n as u64, rule.left(stratum));
                        let kind = if weighted { Misfits::WeightedGlobal } else { Misfits::Global };
                        let reported = probabilities(n as usize, &ratio, kind);
                        for (arm, &share) in ratio.shares.iter().enumerate() {
                            // (rounds r_j + u E[places] / pool) / n over the common denominator 720 pool n.
                            let pool = pool.max(1);
                            let upper = 720 * pool * (n / ratio.total) * share + left * sums[arm];
                            let lower = 720 * pool * n;
                            assert_eq!(reported[arm], upper as f64 / lower as f64, "{ratio:?} {sizes:?}");
                            if weighted {
                                assert_eq!(upper * ratio.total, lower * share, "{ratio:?} {sizes:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn chances_of_splits_sum_to_one() {
        for ratio in (2..=6).flat_map(ratios) {
            for n in 1..=12 {
                for leave_out in [true, false] {
                    let splits = Within { ratio: ratio.clone(), leave_out }.splits(n).unwrap_or_default();
                    let sum: f64 = splits.iter().map(|(_, chance)| chance).sum();
                    assert!((sum - 1.0).abs() < 1e-14, "{ratio:?} {n}: {sum}");
                }
            }
        }
        assert_eq!(choose(6, 2), 15.0);
        assert_eq!(chance(&[2, 0], &[1, 2]), 0.0);
    }
}
