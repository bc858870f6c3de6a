//! Fake arms, the counts of units that each has, and the chances that a rule gives them for a newcomer.

use std::fmt::Debug;

use super::fraction::Fraction;
use crate::design::Ratio;
use crate::rng::Stream;

/// More fake arms than this are refused: chances are products that must fit into 64 bits.
pub(crate) const MOST: u64 = 1 << 10;

/// The real arm of every fake arm.
#[derive(Debug, Clone)]
pub(crate) struct FakeArms {
    real: Vec<u8>,
    pub ratio: Ratio,
}

impl FakeArms {
    pub fn new(ratio: Ratio) -> Self {
        let real =
            (0_u8..).zip(&ratio.shares).flat_map(|(arm, &share)| (0..share).map(move |_| arm)).collect();
        Self { real, ratio }
    }

    /// How many fake arms there are.
    pub fn len(&self) -> usize {
        self.real.len()
    }

    /// How many real arms there are.
    pub fn arms(&self) -> usize {
        self.ratio.shares.len()
    }

    /// The real arm of a fake one.
    pub fn real(&self, fake: usize) -> u8 {
        self.real[fake]
    }

    /// Adds the chances of each arm's fake arms.
    pub fn real_chances(&self, chances: &[u64], into: &mut Vec<u64>) {
        into.clear();
        into.resize(self.arms(), 0);
        for (&arm, &chance) in self.real.iter().zip(chances) {
            into[usize::from(arm)] += chance;
        }
    }
}

/// How many units each fake arm has, by slot: a level of a factor, or the one slot of rules without factors.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counts {
    width: usize,
    cells: Vec<u32>,
}

impl Counts {
    /// Empties `slots` slots of `width` fake arms.
    pub fn clear(&mut self, slots: usize, width: usize) {
        self.width = width;
        self.cells.clear();
        self.cells.resize(slots * width, 0);
    }

    /// The units of each fake arm in a slot.
    pub fn slot(&self, slot: u32) -> &[u32] {
        let start = slot as usize * self.width;
        &self.cells[start..start + self.width]
    }

    /// Makes room up to this slot.
    pub fn reach(&mut self, slot: u32) {
        let needed = (slot as usize + 1) * self.width;
        if self.cells.len() < needed {
            self.cells.resize(needed, 0);
        }
    }

    /// Counts a newcomer who has these slots.
    pub fn add(&mut self, slots: &[u32], fake: usize) {
        for &slot in slots {
            self.cells[slot as usize * self.width + fake] += 1;
        }
    }

    /// The same state in a form of its own: every slot's smallest count is 0, and the fake arms of one real arm are
    /// in order. The rules look at differences alone and treat all fake arms alike.
    pub fn canonical(&self, fake: &FakeArms) -> Self {
        let slots = self.cells.len() / self.width;
        let mut columns: Vec<Vec<u32>> =
            (0..self.width).map(|f| (0..slots).map(|s| self.cells[s * self.width + f]).collect()).collect();
        for slot in 0..slots {
            let least = columns.iter().map(|column| column[slot]).min().unwrap_or(0);
            columns.iter_mut().for_each(|column| column[slot] -= least);
        }
        let mut start = 0;
        for &share in &fake.ratio.shares {
            columns[start..start + share as usize].sort_unstable();
            start += share as usize;
        }
        let cells = (0..slots).flat_map(|slot| columns.iter().map(move |column| column[slot])).collect();
        Self { width: self.width, cells }
    }
}

/// Room for one weighing of the fake arms.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chances {
    /// The chances of each fake arm.
    pub of: Vec<u64>,
    /// Their sum.
    pub total: u64,
    /// What the rule compares.
    pub scores: Vec<u128>,
}

impl Chances {
    /// The fake arm that a random number falls on.
    pub fn draw(&self, stream: &mut Stream) -> usize {
        let mut left = stream.below(self.total);
        let mut fake = 0;
        // Ends before the last fake arm, since the number is below the sum.
        while left >= self.of[fake] {
            left -= self.of[fake];
            fake += 1;
        }
        fake
    }

    /// One chance for each fake arm that is named, none for the others.
    pub fn among(&mut self, width: usize, named: impl Fn(usize) -> bool) {
        self.of.clear();
        self.of.extend((0..width).map(|fake| u64::from(named(fake))));
        self.total = self.of.iter().sum();
    }

    /// One of the fake arms with the smallest score, drawn uniformly, is preferred: it is taken with probability p,
    /// each other with (1 - p) / (R - 1).
    ///
    /// With m fake arms tied at the smallest and p = a/b, over the common denominator b m (R - 1) each of the tied has
    /// a (R - 1) + (m - 1)(b - a) chances and each other m (b - a).
    pub fn prefer_smallest(&mut self, p: Fraction) {
        let others = self.scores.len() as u64 - 1;
        let least = self.scores.iter().min().copied().unwrap_or(0);
        let tied = self.scores.iter().filter(|&&score| score == least).count() as u64;
        let rest = p.denominator - p.numerator;
        let (first, other) = (p.numerator * others + (tied - 1) * rest, tied * rest);
        self.of.clear();
        self.of.extend(self.scores.iter().map(|&score| if score == least { first } else { other }));
        self.total = p.denominator * tied * others;
    }
}

/// A rule for equal arms.
pub(crate) trait Rule: Debug + Send + Sync {
    /// Weighs the fake arms for a newcomer who has these slots.
    fn weigh(&self, counts: &Counts, slots: &[u32], chances: &mut Chances);

    /// Whether every fake arm always has a chance.
    fn always_open(&self) -> bool;
}

/// Room that draws use again and again.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) counts: Counts,
    pub(crate) chances: Chances,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fake_arms_stand_for_real_ones_in_order() {
        let fake = FakeArms::new(Ratio::new(&[1, 3, 2]));
        assert_eq!(fake.real, [0, 1, 1, 1, 2, 2]);
        let mut real = Vec::new();
        fake.real_chances(&[5, 1, 0, 2, 4, 4], &mut real);
        assert_eq!(real, [5, 3, 8]);
    }

    /// p = 4/5 over four fake arms: alone at the smallest 4/5 and 1/15 each; two tied (4/5 + 1/15) / 2 each.
    #[test]
    fn the_preferred_arm_has_p_and_the_others_share_the_rest() {
        let p = Fraction::new(4, 5);
        let of = |scores: &[u128]| {
            let mut chances = Chances { scores: scores.to_vec(), ..Chances::default() };
            chances.prefer_smallest(p);
            assert_eq!(chances.of.iter().sum::<u64>(), chances.total);
            (chances.of, chances.total)
        };
        assert_eq!(of(&[3, 1, 2, 2]), (vec![1, 12, 1, 1], 15));
        assert_eq!(of(&[1, 1, 2, 2]), (vec![13, 13, 2, 2], 30));
        assert_eq!(of(&[1, 1, 1, 1]), (vec![15, 15, 15, 15], 60));
    }

    #[test]
    fn states_that_rules_cannot_tell_apart_are_one() {
        let fake = FakeArms::new(Ratio::new(&[1, 2]));
        let counts = |cells: &[u32]| Counts { width: 3, cells: cells.to_vec() }.canonical(&fake);
        assert_eq!(counts(&[4, 6, 5, 1, 0, 0]), counts(&[0, 1, 2, 2, 1, 1]));
        assert_ne!(counts(&[0, 1, 1, 0, 0, 0]), counts(&[1, 0, 1, 0, 0, 0]));
    }
}
