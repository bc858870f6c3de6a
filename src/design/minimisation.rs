//! Minimisation: the arm that would leave the factors most even is preferred.
//!
//! # The rule
//! There are R = r_1 + ... + r_J equal fake arms, of which arm j owns r_j, so that unequal ratios are kept at every
//! arrival (Kuznetsova and Tymofyeyev 2012). A newcomer has one level of each factor k. Suppose it went to the fake
//! arm f, and let n_1, ..., n_R then be the units of the fake arms at its level of factor k. Their imbalance is
//!
//! - range: D_k(f) = max n - min n;
//! - variance: D_k(f) = R sum n^2 - (sum n)^2, which is R (R - 1) times the variance,
//!
//! and the score is G(f) = sum_k w_k D_k(f). One of the fake arms with the smallest score, drawn uniformly among those
//! that tie, is *preferred*: the newcomer goes there with probability p >= 1/R, and to each other fake arm, tied or not,
//! with probability (1 - p) / (R - 1). So if m fake arms tie, each of them has (p + (m - 1)(1 - p)/(R - 1)) / m. All of
//! it is whole numbers; the probability p is a fraction.
//!
//! The rule treats all fake arms alike, so at every arrival each has probability 1/R and arm j exactly r_j / R.
//! Minimisation over the real arms with scaled counts does not: the share of the larger arm drifts with p.
//!
//! Within strata, each stratum minimises by itself. Levels are compared as text: any labels will do.
//!
//! S. J. Pocock and R. Simon (1975), Sequential treatment assignment with balancing for prognostic factors in the
//! controlled clinical trial, doi:10.2307/2529712; D. R. Taves (1974), Minimization, doi:10.1002/cpt1974155443;
//! O. M. Kuznetsova and Y. Tymofyeyev (2012), Preserving the allocation ratio at every allocation with biased coin
//! randomization and minimization in studies with unequal allocation, doi:10.1002/sim.4447.

use std::sync::Arc;

use rayon::prelude::*;

use serde::Serialize;

use super::fake_arms::{self, Chances, Counts, FakeArms, Sequential};
use super::{Fraction, Imbalance, Minimisation, Ratio, Units};
use crate::progress::{Monitor, Part, check, go_on};
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// Simulated trials between two looks at the monitor.
const CHUNK: u64 = 1 << 14;
/// Simulated trials that one thread takes at a time.
const PIECE: u64 = 1 << 8;

