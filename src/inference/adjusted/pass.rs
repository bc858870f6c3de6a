//! The pass over all clusters: chunks of them on every thread, each in vector instructions, and their sums.

use std::ops::Range;

use rayon::prelude::*;

use super::cluster::{Class, Work};
use super::job::Job;
use super::light::{BATCH, Queue};
use super::powers::Power;
use crate::Result;
use crate::inference::fitted::{LANE, Target};
use crate::linalg::gram::add_cross_products;
use crate::progress::Pace;

/// What the clusters give together.
pub(super) struct Sums {
    pub middle: Vec<f64>,
    pub trace: Vec<f64>,
    pub squares: Vec<f64>,
    /// `sum of (q'q)^2` over light clusters.
    pub fourth: Vec<f64>,
    /// `sum of q q'` over light clusters, m x dim x dim.
    pub outer: Vec<f64>,
    pub heavy: Vec<Vec<f64>>,
    pub apart: Vec<Vec<f64>>,
    pub degenerate: usize,
}

impl Job<'_> {
    /// The sums over all clusters, the same bits whatever the threads.
    pub fn sums(&self) -> Result<Sums> {
        let size = self.chunk();
        let chunks = self.count.div_ceil(size);
        let chunk = |c: usize| self.over(c * size..self.count.min((c + 1) * size));
        let parts: Vec<Result<Sums>> = if chunks <= 1 || rayon::current_num_threads() == 1 {
            (0..chunks).map(chunk).collect()
        } else {
            (0..chunks).into_par_iter().map(chunk).collect()
        };
        let mut total = Sums::zero(self);
        for part in parts {
            total.add(part?);
        }
        Ok(total)
    }
}

impl Sums {
    fn zero(job: &Job<'_>) -> Self {
        Self {
            middle: vec![0.0; job.width * job.width],
            trace: vec![0.0; job.m],
            squares: vec![0.0; job.m],
            fourth: vec![0.0; job.m],
            outer: vec![0.0; job.m * job.dim * job.dim],
            heavy: Vec::new(),
            apart: Vec::new(),
            degenerate: 0,
        }
    }

    fn add(&mut self, other: Self) {
        let add = |mine: &mut [f64], theirs: &[f64]| {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        };
        add(&mut self.middle, &other.middle);
        add(&mut self.trace, &other.trace);
        add(&mut self.squares, &other.squares);
        add(&mut self.fourth, &other.fourth);
        add(&mut self.outer, &other.outer);
        self.heavy.extend(other.heavy);
        self.apart.extend(other.apart);
        self.degenerate += other.degenerate;
    }
}

impl Job<'_> {
    /// The sums over some clusters, with loops whose length the compiler knows for the usual numbers of coefficients.
    fn over(&self, range: Range<usize>) -> Result<Sums> {
        let half = self.power == Power::Half && self.target == Target::Inverse;
        if half && self.m > 0 && self.lanes == self.width {
            match self.width {
                4 => return self.over_of::<4, true>(range),
                8 => return self.over_of::<8, true>(range),
                12 => return self.over_of::<12, true>(range),
                16 => return self.over_of::<16, true>(range),
                _ => {}
            }
        }
        self.over_of::<LANE, false>(range)
    }

    /// As [`Job::over`] for N padded coefficients where they are FIXED, else for any number. A function of its own for
    /// each: in one, and inlined where it is called, they took half the time of compiling the crate.
    #[inline(never)]
    fn over_of<const N: usize, const FIXED: bool>(&self, range: Range<usize>) -> Result<Sums> {
        pulp::Arch::new().dispatch(Pass::<N, FIXED> { job: self, range })
    }
}

/// The clusters of a chunk, in vector instructions.
struct Pass<'j, 'f, const N: usize, const FIXED: bool> {
    job: &'j Job<'f>,
    range: Range<usize>,
}

impl<const N: usize, const FIXED: bool> pulp::WithSimd for Pass<'_, '_, N, FIXED> {
    type Output = Result<Sums>;

    #[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Result<Sums> {
        // Without vectors there is nothing to unroll for, and a second copy of it all would be compiled for nobody.
        self.run(FIXED && S::F64_LANES > 1)
    }
}

impl<const N: usize, const FIXED: bool> Pass<'_, '_, N, FIXED> {
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn run(self, fixed: bool) -> Result<Sums> {
        let job = self.job;
        let (m, dim, width) = (job.m, job.dim, job.width);
        let mut sums = Sums::zero(job);
        let mut work = Work::new(job);
        let mut scores = vec![0.0; BATCH * width];
        let mut queue = vec![0.0; m * BATCH * dim];
        let (mut scored, mut queued) = (0, 0);
        let mut pace = Pace::new(&job.watcher);
        let step = job.step();
        if job.target == Target::Inverse {
            job.fit.gather(self.range.clone(), &mut work.moments);
        }
        for g in self.range {
            pace.by(step)?;
            let mut done = false;
            if FIXED && fixed {
                let mut into = Queue { values: &mut queue, at: queued, fourth: &mut sums.fourth };
                done = work.light::<N>(job, g, &mut into);
            }
            let class = if done { Class::Light } else { adjust(&mut work, job, g)? };
            sums.degenerate += usize::from(work.degenerate);
            if work.apart {
                sums.apart.push(work.score[..job.k].to_vec());
            } else {
                scores[scored * width..(scored + 1) * width].copy_from_slice(&work.score);
                scored += 1;
            }
            if scored == BATCH {
                add_cross_products(&scores, &scores, width, &mut sums.middle);
                scored = 0;
            }
            if m == 0 {
                continue;
            }
            for (c, &gamma) in work.gamma.iter().enumerate() {
                sums.trace[c] += gamma;
                sums.squares[c] += gamma * gamma;
            }
            if class == Class::Heavy {
                sums.heavy.push(work.q.clone());
                continue;
            }
            for c in 0..if done { 0 } else { m } {
                let q = &work.q[c * dim..(c + 1) * dim];
                let own = job.product(q, q);
                sums.fourth[c] += own * own;
                let place = (c * BATCH + queued) * dim;
                queue[place..place + dim].copy_from_slice(q);
            }
            queued += 1;
            if queued == BATCH {
                flush(&queue, m, dim, BATCH, &mut sums.outer);
                queued = 0;
            }
        }
        add_cross_products(&scores[..scored * width], &scores[..scored * width], width, &mut sums.middle);
        flush(&queue, m, dim, queued, &mut sums.outer);
        Ok(sums)
    }
}

/// As [`Work::adjust`], in vector instructions of its own: inlined into each of the loops above, it would be most of
/// their code.
fn adjust(work: &mut Work, job: &Job<'_>, g: usize) -> Result<Class> {
    pulp::Arch::new().dispatch(Adjust { work, job, g })
}

struct Adjust<'w, 'j, 'f> {
    work: &'w mut Work,
    job: &'j Job<'f>,
    g: usize,
}

impl pulp::WithSimd for Adjust<'_, '_, '_> {
    type Output = Result<Class>;

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Result<Class> {
        self.work.adjust(self.job, self.g)
    }
}

/// Adds the outer products of the first `rows` of every contrast.
#[allow(clippy::inline_always)]
#[inline(always)]
fn flush(queue: &[f64], m: usize, dim: usize, rows: usize, outer: &mut [f64]) {
    for c in 0..m {
        let some = &queue[c * BATCH * dim..(c * BATCH + rows) * dim];
        add_cross_products(some, some, dim, &mut outer[c * dim * dim..(c + 1) * dim * dim]);
    }
}
