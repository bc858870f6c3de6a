//! Every assignment that a test looks at: all that the procedure can give, or draws of it.

use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::permuted::Permuted;
use super::sums::{ArmSums, Written};
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
    /// The parts of a score.
    pub written: Written,
}

/// Gives values to an assignment.
pub(super) trait Evaluate: Sync {
    /// How many values it gives.
    fn width(&self) -> usize;

    /// Whether the last of them is of all arms together.
    fn omnibus(&self) -> bool {
        false
    }

    /// Gives its values to the arms of the units; NaN where they are not defined.
    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]);

    /// How many assignments it looks at side by side.
    fn abreast(&self) -> usize {
        1
    }

    /// Gives so many assignments, or fewer, but one at least, the values that each would be given alone.
    fn evaluate_abreast(&self, arms: &[u8], units: usize, room: &mut Room, values: &mut [f64]) {
        for (row, values) in values.chunks_exact_mut(self.width()).enumerate() {
            self.evaluate(&arms[row * units..(row + 1) * units], room, values);
        }
    }
}

/// The assignments.
pub(super) enum Replay {
    /// All that the procedure can give.
    All(Arc<Support>),
    /// So many replicates from this number on.
    Draws { redraws: Arc<Redraws>, first: u64, n: usize, units: usize },
    /// So many permutations, from this number on, of a trial that was randomised elsewhere.
    Permuted { permuted: Box<Permuted>, first: u64, n: usize },
    /// Draws or permutations that were made once and kept, n x units.
    Held(Array2<u8>),
}

/// The most bytes of draws that are kept.
const KEPT: usize = 1 << 28;

impl Replay {
    /// All assignments where there are at most n, else n draws.
    pub fn new(redraws: Redraws, n: usize, units: usize, monitor: &dyn Monitor) -> Result<Self> {
        Ok(match redraws.support(n, monitor)? {
            Some(support) => Self::All(Arc::new(support)),
            None => Self::Draws { redraws: Arc::new(redraws), first: 0, n, units },
        })
    }

    /// The draws of these numbers.
    pub fn part(redraws: Redraws, draws: &Range<u64>, units: usize) -> Self {
        let n = draws.end.saturating_sub(draws.start) as usize;
        Self::Draws { redraws: Arc::new(redraws), first: draws.start, n, units }
    }

    /// The permutations of these numbers.
    pub fn permuted_part(permuted: Permuted, draws: &Range<u64>) -> Self {
        let n = draws.end.saturating_sub(draws.start) as usize;
        Self::Permuted { permuted: Box::new(permuted), first: draws.start, n }
    }

    /// All permutations of a trial's arms where there are at most n, else n of them.
    pub fn permuted(permuted: Permuted, n: usize) -> Self {
        match permuted.support(n) {
            Some(support) => Self::All(Arc::new(support)),
            None => Self::Permuted { permuted: Box::new(permuted), first: 0, n },
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::All(support) => support.probability.len(),
            Self::Draws { n, .. } | Self::Permuted { n, .. } => *n,
            Self::Held(arm) => arm.nrows(),
        }
    }

    /// The draws themselves, for whoever looks at them again and again; nothing where all assignments are listed, or where
    /// there are too many.
    pub fn held(&self, monitor: &dyn Monitor) -> Result<Option<Self>> {
        let (n, units) = (self.len(), self.units());
        if matches!(self, Self::All(_) | Self::Held(_)) || n.saturating_mul(units) > KEPT || units == 0 {
            return Ok(None);
        }
        self.drawn(monitor).map(|arms| Some(Self::Held(arms)))
    }

    /// Every assignment, a row each.
    pub fn drawn(&self, monitor: &dyn Monitor) -> Result<Array2<u8>> {
        let (n, units) = (self.len(), self.units());
        let mut arms = vec![0_u8; n * units];
        let stop = &Part(monitor);
        let fill = |(task, rows): (usize, &mut [u8])| {
            let mut scratch = Scratch::new(stop);
            for (place, row) in rows.chunks_exact_mut(units.max(1)).enumerate() {
                go_on(stop)?;
                self.row(task * TASK + place, &mut scratch, row)?;
            }
            Ok(())
        };
        let tasks = arms.par_chunks_mut((TASK * units).max(1)).enumerate();
        tasks.try_for_each(|task| unwatched(|| fill(task)))?;
        // One row of units for each draw, of which there are n.
        Ok(Array2::from_shape_vec((n, units), arms).unwrap_or_default())
    }

