//! Models that fit every cluster exactly.

use crate::inference::{Clusters, Vcov};
use crate::linalg::DesignMatrix;
use crate::{Fault, Result};

/// Refuses a model whose cluster-level coefficients fit every cluster: no residual variation between clusters is left,
/// and the sandwich would call its own blindness certainty.
///
/// One indicator for each cluster is the exception where other columns vary within at least three clusters (matched
/// sets, sites): the effects within clusters keep their variance, and the note given back says that only they do.
pub(super) fn refuse_saturated(x: &DesignMatrix<'_>, kind: Vcov, g: &Clusters) -> Result<Option<String>> {
    let columns = x.columns();
    let first = usize::from(x.has_intercept());
    let mut names: Vec<&str> = x.names()[..first].iter().map(String::as_str).collect();
    let mut indicators = true;
    for (column, name) in columns.columns().into_iter().zip(&x.names()[first..]) {
        let of_cluster = |c: usize| {
            let rows = g.rows(c);
            let value = column[rows[0] as usize];
            rows.iter().all(|&row| column[row as usize] == value).then_some(value)
        };
        if let Some(values) = (0..g.count()).map(of_cluster).collect::<Option<Vec<f64>>>() {
            names.push(name);
            indicators &= values.iter().filter(|value| **value != 0.0).count() == 1;
        }
    }
    let within = names.len() < x.k();
    if g.count() > names.len() {
        return Ok(None);
    }
    if within && indicators && g.count() > 2 {
        let (shown, rest) = names.split_at(names.len().min(3));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        return Ok(Some(format!(
            "{}{more} fit the {} clusters exactly: only the effects of what varies within clusters can be tested, the \
             standard errors of these leave out the variation between clusters",
            shown.join(", "),
            g.count()
        )));
    }
    Err(Fault::new(format!(
        "{kind} needs more clusters than coefficients between clusters, and there are {} for {}",
        g.count(),
        names.len()
    ))
    .values(names)
    .remedy("Leave terms of the clusters out of the model, or use a randomisation test")
    .input())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::regression::Ols;
    use ndarray::array;

    #[test]
    fn too_few_clusters_for_the_model() {
        let y = array![1.0, 2.0, 4.0, 3.0, 7.0, 5.0];
        let clusters = |codes: &[u32]| Clusters::new(codes).unwrap();
        // An arm that is one of two clusters: the sandwich would be 0.
        let arm = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
        let fit = Ols::new(y.view(), arm.view()).fit().unwrap();
        let general = |kind: &Vcov| !kind.is_of_equations() && !kind.is_of_cox();
        for kind in Vcov::ALL.into_iter().filter(general).filter(|kind| kind.is_clustered()) {
            let error = fit.vcov(kind, Some(&clusters(&[0, 0, 0, 1, 1, 1]))).unwrap_err();
            assert!(matches!(error, Error::Input(_)), "{error}");
            assert!(error.to_string().contains("there are 2 for 2"), "{error}");
            assert!(fit.vcov(kind, Some(&clusters(&[0, 0, 1, 2, 3, 3]))).is_ok());
        }
        // Three clusters, indicators of two of them and an arm within clusters: sets, whose arm keeps its variance.
        let sets = array![
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [1.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
            [1.0, 0.0, 1.0]
        ];
        let fit = Ols::new(y.view(), sets.view()).fit().unwrap();
        let covariance = fit.vcov(Vcov::Cr1, Some(&clusters(&[0, 0, 1, 1, 2, 2]))).unwrap();
        assert!(covariance.matrix()[(1, 1)] > 0.0);
        assert!(covariance.notes()[0].starts_with("Intercept, x2, x3 fit the 3 clusters exactly"));
        // The same clusters with a slope of the clusters instead of an indicator.
        let mut slope = sets.clone();
        slope.column_mut(1).assign(&array![1.0, 1.0, 2.0, 2.0, 0.0, 0.0]);
        let fit = Ols::new(y.view(), slope.view()).fit().unwrap();
        let error = fit.vcov(Vcov::Cr1, Some(&clusters(&[0, 0, 1, 1, 2, 2]))).unwrap_err();
        assert!(error.to_string().contains("there are 3 for 3"), "{error}");
    }
}
