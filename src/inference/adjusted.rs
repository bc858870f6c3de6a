//! Bias-reduced linearisation (CR2), CR3 and Satterthwaite degrees of freedom, in k x k algebra.
//!
//! With the whitened score `t_g` and information `L_g` of cluster g the adjusted score is `B_g t_g`,
//! `B_g = (I - L_g)^{-p}`, p = 1/2 for CR2 and 1 for CR3 and the jackknife. Where L_g is the product F'F of a factor of
//! r rows, `M = F F'` is only r x r and `B_g = I + F' phi(M) F`, with `phi(l) = ((1 - l)^{-p} - 1) / l`. In families
//! `M` is small, and phi is a short power series; else it comes from eigenvectors.
//!
//! For a contrast whose whitened form is u the variance is `sum_g (u' B_g t_g)^2`. Under the working model with
//! independent errors its moments follow from `Gamma_gg = u' L_g u` and, between clusters, `Gamma_gh = -q_g' q_h` with
//! `q_g = L_g B_g u`, and the Satterthwaite degrees of freedom are `(tr Gamma)^2 / sum_gh Gamma_gh^2`. The sum over pairs
//! is `|| sum_g q_g q_g' ||^2 - sum_g |q_g|^4`: no n_g x n_g, no G x G. The diagonal is not taken as
//! `u' B L B u - q'q`, which cancels where a cluster determines a coefficient nearly by itself. There q_g is long too, and
//! such clusters take their part in the sum over pairs one by one.
//!
//! What a cluster leaves to the others, an eigenvalue r of `I - L_g`, decides its weight `r^{-p}`. Where it is small it is
//! taken as the sum of what the other clusters have in that direction, to all its digits, and not as a difference from
//! 1; below [`Fitted::resolution`] it counts as 0, and its inverse power too (Moore and Penrose). Such a cluster has a score near 0, which
//! is taken from residuals with more digits, and an adjusted score far above all others, which is kept apart from their
//! sum: the variances of the coefficients that it does not determine would drown in it.
//!
//! Bell and McCaffrey (2002); Pustejovsky and Tipton (2018), doi:10.1080/07350015.2016.1247004, section 4.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;
use rayon::prelude::*;

use super::fitted::{ClusterRows, Fitted, LANE, Moments, Target};
use super::targets::{self, Block};
use crate::linalg::gram::add_cross_products;
use crate::progress::{Pace, Watcher, watcher};
use crate::{Fault, Result};

/// The inverse power of `I - L_g` that adjusts the score of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    /// CR2.
    Half,
    /// CR3 and the jackknife.
    One,
}

/// Eigenvalues of `I - L_g` below this are summed from the other clusters.
const SMALL: f64 = 1e-3;
/// Clusters with an eigenvalue of `I - L_g` below this take part in sums over pairs one by one.
const HEAVY: f64 = 0.02;
/// What must be left where the information of a cluster may be indefinite (ruled for Cox's model).
const LEFT: f64 = 1e-8;
/// The size of M up to which its power series is taken.
const SERIES: f64 = 0.2;
/// Clusters in a chunk of work, at most.
const CHUNK: usize = 256;
/// Rows in a chunk of work, about, where clusters are large.
const ROWS: usize = 16_384;
/// Clusters whose products are added at once.
const BATCH: usize = 32;
/// Numbers in the outer products of the contrasts that are worked on at once.
const OUTER: usize = 250_000;

/// The middle of the sandwich of adjusted scores, in whitened columns.
pub(super) struct Adjusted {
    /// `sum_g s_g s_g'`, k x k, without those that are apart.
    pub middle: Array2<f64>,
    /// The adjusted scores of clusters that determine a coefficient nearly by themselves, each of length k.
    pub apart: Vec<Vec<f64>>,
    /// Clusters that determine a coefficient by themselves.
    pub degenerate: usize,
}

/// The adjusted middle.
pub(super) fn adjusted(fit: &dyn Fitted, power: Power) -> Result<Adjusted> {
    let k = fit.bread().k();
    let job = Job::new(fit, power, &[], true)?;
    let total = job.sums()?;
    let width = job.width;
    let middle = Array2::from_shape_fn((k, k), |(a, b)| total.middle[a.min(b) * width + a.max(b)]);
    Ok(Adjusted { middle, apart: total.apart, degenerate: total.degenerate })
}

