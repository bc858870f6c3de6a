//! What curves after a Cox model are made of: the cumulated hazard, covariates as the fit holds them, and where the times
//! that were observed end.

use ndarray::{Array2, ArrayView2};

use super::cox::CoxFit;
use super::likelihood::each_event_time;
use crate::Result;
use crate::inference::Covariance;
use crate::progress::Monitor;

/// Cumulated increments of the hazard at covariates of 0 in standardised columns, per tie.
pub(super) struct Hazard {
    /// `sum m / D_f`.
    pub(super) total: Vec<f64>,
    /// `sum (m / D_f) a_f`, ties x p.
    pub(super) mean: Vec<f64>,
    /// `sum m / D_f^2`.
    pub(super) variance: Vec<f64>,
    /// `(1/d) sum 1 / D_f` at the tie alone: what a death there adds.
    pub(super) jump: Vec<f64>,
    /// The down-weighted `sum (1 - f) m / D_f^2` at the tie alone, on top of `variance` before it.
    pub(super) die: Vec<f64>,
}

impl CoxFit {
    pub(super) fn cumulated(&self, monitor: &dyn Monitor) -> Result<Hazard> {
        let (p, count) = (self.coef.len(), self.data.timeline.ties.len());
        let mut out = Hazard {
            total: vec![0.0; count],
            mean: vec![0.0; count * p],
            variance: vec![0.0; count],
            jump: vec![0.0; count],
            die: vec![0.0; count],
        };
        each_event_time(&self.data, &self.beta, self.ties, false, monitor, |step| {
            let (k, m, sums) = (step.tie, step.mean_weight, &step.sums);
            out.total[k] = m * sums.h0;
            out.variance[k] = m * sums.q0;
            out.jump[k] = sums.h0 / step.deaths as f64;
            out.die[k] = m * (sums.q0 - sums.q1);
            for j in 0..p {
                out.mean[k * p + j] = m * (sums.q0 * step.risk[j + 1] - sums.q1 * step.dying[j + 1]);
            }
        })?;
        for range in &self.data.timeline.strata {
            for k in range.clone().skip(1) {
                out.total[k] += out.total[k - 1];
                out.variance[k] += out.variance[k - 1];
                for j in 0..p {
                    out.mean[k * p + j] += out.mean[(k - 1) * p + j];
                }
            }
        }
        Ok(out)
    }

    pub(super) fn standardised(&self, x: &[f64]) -> Vec<f64> {
        x.iter().zip(&self.means).zip(&self.data.scale).map(|((x, c), s)| (x - c) / s).collect()
    }

    /// `a' V a` for standardised columns, V being the covariance.
    pub(super) fn form(&self, covariance: &Covariance<'_>, a: &[f64]) -> f64 {
        let scale = &self.data.scale;
        let matrix = covariance.matrix();
        let mut sum = 0.0;
        for (i, x) in a.iter().enumerate() {
            for (j, y) in a.iter().enumerate() {
                sum += x * y * matrix[(i, j)] * scale[i] * scale[j];
            }
        }
        sum
    }

    /// A setting in standardised columns and in the order of the timeline.
    pub(super) fn sorted(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let order = &self.data.timeline.order;
        Array2::from_shape_fn(x.dim(), |(position, j)| {
            (x[(order[position] as usize, j)] - self.means[j]) / self.data.scale[j]
        })
    }

    /// Whether somebody in some stratum was observed until a time.
    pub(super) fn reaches(&self, time: f64) -> bool {
        let timeline = &self.data.timeline;
        (0..timeline.strata.len()).any(|stratum| timeline.reaches(stratum, time))
    }

    /// Says which of the times lie beyond what was observed.
    pub(super) fn beyond(&self, times: &[f64]) -> Vec<String> {
        let timeline = &self.data.timeline;
        let ends = || (0..timeline.strata.len()).map(|stratum| timeline.end(stratum));
        let last = ends().fold(f64::NEG_INFINITY, f64::max);
        let unknown = times.iter().filter(|time| !self.reaches(**time)).count();
        let mut notes = Vec::new();
        if unknown > 0 {
            notes.push(format!(
                "nobody was observed after time {last}: survival beyond it is not known, and {unknown} of {} times have \
                 no estimate",
                times.len()
            ));
        }
        let known: Vec<f64> = times.iter().copied().filter(|time| self.reaches(*time)).collect();
        let short: Vec<f64> = (0..timeline.strata.len())
            .filter(|&stratum| known.iter().any(|time| !timeline.reaches(stratum, *time)))
            .map(|stratum| timeline.end(stratum))
            .collect();
        if !short.is_empty() {
            notes.push(format!(
                "{} of {} strata have nobody at risk after their last time (the first of these is {}): from there on the \
                 average takes their survival as it stood",
                short.len(),
                timeline.strata.len(),
                short.iter().copied().fold(f64::INFINITY, f64::min)
            ));
        }
        notes
    }
}
