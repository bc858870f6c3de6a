//! Survival after a Cox model: the baseline hazard, curves for given covariates, and adjusted curves.
//!
//! The cumulative baseline hazard adds `sum over f of m / D_f` at every event time: Efron's under Efron's ties,
//! Breslow's under Breslow's. Curves at x are `exp(-H0(t) exp(x'b))`, with the variance of A. A. Tsiatis (1981),
//! doi:10.1214/aos/1176345342. Adjusted curves average these over the covariates of all rows with the arm set to each
//! of its values (marginal standardisation, or g-computation); that is not the curve at mean covariates.

use ndarray::{Array2, ArrayView2};

use super::cox::CoxFit;
use super::kaplan_meier::Options;
use super::likelihood::{dot, each_event_time};
use super::residuals::score_residuals;
use crate::{Fault, Result, dist};

/// The cumulative baseline hazard of one stratum, at all its distinct times.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Distinct times, censored ones included.
    pub time: Vec<f64>,
    /// Cumulative hazard at and after each.
    pub hazard: Vec<f64>,
}

/// A survival curve with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct SurvivalCurve {
    /// Times.
    pub time: Vec<f64>,
    /// S at and after each.
    pub survival: Vec<f64>,
    /// Its standard error.
    pub std_error: Vec<f64>,
    /// Lower limits.
    pub conf_low: Vec<f64>,
    /// Upper limits.
    pub conf_high: Vec<f64>,
}

/// Adjusted curves, one a setting, and the differences of the later ones from the first.
#[derive(Debug, Clone, PartialEq)]
pub struct AdjustedCurves {
    /// One curve a setting.
    pub curves: Vec<SurvivalCurve>,
    /// Setting 1, 2, ... less setting 0, with intervals on the scale of S.
    pub differences: Vec<SurvivalCurve>,
}

/// Cumulated increments of the hazard at covariates of 0 in standardised columns, per tie.
struct Hazard {
    /// `sum m / D_f`.
    total: Vec<f64>,
    /// `sum (m / D_f) a_f`, ties x p.
    mean: Vec<f64>,
    /// `sum m / D_f^2`.
    variance: Vec<f64>,
    /// `(1/d) sum 1 / D_f` at the tie alone: what a death there adds.
    jump: Vec<f64>,
    /// The down-weighted `sum (1 - f) m / D_f^2` at the tie alone, on top of `variance` before it.
    die: Vec<f64>,
}

impl CoxFit {
    /// The cumulative baseline hazard of every stratum, for covariates of 0, or at their means if `centred`.
    ///
    /// ```
    /// use crewe::survival::{Cox, Surv};
    /// use ndarray::array;
    /// let surv = Surv::new(&[1., 2., 3., 4.], &[1., 1., 0., 1.]);
    /// let x = array![[0.], [1.], [1.], [0.]];
    /// let base = Cox::new(surv, x.view()).fit()?.baseline(false);
    /// assert_eq!(base[0].time, [1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(base[0].hazard[1], base[0].hazard[2]); // nobody has the event at time 3
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn baseline(&self, centred: bool) -> Vec<Baseline> {
        let cumulated = self.cumulated();
        let off: f64 = self.coef.iter().zip(&self.means).map(|(b, mean)| b * mean).sum();
        let factor = if centred { 1.0 } else { (-off).exp() };
        self.data
            .timeline
            .strata
            .iter()
            .map(|range| Baseline {
                time: self.data.timeline.ties[range.clone()].iter().map(|tie| tie.time).collect(),
                hazard: cumulated.total[range.clone()].iter().map(|h| h * factor).collect(),
            })
            .collect()
    }

    /// The survival curve of a row with covariates `x` (length p, as given to the fit) in a stratum.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of covariates or a stratum that is not there.
    pub fn survival_curve(&self, x: &[f64], stratum: usize, options: Options) -> Result<SurvivalCurve> {
        let p = self.coef.len();
        let Some(range) = self.data.timeline.strata.get(stratum).filter(|_| x.len() == p) else {
            return Err(Fault::new(format!(
                "a curve needs {p} covariates and a stratum below {}",
                self.strata
            ))
            .input());
        };
        let z = dist::normal_quantile(0.5 + 0.5 * options.level);
        let cumulated = self.cumulated();
        let at = self.standardised(x);
        let relative = dot(&at, &self.beta).exp();
        let mut out = SurvivalCurve::empty();
        for k in range.clone() {
            let drift: Vec<f64> =
                (0..p).map(|j| cumulated.mean[k * p + j] - at[j] * cumulated.total[k]).collect();
            let se = relative * (cumulated.variance[k] + self.form(&drift, &drift)).sqrt();
            let survival = (-relative * cumulated.total[k]).exp();
            out.push(self.data.timeline.ties[k].time, survival, se * survival, options, z);
        }
        Ok(out)
    }