/// The adjusted middle under CR2 with the Satterthwaite degrees of freedom of contrasts in whitened form, in one pass.
pub(super) fn with_degrees(fit: &dyn Fitted, contrasts: &[Vec<f64>]) -> Result<(Adjusted, Vec<f64>)> {
    let k = fit.bread().k();
    let width = k.next_multiple_of(LANE);
    let at_once = (OUTER / (width * width)).max(1);
    let mut first = None;
    let mut df = Vec::with_capacity(contrasts.len());
    let lists: Vec<&[Vec<f64>]> =
        if contrasts.is_empty() { vec![contrasts] } else { contrasts.chunks(at_once).collect() };
    for some in lists {
        let job = Job::new(fit, Power::Half, some, true)?;
        let total = job.sums()?;
        df.extend(job.degrees(&total)?);
        if first.is_none() {
            let width = job.width;
            let middle = Array2::from_shape_fn((k, k), |(a, b)| total.middle[a.min(b) * width + a.max(b)]);
            first = Some(Adjusted { middle, apart: total.apart, degenerate: total.degenerate });
        }
    }
    // The list holds at least one element, so the first pass has been made.
    let first =
        first.unwrap_or_else(|| Adjusted { middle: Array2::zeros((k, k)), apart: Vec::new(), degenerate: 0 });
    Ok((first, df))
}

/// The Satterthwaite degrees of freedom of contrasts in whitened form, under CR2.
pub(super) fn satterthwaite(fit: &dyn Fitted, contrasts: &[Vec<f64>]) -> Result<Vec<f64>> {
    if contrasts.is_empty() {
        return Ok(Vec::new());
    }
    Ok(with_degrees(fit, contrasts)?.1)
}

/// Hotelling's degrees of freedom `q (q + 1) / sum_st Var(D_st)` of q contrasts whose whitened forms are orthonormal, D
/// being their covariance whitened by its expectation under the working model, and that expectation, q x q.
///
/// `Var(D_st) = sum_gh Gamma^ss Gamma^tt + Gamma^st Gamma^ts`, with `Gamma^st_gg = u_s' L_g u_t` and
/// `Gamma^st_gh = -q_g^s' q_h^t`. E. Tipton and J. E. Pustejovsky (2015), doi:10.3102/1076998615606099.
pub(super) fn hotelling(fit: &dyn Fitted, contrasts: &[Vec<f64>]) -> Result<f64> {
    let q = contrasts.len();
    // The expectation is the identity but where a cluster determines a combination by itself.
    let expected = expectation(fit, contrasts)?;
    let eigen = SymmetricEigen::new(expected);
    if eigen.eigenvalues.iter().any(|&l| l.is_nan() || l <= 1e-10) {
        return Ok(f64::NAN);
    }
    let mut half = eigen.eigenvectors.clone();
    for (mut column, &l) in half.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column /= l.sqrt();
    }
    let root = half * eigen.eigenvectors.transpose();
    let k = fit.bread().k();
    let turned: Vec<Vec<f64>> = (0..q)
        .map(|s| (0..k).map(|j| (0..q).map(|t| contrasts[t][j] * root[(t, s)]).sum()).collect())
        .collect();
    let job = Job::new(fit, Power::Half, &turned, false)?;
    let total = job.joint()?;
    Ok((q * (q + 1)) as f64 / total)
}

/// `sum_g Gamma^st_gg`, q x q.
fn expectation(fit: &dyn Fitted, contrasts: &[Vec<f64>]) -> Result<DMatrix<f64>> {
    let q = contrasts.len();
    let job = Job::new(fit, Power::Half, contrasts, false)?;
    let mut expected = DMatrix::zeros(q, q);
    job.each_cluster(|work, _| {
        let own = work.own(&job);
        for s in 0..q {
            for t in 0..q {
                expected[(s, t)] += own[s * q + t];
            }
        }
        Ok(())
    })?;
    Ok(expected)
}

/// What is asked of the clusters of a fit.
struct Job<'f> {
    fit: &'f dyn Fitted,
    power: Power,
    k: usize,
    /// k, padded.
    width: usize,
    /// Contrasts, and their number padded.
    m: usize,
    lanes: usize,
    /// The contrasts as columns, width x lanes by rows.
    u: Vec<f64>,
    /// The length of each contrast; degrees of freedom do not depend on it.
    length: Vec<f64>,
    count: usize,
    target: Target,
    /// For probability weights of a linear model: what the whole design says.
    identity: Option<targets::Whole>,
    /// The length of q, and the signs of its products.
    dim: usize,
    watcher: Watcher,
}

/// How a cluster enters sums over pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Light,
    Heavy,
}

/// One cluster at a time, and the space it is worked out in.
struct Work {
    moments: Moments,
    rows: ClusterRows,
    product: Vec<f64>,
    phi: Vec<f64>,
    spare: Vec<f64>,
    projected: Vec<f64>,
    carried: Vec<f64>,
    /// The adjusted score, padded.
    score: Vec<f64>,
    /// `q` of every contrast, m x dim (padded) by rows.
    q: Vec<f64>,
    /// `Gamma_gg` of every contrast.
    gamma: Vec<f64>,
    degenerate: bool,
    /// Whether the score is kept by itself, since a sum with others would lose what they say.
    apart: bool,
    /// What `Gamma_gg` is made of, where it is not the factor or the matrix itself.
    block: Option<Block>,
}

