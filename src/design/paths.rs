//! All assignments of a sequential procedure with their probabilities, by enumeration.
//!
//! A procedure may remember more than the arms that it drew: the size of the present block, or which fake arm stood
//! for an arm. Several memories may then lead to the same arms, and their probabilities add up.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigUint;

use super::procedure::Weighed;
use crate::Result;
use crate::progress::{Monitor, Pace};

/// More memories than this in one stratum are not followed.
const MOST_STATES: usize = 1 << 20;
/// Arrivals in one stratum beyond which assignments are counted by formula only.
const MOST_ARRIVALS: usize = 2_000;
/// Basic steps of following one memory through one arrival.
const STEP: usize = 1 << 10;
/// Sets of memories beyond which assignments are not counted.
const MOST_SETS: usize = 1 << 12;

/// What may happen at an arrival.
#[derive(Debug, Clone)]
pub(super) struct Move<S> {
    /// The arm.
    pub arm: u8,
    /// The probability, above 0.
    pub probability: f64,
    /// What is remembered afterwards.
    pub next: S,
}

/// A procedure that draws one arm after the other and remembers some state.
pub(super) trait Hidden {
    /// What it remembers.
    type State: Clone + Ord;

    /// The number of arrivals.
    fn arrivals(&self) -> usize;

    /// What it remembers before the first.
    fn start(&self) -> Self::State;

    /// Everything that may happen at an arrival, from 0.
    fn moves(&self, arrival: usize, state: &Self::State) -> Vec<Move<Self::State>>;
}

/// All assignments in lexicographic order; nothing where there are more than `most`.
pub(super) fn support<H: Hidden>(
    hidden: &H,
    most: usize,
    monitor: &dyn Monitor,
) -> Result<Option<Vec<Weighed>>> {
    let mut pace = Pace::new(monitor);
    let mut paths: Vec<(Vec<u8>, BTreeMap<H::State, f64>)> =
        vec![(Vec::new(), BTreeMap::from([(hidden.start(), 1.0)]))];
    for arrival in 0..hidden.arrivals() {
        let mut longer = Vec::new();
        let mut states = 0;
        for (arms, memory) in paths {
            let mut by_arm: BTreeMap<u8, BTreeMap<H::State, f64>> = BTreeMap::new();
            for (state, probability) in memory {
                pace.by(STEP + arrival)?;
                for next in hidden.moves(arrival, &state) {
                    *by_arm.entry(next.arm).or_default().entry(next.next).or_default() +=
                        probability * next.probability;
                }
            }
            for (arm, memory) in by_arm {
                states += memory.len();
                // Every path goes on, so that there are never fewer of them than now.
                if longer.len() == most || states > MOST_STATES {
                    return Ok(None);
                }
                let arms = arms.iter().copied().chain([arm]).collect();
                longer.push((arms, memory));
            }
        }
        paths = longer;
    }
    let weighed = |(arms, memory): (Vec<u8>, BTreeMap<H::State, f64>)| Weighed {
        arms,
        probability: memory.values().sum(),
    };
    Ok(Some(paths.into_iter().map(weighed).collect()))
}

/// The number of different assignments; nothing where too many memories would have to be followed.
///
/// Assignments so far are grouped by the set of memories that are possible after them, which decides all that may
/// follow.
pub(super) fn possible<H: Hidden>(hidden: &H, monitor: &dyn Monitor) -> Result<Option<BigUint>> {
    if hidden.arrivals() > MOST_ARRIVALS {
        return Ok(None);
    }
    let mut pace = Pace::new(monitor);
    let mut groups = BTreeMap::from([(BTreeSet::from([hidden.start()]), BigUint::from(1_u32))]);
    for arrival in 0..hidden.arrivals() {
        let mut next: BTreeMap<BTreeSet<H::State>, BigUint> = BTreeMap::new();
        for (memories, count) in groups {
            let mut by_arm: BTreeMap<u8, BTreeSet<H::State>> = BTreeMap::new();
            for state in &memories {
                pace.by(STEP)?;
                for step in hidden.moves(arrival, state) {
                    by_arm.entry(step.arm).or_default().insert(step.next);
                }
            }
            for memories in by_arm.into_values() {
                *next.entry(memories).or_default() += &count;
            }
            if next.len() > MOST_SETS {
                return Ok(None);
            }
        }
        groups = next;
    }
    Ok(Some(groups.into_values().sum()))
}