    /// Survival averaged over the (weighted) rows of each of `settings`, at `times`.
    ///
    /// Every setting is the n x p design with the arm set to one of its values for all rows, in the order of the data.
    /// Standard errors are the model's, or, with clusters, from the influence of each cluster on the average; the
    /// covariates are taken as fixed.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for settings of another shape.
    pub fn adjusted_curves(
        &self,
        settings: &[ArrayView2<'_, f64>],
        times: &[f64],
        options: Options,
    ) -> Result<AdjustedCurves> {
        let p = self.coef.len();
        if settings.iter().any(|x| x.dim() != (self.n, p)) {
            return Err(Fault::new(format!("every setting needs {} rows and {p} columns", self.n)).input());
        }
        let z = dist::normal_quantile(0.5 + 0.5 * options.level);
        let cumulated = self.cumulated();
        let influence = self.membership.as_ref().map(|clusters| {
            let scores = score_residuals(&self.data, &self.beta, self.ties);
            let mut sums = Array2::<f64>::zeros((clusters.count(), p));
            for (row, &g) in scores.outer_iter().zip(clusters.codes()) {
                let mut sum = sums.row_mut(g as usize);
                sum += &row;
            }
            let scale = &self.data.scale;
            let bread = Array2::from_shape_fn((p, p), |(a, b)| self.naive_cov[(a, b)] * scale[a] * scale[b]);
            sums.dot(&bread)
        });
        let sorted: Vec<Array2<f64>> = settings.iter().map(|x| self.sorted(*x)).collect();
        let mut curves: Vec<SurvivalCurve> = settings.iter().map(|_| SurvivalCurve::empty()).collect();
        let mut differences: Vec<SurvivalCurve> =
            settings.iter().skip(1).map(|_| SurvivalCurve::empty()).collect();
        for &time in times {
            let averages: Vec<Average> = sorted.iter().map(|x| self.average(x, &cumulated, time)).collect();
            for (average, curve) in averages.iter().zip(&mut curves) {
                let se = self.average_se(average, &cumulated, time, influence.as_ref());
                curve.push(time, average.survival, se, options, z);
            }
            for (average, difference) in averages.iter().skip(1).zip(&mut differences) {
                let change = average.less(&averages[0]);
                let se = self.average_se(&change, &cumulated, time, influence.as_ref());
                difference.time.push(time);
                difference.survival.push(change.survival);
                difference.std_error.push(se);
                difference.conf_low.push(change.survival - z * se);
                difference.conf_high.push(change.survival + z * se);
            }
        }
        Ok(AdjustedCurves { curves, differences })
    }

    /// The distinct times with events, over all strata.
    pub fn event_times(&self) -> Vec<f64> {
        let ties = self.data.timeline.ties.iter().filter(|tie| tie.deaths() > 0);
        let mut times: Vec<f64> = ties.map(|tie| tie.time).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    }

    fn cumulated(&self) -> Hazard {
        let (p, count) = (self.coef.len(), self.data.timeline.ties.len());
        let mut out = Hazard {
            total: vec![0.0; count],
            mean: vec![0.0; count * p],
            variance: vec![0.0; count],
            jump: vec![0.0; count],
            die: vec![0.0; count],
        };
        each_event_time(&self.data, &self.beta, self.ties, false, |step| {
            let (k, m, sums) = (step.tie, step.mean_weight, &step.sums);
            out.total[k] = m * sums.h0;
            out.variance[k] = m * sums.q0;
            out.jump[k] = sums.h0 / step.deaths as f64;
            out.die[k] = m * (sums.q0 - sums.q1);
            for j in 0..p {
                out.mean[k * p + j] = m * (sums.q0 * step.risk[j + 1] - sums.q1 * step.dying[j + 1]);
            }
        });
        for range in &self.data.timeline.strata {
            for k in range.clone().skip(1) {
                out.total[k] += out.total[k - 1];
                out.variance[k] += out.variance[k - 1];
                for j in 0..p {
                    out.mean[k * p + j] += out.mean[(k - 1) * p + j];
                }
            }
        }
        out
    }

    fn standardised(&self, x: &[f64]) -> Vec<f64> {
        x.iter().zip(&self.means).zip(&self.data.scale).map(|((x, c), s)| (x - c) / s).collect()
    }

    /// `a' V b` for standardised columns, V being the covariance that the fit reports.
    fn form(&self, a: &[f64], b: &[f64]) -> f64 {
        let scale = &self.data.scale;
        let mut sum = 0.0;
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                sum += x * y * self.cov[(i, j)] * scale[i] * scale[j];
            }
        }
        sum
    }

    /// A setting in standardised columns and in the order of the timeline.
    fn sorted(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let order = &self.data.timeline.order;
        Array2::from_shape_fn(x.dim(), |(position, j)| {
            (x[(order[position] as usize, j)] - self.means[j]) / self.data.scale[j]
        })
    }

    fn average(&self, x: &Array2<f64>, cumulated: &Hazard, time: f64) -> Average {
        let (p, ties) = (self.coef.len(), &self.data.timeline.ties);
        let mut out = Average { survival: 0.0, slope: Vec::new(), drift: vec![0.0; p] };
        let mut total = 0.0;
        let mut means = vec![0.0; p];
        for range in &self.data.timeline.strata {
            let last = last_before(&ties[range.clone()], time).map(|k| range.start + k);
            let hazard = last.map_or(0.0, |k| cumulated.total[k]);
            let mut slope = 0.0;
            means.fill(0.0);
            let rows = range.clone().flat_map(|k| ties[k].start..ties[k].end);
            for position in rows {
                let row = x.row(position);
                let weight = self.data.weight(position);
                let relative = row.iter().zip(&self.beta).map(|(x, b)| x * b).sum::<f64>().exp();
                let survival = weight * (-hazard * relative).exp();
                total += weight;
                out.survival += survival;
                slope += survival * relative;
                for (sum, x) in means.iter_mut().zip(row) {
                    *sum += survival * relative * x;
                }
            }
            if let Some(k) = last {
                for j in 0..p {
                    out.drift[j] += hazard * means[j] - slope * cumulated.mean[k * p + j];
                }
            }
            out.slope.push(slope);
        }
        out.survival /= total;
        out.slope.iter_mut().chain(&mut out.drift).for_each(|value| *value /= total);
        out
    }

    /// The standard error of an average (or a difference of two), whose change is
    /// `-(sum over strata of slope dH + drift' db)`.
    fn average_se(
        &self,
        average: &Average,
        cumulated: &Hazard,
        time: f64,
        influence: Option<&Array2<f64>>,
    ) -> f64 {
        let timeline = &self.data.timeline;
        let last = |range: &std::ops::Range<usize>| {
            last_before(&timeline.ties[range.clone()], time).map(|k| range.start + k)
        };
        let (Some(influence), Some(clusters)) = (influence, &self.membership) else {
            let hazard: f64 = timeline
                .strata
                .iter()
                .zip(&average.slope)
                .filter_map(|(range, slope)| last(range).map(|k| slope * slope * cumulated.variance[k]))
                .sum();
            return (hazard + self.form(&average.drift, &average.drift)).sqrt();
        };
        let mut effect: Vec<f64> = influence
            .outer_iter()
            .map(|row| row.iter().zip(&average.drift).map(|(a, b)| a * b).sum())
            .collect();
        for (range, slope) in timeline.strata.iter().zip(&average.slope) {
            let Some(last) = last(range) else { continue };
            for k in range.clone() {
                let tie = timeline.ties[k];
                let before = if k == range.start { 0.0 } else { cumulated.variance[k - 1] };
                for position in tie.start..tie.end {
                    let dies = position >= tie.events && k <= last;
                    let spent =
                        if dies { before + cumulated.die[k] } else { cumulated.variance[k.min(last)] };
                    let jump = if dies { cumulated.jump[k] } else { 0.0 };
                    let change = jump - self.data.relative_hazard(position, &self.beta) * spent;
                    let g = clusters.codes()[timeline.order[position] as usize] as usize;
                    effect[g] += self.data.weight(position) * slope * change;
                }
            }
        }
        effect.iter().map(|value| value * value).sum::<f64>().sqrt()
    }
}

/// An average of survival at one time, and how it moves with the baseline hazards and the coefficients.
struct Average {
    survival: f64,
    slope: Vec<f64>,
    drift: Vec<f64>,
}

impl Average {
    fn less(&self, other: &Self) -> Self {
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self {
            survival: self.survival - other.survival,
            slope: minus(&self.slope, &other.slope),
            drift: minus(&self.drift, &other.drift),
        }
    }
}

impl SurvivalCurve {
    fn empty() -> Self {
        Self { time: vec![], survival: vec![], std_error: vec![], conf_low: vec![], conf_high: vec![] }
    }

    fn push(&mut self, time: f64, survival: f64, se: f64, options: Options, z: f64) {
        let limits = options.interval.limits(survival, se / survival, z);
        self.time.push(time);
        self.survival.push(survival);
        self.std_error.push(se);
        self.conf_low.push(limits.low);
        self.conf_high.push(limits.high);
    }
}

fn last_before(ties: &[super::data::Tie], time: f64) -> Option<usize> {
    ties.partition_point(|tie| tie.time <= time).checked_sub(1)
}
