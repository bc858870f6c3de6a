//! Tests of proportional hazards: whether a coefficient drifts with a function g of time.
//!
//! The score test of `b(t) = b + c g(t)` at c = 0, with the exact information of the partial likelihood at every event
//! time (P. M. Grambsch and T. M. Therneau 1994, doi:10.1093/biomet/81.3.515, in the exact form of R's survival since
//! 3.0; the older approximation takes the information as constant over time). g is centred at its mean over events.
//! The variance is the model's also where the fit has clusters.

use nalgebra::{DMatrix, DVector};
use ndarray::Array2;
use serde::Serialize;

use super::cox::{CoxFit, Test};
use super::likelihood::{each_event_time, mirror};
use crate::progress::watcher;
use crate::ties::varies;
use crate::words::words;
use crate::{Fault, Result};

/// The function of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transform {
    /// 1 less the Kaplan-Meier estimate just before t.
    #[default]
    KaplanMeier,
    /// The rank of t among all times.
    Rank,
    /// t itself.
    Identity,
    /// The logarithm of t.
    Log,
}

words!(
    Transform,
    "function of time",
    KaplanMeier => "km",
    Rank => "rank",
    Identity => "identity",
    Log => "log",
);

/// Tests of proportional hazards.
///
/// ```
/// use crewe::survival::{Cox, Surv, Transform};
/// use ndarray::array;
/// let surv = Surv::new(&[4., 3., 1., 1., 2., 2., 3.], &[1., 1., 1., 0., 1., 1., 0.]);
/// let x = array![[0.], [2.], [1.], [1.], [1.], [0.], [0.]];
/// let test = Cox::new(surv, x.view()).fit()?.zph("rank".parse()?, &[])?;
/// assert_eq!(test.terms.len(), 1);
/// assert!(test.global.p_value > 0.05);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Zph {
    /// One test a term, in the order of the terms given.
    pub terms: Vec<Test>,
    /// All terms at once.
    pub global: Test,
    /// g at every event, in the order of strata and times; length d.
    pub transformed: Vec<f64>,
    /// The times of these events; length d.
    pub time: Vec<f64>,
    /// Scaled Schoenfeld residuals plus the coefficients, d x p: their smooth against g estimates `b(t)`.
    pub scaled_schoenfeld: Array2<f64>,
}

impl CoxFit {
    /// Tests whether hazards are proportional; `terms` lists the columns of every term (all columns singly if empty).
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a column that is not there, or the log of a time of 0.
    pub fn zph(&self, transform: Transform, terms: &[Vec<usize>]) -> Result<Zph> {
        let p = self.coef.len();
        let singles: Vec<Vec<usize>> = (0..p).map(|j| vec![j]).collect();
        let terms = if terms.is_empty() { &singles } else { terms };
        if terms.iter().any(|term| term.is_empty() || term.iter().any(|&j| j >= p)) {
            return Err(Fault::new(format!("terms must list columns below {p}")).input());
        }
        let mean_of_g = self.event_mean(transform);
        let g = self.transformed(transform, mean_of_g)?;
        let mut score = vec![0.0; p];
        let mut blocks = [vec![0.0; p * p], vec![0.0; p * p], vec![0.0; p * p]];
        let mut mean = vec![0.0; g.len() * p];
        each_event_time(&self.data, &self.beta, self.ties, true, &watcher(), |step| {
            let at = g[step.tie];
            for (factor, block) in [1.0, at, at * at].into_iter().zip(&mut blocks) {
                step.add_information(p, factor, block);
            }
            for j in 0..p {
                mean[step.tie * p + j] = step.mean_sum(j) / step.deaths as f64;
                score[j] -= at * step.mean_weight * step.mean_sum(j);
            }
        })?;
        for block in &mut blocks {
            mirror(block, p);
        }
        let events = self.events;
        let mut residuals = Array2::zeros((events, p));
        let (mut transformed, mut time) = (Vec::with_capacity(events), Vec::with_capacity(events));
        for (k, tie) in self.data.timeline.ties.iter().enumerate() {
            for position in tie.events..tie.end {
                let weight = self.data.weight(position);
                for (j, &x) in self.data.row(position).iter().enumerate() {
                    score[j] += g[k] * weight * x;
                    residuals[(time.len(), j)] = x - mean[k * p + j];
                }
                transformed.push(g[k]);
                time.push(tie.time);
            }
        }
        let test = |columns: &[usize]| -> Test {
            let q = columns.len();
            let [plain, once, twice] = &blocks;
            let information =
                DMatrix::from_fn(p + q, p + q, |a, b| match (a.checked_sub(p), b.checked_sub(p)) {
                    (None, None) => plain[a * p + b],
                    (Some(a), None) => once[columns[a] * p + b],
                    (None, Some(b)) => once[a * p + columns[b]],
                    (Some(a), Some(b)) => twice[columns[a] * p + columns[b]],
                });
            let u = DVector::from_fn(p + q, |a, _| a.checked_sub(p).map_or(0.0, |a| score[columns[a]]));
            let statistic = information.cholesky().map_or(f64::NAN, |root| root.solve(&u).dot(&u));
            Test::new(statistic, q as f64)
        };
        let all: Vec<usize> = (0..p).collect();
        Ok(Zph {
            terms: terms.iter().map(|term| test(term)).collect(),
            global: test(&all),
            scaled_schoenfeld: self.scaled(&residuals),
            transformed: transformed.iter().map(|value| value + mean_of_g).collect(),
            time,
        })
    }

