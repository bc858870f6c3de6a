//! The partial likelihood, its gradient and its information, per distinct time.
//!
//! With `r = w exp(x'b)` summed over the rows at risk into S0, S1 = sum r x, S2 = sum r x x', over the d rows that die
//! at a time into E0, E1, E2, and with `f = 0, 1/d, ..., (d-1)/d` (Efron) or `f = 0` d times (Breslow), a time adds
//!
//! * `sum of w x'b over deaths - m sum log D_f` to the log-likelihood, with `D_f = S0 - f E0` and m the mean weight of
//!   the deaths;
//! * `sum of w x over deaths - m sum a_f` to the gradient, with `a_f = (S1 - f E1) / D_f`;
//! * `m sum ((S2 - f E2) / D_f - a_f a_f')` to the information.
//!
//! The sums over f only need six scalars (`Sums`), so a time with a thousand deaths costs a thousand divisions, not a
//! thousand p x p matrices. B. Efron (1977), doi:10.1080/01621459.1977.10480613; N. Breslow (1974),
//! doi:10.2307/2529620. Times are taken from the last to the first, so the sums over rows at risk only ever grow.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::data::{Surv, Tie, Timeline};
use crate::Result;
use crate::progress::{Monitor, Pace};
use crate::words::words;

/// How deaths at one time are treated.
///
/// ```
/// use crewe::survival::Ties;
/// assert_eq!("breslow".parse::<Ties>()?, Ties::Breslow);
/// assert_eq!(Ties::default().to_string(), "efron");
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ties {
    /// Efron's approximation, close to the exact likelihood of continuous time.
    #[default]
    Efron,
    /// Breslow's, the cruder one.
    Breslow,
}

words!(Ties, "treatment of ties", Efron => "efron", Breslow => "breslow");

/// Rows in a block that stays in the first-level cache.
const BLOCK: usize = 192;
/// Blocks with fewer rows are added one by one.
const FEW: usize = 12;
/// Basic steps of a row beside its products.
const STEP: usize = 32;

/// The rows in the order of the timeline, their columns centred and divided by their standard deviations.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Columns.
    pub p: usize,
    /// n x p by rows.
    pub x: Vec<f64>,
    /// Weights, where there are any.
    pub weights: Option<Vec<f64>>,
    /// Strata and times.
    pub timeline: Timeline,
    /// What was taken off each column.
    pub center: Vec<f64>,
    /// What each was divided by.
    pub scale: Vec<f64>,
}

impl Prepared {
    /// Sorts and standardises; a constant column keeps the scale 0.
    pub fn new(surv: &Surv<'_>, x: ArrayView2<'_, f64>, timeline: Timeline) -> Self {
        let (n, p) = x.dim();
        let mut center = vec![0.0; p];
        let mut squares = vec![0.0; p];
        // Shifted by the first row, the one-pass variance keeps its digits.
        let first: Vec<f64> = x.row(0).to_vec();
        for row in x.outer_iter() {
            for (((value, shift), sum), square) in row.iter().zip(&first).zip(&mut center).zip(&mut squares) {
                let off = value - shift;
                *sum += off;
                *square += off * off;
            }
        }
        let mut scale = vec![0.0; p];
        for j in 0..p {
            let mean = center[j] / n as f64;
            scale[j] = (squares[j] / n as f64 - mean * mean).max(0.0).sqrt();
            center[j] = first[j] + mean;
        }
        let inverse: Vec<f64> = scale.iter().map(|&s| if s > 0.0 { 1.0 / s } else { 0.0 }).collect();
        let mut sorted = vec![0.0; n * p];
        let contiguous = x.as_slice();
        for (to, &row) in sorted.chunks_exact_mut(p.max(1)).zip(&timeline.order) {
            let row = row as usize;
            let mut set = |from: &mut dyn Iterator<Item = f64>| {
                for (((to, from), c), s) in to.iter_mut().zip(from).zip(&center).zip(&inverse) {
                    *to = (from - c) * s;
                }
            };
            if let Some(all) = contiguous {
                for (((to, from), c), s) in
                    to.iter_mut().zip(&all[row * p..(row + 1) * p]).zip(&center).zip(&inverse)
                {
                    *to = (from - c) * s;
                }
            } else {
                set(&mut x.row(row).iter().copied());
            }
        }
        let weights =
            surv.weights.map(|w| timeline.order.iter().map(|&row| w[row as usize]).collect::<Vec<_>>());
        Self { p, x: sorted, weights, timeline, center, scale }
    }

