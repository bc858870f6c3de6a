//! A procedure one arrival at a time: what registers and simulations are written against.

use std::fmt::Debug;

use super::random::Steps;
use super::weighing::{Chances, Counts};

/// A procedure that can draw a newcomer's arm without knowing who comes after.
pub(crate) trait Stepwise: Debug + Send + Sync {
    /// The state before the first arrival.
    fn start(&self) -> State {
        State::default()
    }

    /// Draws the arm of a newcomer who has these slots (levels of factors, numbered over all factors; the one slot 0
    /// for procedures without factors), and leaves the chances that every arm had in the state.
    ///
    /// [`State::arrivals`] counts those who came before; whoever calls this counts the newcomer.
    fn arm(&self, state: &mut State, slots: &[u32], steps: &mut Steps) -> u8;
}

/// What a procedure remembers of the arrivals of a stratum.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// How many arrived.
    pub arrivals: u64,
    /// The present block; empty in procedures without blocks.
    pub block: Vec<u8>,
    /// Its number, from 0.
    pub number: u64,
    /// The next place in it.
    pub place: usize,
    /// The places of each arm left in it.
    left: Vec<u64>,
    /// The units of each fake arm, by slot.
    pub counts: Counts,
    /// Room for the chances of the fake arms.
    pub chances: Chances,
    /// The chances that each arm had at the last arrival.
    pub arm: Vec<u64>,
    /// Their sum.
    pub total: u64,
}

impl State {
    /// Starts dealing a block that has been drawn.
    pub fn begin(&mut self, arms: usize) {
        self.place = 0;
        self.left.clear();
        self.left.resize(arms, 0);
        self.block.iter().for_each(|&arm| self.left[usize::from(arm)] += 1);
    }

    /// Deals the next place of the block.
    pub fn deal(&mut self) -> u8 {
        self.arm.clone_from(&self.left);
        self.total = (self.block.len() - self.place) as u64;
        let arm = self.block[self.place];
        self.left[usize::from(arm)] -= 1;
        self.place += 1;
        arm
    }

    /// The arm of the next newcomer, who is counted as arrived.
    pub fn next(&mut self, rule: &dyn Stepwise, slots: &[u32], steps: &mut Steps) -> u8 {
        let arm = rule.arm(self, slots, steps);
        self.arrivals += 1;
        arm
    }
}
