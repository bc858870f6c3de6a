//! A sequential procedure step by step: one newcomer after the other, as a register of a rolling trial needs it.
//!
//! The arms are those that [`Design::assign`] gives to the same arrivals in the same order. An arrival costs the same
//! however many came before it: nothing is replayed.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::design::Design;
use crate::design::engine::random::Steps;
use crate::design::engine::stepwise::{State, Stepwise};
use crate::design::procedures::Method;
use crate::design::units::column::nfc;
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// A newcomer: what the procedure may know of it.
///
/// ```
/// use crewe::design::Arrival;
/// assert_eq!(Arrival::new(&["north".into()], &[]).stratum, ["north"]);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Arrival<'a> {
    /// The values of the design's strata, in its order.
    pub stratum: &'a [String],
    /// The values of the procedure's factors, in the order of [`Sequence::factor_columns`].
    pub factors: &'a [String],
}

impl<'a> Arrival<'a> {
    /// A newcomer of a stratum, with the levels of its factors.
    #[must_use]
    pub fn new(stratum: &'a [String], factors: &'a [String]) -> Self {
        Self { stratum, factors }
    }
}

/// What a newcomer drew.
///
/// ```
/// use crewe::design::{Arrival, BigStick, Design, Sequence};
/// let design = Design::new("t").arm("a", 1).arm("b", 1).individual("id").method(BigStick::new(1));
/// let mut sequence = Sequence::new(&design, &7.into())?;
/// let first = sequence.allocate(&Arrival::new(&[], &[]));
/// let second = sequence.allocate(&Arrival::new(&[], &[]));
/// assert_eq!(first.probability, [0.5, 0.5]);
/// assert_eq!(second.probability[usize::from(1 - first.arm)], 1.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Drawn {
    /// The arm.
    pub arm: u8,
    /// The probability of each arm at this moment, given all that was drawn before: arms, the sizes of blocks, and which
    /// fake arms stood for the arms.
    pub probability: Vec<f64>,
    /// Its place in blocks.
    pub block: Option<Block>,
}

/// A place in a permuted block.
///
/// ```
/// use crewe::design::{Arrival, Blocks, Design, Sequence};
/// let design = Design::new("t").arm("a", 1).arm("b", 1).individual("id").method(Blocks::new([2]));
/// let mut sequence = Sequence::new(&design, &7.into())?;
/// let places: Vec<_> = (0..3).filter_map(|_| sequence.allocate(&Arrival::new(&[], &[])).block).collect();
/// assert_eq!((places[2].number, places[2].size, places[2].place), (1, 2, 0));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Block {
    /// The block's number in its stratum, from 0.
    pub number: u64,
    /// Its size.
    pub size: u32,
    /// The place within it, from 0.
    pub place: u32,
}

/// The state of a sequential procedure after some arrivals.
///
/// Who holds it holds the key: it must not be stored beside a register that conceals the next arm.
///
/// ```
/// use crewe::design::{Arrival, Blocks, Design, Sequence};
/// use crewe::rng::Seed;
/// let design = Design::new("t").arm("control", 1).arm("crewe", 2).cluster("family").strata(["history"])
///     .method(Blocks::new([3]));
/// let mut sequence = Sequence::new(&design, &Seed::Integer(7))?;
/// let stratum = ["yes".to_owned()];
/// let drawn: Vec<_> =
///     (0..3).map(|_| sequence.allocate(&Arrival::new(&stratum, &[]))).collect();
/// assert_eq!(drawn.iter().filter(|drawn| drawn.arm == 1).count(), 2);
/// assert_eq!(drawn[0].probability, [1.0 / 3.0, 2.0 / 3.0]);
/// assert!(drawn[2].probability.contains(&1.0)); // the end of a block is known from its beginning
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Clone)]
pub struct Sequence {
    seed: Seed,
    rule: Arc<dyn Stepwise>,
    width: usize,
    factors: Vec<String>,
    // The number of each level of each factor, in the order in which they are first seen.
    levels: Vec<HashMap<String, u32>>,
    strata: HashMap<Vec<String>, Stratum>,
}

#[derive(Clone)]
struct Stratum {
    steps: Steps,
    state: State,
}

/// Shows neither key nor the rest of a block.
impl std::fmt::Debug for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arrivals: u64 = self.strata.values().map(|stratum| stratum.state.arrivals).sum();
        f.debug_struct("Sequence").field("arrivals", &arrivals).finish_non_exhaustive()
    }
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
        let Some(rule) = method.stepwise(design.ratio()) else {
            return Err(Fault::new(format!("{} needs the whole list of units at once", method.name()))
                .remedy(format!("For a rolling trial use {}", Method::rolling("or")))
                .design());
        };
        // A matched set is a factor too, but has been refused above.
        let factors: Vec<String> = method.factors().into_iter().map(str::to_owned).collect();
        let levels = vec![HashMap::new(); factors.len()];
        let width = design.strata_columns().len();
        Ok(Self { seed: seed.clone(), rule, width, factors, levels, strata: HashMap::new() })
    }

    /// The columns whose values every newcomer must bring besides its strata.
    pub fn factor_columns(&self) -> &[String] {
        &self.factors
    }

    /// Refuses a newcomer whose values do not fit the design.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of strata or factors than the design has.
    pub fn check(&self, arrival: &Arrival<'_>) -> Result<()> {
        let wanted = [self.width, self.factors.len()];
        let given = [arrival.stratum.len(), arrival.factors.len()];
        if wanted == given {
            return Ok(());
        }
        Err(Fault::new("a newcomer needs one value for each stratum and each factor of the design")
            .values([
                format!("{} strata, {} factors", given[0], given[1]),
                format!("design: {} strata, {} factors", wanted[0], wanted[1]),
            ])
            .remedy("Give the values in the order of the design")
            .input())
    }

    /// Draws the newcomer's arm, and counts it as arrived.
    ///
    /// A factor that the newcomer has no value for counts as a level of its own; [`Sequence::check`] refuses that.
    pub fn allocate(&mut self, arrival: &Arrival<'_>) -> Drawn {
        let labels: Vec<String> = arrival.stratum.iter().map(|label| nfc(label)).collect();
        let slots = self.slots(arrival.factors);
        let (seed, rule) = (&self.seed, &self.rule);
        let stratum = self.strata.entry(labels).or_insert_with_key(|labels| Stratum {
            steps: Steps::new(&Stream::new(seed, "assign", labels, 0), None),
            state: rule.start(),
        });
        let Stratum { steps, state } = stratum;
        let arm = state.next(&**rule, &slots, steps);
        let probability = state.arm.iter().map(|&chance| chance as f64 / state.total as f64).collect();
        let block = (!state.block.is_empty()).then(|| Block {
            number: state.number,
            size: state.block.len() as u32,
            place: state.place as u32 - 1,
        });
        Drawn { arm, probability, block }
    }

    /// The slots of a newcomer's levels; levels of all factors share one numbering.
    fn slots(&mut self, factors: &[String]) -> Vec<u32> {
        if self.levels.is_empty() {
            return vec![0];
        }
        let mut seen: u32 = self.levels.iter().map(|levels| levels.len() as u32).sum();
        let mut slots = Vec::with_capacity(self.levels.len());
        for (place, levels) in self.levels.iter_mut().enumerate() {
            let label = factors.get(place).map_or_else(String::new, |label| nfc(label));
            slots.push(*levels.entry(label).or_insert_with(|| {
                seen += 1;
                seen - 1
            }));
        }
        slots
    }
}