struct Sums {
    middle: Vec<f64>,
    trace: Vec<f64>,
    squares: Vec<f64>,
    /// `sum of (q'q)^2` over light clusters.
    fourth: Vec<f64>,
    /// `sum of q q'` over light clusters, m x dim x dim.
    outer: Vec<f64>,
    heavy: Vec<Vec<f64>>,
    apart: Vec<Vec<f64>>,
    degenerate: usize,
}

impl<'f> Job<'f> {
    fn new(fit: &'f dyn Fitted, power: Power, contrasts: &[Vec<f64>], normalise: bool) -> Result<Self> {
        let k = fit.bread().k();
        let width = k.next_multiple_of(LANE);
        let m = contrasts.len();
        let lanes = m.next_multiple_of(LANE);
        let length: Vec<f64> =
            contrasts.iter().map(|u| u.iter().map(|v| v * v).sum::<f64>().sqrt()).collect();
        let mut u = vec![0.0; width * lanes];
        for (c, (contrast, &length)) in contrasts.iter().zip(&length).enumerate() {
            for (j, value) in contrast.iter().enumerate() {
                u[j * lanes + c] = if normalise && length > 0.0 { value / length } else { *value };
            }
        }
        let target = match (power, fit.rows()) {
            (Power::Half, Some(rows)) => rows.target(),
            _ => Target::Inverse,
        };
        let identity = match (target, fit.rows()) {
            (Target::Identity, Some(rows)) => Some(targets::Whole::new(rows)?),
            _ => None,
        };
        let dim = if identity.is_some() { (2 * k).next_multiple_of(LANE) } else { width };
        let count = fit.clusters().unwrap_or(fit.n());
        let watcher = watcher();
        Ok(Self { fit, power, k, width, m, lanes, u, length, count, target, identity, dim, watcher })
    }

    fn work(&self) -> Work {
        Work {
            moments: Moments::new(self.k),
            rows: ClusterRows::default(),
            product: Vec::new(),
            phi: Vec::new(),
            spare: Vec::new(),
            projected: Vec::new(),
            carried: Vec::new(),
            score: vec![0.0; self.width],
            q: vec![0.0; self.m * self.dim],
            gamma: vec![0.0; self.m],
            degenerate: false,
            apart: false,
            block: None,
        }
    }

    /// The sign of each product in `q_g' q_h`.
    fn sign(&self, j: usize) -> f64 {
        self.identity.as_ref().map_or(1.0, |whole| whole.sign(j))
    }

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn product(&self, a: &[f64], b: &[f64]) -> f64 {
        match &self.identity {
            None => dot(a, b),
            Some(_) => a.iter().zip(b).enumerate().map(|(j, (a, b))| self.sign(j) * a * b).sum(),
        }
    }

    /// Clusters in a chunk; it depends on the data alone, so the bits do not depend on the threads.
    fn chunk(&self) -> usize {
        let rows = (ROWS * self.count / self.fit.n().max(1)).clamp(1, CHUNK);
        // Few chunks where their sums are large.
        let heavy = self.m * self.dim * self.dim > 50_000;
        if heavy { rows.max(self.count.div_ceil(32)) } else { rows }
    }

