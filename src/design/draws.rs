//! The permutation distribution: the procedure drawn again and again.
//!
//! Replicate i of a stratum comes from `Stream::new(seed, "draws", labels, i)`, so it depends on no other replicate,
//! stratum, thread or chunk, and never on the draw that was used.

use ndarray::Array2;
use rayon::prelude::*;

use super::procedure::{LEFT_OUT, Procedure, Scratch, Support};
use super::random::Streams;
use super::{Design, Units};
use crate::progress::{Monitor, Part, check};
use crate::rng::Seed;
use crate::{Fault, Result};

/// Replicates between two looks at the monitor.
const CHUNK: usize = 2048;

/// A procedure made ready to be drawn again, one replicate at a time.
pub(crate) struct Redraws {
    procedure: Box<dyn Procedure>,
    streams: Streams,
}

impl Redraws {
    /// The procedure of a design for these units, under a seed.
    pub fn new(design: &Design, units: &Units, seed: &Seed, monitor: &dyn Monitor) -> Result<Self> {
        let procedure = design.procedure(units, &Part(monitor))?;
        Ok(Self { procedure, streams: Streams::new(seed, "draws", units) })
    }

    /// Draws replicate `index` into `arm`, one entry a unit.
    pub fn draw(&self, index: u64, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        self.procedure.draw(self.streams.replicate(index), scratch, arm)
    }

    /// How many replicates to draw between two looks at the monitor: fewer where each takes many tries.
    pub fn chunk(&self) -> usize {
        (CHUNK as u64 / self.procedure.tries().max(1)).max(16) as usize
    }

    /// All assignments, where there are at most `most`.
    pub fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>> {
        self.procedure.support(most, &Part(monitor))
    }
}

impl Design {
    /// `n` assignments of these units drawn anew; n x units, each entry the index of an arm, or [`LEFT_OUT`].
    ///
    /// `seed` replaces the design's own.
    ///
    /// # Errors
    /// As [`Design::assign`]; [`crate::Error::Input`] when the matrix would not fit into memory;
    /// [`crate::Error::Interrupted`] when the monitor stops the work.
    pub fn draws(
        &self,
        units: &Units,
        n: usize,
        seed: Option<&Seed>,
        monitor: &dyn Monitor,
    ) -> Result<Array2<u8>> {
        self.check_units(units)?;
        let seed = match seed {
            Some(seed) => seed,
            None => self.the_seed()?,
        };
        let width = units.len();
        let too_large = || {
            Fault::new(format!("{n} draws of {width} units do not fit into memory"))
                .remedy("Ask for fewer draws at a time")
                .input()
        };
        let size = n.checked_mul(width).ok_or_else(too_large)?;
        let mut cells: Vec<u8> = Vec::new();
        cells.try_reserve_exact(size).map_err(|_| too_large())?;
        cells.resize(size, LEFT_OUT);

        let redraws = Redraws::new(self, units, seed, monitor)?;
        let part = &Part(monitor);
        let size = redraws.chunk();
        for (chunk, block) in cells.chunks_mut(size * width).enumerate() {
            check(monitor, (chunk * size) as u64, n as u64)?;
            block.par_chunks_mut(width).enumerate().try_for_each_init(
                || Scratch::new(part),
                |scratch, (place, row)| redraws.draw((chunk * size + place) as u64, scratch, row),
            )?;
        }
        check(monitor, n as u64, n as u64)?;
        Array2::from_shape_vec((n, width), cells).map_err(|_| too_large())
    }
}
