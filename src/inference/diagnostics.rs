//! How much a fit rests on single clusters.
//!
//! With the whitened information `L_g` of cluster g its leverage is `tr L_g`: the leverages add up to k. The partial leverage
//! for coefficient j, whose direction is u, is `u'L_g u / u'u`: the share of what is known of j, beside the other terms, that
//! comes from g; the shares add up to 1. The effective number of clusters is `G* = G / (1 + cv^2)`, with cv the coefficient of
//! variation over clusters of the expected variance `u'X_g'V_g X_g u` of their scores: under the model's own weights these are
//! the partial leverages (rows independent for least squares), and where rows of a cluster are all alike, of an unweighted
//! linear model, the squares of `sum over rows of z'u`. Without cluster g the coefficients are
//! `b - W (I - L_g)^{-1} t_g`, exactly for linear models; others are fitted again.
//!
//! J. G. MacKinnon, M. O. Nielsen and M. D. Webb (2023), doi:10.1016/j.jeconom.2022.04.001; A. V. Carter, K. T. Schnepel and
//! D. G. Steigerwald (2017), doi:10.1162/REST_a_00639.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use serde::Serialize;

use super::fitted::{ClusterRows, Fitted, Identity, Link, Moments, Target};
use super::{Clusters, check_clusters};
use crate::progress::{go_on, watcher};
use crate::{Fault, Result};

/// What a cluster leaves to the others counts as nothing below this share.
const ALONE: f64 = 1e-9;

/// Leverage and influence of G clusters, for m coefficients.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnostics {
    /// Of each cluster, length G.
    pub leverage: Vec<f64>,
    /// Of each coefficient, m lists of G: the shares of the clusters.
    pub partial: Vec<Vec<f64>>,
    /// The effective number of clusters of each coefficient under the model's own weights, length m.
    pub effective: Vec<f64>,
    /// That where rows of a cluster are all alike, length m; not a number but for unweighted linear models.
    pub effective_alike: Vec<f64>,
    /// Of each coefficient, m lists of G: the estimate without the cluster; not a number where there is none. Empty lists where
    /// nobody asked for influence.
    pub without: Vec<Vec<f64>>,
}

/// Sizes of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sizes {
    /// The smallest.
    pub least: f64,
    /// A quarter of the clusters have no more rows than this.
    pub lower: f64,
    /// The median.
    pub median: f64,
    /// A quarter of the clusters have no fewer rows than this.
    pub upper: f64,
    /// The largest.
    pub largest: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation (over G) by the mean.
    pub cv: f64,
}

/// The distribution of the sizes of clusters.
///
/// ```
/// use crewe::inference::{Clusters, diagnostics::sizes};
/// let found = sizes(&Clusters::new(&[0, 0, 0, 1, 2, 2])?);
/// assert_eq!((found.least, found.median, found.largest), (1.0, 2.0, 3.0));
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn sizes(clusters: &Clusters) -> Sizes {
    let mut all: Vec<f64> = (0..clusters.count()).map(|g| clusters.rows(g).len() as f64).collect();
    all.sort_by(f64::total_cmp);
    let count = all.len() as f64;
    let mean = all.iter().sum::<f64>() / count;
    let variance = all.iter().map(|size| (size - mean).powi(2)).sum::<f64>() / count;
    // Between two clusters where the share falls between them.
    let quantile = |share: f64| {
        let place = share * (count - 1.0);
        let (low, high) = (all[place.floor() as usize], all[place.ceil() as usize]);
        low + (place - place.floor()) * (high - low)
    };
    Sizes {
        least: quantile(0.0),
        lower: quantile(0.25),
        median: quantile(0.5),
        upper: quantile(0.75),
        largest: quantile(1.0),
        mean,
        cv: variance.sqrt() / mean,
    }
}

/// The diagnostics of the coefficients `of`.
///
/// # Errors
/// [`crate::Error::Input`] for a model without clusters, fewer than two, or a coefficient that is not there.
///
/// ```
/// use crewe::inference::{Clusters, Vcov, diagnostics::diagnostics};
/// use crewe::regression::Ols;
/// use ndarray::array;
/// let y = array![1.0, 2.0, 2.0, 4.0, 5.0, 4.0];
/// let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
/// let families = Clusters::new(&[0, 0, 1, 2, 2, 3])?;
/// let fit = Ols::new(y.view(), x.view()).fit()?;
/// let found = diagnostics(fit.vcov(Vcov::Cr0, Some(&families))?.fit(), &[1])?;
/// assert!((found.leverage.iter().sum::<f64>() - 2.0).abs() < 1e-12);
/// assert!((found.without[0][1] - (13.0 / 3.0 - 1.5)).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn diagnostics(fit: &dyn Fitted, of: &[usize]) -> Result<Diagnostics> {
    find(fit, of, true)
}