    fn sums(&self) -> Result<Sums> {
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

    /// Basic steps of one cluster, about.
    fn step(&self) -> usize {
        (1 + self.m) * self.dim * self.dim + self.k * self.k * self.k
    }

    /// Visits every cluster in order, on one thread.
    fn each_cluster(&self, mut visit: impl FnMut(&Work, Class) -> Result<()>) -> Result<()> {
        let mut work = self.work();
        let mut pace = Pace::new(&self.watcher);
        for g in 0..self.count {
            pace.by(self.step())?;
            let class = work.adjust(self, g)?;
            visit(&work, class)?;
        }
        Ok(())
    }

    /// The degrees of freedom of each contrast.
    fn degrees(&self, total: &Sums) -> Result<Vec<f64>> {
        let mut pairs: Vec<f64> = (0..self.m)
            .map(|c| {
                let outer = &total.outer[c * self.dim * self.dim..(c + 1) * self.dim * self.dim];
                (norm(outer, self.dim, |j| self.sign(j)) - total.fourth[c]).max(0.0)
            })
            .collect();
        let mut pace = Pace::new(&self.watcher);
        if !total.heavy.is_empty() {
            let row = |q: &[f64], c: usize| q[c * self.dim..(c + 1) * self.dim].to_vec();
            for (a, one) in total.heavy.iter().enumerate() {
                for other in &total.heavy[..a] {
                    pace.by(self.m * self.dim)?;
                    for (c, pairs) in pairs.iter_mut().enumerate() {
                        let product = self.product(&row(one, c), &row(other, c));
                        *pairs += 2.0 * product * product;
                    }
                }
            }
            self.each_cluster(|work, class| {
                if class == Class::Heavy {
                    return Ok(());
                }
                for heavy in &total.heavy {
                    pace.by(self.m * self.dim)?;
                    for (c, pairs) in pairs.iter_mut().enumerate() {
                        let range = c * self.dim..(c + 1) * self.dim;
                        let product = self.product(&heavy[range.clone()], &work.q[range]);
                        *pairs += 2.0 * product * product;
                    }
                }
                Ok(())
            })?;
        }
        Ok((0..self.m)
            .map(|c| {
                if self.length[c] == 0.0 {
                    return f64::NAN;
                }
                let df = total.trace[c] * total.trace[c] / (total.squares[c] + pairs[c]);
                at_least_one(df)
            })
            .collect())
    }

    /// `sum_st Var(D_st)` of contrasts taken together.
    fn joint(&self) -> Result<f64> {
        let (q, dim) = (self.m, self.dim);
        let spread = |n: &[f64]| {
            let trace: f64 = (0..q).map(|s| n[s * q + s]).sum();
            let square: f64 = (0..q).map(|s| (0..q).map(|t| n[s * q + t] * n[t * q + s]).sum::<f64>()).sum();
            trace * trace + square
        };
        let between = |a: &[f64], b: &[f64]| -> Vec<f64> {
            (0..q * q).map(|at| self.product(&a[at / q * dim..][..dim], &b[at % q * dim..][..dim])).collect()
        };
        let mut total = 0.0;
        let mut light = 0.0;
        let mut outer = vec![DMatrix::<f64>::zeros(dim, dim); q * q];
        let mut heavy: Vec<Vec<f64>> = Vec::new();
        let mut pace = Pace::new(&self.watcher);
        self.each_cluster(|work, class| {
            pace.by(q * q * dim * dim)?;
            total += spread(&work.own(self));
            if class == Class::Heavy {
                heavy.push(work.q.clone());
                return Ok(());
            }
            light -= spread(&between(&work.q, &work.q));
            for s in 0..q {
                for t in 0..q {
                    let outer = &mut outer[s * q + t];
                    for a in 0..dim {
                        for b in 0..dim {
                            outer[(a, b)] += work.q[s * dim + a] * work.q[t * dim + b];
                        }
                    }
                }
            }
            Ok(())
        })?;
        for block in &mut outer {
            for b in 0..dim {
                let sign = self.sign(b);
                block.column_mut(b).scale_mut(sign);
            }
        }
        // The products are those of q, so their signs come once for every index that is summed over.
        for s in 0..q {
            for t in 0..q {
                pace.by(dim * dim * dim)?;
                let (st, ts) = (&outer[s * q + t], &outer[t * q + s]);
                light += (st * ts).trace() + (st * st).trace();
            }
        }
        total += light.max(0.0);
        for (a, one) in heavy.iter().enumerate() {
            for other in &heavy[..a] {
                pace.by(q * q * dim)?;
                total += 2.0 * spread(&between(one, other));
            }
        }
        if !heavy.is_empty() {
            self.each_cluster(|work, class| {
                if class == Class::Light {
                    for one in &heavy {
                        pace.by(q * q * dim)?;
                        total += 2.0 * spread(&between(one, &work.q));
                    }
                }
                Ok(())
            })?;
        }
        Ok(total)
    }
}

/// Degrees of freedom are never below 1; what rounding takes off is given back, and what is not a number stays so.
pub(super) fn at_least_one(df: f64) -> f64 {
    if df >= 1.0 {
        df
    } else if df >= 1.0 - 1e-6 {
        1.0
    } else {
        f64::NAN
    }
}

/// The squared norm of a symmetric matrix given by its upper tiles, with signs.
fn norm(upper: &[f64], dim: usize, sign: impl Fn(usize) -> f64) -> f64 {
    (0..dim)
        .map(|a| {
            let own = upper[a * dim + a];
            let row: f64 =
                (a + 1..dim).map(|b| sign(a) * sign(b) * upper[a * dim + b] * upper[a * dim + b]).sum();
            own * own + 2.0 * row
        })
        .sum()
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

/// Where the clusters of a batch leave `q` of every contrast, one contrast after the other.
struct Queue<'q> {
    values: &'q mut [f64],
    /// The place in the batch.
    at: usize,
    fourth: &'q mut [f64],
}

impl Pass<'_, '_> {
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn run<const N: usize>(self, fixed: bool) -> Result<Sums> {
        let job = self.job;
        let (m, dim, width) = (job.m, job.dim, job.width);
        let mut sums = Sums::zero(job);
        let mut work = job.work();
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

impl Work {
    /// Works out the adjusted score of cluster `g`, and `q` and `Gamma` of every contrast.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn adjust(&mut self, job: &Job<'_>, g: usize) -> Result<Class> {
        self.degenerate = false;
        self.apart = false;
        self.block = None;
        if job.target != Target::Inverse {
            return Ok(self.by_rows(job, g));
        }
        job.fit.moments(g, &mut self.moments);
        let class = match self.moments.factor_rows() {
            Some(rows) => self.by_factor(job, g, rows)?,
            None => self.by_matrix(job, g)?,
        };
        Ok(class)
    }

    /// A small cluster with small information, for N padded coefficients; false where it is neither.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn light<const N: usize>(&mut self, job: &Job<'_>, g: usize, queue: &mut Queue<'_>) -> bool {
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

    /// By a factor of `r` rows.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn by_factor(&mut self, job: &Job<'_>, g: usize, r: usize) -> Result<Class> {
        let (width, lanes) = (job.width, job.lanes);
        let f = self.moments.matrix();
        let row = |i: usize| &f[i * width..(i + 1) * width];
        self.product.clear();
        self.product.resize(r * r, 0.0);
        let mut size = 0.0;
        for a in 0..r {
            for b in 0..=a {
                let value = dot(row(a), row(b));
                self.product[a * r + b] = value;
                self.product[b * r + a] = value;
                size += value * value * if a == b { 1.0 } else { 2.0 };
            }
        }
        if size.sqrt() > SERIES {
            return self.by_eigenvectors(job, g, r, true);
        }
        series(&self.product, r, r, size.sqrt(), job.power, &mut self.phi, &mut self.spare);
        let (phi, product) = (&self.phi, &self.product);
        // The score: t + F' phi F t.
        let t = self.moments.padded_score();
        self.carried.clear();
        self.carried.resize(r, 0.0);
        for (to, i) in self.carried.iter_mut().zip(0..r) {
            *to = dot(row(i), t);
        }
        self.score.copy_from_slice(t);
        for a in 0..r {
            let weight: f64 = (0..r).map(|b| phi[a * r + b] * self.carried[b]).sum();
            add(&mut self.score, row(a), weight);
        }
        if job.m == 0 {
            return Ok(Class::Light);
        }
        if r == 0 {
            self.gamma.fill(0.0);
            self.q.fill(0.0);
            return Ok(Class::Light);
        }
        // F U, then (I + M phi) F U, then F' of it.
        self.projected.clear();
        self.projected.resize(r * lanes, 0.0);
        for (to, i) in self.projected.chunks_exact_mut(lanes).zip(0..r) {
            for (&value, u) in row(i)[..job.k].iter().zip(job.u.chunks_exact(lanes)) {
                add(to, u, value);
            }
        }
        self.spare.clear();
        self.spare.resize(r * lanes, 0.0);
        for (a, to) in self.spare.chunks_exact_mut(lanes).enumerate() {
            for b in 0..r {
                add(to, &self.projected[b * lanes..(b + 1) * lanes], phi[a * r + b]);
            }
        }
        self.carried.clear();
        self.carried.extend_from_slice(&self.projected);
        for (a, to) in self.carried.chunks_exact_mut(lanes).enumerate() {
            for b in 0..r {
                add(to, &self.spare[b * lanes..(b + 1) * lanes], product[a * r + b]);
            }
        }
        for (c, (gamma, q)) in self.gamma.iter_mut().zip(self.q.chunks_exact_mut(width)).enumerate() {
            q.fill(0.0);
            add(q, row(0), self.carried[c]);
            *gamma = self.projected[c] * self.projected[c];
            for i in 1..r {
                let value = self.projected[i * lanes + c];
                *gamma += value * value;
                add(q, row(i), self.carried[i * lanes + c]);
            }
        }
        Ok(Class::Light)
    }

