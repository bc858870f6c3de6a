//! What clusters cost: the design effect of equal, varying and listed sizes.
//!
//! ```text
//! equal sizes m          D = 1 + (m - 1) rho
//! mean m, variation cv   D = 1 + ((1 + cv^2) m - 1) rho          cv = SD / mean, SD with divisor n
//! a list n_1 .. n_K      D = 1 + (sum n_i^2 / sum n_i - 1) rho   the same, from the list's own sums
//! ```
//!
//! Source: L. Kish, *Survey Sampling*, Wiley, 1965; S. M. Eldridge, D. Ashby and S. Kerry, International Journal of
//! Epidemiology 35 (2006) 1292-1300, <https://doi.org/10.1093/ije/dyl129>. It holds for estimates that weight every
//! unit alike.

use serde::Serialize;

use crate::{Fault, Result};

/// How large the clusters are.
///
/// ```
/// use crewe::power::ClusterSize;
/// let families = ClusterSize::List(vec![1, 1, 2, 5]);
/// assert_ne!(families, ClusterSize::Mean(2.25)); // unequal sizes cost more than their mean says
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub enum ClusterSize {
    /// The mean number of units a cluster.
    Mean(f64),
    /// The number of units of each cluster, or of clusters like those to come.
    List(Vec<u64>),
}

/// The moments of the sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    /// Mean size.
    pub mean: f64,
    /// SD (divisor n) over the mean.
    pub cv: f64,
    /// `sum n^2 / sum n`: the mean size that a unit lives with.
    pub seen: f64,
    /// The size that bounds a negative ICC.
    largest: f64,
    /// The share of the clusters in which somebody is left.
    pub filled: f64,
}

impl Sizes {
    /// Checks sizes and takes their moments.
    pub fn new(size: &ClusterSize, cv: f64) -> Result<Self> {
        match size {
            ClusterSize::Mean(mean) => {
                if !(mean.is_finite() && *mean >= 1.0) {
                    return Err(Fault::new("cluster_size must be at least 1")
                        .values([mean.to_string()])
                        .remedy("Give the mean number of members (such as children) of a cluster (such as a family), or the list of sizes")
                        .input());
                }
                if *mean == 1.0 && cv > 0.0 {
                    return Err(Fault::new("clusters of mean size 1 cannot vary in size")
                        .values([format!("a coefficient of variation of {cv}")])
                        .remedy("Leave the variation out, or give a mean size above 1")
                        .input());
                }
                Ok(Self::of_mean(*mean, cv))
            }
            ClusterSize::List(sizes) => {
                if cv != 0.0 {
                    return Err(Fault::new("a list of cluster sizes has its own variation")
                        .values([format!("a coefficient of variation of {cv}")])
                        .remedy("Leave the coefficient of variation out, or give the mean size with it")
                        .input());
                }
                let empty: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] == 0).collect();
                if sizes.is_empty() || !empty.is_empty() {
                    return Err(Fault::new("every cluster size must be at least 1")
                        .rows(empty)
                        .values([format!("{} sizes", sizes.len())])
                        .remedy("Give one whole number a cluster, and leave out clusters without units")
                        .input());
                }
                let total: f64 = sizes.iter().map(|&n| n as f64).sum();
                let squares: f64 = sizes.iter().map(|&n| (n as f64) * (n as f64)).sum();
                let mean = total / sizes.len() as f64;
                let seen = squares / total;
                let largest = sizes.iter().copied().max().unwrap_or(1) as f64;
                Ok(Self { mean, cv: (seen / mean - 1.0).max(0.0).sqrt(), seen, largest, filled: 1.0 })
            }
        }
    }

    /// The moments of a mean and a variation that are known to be right.
    pub fn of_mean(mean: f64, cv: f64) -> Self {
        let seen = (1.0 + cv * cv) * mean;
        Self { mean, cv, seen, largest: seen, filled: 1.0 }
    }

    /// What is left of clusters of a size where each member stays with probability `share`, independently of the others.
    ///
    /// With `n'` members left of `n`, `E n' = share n` and `E n'^2 = share^2 n^2 + share (1 - share) n`, so that
    /// `sum n'^2 / sum n' - 1` shrinks to its `share`: exact for the ratio of expectations, whatever the sizes.
    pub fn thinned(&self, share: f64, size: Option<&ClusterSize>) -> Self {
        let empty = match size {
            Some(ClusterSize::List(sizes)) => {
                sizes.iter().map(|&n| (1.0 - share).powf(n as f64)).sum::<f64>() / sizes.len() as f64
            }
            _ => (1.0 - share).powf(self.mean),
        };
        Self { mean: share * self.mean, seen: 1.0 + share * (self.seen - 1.0), filled: 1.0 - empty, ..*self }
    }

    /// The design effect.
    pub fn design_effect(&self, icc: f64) -> f64 {
        1.0 + (self.seen - 1.0) * icc
    }

    /// The bound that every ICC must exceed; `None` where all clusters are single units.
    pub fn icc_floor(&self) -> Option<f64> {
        (self.largest > 1.0).then(|| (-1.0 / (self.largest - 1.0)).max(-1.0))
    }
}

