//! Every assignment that a test looks at: all that the procedure can give, or draws of it.

use rayon::prelude::*;

use super::sums::ArmSums;
use crate::Result;
use crate::design::{Redraws, Scratch, Support};
use crate::progress::{Monitor, Part, check, go_on, unwatched};

/// Assignments between two looks at the monitor.
const CHUNK: usize = 2048;
/// Assignments that one task evaluates, so that its buffers serve many of them.
const TASK: usize = 128;

/// Buffers that evaluations use again and again.
#[derive(Default)]
pub(super) struct Room {
    /// Sums by arm.
    pub sums: Vec<ArmSums>,
    /// Numbers.
    pub numbers: Vec<f64>,
}

/// Gives values to an assignment.
pub(super) trait Evaluate: Sync {
    /// How many values it gives.
    fn width(&self) -> usize;

    /// Gives its values to the arms of the units; NaN where they are not defined.
    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]);
}

/// The assignments.
pub(super) enum Replay {
    /// All that the procedure can give.
    All(Support),
    /// Replicates 0 to n - 1.
    Draws { redraws: Box<Redraws>, n: usize, units: usize },
}

impl Replay {
    /// All assignments where there are at most n, else n draws.
    pub fn new(redraws: Redraws, n: usize, units: usize, monitor: &dyn Monitor) -> Result<Self> {
        Ok(match redraws.support(n, monitor)? {
            Some(support) => Self::All(support),
            None => Self::Draws { redraws: Box::new(redraws), n, units },
        })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::All(support) => support.probability.len(),
            Self::Draws { n, .. } => *n,
        }
    }

    /// The probabilities of all assignments; nothing for draws.
    pub fn probability(&self) -> Option<&[f64]> {
        match self {
            Self::All(support) => Some(&support.probability),
            Self::Draws { .. } => None,
        }
    }

    /// The values of every assignment; assignments x width, in their order whatever the threads.
    pub fn run(&self, evaluate: &dyn Evaluate, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        let (n, width) = (self.len(), evaluate.width());
        let mut values = vec![0.0; n * width];
        let size = match self {
            Self::All(_) => CHUNK,
            Self::Draws { redraws, .. } => CHUNK.min(redraws.chunk()),
        };
        let stop = &Part(monitor);
        for (chunk, block) in values.chunks_mut(size * width).enumerate() {
            check(monitor, (chunk * size) as u64, n as u64)?;
            // A thread that is lent to this work asks those who watch this work, and nobody else.
            let run = |(task, part): (usize, &mut [f64])| {
                let first = chunk * size + task * TASK;
                let mut room = Room::default();
                match self {
                    Self::All(support) => {
                        for (place, into) in part.chunks_mut(width).enumerate() {
                            go_on(stop)?;
                            let row = support.arm.row(first + place);
                            // A support is built in standard layout, so its rows are contiguous.
                            evaluate.evaluate(row.as_slice().unwrap_or(&[]), &mut room, into);
                        }
                    }
                    Self::Draws { redraws, units, .. } => {
                        let (mut scratch, mut arm) = (Scratch::new(stop), vec![0; *units]);
                        for (place, into) in part.chunks_mut(width).enumerate() {
                            go_on(stop)?;
                            redraws.draw((first + place) as u64, &mut scratch, &mut arm)?;
                            evaluate.evaluate(&arm, &mut room, into);
                        }
                    }
                }
                Ok(())
            };
            let tasks = block.par_chunks_mut(TASK * width).enumerate();
            tasks.try_for_each(|task| unwatched(|| run(task)))?;
        }
        check(monitor, n as u64, n as u64)?;
        Ok(values)
    }
}