    /// By the k x k matrix.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn by_matrix(&mut self, job: &Job<'_>, g: usize) -> Result<Class> {
        let (k, width, lanes) = (job.k, job.width, job.lanes);
        let l = self.moments.matrix();
        let size = l.iter().map(|v| v * v).sum::<f64>().sqrt();
        if size.is_nan() || size > SERIES {
            return self.by_eigenvectors(job, g, k, false);
        }
        series(l, k, width, size, job.power, &mut self.phi, &mut self.spare);
        let phi = &self.phi;
        // (I + L phi) t, and (I + phi L) L U.
        let t = self.moments.padded_score();
        self.carried.clear();
        self.carried.resize(width, 0.0);
        for (to, row) in self.carried.iter_mut().zip(phi.chunks_exact(width)).take(k) {
            *to = dot(row, t);
        }
        self.score.copy_from_slice(t);
        for (to, row) in self.score.iter_mut().zip(l.chunks_exact(width)).take(k) {
            *to += dot(row, &self.carried);
        }
        if job.m == 0 {
            return Ok(Class::Light);
        }
        let times = |matrix: &[f64], from: &[f64], to: &mut Vec<f64>| {
            to.clear();
            to.resize(width * lanes, 0.0);
            for (to, row) in to.chunks_exact_mut(lanes).zip(matrix.chunks_exact(width)).take(k) {
                for (&value, from) in row[..k].iter().zip(from.chunks_exact(lanes)) {
                    add(to, from, value);
                }
            }
        };
        times(l, &job.u, &mut self.projected);
        times(l, &self.projected, &mut self.spare);
        times(phi, &self.spare, &mut self.carried);
        for (c, (gamma, q)) in self.gamma.iter_mut().zip(self.q.chunks_exact_mut(width)).enumerate() {
            *gamma = 0.0;
            for (j, q) in q.iter_mut().enumerate().take(k) {
                let at = j * lanes + c;
                *gamma += job.u[at] * self.projected[at];
                *q = self.projected[at] + self.carried[at];
            }
        }
        Ok(Class::Light)
    }