    /// The same rows without some, standardised anew: what is left of a column may be next to nothing beside the rows that
    /// are gone.
    pub fn without(&self, left_out: &dyn Fn(usize) -> bool) -> Self {
        let stays: Vec<usize> = (0..self.timeline.n())
            .filter(|&position| !left_out(self.timeline.order[position] as usize))
            .collect();
        // Its rows are counted anew, in the order of the timeline.
        let order = (0..stays.len() as u32).collect();
        let tolerance = self.timeline.tolerance;
        let mut timeline = Timeline { order, ties: Vec::new(), strata: Vec::new(), tolerance };
        let place = |position: usize| stays.partition_point(|&stay| stay < position);
        for range in &self.timeline.strata {
            let first = timeline.ties.len();
            for tie in &self.timeline.ties[range.clone()] {
                let (start, events, end) = (place(tie.start), place(tie.events), place(tie.end));
                if start < end {
                    timeline.ties.push(Tie { time: tie.time, start, events, end });
                }
            }
            timeline.strata.push(first..timeline.ties.len());
        }
        let mut part = Self {
            p: self.p,
            x: stays.iter().flat_map(|&position| self.row(position).iter().copied()).collect(),
            weights: self
                .weights
                .as_ref()
                .map(|weights| stays.iter().map(|&position| weights[position]).collect()),
            timeline,
            center: self.center.clone(),
            scale: self.scale.clone(),
        };
        for j in 0..part.p {
            let n = stays.len().max(1) as f64;
            let column = || part.x.iter().skip(j).step_by(part.p);
            let mean = column().sum::<f64>() / n;
            let spread = (column().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
            let size = if spread > 0.0 { spread } else { 1.0 };
            part.center[j] += mean * part.scale[j];
            part.scale[j] *= size;
            let p = part.p;
            part.x.iter_mut().skip(j).step_by(p).for_each(|v| *v = (*v - mean) / size);
        }
        part
    }

    /// The columns as they were given, in the order of the timeline.
    pub fn columns(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.timeline.n(), self.p), |(position, j)| {
            self.row(position)[j] * self.scale[j] + self.center[j]
        })
    }

    /// Times and events in the order of the timeline.
    pub fn outcome(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut time, mut event) = (Vec::new(), Vec::new());
        for tie in &self.timeline.ties {
            for position in tie.start..tie.end {
                time.push(tie.time);
                event.push(f64::from(u8::from(position >= tie.events)));
            }
        }
        (time, event)
    }

    /// The standardised columns of the row at `position`.
    pub fn row(&self, position: usize) -> &[f64] {
        &self.x[position * self.p..(position + 1) * self.p]
    }

    /// The weight of the row at `position`.
    pub fn weight(&self, position: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[position])
    }

    /// `exp(x'b)` of the row at `position`.
    pub fn relative_hazard(&self, position: usize, beta: &[f64]) -> f64 {
        dot(self.row(position), beta).exp()
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The sums over `f` at one event time, D being `S0 - f E0`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    /// `sum log D`.
    pub log: f64,
    /// `sum 1 / D`.
    pub h0: f64,
    /// `sum f / D`.
    pub h1: f64,
    /// `sum 1 / D^2`.
    pub q0: f64,
    /// `sum f / D^2`.
    pub q1: f64,
    /// `sum f^2 / D^2`.
    pub q2: f64,
}

