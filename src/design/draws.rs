//! The permutation distribution: the procedure drawn again and again.
//!
//! Replicate i of a stratum comes from `Stream::new(seed, "draws", labels, i)`, so it depends on no other replicate,
//! stratum, thread or chunk, and never on the draw that was used.

use ndarray::Array2;
use rayon::prelude::*;

use super::procedure::{LEFT_OUT, Scratch};
use super::random::Streams;
use super::{Design, Units};
use crate::progress::{Monitor, check};
use crate::rng::Seed;
use crate::{Fault, Result};

/// Replicates between two looks at the monitor.
const CHUNK: usize = 2048;

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

        let procedure = self.procedure(units)?;
        let streams = Streams::new(seed, "draws", units);
        for (chunk, block) in cells.chunks_mut(CHUNK * width).enumerate() {
            check(monitor, (chunk * CHUNK) as u64, n as u64)?;
            block.par_chunks_mut(width).enumerate().for_each_init(
                Scratch::default,
                |scratch, (place, row)| {
                    procedure.draw(streams.replicate((chunk * CHUNK + place) as u64), scratch, row);
                },
            );
        }
        check(monitor, n as u64, n as u64)?;
        Array2::from_shape_vec((n, width), cells).map_err(|_| too_large())
    }
}
