//! Hotelling's degrees of freedom of contrasts taken together.

use nalgebra::{DMatrix, SymmetricEigen};

use super::cluster::Class;
use super::job::Job;
use super::powers::Power;
use crate::Result;
use crate::inference::fitted::Fitted;
use crate::progress::Pace;

/// Hotelling's degrees of freedom `q (q + 1) / sum_st Var(D_st)` of q contrasts whose whitened forms are orthonormal, D
/// being their covariance whitened by its expectation under the working model, and that expectation, q x q.
///
/// `Var(D_st) = sum_gh Gamma^ss Gamma^tt + Gamma^st Gamma^ts`, with `Gamma^st_gg = u_s' L_g u_t` and
/// `Gamma^st_gh = -q_g^s' q_h^t`. E. Tipton and J. E. Pustejovsky (2015), doi:10.3102/1076998615606099.
pub(crate) fn hotelling(fit: &dyn Fitted, contrasts: &[Vec<f64>]) -> Result<f64> {
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

impl Job<'_> {
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