    /// By the eigenvectors of M (r x r) or of L itself.
    #[inline(never)]
    fn by_eigenvectors(&mut self, job: &Job<'_>, g: usize, r: usize, factor: bool) -> Result<Class> {
        let (k, width) = (job.k, job.width);
        let singular = job.fit.resolution();
        let stride = if factor { r } else { width };
        let matrix = if factor { &self.product[..] } else { self.moments.matrix() };
        let eigen = SymmetricEigen::new(DMatrix::from_fn(r, r, |a, b| matrix[a * stride + b]));
        // The directions of the whitened columns, and what the cluster leaves along each.
        let mut along: Vec<(Vec<f64>, f64)> = Vec::with_capacity(r);
        for (column, &l) in eigen.eigenvectors.column_iter().zip(eigen.eigenvalues.iter()) {
            let v = if factor {
                if l <= 0.0 {
                    continue;
                }
                let mut v = vec![0.0; k];
                for (i, &weight) in column.iter().enumerate() {
                    for (v, f) in v.iter_mut().zip(&self.moments.matrix()[i * width..]) {
                        *v += weight * f;
                    }
                }
                let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
                if length == 0.0 {
                    continue;
                }
                v.iter_mut().for_each(|v| *v /= length);
                v
            } else {
                column.iter().copied().collect()
            };
            along.push((v, 1.0 - l));
        }
        if !job.fit.is_definite() {
            if let Some((_, rest)) = along.iter().find(|(_, rest)| rest.is_nan() || *rest <= LEFT) {
                return Err(Fault::new(format!(
                    "the correction for few clusters is not estimable: without one of {} clusters the others leave \
                     {rest:.1e} of the information in some direction",
                    job.count
                ))
                .remedy("Take the jackknife or the uncorrected sandwich (CR0)")
                .input());
            }
        } else if along.iter().any(|(_, rest)| *rest < SMALL) {
            let (small, rest): (Vec<_>, Vec<_>) = along.into_iter().partition(|(_, rest)| *rest < SMALL);
            along = rest;
            let directions = small.into_iter().map(|(v, _)| v).collect();
            along.extend(from_the_others(job.fit, g, job.count, directions, 0));
            // The moments were those of other clusters in between.
            job.fit.moments(g, &mut self.moments);
        }
        let power = |rest: f64| match job.power {
            _ if rest <= singular => 0.0,
            Power::Half => 1.0 / rest.sqrt(),
            Power::One => 1.0 / rest,
        };
        self.degenerate = along.iter().any(|(_, rest)| *rest <= singular);
        let least = along.iter().map(|(_, rest)| *rest).filter(|rest| *rest > singular).fold(1.0, f64::min);
        self.score.copy_from_slice(self.moments.padded_score());
        self.apart = least < SMALL;
        let sharp = if self.apart { job.fit.sharp_score(g) } else { None };
        if let Some(sharp) = &sharp {
            self.score[..k].copy_from_slice(sharp);
        }
        let score = sharp.as_deref().unwrap_or(self.moments.score());
        for (v, rest) in &along {
            let part: f64 = v.iter().zip(score).map(|(v, t)| v * t).sum();
            for (s, v) in self.score.iter_mut().zip(v) {
                *s += (power(*rest) - 1.0) * part * v;
            }
        }
        self.gamma.fill(0.0);
        self.q.fill(0.0);
        for (v, rest) in &along {
            if *rest <= singular {
                continue;
            }
            for c in 0..job.m {
                let part: f64 = v.iter().enumerate().map(|(j, v)| v * job.u[j * job.lanes + c]).sum();
                self.gamma[c] += (1.0 - rest) * part * part;
                for (q, v) in self.q[c * width..].iter_mut().zip(v) {
                    *q += (1.0 - rest) * power(*rest) * part * v;
                }
            }
        }
        // What Gamma is made of, for joint tests.
        let mut own = DMatrix::zeros(k, k);
        for (v, rest) in along.iter().filter(|(_, rest)| *rest > singular) {
            for a in 0..k {
                for b in 0..k {
                    own[(a, b)] += (1.0 - rest) * v[a] * v[b];
                }
            }
        }
        self.block = Some(Block::of_own(own));
        Ok(if least < HEAVY { Class::Heavy } else { Class::Light })
    }

