//! A procedure one arrival at a time: what registers and simulations are written against.

use std::sync::Arc;

use super::fake_arms::{self, Chances, Counts, FakeArms};
use super::random::Steps;
use super::{Method, Ratio, biased_coin, big_stick, blocks, minimisation, simple};

/// A procedure that can draw a newcomer's arm without knowing who comes after.
#[derive(Debug, Clone)]
pub(super) enum Stepwise {
    /// Every unit for itself.
    Simple(Ratio),
    /// Permuted blocks.
    Blocks(blocks::Rule),
    /// A rule over fake arms.
    Fake(FakeArms, Arc<dyn fake_arms::Rule>),
}

/// What a procedure remembers of the arrivals of a stratum.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// How many arrived.
    pub arrivals: u64,
    /// The present block.
    pub block: Vec<u8>,
    /// Its number, from 0.
    pub number: u64,
    /// The next place in it.
    pub place: usize,
    /// The places of each arm left in it.
    left: Vec<u64>,
    counts: Counts,
    chances: Chances,
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
}

impl Stepwise {
    /// The procedure; nothing where it needs the whole list of units.
    pub fn new(method: &Method, ratio: Ratio) -> Option<Self> {
        let fake = |rule: Arc<dyn fake_arms::Rule>| Self::Fake(FakeArms::new(ratio.clone()), rule);
        match method {
            Method::Simple(_) => Some(Self::Simple(ratio)),
            Method::Blocks(options) => {
                Some(Self::Blocks(blocks::Rule { ratio, sizes: options.sizes.clone() }))
            }
            Method::BigStick(options) => Some(fake(big_stick::rule(*options))),
            Method::BiasedCoin(options) => Some(fake(biased_coin::rule(options))),
            Method::Minimisation(options) => Some(fake(Arc::new(minimisation::Rule::new(options)))),
            _ => None,
        }
    }

    /// The state before the first arrival.
    pub fn start(&self) -> State {
        let mut state = State::default();
        if let Self::Fake(fake, _) = self {
            state.counts.clear(1, fake.len());
        }
        state
    }

    /// Draws the arm of a newcomer who has these slots (levels of factors, numbered over all factors; the one slot 0
    /// for procedures without factors), and leaves the chances that every arm had in the state.
    pub fn next(&self, state: &mut State, slots: &[u32], steps: &mut Steps) -> u8 {
        let arm = match self {
            Self::Simple(ratio) => {
                state.arm.clone_from(&ratio.shares);
                state.total = ratio.total;
                simple::one(ratio, steps.step(0))
            }
            Self::Blocks(rule) => {
                if state.place == state.block.len() {
                    state.number += u64::from(state.place > 0);
                    rule.block(steps.step(state.number), &mut state.block);
                    state.begin(rule.ratio.shares.len());
                }
                state.deal()
            }
            Self::Fake(fake, rule) => {
                slots.iter().for_each(|&slot| state.counts.reach(slot));
                rule.weigh(&state.counts, slots, &mut state.chances);
                let drawn = state.chances.draw(steps.step(state.arrivals));
                state.counts.add(slots, drawn);
                fake.real_chances(&state.chances.of, &mut state.arm);
                state.total = state.chances.total;
                fake.real(drawn)
            }
        };
        state.arrivals += 1;
        arm
    }
}
