//! Uniform numbers that members of a cluster share, for outcomes with known probabilities.

use crate::dist::normal_cdf;
use crate::rng::Stream;

/// A uniform number for each row. With probability `sqrt(icc)` it is the cluster's, else the row's own, so outcomes that are
/// this number below a probability have exactly that probability, and correlation `icc` between rows of one cluster with
/// equal probability. `cluster` holds each row's cluster, below `clusters`.
///
/// A. D. Lunn and S. J. Davies (1998), A note on generating correlated binary variables,
/// <https://doi.org/10.1093/biomet/85.2.487>.
pub fn shared_uniforms(stream: &mut Stream, cluster: &[u32], clusters: usize, icc: f64) -> Vec<f64> {
    let of_cluster: Vec<f64> = (0..clusters).map(|_| stream.unit()).collect();
    cluster
        .iter()
        .map(|&g| {
            let (own, share) = (stream.unit(), stream.unit());
            if share < icc.sqrt() { of_cluster[g as usize] } else { own }
        })
        .collect()
}

/// A uniform number for each row whose normal score has correlation `icc` within clusters (a Gaussian copula).
pub fn copula_uniforms(stream: &mut Stream, cluster: &[u32], clusters: usize, icc: f64) -> Vec<f64> {
    let of_cluster: Vec<f64> = (0..clusters).map(|_| stream.normal()).collect();
    cluster
        .iter()
        .map(|&g| normal_cdf(icc.sqrt() * of_cluster[g as usize] + (1.0 - icc).sqrt() * stream.normal()))
        .collect()
}
