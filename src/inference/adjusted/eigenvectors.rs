//! A cluster of large information, by eigenvectors: what it leaves to the others, to all its digits.

use nalgebra::{DMatrix, SymmetricEigen};

use super::cluster::{Class, HEAVY, SMALL, Work};
use super::job::Job;
use super::powers::Power;
use crate::inference::fitted::{Fitted, Moments};
use crate::inference::targets::Block;
use crate::{Fault, Result};

/// What must be left where the information of a cluster may be indefinite (ruled for Cox's model).
const LEFT: f64 = 1e-8;

impl Work {
    /// By the eigenvectors of M (r x r) or of L itself.
    #[inline(never)]
    pub fn by_eigenvectors(&mut self, job: &Job<'_>, g: usize, r: usize, factor: bool) -> Result<Class> {
        let (k, width, dim) = (job.k, job.width, job.dim);
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
        let nulls: Vec<&[f64]> =
            along.iter().filter(|(_, rest)| *rest <= singular).map(|(v, _)| v.as_slice()).collect();
        let solution = match &job.least_norm {
            Some(least_norm) if !nulls.is_empty() => Some(least_norm.without(&nulls, &mut self.score)),
            _ => None,
        };
        self.apart |= solution.is_some();
        self.gamma.fill(0.0);
        self.q.fill(0.0);
        for (c, (gamma, q)) in self.gamma.iter_mut().zip(self.q.chunks_exact_mut(dim)).enumerate() {
            let mut u: Vec<f64> = (0..k).map(|j| job.u[j * job.lanes + c]).collect();
            if let Some(solution) = &solution {
                let own = solution.own(&u);
                *gamma = own.iter().map(|p| p * p).sum();
                u.iter_mut().zip(&own).for_each(|(u, p)| *u -= p);
                q[width..width + k].copy_from_slice(&own);
            }
            for (v, rest) in along.iter().filter(|(_, rest)| *rest > singular) {
                let part: f64 = v.iter().zip(&u).map(|(v, u)| v * u).sum();
                // `B (L - L^2) B`, and `L B`.
                *gamma += (1.0 - rest) * rest * power(*rest).powi(2) * part * part;
                for (q, v) in q.iter_mut().zip(v) {
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
        Ok(if least < HEAVY || solution.is_some() { Class::Heavy } else { Class::Light })
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
