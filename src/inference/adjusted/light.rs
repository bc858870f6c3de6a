//! Small clusters of small information, which families are: loops whose length the compiler knows.

use super::cluster::Work;
use super::job::Job;
use super::powers::{SERIES, dot_of, expansion, series_of};

/// Clusters whose products are added at once.
pub(super) const BATCH: usize = 32;

/// Where the clusters of a batch leave `q` of every contrast, one contrast after the other.
pub(super) struct Queue<'q> {
    pub values: &'q mut [f64],
    /// The place in the batch.
    pub at: usize,
    pub fourth: &'q mut [f64],
}

impl Work {
    /// A small cluster with small information, for N padded coefficients; false where it is neither.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn light<const N: usize>(&mut self, job: &Job<'_>, g: usize, queue: &mut Queue<'_>) -> bool {
        job.fit.moments(g, &mut self.moments);
        match self.moments.factor_rows() {
            None => self.light_matrix::<N>(job, queue),
            Some(r @ 1..=4) => self.light_factor::<N, 4>(job, r, queue),
            Some(r @ 5..=8) => self.light_factor::<N, 8>(job, r, queue),
            Some(_) => false,
        }
    }

    /// As [`Work::light`], for a cluster of `r` rows, at most MOST.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn light_factor<const N: usize, const MOST: usize>(
        &mut self,
        job: &Job<'_>,
        r: usize,
        queue: &mut Queue<'_>,
    ) -> bool {
        let (f, u) = (self.moments.matrix().as_chunks::<N>().0, job.u.as_chunks::<N>().0);
        let mut product = [[0.0; MOST]; MOST];
        let mut size = 0.0;
        for a in 0..r {
            for b in 0..=a {
                let value = dot_of(&f[a], &f[b]);
                (product[a][b], product[b][a]) = (value, value);
                size += value * value * if a == b { 1.0 } else { 2.0 };
            }
        }
        let size = size.sqrt();
        if size.is_nan() || size > SERIES {
            return false;
        }
        let phi = series_of::<MOST>(&product, r, size, job.power);
        self.degenerate = false;
        self.apart = false;
        self.block = None;
        let (t, _) = self.moments.padded_score().as_chunks::<N>();
        let mut carried = [0.0; MOST];
        for a in 0..r {
            carried[a] = dot_of(&f[a], &t[0]);
        }
        let mut score = t[0];
        for a in 0..r {
            let weight: f64 = (0..r).map(|b| phi[a][b] * carried[b]).sum();
            for j in 0..N {
                score[j] += weight * f[a][j];
            }
        }
        self.score.copy_from_slice(&score);
        let (mut projected, mut turned, mut full) = ([[0.0; N]; MOST], [[0.0; N]; MOST], [[0.0; N]; MOST]);
        for a in 0..r {
            let mut sum = [0.0; N];
            for (value, u) in f[a].iter().zip(u) {
                for c in 0..N {
                    sum[c] += value * u[c];
                }
            }
            projected[a] = sum;
        }
        for a in 0..r {
            for b in 0..r {
                for c in 0..N {
                    turned[a][c] += phi[a][b] * projected[b][c];
                }
            }
        }
        for a in 0..r {
            full[a] = projected[a];
            for b in 0..r {
                for c in 0..N {
                    full[a][c] += product[a][b] * turned[b][c];
                }
            }
        }
        let mut gamma = [0.0; N];
        for row in &projected[..r] {
            for c in 0..N {
                gamma[c] += row[c] * row[c];
            }
        }
        self.gamma.copy_from_slice(&gamma[..job.m]);
        for c in 0..job.m {
            let mut q = [0.0; N];
            for (f, full) in f[..r].iter().zip(&full) {
                for j in 0..N {
                    q[j] += full[c] * f[j];
                }
            }
            let own = dot_of(&q, &q);
            queue.fourth[c] += own * own;
            let place = (c * BATCH + queue.at) * N;
            queue.values[place..place + N].copy_from_slice(&q);
        }
        true
    }

    /// As [`Work::light`], for a cluster whose information is a matrix: `q = (I + phi L) L u`.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn light_matrix<const N: usize>(&mut self, job: &Job<'_>, queue: &mut Queue<'_>) -> bool {
        let k = job.k;
        let (l, u) = (self.moments.matrix().as_chunks::<N>().0, job.u.as_chunks::<N>().0);
        let size = l.as_flattened().iter().map(|v| v * v).sum::<f64>().sqrt();
        if size.is_nan() || size > SERIES {
            return false;
        }
        self.degenerate = false;
        self.apart = false;
        self.block = None;
        // All of it is polynomials in L times a block of columns: the contrasts, and the score.
        let times = |from: &[[f64; N]; N]| {
            let mut to = [[0.0; N]; N];
            for a in 0..k {
                let mut sum = [0.0; N];
                for b in 0..k {
                    for c in 0..N {
                        sum[c] += l[a][b] * from[b][c];
                    }
                }
                to[a] = sum;
            }
            to
        };
        let mut columns = [[0.0; N]; N];
        columns[..k].copy_from_slice(&u[..k]);
        let first = times(&columns);
        let (coefficient, terms) = expansion(size, job.power);
        // (I - L)^{-p} = sum of c_j L^j, by Horner's rule, times L U and times t.
        let scaled = |from: &[[f64; N]; N], factor: f64| from.map(|row| row.map(|value| factor * value));
        let mut all = scaled(&first, coefficient[terms + 1]);
        let t = self.moments.score();
        let mut score = [0.0; N];
        for a in 0..k {
            score[a] = coefficient[terms + 1] * t[a];
        }
        for j in (0..=terms).rev() {
            all = times(&all);
            let mut next = [0.0; N];
            for a in 0..k {
                next[a] = coefficient[j] * t[a] + dot_of(&l[a], &score);
                for c in 0..N {
                    all[a][c] += coefficient[j] * first[a][c];
                }
            }
            score = next;
        }
        self.score.copy_from_slice(&score);
        let mut gamma = [0.0; N];
        for a in 0..k {
            for c in 0..N {
                gamma[c] += columns[a][c] * first[a][c];
            }
        }
        self.gamma.copy_from_slice(&gamma[..job.m]);
        for c in 0..job.m {
            let place = (c * BATCH + queue.at) * N;
            let mut q = [0.0; N];
            for a in 0..k {
                q[a] = all[a][c];
            }
            let own = dot_of(&q, &q);
            queue.fourth[c] += own * own;
            queue.values[place..place + N].copy_from_slice(&q);
        }
        true
    }
}
