//! Misfits of all strata randomised together: the two global rules of [`super::misfits`].

use std::collections::BTreeMap;

use ndarray::Array2;
use num_bigint::BigUint;

use super::complete::{for_each_arrangement, multinomial};
use super::misfits::{
    COUNTED_SPLITS, as_float, chance, deal, fits, for_each_composition, probabilities, spread,
};
use super::procedure::{LEFT_OUT, Probabilities, Procedure, Scratch, Support};
use super::random::Random;
use super::{Misfits, Ratio};
use crate::Result;
use crate::progress::{Monitor, Pace};

/// Basic steps of looking at one split.
const STEP: usize = 1 << 8;

/// Misfits of all strata randomised together.
pub(super) struct Pooled {
    members: Vec<Vec<u32>>,
    ratio: Ratio,
    /// The shares by which the pool is split.
    pub shares: Vec<u64>,
    weighted: bool,
}

impl Pooled {
    pub fn new(members: Vec<Vec<u32>>, ratio: Ratio, weighted: bool) -> Self {
        let shares = if weighted { ratio.shares.clone() } else { vec![1; ratio.shares.len()] };
        Self { members, ratio, shares, weighted }
    }

    pub fn left(&self, stratum: usize) -> u64 {
        self.members[stratum].len() as u64 % self.ratio.total
    }

    pub fn pool(&self) -> u64 {
        (0..self.members.len()).map(|stratum| self.left(stratum)).sum()
    }

    fn units(&self) -> usize {
        self.members.iter().map(Vec::len).sum()
    }

    /// The places of each arm in a stratum, and last those of the misfits.
    fn rounds(&self, stratum: usize, places: &mut Vec<u64>) {
        let n = self.members[stratum].len() as u64;
        places.clear();
        places.extend(self.ratio.shares.iter().map(|share| n / self.ratio.total * share));
        places.push(n % self.ratio.total);
    }

    /// Every way in which the misfits of one stratum may be split, as places of all its units.
    fn compositions(&self, stratum: usize) -> Option<Vec<Composition>> {
        let mut rounds = Vec::new();
        self.rounds(stratum, &mut rounds);
        let left = self.left(stratum);
        let mut all = Vec::new();
        let unlimited = vec![left; self.shares.len()];
        let full = for_each_composition(left, &unlimited, COUNTED_SPLITS, &mut |misfits| {
            let places = rounds.iter().zip(misfits).map(|(a, b)| a + b).collect();
            all.push(Composition { misfits: misfits.to_vec(), places });
        });
        full.then_some(all)
    }
}

/// The misfits of a stratum by arm, and all its units by arm.
struct Composition {
    misfits: Vec<u64>,
    places: Vec<u64>,
}