/// Refuses a negative or missing variation.
pub(super) fn check_cv(cv: f64) -> Result<()> {
    if cv.is_finite() && cv >= 0.0 {
        return Ok(());
    }
    Err(Fault::new("cv must not be negative")
        .values([cv.to_string()])
        .remedy("Give the standard deviation of the cluster sizes over their mean")
        .input())
}

/// Refuses an ICC that clusters of these sizes cannot have. 1 is legal, and so is a mildly negative one.
pub(super) fn check_icc(icc: f64, sizes: Option<&Sizes>) -> Result<()> {
    let floor = sizes.and_then(Sizes::icc_floor).unwrap_or(-1.0);
    if icc > floor && icc <= 1.0 {
        return Ok(());
    }
    let problem = if sizes.is_some_and(|s| s.largest > 1.0) {
        format!("icc must be above {floor:.4}, that is -1/(m - 1) at this cluster size, and at most 1")
    } else {
        "icc must be above -1 and at most 1".to_owned()
    };
    Err(Fault::new(problem)
        .values([icc.to_string()])
        .remedy("Give the intracluster correlation as a share, for instance 0.36 for 36%")
        .input())
}

/// The largest whole mean size for which a negative ICC leaves a positive design effect.
pub(super) fn largest_mean(icc: f64, cv: f64) -> u64 {
    if icc >= 0.0 {
        return u64::MAX;
    }
    let bound = (1.0 - 1.0 / icc) / (1.0 + cv * cv);
    ((bound - 1e-9).ceil() - 1.0).max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_its_mean_and_variation_agree() {
        let list = Sizes::new(&ClusterSize::List(vec![1, 2, 3, 6]), 0.0).unwrap();
        let mean = Sizes::new(&ClusterSize::Mean(3.0), list.cv).unwrap();
        assert!((list.design_effect(0.36) - mean.design_effect(0.36)).abs() < 1e-14);
        assert!((list.design_effect(0.36) - (1.0 + 0.36 * (50.0 / 12.0 - 1.0))).abs() < 1e-14);
        assert_eq!(Sizes::new(&ClusterSize::Mean(3.0), 0.0).unwrap().design_effect(1.0), 3.0);
    }

    #[test]
    fn loss_shrinks_the_excess_of_the_design_effect() {
        let list = ClusterSize::List(vec![1, 2, 3, 6]);
        let sizes = Sizes::new(&list, 0.0).unwrap();
        let left = sizes.thinned(0.7, Some(&list));
        assert!((left.design_effect(0.36) - 1.0 - 0.7 * (sizes.design_effect(0.36) - 1.0)).abs() < 1e-14);
        assert!((left.mean - 2.1).abs() < 1e-14);
        let empty = (0.3 + 0.3_f64.powi(2) + 0.3_f64.powi(3) + 0.3_f64.powi(6)) / 4.0;
        assert!((left.filled - 1.0 + empty).abs() < 1e-14);
    }

    #[test]
    fn the_largest_size_bounds_a_negative_icc() {
        assert_eq!(largest_mean(-0.5, 0.0), 2);
        assert_eq!(largest_mean(-0.3, 0.0), 4);
        assert!(check_icc(-0.5, Some(&Sizes::of_mean(3.0, 0.0))).is_err());
        assert!(check_icc(-0.49, Some(&Sizes::of_mean(3.0, 0.0))).is_ok());
        assert!(check_icc(1.0, Some(&Sizes::of_mean(3.0, 0.0))).is_ok());
    }
}
