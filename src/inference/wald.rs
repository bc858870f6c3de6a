//! Joint tests that q contrasts are all zero.
//!
//! Under CR2 (and HC2) the test is HTZ: the quadratic form Q is referred to Hotelling's T-squared with degrees of
//! freedom eta that match the total variance of the covariance matrix, `F = (eta - q + 1) / (eta q) Q` on
//! (q, eta - q + 1). Otherwise `F = Q / q` on (q, df), chi-squared / q where the reference is normal.
//!
//! E. Tipton and J. E. Pustejovsky (2015), doi:10.3102/1076998615606099; Pustejovsky and Tipton (2018), section 5.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use ndarray::ArrayView2;

use super::cluster_adjusted::{Power, block};
use super::contrasts::check_width;
use super::vcov::{Covariance, DfRule, Vcov};
use super::{Clusters, Estimates};
use crate::dist;
use crate::linalg::DesignMatrix;
use crate::{Fault, Result};

/// A joint test.
#[derive(Debug, Clone)]
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
///
/// # Errors
/// [`crate::Error::Input`] for a matrix of the wrong width or an HTZ test with too few degrees of freedom;
/// [`crate::Error::Rank`] when the contrasts repeat each other or their covariance is singular.
pub fn wald(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    covariance: &Covariance,
    clusters: Option<&Clusters>,
    matrix: ArrayView2<'_, f64>,
) -> Result<Wald> {
    check_width(estimates, matrix)?;
    let q = matrix.nrows();
    let c = DMatrix::from_fn(q, estimates.k(), |a, j| matrix[(a, j)]);
    let v = DMatrix::from_fn(estimates.k(), estimates.k(), |a, b| covariance.matrix[(a, b)]);
    let b = &c * DVector::from_column_slice(&estimates.coef);
    let middle = &c * v * c.transpose();
    let solved = middle.clone().cholesky().filter(|l| {
        let d = l.l().diagonal();
        d.iter().zip(middle.diagonal().iter()).all(|(l, m)| l * l > 1e-12 * m)
    });
    let Some(solved) = solved else {
        return Err(Fault::new(format!("the covariance of these {q} contrasts is singular"))
            .remedy(
                "Test fewer terms at once: there are too few clusters, or the contrasts repeat each other",
            )
            .rank());
    };
    let form = b.dot(&solved.solve(&b));
    let qf = q as f64;
    let singletons;
    let groups = match (covariance.kind, covariance.rule, clusters) {
        (Vcov::Cr2, DfRule::Default, Some(g)) => Some(g),
        (Vcov::Hc2, DfRule::Default, _) if !estimates.normal_reference => {
            singletons = Clusters::singletons(estimates.n())?;
            Some(&singletons)
        }
        _ => None,
    };
    let Some(groups) = groups else {
        let df = covariance.df[0];
        let statistic = form / qf;
        let test = if df.is_infinite() { "Wald chi-squared / q" } else { "Wald F" };
        return Ok(Wald {
            statistic,
            df_num: qf,
            df_denom: df,
            p_value: dist::f_sf(statistic, qf, df),
            test,
        });
    };
    let eta = htz_df(x, estimates, groups, &c);
    let df = eta - qf + 1.0;
    if df <= 0.0 {
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

/// Hotelling's degrees of freedom, `q (q + 1) / sum_st Var(D_st)`, D being the covariance of the contrasts whitened
/// by its expectation under the working model.
fn htz_df(x: &DesignMatrix<'_>, estimates: &Estimates, clusters: &Clusters, c: &DMatrix<f64>) -> f64 {
    let q = c.nrows();
    let k = estimates.k();
    let mut u = DMatrix::zeros(k, q);
    for s in 0..q {
        let row: Vec<f64> = c.row(s).iter().copied().collect();
        u.set_column(s, &DVector::from_vec(estimates.whitened(&row)));
    }
    let blocks: Vec<_> =
        (0..clusters.count()).map(|g| block(x, estimates, clusters.rows(g), Power::Half)).collect();
    // The expectation of the covariance of the contrasts: sum_g d_g - q_g' q_g.
    let mut expected = DMatrix::zeros(q, q);
    for block in &blocks {
        let reach = &block.reach * &u;
        expected += u.transpose() * &block.spread * &u - reach.transpose() * reach;
    }
    let eigen = SymmetricEigen::new(expected);
    let mut half = eigen.eigenvectors.clone();
    for (mut column, &l) in half.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column *= 1.0 / l.max(f64::MIN_POSITIVE).sqrt();
    }
    let u = &u * half * eigen.eigenvectors.transpose();
    // Var(D_st) = sum_gh Gamma^ss Gamma^tt + Gamma^st Gamma^ts, with Gamma^st_gh = [g = h] d^st_g - q_g^s' q_h^t.
    let mut own = DMatrix::<f64>::zeros(q, q);
    let mut outer = vec![DMatrix::<f64>::zeros(k, k); q * q];
    for block in &blocks {
        let d = u.transpose() * &block.spread * &u;
        let reach = &block.reach * &u;
        let inner = reach.transpose() * &reach;
        for s in 0..q {
            for t in 0..q {
                own[(s, t)] += d[(s, s)] * d[(t, t)] - d[(s, s)] * inner[(t, t)] - d[(t, t)] * inner[(s, s)]
                    + d[(s, t)] * d[(s, t)]
                    - 2.0 * d[(s, t)] * inner[(s, t)];
                outer[s * q + t].ger(1.0, &reach.column(s), &reach.column(t), 1.0);
            }
        }
    }
    let mut total = own.sum();
    for s in 0..q {
        for t in 0..q {
            let st = &outer[s * q + t];
            total += st.norm_squared() + (st * st).trace();
        }
    }
    (q * (q + 1)) as f64 / total
}