/// The diagnostics of the coefficients `of` in one pass over the clusters, without their influence: `without` has no estimates.
///
/// # Errors
/// As [`diagnostics`].
pub fn leverage(fit: &dyn Fitted, of: &[usize]) -> Result<Diagnostics> {
    find(fit, of, false)
}

fn find(fit: &dyn Fitted, of: &[usize], influence: bool) -> Result<Diagnostics> {
    let k = fit.coef().len();
    let Some(count) = fit.clusters() else {
        return Err(Fault::new("the diagnostics of clusters need to know the clusters")
            .remedy("Name the unit that was randomised as the cluster")
            .input());
    };
    check_clusters(count)?;
    if let Some(j) = of.iter().find(|j| **j >= k) {
        return Err(Fault::new(format!("there is no coefficient {j} among {k}")).input());
    }
    let root = fit.bread().coefficients();
    let directions: Vec<Vec<f64>> = of.iter().map(|&j| root.row(j).to_vec()).collect();
    let lengths: Vec<f64> = directions.iter().map(|u| u.iter().map(|u| u * u).sum()).collect();
    let linear = fit.link().is_some_and(|link| link.name() == Identity.name());
    let rows = fit.rows().filter(|rows| linear && rows.target() == Target::Inverse && rows.roots().is_none());
    let closed = linear || fit.rows().is_none() && fit.link().is_some();
    let (m, watcher) = (of.len(), watcher());
    let mut found = Diagnostics {
        leverage: Vec::with_capacity(count),
        partial: vec![Vec::with_capacity(count); m],
        effective: Vec::new(),
        effective_alike: Vec::new(),
        without: vec![Vec::with_capacity(count); m],
    };
    let mut alike = vec![Vec::with_capacity(count); m];
    let (mut moments, mut held) = (Moments::new(k), ClusterRows::default());
    for g in 0..count {
        go_on(&watcher)?;
        fit.moments(g, &mut moments);
        let information = DMatrix::from_row_slice(k, k, &moments.information());
        found.leverage.push(information.trace());
        if let Some(rows) = rows {
            rows.cluster(g, &mut held);
        }
        let score = moments.score().to_vec();
        let moved = if closed || !influence { None } else { fit.without(g).ok() };
        let left = (closed && influence).then(|| Left::new(&information, &score));
        for (c, u) in directions.iter().enumerate() {
            let u = DVector::from_column_slice(u);
            found.partial[c].push((&information * &u).dot(&u) / lengths[c]);
            if rows.is_some() {
                let sum: f64 = held
                    .z
                    .chunks_exact(k)
                    .map(|z| z.iter().zip(u.iter()).map(|(z, u)| z * u).sum::<f64>())
                    .sum();
                alike[c].push(sum * sum);
            }
            if !influence {
                continue;
            }
            let own = match (&left, &moved) {
                (Some(left), _) => fit.coef()[of[c]] - left.change(&u),
                (None, Some(coef)) => coef[of[c]],
                _ => f64::NAN,
            };
            found.without[c].push(own);
        }
    }
    found.effective = found.partial.iter().map(|shares| effective(shares)).collect();
    found.effective_alike = alike.iter().map(|shares| effective(shares)).collect();
    Ok(found)
}

/// What leaving a cluster out moves: `(I - L)^+ t`, and the directions of which nothing is left.
struct Left {
    moved: DVector<f64>,
    lost: Vec<DVector<f64>>,
}

impl Left {
    fn new(information: &DMatrix<f64>, score: &[f64]) -> Self {
        let k = score.len();
        let eigen = SymmetricEigen::new(DMatrix::identity(k, k) - information);
        let score = DVector::from_column_slice(score);
        let (mut moved, mut lost) = (DVector::zeros(k), Vec::new());
        for (value, vector) in eigen.eigenvalues.iter().zip(eigen.eigenvectors.column_iter()) {
            if *value <= ALONE {
                lost.push(vector.into_owned());
            } else {
                moved += vector * (vector.dot(&score) / value);
            }
        }
        Self { moved, lost }
    }

    /// The change of the coefficient of direction u; not a number where the cluster alone informs it.
    fn change(&self, u: &DVector<f64>) -> f64 {
        let gone = self.lost.iter().any(|v| v.dot(u).abs() > ALONE.sqrt() * u.norm());
        if gone { f64::NAN } else { self.moved.dot(u) }
    }
}

/// `G / (1 + cv^2)`; not a number where nothing varies.
fn effective(shares: &[f64]) -> f64 {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let largest = shares.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
    if shares.is_empty() || mean.is_nan() || largest <= 0.0 {
        return f64::NAN;
    }
    let spread = shares.iter().map(|s| (s / mean - 1.0).powi(2)).sum::<f64>() / count;
    count / (1.0 + spread)
}
