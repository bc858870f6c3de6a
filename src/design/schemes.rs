//! Assignments listed one by one with their scores, and a set of them that is drawn from.
//!
//! The candidates are the assignments that complete randomisation within strata can give ([`super::complete`]): all of
//! them, in the order of splits (lexicographic by stratum) and then arms (lexicographic by unit), or a sample.

use std::collections::BTreeMap;

use ndarray::Array2;
use num_bigint::BigUint;

use super::misfits::as_float;
use super::procedure::{Probabilities, Support};
use super::random::Random;
use super::score::Score;
use super::{Design, Ratio, Units, complete};
use crate::progress::{Monitor, Pace};
use crate::{Fault, Result};

/// Basic steps for one unit of one candidate.
const STEP: usize = 8;

/// Candidates with their scores.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    /// The number of units.
    pub width: usize,
    /// The arms, one assignment after the other.
    pub arms: Vec<u8>,
    /// The score of each.
    pub scores: Vec<f64>,
    /// The probability of each under complete randomisation; empty where all are equal.
    pub weights: Vec<f64>,
}

/// How many assignments complete randomisation can give.
pub(super) fn possible(units: &Units, ratio: &Ratio) -> Option<BigUint> {
    units.members().iter().map(|members| complete::possible(members.len(), ratio)).product()
}

/// All candidates; nothing where there are more than `most`.
pub(super) fn enumerate(
    units: &Units,
    ratio: &Ratio,
    score: &Score,
    most: u64,
    monitor: &dyn Monitor,
) -> Result<Option<Candidates>> {
    let Some(total) =
        possible(units, ratio).and_then(|all| u64::try_from(all).ok()).filter(|&all| all <= most)
    else {
        return Ok(None);
    };
    let members = units.members();
    // Every stratum's splits between arms with the probability of one assignment of that split.
    let strata: Vec<Vec<Split>> = members
        .iter()
        .map(|members| {
            // Counted above, so there are few enough arms.
            let splits: BTreeMap<Vec<u64>, f64> = complete::splits(members.len(), ratio).unwrap_or_default();
            let split = |(places, share): (Vec<u64>, f64)| {
                let ways = as_float(&complete::multinomial(&places));
                Split { places, weight: share / ways }
            };
            splits.into_iter().map(split).collect()
        })
        .collect();
    let mut walk = Walk::new(units, &members, score, total as usize, monitor)?;
    let mut chosen = vec![0; strata.len()];
    loop {
        let here: Vec<&Split> = strata.iter().zip(&chosen).map(|(all, &one)| &all[one]).collect();
        walk.split(&here)?;
        let Some(last) = (0..strata.len()).rev().find(|&s| chosen[s] + 1 < strata[s].len()) else { break };
        chosen[last] += 1;
        chosen[last + 1..].fill(0);
    }
    let mut found = walk.found;
    let first = found.weights[0];
    if found.weights.iter().all(|&weight| (weight - first).abs() <= 1e-12 * first) {
        found.weights.clear();
    }
    Ok(Some(found))
}

/// The places of the arms in a stratum.
struct Split {
    places: Vec<u64>,
    weight: f64,
}

/// A walk through all assignments, unit by unit; the sums of a prefix are kept, so that a sum always runs over the
/// units in the same order and none is corrected by subtraction.
struct Walk<'a> {
    score: &'a Score,
    /// The units in the order of the walk, and the stratum of each.
    order: Vec<u32>,
    stratum: Vec<u32>,
    /// The sums of all arms but the last over the units before each place.
    sums: Vec<f64>,
    arm: Vec<u8>,
    found: Candidates,
    pace: Pace<'a>,
}

impl<'a> Walk<'a> {
    fn new(
        units: &Units,
        members: &[Vec<u32>],
        score: &'a Score,
        total: usize,
        monitor: &'a dyn Monitor,
    ) -> Result<Self> {
        let width = units.len();
        let mut found = Candidates { width, ..Candidates::default() };
        reserve(&mut found, total)?;
        let order: Vec<u32> = members.iter().flatten().copied().collect();
        let stratum = order.iter().map(|&unit| units.stratum()[unit as usize]).collect();
        let sums = vec![0.0; (width + 1) * (score.arms - 1) * score.k];
        Ok(Self { score, order, stratum, sums, arm: vec![0; width], found, pace: Pace::new(monitor) })
    }

    /// Visits all assignments with these splits.
    fn split(&mut self, splits: &[&Split]) -> Result<()> {
        let mut left: Vec<u64> = splits.iter().flat_map(|split| split.places.iter().copied()).collect();
        let mut counts = vec![0; self.score.arms];
        for split in splits {
            for (count, places) in counts.iter_mut().zip(&split.places) {
                *count += places;
            }
        }
        let weight = splits.iter().map(|split| split.weight).product();
        self.extend(0, &mut left, &counts, weight)
    }

    fn extend(&mut self, place: usize, left: &mut [u64], counts: &[u64], weight: f64) -> Result<()> {
        let (arms, k) = (self.score.arms, self.score.k);
        let size = (arms - 1) * k;
        if place == self.order.len() {
            let sums = &self.sums[place * size..];
            self.found.scores.push(self.score.of_sums(sums, counts));
            self.found.weights.push(weight);
            self.found.arms.extend_from_slice(&self.arm);
            return self.pace.by(STEP * place);
        }
        let (unit, stratum) = (self.order[place] as usize, self.stratum[place] as usize);
        for arm in 0..arms {
            let slot = stratum * arms + arm;
            if left[slot] == 0 {
                continue;
            }
            left[slot] -= 1;
            self.arm[unit] = arm as u8;
            let (before, after) = self.sums.split_at_mut((place + 1) * size);
            let after = &mut after[..size];
            after.copy_from_slice(&before[place * size..]);
            if arm + 1 < arms {
                for (sum, value) in after[arm * k..].iter_mut().zip(self.score.row(unit)) {
                    *sum += value;
                }
            }
            self.extend(place + 1, left, counts, weight)?;
            left[slot] += 1;
        }
        Ok(())
    }
}

