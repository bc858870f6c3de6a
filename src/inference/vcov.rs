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
//! | `CV3`, `jackknife` | `(G - 1) / G sum (b_(g) - b)(b_(g) - b)'`, b_(g) fitted without cluster g | t(G - 1) |
//! | `CV3L` | the same with b_(g) to first order: CR3 times (G - 1) / G | t(G - 1) |
//! | `hansen` | `sum (b_(g) - b)(b_(g) - b)'`, the least b_(g); its root over a is the standard error | t, df of the contrast |
//! | `KC`, `MD`, `FG`, `MBN` | of estimating equations, see `equations.rs` | t(G - k) |
//! | the same, `MR`, `KCMR`, `MDMR`, `FGMR`, `MBNMR` | of Cox models: `survival/cox_small.rs` | t(G - 1) |
//! | `kenward-roger`, `satterthwaite` | of mixed models, see `components.rs` | t, degrees of freedom of the contrast |
//!
//! For a model whose own tests are normal (logit, probit) `iid` and every HC refer to z; CR2 is that of the final weighted
//! least squares with the working variance of the family, and h its hat values. CV3 fits the model again without each cluster;
//! in linear models CV3L is the same number, and how both are worked out. Cox models have `iid`, `HC0`, `CR0` (Lin and Wei, on
//! z), `CR1`, `CR3` (the form of Mancl and DeRouen) and CV3.
//!
//! `hansen`, of linear models, is Hansen's V5. It is CR3 where every cluster can be left out; a coefficient that one cluster
//! alone informs is 0 without it (the least slopes, in units of their standard errors), so that its variance holds its own
//! square and is never too small. It is too large instead:
//! with independent errors of one variance V5 of a contrast c is expected to be `a^2 c'Bc s^2`, so the statistic is
//! `a c'b / sqrt(c'V5 c)` on t(K), a and K the first two moments of V5 (Satterthwaite). The matrix is V5 itself.
//!
//! Weights. With analytic weights (variance 1/w) a linear model is that of rows times the root of their weight, for every
//! kind. With probability weights scores are w x e; HC2 and HC3 divide by the weighted leverage and refer to t(n - k),
//! and CR2 takes the working covariance that does not know the weights (see `targets.rs`).
//!
//! H. White (1980), doi:10.2307/1912934; J. G. MacKinnon and H. White (1985), doi:10.1016/0304-4076(85)90158-7;
//! R. M. Bell and D. F. McCaffrey (2002), Survey Methodology 28, 169-181; J. E. Pustejovsky and E. Tipton (2018),
//! doi:10.1080/07350015.2016.1247004; G. W. Imbens and M. Kolesar (2016), doi:10.1162/REST_a_00552; J. G. MacKinnon,
//! M. O. Nielsen and M. D. Webb (2023), doi:10.1002/jae.2969, and (2024), arXiv:2406.00650, for CV3 and CV3L; B. E. Hansen
//! (2025), Jackknife standard errors for clustered regression, doi:10.1093/restud/rdag050, for V5, a and K.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ndarray::Array2;
use serde::{Serialize, Serializer};

use super::adjusted::{self, Law, Power};
use super::components::Components;
use super::covariance::{Covariance, Sandwich};
use super::equations;
use super::fitted::{Fitted, Reference, Target};
use super::rows;
use crate::progress::{go_on, watcher};
use crate::words::words;
use crate::{Error, Fault, Result};

/// The kinds of covariance; see the table in the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
    Cv3,
    Cv3l,
    Hansen,
    Kc,
    Md,
    Fg,
    Mbn,
    KenwardRoger,
    Satterthwaite,
    Mr,
    Kcmr,
    Mdmr,
    Fgmr,
    Mbnmr,
}