    /// By rows, where their weights are not the inverse of the working variance.
    #[inline(never)]
    fn by_rows(&mut self, job: &Job<'_>, g: usize) -> Class {
        let Some(rows) = job.fit.rows() else { return Class::Light };
        rows.cluster(g, &mut self.rows);
        let block = match &job.identity {
            Some(whole) => targets::identity(&self.rows, job.k, whole),
            None => targets::variance(&self.rows, job.k),
        };
        self.degenerate = block.degenerate;
        self.apart = block.rest < SMALL;
        self.score.fill(0.0);
        self.score[..job.k].copy_from_slice(block.score.as_slice());
        self.q.fill(0.0);
        for c in 0..job.m {
            let u: Vec<f64> = (0..job.k).map(|j| job.u[j * job.lanes + c]).collect();
            self.gamma[c] = block.form(&u, &u);
            for (q, value) in self.q[c * job.dim..].iter_mut().zip(block.reach(&u)) {
                *q = value;
            }
        }
        let class = if block.rest < HEAVY { Class::Heavy } else { Class::Light };
        self.block = Some(block);
        class
    }

    /// `u_s' L_g u_t` of the contrasts, m x m by rows.
    fn own(&self, job: &Job<'_>) -> Vec<f64> {
        let contrast = |c: usize| -> Vec<f64> { (0..job.k).map(|j| job.u[j * job.lanes + c]).collect() };
        let u: Vec<Vec<f64>> = (0..job.m).map(contrast).collect();
        match &self.block {
            None => self.moments.along(&u),
            Some(block) => (0..job.m * job.m).map(|at| block.form(&u[at / job.m], &u[at % job.m])).collect(),
        }
    }
}

/// What cluster `g` leaves along directions in which it leaves little: their part in all other clusters, to all its
/// digits. What is small beside the rest of it is looked at again, by itself.
fn from_the_others(
    fit: &dyn Fitted,
    g: usize,
    count: usize,
    directions: Vec<Vec<f64>>,
    depth: usize,
) -> Vec<(Vec<f64>, f64)> {
    let m = directions.len();
    let mut total = DMatrix::<f64>::zeros(m, m);
    let mut into = Moments::new(fit.bread().k());
    for h in (0..count).filter(|&h| h != g) {
        let part = fit.along(h, &directions, &mut into);
        for a in 0..m {
            for b in 0..m {
                total[(a, b)] += part[a * m + b];
            }
        }
    }
    if m == 1 {
        return directions.into_iter().map(|v| (v, total[(0, 0)])).collect();
    }
    let eigen = SymmetricEigen::new(total);
    let turned = |column: usize| -> Vec<f64> {
        let mut v = vec![0.0; directions[0].len()];
        for (direction, &weight) in directions.iter().zip(eigen.eigenvectors.column(column).iter()) {
            v.iter_mut().zip(direction).for_each(|(v, d)| *v += weight * d);
        }
        v
    };
    let most = eigen.eigenvalues.iter().fold(0.0_f64, |most, l| most.max(*l));
    let (small, large): (Vec<usize>, Vec<usize>) = (0..m).partition(|&j| eigen.eigenvalues[j] < SMALL * most);
    let mut found: Vec<(Vec<f64>, f64)> =
        large.into_iter().map(|j| (turned(j), eigen.eigenvalues[j])).collect();
    let small: Vec<Vec<f64>> = small.into_iter().map(turned).collect();
    if small.is_empty() {
        return found;
    }
    if depth > 8 {
        found.extend(small.into_iter().map(|v| (v, 0.0)));
    } else {
        found.extend(from_the_others(fit, g, count, small, depth + 1));
    }
    found
}

