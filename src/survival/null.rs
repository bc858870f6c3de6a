//! A Cox model in which one column has a coefficient that is given: what the score of an arm is worked out from.
//!
//! The other coefficients maximise the partial likelihood. What the score needs of it depends on no arm: of every row its
//! relative hazard, its martingale residual and its score residuals, and of every time the sums over Efron's (or
//! Breslow's) terms.

use nalgebra::{Cholesky, DMatrix, DVector};
use ndarray::{Array2, ArrayView2};

use super::data::{Surv, Timeline};
use super::likelihood::{Point, Prepared, Ties, each_event_time, evaluate};
use super::residuals::Increments;
use crate::progress::{Monitor, go_on};
use crate::{Fault, Result};

/// Newton steps before the iteration is given up.
const STEPS: usize = 60;
/// The squared length of the whitened score that counts as none.
const CLOSE: f64 = 1e-24;
/// Below this, where it no longer falls, only rounding is left of it.
const ROUNDING: f64 = 1e-14;
/// The loss of log-likelihood, relative to its size, that is rounding.
const SAME: f64 = 1e-14;

/// What an event time adds to the score of a column z, from `S = sum r z` over the rows at risk and `E` over those that die.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    /// Positions of the rows that are censored at this time, `start..events`, and of those that die, `events..end`.
    pub start: usize,
    pub events: usize,
    pub end: usize,
    /// The mean of z over the deaths' terms is `mean.0 S - mean.1 E`.
    pub mean: (f64, f64),
    /// What a row that survives the time takes: `survive.0 S - survive.1 E`.
    pub survive: (f64, f64),
    /// What a row that dies takes.
    pub die: (f64, f64),
    /// The information of indicators z and z': `same.0 S - same.1 E` where they are one, less
    /// `pair.0 S S' - pair.1 (S E' + E S') + pair.2 E E'`.
    pub same: (f64, f64),
    pub pair: (f64, f64, f64),
}

/// The model at its restricted maximum, rows in the order of the timeline.
#[derive(Debug, Clone)]
pub(crate) struct Restricted {
    /// The row of the data at each position.
    pub order: Vec<u32>,
    /// The times of every stratum.
    pub strata: Vec<Vec<Moment>>,
    /// `exp(x'b + offset)`, by position.
    pub hazard: Vec<f64>,
    /// Events less expected events, by position.
    pub martingale: Vec<f64>,
    /// Score residuals of the covariates, n x p by position, in columns whose information is the identity.
    pub scores: Array2<f64>,
    /// What a row with z = 1 adds to the information between z and those columns, n x p by position.
    pub shares: Array2<f64>,
}

/// Fits the coefficients of `x` (n x p, p may be 0) beside an offset a row.
///
/// # Errors
/// [`crate::Error::Input`] for times and events that cannot be, [`crate::Error::Convergence`] where the maximum is not reached,
/// [`crate::Error::Rank`] where the information of the covariates is singular.
pub(crate) fn restricted(
    surv: &Surv<'_>,
    x: ArrayView2<'_, f64>,
    strata: Option<&[u32]>,
    ties: Ties,
    offset: &[f64],
    monitor: &dyn Monitor,
) -> Result<Restricted> {
    let (n, p) = x.dim();
    // The offset is one more column, whose coefficient is 1.
    let columns = Array2::from_shape_fn((n, p + 1), |(row, j)| if j < p { x[[row, j]] } else { offset[row] });
    let timeline = Timeline::new(surv, strata)?;
    let data = Prepared::new(surv, columns.view(), timeline);
    let mut beta = vec![0.0; p + 1];
    beta[p] = data.scale[p];
    let point = maximise(&data, &mut beta, p, ties, monitor)?;
    let whitening = whitening(&point, p)?;

    let order = data.timeline.order.clone();
    let mut made = Restricted {
        strata: moments(&data, &beta, ties, monitor)?,
        hazard: (0..n).map(|at| data.weight(at) * data.relative_hazard(at, &beta)).collect(),
        martingale: vec![0.0; n],
        scores: Array2::zeros((n, p)),
        shares: Array2::zeros((n, p)),
        order,
    };
    let increments = Increments::new(&data, &beta, ties, true, monitor)?;
    let (mut score, mut share) = (vec![0.0; p], vec![0.0; p]);
    increments.each_row(&data, monitor, |at, dies, hazard, mean, own| {
        let (row, weight) = (data.row(at), data.weight(at));
        let r = data.relative_hazard(at, &beta);
        made.martingale[at] = weight * (f64::from(u8::from(dies)) - r * hazard);
        for j in 0..p {
            let part = weight * r * (row[j] * hazard - mean[j]);
            share[j] = part;
            score[j] = if dies { weight * (row[j] - own[j]) } else { 0.0 } - part;
        }
        for j in 0..p {
            let white = |values: &[f64]| (0..=j).map(|l| whitening[(j, l)] * values[l]).sum::<f64>();
            made.scores[[at, j]] = white(&score);
            made.shares[[at, j]] = white(&share);
        }
    })?;
    Ok(made)
}

