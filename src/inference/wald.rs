//! Joint tests that q contrasts are all zero.
//!
//! The test depends on the space of the contrasts alone, so an orthonormal basis of their whitened forms is tested, which
//! costs no digits whatever the units of the covariates: with `u` its k x q matrix, the whitened coefficients w and the
//! middle M of the sandwich the quadratic form is `Q = w'u (u'M u)^{-1} u'w`.
//!
//! Under CR2 (and HC2) the test is HTZ: Q is referred to Hotelling's T-squared with degrees of freedom eta that match the
//! total variance of the covariance matrix, `F = (eta - q + 1) / (eta q) Q` on (q, eta - q + 1). Otherwise `F = Q / q` on
//! (q, df), chi-squared / q where the reference is normal; more contrasts than degrees of freedom of clusters are refused.
//! Under Hansen's jackknife a single contrast has its own law, `a^2 Q` on (1, K); of several V5 is taken as it is, on
//! (q, G - 1), which is cautious, since V5 is expected to be too large.
//!
//! E. Tipton and J. E. Pustejovsky (2015), doi:10.3102/1076998615606099; Pustejovsky and Tipton (2018), section 5.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use ndarray::ArrayView2;
use serde::Serialize;

use super::components::Components;
use super::covariance::Covariance;
use super::vcov::{Vcov, fixed_degrees};
use super::{adjusted, rows};
use crate::dist;
use crate::{Fault, Result};

/// The part of a contrast that is new beside the others, relative to its length, below which it repeats them.
const REPEATS: f64 = 1e-11;
/// An eigenvalue of the covariance of the contrasts, scaled to a unit diagonal, below which it has a lower rank.
const SHORT: f64 = 1e-11;

/// A joint test.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Wald {
    /// The F statistic.
    pub statistic: f64,
    /// Numerator degrees of freedom, q.
    pub df_num: f64,
    /// Denominator degrees of freedom.
    pub df_denom: f64,
    /// The upper tail.
    pub p_value: f64,
    /// The name of the test.
    pub test: &'static str,
}

/// Tests that every row of `matrix` (q x k) gives zero.
pub(super) fn wald(covariance: &Covariance<'_>, matrix: ArrayView2<'_, f64>) -> Result<Wald> {
    let fit = covariance.fit();
    let bread = fit.bread();
    let q = matrix.nrows();
    let basis = orthonormal(
        matrix.outer_iter().map(|row| bread.direction(&bread.centre_contrast(&row.to_vec()))).collect(),
    )?;
    let (basis, apart) = towards(basis, covariance.apart());
    let b = DVector::from_iterator(
        q,
        basis.iter().map(|u| u.iter().zip(bread.whitened_coef()).map(|(u, w)| u * w).sum::<f64>()),
    );
    let middle = covariance.middle();
    let carried: Vec<Vec<f64>> = basis
        .iter()
        .map(|u| middle.outer_iter().map(|row| row.iter().zip(u).map(|(m, u)| m * u).sum()).collect())
        .collect();
    let spread = DMatrix::from_fn(q, q, |s, t| {
        0.5 * (basis[s].iter().zip(&carried[t]).map(|(u, c)| u * c).sum::<f64>()
            + basis[t].iter().zip(&carried[s]).map(|(u, c)| u * c).sum::<f64>())
    }) + &apart * apart.transpose();
    let form = quadratic(&spread, &b).ok_or_else(|| {
        Fault::new(format!("the covariance of these {q} contrasts is singular"))
            .remedy(
                "Test fewer terms at once: there are too few clusters, or the model fits their rows exactly",
            )
            .rank()
    })?;
    let qf = q as f64;
    let mut shared = fixed_degrees(fit, covariance.kind(), covariance.rule());
    if covariance.kind() == Vcov::Hansen && shared.is_none() {
        if let [direction] = basis.as_slice() {
            return of_hansen(covariance, direction, form);
        }
        shared = fit.cluster_degrees();
    }
    if let Some(df) = shared {
        // Refits and corrected scores need not add up to 0, so that their covariance has more directions than are free: F
        // would be referred to fewer numbers than it is made of.
        if let (true, Some(count)) = (covariance.kind().is_clustered() && df < qf, fit.clusters()) {
            return Err(Fault::new(format!(
                "a joint test of {q} contrasts needs {q} degrees of freedom, and {count} clusters leave {df}"
            ))
            .remedy("Test fewer terms at once, or use a randomisation test")
            .input());
        }
        let statistic = form / qf;
        let test = if df.is_infinite() { "Wald chi-squared / q" } else { "Wald F" };
        return Ok(Wald {
            statistic,
            df_num: qf,
            df_denom: df,
            p_value: dist::f_sf(statistic, qf, df),
            test,
        });
    }
    if let (true, Some(components)) = (covariance.kind().is_of_mixed_models(), fit.components()) {
        return of_mixed(covariance, components, &basis, form);
    }
    let eta = match (fit.rows(), covariance.rests()) {
        (Some(rows), Some(rests)) => rows::hotelling(rows, rests, &basis)?,
        _ => adjusted::hotelling(fit, &basis)?,
    };
    let df = eta - qf + 1.0;
    if df.is_nan() || df <= 0.0 {
        return Err(Fault::new(format!(
            "a joint test of {q} contrasts needs more than {} degrees of freedom, and there are {eta:.1}",
            q - 1
        ))
        .remedy("Test fewer terms at once, or use a randomisation test")
        .input());
    }
    let statistic = df / (eta * qf) * form;
    Ok(Wald { statistic, df_num: qf, df_denom: df, p_value: dist::f_sf(statistic, qf, df), test: "HTZ" })
}

