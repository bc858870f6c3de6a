//! Covariates that explain a stated share of an outcome's variance.
//!
//! A normal score with variance 1 and correlation `icc` within clusters is made of standard normal parts,
//!
//! ```text
//! v_gi = sqrt(icc) (sum_j sqrt(r2_j) X_gj + sqrt(1 - sum_j r2_j) u_g)
//!      + sqrt(1 - icc) (sum_k sqrt(r2_k) x_gik + sqrt(1 - sum_k r2_k) e_gi)
//! ```
//!
//! with covariates of clusters `X` and of members `x`: each explains its share of the variance of its own level.

use super::generator::{Covariate, Groups};
use crate::rng::Stream;
use crate::{Fault, Result};

/// Refuses shares that nobody could explain.
pub fn check(covariates: &[Covariate], icc: f64) -> Result<()> {
    let shares = [true, false]
        .map(|cluster| covariates.iter().filter(|one| one.cluster == cluster).map(|one| one.r2).sum::<f64>());
    let wrong = covariates.iter().any(|one| !(one.r2 >= 0.0 && one.r2 <= 1.0));
    if wrong || shares.iter().any(|share| *share > 1.0 + 1e-12) {
        return Err(Fault::new(
            "covariates explain shares from 0 to 1 of the variance of their level, together at most 1",
        )
        .values(covariates.iter().map(|one| one.r2.to_string()))
        .remedy("Give R\u{b2} such as 0.3")
        .input());
    }
    if !covariates.is_empty() && icc < 0.0 {
        return Err(Fault::new("an outcome with covariates has an intracluster correlation of at least 0")
            .values([icc.to_string()])
            .remedy("Give an ICC from 0 to 1, or no covariates")
            .input());
    }
    Ok(())
}

/// Draws scores of all rows with their covariates, a column each, and tells the score of each with its unit.
pub fn scores(
    groups: &Groups<'_>,
    (icc, covariates): (f64, &[Covariate]),
    stream: &mut Stream,
    beside: &mut [Vec<f64>],
    mut tell: impl FnMut(usize, usize, f64),
) {
    let left = |cluster: bool| {
        let explained: f64 = covariates.iter().filter(|one| one.cluster == cluster).map(|one| one.r2).sum();
        (1.0 - explained).max(0.0).sqrt()
    };
    let (between, within) = (icc.max(0.0).sqrt(), (1.0 - icc).max(0.0).sqrt());
    let (of_cluster, of_member) = (left(true), left(false));
    for unit in 0..groups.units() {
        let rows = groups.rows(unit);
        if rows.is_empty() {
            continue;
        }
        let mut shared = of_cluster * stream.normal();
        for (one, column) in covariates.iter().zip(beside.iter_mut()).filter(|(one, _)| one.cluster) {
            let value = stream.normal();
            column[rows.clone()].fill(value);
            shared += one.r2.sqrt() * value;
        }
        for row in rows {
            let mut own = of_member * stream.normal();
            for (one, column) in covariates.iter().zip(beside.iter_mut()).filter(|(one, _)| !one.cluster) {
                column[row] = stream.normal();
                own += one.r2.sqrt() * column[row];
            }
            tell(unit, row, between * shared + within * own);
        }
    }
}
