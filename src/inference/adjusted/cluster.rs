//! One cluster at a time: its adjusted score, and what it gives to the degrees of freedom of contrasts.

use super::job::Job;
use super::powers::{Power, SERIES, add, dot, series};
use crate::Result;
use crate::inference::fitted::{ClusterRows, Moments, Target};
use crate::inference::targets::{self, Block};
use crate::progress::Pace;

/// Eigenvalues of `I - L_g` below this are summed from the other clusters.
pub(super) const SMALL: f64 = 1e-3;
/// Clusters with an eigenvalue of `I - L_g` below this take part in sums over pairs one by one.
pub(super) const HEAVY: f64 = 0.02;

/// How a cluster enters sums over pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Light,
    Heavy,
}

/// One cluster at a time, and the space it is worked out in.
pub(super) struct Work {
    pub moments: Moments,
    rows: ClusterRows,
    pub product: Vec<f64>,
    phi: Vec<f64>,
    spare: Vec<f64>,
    projected: Vec<f64>,
    carried: Vec<f64>,
    /// The adjusted score, padded.
    pub score: Vec<f64>,
    /// `q` of every contrast, m x dim (padded) by rows.
    pub q: Vec<f64>,
    /// `Gamma_gg` of every contrast.
    pub gamma: Vec<f64>,
    pub degenerate: bool,
    /// Whether the score is kept by itself, since a sum with others would lose what they say.
    pub apart: bool,
    /// What `Gamma_gg` is made of, where it is not the factor or the matrix itself.
    pub block: Option<Block>,
}

impl Job<'_> {
    /// Visits every cluster in order, on one thread.
    pub fn each_cluster(&self, mut visit: impl FnMut(&Work, Class) -> Result<()>) -> Result<()> {
        let mut work = Work::new(self);
        let mut pace = Pace::new(&self.watcher);
        for g in 0..self.count {
            pace.by(self.step())?;
            let class = work.adjust(self, g)?;
            visit(&work, class)?;
        }
        Ok(())
    }
}

impl Work {
    /// Space for one cluster of a job.
    pub fn new(job: &Job<'_>) -> Self {
        Self {
            moments: Moments::new(job.k),
            rows: ClusterRows::default(),
            product: Vec::new(),
            phi: Vec::new(),
            spare: Vec::new(),
            projected: Vec::new(),
            carried: Vec::new(),
            score: vec![0.0; job.width],
            q: vec![0.0; job.m * job.dim],
            gamma: vec![0.0; job.m],
            degenerate: false,
            apart: false,
            block: None,
        }
    }

    /// Works out the adjusted score of cluster `g`, and `q` and `Gamma` of every contrast.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn adjust(&mut self, job: &Job<'_>, g: usize) -> Result<Class> {
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
        for (c, (gamma, q)) in self.gamma.iter_mut().zip(self.q.chunks_exact_mut(job.dim)).enumerate() {
            q.fill(0.0);
            add(q, row(0), self.carried[c]);
            *gamma = self.projected[c] * self.projected[c];
            for i in 1..r {
                let value = self.projected[i * lanes + c];
                *gamma += value * value;
                add(q, row(i), self.carried[i * lanes + c]);
            }
        }
        self.weigh(job);
        Ok(Class::Light)
    }

    /// Under the power 1 `Gamma_gg` is `u' L B u = u'q`.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn weigh(&mut self, job: &Job<'_>) {
        if job.power == Power::Half {
            return;
        }
        for (c, (gamma, q)) in self.gamma.iter_mut().zip(self.q.chunks_exact(job.dim)).enumerate() {
            *gamma = q[..job.k].iter().enumerate().map(|(j, q)| q * job.u[j * job.lanes + c]).sum();
        }
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
        for (c, (gamma, q)) in self.gamma.iter_mut().zip(self.q.chunks_exact_mut(job.dim)).enumerate() {
            q.fill(0.0);
            *gamma = 0.0;
            for (j, q) in q.iter_mut().enumerate().take(k) {
                let at = j * lanes + c;
                *gamma += job.u[at] * self.projected[at];
                *q = self.projected[at] + self.carried[at];
            }
        }
        self.weigh(job);
        Ok(Class::Light)
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
    pub fn own(&self, job: &Job<'_>) -> Vec<f64> {
        let contrast = |c: usize| -> Vec<f64> { (0..job.k).map(|j| job.u[j * job.lanes + c]).collect() };
        let u: Vec<Vec<f64>> = (0..job.m).map(contrast).collect();
        match &self.block {
            None => self.moments.along(&u),
            Some(block) => (0..job.m * job.m).map(|at| block.form(&u[at / job.m], &u[at % job.m])).collect(),
        }
    }
}