impl Vcov {
    /// Every kind, in the order of the module's table.
    pub const ALL: [Self; 25] = [
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
        Self::Cv3,
        Self::Cv3l,
        Self::Hansen,
        Self::Kc,
        Self::Md,
        Self::Fg,
        Self::Mbn,
        Self::KenwardRoger,
        Self::Satterthwaite,
        Self::Mr,
        Self::Kcmr,
        Self::Mdmr,
        Self::Fgmr,
        Self::Mbnmr,
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
            Self::Cv3 => "CV3",
            Self::Cv3l => "CV3L",
            Self::Hansen => "hansen",
            Self::Kc => "KC",
            Self::Md => "MD",
            Self::Fg => "FG",
            Self::Mbn => "MBN",
            Self::KenwardRoger => "kenward-roger",
            Self::Satterthwaite => "satterthwaite",
            Self::Mr => "MR",
            Self::Kcmr => "KCMR",
            Self::Mdmr => "MDMR",
            Self::Fgmr => "FGMR",
            Self::Mbnmr => "MBNMR",
        }
    }

    /// Whether it needs to know the clusters.
    pub fn is_clustered(self) -> bool {
        self.is_of_scores() || self.is_jackknife() || self.is_of_equations() || self.is_of_cox()
    }

    /// Whether it is made of the scores of clusters alone.
    fn is_of_scores(self) -> bool {
        matches!(self, Self::Cr0 | Self::Cr1 | Self::Cr1s | Self::Cr2 | Self::Cr3 | Self::Cv3l | Self::Hansen)
    }

    /// Whether every contrast has degrees of freedom of its own, by Satterthwaite.
    pub(crate) fn has_own_degrees(self) -> bool {
        matches!(self, Self::Hc2 | Self::Cr2 | Self::Hansen) || self.is_of_mixed_models()
    }

    /// Whether it counts rows as independent.
    pub fn is_rowwise(self) -> bool {
        matches!(self, Self::Hc0 | Self::Hc1 | Self::Hc2 | Self::Hc3)
    }

    /// Whether it is a correction of estimating equations, which Cox models have too.
    pub fn is_of_equations(self) -> bool {
        matches!(self, Self::Kc | Self::Md | Self::Fg | Self::Mbn)
    }

    /// Whether it rests on the variances of a mixed model.
    pub fn is_of_mixed_models(self) -> bool {
        matches!(self, Self::KenwardRoger | Self::Satterthwaite)
    }

    /// Whether it corrects the martingale residuals of Cox models.
    pub fn is_of_cox(self) -> bool {
        matches!(self, Self::Mr | Self::Kcmr | Self::Mdmr | Self::Fgmr | Self::Mbnmr)
    }

    /// Whether it is made of the coefficients without each cluster.
    pub fn is_jackknife(self) -> bool {
        matches!(self, Self::Jackknife | Self::Cv3)
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

/// As its name.
impl Serialize for Vcov {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

words!(DfRule, "rule for the degrees of freedom", Default => "default", Residual => "residual");

/// Where the degrees of freedom come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DfRule {
    /// As the module's table says.
    #[default]
    Default,
    /// n - k whatever the covariance.
    Residual,
}

/// The covariance of the estimates of a fitted model.
///
/// # Errors
/// [`Error::Input`] where clusters are needed and absent or fewer than two, and as [`Fitted::objections`]: too few
/// clusters for the coefficients between them, a kind that the model does not have; where HC2 or HC3 meets a row with
/// leverage 1 (the row is named), and CR3 or the jackknife a cluster without which the model cannot be estimated.
pub fn covariance<'f>(fit: Arc<dyn Fitted + 'f>, kind: Vcov, rule: DfRule) -> Result<Covariance<'f>> {
    refuse_strange(&*fit, kind)?;
    need_clusters(&*fit, kind)?;
    let mut notes = fit.objections(kind)?;
    let mut middle = middle(&*fit, kind, rule)?;
    notes.extend(middle.note.take());
    let sandwich = Sandwich::new(&*fit, kind, rule, middle);
    let mut covariance = Covariance::of(fit, sandwich);
    if kind.has_own_degrees() && rule == DfRule::Default {
        notes.extend(few_degrees(&covariance));
    }
    notes.extend(covariance.undefined_note());
    covariance.add_notes(notes);
    Ok(covariance)
}

/// The middle of a sandwich in whitened columns: `matrix` and the sum of `s s'` over the scores that are apart.
pub(super) struct Middle {
    /// k x k.
    pub matrix: Array2<f64>,
    /// Scores, of length k, of rows or clusters that determine a coefficient nearly by themselves. They are so much larger
    /// than all others that in a sum with them the variances of the other coefficients would be lost.
    pub apart: Vec<Vec<f64>>,
    /// The laws that came with it: of the coefficients of interest.
    pub laws: Option<Vec<Law>>,
    /// `1 - h` of every row.
    pub rests: Option<Vec<f64>>,
    note: Option<String>,
}

impl Middle {
    fn of(matrix: Array2<f64>) -> Self {
        Self { matrix, apart: Vec::new(), laws: None, rests: None, note: None }
    }

