//! Corrections of the sandwich of a Cox model for few clusters, beside CR3 (which is MD, Mancl and DeRouen's).
//!
//! With the whitened score `t_g` of a cluster and its information `L_g` (see cox_clusters.rs) the middles of the sandwich are
//!
//! | name | middle |
//! |---|---|
//! | `MD` | `sum m_g m_g'`, `m_g = (I - L_g)^{-1} t_g` |
//! | `KC` | the symmetric part of `sum m_g t_g'` (Kauermann and Carroll) |
//! | `FG` | `sum f_g f_g'`; in the columns as they are each entry of the score over `(1 - min(.75, (L_g B)_jj))^{1/2}` (Fay and Graubard) |
//! | `MBN` | `c sum t_g t_g' + phi I`, `c = (n - 1) / (n - p) G / (G - 1)`, `phi = min(1/2, p / (G - p)) max(1, c tr / p)` (Morel, Bokossa and Neerchal) |
//! | `MR` | `sum r_g r_g'`: the martingale residuals of a cluster corrected for what its rows moved the estimate and the baseline |
//! | `MDMR`, `KCMR`, `FGMR`, `MBNMR` | the same with `r_g` in place of `t_g` |
//!
//! For MR a row's martingale increment at a step of the likelihood is `e`, and `a` its share in the hazard of those at risk:
//! `r_g = (I + C_g) t_g + sum (sum of e over the cluster's rows at risk) a (x - xbar)`, with
//! `C_g = sum (hazard) (x - xbar)(x - xbar)'` over the cluster's rows. Under Efron's ties a step is one f of the time, with the
//! weights 1 - f of those who die; strata have their own steps and weights multiply rows, as in the score itself.
//!
//! X. Wang, E. L. Turner and F. Li (2023), doi:10.1002/sim.9724. G. Kauermann and R. J. Carroll (2001),
//! doi:10.1198/016214501753382309; M. P. Fay and B. I. Graubard (2001), doi:10.1111/j.0006-341X.2001.01198.x; J. G. Morel,
//! M. C. Bokossa and N. K. Neerchal (2003), doi:10.1002/bimj.200390021.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use ndarray::{Array2, ArrayView2};

use super::likelihood::{Prepared, Ties, each_event_time};
use crate::inference::Vcov;
use crate::progress::{Monitor, Pace};
use crate::{Fault, Result};

/// What the others leave of the information of a cluster counts as nothing below this.
const LEFT: f64 = 1e-8;
/// The most that FG lets a cluster know of a coefficient.
const BOUND: f64 = 0.75;
/// Products of rows and steps beyond which MR is not worked out.
const LARGE: f64 = 2e10;
/// Basic steps of a row beside its products.
const STEP: usize = 16;

/// Whether a kind is one of these.
pub(super) fn is_corrected(kind: Vcov) -> bool {
    kind.is_of_equations() || kind.is_of_cox()
}

/// Whether it needs the information of every cluster.
pub(super) fn needs_information(kind: Vcov) -> bool {
    !matches!(kind, Vcov::Mbn | Vcov::Mbnmr | Vcov::Mr) && is_corrected(kind)
}

/// Whether it corrects martingale residuals.
fn is_of_residuals(kind: Vcov) -> bool {
    kind.is_of_cox()
}

/// Refuses MR where it would take too long.
pub(super) fn check_size(rows: usize, deaths: usize, p: usize, kind: Vcov) -> Result<()> {
    if is_of_residuals(kind) && rows as f64 * deaths as f64 * (STEP + p * p) as f64 > LARGE {
        return Err(Fault::new(format!(
            "{kind} of a Cox model takes too long with {rows} rows and {deaths} events"
        ))
        .remedy("Use CR3, which it hardly differs from with many rows")
        .input());
    }
    Ok(())
}