    /// `d V r + b` for Schoenfeld residuals r in standardised columns.
    fn scaled(&self, residuals: &Array2<f64>) -> Array2<f64> {
        let scale = &self.data.scale;
        let mut raw = residuals.clone();
        for mut row in raw.outer_iter_mut() {
            row.iter_mut().zip(scale).for_each(|(value, s)| *value *= s);
        }
        let naive = self.bread.around(Array2::eye(self.coef.len()).view());
        let mut out = raw.dot(&naive) * self.events as f64;
        for mut row in out.outer_iter_mut() {
            row.iter_mut().zip(&self.coef).for_each(|(value, b)| *value += b);
        }
        out
    }

    /// g at every tie, less its mean over events.
    fn transformed(&self, transform: Transform, mean: f64) -> Result<Vec<f64>> {
        let mut g = self.raw_transform(transform);
        let ties = &self.data.timeline.ties;
        if let Some(tie) = ties.iter().zip(&g).find(|(tie, g)| tie.deaths() > 0 && !g.is_finite()) {
            return Err(Fault::new(format!("the log of an event at time {} is not a number", tie.0.time))
                .remedy("Use the transform 'km' or 'rank'")
                .input());
        }
        let at_events: Vec<f64> =
            ties.iter().zip(&g).filter(|(tie, _)| tie.deaths() > 0).map(|(_, g)| *g).collect();
        if !varies(&at_events) {
            // With all events at one time there is no trend to test, and none of rounding.
            g.fill(0.0);
            return Ok(g);
        }
        for value in &mut g {
            *value -= mean;
        }
        Ok(g)
    }

    fn event_mean(&self, transform: Transform) -> f64 {
        let g = self.raw_transform(transform);
        let total: f64 = self
            .data
            .timeline
            .ties
            .iter()
            .zip(&g)
            .filter(|(tie, _)| tie.deaths() > 0)
            .map(|(tie, g)| tie.deaths() as f64 * g)
            .sum();
        total / self.events as f64
    }

    /// g at every tie. Ranks and Kaplan-Meier are over all rows, whatever their stratum and weight.
    fn raw_transform(&self, transform: Transform) -> Vec<f64> {
        let ties = &self.data.timeline.ties;
        match transform {
            Transform::Identity => ties.iter().map(|tie| tie.time).collect(),
            Transform::Log => ties.iter().map(|tie| tie.time.ln()).collect(),
            Transform::Rank | Transform::KaplanMeier => {
                let mut order: Vec<usize> = (0..ties.len()).collect();
                order.sort_by(|&a, &b| ties[a].time.total_cmp(&ties[b].time));
                let mut g = vec![0.0; ties.len()];
                let (mut before, mut survival) = (0.0, 1.0);
                for same in order.chunk_by(|&a, &b| ties[a].time == ties[b].time) {
                    let rows: usize = same.iter().map(|&k| ties[k].end - ties[k].start).sum();
                    let deaths: usize = same.iter().map(|&k| ties[k].deaths()).sum();
                    let value = if transform == Transform::Rank {
                        before + 0.5 * (rows as f64 + 1.0)
                    } else {
                        1.0 - survival
                    };
                    for &k in same {
                        g[k] = value;
                    }
                    survival *= 1.0 - deaths as f64 / (self.n as f64 - before);
                    before += rows as f64;
                }
                g
            }
        }
    }
}