impl Procedure for Pooled {
    fn draw(&self, random: Random<'_>, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        for (stratum, members) in self.members.iter().enumerate() {
            scratch.pace.by(members.len())?;
            let mut steps = random.stratum(stratum);
            self.rounds(stratum, &mut scratch.counts);
            spread(&scratch.counts, &mut scratch.arms);
            steps.step(0).shuffle(&mut scratch.arms);
            for (&unit, &drawn) in members.iter().zip(&scratch.arms) {
                arm[unit as usize] = drawn;
            }
        }
        let mut steps = random.whole();
        let stream = steps.step(0);
        deal(self.pool(), &self.shares, &mut |bound| stream.below(bound), &mut scratch.counts);
        scratch.counts.push(0);
        spread(&scratch.counts, &mut scratch.arms);
        stream.shuffle(&mut scratch.arms);
        // As many places as there are misfits, so the zip ends with both.
        let misfits = self.members.iter().flatten().filter(|&&unit| arm[unit as usize] == LEFT_OUT);
        let misfits: Vec<u32> = misfits.copied().collect();
        for (&unit, &drawn) in misfits.iter().zip(&scratch.arms) {
            arm[unit as usize] = drawn;
        }
        Ok(())
    }

    fn probabilities(&self, _monitor: &dyn Monitor) -> Result<Probabilities> {
        let rule = if self.weighted { Misfits::WeightedGlobal } else { Misfits::Global };
        let mut arm = Array2::zeros((self.units(), self.shares.len()));
        for members in &self.members {
            let shares = probabilities(members.len(), &self.ratio, rule);
            for &unit in members {
                for (place, &share) in shares.iter().enumerate() {
                    arm[[unit as usize, place]] = share;
                }
            }
        }
        Ok(Probabilities { arm, simulated: None })
    }

    fn possible(&self, monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        let mut pace = Pace::new(monitor);
        let mut counts: BTreeMap<Vec<u64>, BigUint> = BTreeMap::new();
        counts.insert(vec![0; self.shares.len()], BigUint::from(1_u32));
        for stratum in 0..self.members.len() {
            let Some(here) = self.compositions(stratum) else { return Ok(None) };
            let mut next: BTreeMap<Vec<u64>, BigUint> = BTreeMap::new();
            for (pool, count) in &counts {
                for composition in &here {
                    pace.by(STEP + self.members[stratum].len())?;
                    let sum = pool.iter().zip(&composition.misfits).map(|(a, b)| a + b).collect();
                    *next.entry(sum).or_default() += count * multinomial(&composition.places);
                }
                if next.len() > COUNTED_SPLITS {
                    return Ok(None);
                }
            }
            counts = next;
        }
        Ok(Some(counts.iter().filter(|(pool, _)| fits(pool, &self.shares)).map(|(_, count)| count).sum()))
    }

    fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>> {
        let few = self.possible(monitor)?.is_some_and(|count| count <= BigUint::from(most));
        let strata: Option<Vec<Vec<Composition>>> =
            (0..self.members.len()).map(|stratum| self.compositions(stratum)).collect();
        let Some(strata) = strata.filter(|_| few) else { return Ok(None) };
        let mut pace = Pace::new(monitor);
        let mut found = Support { arm: Array2::zeros((0, 0)), probability: Vec::new() };
        let mut rows: Vec<u8> = Vec::new();
        let mut chosen: Vec<usize> = vec![0; strata.len()];
        loop {
            self.add(&strata, &chosen, &mut rows, &mut found.probability, &mut pace)?;
            // The next choice of one composition a stratum, the last stratum fastest.
            let Some(last) = (0..strata.len()).rev().find(|&s| chosen[s] + 1 < strata[s].len()) else {
                break;
            };
            chosen[last] += 1;
            chosen[last + 1..].fill(0);
        }
        let shape = (found.probability.len(), self.units());
        let finite = found.probability.iter().all(|weight| weight.is_finite());
        Ok(Array2::from_shape_vec(shape, rows).ok().filter(|_| finite).map(|arm| Support { arm, ..found }))
    }
}

impl Pooled {
    /// Adds all assignments in which the misfits of the strata are split as chosen.
    fn add(
        &self,
        strata: &[Vec<Composition>],
        chosen: &[usize],
        rows: &mut Vec<u8>,
        weights: &mut Vec<f64>,
        pace: &mut Pace<'_>,
    ) -> Result<()> {
        let here: Vec<&Composition> = strata.iter().zip(chosen).map(|(all, &one)| &all[one]).collect();
        let mut pool = vec![0; self.shares.len()];
        let mut ways = 1.0;
        for composition in &here {
            for (sum, misfits) in pool.iter_mut().zip(&composition.misfits) {
                *sum += misfits;
            }
            ways *= as_float(&multinomial(&composition.misfits));
        }
        let mut weight = chance(&pool, &self.shares) * ways / as_float(&multinomial(&pool));
        pace.by(STEP)?;
        if weight == 0.0 {
            return Ok(());
        }
        // All arrangements within strata that have these places are equally likely.
        let mut whole: Vec<Vec<u8>> = vec![vec![0; self.units()]];
        for (members, composition) in self.members.iter().zip(&here) {
            let mut next = Vec::new();
            for_each_arrangement(&composition.places, members.len(), &mut |arms| {
                for so_far in &whole {
                    pace.by(so_far.len())?;
                    let mut row = so_far.clone();
                    for (&unit, &arm) in members.iter().zip(arms) {
                        row[unit as usize] = arm;
                    }
                    next.push(row);
                }
                Ok(())
            })?;
            whole = next;
        }
        weight /= whole.len() as f64;
        for row in whole {
            rows.extend(row);
            weights.push(weight);
        }
        Ok(())
    }
}
