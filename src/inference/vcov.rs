//! Covariance matrices of coefficients, each under the name and definition that its source gives it.
//!
//! With bread `B = (X'WX)^{-1}`, residuals e, leverage h, n rows, k coefficients, G clusters:
//!
//! | name | definition | reference distribution |
//! |---|---|---|
//! | `iid` | `s^2 B` | t(n - k) |
//! | `HC0` | `B (sum x x' e^2) B` | t(n - k) |
//! | `HC1` | HC0 times n / (n - k) | t(n - k) |
//! | `HC2` | e^2 / (1 - h) | t, Bell-McCaffrey df (the Satterthwaite df of singleton clusters) |
//! | `HC3` | e^2 / (1 - h)^2 | t(n - k) |
//! | `CR0` | `B (sum s_g s_g') B`, `s_g = X_g' e_g` | t(G - 1) |
//! | `CR1` | CR0 times G / (G - 1) | t(G - 1) |
//! | `CR1S` | CR0 times G / (G - 1) (n - 1) / (n - k), Stata's for linear models | t(G - 1) |
//! | `CR2` | `s_g = X_g' (I - H_gg)^{-1/2} e_g`, Moore-Penrose | t, Satterthwaite df |
//! | `CR3` | `s_g = X_g' (I - H_gg)^{-1} e_g`, no factor | t(G - 1) |
//! | `jackknife` | CR3 times (G - 1) / G: leave one cluster out, about the full estimate | t(G - 1) |
//!
//! For a model whose own tests are normal (logit) `iid` and every HC refer to z; CR2 is that of the final weighted least
//! squares with working covariance diag(w), see [`super::cluster_adjusted`], and h its hat values.
//!
//! H. White (1980), doi:10.2307/1912934; J. G. MacKinnon and H. White (1985), doi:10.1016/0304-4076(85)90158-7;
//! R. M. Bell and D. F. McCaffrey (2002), Survey Methodology 28, 169-181; J. E. Pustejovsky and E. Tipton (2018),
//! doi:10.1080/07350015.2016.1247004; G. W. Imbens and M. Kolesar (2016), doi:10.1162/REST_a_00552.

use std::fmt;
use std::str::FromStr;

use ndarray::Array2;

use super::cluster_adjusted::{Power, adjusted_meat, satterthwaite_of_rows};
use super::scores::{cluster_scores, leverage, root, sandwich};
use super::{Clusters, Estimates};
use crate::linalg::DesignMatrix;
use crate::linalg::gram::cross_products;
use crate::{Error, Fault, Result};

/// The kinds of covariance; see the table in the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The module's table defines them all.
pub enum Vcov {
    Iid,
    Hc0,
    Hc1,
    Hc2,
    Hc3,
    Cr0,
    Cr1,
    Cr1s,
    Cr2,
    Cr3,
    Jackknife,
}

impl Vcov {
    /// Every kind, in the order of the module's table.
    pub const ALL: [Self; 11] = [
        Self::Iid,
        Self::Hc0,
        Self::Hc1,
        Self::Hc2,
        Self::Hc3,
        Self::Cr0,
        Self::Cr1,
        Self::Cr1s,
        Self::Cr2,
        Self::Cr3,
        Self::Jackknife,
    ];

    /// The name as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iid => "iid",
            Self::Hc0 => "HC0",
            Self::Hc1 => "HC1",
            Self::Hc2 => "HC2",
            Self::Hc3 => "HC3",
            Self::Cr0 => "CR0",
            Self::Cr1 => "CR1",
            Self::Cr1s => "CR1S",
            Self::Cr2 => "CR2",
            Self::Cr3 => "CR3",
            Self::Jackknife => "jackknife",
        }
    }

    /// Whether it needs to know the clusters.
    pub fn is_clustered(self) -> bool {
        matches!(self, Self::Cr0 | Self::Cr1 | Self::Cr1s | Self::Cr2 | Self::Cr3 | Self::Jackknife)
    }
}

impl fmt::Display for Vcov {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Vcov {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            Fault::new(format!("there is no covariance called '{name}'"))
                .remedy(format!("Choose one of {}", Self::ALL.map(Self::name).join(", ")))
                .input()
        })
    }
}

/// Where the degrees of freedom come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DfRule {
    /// As the module's table says.
    #[default]
    Default,
    /// n - k whatever the covariance.
    Residual,
}