/// Newton's iteration on the first p of the standardised columns.
fn maximise(data: &Prepared, beta: &mut [f64], p: usize, ties: Ties, monitor: &dyn Monitor) -> Result<Point> {
    let mut point = evaluate(data, beta, ties, monitor)?;
    let mut last = f64::INFINITY;
    for _ in 0..STEPS {
        go_on(monitor)?;
        let gradient = DVector::from_iterator(p, point.score[..p].iter().copied());
        let step = factored(&point, p)?.solve(&gradient);
        let length = step.dot(&gradient);
        if length <= CLOSE || (length <= ROUNDING && length >= 0.5 * last) {
            return Ok(point);
        }
        last = length;
        let mut share = 1.0;
        let next = loop {
            let mut there = beta.to_vec();
            for (value, step) in there.iter_mut().zip(step.iter()) {
                *value += share * step;
            }
            let next = evaluate(data, &there, ties, monitor)?;
            // Close to the maximum only rounding is left of the difference.
            if next.loglik >= point.loglik - SAME * (1.0 + point.loglik.abs()) || share < 1e-8 {
                beta.copy_from_slice(&there);
                break next;
            }
            share *= 0.5;
        };
        point = next;
    }
    Err(Fault::new("the model without the arm did not reach its maximum")
        .remedy("Leave out covariates that few rows share")
        .convergence())
}

fn factored(point: &Point, p: usize) -> Result<Cholesky<f64, nalgebra::Dyn>> {
    let width = p + 1;
    let information = DMatrix::from_fn(p, p, |a, b| point.information[a * width + b]);
    Cholesky::new(information).ok_or_else(|| {
        Fault::new("the information of the covariates is singular")
            .remedy("Leave out the covariates that repeat others")
            .rank()
    })
}

/// The inverse of the lower factor of the covariates' information.
fn whitening(point: &Point, p: usize) -> Result<DMatrix<f64>> {
    if p == 0 {
        return Ok(DMatrix::zeros(0, 0));
    }
    let lower = factored(point, p)?.unpack();
    // A Cholesky factor has a positive diagonal, so its inverse exists.
    Ok(lower.clone().try_inverse().unwrap_or(lower))
}

fn moments(data: &Prepared, beta: &[f64], ties: Ties, monitor: &dyn Monitor) -> Result<Vec<Vec<Moment>>> {
    let mut all: Vec<Moment> = data
        .timeline
        .ties
        .iter()
        .map(|tie| Moment { start: tie.start, events: tie.events, end: tie.end, ..Moment::default() })
        .collect();
    each_event_time(data, beta, ties, false, monitor, |step| {
        let (m, s, d) = (step.mean_weight, &step.sums, step.deaths as f64);
        let moment = &mut all[step.tie];
        moment.mean = (s.h0 / d, s.h1 / d);
        moment.survive = (m * s.q0, m * s.q1);
        moment.die = (m * (s.q0 - s.q1), m * (s.q1 - s.q2));
        moment.same = (m * s.h0, m * s.h1);
        moment.pair = (m * s.q0, m * s.q1, m * s.q2);
    })?;
    Ok(data.timeline.strata.iter().map(|range| all[range.clone()].to_vec()).collect())
}
