//! Permuted blocks: the arms in their ratio, shuffled, over and over, in the order of arrival.
//!
//! Within a stratum, block b (from 0) of the assignment reads the stream of step b:
//!
//! 1. where there are several sizes, one is drawn uniformly, in the order in which the design names them;
//! 2. the block's places are laid out, size r_j / R of them for arm j, all of the first arm first;
//! 3. they are shuffled and dealt to the next arrivals. The last block may stay unfinished.
//!
//! Every place of a block is arm j with probability r_j / R, whatever its size, so every unit's probability is exactly
//! the ratio. The probability of an arm at an arrival, given the arms before it and the size of its block, is the
//! share of the block's places left that are this arm's; at the last place of a block it is 1.
//!
//! A. B. Hill (1951), The clinical trial, doi:10.1093/oxfordjournals.bmb.a073919; M. Zelen (1974), The randomization
//! and stratification of patients to clinical trials, doi:10.1016/0021-9681(74)90015-0. Random sizes: J. P. Matts and
//! J. M. Lachin (1988), Properties of permuted-block randomization in clinical trials,
//! doi:10.1016/0197-2456(88)90047-5.

use ndarray::Array2;
use num_bigint::BigUint;

use super::complete::multinomial;
use super::paths::{self, Hidden, Move};
use super::procedure::{Details, Scratch, Weighed, WithinStratum};
use super::random::Steps;
use super::{Ratio, simple};
use crate::Result;
use crate::progress::Monitor;
use crate::rng::Stream;

/// Unfinished blocks with more places than this are not counted.
const COUNTED_PLACES: usize = 1_000;

/// Permuted blocks at a ratio.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub ratio: Ratio,
    pub sizes: Vec<u32>,
}

impl Rule {
    /// Draws a block.
    pub fn block(&self, stream: &mut Stream, arms: &mut Vec<u8>) {
        let size = match self.sizes.as_slice() {
            [size] => *size,
            sizes => sizes[stream.below(sizes.len() as u64) as usize],
        };
        arms.clear();
        for (arm, count) in self.places(size).into_iter().enumerate() {
            arms.resize(arms.len() + count as usize, arm as u8);
        }
        stream.shuffle(arms);
    }

    /// The places of each arm in a block.
    pub fn places(&self, size: u32) -> Vec<u64> {
        self.ratio.shares.iter().map(|&share| u64::from(size) / self.ratio.total * share).collect()
    }

    /// Draws blocks for n units and shows each unit's block and its place there.
    fn run(&self, n: usize, steps: &mut Steps, mut show: impl FnMut(u32, &[u8], usize)) {
        let mut block = Vec::new();
        let (mut number, mut place) = (0, 0);
        for _ in 0..n {
            if place == block.len() {
                number += u64::from(place > 0);
                self.block(steps.step(number), &mut block);
                place = 0;
            }
            show(number as u32, &block, place);
            place += 1;
        }
    }
}

impl WithinStratum for Rule {
    fn draw(&self, n: usize, steps: &mut Steps, scratch: &mut Scratch<'_>) {
        scratch.arms.clear();
        self.run(n, steps, |_, block, place| scratch.arms.push(block[place]));
    }

    fn probabilities(&self, _n: usize) -> Vec<f64> {
        simple::probabilities(&self.ratio)
    }

    fn possible(&self, n: usize, monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        let [size] = self.sizes.as_slice() else {
            return paths::possible(&Arrivals { rule: self, n }, monitor);
        };
        let places = self.places(*size);
        let (whole, rest) = (n / *size as usize, n % *size as usize);
        let unfinished = if rest == 0 { Some(BigUint::from(1_u32)) } else { beginnings(&places, rest) };
        // The exponent is a number of units, which fit into 32 bits.
        Ok(unfinished.map(|unfinished| multinomial(&places).pow(whole as u32) * unfinished))
    }

    fn support(&self, n: usize, most: usize, monitor: &dyn Monitor) -> Result<Option<Vec<Weighed>>> {
        paths::support(&Arrivals { rule: self, n }, most, monitor)
    }

    fn details(&self, n: usize, steps: &mut Steps) -> Details {
        let mut conditional = Array2::zeros((n, self.ratio.shares.len()));
        let mut blocks = Vec::with_capacity(n);
        let mut left: Vec<u64> = Vec::new();
        self.run(n, steps, |number, block, place| {
            if place == 0 {
                left = self.places(block.len() as u32);
            }
            for (arm, &count) in left.iter().enumerate() {
                conditional[[blocks.len(), arm]] = count as f64 / (block.len() - place) as f64;
            }
            left[usize::from(block[place])] -= 1;
            blocks.push(number);
        });
        Details { conditional: Some(conditional), block: Some(blocks) }
    }
}