/// A covariance matrix of the coefficients and what its tests refer to.
#[derive(Debug, Clone)]
pub struct Covariance {
    /// Which definition.
    pub kind: Vcov,
    /// Where the degrees of freedom come from.
    pub rule: DfRule,
    /// The matrix, k x k.
    pub matrix: Array2<f64>,
    /// Degrees of freedom of each coefficient, length k; infinite for a normal reference.
    pub df: Vec<f64>,
    /// The number of clusters, where they matter.
    pub clusters: Option<usize>,
    /// What a reader of the result must know.
    pub notes: Vec<String>,
}

/// The covariance of the estimates of a model fitted to `x`.
///
/// # Errors
/// * [`Error::Input`] when clusters are needed and absent, of another length than the data, or too few: G < 2, or no
///   more than the coefficients of columns that are constant within clusters, which then fit the clusters exactly
///   (indicators of clusters beside columns that vary within them may stay); when HC2 or HC3 meets a row with
///   leverage 1 (the row is named).
pub fn covariance(
    x: &DesignMatrix<'_>,
    estimates: &Estimates,
    kind: Vcov,
    clusters: Option<&Clusters>,
    rule: DfRule,
) -> Result<Covariance> {
    let groups = check_clusters(estimates, kind, clusters)?;
    let k = estimates.k();
    let (n, residual) = (estimates.n() as f64, estimates.df_residual);
    let plain = if estimates.normal_reference { f64::INFINITY } else { residual };
    let mut notes = Vec::new();
    if let Some(g) = groups.filter(|g| g.count() <= k) {
        notes.extend(refuse_saturated(x, kind, g)?);
    }
    let scores = |g: &Clusters| {
        let scores = cluster_scores(x, estimates, g);
        sandwich(estimates, scores.t().dot(&scores).view())
    };
    let hc =
        |scale: &[f64]| sandwich(estimates, cross_products(x, &estimates.center, None, Some(scale)).view());
    let mut df = vec![plain; k];
    let matrix = match (kind, groups) {
        (Vcov::Iid, _) => {
            let root = root(estimates);
            root.dot(&root.t()) * estimates.scale
        }
        (Vcov::Hc0, _) => hc(&estimates.residuals),
        (Vcov::Hc1, _) => hc(&estimates.residuals) * (n / residual),
        (Vcov::Hc2 | Vcov::Hc3, _) => {
            let leverage = refuse_full_leverage(kind, leverage(x, estimates))?;
            let inflated: Vec<f64> = estimates
                .residuals
                .iter()
                .zip(&leverage)
                .map(|(e, h)| if kind == Vcov::Hc2 { e / (1.0 - h).sqrt() } else { e / (1.0 - h) })
                .collect();
            if kind == Vcov::Hc2 && rule == DfRule::Default && !estimates.normal_reference {
                df = satterthwaite_of_rows(x, estimates, &leverage, &estimates.whitened_coefficients());
            }
            hc(&inflated)
        }
        (Vcov::Cr2 | Vcov::Cr3 | Vcov::Jackknife, Some(g)) => {
            let power = if kind == Vcov::Cr2 { Power::Half } else { Power::One };
            let adjusted = adjusted_meat(x, estimates, g, power, &estimates.whitened_coefficients());
            if adjusted.degenerate > 0 {
                if kind != Vcov::Cr2 {
                    return Err(Fault::new(format!(
                        "{kind} is not defined: without one of {} clusters the model cannot be estimated",
                        adjusted.degenerate
                    ))
                    .remedy("Use CR2, or drop the terms that only one cluster informs")
                    .input());
                }
                notes.push(format!(
                    "{} of {} clusters determine a coefficient by themselves; CR2 takes the Moore-Penrose root there",
                    adjusted.degenerate,
                    g.count()
                ));
            }
            df = match kind {
                Vcov::Cr2 => adjusted.df,
                _ => vec![g.count() as f64 - 1.0; k],
            };
            let count = g.count() as f64;
            let root = root(estimates);
            let factor = if kind == Vcov::Jackknife { (count - 1.0) / count } else { 1.0 };
            root.dot(&adjusted.meat).dot(&root.t()) * factor
        }
        (_, Some(g)) => {
            let count = g.count() as f64;
            df = vec![count - 1.0; k];
            let factor = match kind {
                Vcov::Cr1 => count / (count - 1.0),
                Vcov::Cr1s => count / (count - 1.0) * (n - 1.0) / residual,
                _ => 1.0,
            };
            scores(g) * factor
        }
        // check_clusters has refused clustered kinds without clusters.
        (_, None) => Array2::from_elem((k, k), f64::NAN),
    };
    if rule == DfRule::Residual {
        df = vec![residual; k];
    }
    if kind == Vcov::Cr2 || kind == Vcov::Hc2 {
        // Infinite degrees of freedom are never small.
        let smallest = df.iter().copied().fold(f64::INFINITY, f64::min);
        if smallest < 4.0 {
            notes.push(format!(
                "the smallest degrees of freedom are {smallest:.1}: below 4 the t approximation is rough, prefer a randomisation test"
            ));
        }
    }
    if kind != Vcov::Iid && !estimates.normal_reference {
        notes.extend(super::constant_groups::notes(x, estimates));
    }
    let unknown: Vec<&str> = (0..k)
        .filter(|&j| {
            kind.is_clustered() && matrix[(j, j)] <= 1e-24 * matrix.diag().iter().copied().fold(0.0, f64::max)
        })
        .map(|j| estimates.names[j].as_str())
        .collect();
    if !unknown.is_empty() {
        notes.push(format!(
            "no uncertainty can be estimated for {}: their own cluster fits them exactly",
            unknown.join(", ")
        ));
    }
    Ok(Covariance { kind, rule, matrix, df, clusters: groups.map(Clusters::count), notes })
}