/// The score of every (fake) arm for a newcomer: the weighted sum of the imbalances that it would leave.
///
/// `counts` holds for each factor the units of every (fake) arm at the newcomer's level, without the newcomer; `weights`
/// one number for each factor. With equal arms the fake arms are the arms. For `Imbalance::Variance` the imbalance is
/// R sum n^2 - (sum n)^2, so that it stays a whole number.
///
/// ```
/// use crewe::design::{Imbalance, minimisation};
/// // Two and two at the first factor's level, three and one at the second's.
/// let scores = minimisation::imbalance(&[&[2, 2], &[3, 1]], &[1, 1], Imbalance::Range)?;
/// assert_eq!(scores, [4, 2]);
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Input`] for no factors, fewer than two arms, and rows or weights of different lengths.
pub fn imbalance(counts: &[&[u32]], weights: &[u32], imbalance: Imbalance) -> Result<Vec<u128>> {
    let width = counts.first().map_or(0, |row| row.len());
    if width < 2 || counts.iter().any(|row| row.len() != width) || weights.len() != counts.len() {
        return Err(Fault::new("the counts of minimisation do not fit together")
            .values([format!("{} weights", weights.len()), format!("{} factors", counts.len())])
            .remedy(
                "Give one weight and one row of counts a factor, with one count for each of two or more arms",
            )
            .input());
    }
    let mut scores = vec![0; width];
    for (row, &weight) in counts.iter().zip(weights) {
        add_scores(row, weight, imbalance, &mut scores);
    }
    Ok(scores)
}

fn add_scores(counts: &[u32], weight: u32, imbalance: Imbalance, scores: &mut [u128]) {
    let weight = u128::from(weight);
    match imbalance {
        Imbalance::Range => {
            let least = counts.iter().min().copied().unwrap_or(0);
            let most = counts.iter().max().copied().unwrap_or(0);
            let lone = counts.iter().filter(|&&count| count == least).count() == 1;
            for (score, &count) in scores.iter_mut().zip(counts) {
                // The smallest count grows only with the one fake arm that has it.
                let low = least + u32::from(lone && count == least);
                *score += weight * u128::from(most.max(count + 1) - low);
            }
        }
        Imbalance::Variance => {
            let sum: u128 = counts.iter().map(|&count| u128::from(count)).sum();
            let squares: u128 = counts.iter().map(|&count| u128::from(count).pow(2)).sum();
            for (score, &count) in scores.iter_mut().zip(counts) {
                let after = squares + 2 * u128::from(count) + 1;
                *score += weight * (counts.len() as u128 * after - (sum + 1).pow(2));
            }
        }
    }
}

/// Minimisation of these weights.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub weights: Vec<u32>,
    pub imbalance: Imbalance,
    pub p: Fraction,
}

impl Rule {
    pub fn new(options: &Minimisation) -> Self {
        let weights = options.factors.iter().map(|factor| factor.weight).collect();
        Self { weights, imbalance: options.imbalance, p: options.p }
    }
}

impl fake_arms::Rule for Rule {
    fn weigh(&self, counts: &Counts, slots: &[u32], chances: &mut Chances) {
        chances.scores.clear();
        for (place, (&slot, &weight)) in slots.iter().zip(&self.weights).enumerate() {
            let row = counts.slot(slot);
            if place == 0 {
                chances.scores.resize(row.len(), 0);
            }
            add_scores(row, weight, self.imbalance, &mut chances.scores);
        }
        chances.prefer_smallest(self.p);
    }

    fn always_open(&self) -> bool {
        self.p.numerator < self.p.denominator
    }
}

/// The levels of the units' factors in one numbering.
pub(super) struct Slots {
    /// How many there are.
    pub levels: usize,
    /// Units x factors.
    pub of_unit: Vec<Vec<u32>>,
}

/// Numbers the levels of the units' factors, one factor after the other.
pub(super) fn slots(options: &Minimisation, units: &Units) -> Result<Slots> {
    let mut of_unit = vec![Vec::with_capacity(options.factors.len()); units.len()];
    let mut levels = 0;
    for factor in &options.factors {
        let factor = units.the_factor(&factor.column)?;
        for (slots, &level) in of_unit.iter_mut().zip(&factor.level) {
            slots.push(levels + level);
        }
        levels += factor.levels.len() as u32;
    }
    Ok(Slots { levels: levels as usize, of_unit })
}

/// Minimisation made ready for these units.
pub(super) fn procedure(
    options: &Minimisation,
    ratio: Ratio,
    units: &Units,
    members: Vec<Vec<u32>>,
) -> Result<Sequential> {
    let numbered = slots(options, units)?;
    let of = |&unit: &u32| numbered.of_unit[unit as usize].iter().copied();
    let slots = members.iter().map(|members| members.iter().flat_map(of).collect()).collect();
    let rule = Arc::new(Rule::new(options));
    Ok(Sequential { members, slots, levels: numbered.levels, fake: FakeArms::new(ratio), rule })
}

/// How often each arm was drawn at each arrival of simulated trials.
///
/// ```
/// use crewe::design::{Fraction, Imbalance, Minimisation, Ratio, minimisation};
/// use crewe::progress::NoMonitor;
/// let options = Minimisation::new([("site", 1)], Imbalance::Range, Fraction::new(4, 5));
/// let found = minimisation::shares(&options, &Ratio::new(&[1, 1]), &[2], 10, 500, &1.into(), &NoMonitor)?;
/// assert_eq!((found.trials, found.count.len()), (500, 10));
/// assert!(found.count.iter().all(|arms| arms.iter().sum::<u64>() == 500));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Shares {
    /// The number of trials.
    pub trials: u64,
    /// Arrivals x arms: in how many trials the arrival got the arm.
    pub count: Vec<Vec<u64>>,
}

