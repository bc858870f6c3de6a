//! The coefficient of the arm where columns of the model differ within units, or the variance looks at rows.

use ndarray::{Array1, Array2};

use super::by_unit::Coefficient;
use super::members::Sorted;
use crate::design::LEFT_OUT;
use crate::inference::{Clusters, Vcov};
use crate::regression::Ols;
use crate::{Fault, Result};

/// Fits the model of the columns and, last, the arm to the rows of units that were not left out.
pub(super) fn fit(rows: &Sorted, arm: &[u8], y: &[f64], kind: Vcov) -> Result<Option<Coefficient>> {
    let kept: Vec<usize> = (0..y.len()).filter(|&row| arm[rows.unit[row] as usize] != LEFT_OUT).collect();
    let width = rows.covariates.ncols();
    let mut x = Array2::zeros((kept.len(), width + 1));
    for (place, &row) in kept.iter().enumerate() {
        for (j, &value) in rows.covariates.row(row).iter().enumerate() {
            x[(place, j)] = value;
        }
        x[(place, width)] = f64::from(arm[rows.unit[row] as usize]);
    }
    let outcomes: Array1<f64> = kept.iter().map(|&row| y[row]).collect();
    let codes: Vec<u32> = kept
        .iter()
        .map(|&row| rows.clusters.as_ref().map_or(rows.unit[row], |clusters| clusters[row]))
        .collect();
    let clusters = Clusters::new(&codes)?;
    let fit = Ols::new(outcomes.view(), x.view()).fit()?;
    let covariance = fit.vcov(kind, kind.is_clustered().then_some(&clusters))?;
    let last = width + 1;
    let variance = covariance.matrix()[(last, last)];
    let (estimate, df) = (fit.coef()[last], covariance.df()?[last]);
    let known = variance > 0.0 && variance.is_finite() && df.is_finite();
    Ok(known.then(|| Coefficient { estimate, std_error: variance.sqrt(), df }))
}

/// The fault of a variance that needs rows in a trial without any.
pub(super) fn needs_rows(kind: Vcov) -> crate::Error {
    Fault::new(format!("{kind} looks at rows, and a distribution of sizes has none"))
        .values([kind.name()])
        .remedy("Use CR0, CR1, CR1S, CR2 or CR3, or give a frame with a row a member")
        .input()
}