/// What the corrections are made from; G clusters, p columns.
pub(super) struct Parts<'p> {
    /// Whitened scores, G x p.
    pub scores: &'p Array2<f64>,
    /// Whitened information, G x p x p by rows, where it is needed.
    pub information: &'p [f64],
    /// `W` of the standardised columns.
    pub whitening: Array2<f64>,
    pub data: &'p Prepared,
    pub beta: &'p [f64],
    pub ties: Ties,
    /// The cluster of every row; without it a row is its own.
    pub codes: Option<&'p [u32]>,
}

impl Parts<'_> {
    /// The cluster of a row by its place in the timeline.
    fn cluster_at(&self, position: usize) -> usize {
        let row = self.data.timeline.order[position] as usize;
        self.codes.map_or(row, |codes| codes[row] as usize)
    }

    /// The middle of one of these kinds, p x p in whitened columns.
    pub(super) fn corrected(&self, kind: Vcov, monitor: &dyn Monitor) -> Result<Array2<f64>> {
        let own;
        let scores = if is_of_residuals(kind) {
            own = self.residual_scores(monitor)?;
            &own
        } else {
            self.scores
        };
        Ok(match kind {
            Vcov::Md | Vcov::Mdmr => {
                let adjusted = self.inflated(scores.view())?;
                adjusted.t().dot(&adjusted)
            }
            Vcov::Kc | Vcov::Kcmr => {
                let product = self.inflated(scores.view())?.t().dot(scores);
                (&product + &product.t()) * 0.5
            }
            Vcov::Fg | Vcov::Fgmr => {
                let adjusted = self.bounded(scores.view());
                adjusted.t().dot(&adjusted)
            }
            Vcov::Mbn | Vcov::Mbnmr => self.widened(scores.t().dot(scores)),
            _ => scores.t().dot(scores),
        })
    }

    fn information_of(&self, g: usize) -> DMatrix<f64> {
        let p = self.beta.len();
        DMatrix::from_row_slice(p, p, &self.information[g * p * p..(g + 1) * p * p])
    }

    /// `(I - L_g)^{-1} s_g` of every cluster, G x p.
    fn inflated(&self, scores: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let (count, p) = scores.dim();
        let mut out = Array2::zeros((count, p));
        for g in 0..count {
            let eigen = SymmetricEigen::new(self.information_of(g));
            let rest = 1.0 - eigen.eigenvalues.max();
            if rest.is_nan() || rest <= LEFT {
                return Err(Fault::new(format!(
                    "the correction for few clusters is not estimable: without one of {count} clusters the others leave \
                     {rest:.1e} of the information in some direction"
                ))
                .remedy("Take the jackknife or the uncorrected sandwich (CR0)")
                .input());
            }
            let along = eigen.eigenvectors.tr_mul(&DVector::from_iterator(p, scores.row(g).iter().copied()));
            let inflated = &eigen.eigenvectors * along.zip_map(&eigen.eigenvalues, |s, l| s / (1.0 - l));
            for (to, value) in out.row_mut(g).iter_mut().zip(inflated.iter()) {
                *to = *value;
            }
        }
        Ok(out)
    }

    /// The scores with each entry inflated in the columns as they are, G x p.
    fn bounded(&self, scores: ArrayView2<'_, f64>) -> Array2<f64> {
        let (count, p) = scores.dim();
        let w = &self.whitening;
        let w = DMatrix::from_fn(p, p, |a, b| w[(a, b)]);
        // The factor of a positive definite matrix is never singular.
        let inverse = w.clone().try_inverse().unwrap_or_else(|| DMatrix::from_element(p, p, f64::NAN));
        let mut out = Array2::zeros((count, p));
        for g in 0..count {
            // L_g B in the columns: W^{-T} (whitened L_g) W'.
            let known = inverse.transpose() * self.information_of(g) * w.transpose();
            let mut score = inverse.tr_mul(&DVector::from_iterator(p, scores.row(g).iter().copied()));
            for j in 0..p {
                score[j] /= (1.0 - known[(j, j)].min(BOUND)).sqrt();
            }
            let whitened = w.tr_mul(&score);
            for (to, value) in out.row_mut(g).iter_mut().zip(whitened.iter()) {
                *to = *value;
            }
        }
        out
    }

    /// `c M + phi I`.
    fn widened(&self, products: Array2<f64>) -> Array2<f64> {
        let p = self.beta.len();
        let (n, k, count) = (self.data.timeline.n() as f64, p as f64, self.scores.nrows() as f64);
        let factor = (n - 1.0) / (n - k) * count / (count - 1.0);
        let share = if count > 3.0 * k { k / (count - k) } else { 0.5 };
        let trace: f64 = products.diag().sum();
        let phi = share * (factor * trace / k).max(1.0);
        products * factor + Array2::<f64>::eye(p) * phi
    }

    /// `r_g` of every cluster, G x p whitened.
    fn residual_scores(&self, monitor: &dyn Monitor) -> Result<Array2<f64>> {
        let (data, beta, ties) = (self.data, self.beta, self.ties);
        let (count, p) = self.scores.dim();
        let ends: Vec<usize> = data
            .timeline
            .strata
            .iter()
            .flat_map(|range| {
                let end = range.clone().next_back().map_or(0, |last| data.timeline.ties[last].end);
                range.clone().map(move |_| end)
            })
            .collect();
        let mut pace = Pace::new(monitor);
        let (mut shared, mut moved) = (Array2::<f64>::zeros((count, p)), vec![0.0; count * p * p]);
        let (mut increments, mut mean) = (vec![0.0; count], vec![0.0; p]);
        let mut interrupted = Ok(());
        each_event_time(data, beta, ties, false, monitor, |step| {
            if interrupted.is_err() {
                return;
            }
            let tie = data.timeline.ties[step.tie];
            let rows = tie.start..ends[step.tie];
            let deaths = step.deaths as f64;
            let steps = if ties == Ties::Efron { step.deaths } else { 1 };
            for m in 0..steps {
                interrupted = pace.by((STEP + p * p) * rows.len());
                let f = if ties == Ties::Efron { m as f64 / deaths } else { 0.0 };
                let total = step.risk[0] - f * step.dying[0];
                for (j, mean) in mean.iter_mut().enumerate() {
                    *mean = (step.risk[j + 1] - f * step.dying[j + 1]) / total;
                }
                let hazard = step.mean_weight * deaths / steps as f64 / total;
                let dies = |position: usize| position >= tie.events && position < tie.end;
                let share = |position: usize| {
                    let a = if dies(position) { 1.0 - f } else { 1.0 };
                    a * data.weight(position) * data.relative_hazard(position, beta)
                };
                increments.fill(0.0);
                for position in rows.clone() {
                    let gain = if dies(position) { data.weight(position) / steps as f64 } else { 0.0 };
                    increments[self.cluster_at(position)] += gain - share(position) * hazard;
                }
                for position in rows.clone() {
                    let (g, share, x) = (self.cluster_at(position), share(position), data.row(position));
                    let increment = increments[g] * share / total;
                    let own = &mut moved[g * p * p..(g + 1) * p * p];
                    for a in 0..p {
                        let off = x[a] - mean[a];
                        shared[(g, a)] += increment * off;
                        for b in 0..p {
                            own[a * p + b] += share * hazard * off * (x[b] - mean[b]);
                        }
                    }
                }
            }
        })?;
        interrupted?;
        let w = &self.whitening;
        let mut out = self.scores + &shared.dot(w);
        for (g, moved) in moved.chunks_exact(p * p).enumerate() {
            let moved = Array2::from_shape_fn((p, p), |(a, b)| moved[a * p + b]);
            let put_back = w.t().dot(&moved).dot(w).dot(&self.scores.row(g));
            out.row_mut(g).zip_mut_with(&put_back, |to, value| *to += value);
        }
        Ok(out)
    }
}
