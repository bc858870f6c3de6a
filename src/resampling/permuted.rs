//! A trial that was randomised elsewhere has no procedure here to replay: its arms are permuted among its units.
//!
//! Units of one stratum are taken as exchangeable, and the number in each arm as fixed within strata. Every such
//! permutation is equally likely.

use ndarray::Array2;

use crate::design::{Assignment, Support};
use crate::rng::{Seed, Stream};

/// The arms of a trial, to be permuted within its strata.
pub(super) struct Permuted {
    /// Units of one stratum, with the arms that they have in ascending order and random numbers of their own.
    groups: Vec<Group>,
    units: usize,
}

struct Group {
    members: Vec<usize>,
    arms: Vec<u8>,
    stream: Stream,
}

impl Permuted {
    pub fn new(assignment: &Assignment, seed: &Seed) -> Self {
        let units = &assignment.units;
        let mut members = vec![Vec::new(); units.strata().len()];
        for (unit, &stratum) in units.stratum().iter().enumerate() {
            members[stratum as usize].push(unit);
        }
        let group = |(members, labels): (Vec<usize>, &Vec<String>)| {
            let mut arms: Vec<u8> = members.iter().map(|&unit| assignment.arm[unit]).collect();
            arms.sort_unstable();
            Group { members, arms, stream: Stream::new(seed, "permuted", labels, 0) }
        };
        let groups = members.into_iter().zip(units.strata()).map(group).collect();
        Self { groups, units: units.len() }
    }

    /// How many units there are.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Permutation number `index`.
    pub fn draw(&self, index: u64, into: &mut [u8]) {
        for group in &self.groups {
            let mut arms = group.arms.clone();
            group.stream.at(index).shuffle(&mut arms);
            group.give(&arms, into);
        }
    }

    /// All permutations; nothing where there are more than `most`.
    pub fn support(&self, most: usize) -> Option<Support> {
        let possible: f64 = self.groups.iter().map(Group::possible).product();
        // A product that is rounded is far above any number that could be listed.
        if possible > most as f64 {
            return None;
        }
        let count = possible.round() as usize;
        let mut arm = Array2::zeros((count, self.units));
        let mut state: Vec<Vec<u8>> = self.groups.iter().map(|group| group.arms.clone()).collect();
        for mut row in arm.rows_mut() {
            for (group, arms) in self.groups.iter().zip(&state) {
                for (&unit, &arm) in group.members.iter().zip(arms) {
                    row[unit] = arm;
                }
            }
            // As the digits of a clock: a stratum that has come round moves the next one on.
            for arms in &mut state {
                if next_permutation(arms) {
                    break;
                }
            }
        }
        Some(Support { arm, probability: vec![1.0 / count as f64; count] })
    }
}

impl Group {
    fn give(&self, arms: &[u8], into: &mut [u8]) {
        for (&unit, &arm) in self.members.iter().zip(arms) {
            into[unit] = arm;
        }
    }

    /// How many orders its arms have: a multinomial coefficient.
    fn possible(&self) -> f64 {
        let (mut orders, mut placed) = (1.0, 0.0);
        for same in self.arms.chunk_by(|a, b| a == b) {
            for k in 1..=same.len() {
                placed += 1.0;
                orders *= placed / k as f64;
            }
        }
        orders
    }
}

/// The next order of these arms; after the last one, the first again and false.
fn next_permutation(arms: &mut [u8]) -> bool {
    let Some(pivot) = arms.windows(2).rposition(|pair| pair[0] < pair[1]) else {
        arms.reverse();
        return false;
    };
    // Right of the pivot the arms fall, and the first of them is larger than it.
    let larger = arms.iter().rposition(|&arm| arm > arms[pivot]).unwrap_or(pivot);
    arms.swap(pivot, larger);
    arms[pivot + 1..].reverse();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_once() {
        let mut arms = vec![0, 0, 1, 2];
        let mut seen = vec![arms.clone()];
        while next_permutation(&mut arms) {
            seen.push(arms.clone());
        }
        assert_eq!(arms, [0, 0, 1, 2]);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 12);
    }
}
