//! What a cluster-level analysis compares: one number a cluster.
//!
//! The first stage is a regression of rows on their covariates, without the arm; of each cluster it leaves the mean outcome
//! `O_g`, the mean `E_g` that its covariates lead one to expect, and the residual `O_g - E_g`. The second stage compares the
//! residuals of clusters between arms as a t-test does, or the ratios `O_g / E_g` of a yes-or-no outcome. Without covariates
//! `O_g` itself is compared. Where the covariates separate a yes-or-no outcome, as they do in many small trials, the first stage
//! takes Firth's penalty, so that there is always an answer.
//!
//! R. J. Hayes and L. H. Moulton (2017), Cluster Randomised Trials, 2nd edition, chapters 10 and 11; J. A. Thompson et al.
//! (2022), doi:10.1186/s12874-022-01699-2, for few clusters and yes-or-no outcomes.

use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use super::family::Family;
use super::{Penalty, glm, ols};
use crate::inference::Clusters;
use crate::linalg::DesignMatrix;
use crate::linalg::matrix::{bad_rows, not_finite};
use crate::{Error, Fault, Result};

/// Means of clusters; G clusters, in the order of their codes.
///
/// ```
/// use crewe::inference::Clusters;
/// use crewe::regression::cluster_level::summarise;
/// use ndarray::array;
/// let schools = Clusters::new(&[0, 0, 1, 1, 1])?;
/// let found = summarise(array![1.0, 0.0, 1.0, 1.0, 0.0].view(), "passed", None, &schools)?;
/// assert_eq!((found.sizes, found.observed[0], found.binary), (vec![2.0, 3.0], 0.5, true));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClusterMeans {
    /// Rows of each cluster, length G.
    pub sizes: Vec<f64>,
    /// The mean outcome of each, length G.
    pub observed: Vec<f64>,
    /// The mean that the first stage expects, length G; that of all rows without covariates.
    pub expected: Vec<f64>,
    /// The first row of each cluster, length G.
    pub first: Vec<u32>,
    /// The mean of all rows.
    pub mean: f64,
    /// Whether the outcome is 0 or 1 in every row, so that the first stage was logistic.
    pub binary: bool,
    /// Whether the covariates separate the outcome, so that the first stage took Firth's penalty.
    pub penalised: bool,
}

/// The means of clusters, and what the covariates of their rows lead one to expect.
///
/// The first stage is logistic for an outcome of 0s and 1s (with Firth's penalty where the covariates separate it), and
/// linear for any other.
///
/// # Errors
/// [`crate::Error::Input`] for lengths that differ and values that are not finite, and as [`ols::fit`] and [`glm::fit`] for
/// the first stage, but for separation.
pub fn summarise(
    y: ArrayView1<'_, f64>,
    y_name: &str,
    covariates: Option<&DesignMatrix<'_>>,
    clusters: &Clusters,
) -> Result<ClusterMeans> {
    let clusters = clusters.checked(y.len())?;
    let bad = bad_rows(y);
    if !bad.is_empty() {
        return Err(not_finite(y_name, y, &bad));
    }
    let zeros = y.iter().filter(|v| **v == 0.0).count();
    let ones = y.iter().filter(|v| **v == 1.0).count();
    let binary = zeros + ones == y.len() && zeros > 0 && ones > 0;
    let mean = y.sum() / y.len() as f64;
    let mut penalised = false;
    let fitted = match covariates {
        None => None,
        Some(x) if binary => {
            let found = match glm::fit(Family::LOGIT, x, y, y_name, None, None) {
                Err(Error::Separation(_)) => {
                    penalised = true;
                    glm::fit(Family::LOGIT, x, y, y_name, None, Some(Penalty::Firth))
                }
                found => found,
            };
            Some(found?.estimates.residuals)
        }
        Some(x) => Some(ols::fit(x, y, y_name, None)?.estimates.residuals),
    };
    let (mut sizes, mut observed, mut expected, mut first) = (vec![], vec![], vec![], vec![]);
    for g in 0..clusters.count() {
        let rows = clusters.rows(g);
        let size = rows.len() as f64;
        let over = |value: &dyn Fn(usize) -> f64| rows.iter().map(|&i| value(i as usize)).sum::<f64>() / size;
        let mean_of = over(&|i| y[i]);
        sizes.push(size);
        observed.push(mean_of);
        expected.push(fitted.as_ref().map_or(mean, |residuals| mean_of - over(&|i| residuals[i])));
        first.push(rows[0]);
    }
    Ok(ClusterMeans { sizes, observed, expected, first, mean, binary, penalised })
}

/// Whether each column of `x` is the same for all rows of every cluster, length p.
///
/// # Errors
/// [`crate::Error::Input`] for another number of rows than cluster codes.
///
/// ```
/// use crewe::inference::Clusters;
/// use crewe::regression::cluster_level::constant_within;
/// use ndarray::array;
/// let schools = Clusters::new(&[0, 0, 1])?;
/// let x = array![[1.0, 2.0], [1.0, 3.0], [0.0, 2.0]];
/// assert_eq!(constant_within(x.view(), &schools)?, [true, false]);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn constant_within(x: ArrayView2<'_, f64>, clusters: &Clusters) -> Result<Vec<bool>> {
    let clusters = clusters.checked(x.nrows())?;
    Ok(x.columns()
        .into_iter()
        .map(|column| {
            (0..clusters.count()).all(|g| {
                let rows = clusters.rows(g);
                rows.iter().all(|&i| column[i as usize] == column[rows[0] as usize])
            })
        })
        .collect())
}

/// The ratio of what was observed to what was expected in each cluster, length G.
///
/// # Errors
/// [`crate::Error::Input`] for an outcome that is not 0 or 1: a ratio of its means depends on where its scale begins.
pub fn ratios(means: &ClusterMeans) -> Result<Vec<f64>> {
    if !means.binary {
        return Err(Fault::new("a ratio is defined for a yes-or-no outcome")
            .remedy("Read the difference, or code the outcome as 0 and 1")
            .input());
    }
    Ok(means.observed.iter().zip(&means.expected).map(|(o, e)| o / e).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn residuals_of_the_first_stage_are_averaged() {
        let clusters = Clusters::new(&[0, 0, 1, 1]).unwrap();
        let (y, x) = (array![1.0, 2.0, 4.0, 9.0], array![[0.0], [1.0], [2.0], [3.0]]);
        let found = summarise(y.view(), "y", Some(&DesignMatrix::new(x.view(), true)), &clusters).unwrap();
        // Least squares: 0.1 + 2.6 x.
        assert!((found.expected[0] - 1.4).abs() < 1e-12 && (found.expected[1] - 6.6).abs() < 1e-12);
        assert!(!found.binary && ratios(&found).is_err());
    }

    #[test]
    fn a_first_stage_that_is_separated_takes_the_penalty() {
        let clusters = Clusters::new(&[0, 0, 1, 1, 2, 2, 3, 3]).unwrap();
        let y = array![0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0];
        // Nobody with x = 0 has the outcome: half an event more in every cell.
        let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
        let found = summarise(y.view(), "y", Some(&DesignMatrix::new(x.view(), true)), &clusters).unwrap();
        assert!(found.penalised);
        let expected = [0.1, 0.1, 0.7, 0.7];
        assert!(found.expected.iter().zip(expected).all(|(e, known)| (e - known).abs() < 1e-9), "{found:?}");
        let overlap = array![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0];
        let design = DesignMatrix::new(x.view(), true);
        assert!(!summarise(overlap.view(), "y", Some(&design), &clusters).unwrap().penalised);
    }
}