/// The square of the t of one contrast under Hansen's jackknife.
fn of_hansen(covariance: &Covariance<'_>, direction: &[f64], form: f64) -> Result<Wald> {
    let law = covariance.law_of(direction)?;
    let statistic = law.scale.powi(2) * form;
    Ok(Wald {
        statistic,
        df_num: 1.0,
        df_denom: law.df,
        p_value: dist::f_sf(statistic, 1.0, law.df),
        test: "Hansen F",
    })
}

/// Kenward and Roger's scaled F; a single contrast under Satterthwaite.
fn of_mixed(
    covariance: &Covariance<'_>,
    components: &Components,
    basis: &[Vec<f64>],
    form: f64,
) -> Result<Wald> {
    let q = basis.len();
    if covariance.kind() == Vcov::KenwardRoger {
        let (factor, df) = components.joint(basis);
        let statistic = factor * form / q as f64;
        let p_value = dist::f_sf(statistic, q as f64, df);
        return Ok(Wald { statistic, df_num: q as f64, df_denom: df, p_value, test: "Kenward-Roger F" });
    }
    if q > 1 {
        return Err(Fault::new(
            "Satterthwaite's degrees of freedom of a joint test depend on how it is written",
        )
        .remedy("Test jointly under 'kenward-roger'")
        .input());
    }
    let df = components.degrees(basis, true)[0];
    Ok(Wald {
        statistic: form,
        df_num: 1.0,
        df_denom: df,
        p_value: dist::f_sf(form, 1.0, df),
        test: "Satterthwaite F",
    })
}

/// `b' V^{-1} b`, V scaled to a unit diagonal; nothing where its rank is short.
pub(crate) fn quadratic(spread: &DMatrix<f64>, b: &DVector<f64>) -> Option<f64> {
    let scale: Vec<f64> = spread.diagonal().iter().map(|v| v.sqrt()).collect();
    if scale.iter().any(|s| s.is_nan() || *s <= 0.0) {
        return None;
    }
    let q = b.len();
    let scaled = DMatrix::from_fn(q, q, |s, t| spread[(s, t)] / (scale[s] * scale[t]));
    let eigen = SymmetricEigen::new(scaled);
    if eigen.eigenvalues.iter().any(|l| l.is_nan() || *l <= SHORT) {
        return None;
    }
    let b = DVector::from_fn(q, |s, _| b[s] / scale[s]);
    let turned = eigen.eigenvectors.tr_mul(&b);
    Some(turned.iter().zip(eigen.eigenvalues.iter()).map(|(b, l)| b * b / l).sum())
}

/// An orthonormal basis turned towards the scores that are apart, and the parts of these in it, q x m: they are so much
/// larger than others that a direction across them must not hold any of theirs.
fn towards(basis: Vec<Vec<f64>>, apart: &[Vec<f64>]) -> (Vec<Vec<f64>>, DMatrix<f64>) {
    let q = basis.len();
    let part = |u: &[f64], score: &[f64]| u.iter().zip(score).map(|(u, s)| u * s).sum::<f64>();
    let parts = DMatrix::from_fn(q, apart.len(), |s, g| part(&basis[s], &apart[g]));
    if apart.is_empty() {
        return (basis, parts);
    }
    let turn = SymmetricEigen::new(&parts * parts.transpose()).eigenvectors;
    let turned = |t: usize| -> Vec<f64> {
        (0..basis[0].len()).map(|j| (0..q).map(|s| turn[(s, t)] * basis[s][j]).sum()).collect()
    };
    ((0..q).map(turned).collect(), turn.tr_mul(&parts))
}

/// An orthonormal basis of directions, in their order.
pub(crate) fn orthonormal(directions: Vec<Vec<f64>>) -> Result<Vec<Vec<f64>>> {
    let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(directions.len());
    for (s, mut v) in directions.into_iter().enumerate() {
        // Scaled first, so that neither large nor small weights over- or underflow.
        let most = v.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        if most == 0.0 {
            return Err(Fault::new("the weights of a contrast are all 0")
                .rows([s])
                .remedy("Leave it out of the joint test")
                .rank());
        }
        v.iter_mut().for_each(|v| *v /= most);
        let before = length(&v);
        // Twice, so that what rounding left is taken off too.
        for _ in 0..2 {
            for u in &basis {
                let part: f64 = u.iter().zip(&v).map(|(u, v)| u * v).sum();
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= part * u);
            }
        }
        let after = length(&v);
        if after.is_nan() || after <= REPEATS * before {
            return Err(Fault::new("the contrasts of a joint test repeat each other")
                .rows([s])
                .remedy("Leave out the contrast that the ones before it already say")
                .rank());
        }
        v.iter_mut().for_each(|v| *v /= after);
        basis.push(v);
    }
    Ok(basis)
}