impl Sums {
    fn new(s0: f64, e0: f64, deaths: usize, ties: Ties) -> Self {
        let d = deaths as f64;
        if ties == Ties::Breslow || deaths == 1 {
            return Self { log: d * s0.ln(), h0: d / s0, q0: d / (s0 * s0), ..Self::default() };
        }
        let mut sums = Self::default();
        let step = 1.0 / d;
        // Logarithms of products of eight: as exact, and an eighth of the work.
        let (mut product, mut held) = (1.0_f64, 0);
        for k in 0..deaths {
            let f = k as f64 * step;
            let scaled = 1.0 - f * (e0 / s0);
            let inverse = 1.0 / (s0 * scaled);
            product *= scaled;
            held += 1;
            if held == 8 {
                sums.log += product.ln();
                (product, held) = (1.0, 0);
            }
            let square = inverse * inverse;
            sums.h0 += inverse;
            sums.h1 += f * inverse;
            sums.q0 += square;
            sums.q1 += f * square;
            sums.q2 += f * f * square;
        }
        sums.log += product.ln() + d * s0.ln();
        sums
    }
}

/// One event time on the way from the last to the first.
pub(crate) struct Step<'a> {
    /// Its index in the timeline's ties.
    pub tie: usize,
    /// Deaths, unweighted.
    pub deaths: usize,
    /// The mean weight of the deaths, m.
    pub mean_weight: f64,
    /// `[S0, S1'; S1, S2]`, (p+1) x (p+1) by rows, upper triangle.
    pub risk: &'a [f64],
    /// `[E0, E1'; E1, E2]`, likewise.
    pub dying: &'a [f64],
    /// The scalars.
    pub sums: Sums,
}

impl Step<'_> {
    /// Adds this time's information, times `factor`, to the upper triangle of `into` (p x p).
    pub fn add_information(&self, p: usize, factor: f64, into: &mut [f64]) {
        let q = p + 1;
        let m = self.mean_weight * factor;
        let Sums { h0, h1, q0, q1, q2, .. } = self.sums;
        let (s1, e1) = (&self.risk[1..q], &self.dying[1..q]);
        for a in 0..p {
            let (row, from) = (&mut into[a * p..(a + 1) * p], (a + 1) * q + 1);
            let (s2, e2) = (&self.risk[from..from + p], &self.dying[from..from + p]);
            let (by_s, by_e) = (q0 * s1[a] - q1 * e1[a], q2 * e1[a] - q1 * s1[a]);
            for b in a..p {
                row[b] += m * (h0 * s2[b] - h1 * e2[b] - (by_s * s1[b] + by_e * e1[b]));
            }
        }
    }

    /// `sum of a_f` over f, column `j`.
    pub fn mean_sum(&self, j: usize) -> f64 {
        self.sums.h0 * self.risk[j + 1] - self.sums.h1 * self.dying[j + 1]
    }
}

