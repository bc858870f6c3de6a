//! Where a draw takes its random numbers from.
//!
//! The assignment itself reads `Stream::new(seed, "assign", labels, step)`, where `labels` are the stratum's and
//! `step` numbers what the procedure draws one after the other (blocks, arrivals); a procedure that draws a stratum
//! at once has the one step 0. Replicate i of the permutation distribution reads `Stream::new(seed, "draws", labels,
//! i)` from its beginning to its end. What concerns all strata together reads "assign whole" and "draws whole",
//! without labels.

use crate::design::units::Units;
use crate::rng::{Seed, Stream};

/// The streams of all strata, their names already hashed.
#[derive(Debug)]
pub(crate) struct Streams {
    strata: Vec<Stream>,
    whole: Stream,
}

impl Streams {
    /// The streams of this purpose, "assign" or "draws".
    pub fn new(seed: &Seed, purpose: &str, units: &Units) -> Self {
        let strata = units.strata().iter().map(|labels| Stream::new(seed, purpose, labels, 0)).collect();
        Self { strata, whole: Stream::new::<&str>(seed, &format!("{purpose} whole"), &[], 0) }
    }

    /// The random numbers of the assignment itself.
    pub fn assignment(&self) -> Random<'_> {
        Random { streams: self, replicate: None }
    }

    /// The random numbers of one replicate.
    pub fn replicate(&self, index: u64) -> Random<'_> {
        Random { streams: self, replicate: Some(index) }
    }
}

/// The random numbers of one draw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random<'a> {
    streams: &'a Streams,
    replicate: Option<u64>,
}

impl Random<'_> {
    /// Those of a stratum.
    pub fn stratum(&self, stratum: usize) -> Steps {
        Steps::new(&self.streams.strata[stratum], self.replicate)
    }

    /// Those of all strata together.
    pub fn whole(&self) -> Steps {
        Steps::new(&self.streams.whole, self.replicate)
    }
}

/// The random numbers of one draw in one stratum, step by step.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    now: Stream,
    number: u64,
    numbered: bool,
}

impl Steps {
    pub(crate) fn new(base: &Stream, replicate: Option<u64>) -> Self {
        Self { now: base.at(replicate.unwrap_or(0)), number: 0, numbered: replicate.is_none() }
    }

    /// The stream of a step: one of its own in the assignment, so that it is found without those before it; the
    /// running one in a replicate.
    pub fn step(&mut self, number: u64) -> &mut Stream {
        if self.numbered && number != self.number {
            self.now = self.now.at(number);
            self.number = number;
        }
        &mut self.now
    }
}
