//! What is asked of the clusters of a fit: a power, and contrasts as columns.

use super::least_norm::LeastNorm;
use super::powers::{Power, dot};
use crate::Result;
use crate::inference::fitted::{Fitted, LANE, Target};
use crate::inference::targets;
use crate::progress::{Watcher, watcher};

/// Clusters in a chunk of work, at most.
const CHUNK: usize = 256;
/// Rows in a chunk of work, about, where clusters are large.
const ROWS: usize = 16_384;

/// What is asked of the clusters of a fit.
pub(super) struct Job<'f> {
    pub fit: &'f dyn Fitted,
    pub power: Power,
    pub k: usize,
    /// k, padded.
    pub width: usize,
    /// Contrasts, and their number padded.
    pub m: usize,
    pub lanes: usize,
    /// The contrasts as columns, width x lanes by rows.
    pub u: Vec<f64>,
    /// The length of each contrast; degrees of freedom do not depend on it.
    pub length: Vec<f64>,
    pub count: usize,
    pub target: Target,
    /// For probability weights of a linear model: what the whole design says.
    pub identity: Option<targets::Whole>,
    /// For the power 1: what the model without a cluster is where the others do not determine it.
    pub least_norm: Option<LeastNorm>,
    /// The length of q, and the signs of its products.
    pub dim: usize,
    pub watcher: Watcher,
}

impl<'f> Job<'f> {
    /// What these contrasts, in whitened form, ask; of length 1 each where they are normalised.
    pub fn new(fit: &'f dyn Fitted, power: Power, contrasts: &[Vec<f64>], normalise: bool) -> Result<Self> {
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
        let least_norm = None;
        Ok(Self {
            fit,
            power,
            k,
            width,
            m,
            lanes,
            u,
            length,
            count,
            target,
            identity,
            least_norm,
            dim,
            watcher,
        })
    }

    /// With the least of all solutions where a cluster leaves a coefficient without information.
    pub fn of_least_norm(mut self) -> Self {
        self.least_norm = Some(LeastNorm::new(self.fit));
        self.dim = 2 * self.width;
        self
    }

    /// The sign of each product in `q_g' q_h`.
    pub fn sign(&self, j: usize) -> f64 {
        match (&self.identity, &self.least_norm) {
            (Some(whole), _) => whole.sign(j),
            (None, Some(_)) if j >= self.width => -1.0,
            _ => 1.0,
        }
    }

    /// `a'b` of two q, with signs.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn product(&self, a: &[f64], b: &[f64]) -> f64 {
        match (&self.identity, &self.least_norm) {
            (None, None) => dot(a, b),
            _ => a.iter().zip(b).enumerate().map(|(j, (a, b))| self.sign(j) * a * b).sum(),
        }
    }

    /// Clusters in a chunk; it depends on the data alone, so the bits do not depend on the threads.
    pub fn chunk(&self) -> usize {
        let rows = (ROWS * self.count / self.fit.n().max(1)).clamp(1, CHUNK);
        // Few chunks where their sums are large.
        let heavy = self.m * self.dim * self.dim > 50_000;
        if heavy { rows.max(self.count.div_ceil(32)) } else { rows }
    }

    /// Basic steps of one cluster, about.
    pub fn step(&self) -> usize {
        (1 + self.m) * self.dim * self.dim + self.k * self.k * self.k
    }
}