    /// Of k coefficients whose variance is not estimable, for the reason of the note.
    fn none(k: usize, note: String) -> Self {
        Self { note: Some(note), ..Self::of(Array2::from_elem((k, k), f64::NAN)) }
    }
}

fn middle(fit: &dyn Fitted, kind: Vcov, rule: DfRule) -> Result<Middle> {
    let k = fit.bread().k();
    let (n, count) = (fit.n() as f64, fit.clusters().unwrap_or(fit.n()) as f64);
    let residual = n - k as f64;
    if let Some(own) = fit.own_middle(kind) {
        return Ok(Middle::of(own?));
    }
    Ok(match kind {
        Vcov::Iid | Vcov::Satterthwaite => Middle::of(Array2::eye(k) * fit.bread().scale()),
        // What has no variances was refused before.
        Vcov::KenwardRoger => Middle::of(fit.components().map_or_else(|| Array2::eye(k), Components::middle)),
        Vcov::Fg => Middle::of(equations::fay_graubard(fit)?),
        Vcov::Mbn => Middle::of(equations::morel(fit)?),
        Vcov::Hc0 | Vcov::Hc1 => {
            let factor = if kind == Vcov::Hc1 { n / residual } else { 1.0 };
            Middle::of(fit.score_products()? * factor)
        }
        Vcov::Hc2 | Vcov::Hc3 => {
            let rows = fit.rows().ok_or_else(|| without_rows(kind))?;
            let rests = rows::rests(rows, kind, fit.resolution())?;
            let mut inflated: Vec<f64> = rows::factors(rows, &rests)
                .iter()
                .zip(&rests)
                .map(|(s, rest)| if kind == Vcov::Hc2 { s / rest.sqrt() } else { s / rest })
                .collect();
            let apart = rows::apart(rows, &rests, &mut inflated);
            Middle { apart, rests: Some(rests), ..Middle::of(rows.outer(&inflated)?) }
        }
        Vcov::Cr0 | Vcov::Cr1 | Vcov::Cr1s => {
            let factor = match kind {
                Vcov::Cr1 => count / (count - 1.0),
                Vcov::Cr1s => count / (count - 1.0) * (n - 1.0) / residual,
                _ => 1.0,
            };
            Middle::of(fit.score_products()? * factor)
        }
        Vcov::Kc => {
            let adjusted = adjusted::adjusted(fit, Power::Half)?;
            let note = (adjusted.degenerate > 0).then(|| {
                format!(
                    "{} of {count} clusters determine a coefficient by themselves; KC takes the Moore-Penrose root there",
                    adjusted.degenerate
                )
            });
            Middle { apart: adjusted.apart, note, ..Middle::of(adjusted.middle) }
        }
        Vcov::Cr2 | Vcov::Hansen => {
            let bread = fit.bread();
            let root = bread.coefficients();
            let asked = if rule == DfRule::Default { fit.of_interest() } else { Vec::new() };
            let contrasts: Vec<Vec<f64>> = asked.iter().map(|&j| root.row(j).to_vec()).collect();
            let (power, what) = match kind {
                Vcov::Cr2 => (Power::Half, "CR2 takes the Moore-Penrose root there"),
                _ => (
                    Power::One,
                    "without such a cluster what is lost counts as 0, and its variance holds its own square",
                ),
            };
            let (adjusted, laws) = adjusted::with_laws(fit, power, &contrasts)?;
            let note = (adjusted.degenerate > 0).then(|| {
                format!(
                    "{} of {count} clusters determine a coefficient by themselves; {what}",
                    adjusted.degenerate
                )
            });
            Middle { apart: adjusted.apart, laws: Some(laws), note, ..Middle::of(adjusted.middle) }
        }
        _ if kind.is_jackknife() && fit.refits() => jackknife(fit, count)?,
        // CR3, MD and what is CR3 but for a factor; what a model has not was refused before.
        _ => {
            let adjusted = adjusted::adjusted(fit, Power::One)?;
            // Beside terms of sets, clustered by the sets, each informs its own: leaving it out takes its term along.
            let sets = fit.of_interest().len() < k;
            if adjusted.degenerate > 0 && !sets {
                let (informs, it) =
                    if adjusted.degenerate == 1 { ("informs", "it") } else { ("inform", "any of them") };
                return Err(Fault::new(format!(
                    "{kind} is not defined: {} of {count} clusters {informs} a coefficient alone, and without {it} the \
                     model cannot be estimated",
                    adjusted.degenerate
                ))
                .remedy("Use CR2, or drop the terms that only one cluster informs")
                .input());
            }
            let note = (adjusted.degenerate > 0).then(|| {
                format!(
                    "{} of {count} clusters determine a coefficient by themselves; {kind} leaves each out with its own \
                     term",
                    adjusted.degenerate
                )
            });
            let factor = if matches!(kind, Vcov::Cr3 | Vcov::Md) { 1.0 } else { (count - 1.0) / count };
            let mut apart = adjusted.apart;
            apart.iter_mut().flatten().for_each(|s| *s *= f64::sqrt(factor));
            Middle { apart, note, ..Middle::of(adjusted.middle * factor) }
        }
    })
}