/// Visits every event time of every stratum, the last time first; `second` says whether S2 and E2 are needed.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the monitor stops the work.
pub(crate) fn each_event_time(
    data: &Prepared,
    beta: &[f64],
    ties: Ties,
    second: bool,
    monitor: &dyn Monitor,
    mut visit: impl FnMut(&Step<'_>),
) -> Result<()> {
    let mut pace = Pace::new(monitor);
    let q = data.p + 1;
    let mut block = vec![0.0; BLOCK * q];
    let mut risk = vec![0.0; q * q];
    let mut dying = vec![0.0; q * q];
    for range in &data.timeline.strata {
        risk.fill(0.0);
        for index in range.clone().rev() {
            let tie = data.timeline.ties[index];
            pace.by((q * q + STEP) * (1 + tie.end - tie.start))?;
            accumulate(data, beta, tie.start, tie.events, second, &mut block, &mut risk);
            let deaths = tie.deaths();
            if deaths == 0 {
                continue;
            }
            dying.fill(0.0);
            accumulate(data, beta, tie.events, tie.end, second, &mut block, &mut dying);
            for (r, d) in risk.iter_mut().zip(&dying) {
                *r += d;
            }
            let mean_weight = match &data.weights {
                None => 1.0,
                Some(w) => w[tie.events..tie.end].iter().sum::<f64>() / deaths as f64,
            };
            let sums = Sums::new(risk[0], dying[0], deaths, ties);
            visit(&Step { tie: index, deaths, mean_weight, risk: &risk, dying: &dying, sums });
        }
    }
    Ok(())
}

/// Adds `r [1, x][1, x]'` of the rows `start..end` to `into` (without `second` only its first row).
fn accumulate(
    data: &Prepared,
    beta: &[f64],
    start: usize,
    end: usize,
    second: bool,
    block: &mut [f64],
    into: &mut [f64],
) {
    let (p, q) = (data.p, data.p + 1);
    for from in (start..end).step_by(BLOCK) {
        let to = end.min(from + BLOCK);
        let rows = &data.x[from * p..to * p];
        if !second {
            for (position, row) in (from..to).zip(rows.chunks_exact(p.max(1))) {
                let r = data.weight(position) * dot(row, beta).exp();
                into[0] += r;
                for (sum, value) in into[1..q].iter_mut().zip(row) {
                    *sum += r * value;
                }
            }
            continue;
        }
        // Rows times the root of r: their cross-products are S0, S1 and S2 at once.
        for ((position, row), out) in
            (from..to).zip(rows.chunks_exact(p.max(1))).zip(block.chunks_exact_mut(q))
        {
            let mut root = (0.5 * dot(row, beta)).exp();
            if let Some(w) = &data.weights {
                root *= w[position].sqrt();
            }
            out[0] = root;
            for (out, value) in out[1..].iter_mut().zip(row) {
                *out = root * value;
            }
        }
        let count = to - from;
        let used = &block[..count * q];
        if count < FEW {
            for row in used.chunks_exact(q) {
                for a in 0..q {
                    for (sum, value) in into[a * q + a..(a + 1) * q].iter_mut().zip(&row[a..]) {
                        *sum += row[a] * value;
                    }
                }
            }
            continue;
        }
        // The shapes are those of the slices, so neither view can fail.
        if let (Ok(rows), Ok(mut sum)) =
            (ArrayView2::from_shape((count, q), used), ArrayViewMut2::from_shape((q, q), &mut *into))
        {
            general_mat_mul(1.0, &rows.t(), &rows, 1.0, &mut sum);
        }
    }
}

/// The log-likelihood, gradient and information at one value of the coefficients.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// Log partial likelihood.
    pub loglik: f64,
    /// Its gradient, length p.
    pub score: Vec<f64>,
    /// Its negative second derivative, p x p by rows.
    pub information: Vec<f64>,
}

/// Evaluates the partial likelihood.
///
/// # Errors
/// As [`each_event_time`].
pub(crate) fn evaluate(data: &Prepared, beta: &[f64], ties: Ties, monitor: &dyn Monitor) -> Result<Point> {
    let p = data.p;
    let mut score = death_totals(data);
    let mut loglik = dot(&score, beta);
    let mut information = vec![0.0; p * p];
    each_event_time(data, beta, ties, true, monitor, |step| {
        loglik -= step.mean_weight * step.sums.log;
        for (j, u) in score.iter_mut().enumerate() {
            *u -= step.mean_weight * step.mean_sum(j);
        }
        step.add_information(p, 1.0, &mut information);
    })?;
    mirror(&mut information, p);
    Ok(Point { loglik, score, information })
}

/// Copies the upper triangle of a p x p matrix to the lower.
pub(crate) fn mirror(matrix: &mut [f64], p: usize) {
    for a in 0..p {
        for b in 0..a {
            matrix[a * p + b] = matrix[b * p + a];
        }
    }
}

/// `sum of w x` over all deaths.
fn death_totals(data: &Prepared) -> Vec<f64> {
    let mut total = vec![0.0; data.p];
    for tie in &data.timeline.ties {
        for position in tie.events..tie.end {
            let w = data.weight(position);
            for (sum, value) in total.iter_mut().zip(data.row(position)) {
                *sum += w * value;
            }
        }
    }
    total
}
