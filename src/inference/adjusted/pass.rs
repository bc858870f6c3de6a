//! The pass over all clusters: chunks of them on every thread, each in vector instructions, and their sums.

use rayon::prelude::*;

use super::cluster::{Class, Work};
use super::job::Job;
use super::light::{BATCH, Queue};
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
        let chunk = |c: usize| {
            let range = c * size..self.count.min((c + 1) * size);
            pulp::Arch::new().dispatch(Pass { job: self, range })
        };
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

/// The clusters of a chunk, in vector instructions.
struct Pass<'j, 'f> {
    job: &'j Job<'f>,
    range: std::ops::Range<usize>,
}

impl pulp::WithSimd for Pass<'_, '_> {
    type Output = Result<Sums>;

    #[allow(clippy::inline_always)] // Vector instructions reach only what is inlined into the dispatch.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Result<Sums> {
        let job = self.job;
        if job.target == Target::Inverse && job.m > 0 && job.lanes == job.width {
            // Loops whose length the compiler knows, for the usual numbers of coefficients.
            match job.width {
                4 => return self.run::<4>(true),
                8 => return self.run::<8>(true),
                12 => return self.run::<12>(true),
                16 => return self.run::<16>(true),
                _ => {}
            }
        }
        self.run::<LANE>(false)
    }
}

impl Pass<'_, '_> {
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn run<const N: usize>(self, fixed: bool) -> Result<Sums> {
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
            if fixed {
                let mut into = Queue { values: &mut queue, at: queued, fourth: &mut sums.fourth };
                done = work.light::<N>(job, g, &mut into);
            }
            let class = if done { Class::Light } else { work.adjust(job, g)? };
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

/// Adds the outer products of the first `rows` of every contrast.
#[allow(clippy::inline_always)]
#[inline(always)]
fn flush(queue: &[f64], m: usize, dim: usize, rows: usize, outer: &mut [f64]) {
    for c in 0..m {
        let some = &queue[c * BATCH * dim..(c * BATCH + rows) * dim];
        add_cross_products(some, some, dim, &mut outer[c * dim * dim..(c + 1) * dim * dim]);
    }
}