/// `((G - 1) / G)^{1/2} (b_(g) - b)` of every cluster, in whitened columns, from refits. Each is kept apart, since one may
/// hold the change of a coefficient by 1e5 standard errors. Where the model has no estimate without a cluster there is
/// none of the variance either.
fn jackknife(fit: &dyn Fitted, count: f64) -> Result<Middle> {
    use rayon::prelude::*;
    let coef = fit.bread().centred();
    let groups = fit.clusters().unwrap_or(fit.n());
    // The threads that share the work do not know who watches it.
    let watcher = watcher();
    let change = |g: usize| -> Result<std::result::Result<Vec<f64>, Error>> {
        go_on(&watcher)?;
        Ok(match watcher.over(|| fit.without_centred(g)) {
            Ok(without) => Ok(without.iter().zip(coef).map(|(without, b)| without - b).collect()),
            Err(error) => Err(inestimable(error)?),
        })
    };
    let found: Vec<_> = (0..groups).into_par_iter().map(change).collect::<Result<_>>()?;
    let failed = found.iter().filter(|change| change.is_err()).count();
    let mut changes: Vec<Vec<f64>> = Vec::with_capacity(groups);
    for change in found {
        match change {
            Ok(change) => changes.push(change),
            Err(error) => return Ok(Middle::none(coef.len(), without_an_estimate(failed, groups, &error))),
        }
    }
    let k = coef.len();
    let whitening = nalgebra::DMatrix::from_row_slice(k, k, fit.bread().whitening()).lu();
    let factor = ((count - 1.0) / count).sqrt();
    let scores =
        changes.iter().map(|change| solve(&whitening, change).into_iter().map(|s| s * factor).collect());
    Ok(Middle { apart: scores.collect(), ..Middle::of(Array2::zeros((coef.len(), coef.len()))) })
}

/// The error of a refit that has no estimate; any other is none of the data's.
fn inestimable(error: Error) -> Result<Error> {
    match error {
        Error::Interrupted => Err(error),
        _ => Ok(error),
    }
}

/// Says why the refits give no variance.
fn without_an_estimate(failed: usize, groups: usize, error: &Error) -> String {
    let why = error.fault().map_or_else(|| error.to_string(), |fault| fault.problem.clone());
    format!("not estimable: without one of {failed} of {groups} clusters the model has no estimate ({why})")
}

/// `W^{-1} v`.
fn solve(whitening: &nalgebra::LU<f64, nalgebra::Dyn, nalgebra::Dyn>, v: &[f64]) -> Vec<f64> {
    let k = v.len();
    let solved = whitening.solve(&nalgebra::DVector::from_column_slice(v));
    // The factor of a positive definite matrix is never singular.
    solved.map_or_else(|| vec![f64::NAN; k], |solved| solved.as_slice().to_vec())
}

fn without_rows(kind: Vcov) -> Error {
    Fault::new(format!("{kind} needs the rows, and this model holds sums over clusters"))
        .remedy("Use a clustered kind, or fit the model to the rows in memory")
        .input()
}