/// Clusters where the kind needs them, checked against the model.
fn check_clusters<'a>(
    estimates: &Estimates,
    kind: Vcov,
    clusters: Option<&'a Clusters>,
) -> Result<Option<&'a Clusters>> {
    if !kind.is_clustered() {
        return Ok(None);
    }
    let Some(g) = clusters else {
        return Err(Fault::new(format!("{kind} needs to know the clusters"))
            .remedy("Name the column of the unit that was randomised, for instance cluster='family_id'")
            .input());
    };
    if g.codes().len() != estimates.n() {
        return Err(Fault::new(format!("{} cluster ids for {} rows", g.codes().len(), estimates.n())).input());
    }
    if g.count() < 2 {
        return Err(Fault::new(format!("{kind} needs at least 2 clusters, and there is {}", g.count()))
            .remedy("With one cluster nothing can be said about the variation between clusters")
            .input());
    }
    Ok(Some(g))
}

/// Refuses a model whose cluster-level coefficients fit every cluster: no residual variation between clusters is left,
/// and the sandwich would call its own blindness certainty.
///
/// One indicator for each cluster is the exception where other columns vary within at least three clusters (matched
/// sets, sites): the effects within clusters keep their variance, and the note given back says that only they do.
fn refuse_saturated(x: &DesignMatrix<'_>, kind: Vcov, g: &Clusters) -> Result<Option<String>> {
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

/// Rows that the model fits by themselves have no residual to estimate a variance from.
fn refuse_full_leverage(kind: Vcov, leverage: Vec<f64>) -> Result<Vec<f64>> {
    let rows: Vec<usize> = (0..leverage.len()).filter(|&i| leverage[i] > 1.0 - 1e-10).collect();
    if rows.is_empty() {
        return Ok(leverage);
    }
    Err(Fault::new(format!("{kind} is not defined for rows with leverage 1: the model fits them exactly"))
        .rows(rows)
        .remedy("Use HC1, or drop the term that only this row informs")
        .input())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::Ols;
    use ndarray::array;

    #[test]
    fn too_few_clusters_for_the_model() {
        let y = array![1.0, 2.0, 4.0, 3.0, 7.0, 5.0];
        let clusters = |codes: &[u32]| Clusters::new(codes).unwrap();
        // An arm that is one of two clusters: the sandwich would be 0.
        let arm = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
        let fit = Ols::new(y.view(), arm.view()).fit().unwrap();
        for kind in Vcov::ALL.into_iter().filter(|kind| kind.is_clustered()) {
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
        assert!(covariance.matrix[(1, 1)] > 0.0);
        assert!(covariance.notes[0].starts_with("Intercept, x2, x3 fit the 3 clusters exactly"));
        // The same clusters with a slope of the clusters instead of an indicator.
        let mut slope = sets.clone();
        slope.column_mut(1).assign(&array![1.0, 1.0, 2.0, 2.0, 0.0, 0.0]);
        let fit = Ols::new(y.view(), slope.view()).fit().unwrap();
        let error = fit.vcov(Vcov::Cr1, Some(&clusters(&[0, 0, 1, 1, 2, 2]))).unwrap_err();
        assert!(error.to_string().contains("there are 3 for 3"), "{error}");
    }
}
