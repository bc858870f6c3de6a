//! Residuals of the partial likelihood that was maximised, Efron's under Efron's ties.
//!
//! A row's score residual is its part in the gradient: `(x - mean a_f)` at its own event, less
//! `exp(x'b) sum over times up to its own of sum over f of (m / D_f)(x - a_f)`, where at the time of its own event every
//! term is down-weighted by `1 - f`, since under Efron's ties a dying row is only partly at risk. T. M. Therneau and
//! P. M. Grambsch (2000), Modeling Survival Data, section 4.6 and appendix. Without that weight the residuals are
//! Breslow's, and a sandwich made from them does not belong to the fit.

use ndarray::Array2;

use super::likelihood::{Prepared, Ties, dot, each_event_time};
use crate::Result;
use crate::inference::Clusters;
use crate::progress::{Monitor, Pace};

/// Basic steps of a row beside its columns.
const STEP: usize = 32;

/// What a time adds to the hazard of a row: for those who survive it and for those who die then.
pub(super) struct Increments {
    p: usize,
    /// `sum m / D_f` for every tie; 0 where nobody dies.
    survive: Vec<f64>,
    /// `sum (m / D_f) a_f`, ties x p.
    survive_mean: Vec<f64>,
    /// `sum (1 - f) m / D_f`.
    die: Vec<f64>,
    /// `sum (1 - f)(m / D_f) a_f`, ties x p.
    die_mean: Vec<f64>,
    /// The mean of `a_f`, ties x p.
    mean: Vec<f64>,
}

impl Increments {
    pub(super) fn new(
        data: &Prepared,
        beta: &[f64],
        ties: Ties,
        means: bool,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let count = data.timeline.ties.len();
        let p = if means { data.p } else { 0 };
        let mut out = Self {
            p,
            survive: vec![0.0; count],
            survive_mean: vec![0.0; count * p],
            die: vec![0.0; count],
            die_mean: vec![0.0; count * p],
            mean: vec![0.0; count * p],
        };
        each_event_time(data, beta, ties, false, monitor, |step| {
            let (k, m, sums) = (step.tie, step.mean_weight, &step.sums);
            // Breslow has f = 0 throughout, so the two kinds of row agree.
            out.survive[k] = m * sums.h0;
            out.die[k] = m * (sums.h0 - sums.h1);
            for j in 0..p {
                let (s, e) = (step.risk[j + 1], step.dying[j + 1]);
                out.survive_mean[k * p + j] = m * (sums.q0 * s - sums.q1 * e);
                out.die_mean[k * p + j] = m * ((sums.q0 - sums.q1) * s - (sums.q1 - sums.q2) * e);
                out.mean[k * p + j] = step.mean_sum(j) / step.deaths as f64;
            }
        })?;
        Ok(out)
    }

    /// Calls `visit(position, dies, cumulated hazard, cumulated mean, mean at the time)` for every row.
    pub(super) fn each_row(
        &self,
        data: &Prepared,
        monitor: &dyn Monitor,
        mut visit: impl FnMut(usize, bool, f64, &[f64], &[f64]),
    ) -> Result<()> {
        let p = self.p;
        let mut pace = Pace::new(monitor);
        let (mut before, mut mean) = (vec![0.0; p], vec![0.0; p]);
        for range in &data.timeline.strata {
            let mut hazard = 0.0;
            before.fill(0.0);
            for k in range.clone() {
                let tie = data.timeline.ties[k];
                pace.by((STEP + p) * (1 + tie.end - tie.start))?;
                let at = k * p..(k + 1) * p;
                let own = &self.mean[at.clone()];
                for ((sum, b), add) in mean.iter_mut().zip(&before).zip(&self.die_mean[at.clone()]) {
                    *sum = b + add;
                }
                for position in tie.events..tie.end {
                    visit(position, true, hazard + self.die[k], &mean, own);
                }
                hazard += self.survive[k];
                for (sum, add) in before.iter_mut().zip(&self.survive_mean[at]) {
                    *sum += add;
                }
                for position in tie.start..tie.events {
                    visit(position, false, hazard, &before, own);
                }
            }
        }
        Ok(())
    }
}

/// Calls `write(row, residual)` with the unweighted score residual of every row, in standardised columns.
fn each_score(
    data: &Prepared,
    beta: &[f64],
    ties: Ties,
    monitor: &dyn Monitor,
    mut write: impl FnMut(usize, f64, &[f64]),
) -> Result<()> {
    let mut residual = vec![0.0; data.p];
    let increments = Increments::new(data, beta, ties, true, monitor)?;
    increments.each_row(data, monitor, |position, dies, hazard, mean, own| {
        let x = data.row(position);
        let r = dot(x, beta).exp();
        let rest = r * hazard;
        for (((u, x), mean), own) in residual.iter_mut().zip(x).zip(mean).zip(own) {
            let at_event = if dies { x - own } else { 0.0 };
            *u = at_event - (rest * x - r * mean);
        }
        write(data.timeline.order[position] as usize, data.weight(position), &residual);
    })
}

/// Weighted score residuals, n x p in the order of the data.
pub(crate) fn score_residuals(
    data: &Prepared,
    beta: &[f64],
    ties: Ties,
    monitor: &dyn Monitor,
) -> Result<Array2<f64>> {
    let mut out = Array2::zeros((data.timeline.n(), data.p));
    each_score(data, beta, ties, monitor, |row, weight, residual| {
        for (to, value) in out.row_mut(row).iter_mut().zip(residual) {
            *to = weight * value;
        }
    })?;
    Ok(out)
}

/// Weighted score residuals summed over clusters, G x p.
pub(crate) fn cluster_scores(
    data: &Prepared,
    beta: &[f64],
    ties: Ties,
    clusters: &Clusters,
    monitor: &dyn Monitor,
) -> Result<Array2<f64>> {
    let p = data.p;
    let mut sums = vec![0.0; clusters.count() * p];
    let codes = clusters.codes();
    each_score(data, beta, ties, monitor, |row, weight, residual| {
        let g = codes[row] as usize;
        for (to, value) in sums[g * p..(g + 1) * p].iter_mut().zip(residual) {
            *to += weight * value;
        }
    })?;
    Ok(Array2::from_shape_vec((clusters.count(), p), sums).unwrap_or_else(|_| Array2::zeros((0, p))))
}

/// Events less expected events, in the order of the data.
pub(crate) fn martingale_residuals(
    data: &Prepared,
    beta: &[f64],
    ties: Ties,
    monitor: &dyn Monitor,
) -> Result<Vec<f64>> {
    let mut out = vec![0.0; data.timeline.n()];
    let increments = Increments::new(data, beta, ties, false, monitor)?;
    increments.each_row(data, monitor, |position, dies, hazard, _, _| {
        let expected = data.relative_hazard(position, beta) * hazard;
        out[data.timeline.order[position] as usize] = f64::from(u8::from(dies)) - expected;
    })?;
    Ok(out)
}