/// How many different beginnings of n places a shuffled list has that holds `places[j]` times the arm j: the sum of
/// n! / (k_1! ... k_J!) over all k_j <= places[j] that add up to n.
fn beginnings(places: &[u64], n: usize) -> Option<BigUint> {
    if n > COUNTED_PLACES {
        return None;
    }
    // ways[t]: orders of t units among the arms so far. A further arm takes k of t + k places.
    let mut ways = vec![BigUint::ZERO; n + 1];
    ways[0] = BigUint::from(1_u32);
    for &most in places {
        let mut next = vec![BigUint::ZERO; n + 1];
        for (before, count) in ways.iter().enumerate().filter(|(_, count)| **count != BigUint::ZERO) {
            let mut choose = BigUint::from(1_u32);
            for k in 0..=(n - before).min(most as usize) {
                next[before + k] += count * &choose;
                choose = choose * (before + k + 1) / (k + 1);
            }
        }
        ways = next;
    }
    ways.pop()
}

/// The arrivals of one stratum, for enumeration; the state is the places left of each arm in the present block, none
/// between blocks.
struct Arrivals<'a> {
    rule: &'a Rule,
    n: usize,
}

impl Hidden for Arrivals<'_> {
    type State = Vec<u64>;

    fn arrivals(&self) -> usize {
        self.n
    }

    fn start(&self) -> Vec<u64> {
        Vec::new()
    }

    fn moves(&self, _arrival: usize, left: &Vec<u64>) -> Vec<Move<Vec<u64>>> {
        let blocks: Vec<Vec<u64>> = if left.is_empty() {
            self.rule.sizes.iter().map(|&size| self.rule.places(size)).collect()
        } else {
            vec![left.clone()]
        };
        let mut moves = Vec::new();
        for block in &blocks {
            let total: u64 = block.iter().sum();
            for (arm, &count) in block.iter().enumerate().filter(|(_, count)| **count > 0) {
                let mut next = block.clone();
                next[arm] -= 1;
                if total == 1 {
                    next.clear();
                }
                let probability = count as f64 / (total * blocks.len() as u64) as f64;
                moves.push(Move { arm: arm as u8, probability, next });
            }
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;

    /// Counted by formula and by enumeration.
    #[test]
    fn beginnings_of_blocks_are_counted() {
        for (shares, size) in [(vec![1, 1], 4), (vec![1, 2], 6), (vec![1, 1, 2], 8), (vec![1, 2, 3], 6)] {
            let rule = Rule { ratio: Ratio::new(&shares), sizes: vec![size] };
            for n in 1..=9 {
                let all = rule.support(n, 1 << 20, &NoMonitor).unwrap();
                let listed = all.map(|all| BigUint::from(all.len()));
                assert_eq!(rule.possible(n, &NoMonitor).unwrap(), listed, "{shares:?} {n}");
                let counted = paths::possible(&Arrivals { rule: &rule, n }, &NoMonitor).unwrap();
                assert_eq!(counted, listed, "{shares:?} {n}");
            }
        }
    }

    /// Sizes 2 and 4 at 1:1, two units: a block of two gives 01, 10 with 1/2 each; one of four 00 and 11 with 1/6 each,
    /// 01 and 10 with 1/3 each.
    #[test]
    fn random_sizes_add_up() {
        let rule = Rule { ratio: Ratio::new(&[1, 1]), sizes: vec![2, 4] };
        let all = rule.support(2, 10, &NoMonitor).unwrap().unwrap_or_default();
        let got: Vec<(Vec<u8>, f64)> = all.into_iter().map(|w| (w.arms, w.probability)).collect();
        let twelfth = |n: f64| n / 12.0;
        for ((arms, p), (want, q)) in got.iter().zip([
            ([0, 0], twelfth(1.0)),
            ([0, 1], twelfth(5.0)),
            ([1, 0], twelfth(5.0)),
            ([1, 1], twelfth(1.0)),
        ]) {
            assert_eq!(arms, &want);
            assert!((p - q).abs() < 1e-15, "{arms:?} {p}");
        }
        assert_eq!(rule.possible(2, &NoMonitor), Ok(Some(BigUint::from(4_u32))));
    }
}