    /// Writes assignment number `index`.
    fn row(&self, index: usize, scratch: &mut Scratch<'_>, into: &mut [u8]) -> Result<()> {
        match self {
            Self::All(_) | Self::Held(_) => {
                let Some(arm) = self.kept() else { return Ok(()) };
                into.iter_mut().zip(arm.row(index)).for_each(|(into, arm)| *into = *arm);
            }
            Self::Draws { redraws, first, .. } => redraws.draw(first + index as u64, scratch, into)?,
            Self::Permuted { permuted, first, .. } => permuted.draw(first + index as u64, into),
        }
        Ok(())
    }

    fn units(&self) -> usize {
        match self {
            Self::All(support) => support.arm.ncols(),
            Self::Held(arm) => arm.ncols(),
            Self::Draws { units, .. } => *units,
            Self::Permuted { permuted, .. } => permuted.units(),
        }
    }

    /// The probabilities of all assignments; nothing for draws.
    pub fn probability(&self) -> Option<&[f64]> {
        match self {
            Self::All(support) => Some(&support.probability),
            Self::Draws { .. } | Self::Permuted { .. } | Self::Held(_) => None,
        }
    }

    /// The values of every assignment; assignments x width, in their order whatever the threads.
    pub fn run(&self, evaluate: &dyn Evaluate, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        let (n, width) = (self.len(), evaluate.width());
        let mut values = vec![0.0; n * width];
        let size = match self {
            Self::All(_) | Self::Held(_) | Self::Permuted { .. } => CHUNK,
            Self::Draws { redraws, .. } => CHUNK.min(redraws.chunk()),
        };
        let stop = &Part(monitor);
        for (chunk, block) in values.chunks_mut(size * width).enumerate() {
            check(monitor, (chunk * size) as u64, n as u64)?;
            // A thread that is lent to this work asks those who watch this work, and nobody else.
            let run = |(task, part): (usize, &mut [f64])| {
                self.evaluated(chunk * size + task * TASK, evaluate, part, stop)
            };
            let tasks = block.par_chunks_mut(TASK * width).enumerate();
            tasks.try_for_each(|task| unwatched(|| run(task)))?;
        }
        check(monitor, n as u64, n as u64)?;
        Ok(values)
    }

    /// The same by the one thread that asks, as part of work that others share.
    pub fn run_here(&self, evaluate: &dyn Evaluate, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        let mut values = vec![0.0; self.len() * evaluate.width()];
        self.evaluated(0, evaluate, &mut values, monitor)?;
        Ok(values)
    }

    /// The assignments, where they are kept.
    fn kept(&self) -> Option<&Array2<u8>> {
        match self {
            Self::All(support) => Some(&support.arm),
            Self::Held(arm) => Some(arm),
            Self::Draws { .. } | Self::Permuted { .. } => None,
        }
    }

    /// Evaluates the assignments from this one on, one after the other.
    fn evaluated(
        &self,
        first: usize,
        evaluate: &dyn Evaluate,
        part: &mut [f64],
        stop: &dyn Monitor,
    ) -> Result<()> {
        let (width, units, abreast) = (evaluate.width(), self.units(), evaluate.abreast());
        let mut room = Room::default();
        // A support is built in standard layout, so its rows are contiguous.
        let kept = self.kept().map(|arms| arms.as_slice().unwrap_or(&[]));
        let (mut scratch, mut drawn) = (Scratch::new(stop), vec![0; units * abreast]);
        for (block, into) in part.chunks_mut(abreast * width).enumerate() {
            let (start, rows) = (first + block * abreast, into.len() / width);
            let arms = if let Some(kept) = kept {
                go_on(stop)?;
                &kept[start * units..(start + rows) * units]
            } else {
                for row in 0..rows {
                    go_on(stop)?;
                    self.row(start + row, &mut scratch, &mut drawn[row * units..(row + 1) * units])?;
                }
                &drawn[..rows * units]
            };
            evaluate.evaluate_abreast(arms, units, &mut room, into);
        }
        Ok(())
    }
}
