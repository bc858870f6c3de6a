//! A sequential procedure step by step: one newcomer after the other, as a register of a rolling trial needs it.
//!
//! The arms are those that [`Design::assign`] gives to the same arrivals in the same order.

use std::collections::HashMap;

use super::random::Steps;
use super::{Design, Method, Ratio, simple};
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// A newcomer: what the procedure may know of it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The values of the design's strata, in its order.
    pub stratum: &'a [String],
    /// The values of the procedure's factors, in the order of [`Sequence::factor_columns`].
    pub factors: &'a [String],
}

/// What a newcomer drew.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The arm.
    pub arm: u8,
    /// The probability of each arm at this moment, given all before it (and, in blocks, the sizes drawn).
    pub probability: Vec<f64>,
    /// Its place in blocks.
    pub block: Option<Block>,
}

/// A place in a permuted block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The block's number in its stratum, from 0.
    pub number: u64,
    /// Its size.
    pub size: u32,
    /// The place within it, from 0.
    pub place: u32,
}

/// The state of a sequential procedure after some arrivals.
#[derive(Debug, Clone)]
pub struct Sequence {
    seed: Seed,
    ratio: Ratio,
    factors: Vec<String>,
    strata: HashMap<Vec<String>, Steps>,
}

impl Sequence {
    /// A sequential procedure before its first arrival.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for a design that cannot be carried out, and for procedures that need the whole list
    /// of units.
    pub fn new(design: &Design, seed: &Seed) -> Result<Self> {
        design.check()?;
        let method = design.the_method();
        if !matches!(method, Method::Simple(_)) {
            return Err(Fault::new(format!("{} needs the whole list of units at once", method.name()))
                .remedy("For a rolling trial use simple, blocks, big_stick, biased_coin or minimisation")
                .design());
        }
        let factors = method.factors().into_iter().map(str::to_owned).collect();
        Ok(Self { seed: seed.clone(), ratio: design.ratio(), factors, strata: HashMap::new() })
    }

    /// The columns whose values every newcomer must bring besides its strata.
    pub fn factor_columns(&self) -> &[String] {
        &self.factors
    }

    /// Draws the newcomer's arm, and counts it as arrived.
    pub fn allocate(&mut self, arrival: &Arrival<'_>) -> Drawn {
        let steps = self
            .strata
            .entry(arrival.stratum.to_vec())
            .or_insert_with(|| Steps::new(&Stream::new(&self.seed, "assign", arrival.stratum, 0), None));
        let arm = simple::one(&self.ratio, steps.step(0));
        Drawn { arm, probability: simple::probabilities(&self.ratio), block: None }
    }
}