/// Simulates trials of `arrivals` units, whose levels are drawn uniformly from `levels[k]` levels of factor k, and
/// counts the arms at each arrival.
///
/// `options.factors` give the weights; trial i reads its own stream, so the counts do not depend on threads.
///
/// # Errors
/// [`crate::Error::Input`] where `levels` has not one positive number for each factor, or there is no ratio of two
/// arms; [`crate::Error::Interrupted`] when the monitor stops the work.
pub fn shares(
    options: &Minimisation,
    ratio: &Ratio,
    levels: &[u32],
    arrivals: usize,
    trials: u64,
    seed: &Seed,
    monitor: &dyn Monitor,
) -> Result<Shares> {
    let fits = levels.len() == options.factors.len() && !levels.is_empty() && !levels.contains(&0);
    if !fits || ratio.total < 2 || ratio.total > fake_arms::MOST {
        return Err(Fault::new("the levels or the ratio do not fit the factors of minimisation")
            .values(levels.iter().map(ToString::to_string))
            .remedy("Give each factor its number of levels, and a ratio of at least two arms")
            .input());
    }
    let (rule, fake) = (Rule::new(options), FakeArms::new(ratio.clone()));
    let base = Stream::new::<&str>(seed, "minimisation shares", &[], 0);
    let arms = fake.arms();
    let mut count = vec![0_u64; arrivals * arms];
    let part = Part(monitor);
    let mut done = 0;
    while done < trials {
        check(monitor, done, trials)?;
        let until = trials.min(done + CHUNK);
        let pieces = (until - done).div_ceil(PIECE) as usize;
        // Sums of whole numbers, so that their order does not matter.
        let here = (0..pieces)
            .into_par_iter()
            .map(|piece| {
                let first = done + piece as u64 * PIECE;
                let mut sums = vec![0_u64; arrivals * arms];
                for trial in first..until.min(first + PIECE) {
                    go_on(&part)?;
                    one_trial(&rule, &fake, levels, &mut base.at(trial), arrivals, &mut sums);
                }
                Ok(sums)
            })
            .try_reduce(
                || vec![0_u64; arrivals * arms],
                |mut a, b| {
                    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                    Ok(a)
                },
            )?;
        count.iter_mut().zip(here).for_each(|(sum, here)| *sum += here);
        done = until;
    }
    check(monitor, done, trials)?;
    Ok(Shares { trials, count: count.chunks(arms).map(<[u64]>::to_vec).collect() })
}

fn one_trial(
    rule: &Rule,
    fake: &FakeArms,
    levels: &[u32],
    stream: &mut Stream,
    arrivals: usize,
    sums: &mut [u64],
) {
    let mut counts = Counts::default();
    counts.clear(levels.iter().sum::<u32>() as usize, fake.len());
    let mut chances = Chances::default();
    let mut slots = vec![0; levels.len()];
    for arrival in 0..arrivals {
        let mut first = 0;
        for (slot, &count) in slots.iter_mut().zip(levels) {
            *slot = first + stream.below(u64::from(count)) as u32;
            first += count;
        }
        fake_arms::Rule::weigh(rule, &counts, &slots, &mut chances);
        let drawn = chances.draw(stream);
        counts.add(&slots, drawn);
        sums[arrival * fake.arms() + usize::from(fake.real(drawn))] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores by their definition: put the newcomer there and look.
    #[test]
    fn scores_are_those_of_the_definition() {
        let rows: [&[u32]; 4] = [&[0, 0, 0], &[2, 5, 3], &[4, 4, 1], &[7, 6, 6]];
        for kind in [Imbalance::Range, Imbalance::Variance] {
            for row in rows {
                let got = imbalance(&[row], &[3], kind).unwrap_or_default();
                for (fake, &score) in got.iter().enumerate() {
                    let mut after = row.to_vec();
                    after[fake] += 1;
                    let (sum, n) = (after.iter().sum::<u32>(), after.len() as u32);
                    let spread = match kind {
                        Imbalance::Range => after.iter().max().zip(after.iter().min()).map(|(a, b)| a - b),
                        Imbalance::Variance => Some(n * after.iter().map(|c| c * c).sum::<u32>() - sum * sum),
                    };
                    assert_eq!(Some(score), spread.map(|s| u128::from(3 * s)), "{row:?} {fake}");
                }
            }
        }
        assert!(imbalance(&[&[1, 2], &[1]], &[1, 1], Imbalance::Range).is_err());
        assert!(imbalance(&[], &[], Imbalance::Range).is_err());
    }
}