/// `phi(M) = ((I - M)^{-p} - I) M^{-1}` by its power series, for an M of Frobenius norm `size`; M and the result have
/// `stride` values a row.
#[allow(clippy::inline_always)]
#[inline(always)]
fn series(
    m: &[f64],
    r: usize,
    stride: usize,
    size: f64,
    power: Power,
    out: &mut Vec<f64>,
    spare: &mut Vec<f64>,
) {
    let (coefficient, terms) = expansion(size, power);
    out.clear();
    out.resize(r * stride, 0.0);
    for a in 0..r {
        out[a * stride + a] = coefficient[terms + 1];
    }
    if stride == r {
        spare.clear();
        spare.resize(r * r, 0.0);
        for j in (1..=terms).rev() {
            for (row, to) in m.chunks_exact(r).zip(spare.chunks_exact_mut(r)) {
                for (c, to) in to.iter_mut().enumerate() {
                    *to = row.iter().zip(out.chunks_exact(r)).map(|(m, out)| m * out[c]).sum();
                }
            }
            for a in 0..r {
                spare[a * r + a] += coefficient[j];
            }
            std::mem::swap(out, spare);
        }
        return;
    }
    for j in (1..=terms).rev() {
        spare.clear();
        spare.resize(r * stride, 0.0);
        for (a, to) in spare.chunks_exact_mut(stride).enumerate() {
            for b in 0..r {
                add(to, &out[b * stride..(b + 1) * stride], m[a * stride + b]);
            }
            to[a] += coefficient[j];
        }
        std::mem::swap(out, spare);
    }
}

/// The coefficients of `(1 - x)^{-p}`, and the terms that count for a matrix of this size.
#[allow(clippy::inline_always)]
#[inline(always)]
fn expansion(size: f64, power: Power) -> ([f64; 43], usize) {
    let mut terms = 1;
    let mut rest = size;
    while rest > 1e-17 && terms < 40 {
        rest *= size;
        terms += 1;
    }
    (if power == Power::Half { HALF } else { ONE }, terms)
}

const ONE: [f64; 43] = [1.0; 43];
const HALF: [f64; 43] = {
    let mut coefficient = [1.0; 43];
    let mut j = 1;
    while j < 43 {
        coefficient[j] = coefficient[j - 1] * (2.0 * j as f64 - 1.0) / (2.0 * j as f64);
        j += 1;
    }
    coefficient
};

/// As [`series`], for r of at most N rows.
#[allow(clippy::inline_always)]
#[inline(always)]
fn series_of<const N: usize>(m: &[[f64; N]; N], r: usize, size: f64, power: Power) -> [[f64; N]; N] {
    let (coefficient, terms) = expansion(size, power);
    let mut out = [[0.0; N]; N];
    for a in 0..r {
        out[a][a] = coefficient[terms + 1];
    }
    for j in (1..=terms).rev() {
        let mut next = [[0.0; N]; N];
        for a in 0..r {
            for b in 0..r {
                for c in 0..r {
                    next[a][c] += m[a][b] * out[b][c];
                }
            }
            next[a][a] += coefficient[j];
        }
        out = next;
    }
    out
}

#[allow(clippy::inline_always)]
#[inline(always)]
fn dot_of<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    let mut lanes = [0.0; LANE];
    for j in 0..N {
        lanes[j % LANE] += a[j] * b[j];
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

#[allow(clippy::inline_always)]
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANE];
    for (a, b) in a.as_chunks::<LANE>().0.iter().zip(b.as_chunks::<LANE>().0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

/// Adds `weight` times `from`, both padded to whole lanes.
#[allow(clippy::inline_always)]
#[inline(always)]
fn add(to: &mut [f64], from: &[f64], weight: f64) {
    for (to, from) in to.as_chunks_mut::<LANE>().0.iter_mut().zip(from.as_chunks::<LANE>().0) {
        // Read whole, written whole: the compiler need not ask whether the two overlap.
        let (mut sum, from) = (*to, *from);
        for (sum, from) in sum.iter_mut().zip(from) {
            *sum += weight * from;
        }
        *to = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_the_power() {
        let m = DMatrix::from_fn(3, 3, |a, b| 0.05 / (1.0 + (a as f64 - b as f64).abs()));
        let flat: Vec<f64> = (0..9).map(|at| m[(at / 3, at % 3)]).collect();
        let eigen = SymmetricEigen::new(m.clone());
        for power in [Power::Half, Power::One] {
            let (mut out, mut spare) = (Vec::new(), Vec::new());
            series(&flat, 3, 3, m.norm(), power, &mut out, &mut spare);
            let phi = DMatrix::from_row_slice(3, 3, &out);
            let got = DMatrix::identity(3, 3) + &m * phi;
            let p = if power == Power::Half { -0.5 } else { -1.0 };
            let want = &eigen.eigenvectors
                * DMatrix::from_diagonal(&eigen.eigenvalues.map(|l: f64| (1.0 - l).powf(p)))
                * eigen.eigenvectors.transpose();
            assert!((got - want).amax() < 1e-15);
        }
    }
}