/// The laws of directions in whitened form.
pub(super) fn laws(
    fit: &dyn Fitted,
    kind: Vcov,
    rule: DfRule,
    rests: Option<&[f64]>,
    directions: &[Vec<f64>],
) -> Result<Vec<Law>> {
    let fixed = fixed_degrees(fit, kind, rule);
    let plain = |df: Vec<f64>| df.into_iter().map(Law::of).collect::<Vec<Law>>();
    if let (None, true, Some(components)) = (fixed, kind.is_of_mixed_models(), fit.components()) {
        return Ok(plain(components.degrees(directions, kind == Vcov::Satterthwaite)));
    }
    match (fixed, fit.rows(), rests) {
        (Some(df), _, _) => Ok(vec![Law::of(df); directions.len()]),
        (None, Some(rows), Some(rests)) => Ok(plain(rows::degrees(rows, rests, directions)?)),
        _ => adjusted::laws(fit, if kind == Vcov::Hansen { Power::One } else { Power::Half }, directions),
    }
}

/// The degrees of freedom that all contrasts share; none where each has its own.
pub(super) fn fixed_degrees(fit: &dyn Fitted, kind: Vcov, rule: DfRule) -> Option<f64> {
    let residual = fit.n() as f64 - fit.bread().k() as f64;
    if rule == DfRule::Residual {
        return Some(residual);
    }
    let own = match fit.reference() {
        Reference::T { residual } => residual,
        Reference::Normal | Reference::AlwaysNormal => f64::INFINITY,
    };
    let unweighted = fit.rows().is_some_and(|rows| rows.target() == Target::Inverse);
    match kind {
        Vcov::Cr2 | Vcov::Hansen | Vcov::KenwardRoger | Vcov::Satterthwaite => None,
        Vcov::Hc2 if own.is_finite() && unweighted => None,
        Vcov::Cr0 if fit.reference() == Reference::AlwaysNormal => Some(f64::INFINITY),
        _ if kind.is_clustered() => fit.cluster_degrees(),
        _ => Some(own),
    }
}

/// A note where the t approximation is rough for a coefficient of interest. Beside terms of strata or sets the intercept is
/// the mean of one of these.
fn few_degrees(covariance: &Covariance<'_>) -> Option<String> {
    let (fit, terms) = (covariance.fit(), covariance.fit().terms());
    let whole = fit.of_interest().len() == terms.len();
    // Infinite degrees of freedom are never small; what is not a number has a note of its own.
    let few: Vec<(&str, f64)> = covariance
        .known_df()
        .map(|(j, df)| (terms[j].as_str(), df))
        .filter(|&(term, df)| df < 4.0 && (whole || term != "Intercept"))
        .collect();
    let (low, high) =
        few.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &(_, df)| (low.min(df), high.max(df)));
    let names: Vec<&str> = few.iter().map(|&(term, _)| term).collect();
    let range = if format!("{low:.1}") == format!("{high:.1}") {
        format!("{low:.1}")
    } else {
        format!("{low:.1} to {high:.1}")
    };
    (!few.is_empty()).then(|| {
        format!(
            "the degrees of freedom of {} are {range}: below 4 the t approximation is rough, prefer a randomisation test",
            crate::error::listed(&names)
        )
    })
}

/// Refuses kinds that belong to other models.
fn refuse_strange(fit: &dyn Fitted, kind: Vcov) -> Result<()> {
    if fit.has(kind) {
        return Ok(());
    }
    let (whose, remedy) = if kind.is_of_equations() {
        (
            "belongs to generalised estimating equations and Cox models",
            "Choose CR2 or CV3, which correct alike, or fit one of these",
        )
    } else if kind.is_of_cox() {
        ("belongs to Cox models", "Choose CR2 or CV3, which correct alike, or fit a Cox model to times")
    } else if kind == Vcov::Hansen {
        (
            "is of linear models, whose weights are variances",
            "Choose CV3, the jackknife of every model, or CR2",
        )
    } else if kind.is_jackknife() {
        (
            "fits the model again without each cluster, which is not done for models of what clusters share",
            "Choose CV3L, which takes one step without each cluster",
        )
    } else if kind.is_of_mixed_models() {
        ("belongs to mixed models", "Fit one, or choose CR2")
    } else {
        (
            "counts rows as independent, and this model says that rows of a cluster are not",
            "Choose a clustered kind",
        )
    };
    Err(Fault::new(format!("{kind} {whose}")).remedy(remedy).input())
}

/// Clusters where the kind needs them.
fn need_clusters(fit: &dyn Fitted, kind: Vcov) -> Result<()> {
    if !kind.is_clustered() {
        return Ok(());
    }
    match fit.clusters() {
        None => Err(Fault::new(format!("{kind} needs to know the clusters"))
            .remedy("Name the unit that was randomised as the cluster")
            .input()),
        Some(count) => super::check_clusters(count),
    }
}
