//! Unequal ratios as equal ones: R = r_1 + ... + r_J fake arms, of which arm j owns r_j.
//!
//! Big stick, biased coin and minimisation are rules for equal arms: they treat every arm alike, whatever its name.
//! At a ratio r_1 : ... : r_J (in lowest terms) they therefore run over R equal fake arms, the first r_1 of which
//! stand for arm 1, the next r_2 for arm 2, and so on. As such a rule commutes with every permutation of the fake
//! arms, each of them is drawn with probability 1/R at every arrival, and arm j with exactly r_j / R.
//!
//! O. M. Kuznetsova and Y. Tymofyeyev (2012), Preserving the allocation ratio at every allocation with biased coin
//! randomization and minimization in studies with unequal allocation, doi:10.1002/sim.4447.
//!
//! A rule gives each fake arm a whole number of chances. One uniform whole number below their sum decides, with the
//! fake arms laid end to end: no float takes part.

use std::sync::Arc;

use ndarray::Array2;
use num_bigint::BigUint;

use super::paths::{self, Hidden, Move};
use super::procedure::{Details, Probabilities, Procedure, Scratch, Support, Weighed, product};
use super::random::Random;
pub(super) use super::weighing::{Chances, Counts, FakeArms, MOST, Room, Rule};
use super::{Ratio, simple};
use crate::Result;
use crate::progress::{Monitor, Pace};

/// A rule over fake arms made ready for the units of one trial.
pub(super) struct Sequential {
    /// The units of each stratum in order of arrival.
    pub members: Vec<Vec<u32>>,
    /// The slots of each stratum's units, in that order, as many for each unit.
    pub slots: Vec<Vec<u32>>,
    /// How many slots there are in all.
    pub levels: usize,
    /// The fake arms.
    pub fake: FakeArms,
    /// The rule.
    pub rule: Arc<dyn Rule>,
}

impl Sequential {
    /// A rule without factors: every unit has the one slot 0.
    pub fn plain(members: Vec<Vec<u32>>, ratio: Ratio, rule: Arc<dyn Rule>) -> Self {
        let slots = members.iter().map(|members| vec![0; members.len()]).collect();
        Self { members, slots, levels: 1, fake: FakeArms::new(ratio), rule }
    }

    /// Draws one arm after the other and shows each with the chances that it had.
    fn run(
        &self,
        random: Random<'_>,
        room: &mut Room,
        pace: &mut Pace<'_>,
        mut show: impl FnMut(u32, u8, &Chances),
    ) -> Result<()> {
        let Room { counts, chances } = room;
        for (stratum, members) in self.members.iter().enumerate() {
            let mut steps = random.stratum(stratum);
            counts.clear(self.levels, self.fake.len());
            for (arrival, &unit) in members.iter().enumerate() {
                let slots = self.slots(stratum, arrival);
                pace.by(slots.len() * self.fake.len())?;
                self.rule.weigh(counts, slots, chances);
                let drawn = chances.draw(steps.step(arrival as u64));
                counts.add(slots, drawn);
                show(unit, self.fake.real(drawn), chances);
            }
        }
        Ok(())
    }

    fn slots(&self, stratum: usize, arrival: usize) -> &[u32] {
        let all = &self.slots[stratum];
        let each = all.len() / self.members[stratum].len();
        &all[arrival * each..(arrival + 1) * each]
    }

    fn units(&self) -> usize {
        self.members.iter().map(Vec::len).sum()
    }
}

impl Procedure for Sequential {
    fn draw(&self, random: Random<'_>, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        let Scratch { fake, pace, .. } = scratch;
        self.run(random, fake, pace, |unit, drawn, _| arm[unit as usize] = drawn)
    }

    fn probabilities(&self, _monitor: &dyn Monitor) -> Result<Probabilities> {
        let shares = simple::probabilities(&self.fake.ratio);
        let arm = Array2::from_shape_fn((self.units(), shares.len()), |(_, arm)| shares[arm]);
        Ok(Probabilities { arm, simulated: None })
    }

    fn possible(&self, monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        if self.rule.always_open() {
            return Ok(Some(simple::possible(self.units(), &self.fake.ratio)));
        }
        let strata = 0..self.members.len();
        strata.map(|stratum| paths::possible(&OneStratum { of: self, stratum }, monitor)).product()
    }

    fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>> {
        let strata: Option<Vec<Vec<Weighed>>> = (0..self.members.len())
            .map(|stratum| paths::support(&OneStratum { of: self, stratum }, most, monitor))
            .collect::<Result<_>>()?;
        strata.map_or(Ok(None), |strata| product(&self.members, self.units(), &strata, most, monitor))
    }

    fn details(&self, random: Random<'_>, monitor: &dyn Monitor) -> Result<Details> {
        let mut conditional = Array2::zeros((self.units(), self.fake.arms()));
        let mut real = Vec::new();
        let mut pace = Pace::new(monitor);
        self.run(random, &mut Room::default(), &mut pace, |unit, _, chances| {
            self.fake.real_chances(&chances.of, &mut real);
            for (arm, &chance) in real.iter().enumerate() {
                conditional[[unit as usize, arm]] = chance as f64 / chances.total as f64;
            }
        })?;
        Ok(Details { conditional: Some(conditional), block: None })
    }
}

/// The arrivals of one stratum, for enumeration.
struct OneStratum<'a> {
    of: &'a Sequential,
    stratum: usize,
}

impl Hidden for OneStratum<'_> {
    type State = Counts;

    fn arrivals(&self) -> usize {
        self.of.members[self.stratum].len()
    }

    fn start(&self) -> Counts {
        let mut counts = Counts::default();
        counts.clear(self.of.levels, self.of.fake.len());
        counts
    }

    fn moves(&self, arrival: usize, counts: &Counts) -> Vec<Move<Counts>> {
        let slots = self.of.slots(self.stratum, arrival);
        let mut chances = Chances::default();
        self.of.rule.weigh(counts, slots, &mut chances);
        (0..self.of.fake.len())
            .filter(|&fake| chances.of[fake] > 0)
            .map(|fake| {
                let mut next = counts.clone();
                next.add(slots, fake);
                Move {
                    arm: self.of.fake.real(fake),
                    probability: chances.of[fake] as f64 / chances.total as f64,
                    next: next.canonical(&self.of.fake),
                }
            })
            .collect()
    }
}