/// Makes room for so many candidates.
pub(super) fn reserve(candidates: &mut Candidates, total: usize) -> Result<()> {
    let too_large = || {
        Fault::new(format!(
            "{total} candidate assignments of {} units do not fit into memory",
            candidates.width
        ))
        .remedy("Look at fewer assignments")
        .input()
    };
    let size = total.checked_mul(candidates.width).ok_or_else(too_large)?;
    let mut arms = Vec::new();
    arms.try_reserve_exact(size).map_err(|_| too_large())?;
    let mut scores = Vec::new();
    scores.try_reserve_exact(total).map_err(|_| too_large())?;
    candidates.arms = arms;
    candidates.scores = scores;
    Ok(())
}

impl Candidates {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Those that score at most `cutoff`, in their order.
    pub fn accepted(&self, cutoff: f64, arms: usize, monitor: &dyn Monitor) -> Result<Accepted> {
        let mut pace = Pace::new(monitor);
        let mut accepted = Accepted { width: self.width, arms, ..Accepted::default() };
        for index in (0..self.len()).filter(|&index| self.scores[index] <= cutoff) {
            pace.by(self.width)?;
            accepted.schemes.extend_from_slice(&self.arms[index * self.width..(index + 1) * self.width]);
            if let Some(&weight) = self.weights.get(index) {
                accepted.weights.push(weight);
            }
        }
        let sum: f64 = accepted.weights.iter().sum();
        accepted.weights.iter_mut().for_each(|weight| *weight /= sum);
        Ok(accepted)
    }
}

/// A set of assignments that is drawn from.
#[derive(Debug, Clone, Default)]
pub(super) struct Accepted {
    /// The number of units.
    pub width: usize,
    /// The number of arms.
    pub arms: usize,
    /// The arms, one assignment after the other.
    pub schemes: Vec<u8>,
    /// The probability of each; empty where all are equal.
    pub weights: Vec<f64>,
}

impl Accepted {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.schemes.len() / self.width.max(1)
    }

    /// Draws one.
    pub fn draw(&self, random: Random<'_>, arm: &mut [u8]) {
        let mut steps = random.whole();
        let stream = steps.step(0);
        let index = if self.weights.is_empty() {
            stream.below(self.len() as u64) as usize
        } else {
            let mut left = stream.unit();
            let passed = self.weights.iter().position(|&weight| {
                left -= weight;
                left < 0.0
            });
            passed.unwrap_or(self.len() - 1)
        };
        arm.copy_from_slice(&self.schemes[index * self.width..(index + 1) * self.width]);
    }

    /// The probability of an assignment.
    pub fn weight(&self, index: usize) -> f64 {
        self.weights.get(index).copied().unwrap_or(1.0 / self.len() as f64)
    }

    /// Every unit's probability of every arm: exact counts where all assignments are equally likely.
    pub fn probabilities(&self, monitor: &dyn Monitor) -> Result<Probabilities> {
        let mut pace = Pace::new(monitor);
        let mut arm = Array2::zeros((self.width, self.arms));
        for (index, scheme) in self.schemes.chunks(self.width).enumerate() {
            pace.by(self.width)?;
            let weight = self.weights.get(index).copied().unwrap_or(1.0);
            for (unit, &drawn) in scheme.iter().enumerate() {
                arm[[unit, usize::from(drawn)]] += weight;
            }
        }
        if self.weights.is_empty() {
            arm /= self.len() as f64;
        }
        Ok(Probabilities { arm, simulated: None })
    }

    /// All of them; nothing where there are more than `most`.
    pub fn support(&self, most: usize) -> Option<Support> {
        if self.len() > most {
            return None;
        }
        let arm = Array2::from_shape_vec((self.len(), self.width), self.schemes.clone()).ok()?;
        Some(Support { arm, probability: (0..self.len()).map(|index| self.weight(index)).collect() })
    }

    /// Refuses a set in which a unit cannot get one of the arms.
    pub fn refuse_certain(
        &self,
        design: &Design,
        units: &Units,
        remedy: &str,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let mut pace = Pace::new(monitor);
        let mut seen = vec![false; self.width * self.arms];
        for scheme in self.schemes.chunks(self.width) {
            pace.by(self.width)?;
            for (unit, &drawn) in scheme.iter().enumerate() {
                seen[unit * self.arms + usize::from(drawn)] = true;
            }
        }
        let names = design.arm_names();
        let certain: Vec<String> = seen
            .chunks(self.arms)
            .enumerate()
            .flat_map(|(unit, seen)| {
                let label = &units.labels()[unit];
                let never = seen.iter().zip(&names).filter(|(seen, _)| !**seen);
                never.map(move |(_, name)| format!("{label} never gets {name}"))
            })
            .collect();
        if certain.is_empty() {
            return Ok(());
        }
        Err(Fault::new(format!(
            "among the {} accepted assignments some units cannot get one of the arms, so they are not randomised",
            self.len()
        ))
        .column(units.unit().column())
        .ids(certain)
        .remedy(remedy)
        .design())
    }
}
